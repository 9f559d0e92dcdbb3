package check

import (
	"math/big"
	"slices"
	"strings"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// sum is what reported cells add up to.
type sum struct{ num, den, reporting int64 }

// sheet names the figures of a target in a period, "" for the current ones.
type sheet struct{ target, period string }

// node is a unit in a sheet.
type node struct {
	sheet
	unit string
}

// watched is a target as far as milestones need it.
type watched struct {
	kind         typev1.ValueKind
	accumulation typev1.Accumulation
	goal         *registryv1.Goal
	revision     int64
	rule         *registryv1.MilestoneRule
	root         string
}

// Fold recomputes totals and milestones from the events alone, by rules written anew:
// targets of counts, ratios and yes/no, last value or sum, goals of at least, on a
// tree that stands still. What it does not know it reports, rather than leave it out.
type Fold struct {
	path     map[string]string // of each unit
	level    map[string]string // of each unit
	roots    map[string]string // root unit of each programme
	targets  map[string]*watched
	scope    map[string]map[string]bool // units that are expected, by target
	missing  map[string]int64           // denominator of a unit that has not reported
	expected map[string]map[string]int64
	cells    map[Cell]sum
	periods  map[[2]string][]string // periods that have a value, ascending, by target and unit
	sums     map[node]sum

	marks      map[mark]state
	due        []*eventv1.MilestoneCrossed // crossings that must follow
	dueReached []bool
	cause      uint64
	crossed    map[crossing]uint64
	milestones Report
}

func newFold() *Fold {
	return &Fold{path: make(map[string]string), level: make(map[string]string), roots: make(map[string]string), targets: make(map[string]*watched), scope: make(map[string]map[string]bool),
		missing: make(map[string]int64), expected: make(map[string]map[string]int64), cells: make(map[Cell]sum),
		periods: make(map[[2]string][]string), sums: make(map[node]sum), marks: make(map[mark]state),
		crossed: make(map[crossing]uint64), milestones: Report{Name: "milestones"}}
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// upwards are the units of a path, from the last to the root.
func upwards(path string) []string {
	units := strings.Split(path, ".")
	slices.Reverse(units)
	return units
}

func (f *Fold) take(e *eventv1.Event) {
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_RegistryChanged:
		f.registry(e, p.RegistryChanged)
	case *eventv1.Event_ScopeChanged:
		f.scoped(p.ScopeChanged)
	case *eventv1.Event_SubmissionAccepted:
		f.record(e, p.SubmissionAccepted)
	case *eventv1.Event_SubmissionWithdrawn:
		f.record(e, p.SubmissionWithdrawn)
	case *eventv1.Event_MilestoneReached:
		f.cross(e, p.MilestoneReached, true)
	case *eventv1.Event_MilestoneRevoked:
		f.cross(e, p.MilestoneRevoked, false)
	case *eventv1.Event_MilestoneCarried:
		f.carried(p.MilestoneCarried)
	case *eventv1.Event_UnitMoved:
		if m := p.UnitMoved; m.GetOldPath() != "" && m.GetOldPath() != m.GetPath() {
			f.milestones.breach("event %d moves %s, which this recomputation does not know", e.GetSequence(), m.GetUnit())
		}
	}
}

func (f *Fold) registry(e *eventv1.Event, c *eventv1.RegistryChanged) {
	if u := c.GetChange().GetUnit(); u != nil {
		id := strings.TrimPrefix(u.GetName(), "units/")
		if f.path[id] == "" {
			f.path[id] = id
			if above := c.GetPath(); above != "" {
				f.path[id] = above + "." + id
			}
			f.level[id] = u.GetPlacements()[len(u.GetPlacements())-1].GetLevel()
		}
	}
	if p := c.GetChange().GetProgramme(); p != nil {
		f.roots[e.GetProgramme()] = p.GetRootUnit()
	}
	if t := c.GetChange().GetTarget(); t != nil {
		id := t.GetName()[strings.LastIndexByte(t.GetName(), '/')+1:]
		f.targets[id] = &watched{kind: t.GetValueKind(), accumulation: t.GetAccumulation(), goal: t.GetGoal(),
			revision: c.GetChange().GetRevision(), rule: t.GetMilestones(), root: f.roots[e.GetProgramme()]}
	}
}

func (f *Fold) scoped(s *eventv1.ScopeChanged) {
	t := s.GetTarget()
	f.missing[t] = s.GetMissingDenominator()
	if !s.GetCurrent() || !s.GetPeriods() && s.GetFirstPeriod() != "" {
		return
	}
	if f.scope[t] == nil {
		f.scope[t], f.expected[t] = make(map[string]bool), make(map[string]int64)
	}
	count := func(unit string, by int64) {
		for _, u := range upwards(f.path[unit]) {
			f.expected[t][u] += by
		}
	}
	for _, u := range s.GetBegins() {
		if !f.scope[t][u] {
			f.scope[t][u] = true
			count(u, 1)
		}
	}
	for _, u := range s.GetCeases() {
		if f.scope[t][u] {
			delete(f.scope[t], u)
			count(u, -1)
		}
	}
}

// Total is what a target comes to at a unit, in a period or, with "", now.
func (f *Fold) Total(target, unit, period string) *typev1.Tally {
	s, expected := f.sums[node{sheet{target, period}, unit}], f.expected[target][unit]
	return &typev1.Tally{Numerator: s.num, Denominator: s.den + (expected-s.reporting)*f.missing[target],
		Reporting: int32(s.reporting), Expected: int32(expected)}
}

// record moves the totals of the cell's period and the current ones, and finds out
// which thresholds they cross.
func (f *Fold) record(e *eventv1.Event, r *eventv1.SubmissionRecorded) {
	f.settled()
	f.cause = e.GetSequence()
	c := Cell{r.GetTarget(), lastOf(r.GetPath()), r.GetPeriod()}
	path := f.path[c.Unit]
	if path != r.GetPath() || f.targets[c.Target] == nil {
		f.milestones.breach("event %d is about %s at %s, which this recomputation does not know", f.cause, c.Target, r.GetPath())
		return
	}
	was := f.current(c)
	before := f.cells[c]
	var now sum
	switch r.GetState() {
	case eventv1.CellState_CELL_STATE_REPORTED:
		now = sum{r.GetTally().GetNumerator(), r.GetTally().GetDenominator(), 1}
	case eventv1.CellState_CELL_STATE_WITHDRAWN:
	default:
		f.milestones.breach("event %d leaves %v, which this recomputation does not know", f.cause, r.GetState())
	}
	f.cells[c] = now
	f.hold(c, now.reporting == 1)
	f.move(e, sheet{c.Target, c.Period}, path, before, now)
	f.move(e, sheet{c.Target, ""}, path, was, f.current(c))
}

// hold keeps the list of the periods for which a unit has a value.
func (f *Fold) hold(c Cell, held bool) {
	k := [2]string{c.Target, c.Unit}
	at, found := slices.BinarySearch(f.periods[k], c.Period)
	switch {
	case held && !found:
		f.periods[k] = slices.Insert(f.periods[k], at, c.Period)
	case !held && found:
		f.periods[k] = slices.Delete(f.periods[k], at, at+1)
	}
}

// current is the part of a unit in the current total.
func (f *Fold) current(c Cell) sum {
	periods := f.periods[[2]string{c.Target, c.Unit}]
	if len(periods) == 0 {
		return sum{}
	}
	if f.targets[c.Target].accumulation == typev1.Accumulation_ACCUMULATION_LAST {
		return f.cells[Cell{c.Target, c.Unit, periods[len(periods)-1]}]
	}
	all := sum{reporting: 1}
	for _, p := range periods {
		s := f.cells[Cell{c.Target, c.Unit, p}]
		all.num, all.den = all.num+s.num, all.den+s.den
	}
	return all
}

func (f *Fold) move(e *eventv1.Event, s sheet, path string, before, after sum) {
	if before == after {
		return
	}
	for _, u := range upwards(path) {
		n := node{s, u}
		was := f.Total(s.target, u, s.period)
		t := f.sums[n]
		f.sums[n] = sum{t.num + after.num - before.num, t.den + after.den - before.den, t.reporting + after.reporting - before.reporting}
		f.judge(n, was, f.Total(s.target, u, s.period))
	}
}

// Totals compares figures of the API with the recomputed ones.
func (f *Fold) Totals(figures []*reportingv1.Figure) *Report {
	r := &Report{Name: "totals", Looked: len(figures)}
	for _, got := range figures {
		want := f.Total(got.GetTarget(), got.GetUnit(), got.GetPeriod())
		g := got.GetTally()
		if g.GetNumerator() != want.GetNumerator() || g.GetDenominator() != want.GetDenominator() ||
			g.GetReporting() != want.GetReporting() || g.GetExpected() != want.GetExpected() || g.GetExcluded() != 0 {
			r.breach("%s at %s, period %q, is %v by the API and %v by the log", got.GetTarget(), got.GetUnit(), got.GetPeriod(), g, want)
		}
	}
	return r
}

// atLeast reports a·b ≥ c·d exactly.
func atLeast(a, b, c, d int64) bool {
	x := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return x.Cmp(new(big.Int).Mul(big.NewInt(c), big.NewInt(d))) >= 0
}
