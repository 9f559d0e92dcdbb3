package book

import (
	"maps"
	"math/big"
	"slices"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// crossed is a milestone as the model expects it, and as an event tells it.
type crossed struct {
	up            bool
	at            markAt
	ordinal       uint32
	goalRev       int64
	before, after Tally
}

// mGoal is a goal and where one started; nil where there is none.
type mGoal struct {
	value, base *big.Rat
	beat        *Tally // what is to be beaten
}

// thresholds of a measure, as fractions of the way or as values.
func (w *world) thresholds(m *mMeasure) []*registryv1.Threshold {
	var own []*registryv1.Threshold
	if m.task != nil || m.target.GetMilestones().GetDisabled() || m.regime.GetMilestones().GetDisabled() {
		return nil
	}
	steps := []uint32{2500, 5000, 7500, 9000, 10000}
	if m.derived() && len(w.counts) > 0 {
		steps = w.counts
	}
	if own = m.target.GetMilestones().GetThresholds(); len(own) > 0 {
		return own
	}
	if m.regime != nil {
		return m.regime.GetMilestones().GetThresholds()
	}
	if m.overTime() {
		steps = []uint32{10000}
	}
	for _, s := range steps {
		own = append(own, &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: s}})
	}
	return own
}

// watched reports whether the totals of a unit in a period have milestones.
func (w *world) watched(m *mMeasure, u *mUnit, p calendar.Period) bool {
	rule := m.target.GetMilestones()
	switch {
	case m.derived():
		return u.id == mRoot && p == Current
	case m.task != nil || m.regime != nil && p == Current:
		return false
	case m.regime != nil:
		rule = &registryv1.MilestoneRule{Levels: m.regime.GetMilestones().GetLevels(), Scope: registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD}
	}
	switch scope := rule.GetScope(); {
	case p == Current && scope == registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD,
		p != Current && scope != registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD && scope != registryv1.MilestoneScope_MILESTONE_SCOPE_BOTH:
		return false
	}
	return len(rule.GetLevels()) == 0 || slices.Contains(rule.GetLevels(), u.stands(w.day(p)).level)
}

// goal resolves the goal of a unit; the totals are those of the measure in the period.
func (w *world) goal(m *mMeasure, u *mUnit, p calendar.Period, totals []mTotal) *mGoal {
	if m.target == nil {
		return &mGoal{value: big.NewRat(1, 1), base: new(big.Rat)}
	}
	t := m.target.GetGoal()
	if t == nil {
		return nil
	}
	if m.overTime() {
		return w.goalOverTime(m, u, p, totals)
	}
	g := &mGoal{value: big.NewRat(t.GetValue(), 1)}
	if t.GetKind() == registryv1.GoalKind_GOAL_KIND_RANGE {
		g.value = big.NewRat(t.GetLow(), 1)
	}
	if t.Baseline != nil {
		g.base = big.NewRat(t.GetBaseline(), 1)
	}
	if m.kind() == count {
		if g = w.countGoal(m, u, p, totals, g); g == nil {
			return nil
		}
	} else {
		for _, at := range w.chain(u, w.day(p)) {
			if a := w.goals[[2]string{m.id, at.id}]; a != nil && !a.GetRevoked() {
				g = goalFrom(a)
				break
			}
		}
	}
	switch t.GetKind() {
	case registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE:
		g = &mGoal{value: big.NewRat(1_000_000, 1), base: g.base}
	case registryv1.GoalKind_GOAL_KIND_ZERO:
		g = &mGoal{value: new(big.Rat), base: g.base}
	}
	rises := t.GetKind() != registryv1.GoalKind_GOAL_KIND_AT_MOST && t.GetKind() != registryv1.GoalKind_GOAL_KIND_ZERO
	if g.base == nil && rises {
		g = &mGoal{value: g.value, base: new(big.Rat)}
	}
	if m.kind() != count { // in millionths of the whole
		million := big.NewRat(1, 1_000_000)
		scaled := &mGoal{value: new(big.Rat).Mul(g.value, million)}
		if g.base != nil {
			scaled.base = new(big.Rat).Mul(g.base, million)
		}
		return scaled
	}
	return g
}

func goalFrom(a *registryv1.Allocation) *mGoal {
	g := &mGoal{value: big.NewRat(a.GetValue(), 1)}
	if a.Baseline != nil {
		g.base = big.NewRat(a.GetBaseline(), 1)
	}
	return g
}

