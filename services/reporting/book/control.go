package book

import (
	"slices"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Where a target asks for control totals, a unit to which it applies and which
// stands above another one of those is not expected to report, and nothing of it is
// added: it may say what those below should add up to.

// controlled reports whether a unit above others that report gives a control total.
func (m *Measure) controlled() bool {
	return m.target.GetSubtotalPolicy() == registryv1.SubtotalPolicy_SUBTOTAL_POLICY_CONTROL_TOTAL
}

// givesControl reports whether what a unit reports on a day is a control total.
func (b *Book) givesControl(m *Measure, u *Unit, day calendar.Date) bool {
	r := b.ruleOf(m)
	return r.names(u, day) && r.control(u, day)
}

// control reports whether the measure applies, on a day, to a unit below one.
func (r *rule) control(u *Unit, day calendar.Date) bool {
	if r.tree == nil {
		return false
	}
	for at := r.tree.kin.Get(u.ix); at != nil; at = at.next {
		child := r.tree.unit(at.child)
		if p, exists := child.on(day); exists && p.parent == u.id && (r.names(child, day) || r.control(child, day)) {
			return true
		}
	}
	return false
}

// controls returns the book if the measure, or a target of the regime, has control
// totals, so that who is expected depends on the tree; else nil.
func (r *rule) controls() *Book {
	for i := range r.any {
		if tree := r.any[i].tree; tree != nil {
			return tree
		}
	}
	return r.tree
}

// everNames reports whether the measure applies to a unit on any day at all.
func (r *rule) everNames(u *Unit) bool {
	if len(r.any) > 0 {
		return slices.ContainsFunc(r.any, func(part rule) bool { return part.everNames(u) })
	}
	return slices.ContainsFunc(append(u.boundaries(), r.from), func(d calendar.Date) bool { return r.names(u, d) })
}

// boundariesBelow are the days on which something changes about units that stand or
// ever stood below one.
func (b *Book) boundariesBelow(top unitIx) []calendar.Date {
	seen := make(map[calendar.Date]bool)
	met := map[unitIx]bool{top: true}
	for left := []unitIx{top}; len(left) > 0; {
		at := b.kin.Get(left[len(left)-1])
		for left = left[:len(left)-1]; at != nil; at = at.next {
			if met[at.child] {
				continue
			}
			met[at.child] = true
			left = append(left, at.child)
			for _, d := range b.unit(at.child).boundaries() {
				seen[d] = true
			}
		}
	}
	days := make([]calendar.Date, 0, len(seen))
	for d := range seen {
		days = append(days, d)
	}
	return days // sorted by whoever asks
}

// withAbove lists units, each once, and after them all that they stand below at
// some time.
func (b *Book) withAbove(units []unitIx) []unitIx {
	var out []unitIx
	listed := make([]bool, b.unitCount+1)
	list := func(unit unitIx) {
		if unit != 0 && !listed[unit] {
			listed[unit] = true
			out = append(out, unit)
		}
	}
	for _, unit := range units {
		list(unit)
	}
	for i := 0; i < len(out); i++ {
		for _, p := range b.unit(out[i]).placements {
			list(b.unitIDs.Get(p.parent))
		}
	}
	return out
}
