package book

import (
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Due reports whether a new day has begun; see ledger.State.
func (b *Book) Due(now time.Time) bool { return calendar.DateOf(now) > b.today }

// Tick turns the clock to the day of the block: units whose placement begins or
// ends by then move, and begin or cease to be expected, in the current figures.
func (b *Book) Tick() error {
	was, today := b.today, calendar.DateOf(b.stamp.Time)
	if today <= was {
		return nil
	}
	turn := &eventv1.ClockTurned{Date: today.String()}
	if was == 0 || today.MonthOf().Year() != was.MonthOf().Year() {
		turn.WindowFrom = today.MonthOf().FirstOfYear().String()
	}
	cause := b.stamp.Next
	b.emit(&eventv1.Event{Payload: &eventv1.Event_ClockTurned{ClockTurned: turn}}, nil)
	passed := func(d calendar.Date) bool { return d > was && d <= today }
	var units []unitIx
	for unit := unitIx(1); unit <= b.unitCount; unit++ {
		for _, d := range b.unit(unit).boundaries() {
			if passed(d) {
				units = append(units, unit)
				b.moveNow(unit, cause)
				break
			}
		}
	}
	for _, m := range b.measuresOf("") {
		if m.Derived() {
			continue
		}
		if r := b.ruleOf(m); passed(r.from) || passed(r.until) {
			b.rescope(m, b.allUnits(), cause)
		} else if len(units) > 0 {
			b.rescope(m, units, cause)
		}
	}
	return nil
}

// SetClock records that an administrator set the manual clock.
func (b *Book) SetClock() {
	b.emit(&eventv1.Event{Payload: &eventv1.Event_ClockSet{
		ClockSet: &eventv1.ClockSet{TimeUnixMicros: b.stamp.Time.UnixMicro()}}}, nil)
}

// Today is the day that current figures are judged by.
func (b *Book) Today() calendar.Date { return b.today }
