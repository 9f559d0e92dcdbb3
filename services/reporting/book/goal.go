package book

import (
	"math/big"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// whole is 100 % of a ratio or yes/no goal, which are in millionths.
const whole = 1_000_000

// goalKey names an allocation.
type goalKey struct {
	measure measureIx
	unit    unitIx
}

// allocation is a unit's own goal. The zero allocation is none.
type allocation struct {
	set         bool
	value       int64
	baseline    int64
	hasBaseline bool
}

func (b *Book) setAllocation(a *registryv1.Allocation) error {
	programme, target, unit := allocationIDs(a.GetName())
	k := goalKey{b.measureIDs.Get(measureKey{programme, target}), b.unitIDs.Get(unit)}
	n := b.goalCounts.Get(k.measure)
	if b.goals.Get(k).set {
		n--
	}
	next := allocation{set: !a.GetRevoked(), value: a.GetValue(), baseline: a.GetBaseline(), hasBaseline: a.Baseline != nil}
	if next.set {
		n++
	}
	b.goals.Set(k, next)
	b.goalCounts.Set(k.measure, n)
	return nil
}

// Goal is what a total is held against, resolved for one unit. Counts are in the
// measure's fixed point, everything else in millionths of the whole.
type Goal struct {
	kind        registryv1.GoalKind
	value       int64
	baseline    int64
	hasBaseline bool
	ratio       bool // held against numerator over denominator
	strict      bool // a range that may not be exceeded
	high        int64
	beat        Tally     // what is to be beaten
	why         Undefined // why there is nothing to hold a total against
}

// falls reports whether progress is made downwards.
func (g Goal) falls() bool { return g.hasBaseline && g.value < g.baseline }

// goalOf resolves the goal of a measure at a unit, by the measure's present version
// and the tree and scope of a sheet.
func (b *Book) goalOf(m *Measure, unit unitIx, p calendar.Period, s *sheet) (Goal, bool) {
	if m.target == nil {
		return Goal{kind: registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE, value: whole, hasBaseline: true, ratio: true}, true
	}
	t := m.target.GetGoal()
	if t == nil {
		return Goal{}, false
	}
	g := Goal{kind: t.GetKind(), ratio: m.kind != typev1.ValueKind_VALUE_KIND_COUNT, strict: t.GetStrict(), high: t.GetHigh()}
	if g.kind == registryv1.GoalKind_GOAL_KIND_BEAT || g.kind == registryv1.GoalKind_GOAL_KIND_GROWTH {
		return b.goalOverTime(m, g, unit, p, s), true
	}
	own := allocation{set: true, value: t.GetValue(), baseline: t.GetBaseline(), hasBaseline: t.Baseline != nil}
	if g.kind == registryv1.GoalKind_GOAL_KIND_RANGE {
		own.value = t.GetLow()
	}
	a, ok := b.allocated(m, unit, p, s, own)
	if !ok {
		return Goal{}, false
	}
	g.value, g.baseline, g.hasBaseline = a.value, a.baseline, a.hasBaseline
	switch g.kind {
	case registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE:
		g.value, g.hasBaseline = whole, true
	case registryv1.GoalKind_GOAL_KIND_ZERO:
		g.value = 0
	case registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.GoalKind_GOAL_KIND_RANGE:
		g.hasBaseline = true // 0 unless stated
	}
	return g, true
}

// allocated finds the goal at a unit. Counts: its own allocation, at the root the
// target's goal, else the sum of those below if every applicable unit there is
// covered by one. Ratios and yes/no: the nearest allocation above, else the target's.
func (b *Book) allocated(m *Measure, unit unitIx, p calendar.Period, s *sheet, target allocation) (allocation, bool) {
	n := b.goalCounts.Get(m.ix)
	if m.kind != typev1.ValueKind_VALUE_KIND_COUNT {
		for at := unit; at != 0 && n > 0; at = b.unit(at).parentIn(p) {
			if a := b.goals.Get(goalKey{m.ix, at}); a.set {
				return a, true
			}
		}
		return target, true
	}
	if n > 0 {
		if a := b.goals.Get(goalKey{m.ix, unit}); a.set {
			return a, true
		}
	}
	if b.unit(unit).id == m.root {
		return target, true
	}
	if n == 0 {
		return allocation{}, false
	}
	return b.allocatedBelow(m, unit, p, s)
}

// allocatedBelow sums the goals of the units directly below: defined only if each
// of them that has an applicable unit has one.
func (b *Book) allocatedBelow(m *Measure, unit unitIx, p calendar.Period, s *sheet) (allocation, bool) {
	if own := s.nodes.Peek(unit); own != nil && own.scoped {
		return allocation{}, false // applicable itself, and without a goal of its own
	}
	sum, some := allocation{set: true, hasBaseline: true}, false
	for child := range b.childrenIn(unit, p) {
		n := s.nodes.Peek(child)
		if n == nil || n.sum.Expected == 0 {
			continue
		}
		a := b.goals.Get(goalKey{m.ix, child})
		if !a.set {
			var ok bool
			if a, ok = b.allocatedBelow(m, child, p, s); !ok {
				return allocation{}, false
			}
		}
		var ok1, ok2 bool
		sum.value, ok1 = addInt(sum.value, a.value)
		sum.baseline, ok2 = addInt(sum.baseline, a.baseline)
		if !ok1 || !ok2 {
			return allocation{}, false
		}
		sum.hasBaseline = sum.hasBaseline && a.hasBaseline
		some = true
	}
	return sum, some
}

// reaches reports whether progress towards the goal is at least the threshold, in
// hundredths of a percent, exactly. Without a value, a goal or a baseline to
// measure from, nothing is reached.
func (g Goal) reaches(t Tally, threshold int64) bool {
	if g.kind == registryv1.GoalKind_GOAL_KIND_BEAT {
		return threshold <= 10_000 && g.met(t)
	}
	if !g.hasBaseline || g.value == g.baseline || t.Reporting == 0 {
		return false
	}
	if !g.ratio {
		if g.falls() {
			return t.Num <= g.baseline && productAtLeast(g.baseline-t.Num, 10_000, threshold, g.baseline-g.value)
		}
		return t.Num >= g.baseline && productAtLeast(t.Num-g.baseline, 10_000, threshold, g.value-g.baseline)
	}
	if t.Den == 0 {
		return false
	}
	if max(g.value, g.baseline) > maxRatioGoal {
		return g.reachesBig(t, threshold)
	}
	// num/den against baseline + threshold·(goal − baseline), both times 10^10.
	line := 10_000*g.baseline + threshold*(g.value-g.baseline)
	if g.falls() {
		return line >= 0 && productAtLeast(t.Den, line, t.Num, 10_000*whole)
	}
	return productAtLeast(t.Num, 10_000*whole, t.Den, line)
}

// maxRatioGoal is up to where a ratio's goal, times the highest threshold, fits 64 bits.
const maxRatioGoal = 1_000_000 * whole

// reachesBig is reaches for the ratios that may exceed the whole by so much that
// 128 bits do not hold the products.
func (g Goal) reachesBig(t Tally, threshold int64) bool {
	num, den, why := g.progress(t)
	if why != Defined {
		return false
	}
	num.Mul(num, big.NewInt(10_000))
	line := new(big.Int).Mul(den, big.NewInt(threshold))
	if den.Sign() < 0 {
		return num.Cmp(line) <= 0
	}
	return num.Cmp(line) >= 0
}

// met reports whether the goal itself is met.
func (g Goal) met(t Tally) bool {
	if t.Reporting == 0 || g.ratio && t.Den == 0 || g.why != Defined {
		return false
	}
	if g.kind == registryv1.GoalKind_GOAL_KIND_BEAT {
		return g.beats(t)
	}
	atLeast := t.Num >= g.value
	atMost := t.Num <= g.value
	if g.ratio {
		atLeast = productAtLeast(t.Num, whole, t.Den, g.value)
		atMost = productAtLeast(t.Den, g.value, t.Num, whole)
	}
	switch g.kind {
	case registryv1.GoalKind_GOAL_KIND_AT_MOST, registryv1.GoalKind_GOAL_KIND_ZERO:
		return atMost && t.Reporting == t.Expected // a part of the units cannot show that all stay below
	case registryv1.GoalKind_GOAL_KIND_UNSPECIFIED:
		return false
	case registryv1.GoalKind_GOAL_KIND_RANGE:
		return atLeast && !(g.strict && g.above(t))
	}
	return atLeast
}

// progress returns (actual − baseline) / (goal − baseline) as a fraction, or why there is none.
func (g Goal) progress(t Tally) (num, den *big.Int, why Undefined) {
	switch {
	case g.why != Defined:
		return nil, nil, g.why
	case !g.hasBaseline:
		return nil, nil, NoBaseline
	case g.value == g.baseline:
		return nil, nil, BaselineIsGoal
	case t.Reporting == 0 && !g.ratio:
		return nil, nil, NothingReported
	case g.ratio && t.Den == 0:
		return nil, nil, ZeroDenominator
	}
	den = big.NewInt(g.value - g.baseline)
	if !g.ratio {
		return new(big.Int).Sub(big.NewInt(t.Num), big.NewInt(g.baseline)), den, Defined
	}
	num = new(big.Int).Mul(big.NewInt(t.Num), big.NewInt(whole))
	num.Sub(num, new(big.Int).Mul(big.NewInt(g.baseline), big.NewInt(t.Den)))
	return num, den.Mul(den, big.NewInt(t.Den)), Defined
}

// Undefined is why a percentage has no value; the numbers are the contract's.
type Undefined int

// The reasons.
const (
	Defined Undefined = iota
	NoGoal
	ZeroDenominator
	BaselineIsGoal
	NoBaseline
	NothingReported
	PreviousMissing
	PreviousZero
	GoalByPeriod
	GoalOverflow
)
