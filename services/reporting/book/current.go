package book

import (
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// currentCell is a unit's current value, as it is or would be.
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
		from := calendar.Month(0)
		if m.accumulation == typev1.Accumulation_ACCUMULATION_SUM_YEAR {
			if from = b.window; p < from || p.Year() != from.Year() {
				return currentCell{}
			}
		}
		if c, ok := movedBy(&now, cell, next, p); ok {
			return c
		}
		return b.currentOf(m, at.unit, from, p, next)
	}
	newest := now.newest() - 1
	switch {
	case next.state.held() && p >= newest:
		c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_AS_CELL, node: *next}
		c.node.setNewest(p + 1)
		return c
	case next.state == Withdrawn && p == newest:
		return b.newestBefore(m, at.unit, p)
	}
	return currentCell{}
}

// movedBy is the current value of a flow when one of its cells changes, without
// summing the others again: only where nothing but exact numbers comes or goes.
func movedBy(now, cell, next *node, p calendar.Month) (currentCell, bool) {
	plain := cell.state == Missing || cell.state == Reported && cell.qual == Exact
	if !plain || next.state != Reported || now.state != Missing && now.state != Reported {
		return currentCell{}, false
	}
	c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_TALLY}
	num, ok1 := addInt(now.num-cell.num, next.num) // now holds what cell does
	den, ok2 := addInt(now.den-cell.den, next.den)
	c.over = !ok1 || !ok2
	c.node = node{state: Reported, num: num, den: den, qual: max(now.qual, next.qual), excluded: now.excluded}
	c.node.setNewest(max(now.newest(), p+1))
	return c, true
}

// newestBefore is a unit's current stock when its cell of a period is taken away:
// that of the newest earlier period that has one.
func (b *Book) newestBefore(m *Measure, unit unitIx, p calendar.Month) currentCell {
	c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_TALLY}
	for _, q := range b.periods(m.ix) {
		if n := b.cell(sheetKey{m.ix, q}, unit); q < p && n.state.held() {
			c.node = n
			c.node.setNewest(q + 1)
		}
	}
	return c
}

// currentOf sums a unit's cells of the periods from one on, of a flow. Where next
// is not nil it stands in the place of what the book has for a period.
func (b *Book) currentOf(m *Measure, unit unitIx, from, instead calendar.Month, next *node) currentCell {
	c := currentCell{change: eventv1.CurrentChange_CURRENT_CHANGE_TALLY}
	counts := func(q calendar.Month) bool {
		return q >= from && (m.accumulation != typev1.Accumulation_ACCUMULATION_SUM_YEAR || q.Year() == from.Year())
	}
	for _, q := range b.periods(m.ix) {
		if counts(q) && (next == nil || q != instead) {
			n := b.cell(sheetKey{m.ix, q}, unit)
			c.add(q, &n)
		}
	}
	if next != nil && counts(instead) {
		c.add(instead, next)
	}
	return c
}

// add makes a cell a part of the sum. The order of cells does not matter.
func (c *currentCell) add(p calendar.Month, n *node) {
	if !n.state.held() {
		return
	}
	c.node.setNewest(max(c.node.newest(), p+1))
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
