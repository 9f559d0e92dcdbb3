package calendar

import (
	"fmt"
	"time"
)

// secondsPerDay holds for every day, as there is no summer time at +07:00.
const secondsPerDay = 24 * 60 * 60

// Date is a day, counted from 2000-01-01 = 0; days before are negative. Dates
// compare and subtract as integers.
type Date int32

// ParseDate reads a day such as `2022-07-31`, from 0001-01-01 to 9999-12-31. A
// day that does not exist, such as 2022-02-30, is refused.
func ParseDate(s string) (Date, error) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, fmt.Errorf("date %q: want the form 2022-07-31", s)
	}
	year, okYear := digits(s[:4])
	month, okMonth := digits(s[5:7])
	day, okDay := digits(s[8:])
	if !okYear || !okMonth || !okDay {
		return 0, fmt.Errorf("date %q: want the form 2022-07-31", s)
	}
	d := dateOf(year, month, day)
	if year < 1 || d.String() != s {
		return 0, fmt.Errorf("date %q: there is no such day", s)
	}
	return d, nil
}

// DateOf returns the day that it is at +07:00 at the instant t.
func DateOf(t time.Time) Date {
	year, month, day := t.UTC().Add(ahead).Date()
	return dateOf(year, int(month), day)
}

// String writes the day as ParseDate reads it.
func (d Date) String() string { return d.midnight().Format(time.DateOnly) }

// MonthOf is the month that the day lies in; it need not be Valid.
func (d Date) MonthOf() Month {
	year, month, _ := d.midnight().Date()
	return MonthIn(year, int(month))
}

// Start is the day's first instant at +07:00, in UTC.
func (d Date) Start() time.Time {
	return d.midnight().Add(-ahead)
}

// End is the first instant after the day, in UTC: what is due on a day is due
// until then.
func (d Date) End() time.Time { return (d + 1).Start() }

// midnight is the day's start as if it were a day in UTC.
func (d Date) midnight() time.Time {
	return time.Unix(epoch().Unix()+int64(d)*secondsPerDay, 0).UTC()
}

// dateOf counts a day that may be beyond its month's end, as time.Date does.
func dateOf(year, month, day int) Date {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return Date(floorDiv(int(t.Unix()-epoch().Unix()), secondsPerDay))
}

// epoch is day 0 in UTC.
func epoch() time.Time { return time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC) }
