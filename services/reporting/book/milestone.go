package book

import (
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// threshold is one line to cross: progress or completeness in hundredths of a
// percent, a value, or a number of periods in a row in which the goal was met.
type threshold struct {
	progress     int64
	value        int64
	completeness int64
	streak       int64
}

// watching is what milestones a measure has, and where.
type watching struct {
	thresholds   []threshold
	levels       []string // empty: every unit
	rootOnly     bool
	current      bool
	periods      bool
	minReporting int64 // hundredths of a percent of the expected units
}

// usual are the thresholds where none are given: 25, 50, 75, 90 and 100 %.
var usual = []threshold{{progress: 2500}, {progress: 5000}, {progress: 7500}, {progress: 9000}, {progress: 10000}}

// watchCounts returns what is watched of a programme's derived counts of tasks.
// Tasks have no milestones of their own.
func watchCounts(p *registryv1.Programme) watching {
	w := watching{thresholds: usual, current: true, rootOnly: true}
	if own := p.GetTaskCountThresholds(); len(own) > 0 {
		w.thresholds = nil
		for _, t := range own {
			w.thresholds = append(w.thresholds, threshold{progress: int64(t)})
		}
	}
	return w
}

// watchTarget returns what is watched of a target. Growth and a beaten record are
// reached or not: there is no half of the way.
func watchTarget(t *registryv1.Target) watching {
	w := watchRule(t.GetMilestones())
	kind := t.GetGoal().GetKind()
	if len(t.GetMilestones().GetThresholds()) == 0 && len(w.thresholds) > 0 &&
		(kind == registryv1.GoalKind_GOAL_KIND_GROWTH || kind == registryv1.GoalKind_GOAL_KIND_BEAT) {
		w.thresholds = []threshold{{progress: 10_000}}
	}
	return w
}

// watchRule reads a rule about milestones.
func watchRule(rule *registryv1.MilestoneRule) watching {
	w := watching{thresholds: usual, minReporting: 10_000, current: true}
	if rule.GetDisabled() {
		w.thresholds = nil // but what is too little to judge stays what it is
	} else if own := rule.GetThresholds(); len(own) > 0 {
		w.thresholds = make([]threshold, len(own))
		for i, t := range own {
			w.thresholds[i] = threshold{int64(t.GetProgress()), t.GetValue(), int64(t.GetCompleteness()), int64(t.GetStreak())}
		}
	}
	if rule != nil && rule.MinReporting != nil {
		w.minReporting = int64(rule.GetMinReporting())
	}
	w.levels = rule.GetLevels()
	w.periods = rule.GetScope() == registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD ||
		rule.GetScope() == registryv1.MilestoneScope_MILESTONE_SCOPE_BOTH
	w.current = rule.GetScope() != registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD
	return w
}

// watches reports whether the measure's milestones are announced at a unit.
func (b *Book) watches(m *Measure, u *Unit, p calendar.Period) bool {
	if m.watch.rootOnly {
		return u.id == m.root
	}
	return len(m.watch.levels) == 0 || slices.Contains(m.watch.levels, u.near(b.judgedOn(p)).level)
}

// judgedOn is the day by which a period is judged: its last, or today for Current.
func (b *Book) judgedOn(p calendar.Period) calendar.Date {
	if p == Current {
		return b.today
	}
	return p.LastDay()
}

// met reports whether a unit's total in a sheet has reached a threshold, given the
// goal there, if there is one.
func (b *Book) met(m *Measure, t threshold, at place, g Goal, hasGoal bool, total Tally) bool {
	switch {
	case t.value > 0:
		return total.Reporting > 0 && total.Num >= t.value
	case t.completeness > 0:
		return total.Expected > 0 && int64(total.Reporting)*10_000 >= t.completeness*int64(total.Expected)
	case t.streak > 0:
		return at.period != Current && hasGoal && b.streak(m, at.unit, at.period, int(t.streak)) >= int(t.streak)
	}
	return hasGoal && g.reaches(total, t.progress)
}

// judgeable reports whether a total says enough to be judged. A ratio at a parent
// is judged only when enough of its units have reported, and so is a total that
// shall fall, because units that are silent make both look better than they are.
func (m *Measure) judgeable(n *node, g Goal) bool {
	alone := n.part(m.kind).Expected == n.sum.Expected // nobody below is expected
	if alone || m.kind != typev1.ValueKind_VALUE_KIND_RATIO && !(g.falls() && !g.ratio) {
		return true
	}
	return int64(n.sum.Reporting)*10_000 >= m.watch.minReporting*int64(n.sum.Expected)
}

// watched reports whether the totals of a sheet have milestones.
func (m *Measure) watched(p calendar.Period) bool {
	return len(m.watch.thresholds) > 0 && (p == Current && m.watch.current || p != Current && m.watch.periods)
}

// announce emits what a submission made of the thresholds of a sheet, from the
// unit to the root and ascending. before holds the totals before it, in that order.
func (b *Book) announce(m *Measure, d *ladder, before []Tally, cause uint64) {
	k := d.key
	for i, u := range d.line.units() {
		n := d.nodes[i]
		if n == nil || before[i] == n.sum || !b.watches(m, u, k.period) {
			continue
		}
		b.announceAt(m, place{k.period, u.ix}, n, before[i], cause)
	}
}

// announceAt is announce for one unit.
func (b *Book) announceAt(m *Measure, at place, n *node, before Tally, cause uint64) {
	k := sheetKey{m.ix, at.period}
	s := b.sheet(k)
	g, ok := b.goalOf(m, at.unit, at.period, s)
	judgeable := m.judgeable(n, g)
	state, sum := s.marks.At(at.unit), n.sum
	for t, threshold := range m.watch.thresholds {
		if !judgeable && threshold.completeness == 0 {
			continue
		}
		if reached := b.met(m, threshold, at, g, ok, sum); reached != state.reached(t) {
			b.cross(m, k, at.unit, t, threshold, g, reached, before, sum, cause)
		}
	}
}

// cross emits one crossing.
func (b *Book) cross(m *Measure, k sheetKey, unit unitIx, i int, t threshold, g Goal, reached bool, before, after Tally, cause uint64) {
	ordinal := b.sheet(k).marks.At(unit).ordinal(i)
	if reached {
		ordinal++
	}
	c := &eventv1.MilestoneCrossed{
		Target: m.key.id, Path: b.path(unit, Current), Period: periodName(k.period), GoalRevision: m.goalRevision,
		ThresholdIndex: uint32(i), ProgressThreshold: uint32(t.progress), ValueThreshold: t.value, Ordinal: ordinal,
		CompletenessThreshold: uint32(t.completeness), StreakThreshold: uint32(t.streak),
		Before: before.Proto(), After: after.Proto(), Goal: g.value, Baseline: g.baseline,
	}
	e := &eventv1.Event{Programme: m.key.programme, Causation: cause}
	if reached {
		e.Payload = &eventv1.Event_MilestoneReached{MilestoneReached: c}
	} else {
		e.Payload = &eventv1.Event_MilestoneRevoked{MilestoneRevoked: c}
	}
	b.emit(e, nil)
}

// periodName is the contract's name of a sheet's period: empty for Current.
func periodName(p calendar.Period) string {
	if p == Current {
		return ""
	}
	return p.String()
}

// sum returns a total; the zero tally where there is no sheet.
func (b *Book) sum(k sheetKey, unit unitIx) Tally { return b.sheet(k).sum(unit) }

// sum returns a unit's total; the zero tally where there is none.
func (s *sheet) sum(unit unitIx) Tally {
	if s == nil {
		return Tally{}
	}
	if n := s.nodes.Peek(unit); n != nil {
		return n.sum
	}
	return Tally{}
}
