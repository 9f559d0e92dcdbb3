package calendar

import (
	"fmt"
	"iter"
	"time"
)

// firstYear and lastYear bound the periods that can be written.
const (
	firstYear = 2000
	lastYear  = 2099
)

// Length says how many months a period has.
type Length uint8

// The lengths of periods, ascending. There are no others.
const (
	Monthly    Length = iota // 1 month
	Quarterly                // 3 months
	HalfYearly               // 6 months
	Yearly                   // 12 months
)

// Period is a month, quarter, half or year of a calendar, in one integer:
// ((months since 2000-M01 of its last day × 32) + cut) × 4 + length. So periods,
// of one calendar or several, compare as integers by their last day, then by
// their length. (A February's 28th is the last day for two cuts; the cut decides
// between them.) Arithmetic may lead out of the years 2000 to 2099, and Valid
// tells. The zero Period is not valid.
type Period int32

// A Period's fields.
const (
	lengthBits  = 2
	cutBits     = 5
	monthShift  = lengthBits + cutBits
	validMonths = (lastYear - firstYear + 1) * 12
	farMonths   = 1 << 23 // what is further off stays here, and is not Valid
)

// From is a bound: a valid period p, of any cut and length, has p >= From(d)
// exactly when its last day is d or later. It need not be a valid period.
func From(d Date) Period {
	year, month, day := d.civil()
	at := (year-firstYear)*12 + month - 1
	if at < 0 {
		return 0
	}
	return pack(at, Cut(day), 0)
}

// String writes the period's name as Cut.Parse reads it. The cut does not show.
func (p Period) String() string {
	if !p.Valid() {
		return p.slowString()
	}
	year, number := p.Year(), byte(p.number())
	name := [8]byte{'2', '0', byte('0' + year/10%10), byte('0' + year%10), '-'}
	switch p.Length() { // no fmt: names are in every event
	case Monthly:
		name[5], name[6], name[7] = 'M', '0'+number/10, '0'+number%10
		return string(name[:])
	case Quarterly:
		name[5], name[6] = 'Q', '0'+number
		return string(name[:7])
	case HalfYearly:
		name[5], name[6] = 'H', '0'+number
		return string(name[:7])
	}
	return string(name[:4])
}

// Cut is where the months of the period's calendar end.
func (p Period) Cut() Cut { return Cut(p >> lengthBits & (1<<cutBits - 1)) }

// Length is how long the period is.
func (p Period) Length() Length { return Length(p & (1<<lengthBits - 1)) }

// Year is the year in the period's name, in which its last day lies.
func (p Period) Year() int { return firstYear + floorDiv(p.month(), 12) }

// Valid reports whether Parse of the period's cut returns it for its name.
func (p Period) Valid() bool {
	at := p.month()
	return at >= 0 && at < validMonths && p.Cut().Valid() && (at+1)%p.Length().months() == 0
}

// FirstDay is the period's first day.
func (p Period) FirstDay() Date { return p.Prev().LastDay() + 1 }

// LastDay is the period's last day.
func (p Period) LastDay() Date {
	if p.Cut() == EndOfMonth {
		return monthDay(p.month()+1, 1) - 1
	}
	return monthDay(p.month(), int(p.Cut()))
}

// Start is the period's first instant, in UTC.
func (p Period) Start() time.Time { return p.FirstDay().Start() }

// End is the first instant after the period, in UTC.
func (p Period) End() time.Time { return p.LastDay().End() }

// Days is how many days the period has.
func (p Period) Days() int { return int(p.LastDay()-p.FirstDay()) + 1 }

// Next is the period of the same length that follows.
func (p Period) Next() Period { return p.Back(-1) }

// Prev is the period of the same length before.
func (p Period) Prev() Period { return p.Back(1) }

// Back is the period of the same length n periods earlier, later if n is below
// zero.
func (p Period) Back(n int) Period {
	return pack(p.month()-n*p.Length().months(), p.Cut(), p.Length())
}

// YearBefore is the same period of the year before.
func (p Period) YearBefore() Period { return pack(p.month()-12, p.Cut(), p.Length()) }

// Since is how many periods p is after q, below zero if it is before. Both must
// have the same length and cut.
func (p Period) Since(q Period) int { return (p.month() - q.month()) / p.Length().months() }

// In is the period of length l that contains p. If l is shorter than p, it is
// the last of the periods that Split(l) returns.
func (p Period) In(l Length) Period { return pack(lastMonth(p.month(), l), p.Cut(), l) }

// With is the period of the same name in the calendar whose months end at c.
func (p Period) With(c Cut) Period { return pack(p.month(), c, p.Length()) }

// FirstMonth is the first of the period's months.
func (p Period) FirstMonth() Period {
	return pack(p.month()-p.Length().months()+1, p.Cut(), Monthly)
}

// Months yields the months of which the period is the union, ascending.
func (p Period) Months() iter.Seq[Period] {
	return func(yield func(Period) bool) {
		last := p.In(Monthly)
		for m := p.FirstMonth(); m <= last; m = m.Next() {
			if !yield(m) {
				return
			}
		}
	}
}

// Split returns the periods of length l of which p is the union, ascending: p
// itself if that is its length, none if l is longer.
func (p Period) Split(l Length) []Period {
	if l > p.Length() {
		return nil
	}
	parts := make([]Period, 0, p.Length().months()/l.months())
	last := p.In(l)
	for q := p.FirstMonth().In(l); q <= last; q = q.Next() {
		parts = append(parts, q)
	}
	return parts
}

// Contains reports whether every day of q is a day of p; the cuts may differ.
func (p Period) Contains(q Period) bool {
	return p.FirstDay() <= q.FirstDay() && q.LastDay() <= p.LastDay()
}

// month counts from 2000-M01 to the month in which the last day lies. The shift
// rounds down below zero too.
func (p Period) month() int { return int(p >> monthShift) }

// number is the period's place in its year, counted from 1.
func (p Period) number() int {
	at := p.month()
	return (at-floorDiv(at, 12)*12)/p.Length().months() + 1
}

// slowString writes what Parse would not read.
func (p Period) slowString() string {
	switch p.Length() {
	case Monthly:
		return fmt.Sprintf("%04d-M%02d", p.Year(), p.number())
	case Quarterly:
		return fmt.Sprintf("%04d-Q%d", p.Year(), p.number())
	case HalfYearly:
		return fmt.Sprintf("%04d-H%d", p.Year(), p.number())
	}
	return fmt.Sprintf("%04d", p.Year())
}

// months is how many months a period of the length has.
func (l Length) months() int {
	switch l {
	case Monthly:
		return 1
	case Quarterly:
		return 3
	case HalfYearly:
		return 6
	}
	return 12
}

// lastMonth is the last month of the period of length l that holds the month.
func lastMonth(month int, l Length) int {
	n := l.months()
	return floorDiv(month, n)*n + n - 1
}

// pack puts a period together; month may be any number.
func pack(month int, c Cut, l Length) Period {
	month = max(-farMonths, min(month, farMonths))
	return Period(month<<monthShift | int(c)<<lengthBits | int(l))
}

// monthDay is a day of a month counted from 2000-M01.
func monthDay(month, day int) Date {
	years := floorDiv(month, 12)
	return dateOf(firstYear+years, month-years*12+1, day)
}
