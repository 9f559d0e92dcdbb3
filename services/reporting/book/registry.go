package book

import (
	"slices"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Registry takes in a change of the registry and decides what follows from it:
// units that move, units that begin or cease to be expected, thresholds carried
// over. A change that is not the next one yields nothing.
func (b *Book) Registry(c *registryv1.Change) {
	if c.GetRevision() != b.registryRevision+1 {
		return
	}
	switch r := c.GetResource().(type) {
	case *registryv1.Change_Programme:
		b.programmeChanged(c, r.Programme)
	case *registryv1.Change_Unit:
		b.unitChanged(c, r.Unit)
	case *registryv1.Change_Target:
		b.targetChanged(c, r.Target)
	case *registryv1.Change_Task:
		b.taskChanged(c, r.Task)
	case *registryv1.Change_Allocation:
		b.allocationChanged(c, r.Allocation)
	case *registryv1.Change_Calendar:
		b.calendarChanged(c)
	case *registryv1.Change_Regime:
		b.regimeChanged(c, r.Regime)
	case *registryv1.Change_LevelRaised:
		b.levelRaised(c)
	}
}

// calendarChanged takes in other days off: what is due on another day by that may have
// a rung that falls on today. There may be many, so the ticks to come tell them.
func (b *Book) calendarChanged(c *registryv1.Change) {
	cause := b.record(c, "", 0)
	if b.told == b.today {
		b.emit(&eventv1.Event{Causation: cause, Payload: &eventv1.Event_ClockTurned{
			ClockTurned: &eventv1.ClockTurned{Date: b.today.String(), ToldUntil: (b.today - 1).String()}}}, nil)
	}
}

// record emits the change itself and returns its number.
func (b *Book) record(c *registryv1.Change, programme string, unit unitIx) uint64 {
	sequence := b.stamp.Next
	b.emit(&eventv1.Event{Programme: programme, Payload: &eventv1.Event_RegistryChanged{
		RegistryChanged: &eventv1.RegistryChanged{Change: c, Path: b.path(unit, Current)}}}, nil)
	return sequence
}

func (b *Book) programmeChanged(c *registryv1.Change, res *registryv1.Programme) {
	id := idOf(res.GetName())
	root := b.unitIDs.Get(res.GetRootUnit())
	old := b.programmes.Get(id)
	if old == nil {
		b.record(c, id, root)
		return
	}
	reset := !sameThresholds(old.res, res)
	rescope := old.res.GetStartDate() != res.GetStartDate() || old.res.GetEndDate() != res.GetEndDate()
	before := b.judgeAround(func(m *Measure) []unitIx {
		if m.key.programme == id && rescope {
			return b.allUnits()
		}
		return nil
	})
	for _, m := range b.measuresOf(id) {
		if m.Derived() && reset {
			before[m.ix] = b.judgeAll(m, watchCounts(res).thresholds, []place{{Current, root}})
		}
	}
	cause := b.record(c, id, root)
	for _, m := range b.measuresOf(id) {
		if rescope && !m.Derived() {
			b.rescope(m, b.allUnits(), cause)
		}
	}
	b.carryAll(before, func(m *Measure) bool { return reset && m.Derived() }, cause)
}

func sameThresholds(a, b *registryv1.Programme) bool {
	return proto.Equal(&registryv1.Programme{TaskCountThresholds: a.GetTaskCountThresholds()},
		&registryv1.Programme{TaskCountThresholds: b.GetTaskCountThresholds()})
}

// measuresOf lists the measures of a programme, by index; empty means of all.
func (b *Book) measuresOf(programme string) []*Measure {
	var out []*Measure
	for ix := measureIx(1); ix <= b.measureN; ix++ {
		if m := b.measure(ix); programme == "" || m.key.programme == programme {
			out = append(out, m)
		}
	}
	return out
}

func (b *Book) unitChanged(c *registryv1.Change, res *registryv1.Unit) {
	id := idOf(res.GetName())
	old, around := b.UnitByID(id), b.around(id, res)
	if next, err := readUnit(res); old != nil && err == nil && next.closed == old.closed && slices.Equal(next.placements, old.placements) {
		b.record(c, "", old.ix) // called otherwise, no more
		return
	}
	before := b.judgeAround(func(*Measure) []unitIx { return around })
	above := b.withAbove(around) // a change may take them a unit from below
	cause := b.record(c, "", b.placeOfNew(id, res))
	unit := b.unitIDs.Get(id)
	b.move(unit, cause)
	for _, m := range b.measuresOf("") {
		switch {
		case m.Derived():
		case m.task != nil && !m.givenTo(id): // most tasks: their scope stays
			b.settleCompletion(m, cause)
		case m.controlled() || m.regime != nil:
			b.rescope(m, b.withAbove(append(above, unit)), cause)
		default:
			b.rescope(m, []unitIx{unit}, cause)
		}
	}
	b.carryAll(before, never, cause)
}

// around lists a unit, if it is known, and the units that it will stand below.
func (b *Book) around(id string, res *registryv1.Unit) []unitIx {
	units := []unitIx{b.unitIDs.Get(id)}
	for _, p := range res.GetPlacements() {
		units = append(units, b.unitIDs.Get(p.GetParent()))
	}
	return slices.DeleteFunc(units, func(unit unitIx) bool { return unit == 0 })
}

// placeOfNew is the unit whose path the change of a unit is published under: its
// own, or that of the unit above when it is new.
func (b *Book) placeOfNew(id string, res *registryv1.Unit) unitIx {
	if unit := b.unitIDs.Get(id); unit != 0 {
		return unit
	}
	last := res.GetPlacements()[len(res.GetPlacements())-1]
	return b.unitIDs.Get(last.GetParent())
}

// move emits what changed in a unit's place in the tree.
func (b *Book) move(unit unitIx, cause uint64) {
	was, want := b.unit(unit).parents, b.parentsByDate(b.unit(unit))
	same := 0
	for same < len(was) && same < len(want) && was[same] == want[same] {
		same++
	}
	if same > 0 && same < len(was) && (same == len(want) || was[same].from < want[same].from) {
		// What moved it then does not any more: it stays where it was before.
		b.emitMove(unit, was[same].from, was[same-1].parent, true, false, cause)
	}
	for _, step := range want[same:] {
		b.emitMove(unit, step.from, step.parent, true, false, cause)
	}
	b.moveNow(unit, cause)
}

// moveNow emits a unit's new place in today's tree, if it has one.
func (b *Book) moveNow(unit unitIx, cause uint64) {
	if parent := b.parentToday(b.unit(unit)); parent != b.unit(unit).parent {
		b.emitMove(unit, b.today, parent, false, true, cause)
	}
}

func (b *Book) emitMove(unit unitIx, from calendar.Date, parent unitIx, periods, current bool, cause uint64) {
	u := b.unit(unit)
	p := Current
	if periods {
		p = calendar.From(from)
	}
	path := u.id
	if parent != 0 {
		path = b.path(parent, p) + "." + u.id
	}
	b.emit(&eventv1.Event{Causation: cause, Payload: &eventv1.Event_UnitMoved{UnitMoved: &eventv1.UnitMoved{
		Unit: u.id, OldPath: b.path(unit, p), Path: path, FromDate: from.String(), Periods: periods, Current: current}}}, nil)
}

func (b *Book) targetChanged(c *registryv1.Change, res *registryv1.Target) {
	programme := programmeOf(res.GetName())
	old := b.MeasureByID(programme, idOf(res.GetName()))
	var before []judged
	reset := old != nil && !(proto.Equal(old.target.GetGoal(), res.GetGoal()) &&
		proto.Equal(old.target.GetMilestones(), res.GetMilestones()))
	if old != nil && !b.quiet(old) {
		next := *old
		next.watch = watchTarget(res)
		before = b.judgeAll(old, next.watch.thresholds, b.placesAround(&next, b.allUnits()))
	}
	p := b.programmes.Get(programme)
	cause := b.record(c, programme, b.unitIDs.Get(p.res.GetRootUnit()))
	m := b.MeasureByID(programme, idOf(res.GetName()))
	b.rescope(m, b.allUnits(), cause)
	if old != nil {
		b.carry(m, before, reset, cause)
	}
	if r := b.regimeOf(m); r != nil {
		judged := b.judgeAll(r, r.watch.thresholds, b.placesAround(r, b.allUnits()))
		b.rescope(r, b.allUnits(), cause)
		b.carry(r, judged, false, cause)
		b.tellToday(r) // reports that are owed from now on
	}
}

func (b *Book) regimeChanged(c *registryv1.Change, res *registryv1.Regime) {
	programme, id := programmeOf(res.GetName()), idOf(res.GetName())
	old := b.MeasureByID(programme, id)
	var before []judged
	reset := old != nil && !proto.Equal(old.regime.GetMilestones(), res.GetMilestones())
	if old != nil {
		next := measureOfRegime(b.programmes.Get(programme), id, res, old.cut)
		next.ix = old.ix
		before = b.judgeAll(old, next.watch.thresholds, b.placesAround(next, b.allUnits()))
	}
	cause := b.record(c, programme, b.unitIDs.Get(b.programmes.Get(programme).res.GetRootUnit()))
	m := b.MeasureByID(programme, id)
	b.rescope(m, b.allUnits(), cause)
	b.carry(m, before, reset, cause)
	b.tellToday(m)
}

func (b *Book) taskChanged(c *registryv1.Change, res *registryv1.Task) {
	programme, id := programmeOf(res.GetName()), idOf(res.GetName())
	counts := b.countsOf(programme, res.GetForm(), res.GetAudience())
	units := b.owing(res)
	if old := b.MeasureByID(programme, id); old != nil {
		counts = append(counts, old.tasks, old.assignments)
		units = append(units, b.owing(old.task)...)
	}
	before := b.judgeCounts(counts)
	p := b.programmes.Get(programme)
	cause := b.record(c, programme, b.unitIDs.Get(p.res.GetRootUnit()))
	m := b.MeasureByID(programme, id)
	slices.Sort(units)
	b.rescope(m, slices.Compact(units), cause)
	b.carryAll(before, never, cause)
	b.tellToday(m)
}

// countsOf lists the derived counts of a form and audience.
func (b *Book) countsOf(programme string, form typev1.TaskForm, audience typev1.Audience) []measureIx {
	var out []measureIx
	for _, d := range derivations() {
		if d.form == form && d.audience == audience {
			out = append(out, b.measureIDs.Get(measureKey{programme, d.id()}))
		}
	}
	return out
}

// owing lists the units that owe a task.
func (b *Book) owing(t *registryv1.Task) []unitIx {
	var out []unitIx
	for _, a := range t.GetAssignments() {
		if owes(a.GetRole()) {
			out = append(out, b.unitIDs.Get(a.GetUnit()))
		}
	}
	return out
}

func (b *Book) allocationChanged(c *registryv1.Change, res *registryv1.Allocation) {
	programme, target, id := allocationIDs(res.GetName())
	m, unit := b.MeasureByID(programme, target), b.unitIDs.Get(id)
	affected := []unitIx{unit}
	if m.kind != typev1.ValueKind_VALUE_KIND_COUNT {
		affected = b.allUnits() // the goals of the units below follow
	}
	var before []judged
	if !b.quiet(m) {
		before = b.judgeAll(m, m.watch.thresholds, b.placesAround(m, affected))
	}
	cause := b.record(c, programme, unit)
	if len(before) > 0 {
		b.carry(m, before, false, cause)
	}
}
