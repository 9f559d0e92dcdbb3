package calendar

import (
	"fmt"
	"time"
)

// Cut is the day of the month on which a calendar's months end: 1 to 28, or
// EndOfMonth. A period has the name of the month in which its last day lies,
// the same names whatever the cut.
type Cut uint8

// The cuts of the calendars that are always there.
const (
	EndOfMonth Cut = 31 // calendar months, ending on the 28th to the 31st
	MidMonth   Cut = 14 // 2025-M07 is 2025-06-15 to 2025-07-14
)

// latestCut is the last day that every month has.
const latestCut = 28

// Valid reports whether months can end on c.
func (c Cut) Valid() bool { return c >= 1 && c <= latestCut || c == EndOfMonth }

// Parse reads the name of a period, such as `2025-M07`, `2025-Q3`, `2025-H2` or
// `2025`, from 2000 to 2099. Nothing but the exact form is read. It is an error
// if c is not Valid.
func (c Cut) Parse(name string) (Period, error) {
	if !c.Valid() {
		return 0, fmt.Errorf("period %q: months cannot end on day %d: want 1 to %d, or %d for the end of the month", name, c, latestCut, EndOfMonth)
	}
	year, number, length, ok := splitName(name)
	if !ok {
		return 0, fmt.Errorf("period %q: want the form 2025-M07, 2025-Q3, 2025-H2 or 2025", name)
	}
	if year < firstYear || year > lastYear {
		return 0, fmt.Errorf("period %q: the year must be from %d to %d", name, firstYear, lastYear)
	}
	if most := 12 / length.months(); number < 1 || number > most {
		return 0, fmt.Errorf("period %q: want %c%0*d to %c%d after the year", name, name[5], len(name)-6, 1, name[5], most)
	}
	return pack((year-firstYear)*12+number*length.months()-1, c, length), nil
}

// Of is the period of the given length that holds the day; it need not be Valid.
func (c Cut) Of(d Date, l Length) Period {
	year, month, day := d.civil()
	at := (year-firstYear)*12 + month - 1
	if day > int(c) {
		at++
	}
	return pack(lastMonth(at, l), c, l)
}

// At is the period of the given length that holds the day that it is at +07:00
// at the instant t; it need not be Valid.
func (c Cut) At(t time.Time, l Length) Period { return c.Of(DateOf(t), l) }

// splitName takes a name apart. The number is the period's place in its year,
// counted from 1, not checked yet; a year's is 1.
func splitName(name string) (year, number int, l Length, ok bool) {
	if len(name) == len("2025") {
		year, ok = digits(name)
		return year, 1, Yearly, ok
	}
	if len(name) < len("2025-Q3") || name[4] != '-' {
		return 0, 0, 0, false
	}
	width := 1
	switch name[5] {
	case 'M':
		l, width = Monthly, 2
	case 'Q':
		l = Quarterly
	case 'H':
		l = HalfYearly
	default:
		return 0, 0, 0, false
	}
	year, okYear := digits(name[:4])
	number, okNumber := digits(name[6:])
	return year, number, l, okYear && okNumber && len(name) == 6+width
}
