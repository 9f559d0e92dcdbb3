package book

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unique"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// unitIx numbers units in the order in which they became known, from 1; 0 is none.
type unitIx = int32

// maxDepth bounds the tree; a path longer than that is a defect of the registry.
const maxDepth = 32

// Unit is a unit as the reporting service knows it. It is replaced, never changed.
type Unit struct {
	// What each submission asks for comes first, near together.
	id     string
	parent unitIx // where its current figures are added
	moved  uint32 // when `parent` last changed, counting the moves of all units; 0 for never
	ix     unitIx
	still  bool      // in every period its figures are added where its current ones are
	only   placement // the placement, when there is but one

	name       string
	placements []placement   // what the registry says, by day
	closed     calendar.Date // first day on which it no longer exists; 0 for none
	parents    []parentFrom  // where its figures are added, by period
}

// placement is where a unit stands from a day on.
type placement struct {
	from   calendar.Date
	parent string
	kind   typev1.UnitKind
	level  string
}

// parentFrom is the unit above from a day on: for the periods whose last day is it
// or a later one, those from since on.
type parentFrom struct {
	from   calendar.Date
	since  calendar.Period // calendar.From(from); 0 for the first
	parent unitIx
}

// ID returns the unit's id.
func (u *Unit) ID() string { return u.id }

// readUnit reads a registry unit, without its place in the book.
func readUnit(res *registryv1.Unit) (*Unit, error) {
	u := &Unit{id: strings.TrimPrefix(res.GetName(), "units/"), name: res.GetDisplayName()}
	for _, p := range res.GetPlacements() {
		from, err := calendar.ParseDate(p.GetFromDate())
		if err != nil {
			return nil, fmt.Errorf("placement of unit %s: %w", u.id, err)
		}
		u.place(placement{from, p.GetParent(), p.GetKind(), p.GetLevel()})
	}
	if res.GetClosedDate() != "" {
		closed, err := calendar.ParseDate(res.GetClosedDate())
		if err != nil {
			return nil, fmt.Errorf("closing of unit %s: %w", u.id, err)
		}
		u.closed = closed
	}
	return u, nil
}

// place adds a placement, in order. Its words are the same in memory for all units.
func (u *Unit) place(p placement) {
	p.parent, p.level = unique.Make(p.parent).Value(), unique.Make(p.level).Value()
	u.placements = append(u.placements, p)
	if u.only = p; len(u.placements) > 1 {
		u.only = placement{}
	}
}

// on returns the unit's placement on a day, and whether it exists then.
func (u *Unit) on(d calendar.Date) (placement, bool) {
	if u.closed != 0 && d >= u.closed {
		return placement{}, false
	}
	for i := len(u.placements) - 1; i >= 0; i-- {
		if u.placements[i].from <= d {
			return u.placements[i], true
		}
	}
	return placement{}, false
}

// near returns the placement on a day, or the nearest one to it: what a unit is
// shown as when it does not exist then.
func (u *Unit) near(d calendar.Date) placement {
	if u.only.kind != 0 {
		return u.only
	}
	at := u.placements[0]
	for _, p := range u.placements[1:] {
		if p.from <= d {
			at = p
		}
	}
	return at
}

// boundaries are the days on which something about the unit changes.
func (u *Unit) boundaries() []calendar.Date {
	days := make([]calendar.Date, 0, len(u.placements)+1)
	for _, p := range u.placements {
		days = append(days, p.from)
	}
	if u.closed != 0 {
		days = append(days, u.closed)
	}
	return days
}

// parentsByDate is where the unit's figures shall be added, by period: each
// period is judged by the tree of its last day. The first step holds from the
// beginning of time: whether a unit exists yet is a matter of scope.
func (b *Book) parentsByDate(u *Unit) []parentFrom {
	var out []parentFrom
	for _, p := range u.placements {
		step := parentFrom{p.from, calendar.From(p.from), b.unitIDs.Get(p.parent)}
		if n := len(out); n > 0 && step.since == 0 {
			out = out[:n-1] // both are older than the oldest period
		}
		if n := len(out); n == 0 || out[n-1].parent != step.parent {
			out = append(out, step)
		}
	}
	out[0].from, out[0].since = 0, 0
	return out
}