// countGoal is a unit's own allocation, at the root the target's goal, else the
// sum of those below if every applicable one has one.
func (w *world) countGoal(m *mMeasure, u *mUnit, p calendar.Period, totals []mTotal, target *mGoal) *mGoal {
	if a := w.goals[[2]string{m.id, u.id}]; a != nil && !a.GetRevoked() {
		return goalFrom(a)
	}
	if u.id == mRoot && target != nil {
		return target
	}
	if w.expected(m, u, p) {
		return nil
	}
	sum, based, some := &mGoal{value: new(big.Rat), base: new(big.Rat)}, true, false
	for _, child := range w.units {
		if child.stands(w.day(p)).parent != u.id || totals[child.ix].Expected == 0 {
			continue
		}
		g := w.countGoal(m, child, p, totals, nil)
		if g == nil {
			return nil
		}
		some = true
		sum.value.Add(sum.value, g.value)
		if g.base != nil {
			sum.base.Add(sum.base, g.base)
		}
		based = based && g.base != nil
	}
	if !some {
		return nil
	}
	if kind := m.target.GetGoal().GetKind(); !based && kind != registryv1.GoalKind_GOAL_KIND_AT_LEAST && kind != registryv1.GoalKind_GOAL_KIND_RANGE {
		sum.base = nil // only those begin at 0 unless stated
	}
	return sum
}

// judgement is what thresholds a total meets; mute where too little is known.
type judgement struct {
	total Tally
	mute  []bool
	met   []bool
}

// mute reports whether too few units have reported to judge a total by its goal.
func (w *world) mute(m *mMeasure, t mTotal, g *mGoal) bool {
	if m.target == nil || t.alone {
		return false
	}
	falls := g != nil && g.base != nil && g.value.Cmp(g.base) < 0 && m.kind() == count
	return (m.kind() == ratio || falls) && int64(t.Reporting)*10_000 < m.minReporting()*int64(t.Expected)
}

func (m *mMeasure) minReporting() int64 {
	if rule := m.target.GetMilestones(); rule != nil && rule.MinReporting != nil {
		return int64(rule.GetMinReporting())
	}
	return 10_000
}

// actual is what a total is worth, held against a goal; nil when that is not known.
func (m *mMeasure) actual(t Tally) *big.Rat {
	switch {
	case t.Reporting == 0:
		return nil
	case m.kind() == count:
		return new(big.Rat).SetInt64(t.Num)
	case t.Den == 0:
		return nil
	}
	return new(big.Rat).SetFrac64(t.Num, t.Den)
}

// judge works out which of the thresholds a unit's total meets.
func (w *world) judge(m *mMeasure, u *mUnit, p calendar.Period, totals []mTotal, thresholds []*registryv1.Threshold) judgement {
	t := totals[u.ix]
	j := judgement{t.Tally, make([]bool, len(thresholds)), make([]bool, len(thresholds))}
	var g *mGoal
	if t.Reporting > 0 || m.target != nil && m.kind() == count {
		g = w.goal(m, u, p, totals)
	}
	mute := w.mute(m, t, g)
	for i, at := range thresholds {
		if at.GetCompleteness() > 0 {
			j.met[i] = t.Expected > 0 && int64(t.Reporting)*10_000 >= int64(at.GetCompleteness())*int64(t.Expected)
			continue
		}
		if j.mute[i] = mute; mute || t.Reporting == 0 {
			continue
		}
		switch {
		case at.GetValue() > 0:
			j.met[i] = t.Num >= at.GetValue()
		case at.GetStreak() > 0:
			j.met[i] = p != Current && w.row(m, u, p, at.GetStreak())
		default:
			j.met[i] = g.passed(m.actual(t.Tally), t.Tally, at.GetProgress())
		}
	}
	return j
}

// passed reports whether so much of the way is gone, in hundredths of a percent.
func (g *mGoal) passed(actual *big.Rat, t Tally, progress uint32) bool {
	switch {
	case g == nil || actual == nil:
		return false
	case g.beat != nil:
		return progress <= 10_000 && g.beats(t)
	case g.base == nil || g.base.Cmp(g.value) == 0:
		return false
	}
	p := new(big.Rat).Quo(new(big.Rat).Sub(actual, g.base), new(big.Rat).Sub(g.value, g.base))
	return p.Cmp(big.NewRat(int64(progress), 10_000)) >= 0
}

// placeAt is a total that may have milestones.
type placeAt struct {
	target, unit string
	period       calendar.Period
}

// judgeAll judges every total of some measures, by other thresholds where given.
func (w *world) judgeAll(instead map[string][]*registryv1.Threshold) map[placeAt]judgement {
	out := map[placeAt]judgement{}
	if len(w.facts) == 0 {
		return out // nothing is met where nothing is reported
	}
	for _, m := range slices.Concat(w.measures, w.regimes, allCounts()) {
		thresholds, other := instead[m.id]
		if !other {
			thresholds = w.thresholds(m)
		}
		if len(thresholds) == 0 {
			continue
		}
		for _, p := range append(w.periods(m), Current) {
			totals := w.totals(m, p)
			for _, u := range w.units {
				if !m.derived() || u.id == mRoot {
					out[placeAt{m.id, u.id, p}] = w.judge(m, u, p, totals, thresholds)
				}
			}
		}
	}
	return out
}

