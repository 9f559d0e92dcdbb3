package book

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// toldBy reads what an event says that the model says, too; nil when nothing.
func (w *world) toldBy(e *eventv1.Event) (any, error) {
	c, up := e.GetMilestoneReached(), true
	if c == nil {
		c, up = e.GetMilestoneRevoked(), false
	}
	if c != nil {
		p, err := w.periodOf(c.GetTarget(), c.GetPeriod())
		return crossed{up, markAt{c.GetTarget(), lastOf(c.GetPath()), p, int(c.GetThresholdIndex())}, c.GetOrdinal(),
			c.GetGoalRevision(), TallyOf(c.GetBefore()), TallyOf(c.GetAfter())}, err
	}
	r := e.GetDeadlineDue()
	if r == nil {
		r = e.GetDeadlineOverdue()
	}
	if r != nil {
		p, err := w.periodOf(r.GetTarget(), r.GetPeriod())
		if (e.GetDeadlineOverdue() != nil) != (r.GetDays() > 0) {
			err = fmt.Errorf("%v is no event of %d days", e, r.GetDays())
		}
		due, _ := calendar.ParseDate(r.GetDueDate())
		return rung{rungAt{r.GetTarget(), lastOf(r.GetPath()), p, due, int(r.GetDays())}, r.GetLate(), r.GetAddressee(), r.GetAddresseeUnit()}, err
	}
	if t := e.GetTaskCompleted(); t != nil {
		return taskTurn{t.GetTask(), true}, nil
	}
	if t := e.GetTaskReopened(); t != nil {
		return taskTurn{t.GetTask(), false}, nil
	}
	return nil, nil
}

// periodOf reads the name of a measure's period; empty is Current.
func (w *world) periodOf(measure, name string) (calendar.Period, error) {
	if name == "" {
		return Current, nil
	}
	return w.measure(measure).cut.Parse(name)
}

// announced compares the milestones, tasks and deadlines of a change of the registry,
// of the day, or of a deadline with the model's.
func (h *history) announced(want follows) error {
	events, err := h.take()
	if err != nil {
		return err
	}
	fell := calendar.Date(0) // deadlines are told in the order of their days
	for _, e := range events {
		what, err := h.w.toldBy(e)
		if err != nil {
			return err
		}
		expected, cause := true, events[0].GetSequence()
		switch what := what.(type) {
		case crossed:
			expected = want.milestones[what]
			delete(want.milestones, what)
		case taskTurn:
			expected = want.tasks[what]
			delete(want.tasks, what)
		case rung:
			expected, cause = want.rungs[what], 0
			delete(want.rungs, what)
			if day := what.due + calendar.Date(what.days); day < fell {
				return fmt.Errorf("told in a wrong order: %+v", what)
			} else {
				fell = day
			}
		}
		if !expected {
			return fmt.Errorf("unexpected: %+v", what)
		}
		if what != nil && e.GetCausation() != cause {
			return fmt.Errorf("event %d is caused by %d, not by %d", e.GetSequence(), e.GetCausation(), cause)
		}
	}
	if len(want.milestones)+len(want.tasks)+len(want.rungs) > 0 {
		return fmt.Errorf("did not happen: %+v", want)
	}
	return nil
}

// compareStory compares what followed from a submission with what the model says, in order.
func (w *world) compareStory(events []*eventv1.Event, expected []any) error {
	var story []any
	for _, e := range events[1:] {
		what, err := w.toldBy(e)
		if err != nil {
			return err
		}
		if e.GetCausation() != events[0].GetSequence() {
			return fmt.Errorf("event %d is caused by %d", e.GetSequence(), e.GetCausation())
		}
		story = append(story, what)
	}
	if !slices.Equal(story, expected) {
		return fmt.Errorf("after %v:\n got %+v\nwant %+v", events[0], story, expected)
	}
	return nil
}

// follows checks that numbers have no gap, that each event names the previous one
// on its subject, and that no milestone comes twice.
func (h *history) follows(entries []ledger.Entry) error {
	events, err := decoded(entries)
	if err != nil {
		return err
	}
	for i, e := range events {
		if want := uint64(len(h.log) - len(events) + i + 1); e.GetSequence() != want {
			return fmt.Errorf("event numbered %d stands at %d", e.GetSequence(), want)
		}
		subject, err := event.Subject(e)
		if err != nil {
			return err
		}
		if h.last[subject] != e.GetPrevious() {
			return fmt.Errorf("event %d on %s names %d as the previous one, which is %d", e.GetSequence(), subject, e.GetPrevious(), h.last[subject])
		}
		h.last[subject] = e.GetSequence()
		if v := e.GetUnitMoved(); v.GetCurrent() { // a new place: its subjects begin again
			for s := range h.last {
				if !strings.Contains(s, ".unit.moved.") && slices.Contains(strings.Split(s, ".")[5:], v.GetUnit()) {
					delete(h.last, s)
				}
			}
		}
		if err := h.once(e); err != nil {
			return err
		}
	}
	h.played.Events += len(events)
	return nil
}

func (h *history) once(e *eventv1.Event) error {
	what, err := h.w.toldBy(e)
	if err != nil {
		return err
	}
	key := ""
	switch c := what.(type) {
	case crossed:
		key = fmt.Sprint(c.up, c.at, c.ordinal, c.goalRev)
		h.countCrossing(c)
	case rung:
		key = fmt.Sprint(c.rungAt)
		h.played.Due += intOf(c.days <= 0)
		h.played.Overdue += intOf(c.days > 0)
		h.played.ToldLate += intOf(c.late)
	case taskTurn:
		h.played.Tasks++
	}
	if h.keys[key] && key != "" {
		return fmt.Errorf("%T %s comes twice", what, key)
	}
	h.keys[key] = true
	h.played.Carried += intOf(e.GetMilestoneCarried() != nil)
	h.played.Moved += intOf(e.GetUnitMoved() != nil)
	return nil
}

func (h *history) countCrossing(c crossed) {
	if !c.up {
		h.played.Revoked++
		return
	}
	h.played.Reached++
	m := h.w.measure(c.at.target)
	if m == nil || len(h.w.thresholds(m)) <= c.at.index {
		return
	}
	switch at := h.w.thresholds(m)[c.at.index]; {
	case at.GetStreak() > 0:
		h.played.Rows++
	case at.GetCompleteness() > 0:
		h.played.Shares++
	case m.overTime():
		h.played.OverTime++
	case m.regime != nil:
		h.played.Reports++
	}
}
