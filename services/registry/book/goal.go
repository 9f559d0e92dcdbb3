package book

import (
	"fmt"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// whole is 100 % in the millionths in which goals of ratios and of yes/no targets are.
const whole = 1_000_000

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
func (f *faults) goal(t *registryv1.Target) {
	g := t.GetGoal()
	if g == nil {
		return
	}
	yesNo := t.GetValueKind() == typev1.ValueKind_VALUE_KIND_YES_NO
	value, bounds := false, false
	switch g.GetKind() {
	case registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.GoalKind_GOAL_KIND_AT_MOST:
		value = true
	case registryv1.GoalKind_GOAL_KIND_RANGE:
		bounds = true
		if g.GetLow() > g.GetHigh() {
			f.add("target.goal.low", "%d is above high, %d", g.GetLow(), g.GetHigh())
		}
	case registryv1.GoalKind_GOAL_KIND_ZERO:
		if yesNo {
			f.add("target.goal.kind", "ZERO is no goal of a YES_NO target")
		}
	case registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE:
		if !yesNo {
			f.add("target.goal.kind", "ALL_APPLICABLE is a goal of YES_NO targets only")
		}
	}
	f.number("value", g.GetValue(), value, t)
	f.number("low", g.GetLow(), bounds, t)
	f.number("high", g.GetHigh(), bounds, t)
	f.number("baseline", g.GetBaseline(), true, t)
	f.optionalDate("target.goal.baseline_date", g.GetBaselineDate())
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

// milestones checks the thresholds.
func (f *faults) milestones(t *registryv1.Target) {
	m := t.GetMilestones()
	var progress uint32
	var value int64
	for i, th := range m.GetThresholds() {
		field := fmt.Sprintf("target.milestones.thresholds[%d]", i)
		switch at := th.GetAt().(type) {
		case *registryv1.Threshold_Progress:
			if at.Progress <= progress {
				f.add(field+".progress", "%d is not above the one before it", at.Progress)
			}
			progress = at.Progress
		case *registryv1.Threshold_Value:
			if t.GetValueKind() != typev1.ValueKind_VALUE_KIND_COUNT {
				f.add(field+".value", "only a COUNT target has thresholds of values")
			}
			if at.Value <= value {
				f.add(field+".value", "%d is not above the one before it", at.Value)
			}
			value = at.Value
		default:
			f.add(field, "progress or value must be given")
		}
	}
	if m != nil && m.MinReporting != nil && t.GetValueKind() != typev1.ValueKind_VALUE_KIND_RATIO {
		f.add("target.milestones.min_reporting", "only a RATIO target has it")
	}
}
