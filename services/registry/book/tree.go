package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// kin is a link in the list of the units that stand or ever stood below a unit,
// the newest first. A unit may be in it twice, or no longer belong there: what
// counts is where it says itself that it stands.
type kin struct {
	child string
	next  *kin
}

// stoodBelow reports whether a version of a unit names parent at any time.
func stoodBelow(u *unit, parent string) bool {
	if u == nil {
		return false
	}
	for _, s := range u.stands {
		if s.parent == parent {
			return true
		}
	}
	return false
}

// children returns the units that stand below u at any time.
func (b *Book) children(u *unit) []*unit {
	var all []*unit
	seen := map[string]bool{}
	for k := b.below.Get(u.id); k != nil; k = k.next {
		if seen[k.child] {
			continue
		}
		seen[k.child] = true
		if c, ok := b.units.get(name.Unit(k.child).Name()); ok && stoodBelow(c, u.id) {
			all = append(all, c)
		}
	}
	return all
}

// climb calls visit for each place that stands above s between two days, the
// nearest first, with the days for which it does, until visit returns false.
// depth counts the steps from s.
func (b *Book) climb(s stand, from, to calendar.Date, depth int, visit func(u *unit, s stand, from, to calendar.Date, depth int) bool) bool {
	if s.parent == "" {
		return true
	}
	above, ok := b.units.get(name.Unit(s.parent).Name())
	if !ok {
		return true
	}
	for _, up := range above.stands {
		f, t := max(from, up.from), min(to, up.to)
		if f >= t {
			continue
		}
		if !visit(above, up, f, t, depth) || !b.climb(up, f, t, depth+1, visit) {
			return false
		}
	}
	return true
}

// checkStands checks a unit's places: that the units above exist as long as it
// stands below them, that it does not come to stand below itself, nor too deep,
// and, when it existed before, that all this stays true of the units below it;
// and that no target's subtotals come to be forbidden ones.
func (b *Book) checkStands(u *unit, existed bool) error {
	if err := b.checkParents(u); err != nil {
		return err
	}
	if err := b.checkAbove(u); err != nil {
		return err
	}
	if !existed {
		return b.checkSubtotals(u)
	}
	if err := b.checkRoots(u); err != nil {
		return err
	}
	if err := b.checkChildren(u); err != nil {
		return err
	}
	f := b.Fork(ledger.Stamp{})
	f.setUnit(u)
	return f.checkBelow(u, map[string]bool{})
}

// checkParents checks that each parent exists while u stands below it.
func (b *Book) checkParents(u *unit) error {
	var f faults
	for i, s := range u.stands {
		if s.parent == "" {
			continue
		}
		field := fmt.Sprintf("unit.placements[%d].parent", i)
		p, ok := b.units.get(name.Unit(s.parent).Name())
		switch {
		case !ok:
			f.add(field, "there is no unit %s", s.parent)
		case s.from < p.birth():
			f.add(field, "unit %s exists only from %s", s.parent, p.birth())
		case s.to > p.end():
			f.add(field, "unit %s no longer exists on %s", s.parent, p.end())
		}
	}
	return f.err(errorv1.Reason_REASON_BAD_REFERENCE)
}

// checkAbove checks that u does not stand below itself, nor too deep.
func (b *Book) checkAbove(u *unit) error {
	for i, s := range u.stands {
		var err error
		b.climb(s, s.from, s.to, 2, func(above *unit, _ stand, from, _ calendar.Date, depth int) bool {
			field := fmt.Sprintf("unit.placements[%d].parent", i)
			switch {
			case above.id == u.id:
				err = refuse(errorv1.Reason_REASON_INVALID_FIELD, field,
					fmt.Sprintf("unit %s would stand below itself on %s, by way of unit %s", u.id, from, s.parent))
			case depth > name.MaxDepth:
				err = refuse(errorv1.Reason_REASON_INVALID_FIELD, field,
					fmt.Sprintf("unit %s would have more than %d units above it on %s", u.id, name.MaxDepth-1, from))
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRoots checks that u stays a root where it is that of a programme.
func (b *Book) checkRoots(u *unit) error {
	for _, p := range b.programmes.table.All() {
		if p.GetRootUnit() != u.id {
			continue
		}
		for i, s := range u.stands {
			if s.parent != "" {
				return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, fmt.Sprintf("unit.placements[%d].parent", i),
					fmt.Sprintf("unit %s is the root of %s", u.id, p.GetName()))
			}
		}
	}
	return nil
}

// checkChildren checks that u exists while others stand below it.
func (b *Book) checkChildren(u *unit) error {
	for _, c := range b.children(u) {
		for _, s := range c.stands {
			if s.parent != u.id {
				continue
			}
			if s.from < u.birth() {
				return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.placements[0].from_date",
					fmt.Sprintf("unit %s stands below it from %s", c.id, s.from), "below", c.id)
			}
			if s.to > u.end() {
				return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.closed_date",
					fmt.Sprintf("unit %s still stands below it on %s", c.id, u.end()), "below", c.id)
			}
		}
	}
	return nil
}

// checkBelow checks the depth and the subtotals of u and of all below it. seen holds those that are done.
func (b *Book) checkBelow(u *unit, seen map[string]bool) error {
	seen[u.id] = true
	if err := b.checkSubtotals(u); err != nil {
		return err
	}
	for _, c := range b.children(u) {
		if seen[c.id] {
			continue
		}
		if err := b.checkAbove(c); err != nil {
			return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.placements",
				fmt.Sprintf("unit %s stands below it, and %s", c.id, err.(*Error).Message))
		}
		if err := b.checkBelow(c, seen); err != nil {
			return err
		}
	}
	return nil
}
