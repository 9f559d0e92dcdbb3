package book

import (
	"slices"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// View is the figures of a measure for a period, or the current ones of a day. It
// is good as long as the book does not change.
type View struct {
	b      *Book
	m      *Measure
	s      *sheet
	period calendar.Period // as it was asked for; Current for current figures
	tree   calendar.Period // by whose tree they are added
	day    calendar.Date   // that they stand for
	spans  bool            // the values are made of several periods' cells
	asOf   bool            // they are the current ones of an earlier day
	shared *Outlook        // of all units, once looked
	looked bool
	err    error // a total leaves the range of 64 bits
}

// Err refuses figures of which a total leaves the range of 64 bits: what would was
// refused when it came, but only for the sums that are kept. Of a view with an error
// no figure may be told.
func (v *View) Err() error { return v.err }

// View returns the figures of a period of the measure's calendar, or, with Current,
// those of today. A period longer than the measure's own is made of its parts: a
// flow adds them, of a stock the newest counts.
func (b *Book) View(m *Measure, p calendar.Period) *View {
	v := &View{b: b, m: m, period: p, tree: p, day: b.judgedOn(p), spans: p == Current}
	if p == Current || p.Length() == m.length {
		v.s = b.view(m, p)
		return v
	}
	v.spans = true
	parts := p.Split(m.length)
	v.s = b.spanSheet(m, v, span{parts[0], parts[len(parts)-1]})
	return v
}

// ViewAsOf returns the current figures of a day, not after today: made of the
// periods that had begun by then, added by the tree of that day, of the units to
// which the measure applied then.
func (b *Book) ViewAsOf(m *Measure, day calendar.Date) *View {
	if day >= b.today {
		return b.View(m, Current)
	}
	v := &View{b: b, m: m, period: Current, tree: calendar.From(day), day: day, spans: true, asOf: true}
	if m.Derived() {
		v.s = b.derivedSheet(m, day)
		return v
	}
	v.s = b.spanSheet(m, v, m.spanOn(day))
	return v
}

// Day is the day that the figures stand for.
func (v *View) Day() calendar.Date { return v.day }

// derivedSheet counts the tasks as they stood on a day.
func (b *Book) derivedSheet(m *Measure, day calendar.Date) *sheet {
	s := newSheet()
	s.nodes.Edit(b.unitIDs.Get(m.root)).sum = b.addTasks(m.key.programme, *m.derived, TaskFilter{}, day)
	return s
}

// rowsASum is how many rows it takes to add a unit's value to all sums above it.
const rowsASum = 4

// spanSheet adds up what the cells of several periods make.
func (b *Book) spanSheet(m *Measure, v *View, in span) *sheet {
	s := newSheet()
	r := b.ruleOf(m)
	for _, unit := range b.owers(m) {
		if !b.Spend(1) {
			break
		}
		if !r.appliesOn(b.unit(unit), r.current(v.day)) {
			continue
		}
		b.Spend(rowsASum + len(b.periods(m.ix)))
		n := s.nodes.Edit(unit)
		own := b.valueIn(m, unit, in, 0, nil)
		own.set(n)
		n.scoped = true
		part := n.part(m.kind)
		b.up(unit, v.tree, func(at unitIx) {
			above := s.nodes.Edit(at)
			sum, err := above.sum.Add(part)
			if above.sum = sum; err != nil || own.over {
				v.err = refuse(errorv1.Reason_REASON_OVERFLOW, "", "the total of %s at unit %s leaves the range of 64 bits", m.key.id, b.unit(at).id)
			}
			if n.counts() && n.qual != Exact {
				s.quals.Edit(at).add(n.qual, 1)
			}
		})
	}
	return s
}

// goal resolves the goal at a unit.
func (v *View) goal(unit unitIx) (Goal, bool) {
	if v.asOf && byPeriod(v.m) {
		return Goal{kind: v.m.target.GetGoal().GetKind(), why: GoalByPeriod}, true
	}
	return v.b.goalOf(v.m, unit, v.tree, v.s)
}

// byPeriod reports whether a goal is held against earlier periods.
func byPeriod(m *Measure) bool {
	kind := m.target.GetGoal().GetKind()
	return kind == registryv1.GoalKind_GOAL_KIND_BEAT || kind == registryv1.GoalKind_GOAL_KIND_GROWTH
}

// newest is the newest period, up to the view's day, for which some unit at or
// below one has reported; 0 when there is none.
func (v *View) newest(unit unitIx) calendar.Period {
	for _, p := range slices.Backward(v.b.periods(v.m.ix)) {
		v.b.Spend(1)
		if p <= v.m.periodOn(v.day) && v.b.sum(sheetKey{v.m.ix, p}, unit).Reporting > 0 {
			return p
		}
	}
	return 0
}
