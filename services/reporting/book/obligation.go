package book

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/layer"
)

// ObligationState is where something owed stands; the numbers are the contract's.
type ObligationState uint8

// The states of what is owed.
const (
	ObligationDue       ObligationState = iota + 1 // outstanding, and not past its due date and grace
	ObligationSubmitted                            // it came, and waits to be accepted
	ObligationAccepted                             // it came in time
	ObligationLate                                 // it came late
	ObligationMissing                              // outstanding, past its due date and grace
	ObligationExcused                              // it need not be done
	ObligationSkipped                              // the unit said that it had nothing to report

	obligationStates = iota + 1 // one more than there are
)

// Obligation is something that a unit owes.
type Obligation struct {
	Unit     *Unit
	Level    string // in the period
	Path     string // by the tree of the period
	State    ObligationState
	Due      calendar.Date // exceptions included; 0 when it is excused
	Original calendar.Date // before any exception
	Came     calendar.Date // 0 when it did not
	Present  int           // values that came, of those expected; of a report
	Expected int           // values that are expected, of a report
	Overdue  int           // days past the due date of what is outstanding; else 0
}

// UnitObligations counts what a unit and all below it owe, by state.
type UnitObligations struct {
	Unit   *Unit
	Counts [obligationStates]int64 // by ObligationState; [0] is none
}

// ObligationFilter says which of what is owed is meant.
type ObligationFilter struct {
	States []ObligationState // empty: all
	Levels []string          // empty: all
}

// Obligations are what units owe under a regime in a period, or of a task. It is
// good as long as the book does not change.
type Obligations struct {
	b      *Book
	m      *Measure
	period calendar.Period // Current of a task
	day    calendar.Date   // by which units and their levels are judged
	today  calendar.Date   // by which it is judged what is missing already
	s      *sheet          // nil of a period that nothing is kept of yet
	none   node            // of a unit that owes something then
	scope  *layer.Column[[]calendar.Period]
	values []valuesOf // of a regime: what its reports are made of
	known  dues
}

// valuesOf is a target under a regime.
type valuesOf struct {
	scope *layer.Column[[]calendar.Period]
	cells *sheet // of the period; nil when nothing was reported
}

// Obligations returns what is owed under a regime in one of its periods, or, with
// Current, of a task.
func (b *Book) Obligations(m *Measure, p calendar.Period) *Obligations {
	o := &Obligations{b: b, m: m, period: p, day: b.judgedOn(p), today: b.today, s: b.sheet(sheetKey{m.ix, p}),
		scope: b.sheet(sheetKey{m.ix, Current}).scope}
	if m.regime != nil {
		for _, t := range b.targetsUnder(m) {
			o.values = append(o.values, valuesOf{b.sheet(sheetKey{t.ix, Current}).scope, b.sheet(sheetKey{t.ix, p})})
		}
	}
	return o
}

// AsOf makes them those of the end of a day, not after today: what is outstanding was
// missing then, or not yet. What has come since has come.
func (o *Obligations) AsOf(day calendar.Date) *Obligations {
	o.today = min(day, o.today)
	return o
}

// IsTask reports whether its cells are completions of a task.
func (m *Measure) IsTask() bool { return m.task != nil }

// Root returns the id of the unit at the top of the measure's programme.
func (m *Measure) Root() string { return m.root }

// OwnPeriod reads the name of one of the periods for which the measure is reported.
func (m *Measure) OwnPeriod(name string) (calendar.Period, error) {
	p, err := m.cut.Parse(name)
	if err == nil && p.Length() != m.length {
		err = fmt.Errorf("%s has periods such as %s, not %s", m.key.id, m.cut.Of(p.LastDay(), m.length), name)
	}
	return p, err
}

// owed returns what is kept of a unit's obligation; no node when it has none.
func (o *Obligations) owed(unit unitIx) (*node, duty) {
	if o.s == nil {
		if turns := o.scope.Peek(unit); turns != nil && scopedIn(*turns, o.period) {
			return &o.none, duty{}
		}
		return nil, duty{}
	}
	if n := o.s.nodes.Peek(unit); n != nil && n.scoped {
		return n, o.s.duties.At(unit)
	}
	return nil, duty{}
}

