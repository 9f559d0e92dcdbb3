package book

import (
	"fmt"
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// apply does what an event says: it sets values and adds differences, and knows
// no goal, threshold, calendar or rule of applicability.
func (b *Book) apply(e *eventv1.Event) error {
	var err error
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_SubmissionAccepted:
		return b.applySubmission(e, p.SubmissionAccepted, onAccepted)
	case *eventv1.Event_SubmissionWithdrawn:
		return b.applySubmission(e, p.SubmissionWithdrawn, onWithdrawn)
	case *eventv1.Event_SubmissionApproved:
		return b.applySubmission(e, p.SubmissionApproved, onApproved)
	case *eventv1.Event_SubmissionReturned:
		return b.applySubmission(e, p.SubmissionReturned, onReturned)
	case *eventv1.Event_DeadlineDue:
		err = b.applyTold(e, p.DeadlineDue)
	case *eventv1.Event_DeadlineOverdue:
		err = b.applyTold(e, p.DeadlineOverdue)
	case *eventv1.Event_DeadlineExtended:
		err = b.applyGrant(e, p.DeadlineExtended)
	case *eventv1.Event_FindingOpened:
		err = b.applyOpened(e, p.FindingOpened)
	case *eventv1.Event_FindingResolved:
		err = b.applyResolved(e, p.FindingResolved)
	case *eventv1.Event_MilestoneReached:
		err = b.applyCrossing(e, p.MilestoneReached, true)
	case *eventv1.Event_MilestoneRevoked:
		err = b.applyCrossing(e, p.MilestoneRevoked, false)
	case *eventv1.Event_MilestoneCarried:
		err = b.applyCarried(e, p.MilestoneCarried)
	case *eventv1.Event_TaskCompleted:
		err = b.applyTask(e, p.TaskCompleted, true)
	case *eventv1.Event_TaskReopened:
		err = b.applyTask(e, p.TaskReopened, false)
	case *eventv1.Event_RegistryChanged:
		err = b.applyRegistry(e, p.RegistryChanged)
	case *eventv1.Event_ScopeChanged:
		err = b.applyScope(e, p.ScopeChanged)
	case *eventv1.Event_UnitMoved:
		err = b.applyMove(p.UnitMoved)
	case *eventv1.Event_ClosingPublished:
		err = b.applyClosing(e, p.ClosingPublished)
	case *eventv1.Event_ClockSet:
		b.handSet = true
	case *eventv1.Event_ClockTurned:
		err = b.applyTurn(p.ClockTurned)
	case *eventv1.Event_LogDeclared: // of the log alone
	default:
		err = fmt.Errorf("event %d has no payload that this release knows", e.GetSequence())
	}
	if err != nil {
		return err
	}
	b.head = e.GetSequence()
	b.remember(e)
	return nil
}

// look finds the measure and the unit that an event is about.
func (b *Book) look(e *eventv1.Event, target, path string) (*Measure, unitIx, error) {
	m := b.MeasureByID(e.GetProgramme(), target)
	if m == nil {
		return nil, 0, fmt.Errorf("no measure %s of %s", target, e.GetProgramme())
	}
	unit := b.unitIDs.Get(lastOf(path))
	if unit == 0 {
		return nil, 0, fmt.Errorf("no unit %s", lastOf(path))
	}
	return m, unit, nil
}

// applySubmission folds in a submission of the log.
func (b *Book) applySubmission(e *eventv1.Event, s *eventv1.SubmissionRecorded, kind subjectKind) error {
	at, err := b.spotOf(e, s)
	if err != nil {
		return err
	}
	return b.applyAt(at, e, s, kind)
}

// applyAt folds in a submission whose place is known, and makes it the last event
// on its subject.
func (b *Book) applyAt(at *spot, e *eventv1.Event, s *eventv1.SubmissionRecorded, kind subjectKind) error {
	b.open(at.m, at.period)
	b.take(&at.cells)
	was := at.cells.nodes[0].state
	if err := b.change(&at.cells, at.m, func(n *node) {
		n.hold(State(s.GetState()), TallyOf(s.GetTally()), QualifierOf(s.GetQualifier()))
		if n.state == Bare {
			n.num, n.den = s.GetBarePercentage(), int64(s.GetBareDecimals())
		}
		n.rev = s.GetRevision()
		n.setLast(e.GetSequence())
	}); err != nil {
		return err
	}
	b.requests.add(request{at.hash, e.GetSequence()})
	b.take(&at.now)
	if err := b.applyCurrent(at, s); err != nil {
		return err
	}
	b.applyQuality(at, s)
	if err := b.applyRechecked(e, s); err != nil {
		return err
	}
	if err := b.applyDuty(at, e, s, was); err != nil {
		return err
	}
	b.head = e.GetSequence()
	if kind != onAccepted {
		b.subjects.Set(at.subject(kind), e.GetSequence())
		return nil
	}
	n := at.now.nodes[0]
	n.setLast(e.GetSequence())
	n.rev = at.place()
	return nil
}

