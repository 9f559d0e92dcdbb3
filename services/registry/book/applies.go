package book

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// rule is a target's applicability, read, for looking at many units.
type rule struct {
	target *registryv1.Target
	kinds  uint64 // bit k is kind k
	levels []string
	listed map[string]bool
	except map[string]bool
	from   calendar.Date
	to     calendar.Date
}

// readRule reads a target's applicability in its programme.
func readRule(t *registryv1.Target, p *registryv1.Programme) (*rule, error) {
	a := t.GetApplicability()
	r := &rule{target: t, levels: a.GetLevels(), listed: set(a.GetUnits()), except: set(a.GetExceptUnits()), to: forever}
	for _, k := range a.GetKinds() {
		r.kinds |= 1 << uint(k)
	}
	from := a.GetFromDate()
	if from == "" {
		from = p.GetStartDate()
	}
	var err error
	if r.from, err = calendar.ParseDate(from); err != nil {
		return nil, fmt.Errorf("first day of %s: %w", t.GetName(), err)
	}
	if a.GetUntilDate() != "" {
		if r.to, err = calendar.ParseDate(a.GetUntilDate()); err != nil {
			return nil, fmt.Errorf("last day of %s: %w", t.GetName(), err)
		}
	}
	return r, nil
}

func set(ids []string) map[string]bool {
	if len(ids) == 0 {
		return nil
	}
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// holds reports whether the target applies to a unit that stands so.
func (r *rule) holds(id string, s stand) bool {
	if r.except[id] {
		return false
	}
	if r.listed[id] {
		return true
	}
	if r.kinds == 0 && len(r.levels) == 0 {
		return false
	}
	return (r.kinds == 0 || r.kinds>>uint(s.kind)&1 == 1) &&
		(len(r.levels) == 0 || slices.Contains(r.levels, s.level))
}

// forbids reports whether the target's policy is that no applicable unit stands above another.
func forbids(t *registryv1.Target) bool {
	switch t.GetSubtotalPolicy() {
	case registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN, registryv1.SubtotalPolicy_SUBTOTAL_POLICY_CONTROL_TOTAL:
		return false
	}
	return true
}

// clash is a unit to which a target applies on a day, and one above to which it does too.
type clash struct {
	unit, above string
	day         calendar.Date
}

// clashOf looks for a unit above u to which the rule applies as well as to u.
func (b *Book) clashOf(r *rule, u *unit) (found clash, ok bool) {
	for _, s := range u.stands {
		from, to := max(s.from, r.from), min(s.to, r.to)
		if from >= to || !r.holds(u.id, s) {
			continue
		}
		b.climb(s, from, to, 2, func(above *unit, up stand, from, _ calendar.Date, _ int) bool {
			if r.holds(above.id, up) {
				found, ok = clash{unit: u.id, above: above.id, day: from}, true
			}
			return !ok
		})
		if ok {
			return found, true
		}
	}
	return clash{}, false
}

// err says that a target may not apply to both units of a clash.
func (c clash) err(field, target string) error {
	return refuse(errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN, field,
		fmt.Sprintf("%s would apply to unit %s and to unit %s above it on %s, which its subtotal policy forbids",
			target, c.unit, c.above, c.day), "unit", c.unit, "above", c.above, "target", target)
}

// checkSubtotals checks every target that forbids subtotals at one unit.
func (b *Book) checkSubtotals(u *unit) error {
	for _, r := range b.rules() {
		if c, clashes := b.clashOf(r, u); clashes {
			return c.err("unit.placements", r.target.GetName())
		}
	}
	return nil
}

// checkRule checks a target that forbids subtotals at all units.
func (b *Book) checkRule(r *rule, field string) error {
	if r.kinds == 0 && len(r.levels) == 0 {
		for _, id := range r.target.GetApplicability().GetUnits() {
			if u, ok := b.units.get(name.Unit(id).Name()); ok {
				if c, clashes := b.clashOf(r, u); clashes {
					return c.err(field, r.target.GetName())
				}
			}
		}
		return nil
	}
	var first *clash
	for _, u := range b.units.table.All() {
		if first != nil && first.unit <= u.id {
			continue // the answer shall not hang on the order of a map
		}
		if c, clashes := b.clashOf(r, u); clashes {
			first = &c
		}
	}
	if first == nil {
		return nil
	}
	return first.err(field, r.target.GetName())
}

// rules are the targets that forbid subtotals, by name.
func (b *Book) rules() []*rule { return b.forbid.Get("") }

// ruleTarget keeps the list of rules in step with a target's new version.
func (b *Book) ruleTarget(t *registryv1.Target) error {
	var r *rule
	if forbids(t) {
		p, _ := b.programmes.get(programmeOf(t.GetName()))
		var err error
		if r, err = readRule(t, p); err != nil {
			return err
		}
	}
	all := b.rules()
	at, found := slices.BinarySearchFunc(all, t.GetName(), func(r *rule, n string) int {
		return cmp.Compare(r.target.GetName(), n)
	})
	next := slices.Clone(all[:at])
	if r != nil {
		next = append(next, r)
	}
	if found {
		at++
	}
	b.forbid.Set("", append(next, all[at:]...))
	return nil
}

// ruleProgramme keeps the rules in step with a programme's new version, whose
// first day may be another.
func (b *Book) ruleProgramme(p *registryv1.Programme) error {
	next, err := b.rulesUnder(p)
	if err != nil {
		return err
	}
	b.forbid.Set("", next)
	return nil
}

// rulesUnder are all rules as they would be with this version of a programme.
func (b *Book) rulesUnder(p *registryv1.Programme) ([]*rule, error) {
	next := slices.Clone(b.rules())
	for i, r := range next {
		if programmeOf(r.target.GetName()) != p.GetName() {
			continue
		}
		var err error
		if next[i], err = readRule(r.target, p); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// programmeOf is the name of the programme that a resource is under.
func programmeOf(resource string) string {
	t, err := name.ParseTarget(resource)
	if err != nil {
		return ""
	}
	return t.Programme.Name()
}
