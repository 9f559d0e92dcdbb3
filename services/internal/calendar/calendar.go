// Package calendar holds days, periods and working days as they are in Viet
// Nam, at +07:00, where there is no summer time. Instants are half-open and in
// UTC.
package calendar

// The ids of the calendars that are always there.
const (
	Statistical    = "statistical"    // cut at EndOfMonth
	Administrative = "administrative" // cut at MidMonth
)

// longestBreak is how many days off in a row the search for a working day
// passes over, so that it ends also where every day is a holiday.
const longestBreak = 400

// Calendar says where months end and which days are worked. It does not change
// and may be used by many goroutines.
type Calendar struct {
	cut      Cut
	holidays map[Date]struct{}
	worked   map[Date]struct{} // Saturdays and Sundays swapped for another day
}

// New returns a calendar in which Saturdays, Sundays and the holidays are off,
// but weekend days among workingDates are worked. A day in both lists is off.
// The order of a list and repetitions in it are of no account.
func New(cut Cut, holidays, workingDates []Date) *Calendar {
	return &Calendar{cut: cut, holidays: setOf(holidays), worked: setOf(workingDates)}
}

// Cut is where the calendar's months end.
func (c *Calendar) Cut() Cut { return c.cut }

// Working reports whether the day is worked.
func (c *Calendar) Working(d Date) bool {
	if _, off := c.holidays[d]; off {
		return false
	}
	if !d.weekend() {
		return true
	}
	_, swapped := c.worked[d]
	return swapped
}

// AddWorkingDays is the n-th working day after d, and d itself, worked or not,
// for n of 0 or less. Where 400 days in a row are off, the last of them counts
// as worked, so the search ends after at most 400 n days.
func (c *Calendar) AddWorkingDays(d Date, n int) Date {
	for ; n > 0; n-- {
		d = c.next(d)
	}
	return d
}

// WorkingDaysBetween counts the working days after from, up to and with to; it
// is 0 if to is not after from.
func (c *Calendar) WorkingDaysBetween(from, to Date) int {
	n := 0
	for d := from; d < to; {
		d++
		if c.Working(d) {
			n++
		}
	}
	return n
}

// Due is the n-th working day after the period's last day, n being 1 or more:
// what is due then is due until that day's End.
func (c *Calendar) Due(p Period, n int) Date { return c.AddWorkingDays(p.LastDay(), n) }

// next is the first working day after d, or the day longestBreak after d.
func (c *Calendar) next(d Date) Date {
	for bound := d + longestBreak; d < bound; {
		d++
		if c.Working(d) {
			break
		}
	}
	return d
}

func setOf(days []Date) map[Date]struct{} {
	set := make(map[Date]struct{}, len(days))
	for _, d := range days {
		set[d] = struct{}{}
	}
	return set
}
