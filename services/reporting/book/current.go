package book

import (
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// span is the periods of a measure from one to another, both included.
type span struct{ from, to calendar.Period }

// holds reports whether a period is in the span.
func (s span) holds(p calendar.Period) bool { return p >= s.from && p <= s.to }

// spanOn is what a current figure is made of on a day: the periods that have begun,
// and of those, for a flow of the year, the ones of the year.
func (m *Measure) spanOn(day calendar.Date) span {
	s := span{to: m.periodOn(day)}
	if m.accumulation == typev1.Accumulation_ACCUMULATION_SUM_YEAR {
		s.from = s.to.In(calendar.Yearly).Split(m.length)[0]
	}
	return s
}

// yearTurns reports whether the sum of the current year starts again between two days.
func (m *Measure) yearTurns(was, now calendar.Date) bool {
	return m.accumulation == typev1.Accumulation_ACCUMULATION_SUM_YEAR && m.periodOn(was).Year() != m.periodOn(now).Year()
}

// currentCell is a unit's value over several periods, as it is or would be.
type currentCell struct {
	change eventv1.CurrentChange
	node   node
	over   bool // its sum leaves the range of 64 bits
}

// set makes it the unit's current value.
func (c currentCell) set(n *node) {
	n.state, n.num, n.den, n.qual = c.node.state, c.node.num, c.node.den, c.node.qual
	n.excluded = c.node.excluded
	n.setNewest(c.node.newest())
}

// currentAfter says what becomes of the unit's current value when the cell of a
// period becomes next.
func (b *Book) currentAfter(at *spot, cell, next *node) currentCell {
	m, p, now := at.m, at.period, at.now.at(0)
	if m.accumulation != typev1.Accumulation_ACCUMULATION_LAST {
		in := m.spanOn(b.today)
		if !in.holds(p) {
			return currentCell{}
		}
		if c, ok := movedBy(&now, cell, next, p); ok {
			return c
		}
		return b.valueIn(m, at.unit, in, p, next)
	}
	switch newest := now.newest(); {
	case next.state.held() && p >= newest:
		c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_AS_CELL, node: *next}
		c.node.setNewest(p)
		return c
	case !next.state.held() && p == newest:
		return b.valueIn(m, at.unit, m.spanOn(b.today), p, next)
	}
	return currentCell{}
}

// movedBy is the current value of a flow when one of its cells changes, without
// summing the others again: only where nothing but exact numbers comes or goes.
func movedBy(now, cell, next *node, p calendar.Period) (currentCell, bool) {
	plain := cell.state == Missing || cell.state == Reported && cell.qual == Exact
	if !plain || next.state != Reported || now.state != Missing && now.state != Reported {
		return currentCell{}, false
	}
	c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_TALLY}
	num, ok1 := addInt(now.num-cell.num, next.num) // now holds what cell does
	den, ok2 := addInt(now.den-cell.den, next.den)
	c.over = !ok1 || !ok2
	c.node = node{state: Reported, num: num, den: den, qual: max(now.qual, next.qual), excluded: now.excluded}
	c.node.setNewest(max(now.newest(), p))
	return c, true
}

// valueIn is what a unit's cells of some periods make: the newest of a stock, the
// sum of a flow. Where next is not nil it stands in the place of what the book has
// for the period instead.
func (b *Book) valueIn(m *Measure, unit unitIx, in span, instead calendar.Period, next *node) currentCell {
	c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_TALLY}
	for _, p := range b.periods(m.ix) {
		if in.holds(p) && (next == nil || p != instead) {
			n := b.cell(sheetKey{m.ix, p}, unit)
			c.take(m, p, &n)
		}
	}
	if next != nil && in.holds(instead) {
		c.take(m, instead, next)
	}
	return c
}

// take makes a cell a part of the value. The order of cells does not matter.
func (c *currentCell) take(m *Measure, p calendar.Period, n *node) {
	if !n.state.held() {
		return
	}
	if m.accumulation != typev1.Accumulation_ACCUMULATION_LAST {
		c.add(p, n)
	} else if p > c.node.newest() {
		c.node = *n
		c.node.setNewest(p)
	}
}

// add adds a cell of a flow.
func (c *currentCell) add(p calendar.Period, n *node) {
	c.node.setNewest(max(c.node.newest(), p))
	switch {
	case n.state == Reported:
		num, ok1 := addInt(c.node.num, n.num)
		den, ok2 := addInt(c.node.den, n.den)
		c.over = c.over || !ok1 || !ok2
		c.node.num, c.node.den, c.node.qual = num, den, max(c.node.qual, n.qual)
		c.node.excluded = c.node.excluded || c.node.state == Bare
		c.node.state = Reported
	case n.state == Bare && c.node.state == Reported:
		c.node.excluded = true
	case n.state == Bare || c.node.state == Missing:
		c.node.state = n.state
	}
}
