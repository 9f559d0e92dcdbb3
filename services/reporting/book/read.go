package book

import (
	"math/big"
	"slices"
	"strings"

	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Figure is the total of a unit and everything below it.
type Figure struct {
	Measure   *Measure
	Unit      *Unit
	Kind      typev1.UnitKind // in the period
	Level     string
	Period    calendar.Period
	Total     Tally
	Qualifier Qualifier
	Goal      Goal
	HasGoal   bool
	Own       Own
	Day       calendar.Date   // that it stands for
	Newest    calendar.Period // newest period with a report at or below the unit; 0 for none
	Outlook   *Outlook        // of its goal; nil where no status is told
}

// Own is a unit's own part of a figure.
type Own struct {
	State      State
	Expected   bool
	Tally      Tally
	Qualifier  Qualifier
	Revision   uint32 // of the cell; for a current figure of its newest cell
	Sequence   uint64 // of the event that made it
	Newest     string // period of the newest cell; empty when nothing was reported
	BareValue  int64
	BareScale  int
	HasPercent bool // BareValue is set
}

// view is a sheet to be read, also of a period that nobody reported for yet.
func (b *Book) view(m *Measure, p calendar.Period) *sheet {
	if s := b.sheet(sheetKey{m.ix, p}); s != nil {
		return s
	}
	return b.emptySheet(m, p)
}

// rowsASort is how many rows it takes to find a unit and put it into its place in a list.
const rowsASort = 8

// rowsAFigure is how many rows it takes to tell a figure.
const rowsAFigure = 10

// Figure returns the total of a unit.
func (v *View) Figure(u *Unit) Figure {
	v.b.Spend(rowsAFigure)
	n := v.s.nodes.At(u.ix)
	at := u.near(v.day)
	f := Figure{Measure: v.m, Unit: u, Kind: at.kind, Level: at.level, Period: v.period, Day: v.day,
		Total: n.sum, Qualifier: v.s.quals.At(u.ix).weakest(), Own: v.own(u.ix, &n), Newest: v.newest(u.ix)}
	if f.Goal, f.HasGoal = v.goal(u.ix); f.HasGoal {
		f.Outlook = v.outlook(u.ix)
	}
	return f
}

// own tells what the unit itself reported.
func (v *View) own(unit unitIx, n *node) Own {
	o := Own{State: n.state, Expected: n.scoped, Tally: n.part(v.m.kind), Qualifier: n.qual}
	if v.m.controlled() && n.state == Reported {
		shown := *n // though it is no part of any total
		shown.scoped = true
		o.Tally = shown.part(v.m.kind)
	}
	p := v.period
	if v.spans {
		p = n.newest()
	}
	if p == 0 {
		return o
	}
	cell := v.b.cell(sheetKey{v.m.ix, p}, unit)
	o.Revision, o.Sequence = cell.rev, cell.last()
	if cell.rev > 0 {
		o.Newest = p.String()
	}
	if n.state == Bare && cell.state == Bare {
		o.BareValue, o.BareScale, o.HasPercent = cell.num, int(cell.den), true
	}
	return o
}

// Percent is numerator over denominator for display, empty with the reason where
// it is undefined. Counts have none and no reason.
func (f *Figure) Percent() (string, Undefined) {
	switch {
	case f.Measure.kind == typev1.ValueKind_VALUE_KIND_COUNT:
		return "", Defined
	case f.Total.Den == 0:
		return "", ZeroDenominator
	}
	return Percent(big.NewInt(f.Total.Num), big.NewInt(f.Total.Den), f.Measure.percent), Defined
}

// Fraction is progress towards the goal, nil with the reason where it is undefined.
func (f *Figure) Fraction() (*big.Rat, Undefined) {
	if !f.HasGoal {
		return nil, NoGoal
	}
	num, den, why := f.Goal.progress(f.Total)
	if why != Defined {
		return nil, why
	}
	return new(big.Rat).SetFrac(num, den), Defined
}

// Progress is progress towards the goal for display, empty with the reason where
// it is undefined.
func (f *Figure) Progress() (string, Undefined) {
	p, why := f.Fraction()
	return f.Display(p), why
}

// Display prints a fraction in percent with the target's decimals; empty for nil.
func (f *Figure) Display(r *big.Rat) string {
	if r == nil {
		return ""
	}
	return Percent(r.Num(), r.Denom(), f.Measure.percent)
}

// GoalMet reports whether the goal is met.
func (f *Figure) GoalMet() bool { return f.HasGoal && f.Goal.met(f.Total) }

// Value and Baseline tell what the total is held against.
func (g Goal) Value() int64 { return g.value }

// Baseline returns where one started, and whether there is such a thing.
func (g Goal) Baseline() (int64, bool) { return g.baseline, g.hasBaseline }

// ID returns the measure's id.
func (m *Measure) ID() string { return m.key.id }

// Programme returns the id of the measure's programme.
func (m *Measure) Programme() string { return m.key.programme }

// Kind returns what units report.
func (m *Measure) Kind() typev1.ValueKind { return m.kind }

// Decimals returns the decimals of the fixed point.
func (m *Measure) Decimals() int { return m.decimals }

// Revision returns the registry revision of the measure's present version.
func (m *Measure) Revision() int64 { return m.revision }

// Name returns what people call the unit.
func (u *Unit) Name() string { return u.name }

// Selection says which units below one are meant.
type Selection struct {
	Descendants bool // at any depth; else only those directly below
	Kinds       []typev1.UnitKind
	Levels      []string
	Keep        func(*Own) bool // by what the unit itself reported; nil keeps all
}

// Figures returns up to limit figures of the units below top, by unit id, after a
// given id, and whether there are more.
func (v *View) Figures(top *Unit, sel Selection, after string, limit int) ([]Figure, bool) {
	var found []*Unit
	units := v.b.childrenIn(top.ix, v.tree)
	if sel.Descendants {
		units = v.b.under(top.ix, v.tree)
	}
	for ix := range units {
		u := v.b.unit(ix)
		if u.id <= after {
			continue
		}
		at, exists := u.on(v.day)
		n := v.s.nodes.Peek(ix)
		if !exists && (n == nil || n.sum == (Tally{}) && n.state == Missing) {
			continue
		}
		if len(sel.Kinds) > 0 && !slices.Contains(sel.Kinds, at.kind) || len(sel.Levels) > 0 && !slices.Contains(sel.Levels, at.level) {
			continue
		}
		if sel.Keep != nil {
			at := v.s.nodes.At(ix)
			if o := v.own(ix, &at); !sel.Keep(&o) {
				continue
			}
		}
		v.b.Spend(rowsASort)
		found = append(found, u)
	}
	slices.SortFunc(found, func(x, y *Unit) int { return strings.Compare(x.id, y.id) })
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	out := make([]Figure, len(found))
	for i, u := range found {
		out[i] = v.Figure(u)
	}
	return out, more
}

// ByKind splits a figure by the kinds of the units that make it, in the order of
// the contract's numbers. The tallies add up to the figure.
func (v *View) ByKind(top *Unit) ([]typev1.UnitKind, []Tally) {
	sums := make(map[typev1.UnitKind]Tally)
	v.parts(top, func(u *Unit, n *node) {
		kind := u.near(v.day).kind
		sums[kind], _ = sums[kind].Add(n.part(v.m.kind)) // no more than the total, which fits
	})
	var kinds []typev1.UnitKind
	for k := range sums {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	tallies := make([]Tally, len(kinds))
	for i, k := range kinds {
		tallies[i] = sums[k]
	}
	return kinds, tallies
}

// parts calls do for each unit expected at or below top.
func (v *View) parts(top *Unit, do func(*Unit, *node)) {
	part := func(ix unitIx) {
		if n := v.s.nodes.Peek(ix); n != nil && n.scoped && v.b.Spend(2) {
			do(v.b.unit(ix), n)
		}
	}
	part(top.ix)
	for ix := range v.b.under(top.ix, v.tree) {
		part(ix)
	}
}

// Contribution is one unit's part of a figure.
type Contribution struct {
	Unit *Unit
	Path string
	Own  Own
}

// Contributions returns up to limit parts of a figure, by unit id, after a given
// id, and whether there are more. All of them add up to the figure.
func (v *View) Contributions(top *Unit, after string, limit int) ([]Contribution, bool) {
	var out []Contribution
	v.parts(top, func(u *Unit, n *node) {
		if u.id > after && v.b.Spend(rowsASort) {
			out = append(out, Contribution{Unit: u, Own: v.own(u.ix, n)})
		}
	})
	slices.SortFunc(out, func(x, y Contribution) int { return strings.Compare(x.Unit.id, y.Unit.id) })
	more := len(out) > limit
	out = out[:min(limit, len(out))]
	for i := range out {
		if !v.b.Spend(rowsAFigure) {
			break
		}
		out[i].Path = v.b.path(out[i].Unit.ix, v.tree)
	}
	return out, more
}

// Upwards returns the figures of a unit and of each unit above it, from the unit
// to the root.
func (v *View) Upwards(u *Unit) []Figure {
	var out []Figure
	v.b.up(u.ix, v.tree, func(at unitIx) { out = append(out, v.Figure(v.b.unit(at))) })
	return out
}

// Cell returns the revision of a cell and the number of its newest event; zeros
// when nothing was reported.
func (b *Book) Cell(m *Measure, u *Unit, p calendar.Period) (revision uint32, last uint64) {
	n := b.cell(sheetKey{m.ix, p}, u.ix)
	return n.rev, n.last()
}

// CellCount counts the cells that were ever reported.
func (b *Book) CellCount() int64 {
	var n int64
	for k, s := range b.sheets {
		if k.period == Current {
			continue
		}
		s.nodes.All(func(_ int32, at *node) bool {
			if at.rev > 0 {
				n++
			}
			return true
		})
	}
	return n
}

// Moved returns the total that a key of TakeTouched names, and its path.
func (b *Book) Moved(k FigureKey) (m *Measure, path string, total Tally, q Qualifier) {
	m = b.measure(k.Measure)
	s := b.sheet(sheetKey{k.Measure, Current})
	return m, b.path(k.Unit, Current), s.sum(k.Unit), s.quals.At(k.Unit).weakest()
}

// Measures lists the targets, tasks, derived counts and regimes of a programme, by id.
func (b *Book) Measures(programme string) []*Measure {
	all := b.measuresOf(programme)
	slices.SortFunc(all, func(x, y *Measure) int { return strings.Compare(x.key.id, y.key.id) })
	return all
}

// Each yields the figure of each unit of which a view says anything, by unit id.
func (v *View) Each(yield func(Figure) bool) {
	var units []*Unit
	v.s.nodes.All(func(ix int32, n *node) bool {
		if n.sum != (Tally{}) || n.scoped {
			units = append(units, v.b.unit(ix))
		}
		return true
	})
	slices.SortFunc(units, func(x, y *Unit) int { return strings.Compare(x.id, y.id) })
	for _, u := range units {
		if !v.b.Spend(1) || !yield(v.Figure(u)) {
			return
		}
	}
}

// EndedBy is the newest of the measure's periods that had ended when a day ended.
func (m *Measure) EndedBy(day calendar.Date) calendar.Period {
	p := m.periodOn(day)
	if p.LastDay() > day {
		p = p.Prev()
	}
	return p
}

// Parents are the units that stand above others today, by the Unit of a FigureKey.
func (b *Book) Parents() map[int32]bool {
	parents := make(map[unitIx]bool)
	for ix := unitIx(1); ix <= b.unitCount; ix++ {
		parents[b.unit(ix).parent] = true
	}
	return parents
}

// Board lists the current totals of all units that stand above others, of every measure.
func (b *Book) Board() []FigureKey {
	parents := b.Parents()
	var keys []FigureKey
	for ix := measureIx(1); ix <= b.measureN; ix++ {
		for unit := unitIx(1); unit <= b.unitCount && b.measure(ix).regime == nil; unit++ {
			if parents[unit] && b.sum(sheetKey{ix, Current}, unit) != (Tally{}) {
				keys = append(keys, FigureKey{ix, unit})
			}
		}
	}
	return keys
}
