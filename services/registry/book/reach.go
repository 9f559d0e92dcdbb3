package book

import (
	"github.com/cotmoc/cotmoc/pkg/name"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Reaches reports whether a unit is another, scope, or stands below it on a day; before
// its first day, where it stands then, and after its last, where it stood. Ids of no
// unit are reached by nobody.
func (b *Book) Reaches(scope, unit name.Unit, day calendar.Date) bool {
	at, ok := b.units.get(unit.Name())
	for depth := 0; ok && depth < name.MaxDepth; depth++ {
		if at.id == string(scope) {
			return true
		}
		s := at.on(max(at.birth(), min(day, at.end()-1)))
		if s == nil || s.parent == "" {
			return false
		}
		at, ok = b.units.get(name.Unit(s.parent).Name())
	}
	return false
}

// ReachesAll reports whether every unit there is stands below scope, at all times.
func (b *Book) ReachesAll(scope name.Unit) bool {
	top, ok := b.units.get(scope.Name())
	if !ok || top.stands[0].parent != "" {
		return false // most are told apart here
	}
	for _, n := range b.units.names() {
		u, _ := b.units.get(n)
		roots := 0
		for _, s := range u.stands {
			if s.parent == "" {
				roots++
			}
		}
		if u == top && roots != len(u.stands) || u != top && roots != 0 {
			return false
		}
	}
	return true
}
