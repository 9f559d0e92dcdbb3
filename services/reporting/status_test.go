package reporting

import (
	"fmt"
	"strings"
	"testing"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

const (
	goalAtLeast = registryv1.GoalKind_GOAL_KIND_AT_LEAST
	goalAtMost  = registryv1.GoalKind_GOAL_KIND_AT_MOST
	goalRange   = registryv1.GoalKind_GOAL_KIND_RANGE
	goalZero    = registryv1.GoalKind_GOAL_KIND_ZERO
	goalAll     = registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE
	goalGrowth  = registryv1.GoalKind_GOAL_KIND_GROWTH
	goalBeat    = registryv1.GoalKind_GOAL_KIND_BEAT
)

// standing prints what a figure says of its goal: status, reason, progress, expected.
func standing(f *reportingv1.Figure) string {
	out := strings.TrimPrefix(f.GetStatus().String(), "STATUS_")
	if why := f.GetUndefinedReason(); why != 0 {
		out += " " + strings.TrimPrefix(why.String(), "UNDEFINED_REASON_")
	}
	out += fmt.Sprintf(" p=%s e=%s", f.GetProgressPercent(), f.GetExpectedPercent())
	if f.GetAboveRange() {
		out += " above"
	}
	return out
}

func goalOf(kind registryv1.GoalKind, value int64, edit ...func(*registryv1.Goal)) *registryv1.Goal {
	g := &registryv1.Goal{Kind: kind, Value: value}
	for _, f := range edit {
		f(g)
	}
	return g
}

func from(baseline int64) func(*registryv1.Goal) {
	return func(g *registryv1.Goal) { g.Baseline = &baseline }
}

func between(low, high int64) func(*registryv1.Goal) {
	return func(g *registryv1.Goal) { g.Low, g.High = low, high }
}

func strict(g *registryv1.Goal) { g.Strict = true }

func growing(millionths int64, mode registryv1.GrowthMode) func(*registryv1.Goal) {
	return func(g *registryv1.Goal) { g.Growth, g.GrowthMode = millionths, mode }
}

func against(b registryv1.BeatAgainst) func(*registryv1.Goal) {
	return func(g *registryv1.Goal) { g.Beat = b }
}

func step(date string, progress uint32) func(*registryv1.Goal) {
	return func(g *registryv1.Goal) {
		g.Steps = append(g.Steps, &registryv1.PathStep{Date: date, Progress: progress})
	}
}

func stale(days uint32) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.StaleAfterDays = days }
}