// parentToday is where the unit's current figures shall be added.
func (b *Book) parentToday(u *Unit) unitIx { return b.unitIDs.Get(u.near(b.today).parent) }

// parentIn is where the figures of a period are added; before the unit's first
// period, where they are from it on.
func (u *Unit) parentIn(p calendar.Period) unitIx {
	if p == Current || u.still {
		return u.parent
	}
	for i := len(u.parents) - 1; i > 0; i-- {
		if u.parents[i].since <= p {
			return u.parents[i].parent
		}
	}
	return u.parents[0].parent
}

// movedFrom returns the steps of the tree after a unit moved under parent from a
// day on.
func movedFrom(old []parentFrom, from calendar.Date, parent unitIx) []parentFrom {
	at := slices.IndexFunc(old, func(s parentFrom) bool { return s.from >= from })
	if at < 0 {
		at = len(old)
	}
	if at > 0 && old[at-1].parent == parent {
		return slices.Clone(old[:at])
	}
	return append(slices.Clone(old[:at]), parentFrom{from, calendar.From(from), parent})
}

// keep makes u the present version of its unit.
func (b *Book) keep(u *Unit) {
	u.still = len(u.parents) == 1 && u.parents[0].parent == u.parent
	*b.units.Edit(u.ix) = u
}

func (b *Book) unit(ix unitIx) *Unit {
	if u := b.units.Peek(ix); u != nil {
		return *u
	}
	return nil
}

// UnitByID returns the unit with an id, nil when there is none.
func (b *Book) UnitByID(id string) *Unit { return b.unit(b.unitIDs.Get(id)) }

// up calls do for the unit and each unit above it, up to the root, by the tree of
// a period (or Current).
func (b *Book) up(ix unitIx, p calendar.Period, do func(unitIx)) {
	var l line
	b.trace(&l, ix, p)
	for _, u := range l.units() {
		do(u.ix)
	}
}

// path returns the ids from the root to the unit, joined by dots.
func (b *Book) path(ix unitIx, p calendar.Period) string {
	var l line
	b.trace(&l, ix, p)
	return l.path()
}

// placeVersion is another one whenever the unit's current path changes: the
// number of the last move of the unit or of one above it.
func (b *Book) placeVersion(ix unitIx) uint32 {
	var l line
	b.trace(&l, ix, Current)
	return l.moved()
}

// kin is a link in the list of the units that stand or ever stood below a unit;
// whether one does in a period is for the unit itself to say.
type kin struct {
	child unitIx
	next  *kin
}

// join enters a unit with the ones above it, in whatever period. A new one cannot
// be entered already, but by this very call.
func (b *Book) join(u *Unit, isNew bool) {
	enter := func(parent unitIx) {
		first := b.kin.Get(parent)
		at := first
		for at != nil && at.child != u.ix {
			if at = at.next; isNew {
				at = nil
			}
		}
		if at == nil && parent != 0 {
			b.kin.Set(parent, &kin{u.ix, first})
		}
	}
	enter(u.parent)
	for _, step := range u.parents {
		enter(step.parent)
	}
}

// under yields the units below one in a period, at any depth, in no order.
func (b *Book) under(top unitIx, p calendar.Period) iter.Seq[unitIx] {
	return func(yield func(unitIx) bool) {
		for left := []unitIx{top}; len(left) > 0; {
			at := left[len(left)-1]
			left = left[:len(left)-1]
			for child := range b.childrenIn(at, p) {
				if !yield(child) {
					return
				}
				left = append(left, child)
			}
		}
	}
}

// childrenIn yields the units directly below one in a period, in no order.
func (b *Book) childrenIn(unit unitIx, p calendar.Period) iter.Seq[unitIx] {
	return func(yield func(unitIx) bool) {
		for at := b.kin.Get(unit); at != nil; at = at.next {
			if !b.Spend(1) || b.unit(at.child).parentIn(p) == unit && !yield(at.child) {
				return
			}
		}
	}
}

// lastOf returns the id at the end of a path.
func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
