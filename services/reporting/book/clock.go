package book

import (
	"slices"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
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
	passed := func(d calendar.Date) bool { return d > was && d <= today }
	units := b.turning(passed)
	affected := make(map[measureIx][]unitIx)
	for _, m := range b.measuresOf("") {
		affected[m.ix] = units
		if !m.Derived() {
			r := b.ruleOf(m)
			if passed(r.from) || passed(r.until) {
				affected[m.ix] = b.allUnits()
			}
		}
	}
	before := b.judgeAround(func(m *Measure) []unitIx {
		switch {
		case turn.WindowFrom != "" && m.accumulation == typev1.Accumulation_ACCUMULATION_SUM_YEAR:
			return b.allUnits()
		case m.Derived():
			return b.allUnits()
		}
		return b.withNewParents(affected[m.ix], today)
	})
	cause := b.stamp.Next
	b.emit(&eventv1.Event{Payload: &eventv1.Event_ClockTurned{ClockTurned: turn}}, nil)
	for _, unit := range units {
		b.moveNow(unit, cause)
	}
	for _, m := range b.measuresOf("") {
		if !m.Derived() && len(affected[m.ix]) > 0 {
			b.rescope(m, affected[m.ix], cause)
		}
	}
	b.carryAll(before, never, cause)
	return nil
}

// turning lists the units about which something changes on a day that has passed.
func (b *Book) turning(passed func(calendar.Date) bool) []unitIx {
	var units []unitIx
	for unit := unitIx(1); unit <= b.unitCount; unit++ {
		if slices.ContainsFunc(b.unit(unit).boundaries(), passed) {
			units = append(units, unit)
		}
	}
	return units
}

// withNewParents lists units and those that they stand below on a day.
func (b *Book) withNewParents(units []unitIx, day calendar.Date) []unitIx {
	out := slices.Clone(units)
	for _, unit := range units {
		if parent := b.unitIDs.Get(b.unit(unit).near(day).parent); parent != 0 {
			out = append(out, parent)
		}
	}
	return out
}

// SetClock records that an administrator set the manual clock.
func (b *Book) SetClock() {
	b.emit(&eventv1.Event{Payload: &eventv1.Event_ClockSet{
		ClockSet: &eventv1.ClockSet{TimeUnixMicros: b.stamp.Time.UnixMicro()}}}, nil)
}

// Today is the day that current figures are judged by.
func (b *Book) Today() calendar.Date { return b.today }
