package book

import (
	"fmt"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// whole is 100 % in the millionths in which goals of ratios and of yes/no targets are.
const whole = 1_000_000

// hundredPercent is 100 % in the hundredths of a percent in which thresholds are.
const hundredPercent = 10_000

// wholeOnly reports whether no goal of the target may be above the whole.
func wholeOnly(t *registryv1.Target) bool {
	switch t.GetValueKind() {
	case typev1.ValueKind_VALUE_KIND_RATIO:
		return !t.GetMayExceed()
	case typev1.ValueKind_VALUE_KIND_YES_NO:
		return true
	}
	return false
}

// goal checks that the goal has what its kind needs and nothing else.
func (f *faults) goal(t *registryv1.Target, p *registryv1.Programme) {
	g := t.GetGoal()
	if g == nil {
		return
	}
	kind := g.GetKind()
	f.goalKind(kind, t.GetValueKind())
	value := kind == registryv1.GoalKind_GOAL_KIND_AT_LEAST || kind == registryv1.GoalKind_GOAL_KIND_AT_MOST
	bounds := kind == registryv1.GoalKind_GOAL_KIND_RANGE
	beat := kind == registryv1.GoalKind_GOAL_KIND_BEAT
	if bounds && g.GetLow() > g.GetHigh() {
		f.add("target.goal.low", "%d is above high, %d", g.GetLow(), g.GetHigh())
	}
	f.number("value", g.GetValue(), value, t)
	f.number("low", g.GetLow(), bounds, t)
	f.number("high", g.GetHigh(), bounds, t)
	f.number("baseline", g.GetBaseline(), true, t)
	if beat && g.Baseline != nil {
		f.add("target.goal.baseline", "a goal of this kind has none")
	}
	if !bounds && g.GetStrict() {
		f.add("target.goal.strict", "only a RANGE is strict")
	}
	if !beat && g.GetBeat() != 0 {
		f.add("target.goal.beat", "only BEAT has it")
	}
	f.growth(g)
	f.optionalDate("target.goal.baseline_date", g.GetBaselineDate())
	f.steps(g.GetSteps(), p)
}

// goalKind checks that a target of such values can have such a goal.
func (f *faults) goalKind(kind registryv1.GoalKind, of typev1.ValueKind) {
	count, yesNo := of == typev1.ValueKind_VALUE_KIND_COUNT, of == typev1.ValueKind_VALUE_KIND_YES_NO
	switch {
	case kind == registryv1.GoalKind_GOAL_KIND_ZERO && yesNo:
		f.add("target.goal.kind", "ZERO is no goal of a YES_NO target")
	case kind == registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE && !yesNo:
		f.add("target.goal.kind", "ALL_APPLICABLE is a goal of YES_NO targets only")
	case kind == registryv1.GoalKind_GOAL_KIND_GROWTH && !count:
		f.add("target.goal.kind", "GROWTH is a goal of COUNT targets only")
	case kind == registryv1.GoalKind_GOAL_KIND_BEAT && yesNo:
		f.add("target.goal.kind", "BEAT is no goal of a YES_NO target")
	}
}

// growth checks how much is to grow, and from where when it compounds.
func (f *faults) growth(g *registryv1.Goal) {
	if g.GetKind() != registryv1.GoalKind_GOAL_KIND_GROWTH {
		if g.GetGrowth() != 0 {
			f.add("target.goal.growth", "only GROWTH has it")
		}
		if g.GetGrowthMode() != 0 {
			f.add("target.goal.growth_mode", "only GROWTH has it")
		}
		return
	}
	if g.GetGrowth() == 0 {
		f.add("target.goal.growth", "how much it shall grow is missing")
	}
	if g.GetGrowthMode() != registryv1.GrowthMode_GROWTH_MODE_COMPOUND {
		return
	}
	if g.Baseline == nil {
		f.add("target.goal.baseline", "COMPOUND grows from a baseline")
	}
	if g.GetBaselineDate() == "" {
		f.add("target.goal.baseline_date", "COMPOUND grows from a day on")
	}
}

// steps checks that more and more is expected, within the programme.
func (f *faults) steps(all []*registryv1.PathStep, p *registryv1.Programme) {
	var days ascending[calendar.Date]
	var progress ascending[uint32]
	for i, s := range all {
		field := fmt.Sprintf("target.goal.steps[%d]", i)
		if d, ok := f.date(field+".date", s.GetDate()); ok {
			days.next(f, field+".date", d)
			f.within(field+".date", d, p)
		}
		progress.next(f, field+".progress", s.GetProgress())
	}
}

// number checks one number of a goal.
func (f *faults) number(field string, n int64, wanted bool, t *registryv1.Target) {
	switch {
	case !wanted && n != 0:
		f.add("target.goal."+field, "a goal of this kind has none")
	case n > whole && wholeOnly(t):
		f.add("target.goal."+field, "%d is above the whole, %d", n, whole)
	}
}

// thresholds are the last of each kind in a rule.
type thresholds struct {
	progress, completeness, streak ascending[uint32]
	value                          ascending[int64]
}

// next blames a threshold that says nothing, or is not above the last of its kind.
func (l *thresholds) next(f *faults, field string, th *registryv1.Threshold) {
	switch at := th.GetAt().(type) {
	case *registryv1.Threshold_Progress:
		l.progress.next(f, field+".progress", at.Progress)
	case *registryv1.Threshold_Value:
		l.value.next(f, field+".value", at.Value)
	case *registryv1.Threshold_Completeness:
		l.completeness.next(f, field+".completeness", at.Completeness)
	case *registryv1.Threshold_Streak:
		l.streak.next(f, field+".streak", at.Streak)
	default:
		f.add(field, "progress, value, completeness or streak must be given")
	}
}

// milestones checks the thresholds of a target, and what its goal asks of them.
func (f *faults) milestones(t *registryv1.Target) {
	m := t.GetMilestones()
	byPeriod := m.GetScope() == registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD
	judged := judgedByPeriod(t.GetGoal())
	var lines thresholds
	for i, th := range m.GetThresholds() {
		field := fmt.Sprintf("target.milestones.thresholds[%d]", i)
		lines.next(f, field, th)
		switch at := th.GetAt().(type) {
		case *registryv1.Threshold_Progress:
			if judged && at.Progress != hundredPercent {
				f.add(field+".progress", "a goal of this kind is met or not met: only %d can be crossed", hundredPercent)
			}
		case *registryv1.Threshold_Value:
			if t.GetValueKind() != typev1.ValueKind_VALUE_KIND_COUNT {
				f.add(field+".value", "only a COUNT target has thresholds of values")
			}
		case *registryv1.Threshold_Streak:
			if !byPeriod && m.GetScope() != registryv1.MilestoneScope_MILESTONE_SCOPE_BOTH {
				f.add(field+".streak", "periods in a row need the scope PERIOD or BOTH")
			}
		}
	}
	if judged && !byPeriod && !m.GetDisabled() {
		f.add("target.milestones.scope", "a goal of this kind is judged by period: the scope must be PERIOD, or milestones disabled")
	}
	if m != nil && m.MinReporting != nil && t.GetValueKind() != typev1.ValueKind_VALUE_KIND_RATIO {
		f.add("target.milestones.min_reporting", "only a RATIO target has it")
	}
}

// judgedByPeriod reports whether the goal is met by a period, not by what is current.
func judgedByPeriod(g *registryv1.Goal) bool {
	return g.GetKind() == registryv1.GoalKind_GOAL_KIND_GROWTH || g.GetKind() == registryv1.GoalKind_GOAL_KIND_BEAT
}
