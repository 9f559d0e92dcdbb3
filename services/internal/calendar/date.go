package calendar

import (
	"fmt"
	"time"
)

// ahead is how far Asia/Ho_Chi_Minh is ahead of UTC, always: clocks there were
// not changed since 1975, so no time zone database is needed.
const ahead = 7 * time.Hour

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
	local := int(t.Unix()) + int(ahead/time.Second)
	return Date(floorDiv(local, secondsPerDay) - unixEpochToDate)
}

// String writes the day as ParseDate reads it.
func (d Date) String() string { return d.midnight().Format(time.DateOnly) }

// Start is the day's first instant at +07:00, in UTC.
func (d Date) Start() time.Time {
	return d.midnight().Add(-ahead)
}

// End is the first instant after the day, in UTC: what is due on a day is due
// until then.
func (d Date) End() time.Time { return (d + 1).Start() }

// weekend reports whether the day is a Saturday or a Sunday. Day 0 is a
// Saturday.
func (d Date) weekend() bool {
	day := int(d)
	return day-floorDiv(day, 7)*7 < 2
}

// midnight is the day's start as if it were a day in UTC.
func (d Date) midnight() time.Time {
	return time.Unix((int64(d)+unixEpochToDate)*secondsPerDay, 0).UTC()
}

// The Gregorian calendar repeats itself every 400 years. dateOf and civil count
// in years that begin on 1 March, so that a leap day is a year's last.
const (
	daysIn400Years  = 146_097
	marchYearToDate = 5*daysIn400Years - 60 // from 0000-03-01 to 2000-01-01
	unixEpochToDate = 10_957                // from 1970-01-01 to 2000-01-01
)

// dateOf counts a day. The day may be beyond its month's end and then lies in
// the next; the month must be from 1 to 12, else some other day comes out.
func dateOf(year, month, day int) Date {
	fromMarch := month - 3
	if month < 3 {
		year--
		fromMarch += 12
	}
	era := floorDiv(year, 400)
	year -= era * 400
	dayOfYear := (153*fromMarch+2)/5 + day - 1 // five months from March on have 153 days
	return Date(era*daysIn400Years + year*365 + year/4 - year/100 + dayOfYear - marchYearToDate)
}

// civil is the inverse of dateOf.
func (d Date) civil() (year, month, day int) {
	days := int(d) + marchYearToDate
	era := floorDiv(days, daysIn400Years)
	days -= era * daysIn400Years
	// Days without the leap days before them, of 4, of 100 and of 400 years.
	year = (days - days/1460 + days/36_524 - days/146_096) / 365
	days -= year*365 + year/4 - year/100
	fromMarch := (5*days + 2) / 153
	day = days - (153*fromMarch+2)/5 + 1
	year += era * 400
	if fromMarch >= 10 {
		return year + 1, fromMarch - 9, day
	}
	return year, fromMarch + 3, day
}

// floorDiv divides and rounds down, also below zero.
func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// digits reads a short run of ASCII digits and nothing else.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
