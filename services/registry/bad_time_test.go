package registry_test

import (
	"context"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"google.golang.org/protobuf/proto"
)

const (
	countKind = typev1.ValueKind_VALUE_KIND_COUNT
	ratioKind = typev1.ValueKind_VALUE_KIND_RATIO
	yesNoKind = typev1.ValueKind_VALUE_KIND_YES_NO

	growth = registryv1.GoalKind_GOAL_KIND_GROWTH
	beat   = registryv1.GoalKind_GOAL_KIND_BEAT

	compound = registryv1.GrowthMode_GROWTH_MODE_COMPOUND
	lastYear = registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR
)

func progressLine(n uint32) *registryv1.Threshold {
	return &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: n}}
}

func valueLine(n int64) *registryv1.Threshold {
	return &registryv1.Threshold{At: &registryv1.Threshold_Value{Value: n}}
}

func completeLine(n uint32) *registryv1.Threshold {
	return &registryv1.Threshold{At: &registryv1.Threshold_Completeness{Completeness: n}}
}

func streakLine(n uint32) *registryv1.Threshold {
	return &registryv1.Threshold{At: &registryv1.Threshold_Streak{Streak: n}}
}

// badPaths are goals over time that cannot be.
func badPaths() []bad {
	const atLeast, within = registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.GoalKind_GOAL_KIND_RANGE
	type goal = registryv1.Goal
	set := func(kind typev1.ValueKind, g *goal) func(context.Context, *rig) error {
		return addTarget("x", kind, func(t *registryv1.Target) {
			t.Goal, t.Milestones = g, &registryv1.MilestoneRule{Scope: byPeriod}
		})
	}
	judged := func(m *registryv1.MilestoneRule) func(context.Context, *rig) error {
		return addTarget("x", countKind, func(t *registryv1.Target) { t.Goal, t.Milestones = &goal{Kind: beat}, m })
	}
	lines := func(scope registryv1.MilestoneScope, ts ...*registryv1.Threshold) func(context.Context, *rig) error {
		return addTarget("x", countKind, func(t *registryv1.Target) {
			t.Milestones = &registryv1.MilestoneRule{Scope: scope, Thresholds: ts}
		})
	}
	steps := func(all ...*registryv1.PathStep) func(context.Context, *rig) error {
		return set(countKind, &goal{Kind: atLeast, Value: 10, Steps: all})
	}
	step := func(day string, n uint32) *registryv1.PathStep { return &registryv1.PathStep{Date: day, Progress: n} }
	return []bad{
		{"GROWTH of a ratio", set(ratioKind, &goal{Kind: growth, Growth: 1}), invalid, field, "target.goal.kind"},
		{"GROWTH of yes/no", set(yesNoKind, &goal{Kind: growth, Growth: 1}), invalid, field, "target.goal.kind"},
		{"GROWTH of nothing", set(countKind, &goal{Kind: growth}), invalid, field, "target.goal.growth"},
		{"GROWTH below nothing", set(countKind, &goal{Kind: growth, Growth: -1}), invalid, field, "target.goal.growth"},
		{"GROWTH with a value and bounds", set(countKind, &goal{Kind: growth, Growth: 1, Value: 1, Low: 1, High: 2}), invalid, field, "target.goal.value target.goal.low target.goal.high"},
		{"GROWTH of an unknown mode", set(countKind, &goal{Kind: growth, Growth: 1, GrowthMode: 9}), invalid, field, "target.goal.growth_mode"},
		{"COMPOUND without a baseline", set(countKind, &goal{Kind: growth, Growth: 1, GrowthMode: compound, BaselineDate: "2022-01-31"}), invalid, field, "target.goal.baseline"},
		{"COMPOUND without a day", set(countKind, &goal{Kind: growth, Growth: 1, GrowthMode: compound, Baseline: proto.Int64(5)}), invalid, field, "target.goal.baseline_date"},
		{"COMPOUND from no real day", set(countKind, &goal{Kind: growth, Growth: 1, GrowthMode: compound, Baseline: proto.Int64(5), BaselineDate: "2022-02-30"}), invalid, field, "target.goal.baseline_date"},
		{"GROWTH with something to beat", set(countKind, &goal{Kind: growth, Growth: 1, Beat: lastYear}), invalid, field, "target.goal.beat"},
		{"BEAT of yes/no", set(yesNoKind, &goal{Kind: beat}), invalid, field, "target.goal.kind"},
		{"BEAT with a value and bounds", set(countKind, &goal{Kind: beat, Value: 1, Low: 1, High: 2}), invalid, field, "target.goal.value target.goal.low target.goal.high"},
		{"BEAT with a baseline of 0", set(countKind, &goal{Kind: beat, Baseline: proto.Int64(0)}), invalid, field, "target.goal.baseline"},
		{"BEAT with growth", set(countKind, &goal{Kind: beat, Growth: 1, GrowthMode: compound}), invalid, field, "target.goal.growth target.goal.growth_mode"},
		{"BEAT against the unknown", set(countKind, &goal{Kind: beat, Beat: 9}), invalid, field, "target.goal.beat"},
		{"AT_LEAST that grows", set(countKind, &goal{Kind: atLeast, Value: 1, Growth: 1, GrowthMode: 1}), invalid, field, "target.goal.growth target.goal.growth_mode"},
		{"AT_LEAST that beats", set(countKind, &goal{Kind: atLeast, Value: 1, Beat: 1}), invalid, field, "target.goal.beat"},
		{"AT_LEAST that is strict", set(countKind, &goal{Kind: atLeast, Value: 1, Strict: true}), invalid, field, "target.goal.strict"},
		{"strict range upside down", set(countKind, &goal{Kind: within, Low: 2, High: 1, Strict: true}), invalid, field, "target.goal.low"},
		{"step on no real day", steps(step("2022-02-30", 100)), invalid, field, "target.goal.steps[0].date"},
		{"step without a day", steps(step("", 100)), invalid, field, "target.goal.steps[0].date"},
		{"step before the programme", steps(step("2022-01-05", 100)), invalid, field, "target.goal.steps[0].date"},
		{"step after the programme", steps(step("2022-06-30", 100), step("2026-01-01", 200)), invalid, field, "target.goal.steps[1].date"},
		{"steps back in time", steps(step("2022-06-30", 100), step("2022-05-31", 200)), invalid, field, "target.goal.steps[1].date"},
		{"two steps on a day", steps(step("2022-06-30", 100), step("2022-06-30", 200)), invalid, field, "target.goal.steps[1].date"},
		{"steps downward", steps(step("2022-06-30", 200), step("2022-07-31", 100)), invalid, field, "target.goal.steps[1].progress"},
		{"step of nothing more", steps(step("2022-06-30", 0), step("2022-07-31", 0)), invalid, field, "target.goal.steps[1].progress"},
		{"step beyond the goal", steps(step("2022-06-30", 10_001)), invalid, field, "target.goal.steps[0].progress"},
		{"BEAT without milestones by period", judged(nil), invalid, field, "target.milestones.scope"},
		{"BEAT with milestones of what is current", judged(&registryv1.MilestoneRule{Scope: 1}), invalid, field, "target.milestones.scope"},
		{"BEAT with milestones of both", judged(&registryv1.MilestoneRule{Scope: 3}), invalid, field, "target.milestones.scope"},
		{"BEAT beaten by half", judged(&registryv1.MilestoneRule{Scope: byPeriod, Thresholds: []*registryv1.Threshold{progressLine(5000), progressLine(10_000)}}), invalid, field, "target.milestones.thresholds[0].progress"},
		{"BEAT beaten by more than all", judged(&registryv1.MilestoneRule{Disabled: true, Thresholds: []*registryv1.Threshold{progressLine(10_001)}}), invalid, field, "target.milestones.thresholds[0].progress"},
		{"streak of what is current", lines(1, streakLine(3)), invalid, field, "target.milestones.thresholds[0].streak"},
		{"streak without a scope", lines(0, streakLine(3)), invalid, field, "target.milestones.thresholds[0].streak"},
		{"streak of one", lines(byPeriod, streakLine(1)), invalid, field, "target.milestones.thresholds[0].streak"},
		{"streaks descending", lines(byPeriod, streakLine(3), progressLine(5000), streakLine(2)), invalid, field, "target.milestones.thresholds[2].streak"},
		{"completeness twice", lines(0, completeLine(10_000), completeLine(10_000)), invalid, field, "target.milestones.thresholds[1].completeness"},
		{"completeness beyond all", lines(0, completeLine(10_001)), invalid, field, "target.milestones.thresholds[0].completeness"},
		{"stale after eleven years", addTarget("x", countKind, func(t *registryv1.Target) { t.StaleAfterDays = 3661 }), invalid, field, "target.stale_after_days"},
	}
}

