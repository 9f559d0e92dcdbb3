// Package book holds what is owed as the registry's log adds it up, and every
// rule by which a write is accepted. It is pure: no clock, no database, no network.
//
// Writes are decided in a layer (Fork) and become part of the book by Merge. The
// messages that the book hands out are shared: nobody may change them.
package book

import (
	"fmt"
	"path"
	"time"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/layer"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"google.golang.org/protobuf/proto"
)

// Book is the state of the registry: each resource's present version. Many may
// read it at once, or one may write.
type Book struct {
	parent *Book
	stamp  ledger.Stamp
	drafts []ledger.Entry

	programmes  *shelf[*registryv1.Programme]
	units       *shelf[*unit]
	tasks       *shelf[*registryv1.Task]
	targets     *shelf[*registryv1.Target]
	allocations *shelf[*registryv1.Allocation]
	calendars   *shelf[*registryv1.Calendar]
	regimes     *shelf[*registryv1.Regime]

	below  *layer.Table[string, *kin]    // by parent: who stands or ever stood below
	forbid *layer.Table[string, []*rule] // by programme: targets that forbid subtotals
}

// New returns a book in which there are only the calendars that are always there.
func New() *Book {
	b := &Book{
		programmes:  newShelf[*registryv1.Programme](),
		units:       newShelf[*unit](),
		tasks:       newShelf[*registryv1.Task](),
		targets:     newShelf[*registryv1.Target](),
		allocations: newShelf[*registryv1.Allocation](),
		calendars:   newShelf[*registryv1.Calendar](),
		regimes:     newShelf[*registryv1.Regime](),
		below:       layer.New[string, *kin](),
		forbid:      layer.New[string, []*rule](),
	}
	for _, c := range firstCalendars() {
		b.calendars.set(c.Name, c)
	}
	return b
}

// Fork opens a layer in which writes are decided or entries applied.
func (b *Book) Fork(s ledger.Stamp) *Book {
	return &Book{
		parent: b, stamp: s,
		programmes: b.programmes.fork(), units: b.units.fork(), tasks: b.tasks.fork(),
		targets: b.targets.fork(), allocations: b.allocations.fork(),
		calendars: b.calendars.fork(), regimes: b.regimes.fork(),
		below: b.below.Fork(), forbid: b.forbid.Fork(),
	}
}

// Merge makes the layer part of what it was forked from.
func (b *Book) Merge() {
	b.programmes.merge()
	b.units.merge()
	b.tasks.merge()
	b.targets.merge()
	b.allocations.merge()
	b.calendars.merge()
	b.regimes.merge()
	b.below.Merge()
	b.forbid.Merge()
	if b.parent.parent != nil {
		b.parent.drafts = append(b.parent.drafts, b.drafts...)
	}
	b.drafts = nil
}

// Drafts returns the entries decided in this layer so far.
func (b *Book) Drafts() []ledger.Entry { return b.drafts }

// Due reports false: time alone changes nothing that is owed.
func (b *Book) Due(time.Time) bool { return false }

// Tick does nothing.
func (b *Book) Tick() error { return nil }

// Freeze returns a cut that later merges do not change.
func (b *Book) Freeze() *Book {
	return &Book{
		programmes: b.programmes.freeze(), units: b.units.freeze(), tasks: b.tasks.freeze(),
		targets: b.targets.freeze(), allocations: b.allocations.freeze(),
		calendars: b.calendars.freeze(), regimes: b.regimes.freeze(),
		below: b.below.Clone(), forbid: b.forbid.Clone(),
	}
}

// next is the number of the next change decided in this layer.
func (b *Book) next() int64 { return int64(b.stamp.Next) + int64(len(b.drafts)) }

// Head is the number of the last change that this layer has seen or decided.
func (b *Book) Head() int64 { return b.next() - 1 }

// write encodes a change as the layer's next entry. Its resource has no revision yet.
func (b *Book) write(c *registryv1.Change, previous int64) error {
	c.Revision = b.next()
	c.PreviousRevision = previous
	c.TimeUnixMicros = b.stamp.Time.UnixMicro()
	event, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode change %d: %w", c.Revision, err)
	}
	b.drafts = append(b.drafts, ledger.Entry{Event: event})
	return b.place(c)
}

