package book

import (
	"math/big"
	"slices"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// goalOverTime resolves a goal that is held against an earlier period, or that
// grows from period to period.
func (b *Book) goalOverTime(m *Measure, g Goal, unit unitIx, p calendar.Period, s *sheet) Goal {
	t := m.target.GetGoal()
	if g.kind == registryv1.GoalKind_GOAL_KIND_GROWTH && t.GetGrowthMode() == registryv1.GrowthMode_GROWTH_MODE_COMPOUND {
		return b.compound(m, g, unit, p, s)
	}
	if p == Current {
		g.why = GoalByPeriod
		return g
	}
	earlier := p.Prev()
	if t.GetBeat() == registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR {
		earlier = p.YearBefore()
	}
	before, ok := b.earlier(m, unit, earlier)
	switch {
	case !ok:
		g.why = PreviousMissing
	case g.kind == registryv1.GoalKind_GOAL_KIND_BEAT:
		g.beat = before
		if g.value = 0; !g.ratio {
			g.value = before.Num
		}
	case before.Num == 0:
		g.why = PreviousZero
	default:
		g.baseline, g.hasBaseline = before.Num, true
		g.value, g.why = grown(before.Num, t.GetGrowth(), 1)
	}
	return g
}

// compound is a goal that grows from the baseline's period on.
func (b *Book) compound(m *Measure, g Goal, unit unitIx, p calendar.Period, s *sheet) Goal {
	t, grows := m.target.GetGoal(), p
	if p == Current {
		grows = m.periodOn(b.today)
	}
	if grows.Length() != m.length {
		g.why = GoalByPeriod
		return g
	}
	own := allocation{set: true, baseline: t.GetBaseline(), hasBaseline: t.Baseline != nil}
	a, ok := b.allocated(m, unit, p, s, own)
	switch {
	case !ok:
		g.why = NoGoal
	case !a.hasBaseline:
		g.why = NoBaseline
	case a.baseline == 0:
		g.why = PreviousZero
	default:
		g.baseline, g.hasBaseline = a.baseline, true
		n := grows.Since(m.periodOn(dateOr(t.GetBaselineDate(), 0)))
		g.value, g.why = grown(a.baseline, t.GetGrowth(), max(0, n))
	}
	return g
}

// earlier returns a unit's total of an earlier period, and whether as many units
// have reported it as must have to be judged by.
func (b *Book) earlier(m *Measure, unit unitIx, p calendar.Period) (Tally, bool) {
	s := b.sheet(sheetKey{m.ix, p})
	if s == nil {
		return Tally{}, false // nobody reported for it, or it is longer than the target's periods
	}
	t := s.sum(unit)
	if t.Reporting == 0 || int64(t.Reporting)*10_000 < m.watch.minReporting*int64(t.Expected) {
		return t, false
	}
	return t, m.kind == typev1.ValueKind_VALUE_KIND_COUNT || t.Den > 0
}

// grown is the least whole number that is at least base·(1+rate)^n, the rate in
// millionths. A total is at least the one exactly when it is at least the other.
func grown(base, rate int64, n int) (int64, Undefined) {
	const most = 400 // beyond it nothing of use is left within 64 bits
	if n > most {
		return 0, GoalOverflow
	}
	power := big.NewInt(int64(n))
	num := new(big.Int).Exp(big.NewInt(whole+rate), power, nil)
	den := new(big.Int).Exp(big.NewInt(whole), power, nil)
	num.Mul(num, big.NewInt(base)).Add(num, den).Sub(num, big.NewInt(1)).Quo(num, den)
	if !num.IsInt64() {
		return 0, GoalOverflow
	}
	return num.Int64(), Defined
}

// beats reports whether a total is strictly above what is to be beaten.
func (g Goal) beats(t Tally) bool {
	if !g.ratio {
		return t.Num > g.beat.Num
	}
	return t.Den > 0 && !productAtLeast(g.beat.Num, t.Den, t.Num, g.beat.Den)
}

// above reports whether a total is above the range that it shall lie in.
func (g Goal) above(t Tally) bool {
	if g.kind != registryv1.GoalKind_GOAL_KIND_RANGE || t.Reporting == 0 {
		return false
	}
	if !g.ratio {
		return t.Num > g.high
	}
	return t.Den > 0 && !productAtLeast(t.Den, g.high, t.Num, whole)
}

// streak counts in how many periods in a row, up to one, a unit met its goal; it
// counts no further than asked for.
func (b *Book) streak(m *Measure, unit unitIx, p calendar.Period, most int) int {
	n := 0
	for ; n < most; n++ {
		s := b.sheet(sheetKey{m.ix, p})
		if s == nil {
			return n
		}
		at := s.nodes.Peek(unit)
		if at == nil {
			return n
		}
		if g, ok := b.goalOf(m, unit, p, s); !ok || !m.judgeable(at, g) || !g.met(at.sum) {
			return n
		}
		p = p.Prev()
	}
	return n
}

// announceLater announces what a value of a period makes of later periods: of those
// that are held against it, and of those whose row of periods it is in. It moved the
// totals of those above the unit in its own period, wherever the unit stood later.
func (b *Book) announceLater(m *Measure, unit unitIx, p calendar.Period, cause uint64) {
	var l line
	b.trace(&l, unit, p)
	for _, q := range b.periods(m.ix) {
		if q <= p || !b.dependsOn(m, q, p) {
			continue
		}
		s := b.sheet(sheetKey{m.ix, q})
		for _, u := range l.units() {
			if n := s.nodes.Peek(u.ix); n != nil && b.watches(m, u, q) {
				same := *n
				b.announceAt(m, place{q, u.ix}, &same, same.sum, cause)
			}
		}
	}
}

// looksBack reports whether what is reached in a period can depend on earlier ones.
func (m *Measure) looksBack() bool {
	g := m.target.GetGoal()
	return slices.ContainsFunc(m.watch.thresholds, func(t threshold) bool { return t.streak > 1 }) ||
		g.GetKind() == registryv1.GoalKind_GOAL_KIND_BEAT ||
		g.GetKind() == registryv1.GoalKind_GOAL_KIND_GROWTH && g.GetGrowthMode() != registryv1.GrowthMode_GROWTH_MODE_COMPOUND
}

// dependsOn reports whether what is reached in a period can depend on an earlier one.
func (b *Book) dependsOn(m *Measure, q, p calendar.Period) bool {
	g, longest := m.target.GetGoal(), int64(1)
	for _, t := range m.watch.thresholds {
		longest = max(longest, t.streak)
	}
	heldAgainst := 0
	switch {
	case g.GetBeat() == registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR:
		heldAgainst = p.Since(p.YearBefore())
	case g.GetKind() == registryv1.GoalKind_GOAL_KIND_BEAT,
		g.GetKind() == registryv1.GoalKind_GOAL_KIND_GROWTH && g.GetGrowthMode() != registryv1.GrowthMode_GROWTH_MODE_COMPOUND:
		heldAgainst = 1
	}
	return q.Since(p) < int(longest)+heldAgainst
}