// submitted takes in an accepted submission and returns the milestones that it
// makes, and what becomes of tasks, in order: of its period, of the later ones that
// may hang on it, of the current figures, of the report that it is a part of.
func (w *world) submitted(s *Submission) (out []any) {
	m, f := w.measure(s.Target), w.factOf(s)
	watch := []*mMeasure{m}
	if m.task != nil {
		for _, id := range countIDs(m.task) {
			watch = append(watch, &mMeasure{id: id, cut: calendar.EndOfMonth})
		}
	} else if r := w.regimeOf(m); r != nil {
		watch = append(watch, r)
	}
	before := map[string]map[calendar.Period][]mTotal{}
	for _, m := range watch {
		before[m.id] = map[calendar.Period][]mTotal{Current: w.totals(m, Current)}
		for _, p := range append(w.periods(m), f.period) {
			before[m.id][p] = w.totals(m, p)
		}
	}
	w.facts = append(w.facts, f)
	w.requests[sender(s)] = true
	w.moved()
	inPeriod, today := w.chain(w.byID[s.Unit], f.period.LastDay()), w.chain(w.byID[s.Unit], w.today)
	for _, at := range watch {
		switch {
		case at.derived():
			out = w.cross(at, []*mUnit{w.byID[mRoot]}, Current, before[at.id][Current], out)
		case at.task != nil:
			if done := w.done(at); done != w.complete[at.id] {
				w.complete[at.id] = done
				out = append(out, taskTurn{at.id, done})
			}
		case at.regime != nil:
			out = w.cross(at, inPeriod, f.period, before[at.id][f.period], out)
		default:
			for _, p := range w.periods(at) {
				if p >= f.period {
					out = w.cross(at, inPeriod, p, before[at.id][p], out)
				}
			}
			out = w.cross(at, today, Current, before[at.id][Current], out)
		}
	}
	return out
}

// taskTurn is a task that was completed or reopened.
type taskTurn struct {
	task string
	done bool
}

// cross compares the thresholds of some units with what they were.
func (w *world) cross(m *mMeasure, units []*mUnit, p calendar.Period, before []mTotal, out []any) []any {
	thresholds := w.thresholds(m)
	if len(thresholds) == 0 {
		return out
	}
	totals := w.totals(m, p)
	for _, at := range units {
		if !w.watched(m, at, p) {
			continue
		}
		j := w.judge(m, at, p, totals, thresholds)
		for i, met := range j.met {
			k := markAt{m.id, at.id, p, i}
			was := w.marks[k]
			if j.mute[i] || met == was.reached {
				continue
			}
			if met {
				was.ordinal++
			}
			w.marks[k] = markState{was.ordinal, met}
			out = append(out, crossed{met, k, was.ordinal, w.goalRevision(m), before[at.ix].Tally, j.total})
		}
	}
	return out
}

func (w *world) goalRevision(m *mMeasure) int64 {
	if m.derived() {
		return w.derived
	}
	return m.goalRev
}

// follows is what must follow from a change of the registry, of the day, or of a deadline.
type follows struct {
	milestones map[crossed]bool
	tasks      map[taskTurn]bool
	rungs      map[rung]bool
}

// changed lets do change resources or the day, and returns the milestones that are
// announced by that, in no order, and the tasks that turn. reset names measures
// whose thresholds begin afresh, with the thresholds that they will have.
func (w *world) changed(reset map[string][]*registryv1.Threshold, do func()) follows {
	before := w.judgeAll(reset)
	do()
	w.moved()
	out := follows{map[crossed]bool{}, map[taskTurn]bool{}, map[rung]bool{}}
	for _, m := range w.measures {
		if m.task == nil {
			continue
		}
		if done := w.done(m); done != w.complete[m.id] {
			w.complete[m.id] = done
			out.tasks[taskTurn{m.id, done}] = true
		}
	}
	maps.DeleteFunc(w.marks, func(k markAt, _ markState) bool { _, afresh := reset[k.target]; return afresh })
	for at, now := range w.judgeAll(nil) {
		m := w.measure(at.target)
		if m == nil {
			m = &mMeasure{id: at.target}
		}
		if !w.watched(m, w.byID[at.unit], at.period) {
			continue
		}
		was, known := before[at]
		for i, met := range now.met {
			k := markAt{at.target, at.unit, at.period, i}
			old := w.marks[k]
			switch {
			case now.mute[i] || met && old.reached || !met && !old.reached:
			case !met:
				w.marks[k] = markState{old.ordinal, false}
			case known && !was.mute[i] && was.met[i]: // met already: carried in silence
				w.marks[k] = markState{max(1, old.ordinal), true}
			default:
				w.marks[k] = markState{old.ordinal + 1, true}
				out.milestones[crossed{true, k, old.ordinal + 1, w.goalRevision(m), was.total, now.total}] = true
			}
		}
	}
	return out
}