// The programme runs from 2022-01-01, targets are due on 2023-12-31: of 729 days,
// 180 have passed on 2022-06-30 (24.69 %) and 364 on 2022-12-31 (49.93 %).
func TestStatusOfEachKindOfGoal(t *testing.T) {
	each, compound := registryv1.GrowthMode_GROWTH_MODE_EACH_PERIOD, registryv1.GrowthMode_GROWTH_MODE_COMPOUND
	lastYear := registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR
	type sent struct {
		period string
		value  *reportingv1.Submission
	}
	type target = func(*registryv1.Target)
	for _, c := range []struct {
		name   string
		goal   *registryv1.Goal
		sent   []sent
		today  string
		period string // that is asked for; empty for the current figure
		want   string
		edit   target
	}{
		{"no goal", nil, []sent{{"2022-M06", counted(5)}}, "2022-06-30", "", "UNSPECIFIED NO_GOAL p= e=", nil},
		{"nothing reported", goalOf(goalAtLeast, 100), nil, "2022-06-30", "", "NO_DATA NOTHING_REPORTED p= e=24.69", nil},
		{"zero is not missing", goalOf(goalAtLeast, 100), []sent{{"2022-M06", counted(0)}}, "2022-06-30", "", "OFF_TRACK p=0.00 e=24.69", nil},
		{"not started", goalOf(goalAtLeast, 100), []sent{{"2022-M01", counted(0)}}, "2022-01-31", "", "NOT_STARTED p=0.00 e=4.12", nil},
		{"nothing done on the first day", goalOf(goalAtLeast, 100), []sent{{"2022-M01", counted(0)}}, "2022-01-01", "", "NOT_STARTED p=0.00 e=0.00", nil},
		{"begun on the first day", goalOf(goalAtLeast, 100), []sent{{"2022-M01", counted(1)}}, "2022-01-01", "", "ON_TRACK p=1.00 e=0.00", nil},
		{"on track", goalOf(goalAtLeast, 100), []sent{{"2022-M06", counted(24)}}, "2022-06-30", "", "ON_TRACK p=24.00 e=24.69", nil},
		{"at risk", goalOf(goalAtLeast, 100), []sent{{"2022-M06", counted(23)}}, "2022-06-30", "", "AT_RISK p=23.00 e=24.69", nil},
		{"off track", goalOf(goalAtLeast, 100), []sent{{"2022-M06", counted(14)}}, "2022-06-30", "", "OFF_TRACK p=14.00 e=24.69", nil},
		{"moving away", goalOf(goalAtLeast, 100, from(50)), []sent{{"2022-M06", counted(49)}}, "2022-06-30", "", "MOVING_AWAY p=-2.00 e=24.69", nil},
		{"achieved early", goalOf(goalAtLeast, 100), []sent{{"2022-M06", counted(100)}}, "2022-06-30", "", "ACHIEVED p=100.00 e=24.69", nil},
		{"all but one is not all", goalOf(goalAtLeast, 100_000), []sent{{"2022-M06", counted(99_999)}}, "2022-06-30", "", "ON_TRACK p=99.99 e=24.69", nil},
		{"one is not none", goalOf(goalAtLeast, 100_000), []sent{{"2022-M06", counted(1)}}, "2022-06-30", "", "OFF_TRACK p=0.01 e=24.69", nil},
		{"a due day is not over", goalOf(goalAtLeast, 100), []sent{{"2023-M12", counted(99)}}, "2023-12-31", "", "ON_TRACK p=99.00 e=100.00", nil},
		{"overdue", goalOf(goalAtLeast, 100), []sent{{"2023-M12", counted(99)}}, "2024-01-01", "", "OVERDUE p=99.00 e=100.00", nil},
		{"overdue and silent", goalOf(goalAtLeast, 100), nil, "2024-01-01", "", "OVERDUE NOTHING_REPORTED p= e=100.00", nil},
		{"achieved and long over", goalOf(goalAtLeast, 100), []sent{{"2023-M01", counted(100)}}, "2024-06-01", "", "ACHIEVED p=100.00 e=100.00", stale(30)},
		{"old enough", goalOf(goalAtLeast, 100), []sent{{"2022-M05", counted(90)}}, "2022-06-30", "", "ON_TRACK p=90.00 e=24.69", stale(30)},
		{"too old", goalOf(goalAtLeast, 100), []sent{{"2022-M05", counted(90)}}, "2022-07-01", "", "NO_DATA p=90.00 e=24.83", stale(30)},
		{"never too old", goalOf(goalAtLeast, 100), []sent{{"2022-M01", counted(90)}}, "2022-12-31", "", "ON_TRACK p=90.00 e=49.93", stale(0)},
		{"a period is judged on its last day", goalOf(goalAtLeast, 100), []sent{{"2022-M06", counted(23)}}, "2023-02-01", "2022-M06", "AT_RISK p=23.00 e=24.69", stale(30)},
		{"baseline is goal", goalOf(goalAtLeast, 100, from(100)), []sent{{"2022-M06", counted(90)}}, "2022-06-30", "", "UNDEFINED BASELINE_IS_GOAL p= e=24.69", nil},
		{"baseline is goal, and met", goalOf(goalAtLeast, 100, from(100)), []sent{{"2022-M06", counted(100)}}, "2022-06-30", "", "ACHIEVED BASELINE_IS_GOAL p= e=24.69", nil},
		{"from a day on", goalOf(goalAtLeast, 100, func(g *registryv1.Goal) { g.BaselineDate = "2022-06-30" }), []sent{{"2022-M12", counted(33)}}, "2022-12-31", "", "ON_TRACK p=33.00 e=33.52", nil},
		{"applies later", goalOf(goalAtLeast, 100), []sent{{"2022-M12", counted(33)}}, "2022-12-31", "", "ON_TRACK p=33.00 e=33.52", func(t *registryv1.Target) { t.Applicability.FromDate = "2022-06-30" }},
		{"before the first step", goalOf(goalAtLeast, 100, step("2022-07-01", 2_000)), []sent{{"2022-M06", counted(0)}}, "2022-06-30", "", "NOT_STARTED p=0.00 e=0.00", nil},
		{"on a step", goalOf(goalAtLeast, 100, step("2022-06-30", 2_000), step("2023-06-30", 10_000)), []sent{{"2022-M06", counted(19)}}, "2022-06-30", "", "ON_TRACK p=19.00 e=20.00", nil},

		{"falling goal", goalOf(goalAtMost, 10, from(50)), []sent{{"2022-M06", counted(40)}}, "2022-06-30", "", "ON_TRACK p=25.00 e=24.69", nil},
		{"falling goal, rising", goalOf(goalAtMost, 10, from(50)), []sent{{"2022-M06", counted(60)}}, "2022-06-30", "", "MOVING_AWAY p=-25.00 e=24.69", nil},
		{"at most without a baseline", goalOf(goalAtMost, 10), []sent{{"2022-M06", counted(11)}}, "2022-06-30", "", "UNDEFINED NO_BASELINE p= e=24.69", nil},
		{"at most without a baseline, met", goalOf(goalAtMost, 10), []sent{{"2022-M06", counted(10)}}, "2022-06-30", "", "ACHIEVED NO_BASELINE p= e=24.69", nil},
		{"down to none without a baseline", goalOf(goalZero, 0), []sent{{"2022-M06", counted(1)}}, "2022-06-30", "", "UNDEFINED NO_BASELINE p= e=24.69", nil},
		{"down to none without a baseline, met", goalOf(goalZero, 0), []sent{{"2022-M06", counted(0)}}, "2022-06-30", "", "ACHIEVED NO_BASELINE p= e=24.69", nil},
		{"down to none", goalOf(goalZero, 0, from(40)), []sent{{"2022-M06", counted(30)}}, "2022-06-30", "", "ON_TRACK p=25.00 e=24.69", nil},
		{"nothing reported is not none", goalOf(goalZero, 0, from(40)), nil, "2022-06-30", "", "NO_DATA NOTHING_REPORTED p= e=24.69", nil},

		{"below a range", goalOf(goalRange, 0, between(80, 120)), []sent{{"2022-M06", counted(20)}}, "2022-06-30", "", "ON_TRACK p=25.00 e=24.69", nil},
		{"on the floor of a range", goalOf(goalRange, 0, between(80, 120)), []sent{{"2022-M06", counted(80)}}, "2022-06-30", "", "ACHIEVED p=100.00 e=24.69", nil},
		{"on the ceiling of a strict range", goalOf(goalRange, 0, between(80, 120), strict), []sent{{"2022-M06", counted(120)}}, "2022-06-30", "", "ACHIEVED p=150.00 e=24.69", nil},
		{"over the ceiling", goalOf(goalRange, 0, between(80, 120)), []sent{{"2022-M06", counted(121)}}, "2022-06-30", "", "ACHIEVED p=151.25 e=24.69 above", nil},
		{"over a strict ceiling", goalOf(goalRange, 0, between(80, 120), strict), []sent{{"2022-M06", counted(121)}}, "2022-06-30", "", "OFF_TRACK p=151.25 e=24.69 above", nil},
		{"over a strict ceiling when due", goalOf(goalRange, 0, between(80, 120), strict), []sent{{"2023-M12", counted(121)}}, "2024-01-01", "", "OVERDUE p=151.25 e=100.00 above", nil},
		{"ratio over a strict ceiling", goalOf(goalRange, 0, between(400_000, 600_000), strict), []sent{{"2022-M06", partOf(61, 100)}}, "2022-06-30", "", "OFF_TRACK p=152.50 e=24.69 above", nil},

		{"ratio", goalOf(goalAtLeast, 800_000), []sent{{"2022-M06", partOf(1, 5)}}, "2022-06-30", "", "ON_TRACK p=25.00 e=24.69", nil},
		{"zero denominator", goalOf(goalAtLeast, 800_000), []sent{{"2022-M06", partOf(0, 0)}}, "2022-06-30", "", "UNDEFINED ZERO_DENOMINATOR p= e=24.69", nil},
		{"everybody", goalOf(goalAll, 0), []sent{{"2022-M06", said(true)}}, "2022-06-30", "", "ACHIEVED p=100.00 e=24.69", nil},
		{"nobody", goalOf(goalAll, 0), []sent{{"2022-M06", said(false)}}, "2022-06-30", "", "OFF_TRACK p=0.00 e=24.69", nil},

		{"growth", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(110)}}, "2022-06-30", "2022-M06", "ACHIEVED p=100.00 e=100.00", nil},
		{"half the growth", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(105)}}, "2022-06-30", "2022-M06", "OFF_TRACK p=50.00 e=100.00", nil},
		{"most of the growth", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(109)}}, "2022-06-30", "2022-M06", "AT_RISK p=90.00 e=100.00", nil},
		{"growth of an odd number is rounded up", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(101)}, {"2022-M06", counted(111)}}, "2022-06-30", "2022-M06", "AT_RISK p=90.91 e=100.00", nil},
		{"shrinking", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(99)}}, "2022-06-30", "2022-M06", "MOVING_AWAY p=-10.00 e=100.00", nil},
		{"growth from zero", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(0)}, {"2022-M06", counted(5)}}, "2022-06-30", "2022-M06", "UNDEFINED PREVIOUS_ZERO p= e=100.00", nil},
		{"growth over a missing month", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M04", counted(100)}, {"2022-M06", counted(500)}}, "2022-06-30", "2022-M06", "UNDEFINED PREVIOUS_MISSING p= e=100.00", nil},
		{"growth over a withdrawn month", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(100)}, {"2022-M05", withdrawn()}, {"2022-M06", counted(500)}}, "2022-06-30", "2022-M06", "UNDEFINED PREVIOUS_MISSING p= e=100.00", nil},
		{"growth is told by period", goalOf(goalGrowth, 0, growing(100_000, each)), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(110)}}, "2022-06-30", "", "UNDEFINED GOAL_BY_PERIOD p= e=100.00", nil},
		{"compound growth", goalOf(goalGrowth, 0, growing(100_000, compound), from(1_000), func(g *registryv1.Goal) { g.BaselineDate = "2022-04-30" }), []sent{{"2022-M06", counted(1_210)}}, "2022-06-30", "2022-M06", "ACHIEVED p=100.00 e=100.00", nil},
		{"compound growth over a missing month", goalOf(goalGrowth, 0, growing(100_000, compound), from(1_000), func(g *registryv1.Goal) { g.BaselineDate = "2022-04-30" }), []sent{{"2022-M04", counted(1_000)}, {"2022-M06", counted(1_209)}}, "2022-06-30", "2022-M06", "ON_TRACK p=99.52 e=100.00", nil},
		{"compound growth from zero", goalOf(goalGrowth, 0, growing(100_000, compound), from(0)), []sent{{"2022-M06", counted(5)}}, "2022-06-30", "2022-M06", "UNDEFINED PREVIOUS_ZERO p= e=100.00", nil},
		{"compound growth from nowhere", goalOf(goalGrowth, 0, growing(100_000, compound)), []sent{{"2022-M06", counted(5)}}, "2022-06-30", "2022-M06", "UNDEFINED NO_BASELINE p= e=100.00", nil},

		{"beaten", goalOf(goalBeat, 0), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(101)}}, "2022-06-30", "2022-M06", "ACHIEVED NO_BASELINE p= e=100.00", nil},
		{"equality is not a beat", goalOf(goalBeat, 0), []sent{{"2022-M05", counted(100)}, {"2022-M06", counted(100)}}, "2022-06-30", "2022-M06", "UNDEFINED NO_BASELINE p= e=100.00", nil},
		{"equal ratios in other numbers are no beat", goalOf(goalBeat, 0), []sent{{"2022-M05", partOf(1, 3)}, {"2022-M06", partOf(2, 6)}}, "2022-06-30", "2022-M06", "UNDEFINED NO_BASELINE p= e=100.00", nil},
		{"a ratio beaten by a hair", goalOf(goalBeat, 0), []sent{{"2022-M05", partOf(333_333, 1_000_000)}, {"2022-M06", partOf(1, 3)}}, "2022-06-30", "2022-M06", "ACHIEVED NO_BASELINE p= e=100.00", nil},
		{"nothing to beat", goalOf(goalBeat, 0), []sent{{"2022-M06", counted(100)}}, "2022-06-30", "2022-M06", "UNDEFINED PREVIOUS_MISSING p= e=100.00", nil},
		{"something beats zero", goalOf(goalBeat, 0), []sent{{"2022-M05", counted(0)}, {"2022-M06", counted(1)}}, "2022-06-30", "2022-M06", "ACHIEVED NO_BASELINE p= e=100.00", nil},
		{"last year beaten", goalOf(goalBeat, 0, against(lastYear)), []sent{{"2022-M06", counted(100)}, {"2023-M05", counted(500)}, {"2023-M06", counted(101)}}, "2023-06-30", "2023-M06", "ACHIEVED NO_BASELINE p= e=100.00", nil},
		{"last year equalled", goalOf(goalBeat, 0, against(lastYear)), []sent{{"2022-M06", counted(100)}, {"2023-M06", counted(100)}}, "2023-06-30", "2023-M06", "UNDEFINED NO_BASELINE p= e=100.00", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLeader(t, c.today, 1)
			kind := asCount
			for _, s := range c.sent {
				switch s.value.GetValue().(type) {
				case *reportingv1.Submission_Ratio:
					kind = asRatio
				case *reportingv1.Submission_YesNo:
					kind = asYesNo
				}
			}
			edit := []func(*registryv1.Target){func(t *registryv1.Target) {}}
			if c.edit != nil {
				edit = append(edit, c.edit)
			}
			l.target("cards", kind, c.goal, edit...)
			for _, s := range c.sent {
				l.report("c1", "cards", s.period, s.value)
			}
			f := l.figure("vn", "cards", c.period)
			if got := standing(f); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if f.GetGoalMet() != (f.GetStatus() == reportingv1.Status_STATUS_ACHIEVED) {
				t.Errorf("goal met is %t", f.GetGoalMet())
			}
			if (f.GetStatus() == reportingv1.Status_STATUS_UNDEFINED) && f.GetUndefinedReason() == 0 {
				t.Error("undefined without a reason")
			}
		})
	}
}
