package book

import (
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Grant is an exception for something that a unit owes: another due date, or none.
type Grant struct {
	Programme, Target, Unit string
	Period                  string        // of a report; empty for a task
	Until                   calendar.Date // the new due date; 0 when it is excused
	By                      string        // id of the unit that grants it
	Annex                   []byte
}

// Grant judges an exception and decides what follows from it. It returns the number
// of the event that recorded it: of the first one when it holds already. It refuses
// with a *Refusal.
func (b *Book) Grant(g *Grant) (uint64, error) {
	m, u, p, err := b.findDuty(g)
	if err != nil {
		return 0, err
	}
	k := sheetKey{m.ix, p}
	d, s := b.duty(k, u.ix), b.view(m, p)
	n := s.nodes.At(u.ix)
	original, _ := b.deadline(m, u, p, duty{}, new(dues))
	due, _ := b.deadline(m, u, p, d, new(dues))
	switch {
	case g.Until != 0 && g.Until == d.until && !d.excused, g.Until == 0 && d.excused:
		return d.granted, nil
	case !n.scoped:
		return 0, refuse(errorv1.Reason_REASON_OBLIGATION_NOT_FOUND, "unit", "unit %s does not owe %s", g.Unit, g.Target)
	case d.came != 0 || d.excused:
		return 0, refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit",
			"what unit %s owes has come, or is excused: there is nothing to grant", g.Unit)
	case g.Until == 0 && m.task != nil:
		return 0, refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "excused",
			"a unit is not excused from a task: change the task's assignments")
	case g.Until != 0 && g.Until <= due:
		return 0, refuse(errorv1.Reason_REASON_NOT_LATER, "due_date", "it is due on %s already", due)
	}
	e := &eventv1.DeadlineExtended{Target: g.Target, Path: b.path(u.ix, Current), Period: g.Period,
		OriginalDueDate: original.String(), Excused: g.Until == 0, GrantedBy: g.By}
	if g.Until != 0 {
		e.DueDate = g.Until.String()
	}
	sequence := b.stamp.Next
	before := b.judgeReports(m, p, u.ix)
	b.emit(&eventv1.Event{Programme: g.Programme, Payload: &eventv1.Event_DeadlineExtended{DeadlineExtended: e}}, g.Annex)
	b.carry(m, before, false, sequence)
	b.tellToday(m)
	return sequence, nil
}

// judgeReports judges the thresholds of the reports of a period that an exception
// of a unit can move.
func (b *Book) judgeReports(m *Measure, p calendar.Period, unit unitIx) []judged {
	if m.regime == nil || !m.watched(p) || b.sheet(sheetKey{m.ix, p}) == nil {
		return nil
	}
	var places []place
	b.up(unit, p, func(at unitIx) { places = append(places, place{p, at}) })
	return b.judgeAll(m, m.watch.thresholds, places)
}

// mayGrant reports whether a unit may grant another an exception: one that stands
// above it today, or watches over the task; never itself.
func (b *Book) mayGrant(m *Measure, u *Unit, by string) bool {
	above := false
	b.up(u.ix, Current, func(at unitIx) { above = above || at != u.ix && b.unit(at).id == by })
	return above || by != u.id && m.monitoredBy(by)
}

// findDuty resolves what an exception is about.
func (b *Book) findDuty(g *Grant) (*Measure, *Unit, calendar.Period, error) {
	m, u := b.MeasureByID(g.Programme, g.Target), b.UnitByID(g.Unit)
	switch {
	case b.programmes.Get(g.Programme) == nil:
		return nil, nil, 0, refuse(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme", "there is no programme %s", g.Programme)
	case m == nil || m.regime == nil && m.task == nil:
		return nil, nil, 0, refuse(errorv1.Reason_REASON_TARGET_NOT_FOUND, "target",
			"programme %s has no regime or task %s", g.Programme, g.Target)
	case u == nil:
		return nil, nil, 0, refuse(errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit", "there is no unit %s", g.Unit)
	case b.UnitByID(g.By) == nil:
		return nil, nil, 0, refuse(errorv1.Reason_REASON_UNIT_NOT_FOUND, "granted_by", "there is no unit %s", g.By)
	case !b.mayGrant(m, u, g.By):
		return nil, nil, 0, refuse(errorv1.Reason_REASON_NOT_COMPETENT, "granted_by",
			"unit %s stands not above unit %s, nor watches over what it owes", g.By, g.Unit)
	case m.task != nil && g.Period != "":
		return nil, nil, 0, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "period", "a task has no periods")
	case m.task != nil:
		return m, u, Current, nil
	}
	p, err := m.Period(g.Period)
	if err != nil || p.Length() != m.length {
		return nil, nil, 0, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "period",
			"%s has periods such as %s, not %q", g.Target, m.periodOn(b.today), g.Period)
	}
	return m, u, p, nil
}
