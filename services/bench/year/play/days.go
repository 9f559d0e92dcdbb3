package play

import (
	"context"
	"fmt"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// day is a day at +07:00, counted from 1970-01-01. It is a calculation of its own
// on the standard library, so that what is expected does not come from the code
// that is being watched.
type day int

// dayOf is a day by its name; months and days beyond their ends run on.
func dayOf(year, month, d int) day {
	return day(time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC).Unix() / 86_400)
}

// dayAt is the day that it is at +07:00 at an instant, in microseconds of Unix time.
func dayAt(micros int64) day { return day((micros/1_000_000 + 7*3600) / 86_400) }

// midnight is the day's start as if it were a day in UTC.
func (d day) midnight() time.Time { return time.Unix(int64(d)*86_400, 0).UTC() }

// morning is eight o'clock at +07:00, when the clock is set and reports are sent.
func (d day) morning() time.Time { return d.midnight().Add(time.Hour) }

func (d day) String() string { return d.midnight().Format(time.DateOnly) }

// workdays tells which days are worked, as the registry's calendar says.
type workdays struct{ off, worked map[day]bool }

// readWorkdays reads the days off of a calendar from the registry.
func readWorkdays(ctx context.Context, registry registryv1.RegistryServiceClient, calendar string) (workdays, error) {
	w := workdays{make(map[day]bool), make(map[day]bool)}
	c, err := registry.GetCalendar(ctx, &registryv1.GetCalendarRequest{Name: calendar})
	if err != nil {
		return w, fmt.Errorf("read %s: %w", calendar, err)
	}
	note := func(in map[day]bool, date string) error {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return fmt.Errorf("%s: %w", calendar, err)
		}
		in[day(at.Unix()/86_400)] = true
		return nil
	}
	for _, h := range c.GetCalendar().GetHolidays() {
		if err := note(w.off, h.GetDate()); err != nil {
			return w, err
		}
	}
	for _, date := range c.GetCalendar().GetWorkingDates() {
		if err := note(w.worked, date); err != nil {
			return w, err
		}
	}
	return w, nil
}

// after is the n-th working day after a day.
func (w workdays) after(d day, n int) day {
	for n > 0 {
		d++
		weekend := d.midnight().Weekday() == time.Saturday || d.midnight().Weekday() == time.Sunday
		if w.worked[d] || !weekend && !w.off[d] {
			n--
		}
	}
	return d
}
