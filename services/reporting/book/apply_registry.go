package book

import (
	"fmt"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

func (b *Book) applyRegistry(e *eventv1.Event, r *eventv1.RegistryChanged) error {
	c := r.GetChange()
	if c.GetRevision() != b.registryRevision+1 {
		return fmt.Errorf("registry revision %d follows %d", c.GetRevision(), b.registryRevision)
	}
	b.registryRevision = c.GetRevision()
	switch res := c.GetResource().(type) {
	case *registryv1.Change_Programme:
		b.setProgramme(res.Programme, c.GetRevision())
		b.scheduleAll()
	case *registryv1.Change_Unit:
		return b.setUnit(res.Unit)
	case *registryv1.Change_Target:
		p := b.programmes.Get(e.GetProgramme())
		if p == nil {
			return fmt.Errorf("no programme %s", e.GetProgramme())
		}
		days := b.calendarOf(res.Target.GetCalendar())
		if days == nil {
			return fmt.Errorf("no calendar %s", res.Target.GetCalendar())
		}
		b.setMeasure(measureOfTarget(p, idOf(res.Target.GetName()), res.Target, days.Cut()), c.GetRevision())
	case *registryv1.Change_Task:
		p := b.programmes.Get(e.GetProgramme())
		if p == nil {
			return fmt.Errorf("no programme %s", e.GetProgramme())
		}
		return b.setTask(measureOfTask(p, idOf(res.Task.GetName()), res.Task), c.GetRevision())
	case *registryv1.Change_Allocation:
		return b.setAllocation(res.Allocation)
	case *registryv1.Change_Calendar:
		days, err := readCalendar(res.Calendar)
		if err != nil {
			return err
		}
		b.calendars.Set(idOf(res.Calendar.GetName()), days)
		b.scheduleAll()
	case *registryv1.Change_Regime:
		p, days := b.programmes.Get(e.GetProgramme()), b.calendarOf(res.Regime.GetCalendar())
		if p == nil || days == nil {
			return fmt.Errorf("no programme %s or calendar %s", e.GetProgramme(), res.Regime.GetCalendar())
		}
		b.setMeasure(measureOfRegime(p, idOf(res.Regime.GetName()), res.Regime, days.Cut()), c.GetRevision())
	case *registryv1.Change_LevelRaised: // of the registry's log alone
	default:
		return fmt.Errorf("registry change %d has no resource that this release knows", c.GetRevision())
	}
	return nil
}

func (b *Book) setProgramme(res *registryv1.Programme, revision int64) {
	p := &Programme{id: idOf(res.GetName()), res: res}
	b.programmes.Set(p.id, p)
	for _, d := range derivations() {
		b.setMeasure(measureOfDerivation(p, d), revision)
	}
}

func (b *Book) setUnit(res *registryv1.Unit) error {
	u, err := readUnit(res)
	if err != nil {
		return err
	}
	if old := b.UnitByID(u.id); old != nil {
		u.ix, u.parents, u.parent, u.moved = old.ix, old.parents, old.parent, old.moved
		b.keep(u)
		return nil
	}
	b.unitCount++
	u.ix = b.unitCount
	b.unitIDs.Set(u.id, u.ix)
	u.parents, u.parent = b.parentsByDate(u), b.parentToday(u)
	b.keep(u)
	b.join(u, true)
	return nil
}

// setMeasure makes m the present version of its measure.
func (b *Book) setMeasure(m *Measure, revision int64) {
	m.revision, m.goalRevision = revision, revision
	if old := b.measure(b.measureIDs.Get(m.key)); old != nil {
		m.ix, m.goalRevision = old.ix, old.goalRevision
	} else {
		b.measureN++
		m.ix = b.measureN
		b.measureIDs.Set(m.key, m.ix)
		b.sheets[sheetKey{m.ix, Current}] = newSheet()
	}
	*b.measures.Edit(m.ix) = m
	b.scheduleMeasure(m)
	b.indexChecks(m)
}

// setTask makes m the present version of a task, and moves what it counts for to
// the derived counts of its form and audience.
func (b *Book) setTask(m *Measure, revision int64) error {
	b.joinCounts(m)
	if m.tasks == 0 || m.assignments == 0 {
		return fmt.Errorf("task %s has form %s and audience %s, which nothing counts", m.key.id, m.task.GetForm(), m.task.GetAudience())
	}
	old := b.measure(b.measureIDs.Get(m.key))
	b.setMeasure(m, revision)
	if old == nil || old.tasks == m.tasks {
		return nil
	}
	root := b.unitIDs.Get(m.root)
	sum := b.sum(sheetKey{m.ix, Current}, root)
	b.count(old, root, sum, Tally{})
	b.count(m, root, Tally{}, sum)
	if b.complete.Get(m.ix) {
		b.countComplete(old, root, -1)
		b.countComplete(m, root, 1)
	}
	return nil
}

// joinCounts finds the derived counts that a task belongs to.
func (b *Book) joinCounts(m *Measure) {
	d := derivation{form: m.task.GetForm(), audience: m.task.GetAudience()}
	d.basis = typev1.CountingBasis_COUNTING_BASIS_TASK
	m.tasks = b.measureIDs.Get(measureKey{m.key.programme, d.id()})
	d.basis = typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT
	m.assignments = b.measureIDs.Get(measureKey{m.key.programme, d.id()})
}

// count moves the derived counts that a task belongs to, after the task's own
// total at the root went from before to after.
func (b *Book) count(m *Measure, root unitIx, before, after Tally) {
	by := b.editSheet(sheetKey{m.assignments, Current}).nodes.Edit(root)
	by.sum.Num += after.Num - before.Num
	by.sum.Den += after.Den - before.Den
	by.sum.Reporting += after.Reporting - before.Reporting
	by.sum.Expected += after.Expected - before.Expected
	one := b.editSheet(sheetKey{m.tasks, Current}).nodes.Edit(root)
	exists := sign(after.Expected) - sign(before.Expected)
	one.sum.Den += int64(exists)
	one.sum.Expected += exists
	one.sum.Reporting += sign(after.Reporting) - sign(before.Reporting)
	b.touched.add(FigureKey{m.assignments, root})
	b.touched.add(FigureKey{m.tasks, root})
}

func (b *Book) countComplete(m *Measure, root unitIx, n int64) {
	b.editSheet(sheetKey{m.tasks, Current}).nodes.Edit(root).sum.Num += n
	b.touched.add(FigureKey{m.tasks, root})
}

func sign(n int32) int32 {
	if n > 0 {
		return 1
	}
	return 0
}

func (b *Book) applyTask(e *eventv1.Event, t *eventv1.TaskChanged, complete bool) error {
	m, root, err := b.look(e, t.GetTask(), t.GetPath())
	if err != nil {
		return err
	}
	if m.task == nil || b.complete.Get(m.ix) == complete {
		return fmt.Errorf("task %s is complete=%t already, or no task", t.GetTask(), complete)
	}
	b.complete.Set(m.ix, complete)
	n := int64(1)
	if !complete {
		n = -1
	}
	b.countComplete(m, root, n)
	return nil
}

func (b *Book) applyScope(e *eventv1.Event, s *eventv1.ScopeChanged) error {
	m := b.MeasureByID(e.GetProgramme(), s.GetTarget())
	if m == nil || m.Derived() {
		return fmt.Errorf("no measure %s of %s", s.GetTarget(), e.GetProgramme())
	}
	from, err := m.cut.Parse(s.GetFirstPeriod())
	if err != nil {
		return err
	}
	if err := b.turn(m, s, from, s.GetBegins(), true); err != nil {
		return err
	}
	return b.turn(m, s, from, s.GetCeases(), false)
}

// turn makes units begin or cease to be expected.
func (b *Book) turn(m *Measure, s *eventv1.ScopeChanged, from calendar.Period, ids []string, on bool) error {
	fresh := turned(nil, from, on) // shared by all units that had no turn before
	for _, id := range ids {
		unit := b.unitIDs.Get(id)
		if unit == 0 {
			return fmt.Errorf("no unit %s", id)
		}
		set := func(n *node) { n.scoped = on }
		if s.GetPeriods() {
			scope := b.editSheet(sheetKey{m.ix, Current}).scope.Edit(unit)
			if len(*scope) == 0 {
				*scope = fresh
			} else {
				*scope = turned(*scope, from, on)
			}
			for _, p := range b.periods(m.ix) {
				if p < from {
					continue
				}
				if err := b.changeAt(sheetKey{m.ix, p}, m, unit, set); err != nil {
					return err
				}
			}
		}
		if s.GetCurrent() {
			if err := b.changeAt(sheetKey{m.ix, Current}, m, unit, set); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Book) applyMove(v *eventv1.UnitMoved) error {
	unit := b.UnitByID(v.GetUnit())
	if unit == nil {
		return fmt.Errorf("no unit %s", v.GetUnit())
	}
	from, err := calendar.ParseDate(v.GetFromDate())
	if err != nil {
		return err
	}
	var parent unitIx
	if n := len(v.GetPath()) - len(v.GetUnit()) - 1; n > 0 {
		parent = b.unitIDs.Get(lastOf(v.GetPath()[:n]))
	}
	moved := *unit
	moved.still = false // until it is kept
	if v.GetPeriods() {
		moved.parents = movedFrom(unit.parents, from, parent)
	}
	if v.GetCurrent() {
		moved.parent = parent
		b.moves++
		moved.moved = b.moves
	}
	for ix := measureIx(1); ix <= b.measureN; ix++ {
		keys := []sheetKey{}
		if v.GetCurrent() {
			keys = append(keys, sheetKey{ix, Current})
		}
		for _, p := range b.periods(ix) {
			if v.GetPeriods() && p >= calendar.From(from) {
				keys = append(keys, sheetKey{ix, p})
			}
		}
		for _, k := range keys {
			if err := b.moveTotals(k, unit, &moved); err != nil {
				return err
			}
		}
	}
	b.keep(&moved)
	b.join(&moved, false)
	return nil
}

// moveTotals takes the total of a unit from those above it and gives it to those
// above its new place.
func (b *Book) moveTotals(k sheetKey, old, moved *Unit) error {
	sum, quals := b.sum(k, old.ix), b.sheet(k).quals.At(old.ix)
	if sum == (Tally{}) && quals == (qualifiers{}) {
		return nil
	}
	less, err := Tally{}.Sub(sum)
	if err != nil {
		return err
	}
	// The root mostly keeps what it has: a task's derived counts move once, in the end.
	m := *b.measure(k.measure)
	m.task = nil
	root := b.unitIDs.Get(m.root)
	before := b.sum(k, root)
	if parent := old.parentIn(k.period); parent != 0 {
		if err := b.spreadAt(k, &m, parent, less, qualifiers{-quals[0], -quals[1], -quals[2]}); err != nil {
			return err
		}
	}
	if parent := moved.parentIn(k.period); parent != 0 {
		if err := b.spreadAt(k, &m, parent, sum, quals); err != nil {
			return err
		}
	}
	if task := b.measure(k.measure); task.task != nil && k.period == Current {
		b.count(task, root, before, b.sum(k, root))
	}
	return nil
}

func (b *Book) applyTurn(c *eventv1.ClockTurned) error {
	today, err := calendar.ParseDate(c.GetDate())
	if err != nil {
		return err
	}
	was := b.today
	b.today = today
	if c.GetToldUntil() != "" {
		if b.told, err = calendar.ParseDate(c.GetToldUntil()); err != nil {
			return err
		}
	}
	for ix := measureIx(1); ix <= b.measureN; ix++ {
		m := b.measure(ix)
		if !m.yearTurns(was, today) {
			continue
		}
		for unit := unitIx(1); unit <= b.unitCount; unit++ {
			now := b.valueIn(m, unit, m.spanOn(today), 0, nil)
			if err := b.changeAt(sheetKey{ix, Current}, m, unit, now.set); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Book) applyCrossing(e *eventv1.Event, c *eventv1.MilestoneCrossed, reached bool) error {
	m, unit, err := b.look(e, c.GetTarget(), c.GetPath())
	if err != nil {
		return err
	}
	period := Current
	if c.GetPeriod() != "" {
		if period, err = m.cut.Parse(c.GetPeriod()); err != nil {
			return err
		}
	}
	s := b.editSheet(sheetKey{m.ix, period})
	if s == nil || c.GetThresholdIndex() >= maxThresholds {
		return fmt.Errorf("no sheet or threshold for the milestone of %s in %q", c.GetTarget(), c.GetPeriod())
	}
	s.marks.Edit(unit)[c.GetThresholdIndex()] = mark(c.GetOrdinal(), reached)
	return nil
}

func (b *Book) applyCarried(e *eventv1.Event, c *eventv1.MilestonesCarried) error {
	m := b.MeasureByID(e.GetProgramme(), c.GetTarget())
	if m == nil {
		return fmt.Errorf("no measure %s of %s", c.GetTarget(), e.GetProgramme())
	}
	if c.GetReset_() {
		b.forgetMarks(m)
		next := *m
		next.goalRevision = c.GetGoalRevision()
		*b.measures.Edit(m.ix) = &next
	}
	for _, u := range c.GetUnits() {
		period := Current
		if u.GetPeriod() != "" {
			var err error
			if period, err = m.cut.Parse(u.GetPeriod()); err != nil {
				return err
			}
		}
		s, unit := b.editSheet(sheetKey{m.ix, period}), b.unitIDs.Get(u.GetUnit())
		if s == nil || unit == 0 || len(u.GetMarks()) > maxThresholds {
			return fmt.Errorf("no sheet or unit for the carried marks of %s in %q", u.GetUnit(), u.GetPeriod())
		}
		at := s.marks.Edit(unit)
		*at = marks{}
		copy(at[:], u.GetMarks())
	}
	return nil
}

// forgetMarks clears all thresholds of a measure.
func (b *Book) forgetMarks(m *Measure) {
	for _, p := range append([]calendar.Period{Current}, b.periods(m.ix)...) {
		s := b.editSheet(sheetKey{m.ix, p})
		for unit := unitIx(1); unit <= b.unitCount; unit++ {
			if at := s.marks.Peek(unit); at != nil && *at != (marks{}) {
				*s.marks.Edit(unit) = marks{}
			}
		}
	}
}
