package book

import (
	"fmt"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/layer"
)

// Calendar is a calendar as the reporting service knows it, replaced and never changed.
type Calendar struct {
	res  *registryv1.Calendar // nil while it is as it shipped
	days *calendar.Calendar
}

// shipped returns the calendars that are there from the start.
func shipped() *layer.Table[string, *Calendar] {
	t := layer.New[string, *Calendar]()
	t.Set(calendar.Statistical, &Calendar{days: calendar.New(calendar.EndOfMonth, nil, nil)})
	t.Set(calendar.Administrative, &Calendar{days: calendar.New(calendar.MidMonth, nil, nil)})
	return t
}

// readCalendar reads a registry calendar.
func readCalendar(res *registryv1.Calendar) (*Calendar, error) {
	cut := calendar.Cut(res.GetCutOffDay())
	if cut == 0 {
		cut = calendar.EndOfMonth
	}
	var off, worked []calendar.Date
	for _, h := range res.GetHolidays() {
		d, err := calendar.ParseDate(h.GetDate())
		if err != nil {
			return nil, fmt.Errorf("holiday of %s: %w", res.GetName(), err)
		}
		off = append(off, d)
	}
	for _, s := range res.GetWorkingDates() {
		d, err := calendar.ParseDate(s)
		if err != nil {
			return nil, fmt.Errorf("working day of %s: %w", res.GetName(), err)
		}
		worked = append(worked, d)
	}
	return &Calendar{res: res, days: calendar.New(cut, off, worked)}, nil
}

// calendarOf returns a calendar by id; empty means the statistical one.
func (b *Book) calendarOf(id string) *calendar.Calendar {
	if id == "" {
		id = calendar.Statistical
	}
	if c := b.calendars.Get(id); c != nil {
		return c.days
	}
	return nil
}

// lengthOf is how long the periods of a frequency are.
func lengthOf(f typev1.Frequency) calendar.Length {
	if f == typev1.Frequency_FREQUENCY_UNSPECIFIED {
		return calendar.Monthly
	}
	return calendar.Length(f - typev1.Frequency_FREQUENCY_MONTHLY)
}

// periodOn is the measure's period that holds a day.
func (m *Measure) periodOn(day calendar.Date) calendar.Period { return m.cut.Of(day, m.length) }

// Owns reports whether a period is one of those for which the measure is reported.
func (m *Measure) Owns(p calendar.Period) bool { return p.Cut() == m.cut && p.Length() == m.length }

// Period reads the name of a period in the measure's calendar: of its own length or
// of a longer one.
func (m *Measure) Period(name string) (calendar.Period, error) {
	p, err := m.cut.Parse(name)
	if err == nil && p.Length() < m.length {
		err = fmt.Errorf("period %s is shorter than those of %s", name, m.key.id)
	}
	return p, err
}

// InCalendar is the period of the same name in the measure's calendar.
func (m *Measure) InCalendar(p calendar.Period) calendar.Period { return p.With(m.cut) }