// place makes the resource of a change the present version.
func (b *Book) place(c *registryv1.Change) error {
	switch r := c.GetResource().(type) {
	case *registryv1.Change_Programme:
		r.Programme.Revision = c.Revision
		b.programmes.set(r.Programme.Name, r.Programme)
		return b.ruleProgramme(r.Programme)
	case *registryv1.Change_Unit:
		r.Unit.Revision = c.Revision
		return b.placeUnit(r.Unit)
	case *registryv1.Change_Task:
		r.Task.Revision = c.Revision
		b.tasks.set(r.Task.Name, r.Task)
		return nil
	case *registryv1.Change_Target:
		r.Target.Revision = c.Revision
		b.targets.set(r.Target.Name, r.Target)
		return b.ruleTarget(r.Target)
	case *registryv1.Change_Allocation:
		r.Allocation.Revision = c.Revision
		b.allocations.set(r.Allocation.Name, r.Allocation)
		return nil
	case *registryv1.Change_Calendar:
		r.Calendar.Revision = c.Revision
		b.calendars.set(r.Calendar.Name, r.Calendar)
		return nil
	case *registryv1.Change_Regime:
		r.Regime.Revision = c.Revision
		b.regimes.set(r.Regime.Name, r.Regime)
		return nil
	case *registryv1.Change_LevelRaised:
		return nil
	}
	return fmt.Errorf("change %d holds no resource that this release knows", c.Revision)
}

// Programme returns a programme's present version, nil when there is none.
func (b *Book) Programme(p name.Programme) *registryv1.Programme {
	m, _ := b.programmes.get(p.Name())
	return m
}

// Unit returns a unit's present version, nil when there is none.
func (b *Book) Unit(u name.Unit) *registryv1.Unit {
	if r, ok := b.units.get(u.Name()); ok {
		return r.proto
	}
	return nil
}

// Task returns a task's present version, nil when there is none.
func (b *Book) Task(t name.Task) *registryv1.Task {
	m, _ := b.tasks.get(t.Name())
	return m
}

// Target returns a target's present version, nil when there is none.
func (b *Book) Target(t name.Target) *registryv1.Target {
	m, _ := b.targets.get(t.Name())
	return m
}

// Allocation returns an allocation's present version, nil when there is none.
func (b *Book) Allocation(a name.Allocation) *registryv1.Allocation {
	m, _ := b.allocations.get(a.Name())
	return m
}

// Calendar returns a calendar's present version, nil when there is none.
func (b *Book) Calendar(c name.Calendar) *registryv1.Calendar {
	m, _ := b.calendars.get(c.Name())
	return m
}

// Regime returns a regime's present version, nil when there is none.
func (b *Book) Regime(r name.Regime) *registryv1.Regime {
	m, _ := b.regimes.get(r.Name())
	return m
}

// Programmes returns at most limit programmes that come after a name, in order
// of names, and the name to go on after, empty at the end.
func (b *Book) Programmes(at Page) ([]*registryv1.Programme, string) {
	return b.programmes.page("programmes/", at, func(*registryv1.Programme) bool { return true })
}

// UnitFilter selects units by where they stand on a day; zero fields select all.
type UnitFilter struct {
	Parent name.Unit
	Kind   typev1.UnitKind
	Today  calendar.Date
}

// Units returns a page of the units that f selects.
func (b *Book) Units(f UnitFilter, at Page) ([]*registryv1.Unit, string) {
	page, next := b.units.page("units/", at, f.selects)
	units := make([]*registryv1.Unit, len(page))
	for i, u := range page {
		units[i] = u.proto
	}
	return units, next
}

// Tasks returns a page of the tasks of a programme that keep lets through.
func (b *Book) Tasks(p name.Programme, at Page, keep func(*registryv1.Task) bool) ([]*registryv1.Task, string) {
	return b.tasks.page(p.Name()+"/", at, keep)
}

// Targets returns a page of the targets of a programme that keep lets through.
func (b *Book) Targets(p name.Programme, at Page, keep func(*registryv1.Target) bool) ([]*registryv1.Target, string) {
	return b.targets.page(p.Name()+"/", at, keep)
}

// Allocations returns a page of the allocations of a target: of those that a caller sees
// whose reach on a day is the units at or below scope; an empty scope sees all.
func (b *Book) Allocations(t name.Target, at Page, scope name.Unit, day calendar.Date) ([]*registryv1.Allocation, string) {
	all := scope == "" || b.ReachesAll(scope)
	return b.allocations.page(t.Name()+"/", at, func(a *registryv1.Allocation) bool {
		return all || b.Reaches(scope, name.Unit(path.Base(a.GetName())), day)
	})
}

// Calendars returns a page of the calendars.
func (b *Book) Calendars(at Page) ([]*registryv1.Calendar, string) {
	return b.calendars.page("calendars/", at, func(*registryv1.Calendar) bool { return true })
}

// Regimes returns a page of the regimes of a programme.
func (b *Book) Regimes(p name.Programme, at Page) ([]*registryv1.Regime, string) {
	return b.regimes.page(p.Name()+"/", at, func(*registryv1.Regime) bool { return true })
}