// applyCurrent makes of a submission the unit's current value, if it is to be.
func (b *Book) applyCurrent(at *spot, s *eventv1.SubmissionRecorded) (err error) {
	switch s.GetCurrent() {
	case eventv1.CurrentChange_CURRENT_CHANGE_AS_CELL:
		return b.change(&at.now, at.m, func(n *node) { n.holdCell(at.cells.nodes[0], at.period) })
	case eventv1.CurrentChange_CURRENT_CHANGE_TALLY:
		var newest calendar.Period
		if s.GetCurrentPeriod() != "" {
			if newest, err = at.m.cut.Parse(s.GetCurrentPeriod()); err != nil {
				return err
			}
		}
		return b.change(&at.now, at.m, func(n *node) {
			n.hold(State(s.GetCurrentState()), TallyOf(s.GetCurrentTally()), QualifierOf(s.GetCurrentQualifier()))
			n.setNewest(newest)
		})
	}
	return nil
}

// hold makes a value the unit's own.
func (n *node) hold(state State, t Tally, q Qualifier) {
	n.state, n.num, n.den, n.qual = state, t.Num, t.Den, q
	n.excluded = state == Reported && t.Excluded > 0
}

// holdCell makes a cell's value the unit's current one.
func (n *node) holdCell(from *node, period calendar.Period) {
	n.state, n.num, n.den, n.qual = from.state, from.num, from.den, from.qual
	n.excluded = from.excluded
	n.setNewest(period)
}

// changeAt is change for a unit by the tree of a sheet's own period.
func (b *Book) changeAt(k sheetKey, m *Measure, unit unitIx, f func(*node)) error {
	var l line
	var d ladder
	b.trace(&l, unit, k.period)
	b.read(&d, k, &l)
	b.take(&d)
	return b.change(&d, m, f)
}

// spreadAt is spread for a unit by the tree of a sheet's own period.
func (b *Book) spreadAt(k sheetKey, m *Measure, unit unitIx, diff Tally, quals qualifiers) error {
	var l line
	var d ladder
	b.trace(&l, unit, k.period)
	b.read(&d, k, &l)
	b.take(&d)
	return b.spread(&d, m, diff, quals)
}

// change changes what is kept for the unit at the foot of a ladder, which the layer
// owns, and adds the difference to all totals of the ladder.
func (b *Book) change(d *ladder, m *Measure, f func(*node)) error {
	n := d.nodes[0]
	was, wasQual, counted := n.part(m.kind), n.qual, n.counts()
	f(n)
	diff, err := n.part(m.kind).Sub(was)
	if err != nil {
		return err
	}
	var quals qualifiers
	if counted {
		quals.add(wasQual, -1)
	}
	if n.counts() {
		quals.add(n.qual, 1)
	}
	if diff == (Tally{}) && quals == (qualifiers{}) {
		return nil
	}
	return b.spread(d, m, diff, quals)
}

// spread adds a difference to all totals of a ladder.
func (b *Book) spread(d *ladder, m *Measure, diff Tally, quals qualifiers) error {
	for i, u := range d.line.units() {
		n := d.nodes[i]
		before := n.sum
		after, err := before.Add(diff)
		if err != nil {
			return fmt.Errorf("total of unit %s: %w", u.id, err)
		}
		n.sum = after
		if quals != (qualifiers{}) {
			weak := b.editSheet(d.key).quals.Edit(u.ix)
			for k := range quals {
				weak[k] += quals[k]
			}
		}
		if d.key.period == Current && m.regime == nil {
			b.touched.add(FigureKey{d.key.measure, u.ix})
			if m.task != nil && u.id == m.root {
				b.count(m, u.ix, before, after)
			}
		}
	}
	return nil
}

// open makes the sheet of a period where there is none: each unit expected in it
// counts as missing. It reports whether it did.
func (b *Book) open(m *Measure, period calendar.Period) bool {
	k := sheetKey{m.ix, period}
	if b.sheet(k) != nil {
		return false
	}
	b.sheets[k] = b.emptySheet(m, period)
	old := b.opened.Get(m.ix)
	at, _ := slices.BinarySearch(old, period)
	b.opened.Set(m.ix, slices.Insert(slices.Clone(old), at, period))
	return true
}

// emptySheet returns the sheet of a period in which nothing was reported.
func (b *Book) emptySheet(m *Measure, period calendar.Period) *sheet {
	s := newSheet()
	scope := b.sheet(sheetKey{m.ix, Current}).scope
	for unit := unitIx(1); unit <= b.unitCount; unit++ {
		months := scope.Peek(unit)
		if months == nil || !scopedIn(*months, period) {
			continue
		}
		if !b.Spend(rowsASum) {
			break
		}
		n := s.nodes.Edit(unit)
		n.scoped = true
		missing := n.part(m.kind)
		b.up(unit, period, func(at unitIx) {
			sum := &s.nodes.Edit(at).sum
			sum.Expected += missing.Expected
			sum.Den += missing.Den
		})
	}
	return s
}

// scopedIn reports whether a unit with these turns is expected in a period.
func scopedIn(turns []calendar.Period, period calendar.Period) bool {
	at, exact := slices.BinarySearch(turns, period)
	if exact {
		at++
	}
	return at%2 == 1
}

// turned returns the turns of a unit that begins or ceases for good at a period.
func turned(turns []calendar.Period, from calendar.Period, on bool) []calendar.Period {
	at, _ := slices.BinarySearch(turns, from)
	turns = turns[:at]
	if scopedNow := at%2 == 1; scopedNow == on {
		return turns[:at:at]
	}
	return append(turns[:at:at], from)
}