// badChecks are targets whose checks, calendar or regime cannot be.
func badChecks() []bad {
	type target = registryv1.Target
	const (
		magnitude = registryv1.CheckKind_CHECK_KIND_MAGNITUDE
		same      = registryv1.CheckKind_CHECK_KIND_COPY
		falling   = registryv1.CheckKind_CHECK_KIND_FALLING_STOCK
		average   = registryv1.CheckKind_CHECK_KIND_AVERAGE_TIMES_DAYS
		control   = registryv1.CheckKind_CHECK_KIND_CONTROL_TOTAL
	)
	with := func(kind typev1.ValueKind, cs ...*registryv1.Check) func(context.Context, *rig) error {
		return addTarget("x", kind, func(t *target) { t.Checks = cs })
	}
	check := func(kind registryv1.CheckKind, other string) *registryv1.Check {
		return &registryv1.Check{Kind: kind, Other: other}
	}
	flow := func(t *target) {
		t.Accumulation, t.Checks = typev1.Accumulation_ACCUMULATION_SUM, []*registryv1.Check{check(falling, "")}
	}
	eleven := func(t *target) {
		for range 11 {
			t.Checks = append(t.Checks, check(same, ""))
		}
	}
	return []bad{
		{"check of no kind", with(countKind, check(0, "")), invalid, field, "target.checks[0].kind"},
		{"check of an unknown kind", with(countKind, check(99, "")), invalid, field, "target.checks[0].kind"},
		{"eleven checks", addTarget("x", countKind, eleven), invalid, field, "target.checks"},
		{"check twice", with(countKind, check(same, ""), check(magnitude, ""), check(same, "")), invalid, field, "target.checks[2].kind"},
		{"magnitude of a ratio", with(ratioKind, check(magnitude, "")), invalid, field, "target.checks[0].kind"},
		{"falling stock of yes/no", with(yesNoKind, check(same, ""), check(falling, "")), invalid, field, "target.checks[1].kind"},
		{"falling stock of a flow", addTarget("x", countKind, flow), invalid, field, "target.checks[0].kind"},
		{"average of a ratio", with(ratioKind, check(average, "cards")), invalid, field, "target.checks[0].kind"},
		{"control total declared", with(countKind, check(control, "")), invalid, field, "target.checks[0].kind"},
		{"average of nothing", with(countKind, check(average, "")), invalid, field, "target.checks[0].other"},
		{"average of itself", with(countKind, check(average, "x")), invalid, field, "target.checks[0].other"},
		{"average twice", with(countKind, check(average, "cards"), check(average, "fees"), check(average, "cards")), invalid, field, "target.checks[2].other"},
		{"average of the unknown", with(countKind, check(average, "none")), invalid, reff, "target.checks[0].other"},
		{"average of a task", with(countKind, check(average, "n1")), invalid, reff, "target.checks[0].other"},
		{"average that is a ratio", with(countKind, check(average, "share")), invalid, reff, "target.checks[0].other"},
		{"average of other periods", with(countKind, check(average, "cards"), check(average, "stock")), invalid, reff, "target.checks[1].other"},
		{"copy of another target", with(countKind, check(same, "cards")), invalid, field, "target.checks[0].other"},
		{"magnitude with a tolerance", with(countKind, &registryv1.Check{Kind: magnitude, Tolerance: proto.Uint32(0)}), invalid, field, "target.checks[0].tolerance"},
		{"tolerance above the whole", with(countKind, &registryv1.Check{Kind: average, Other: "cards", Tolerance: proto.Uint32(10_001)}), invalid, field, "target.checks[0].tolerance"},
		{"target of an unknown calendar", addTarget("x", countKind, func(t *target) { t.Calendar = "lunar" }), invalid, reff, "target.calendar"},
		{"target of an unknown frequency", addTarget("x", countKind, func(t *target) { t.Frequency = 5 }), invalid, field, "target.frequency"},
		{"target of an unknown regime", addTarget("x", countKind, func(t *target) { t.Regime = "none" }), invalid, reff, "target.regime"},
		{"target of a regime that is a task", addTarget("x", countKind, func(t *target) { t.Regime = "n1" }), invalid, reff, "target.regime"},
		{"target of a regime of another calendar", addTarget("x", countKind, func(t *target) { t.Regime, t.Calendar = "month", "fiscal" }), failed, fixed, "target.regime"},
		{"target of a regime of another frequency", addTarget("x", countKind, func(t *target) { t.Regime, t.Calendar = "quarter", "administrative" }), failed, fixed, "target.regime"},
		{"calendar of a target changed", setTarget("fees", countKind, func(t *target) { t.Calendar = "fiscal" }), failed, fixed, "target.calendar"},
		{"regime of a target changed", setTarget("fees", countKind, func(t *target) { t.Regime = "" }), failed, fixed, "target.regime"},
		{"frequency of a target changed", setTarget("fees", countKind, func(t *target) { t.Frequency = quarterly }), failed, fixed, "target.frequency"},
		{"task that nobody can accept", addTask("x", func(t *registryv1.Task) { t.NeedsAcceptance = true }), invalid, field, "task.needs_acceptance"},
	}
}

