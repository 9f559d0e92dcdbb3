package book

import (
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// rungs is the ladder to and from a due date, in days.
var rungs = [...]calendar.Date{-30, -7, -1, 0, 1, 7, 30}

// tellMost is how many rungs one tick tells at most, so that those who wait to
// submit need not wait long; the next tick goes on.
const tellMost = 5000

// agenda is a list of what a rung may fall due of on a day: a regime's period, or a
// task in Current.
type agenda struct {
	item sheetKey
	next *agenda
}

// entry is a day's place of an item in the agenda.
type entry struct {
	day  calendar.Date
	item sheetKey
}

// schedule enters the rungs of a due date. What is entered is looked at on its day,
// and no more: an entry that does not hold any longer does no harm.
func (b *Book) schedule(item sheetKey, due calendar.Date) {
	for _, rung := range rungs {
		if e := (entry{due + rung, item}); !b.entered.Get(e) {
			b.entered.Set(e, true)
			b.agenda.Set(e.day, &agenda{item, b.agenda.Get(e.day)})
		}
	}
}

// scheduleMeasure enters all due dates of a regime or task, exceptions apart.
func (b *Book) scheduleMeasure(m *Measure) {
	switch {
	case m.task != nil && !m.task.GetSilent():
		b.schedule(sheetKey{m.ix, Current}, dateOr(m.task.GetDue().GetLatestDate(), 0))
	case m.regime != nil && !m.regime.GetSilent():
		days := b.calendarOf(m.regime.GetCalendar())
		offsets := []uint32{m.regime.GetDueWorkingDays()}
		for _, o := range m.regime.GetLevelOffsets() {
			offsets = append(offsets, o.GetDueWorkingDays())
		}
		slices.Sort(offsets)
		offsets = slices.Compact(offsets)
		r := b.ruleOf(m)
		for p := m.periodOn(r.from); p.Valid() && p.LastDay() <= r.last; p = p.Next() {
			for _, n := range offsets {
				b.schedule(sheetKey{m.ix, p}, days.Due(p, int(n)))
			}
		}
	}
}

// scheduleAll enters the due dates of everything, after the dates of a programme or
// the holidays of a calendar changed.
func (b *Book) scheduleAll() {
	for _, m := range b.measuresOf("") {
		b.scheduleMeasure(m)
	}
}

// tell tells the rungs that fell due up to a day, at most tellMost of them, and
// returns the last day of which all are told.
func (b *Book) tell(until calendar.Date) calendar.Date {
	left := tellMost
	for day := b.told + 1; day <= until; day++ {
		for at := b.agenda.Get(day); at != nil; at = at.next {
			if left = b.tellItem(at.item, day, left); left == 0 {
				return day - 1
			}
		}
	}
	return until
}

// tellToday tells the rungs of a measure that fall on today, of which all others are
// told already. While they are not, the ticks to come tell these too.
func (b *Book) tellToday(m *Measure) {
	if b.told < b.today {
		return
	}
	for at := b.agenda.Get(b.told); at != nil; at = at.next {
		if at.item.measure == m.ix && b.told > 0 {
			b.tellItem(at.item, b.told, 1<<30)
		}
	}
}

// tellItem tells the rungs of one item that fall on a day, and returns how many
// more may be told.
func (b *Book) tellItem(item sheetKey, day calendar.Date, left int) int {
	m := b.measure(item.measure)
	if m.task != nil && m.task.GetSilent() || m.regime != nil && m.regime.GetSilent() {
		return left
	}
	s := b.view(m, item.period)
	var known dues
	for _, unit := range b.owers(m) {
		n := s.nodes.Peek(unit)
		if left == 0 || n == nil || !n.scoped {
			continue
		}
		d := s.duties.At(unit)
		if d.excused || d.came != 0 || n.state == NotApplicable {
			continue
		}
		due, _ := b.deadline(m, b.unit(unit), item.period, d, &known)
		// A due date and a rung make one day, so that a rung was told exactly when it was on that day.
		if at := slices.Index(rungs[:], day-due); at >= 0 && !(d.on == day && d.told&(1<<at) != 0) {
			b.emitDeadline(m, b.unit(unit), item.period, due, rungs[at], day)
			left--
		}
	}
	return left
}

// owers lists the units that may owe something: for a task those that it is given
// to, each once, for a regime all.
func (b *Book) owers(m *Measure) []unitIx {
	if m.task == nil {
		return b.allUnits()
	}
	units := b.owing(m.task)
	slices.Sort(units)
	return slices.Compact(units)
}

// emitDeadline tells one rung: up to a day after the due date to the unit, then to
// the one above it, in the end to the root.
func (b *Book) emitDeadline(m *Measure, u *Unit, p calendar.Period, due, rung, day calendar.Date) {
	r := &eventv1.DeadlineReached{Target: m.key.id, Path: b.path(u.ix, Current), Period: periodName(p), DueDate: due.String(),
		Days: int32(rung), Late: calendar.DateOf(b.stamp.Time) > day,
		Addressee: eventv1.Addressee_ADDRESSEE_UNIT, AddresseeUnit: u.id}
	switch parent := b.unit(u.parent); {
	case rung >= 30:
		r.Addressee, r.AddresseeUnit = eventv1.Addressee_ADDRESSEE_CENTRE, m.root
	case rung >= 7 && parent != nil:
		r.Addressee, r.AddresseeUnit = eventv1.Addressee_ADDRESSEE_PARENT, parent.id
	}
	e := &eventv1.Event{Programme: m.key.programme, Payload: &eventv1.Event_DeadlineDue{DeadlineDue: r}}
	if rung > 0 {
		e.Payload = &eventv1.Event_DeadlineOverdue{DeadlineOverdue: r}
	}
	b.emit(e, nil)
}

// busyUntil reports whether some rung may fall on a day after those told, up to one.
func (b *Book) busyUntil(until calendar.Date) bool {
	for day := b.told + 1; day <= until; day++ {
		if b.agenda.Get(day) != nil {
			return true
		}
	}
	return false
}

// Told is the day up to which all deadlines have been told.
func (b *Book) Told() calendar.Date { return b.told }
