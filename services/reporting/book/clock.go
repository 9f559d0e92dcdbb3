package book

import (
	"slices"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Due reports whether a new day has begun, or the deadlines of today have not all
// been told; see ledger.State.
func (b *Book) Due(now time.Time) bool {
	return calendar.DateOf(now) > b.today || b.told < b.today
}

// Tick turns the clock to the day of the block, and tells the deadlines that fell
// due; where they are many, in several ticks.
func (b *Book) Tick() error {
	if today := calendar.DateOf(b.stamp.Time); today > b.today {
		b.turnTo(today)
	}
	if b.told == b.today {
		return nil
	}
	// A day that is told must be noted as such: only of the last day that something was
	// told on does the book know what was.
	if told := b.tell(b.today); told > b.told {
		b.emit(&eventv1.Event{Payload: &eventv1.Event_ClockTurned{
			ClockTurned: &eventv1.ClockTurned{Date: b.today.String(), ToldUntil: told.String()}}}, nil)
	}
	return nil
}

// turnTo turns the clock to a day: units whose placement begins or ends by then
// move, and begin or cease to be expected, in the current figures.
func (b *Book) turnTo(today calendar.Date) {
	was := b.today
	turn := &eventv1.ClockTurned{Date: today.String()}
	if was == 0 {
		turn.ToldUntil = (today - 1).String() // what was due before is nobody's concern
	} else if b.told == was && !b.busyUntil(today) {
		turn.ToldUntil = today.String()
	}
	passed := func(d calendar.Date) bool { return d > was && d <= today }
	units := b.turning(passed)
	affected := make(map[measureIx][]unitIx)
	for _, m := range b.measuresOf("") {
		affected[m.ix] = units
		if !m.Derived() {
			r := b.ruleOf(m)
			if slices.ContainsFunc(r.edges(), passed) {
				affected[m.ix] = b.allUnits()
			}
		}
	}
	before := b.judgeAround(func(m *Measure) []unitIx {
		switch {
		case m.yearTurns(was, today):
			return b.allUnits()
		case m.Derived():
			return b.allUnits()
		}
		return b.withNewParents(affected[m.ix], today)
	})
	cause := b.stamp.Next
	b.emit(&eventv1.Event{Payload: &eventv1.Event_ClockTurned{ClockTurned: turn}}, nil)
	for _, unit := range b.topDown(units, today) {
		b.moveNow(unit, cause)
	}
	for _, m := range b.measuresOf("") {
		if !m.Derived() && len(affected[m.ix]) > 0 {
			b.rescope(m, affected[m.ix], cause)
		}
	}
	b.carryAll(before, never, cause)
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

// topDown orders units by their depth in the tree of a day. Units that move on one day
// may change places; moved in this order, none is ever put below itself.
func (b *Book) topDown(units []unitIx, day calendar.Date) []unitIx {
	depth := make(map[unitIx]int, len(units))
	for _, unit := range units {
		for up := unit; up != 0; up = b.unitIDs.Get(b.unit(up).near(day).parent) {
			depth[unit]++
		}
	}
	out := slices.Clone(units)
	slices.SortStableFunc(out, func(x, y unitIx) int { return depth[x] - depth[y] })
	return out
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

// HandSet reports whether the log's clock was ever set by hand.
func (b *Book) HandSet() bool { return b.handSet }

// Today is the day that current figures are judged by.
func (b *Book) Today() calendar.Date { return b.today }
