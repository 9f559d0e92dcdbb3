package book

import (
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// duty is what is kept of something that a unit owes: a report, in the sheet of a
// regime's period, or its part of a task, in the task's current sheet. In the sheets of
// a task's periods it only says when the cell's completion came.
type duty struct {
	values  uint16        // of a report: how many of its cells hold something
	nothing uint16        // of those: how many say that they do not apply
	told    uint8         // a bit for each rung of the ladder that was told on the day on
	excused bool          // it need not be done
	on      calendar.Date // last day of which a rung was told; 0 for none
	until   calendar.Date // due date that was granted; 0 for none
	came    calendar.Date // day on which it came; 0 when it is outstanding
	granted uint64        // number of the event that granted the exception that holds; 0 for none
}

// targetsUnder lists the targets that are reported under a regime.
func (b *Book) targetsUnder(regime *Measure) []*Measure {
	var out []*Measure
	for _, m := range b.measuresOf(regime.key.programme) {
		if m.target != nil && m.target.GetRegime() == regime.key.id {
			out = append(out, m)
		}
	}
	return out
}

// regimeOf returns the regime under which a target is reported; nil when there is none.
func (b *Book) regimeOf(m *Measure) *Measure {
	if m.target == nil || m.target.GetRegime() == "" {
		return nil
	}
	return b.MeasureByID(m.key.programme, m.target.GetRegime())
}

// dues remembers the due date that was computed last: those of most units are the same.
type dues struct {
	regime *Measure
	days   *calendar.Calendar
	period calendar.Period
	level  string
	due    calendar.Date
	last   calendar.Date // the last day on time
}

// dueFor is the day by which a unit's report is due before any exception, and the
// last day on which it still is on time.
func (b *Book) dueFor(regime *Measure, u *Unit, p calendar.Period, known *dues) (due, last calendar.Date) {
	days, level := b.calendarOf(regime.regime.GetCalendar()), u.near(p.LastDay()).level
	if known.regime == regime && known.days == days && known.period == p && known.level == level {
		return known.due, known.last
	}
	n := regime.regime.GetDueWorkingDays()
	for _, o := range regime.regime.GetLevelOffsets() {
		if o.GetLevel() == level {
			n = o.GetDueWorkingDays()
		}
	}
	due = days.Due(p, int(n))
	last = days.AddWorkingDays(due, int(regime.regime.GetGraceWorkingDays()))
	*known = dues{regime, days, p, level, due, last}
	return due, last
}

// deadline is the due date of a duty, exceptions included, and the last day on
// which it still is on time.
func (b *Book) deadline(m *Measure, u *Unit, p calendar.Period, d duty, known *dues) (due, last calendar.Date) {
	if m.task != nil {
		due = dateOr(m.task.GetDue().GetLatestDate(), 0)
		last = due
	} else {
		due, last = b.dueFor(m, u, p, known)
	}
	if d.until != 0 {
		return d.until, max(last, d.until)
	}
	return due, last
}

// duty returns what is kept of a duty.
func (b *Book) duty(k sheetKey, unit unitIx) duty {
	if s := b.sheet(k); s != nil {
		return s.duties.At(unit)
	}
	return duty{}
}
