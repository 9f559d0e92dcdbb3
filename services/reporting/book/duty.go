package book

import (
	"fmt"
	"slices"
	"time"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// judgeReview refuses a decision about what does not wait for one, or by a unit
// that does not watch over the task.
func (s *Submission) judgeReview(at *spot, cell *node) error {
	if cell.state != Awaiting {
		return refuse(errorv1.Reason_REASON_NOTHING_TO_REVIEW, "task",
			"no completion of %s by unit %s in %s waits to be accepted", s.Target, s.Unit, s.Period)
	}
	if !at.m.monitoredBy(s.Review.Reviewer) || s.Review.Reviewer == s.Unit {
		return refuse(errorv1.Reason_REASON_NOT_COMPETENT, "reviewer",
			"unit %s does not watch over task %s, or sent the completion itself", s.Review.Reviewer, s.Target)
	}
	return nil
}

// monitoredBy reports whether a unit watches over the task.
func (m *Measure) monitoredBy(unit string) bool {
	return slices.ContainsFunc(m.task.GetAssignments(), func(a *registryv1.Assignment) bool {
		return a.GetUnit() == unit && a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING
	})
}

// node returns the cell as the decision makes it.
func (r *Review) node() node {
	if r.Code != 0 {
		return node{state: Returned, scoped: true}
	}
	return node{state: Reported, num: 1, den: 1, scoped: true}
}

// applyQuality keeps what an event says of a value beside it.
func (b *Book) applyQuality(at *spot, s *eventv1.SubmissionRecorded) {
	column := b.editSheet(at.cells.key).quality
	was := column.At(at.unit)
	now := quality{late: s.GetLate(), run: uint8(s.GetChecksRun()), failed: uint8(s.GetChecksFailed()), open: was.open}
	if now != was {
		*column.Edit(at.unit) = now
	}
}

// applyDuty makes a value a part of its report, or a completion one of its task.
func (b *Book) applyDuty(at *spot, e *eventv1.Event, s *eventv1.SubmissionRecorded, was State) error {
	day := calendar.DateOf(time.UnixMicro(e.GetTimeUnixMicros()))
	if at.regime != nil {
		return b.applyReport(at, day, was, s.GetLate())
	}
	if at.m.task == nil {
		return nil
	}
	b.come(&at.cells, day)
	b.come(&at.now, day)
	return nil
}

// come keeps the day on which a completion came, as long as it is one.
func (b *Book) come(at *ladder, day calendar.Date) {
	n, unit, column := at.nodes[0], at.line.at[0].ix, b.editSheet(at.key).duties
	was := column.At(unit).came
	came := was
	switch {
	case n.state != Awaiting && (n.state != Reported || n.num == 0):
		came = 0
	case came == 0:
		came = day
	}
	if came != was {
		column.Edit(unit).came = came
	}
}

// applyReport counts a cell of a report. The report has come with the first value
// that it holds, and is outstanding again when it holds none.
func (b *Book) applyReport(at *spot, day calendar.Date, was State, late bool) error {
	k, is := sheetKey{at.regime.ix, at.period}, at.cells.nodes[0].state
	b.open(at.regime, at.period)
	d := b.editSheet(k).duties.Edit(at.unit)
	before := d.values
	d.values += uint16(intOf(is.held()) - intOf(was.held()))
	d.nothing += uint16(intOf(is == NotApplicable) - intOf(was == NotApplicable))
	if (before == 0) == (d.values == 0) {
		return nil
	}
	next := node{state: Reported, num: int64(intOf(!late)), den: 1}
	d.came = day
	if d.values == 0 {
		next, d.came = node{}, 0
		if d.excused {
			next.state = NotApplicable
		}
	}
	b.read(&at.report, k, at.own)
	b.take(&at.report)
	return b.change(&at.report, at.regime, func(n *node) { n.state, n.num, n.den = next.state, next.num, next.den })
}

// dutyOf finds the duty that an event is about.
func (b *Book) dutyOf(e *eventv1.Event, target, path, period string) (m *Measure, unit unitIx, k sheetKey, err error) {
	if m, unit, err = b.look(e, target, path); err != nil {
		return nil, 0, k, err
	}
	k = sheetKey{m.ix, Current}
	if period != "" {
		if k.period, err = m.cut.Parse(period); err != nil {
			return nil, 0, k, err
		}
		b.open(m, k.period)
	}
	return m, unit, k, nil
}

// applyTold notes that a rung was told.
func (b *Book) applyTold(e *eventv1.Event, r *eventv1.DeadlineReached) error {
	_, unit, k, err := b.dutyOf(e, r.GetTarget(), r.GetPath(), r.GetPeriod())
	if err != nil {
		return err
	}
	due, err := calendar.ParseDate(r.GetDueDate())
	if err != nil {
		return err
	}
	rung := slices.Index(rungs[:], calendar.Date(r.GetDays()))
	if rung < 0 {
		return fmt.Errorf("no rung of %d days", r.GetDays())
	}
	d := b.editSheet(k).duties.Edit(unit)
	if day := due + rungs[rung]; d.on != day {
		d.on, d.told = day, 0
	}
	d.told |= 1 << rung
	return nil
}

// applyGrant notes an exception. A report that is excused is not expected any more.
func (b *Book) applyGrant(e *eventv1.Event, g *eventv1.DeadlineExtended) error {
	m, unit, k, err := b.dutyOf(e, g.GetTarget(), g.GetPath(), g.GetPeriod())
	if err != nil {
		return err
	}
	d := b.editSheet(k).duties.Edit(unit)
	d.granted = e.GetSequence()
	if g.GetExcused() {
		d.excused = true
		return b.changeAt(k, m, unit, func(n *node) { n.state = NotApplicable })
	}
	if d.until, err = calendar.ParseDate(g.GetDueDate()); err != nil {
		return err
	}
	b.schedule(sheetKey{m.ix, k.period}, d.until)
	return nil
}

// scheduleGranted enters all due dates that were granted.
func (b *Book) scheduleGranted() {
	for k, s := range b.sheets {
		s.duties.All(func(_ int32, d *duty) bool {
			if d.until != 0 {
				b.schedule(k, d.until)
			}
			return true
		})
	}
}
