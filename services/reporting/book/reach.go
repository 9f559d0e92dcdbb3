package book

import "github.com/cotmoc/cotmoc/services/internal/calendar"

// Reaches reports whether a unit is another, scope, or stands below it by the tree of
// a period (or Current). Ids of no unit are reached by nobody and reach nobody.
func (b *Book) Reaches(scope, unit string, p calendar.Period) bool {
	top, at := b.unitIDs.Get(scope), b.unitIDs.Get(unit)
	if top == 0 || at == 0 {
		return false
	}
	found := false
	b.up(at, p, func(ix unitIx) { found = found || ix == top })
	return found
}

// ReachesOn is Reaches by the tree that figures as of a day are added by.
func (b *Book) ReachesOn(scope, unit string, day calendar.Date) bool {
	return b.Reaches(scope, unit, b.treeOn(day))
}

// ReachesAll reports whether every unit there is stands below scope, at all times.
func (b *Book) ReachesAll(scope string) bool {
	top := b.unitIDs.Get(scope)
	if top == 0 {
		return false
	}
	if u := b.unit(top); u.parent != 0 {
		return false // most are told apart here
	}
	for ix := unitIx(1); ix <= b.unitCount; ix++ {
		u := b.unit(ix)
		if (u.parent == 0 || u.parentsLack()) != (ix == top) {
			return false
		}
	}
	return true
}

// parentsLack reports whether in some period the unit stands below none.
func (u *Unit) parentsLack() bool {
	for _, step := range u.parents {
		if step.parent == 0 {
			return true
		}
	}
	return false
}

// CellOfFinding is the cell that a finding of a programme is about; false when there is
// no such finding.
func (b *Book) CellOfFinding(programme string, id uint64) (m *Measure, u *Unit, p calendar.Period, ok bool) {
	f, ok := b.findings.Lookup(id)
	if !ok {
		return nil, nil, 0, false
	}
	if m = b.measure(f.at.measure); m.key.programme != programme {
		return nil, nil, 0, false
	}
	return m, b.unit(f.at.unit), f.at.period, true
}
