package book

import (
	"fmt"
	"math"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// forever is the day after the last one.
const forever = calendar.Date(math.MaxInt32)

// unit is a unit's present version with its placements read.
type unit struct {
	id     string
	proto  *registryv1.Unit
	stands []stand
}

// stand is where a unit stands from a day until the day before another.
type stand struct {
	from, to calendar.Date
	parent   string
	kind     typev1.UnitKind
	level    string
}

// birth is the first day of the unit, end the first day on which it is no more.
func (u *unit) birth() calendar.Date { return u.stands[0].from }
func (u *unit) end() calendar.Date   { return u.stands[len(u.stands)-1].to }

// on returns where the unit stands on a day, nil when it does not exist then.
func (u *unit) on(d calendar.Date) *stand {
	for i := range u.stands {
		if s := &u.stands[i]; s.from <= d && d < s.to {
			return s
		}
	}
	return nil
}

// selects reports whether the unit stands on the filter's day as it asks.
func (f UnitFilter) selects(u *unit) bool {
	if f.Parent == "" && f.Kind == 0 {
		return true
	}
	s := u.on(f.Today)
	return s != nil && (f.Parent == "" || s.parent == string(f.Parent)) && (f.Kind == 0 || s.kind == f.Kind)
}

// readUnit reads the dates of a unit. All that is wrong is in the error.
func readUnit(p *registryv1.Unit) (*unit, error) {
	u := &unit{id: strings.TrimPrefix(p.GetName(), "units/"), proto: p}
	var f faults
	f.text("unit.display_name", p.GetDisplayName())
	if len(p.GetPlacements()) == 0 {
		f.add("unit.placements", "at least one is needed")
		return nil, f.err(errorv1.Reason_REASON_INVALID_FIELD)
	}
	for i, pl := range p.GetPlacements() {
		field := fmt.Sprintf("unit.placements[%d].from_date", i)
		from, ok := f.date(field, pl.GetFromDate())
		if i > 0 {
			last := &u.stands[i-1]
			if last.to = from; ok && from <= last.from {
				f.add(field, "%s is not after the placement before it", pl.GetFromDate())
			}
		}
		if pl.GetParent() == u.id {
			f.add(fmt.Sprintf("unit.placements[%d].parent", i), "a unit cannot stand below itself")
		}
		u.stands = append(u.stands, stand{
			from: from, to: forever, parent: pl.GetParent(), kind: pl.GetKind(), level: pl.GetLevel(),
		})
	}
	if p.GetClosedDate() != "" {
		last := &u.stands[len(u.stands)-1]
		closed, ok := f.date("unit.closed_date", p.GetClosedDate())
		if last.to = closed; ok && closed <= last.from {
			f.add("unit.closed_date", "%s is not after the last placement's from_date", p.GetClosedDate())
		}
	}
	return u, f.err(errorv1.Reason_REASON_INVALID_FIELD)
}

// PutUnit writes a unit and returns its version from now on.
func (b *Book) PutUnit(id name.Unit, given *registryv1.Unit, how How) (*registryv1.Unit, Outcome, error) {
	s := slot[*registryv1.Unit]{kind: "unit", name: id.Name(), missing: errorv1.Reason_REASON_UNIT_NOT_FOUND}
	before, exists := b.units.get(s.name)
	if s.exists = exists; exists {
		s.present = before.proto
	}
	m, same, err := s.version(given, how)
	if err != nil {
		return nil, 0, err
	}
	if same {
		return s.present, Unchanged, nil
	}
	u, err := readUnit(m)
	if err != nil {
		return nil, 0, err
	}
	if !exists || !sameStands(before, u) {
		if err := b.checkStands(u, exists); err != nil {
			return nil, 0, err
		}
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Unit{Unit: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// sameStands reports whether two versions of a unit stand in the same places.
func sameStands(a, b *unit) bool {
	if len(a.stands) != len(b.stands) {
		return false
	}
	for i := range a.stands {
		if a.stands[i] != b.stands[i] {
			return false
		}
	}
	return true
}

// placeUnit makes p the unit's present version.
func (b *Book) placeUnit(p *registryv1.Unit) error {
	u, err := readUnit(p)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.GetName(), err)
	}
	b.setUnit(u)
	return nil
}

// setUnit places a unit and enters it with its parents.
func (b *Book) setUnit(u *unit) {
	before, _ := b.units.get(u.proto.GetName())
	b.units.set(u.proto.GetName(), u)
	for i, s := range u.stands {
		if s.parent == "" || stoodBelow(before, s.parent) || stoodBelow(&unit{stands: u.stands[:i]}, s.parent) {
			continue
		}
		b.below.Set(s.parent, &kin{child: u.id, next: b.below.Get(s.parent)})
	}
}