// state tells where a unit's obligation stands.
func (o *Obligations) state(u *Unit, n *node, d duty) ObligationState {
	switch {
	case o.m.task != nil && n.state == NotApplicable:
		return ObligationSkipped
	case o.m.task != nil && n.state == Awaiting:
		return ObligationSubmitted
	case d.came != 0 && d.values > 0 && d.nothing == d.values:
		return ObligationSkipped
	case d.came != 0 && o.inTime(u, n, d):
		return ObligationAccepted
	case d.came != 0:
		return ObligationLate
	case d.excused:
		return ObligationExcused
	}
	if _, last := o.b.deadline(o.m, u, o.period, d, &o.known); o.today > last {
		return ObligationMissing
	}
	return ObligationDue
}

// inTime reports whether what came did so in time. Of a report that was settled when
// it came, whatever was changed about its due date since.
func (o *Obligations) inTime(u *Unit, n *node, d duty) bool {
	if o.m.regime != nil {
		return n.num == 1
	}
	_, last := o.b.deadline(o.m, u, o.period, d, &o.known)
	return d.came <= last
}

// List returns up to limit obligations of the units at or below top, by unit id,
// after a given id, and whether there are more.
func (o *Obligations) List(top *Unit, f ObligationFilter, after string, limit int) ([]Obligation, bool) {
	type owing struct {
		u     *Unit
		state ObligationState
	}
	var found []owing
	o.walk(top.ix, func(u *Unit, n *node, d duty) {
		if u.id <= after || len(f.Levels) > 0 && !slices.Contains(f.Levels, u.near(o.day).level) {
			return
		}
		if state := o.state(u, n, d); len(f.States) == 0 || slices.Contains(f.States, state) {
			o.b.Spend(rowsASort)
			found = append(found, owing{u, state})
		}
	})
	slices.SortFunc(found, func(x, y owing) int { return strings.Compare(x.u.id, y.u.id) })
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	out := make([]Obligation, len(found))
	for i, at := range found {
		if !o.b.Spend(rowsAFigure + len(o.values)) {
			return out[:i], more
		}
		out[i] = o.obligation(at.u, at.state)
	}
	return out, more
}

// walk calls do for each unit at or below top that owes something, in no order.
func (o *Obligations) walk(top unitIx, do func(*Unit, *node, duty)) {
	visit := func(ix unitIx) {
		if n, d := o.owed(ix); n != nil && o.b.Spend(2) {
			do(o.b.unit(ix), n, d)
		}
	}
	visit(top)
	for ix := range o.b.under(top, o.period) {
		visit(ix)
	}
}

// obligation tells all about a unit's obligation that stands in a state.
func (o *Obligations) obligation(u *Unit, state ObligationState) Obligation {
	_, d := o.owed(u.ix)
	out := Obligation{Unit: u, Level: u.near(o.day).level, Path: o.b.path(u.ix, o.period), State: state, Came: d.came}
	out.Original, _ = o.b.deadline(o.m, u, o.period, duty{}, &o.known)
	if state != ObligationExcused {
		out.Due, _ = o.b.deadline(o.m, u, o.period, d, &o.known)
	}
	if state == ObligationDue || state == ObligationMissing {
		out.Overdue = max(0, int(o.today-out.Due))
	}
	for _, v := range o.values {
		if turns := v.scope.Peek(u.ix); turns == nil || !scopedIn(*turns, o.period) {
			continue
		}
		out.Expected++
		if v.cells == nil {
			continue
		}
		if cell := v.cells.nodes.Peek(u.ix); cell != nil && cell.state.held() {
			out.Present++
		}
	}
	return out
}

// Count counts what the units at or below top owe, and the same of each unit
// directly below it, by unit id.
func (o *Obligations) Count(top *Unit) (total UnitObligations, children []UnitObligations) {
	total.Unit = top
	if n, d := o.owed(top.ix); n != nil {
		total.Counts[o.state(top, n, d)]++
	}
	for ix := range o.b.childrenIn(top.ix, o.period) {
		child := UnitObligations{Unit: o.b.unit(ix)}
		o.walk(ix, func(u *Unit, n *node, d duty) { child.Counts[o.state(u, n, d)]++ })
		if _, exists := child.Unit.on(o.day); !exists && child.Counts == (UnitObligations{}).Counts {
			continue
		}
		children = append(children, child)
		for state, n := range child.Counts {
			total.Counts[state] += n
		}
	}
	slices.SortFunc(children, func(x, y UnitObligations) int { return strings.Compare(x.Unit.id, y.Unit.id) })
	return total, children
}
