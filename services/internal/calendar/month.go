package calendar

import (
	"fmt"
	"time"
)

// Month is a calendar month, counted from 2000-M01 = 0. Values from 0 to 1199
// (2099-M12) are valid; others may come out of arithmetic and say so by Valid.
type Month int32

// ParseMonth reads a month such as `2022-M07`, from 2000-M01 to 2099-M12.
func ParseMonth(s string) (Month, error) {
	if len(s) != 8 || s[4] != '-' || s[5] != 'M' {
		return 0, fmt.Errorf("month %q: want the form 2022-M07", s)
	}
	year, okYear := digits(s[:4])
	month, okMonth := digits(s[6:])
	if !okYear || !okMonth || month < 1 || month > 12 {
		return 0, fmt.Errorf("month %q: want the form 2022-M07", s)
	}
	if year < firstYear || year > lastYear {
		return 0, fmt.Errorf("month %q: the year must be from %d to %d", s, firstYear, lastYear)
	}
	return MonthIn(year, month), nil
}

// MonthIn returns the month of a year; month is from 1 to 12.
func MonthIn(year, month int) Month {
	return Month((year-firstYear)*12 + month - 1)
}

// MonthOf returns the month of the day that it is at +07:00 at the instant t.
func MonthOf(t time.Time) Month {
	year, month, _ := t.UTC().Add(ahead).Date()
	return MonthIn(year, int(month))
}

// String writes the month as ParseMonth reads it.
func (m Month) String() string {
	if year, month := m.Year(), m.Number(); m.Valid() { // in every event
		return string([]byte{'2', '0', byte('0' + year/10%10), byte('0' + year%10), '-', 'M', byte('0' + month/10), byte('0' + month%10)})
	}
	return fmt.Sprintf("%04d-M%02d", m.Year(), m.Number())
}

// Valid reports whether ParseMonth would read what String writes.
func (m Month) Valid() bool { return m >= 0 && m < (lastYear-firstYear+1)*12 }

// Year is the month's calendar year.
func (m Month) Year() int { return firstYear + floorDiv(int(m), 12) }

// Number is the month's place in its year, from 1 to 12.
func (m Month) Number() int { return int(m) - floorDiv(int(m), 12)*12 + 1 }

// FirstOfYear is the first month of the same year.
func (m Month) FirstOfYear() Month { return MonthIn(m.Year(), 1) }

// Start is the first instant of the month, in UTC.
func (m Month) Start() time.Time {
	return time.Date(m.Year(), time.Month(m.Number()), 1, 0, 0, 0, 0, time.UTC).Add(-ahead)
}

// End is the first instant after the month, in UTC.
func (m Month) End() time.Time { return (m + 1).Start() }

// FirstDay is the month's first day.
func (m Month) FirstDay() Date { return dateOf(m.Year(), m.Number(), 1) }

// LastDay is the month's last day.
func (m Month) LastDay() Date { return (m + 1).FirstDay() - 1 }