// badScorecards are status rules and scorecards that cannot be.
func badScorecards() []bad {
	type prog = registryv1.Programme
	const (
		progress = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_PROGRESS
		share    = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_SHARE
		onTime   = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_ON_TIME
		complete = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS
		quality  = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_QUALITY
		tasks    = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS
	)
	part := func(kind registryv1.ScorecardPartKind, of string, weight uint32) *registryv1.ScorecardPart {
		return &registryv1.ScorecardPart{Kind: kind, Target: of, Weight: weight}
	}
	card := func(id string, parts ...*registryv1.ScorecardPart) *registryv1.Scorecard {
		return &registryv1.Scorecard{Id: id, DisplayName: "Xếp hạng", Level: "province", Parts: parts}
	}
	set := func(all ...*registryv1.Scorecard) func(context.Context, *rig) error {
		return setProgramme(func(p *prog) { p.Scorecards = all })
	}
	one := func(parts ...*registryv1.ScorecardPart) func(context.Context, *rig) error {
		return set(card("a", parts...))
	}
	status := func(onTrack, atRisk *uint32) func(context.Context, *rig) error {
		return setProgramme(func(p *prog) { p.StatusRule = &registryv1.StatusRule{OnTrack: onTrack, AtRisk: atRisk} })
	}
	const about = "programme.scorecards[0].parts[0].target"
	nameless := card("a", part(tasks, "", 100))
	nameless.DisplayName = " "
	return []bad{
		{"at risk above on track", status(proto.Uint32(5000), proto.Uint32(5001)), invalid, field, "programme.status_rule.at_risk"},
		{"on track below at risk by default", status(proto.Uint32(5999), nil), invalid, field, "programme.status_rule.at_risk"},
		{"at risk above on track by default", status(nil, proto.Uint32(9501)), invalid, field, "programme.status_rule.at_risk"},
		{"on track above the whole", status(proto.Uint32(10_001), nil), invalid, field, "programme.status_rule.on_track"},
		{"scorecard without an id", set(card("", part(tasks, "", 100))), invalid, field, "programme.scorecards[0].id"},
		{"scorecard twice", set(card("a", part(tasks, "", 100)), card("b", part(tasks, "", 100)), card("a", part(tasks, "", 100))), invalid, field, "programme.scorecards[2].id"},
		{"scorecard with a blank name", set(nameless), invalid, field, "programme.scorecards[0].display_name"},
		{"scorecard of nothing", one(), invalid, field, "programme.scorecards[0].parts"},
		{"weights of 99", one(part(tasks, "", 49), part(progress, "cards", 50)), invalid, field, "programme.scorecards[0].parts"},
		{"weights of 101", one(part(tasks, "", 51), part(progress, "cards", 50)), invalid, field, "programme.scorecards[0].parts"},
		{"part without a weight", one(part(tasks, "", 100), part(progress, "cards", 0)), invalid, field, "programme.scorecards[0].parts[1].weight"},
		{"part of no kind", one(part(0, "cards", 100)), invalid, field, "programme.scorecards[0].parts[0].kind"},
		{"part about nothing", one(part(progress, "", 100)), invalid, field, about},
		{"tasks about something", one(part(tasks, "n1", 100)), invalid, field, about},
		{"progress of the unknown", one(part(progress, "none", 100)), invalid, reff, about},
		{"progress of a task", one(part(progress, "n1", 100)), invalid, reff, about},
		{"progress of a regime", one(part(progress, "month", 100)), invalid, reff, about},
		{"share of a count", one(part(share, "cards", 100)), invalid, reff, about},
		{"share of a regime", one(part(share, "month", 100)), invalid, reff, about},
		{"punctuality of a target", one(part(onTime, "cards", 100)), invalid, reff, about},
		{"quality of a target", one(part(quality, "cards", 100)), invalid, reff, about},
		{"completeness of a task", one(part(complete, "n1", 100)), invalid, reff, about},
		{"two parts about the unknown", one(part(tasks, "", 50), part(share, "none", 25), part(onTime, "none", 25)), invalid, reff,
			"programme.scorecards[0].parts[1].target programme.scorecards[0].parts[2].target"},
		{"new programme with a scorecard", addProgramme("q", func(p *prog) { p.Scorecards = []*registryv1.Scorecard{card("a", part(progress, "cards", 100))} }), invalid, reff, about},
		{"batch with a scorecard before its target", writes(change(newProgramme(), func(p *prog) {
			p.Scorecards = []*registryv1.Scorecard{card("a", part(progress, "later", 100))}
		}), newTarget("later", countKind)), invalid, reff, "writes[0]." + about},
	}
}
