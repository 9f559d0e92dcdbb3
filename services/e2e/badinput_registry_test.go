package e2e_test

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

const (
	badReference = errorv1.Reason_REASON_BAD_REFERENCE
	notIssuable  = errorv1.Reason_REASON_NOT_ISSUABLE
	notAllowed   = errorv1.Reason_REASON_CHANGE_NOT_ALLOWED
	subtotal     = errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN
	exists       = errorv1.Reason_REASON_RESOURCE_EXISTS
)

// writesOf is a batch of writes.
func writesOf(writes ...*registryv1.Write) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.owed.BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: writes})
		return err
	}
}

// createUnit creates a commune, changed as wanted.
func createUnit(id string, change func(*registryv1.Unit)) func(context.Context, *rig) error {
	u := unit("", "79", kindCommune, "commune").GetUnit()
	u.Name = ""
	if change != nil {
		change(u)
	}
	return func(ctx context.Context, r *rig) error {
		_, err := r.owed.CreateUnit(ctx, &registryv1.CreateUnitRequest{UnitId: id, Unit: u})
		return err
	}
}

// updateUnit updates a unit that is there, changed as wanted.
func updateUnit(id string, change func(*registryv1.Unit)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		got, err := r.registry.GetUnit(ctx, &registryv1.GetUnitRequest{Name: "units/" + id})
		if err != nil {
			return err
		}
		change(got.GetUnit())
		_, err = r.owed.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: got.GetUnit()})
		return err
	}
}

// badUnitWrites are units that cannot be.
func badUnitWrites() []badCall {
	type unit = registryv1.Unit
	from := func(day, parent string) func(*unit) {
		return func(u *unit) { u.Placements[0].FromDate, u.Placements[0].Parent = day, parent }
	}
	return []badCall{
		not("unit without an id", createUnit("", nil), "unit_id"),
		not("unit with capitals", createUnit("HN", nil), "unit_id"),
		not("unit with a dot", createUnit("79.1", nil), "unit_id"),
		not("unit with a long id", createUnit(strings.Repeat("a", 41), nil), "unit_id"),
		refuse("unit that exists", createUnit("26734", nil), taken, exists, "unit_id"),
		not("unit without a name", createUnit("x", func(u *unit) { u.DisplayName = "" }), "unit.display_name"),
		not("unit with a long name", createUnit("x", func(u *unit) { u.DisplayName = strings.Repeat("ữ", 201) }), "unit.display_name"),
		not("unit name with a control character", createUnit("x", func(u *unit) { u.DisplayName = "Xã\tA" }), "unit.display_name"),
		not("unit name turned to the left", createUnit("x", func(u *unit) { u.DisplayName = "Xã \u202EA" }), "unit.display_name"),
		not("unit name not composed", createUnit("x", func(u *unit) { u.DisplayName = "Xa\u0303" }), "unit.display_name"),
		not("unit nowhere", createUnit("x", func(u *unit) { u.Placements = nil }), "unit.placements"),
		not("unit of no kind", createUnit("x", func(u *unit) { u.Placements[0].Kind = 0 }), "unit.placements[0].kind"),
		not("unit of no level", createUnit("x", func(u *unit) { u.Placements[0].Level = "" }), "unit.placements[0].level"),
		not("unit from no real day", createUnit("x", from("2022-02-30", "79")), "unit.placements[0].from_date"),
		refuse("unit below no unit", createUnit("x", from("2022-01-01", "99999")), invalid, badReference, "unit.placements[0].parent"),
		refuse("unit below one not yet born", createUnit("x", from("2022-01-01", "coming")), invalid, badReference, "unit.placements[0].parent"),
		refuse("unit below one that closed", createUnit("x", from("2022-06-15", "ended")), invalid, badReference, "unit.placements[0].parent"),
		not("unit below itself", createUnit("x", from("2022-01-01", "x")), "unit.placements[0].parent"),
		not("unit moved below its child", updateUnit("79", from("2020-01-01", "26734")), "unit.placements[0].parent"),
		not("unit closed at birth", createUnit("x", func(u *unit) { u.ClosedDate = "2020-01-01" }), "unit.closed_date"),
		refuse("unit closed above others", updateUnit("79", func(u *unit) { u.ClosedDate = "2022-12-01" }), failed, notAllowed, "unit.closed_date"),
		refuse("unit of an old revision", updateUnit("79", func(u *unit) { u.DisplayName, u.Revision = "x", 1 }), aborted, stale, "unit.revision"),
		refuse("update of no unit", func(ctx context.Context, r *rig) error {
			u := proto.Clone(unitNamed("units/x")).(*unit)
			_, err := r.owed.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: u})
			return err
		}, absent, noUnit, "unit.name"),
		not("unit moved by a path of no field", func(ctx context.Context, r *rig) error {
			_, err := r.owed.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: unitNamed("units/79"),
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"colour"}}})
			return err
		}, "update_mask"),
		refuse("unit to which a target applies below another", createUnit("x", from("2022-01-01", "26734")), failed, subtotal, "unit.placements"),
	}
}

// unitNamed is a commune by its resource name.
func unitNamed(name string) *registryv1.Unit {
	u := unit("", "79", kindCommune, "commune").GetUnit()
	u.Name = name
	return u
}

// badProgrammeWrites are programmes that cannot be.
func badProgrammeWrites() []badCall {
	type prog = registryv1.Programme
	create := func(id string, change func(*prog)) func(context.Context, *rig) error {
		p := programme().GetProgramme()
		p.Name = ""
		change(p)
		return func(ctx context.Context, r *rig) error {
			_, err := r.owed.CreateProgramme(ctx, &registryv1.CreateProgrammeRequest{ProgrammeId: id, Programme: p})
			return err
		}
	}
	update := func(change func(*prog)) func(context.Context, *rig) error {
		p := programme().GetProgramme()
		change(p)
		return func(ctx context.Context, r *rig) error {
			_, err := r.owed.UpdateProgramme(ctx, &registryv1.UpdateProgrammeRequest{Programme: p})
			return err
		}
	}
	as := func(*prog) {}
	return []badCall{
		not("programme without an id", create("", as), "programme_id"),
		not("programme called all", create("all", as), "programme_id"),
		refuse("programme that exists", create("p", as), taken, exists, "programme_id"),
		refuse("programme of no root", create("q", func(p *prog) { p.RootUnit = "99999" }), invalid, badReference, "programme.root_unit"),
		refuse("programme of a root below another unit", create("q", func(p *prog) { p.RootUnit = "79" }), invalid, badReference, "programme.root_unit"),
		not("programme that ends before it starts", create("q", func(p *prog) { p.EndDate = "2021-12-31" }), "programme.end_date"),
		not("programme beyond all periods", create("q", func(p *prog) { p.EndDate = "2100-01-01" }), "programme.end_date"),
		not("programme with an instrument twice", create("q", func(p *prog) { p.Instruments = append(p.Instruments, p.Instruments[0]) }), "programme.instruments[1].id"),
		not("programme with falling thresholds", create("q", func(p *prog) { p.TaskCountThresholds = []uint32{5000, 2500} }), "programme.task_count_thresholds[1]"),
		refuse("programme without an instrument in use", update(func(p *prog) { p.Instruments = nil }), failed, notAllowed, "programme.instruments"),
		refuse("programme with another root", update(func(p *prog) { p.RootUnit = "other" }), invalid, badReference, "programme.root_unit"),
		refuse("programme of an old revision", update(func(p *prog) { p.DisplayName, p.Revision = "x", 1 }), aborted, stale, "programme.revision"),
		refuse("update of no programme", update(func(p *prog) { p.Name = "programmes/q" }), absent, noProg, "programme.name"),
		not("programme with a field of another release", update(func(p *prog) {
			p.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
		}), "programme.99"),
	}
}

// createTarget creates a target, changed as wanted.
func createTarget(id string, kind typev1.ValueKind, change func(*registryv1.Target)) func(context.Context, *rig) error {
	g := target("", kind, change).GetTarget()
	g.Name = ""
	return func(ctx context.Context, r *rig) error {
		_, err := r.owed.CreateTarget(ctx, &registryv1.CreateTargetRequest{Parent: "programmes/p", TargetId: id, Target: g})
		return err
	}
}

// updateTarget updates a target of counts that is there, changed as wanted.
func updateTarget(id string, change func(*registryv1.Target)) func(context.Context, *rig) error {
	g := target(id, kindCount, change).GetTarget()
	return func(ctx context.Context, r *rig) error {
		_, err := r.owed.UpdateTarget(ctx, &registryv1.UpdateTargetRequest{Target: g})
		return err
	}
}

// badTargetWrites are targets that cannot be.
func badTargetWrites() []badCall {
	type tgt = registryv1.Target
	goal := func(kind typev1.ValueKind, g *registryv1.Goal) func(context.Context, *rig) error {
		return createTarget("x", kind, func(t *tgt) { t.Goal = g })
	}
	const atLeast, within, zero = registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.GoalKind_GOAL_KIND_RANGE, registryv1.GoalKind_GOAL_KIND_ZERO
	applies := func(a *registryv1.Applicability) func(*tgt) { return func(t *tgt) { t.Applicability = a } }
	return []badCall{
		refuse("target without all four", createTarget("x", kindCount, func(t *tgt) { t.Acceptance, t.Owner, t.Instrument, t.Due = "", "", "", nil }),
			invalid, notIssuable, "target.acceptance target.owner target.due.latest_date target.instrument"),
		refuse("target of a blank acceptance", createTarget("x", kindCount, func(t *tgt) { t.Acceptance = "  " }), invalid, notIssuable, "target.acceptance"),
		not("target called unit", createTarget("unit", kindCount, nil), "target_id"),
		not("target called as a derived count", createTarget("tasks-task-local-by-task", kindCount, nil), "target_id"),
		refuse("target that exists", createTarget("cards", kindCount, nil), taken, exists, "target_id"),
		refuse("target called as a task", createTarget("plan", kindCount, nil), taken, exists, "target_id"),
		not("target of no kind", createTarget("x", 0, nil), "target.value_kind"),
		not("target of no accumulation", createTarget("x", kindCount, func(t *tgt) { t.Accumulation = 0 }), "target.accumulation"),
		not("ratio summed by the year", createTarget("x", kindRatio, func(t *tgt) { t.Accumulation = 3 }), "target.accumulation"),
		not("yes/no summed", createTarget("x", kindYesNo, func(t *tgt) { t.Accumulation = 2 }), "target.accumulation"),
		not("yes/no with decimals", createTarget("x", kindYesNo, func(t *tgt) { t.Decimals = 1 }), "target.decimals"),
		not("target of seven decimals", createTarget("x", kindCount, func(t *tgt) { t.Decimals = 7 }), "target.decimals"),
		not("count that may exceed", createTarget("x", kindCount, func(t *tgt) { t.MayExceed = true }), "target.may_exceed"),
		not("target for nobody", createTarget("x", kindCount, applies(nil)), "target.applicability"),
		refuse("target for no unit", createTarget("x", kindCount, applies(&registryv1.Applicability{Units: []string{"99999"}})), invalid, badReference, "target.applicability.units[0]"),
		refuse("target for parent and child", createTarget("x", kindCount, applies(&registryv1.Applicability{Units: []string{"79", "26734"}})), failed, subtotal, "target.applicability"),
		not("target that ends before it starts", createTarget("x", kindCount, func(t *tgt) {
			t.Applicability.FromDate, t.Applicability.UntilDate = "2022-06-01", "2022-06-01"
		}), "target.applicability.until_date"),
		refuse("target of no owner that is there", createTarget("x", kindCount, func(t *tgt) { t.Owner = "99999" }), invalid, badReference, "target.owner"),
		refuse("target of no instrument that is there", createTarget("x", kindCount, func(t *tgt) { t.Instrument = "none" }), invalid, badReference, "target.instrument"),
		refuse("target of no pillar that is there", createTarget("x", kindCount, func(t *tgt) { t.Pillar = "none" }), invalid, badReference, "target.pillar"),
		not("goal of no kind", goal(kindCount, &registryv1.Goal{Value: 1}), "target.goal.kind"),
		not("goal below nothing", goal(kindCount, &registryv1.Goal{Kind: atLeast, Value: -1}), "target.goal.value"),
		not("goal beyond measure", goal(kindCount, &registryv1.Goal{Kind: atLeast, Value: mostValue + 1}), "target.goal.value"),
		not("goal above the whole", goal(kindRatio, &registryv1.Goal{Kind: atLeast, Value: 1_000_001}), "target.goal.value"),
		not("range upside down", goal(kindCount, &registryv1.Goal{Kind: within, Low: 3, High: 2}), "target.goal.low"),
		not("yes/no down to none", goal(kindYesNo, &registryv1.Goal{Kind: zero}), "target.goal.kind"),
		not("17 thresholds", createTarget("x", kindCount, func(t *tgt) { t.Milestones = thresholds(17) }), "target.milestones.thresholds"),
		not("share of reports for a count", createTarget("x", kindCount, func(t *tgt) {
			t.Milestones = &registryv1.MilestoneRule{MinReporting: proto.Uint32(9000)}
		}), "target.milestones.min_reporting"),
		refuse("target changed to ratios", updateTarget("cards", func(t *tgt) { t.ValueKind = kindRatio }), failed, notAllowed, "target.value_kind"),
		refuse("target changed to sums", updateTarget("cards", func(t *tgt) { t.Accumulation = 2 }), failed, notAllowed, "target.accumulation"),
		refuse("target changed to cents", updateTarget("cards", func(t *tgt) { t.Decimals = 2 }), failed, notAllowed, "target.decimals"),
		refuse("target of an old revision", updateTarget("cards", func(t *tgt) { t.DisplayName, t.Revision = "x", 1 }), aborted, stale, "target.revision"),
		refuse("update of no target", updateTarget("pies", nil), absent, noTarget, "target.name"),
	}
}

// thresholds are n ascending ones.
func thresholds(n uint32) *registryv1.MilestoneRule {
	rule := &registryv1.MilestoneRule{}
	for i := range n {
		rule.Thresholds = append(rule.Thresholds, &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: i + 1}})
	}
	return rule
}

// badTaskWrites are tasks that cannot be.
func badTaskWrites() []badCall {
	type tsk = registryv1.Task
	create := func(id string, change func(*tsk)) func(context.Context, *rig) error {
		k := badTask("", change).GetTask()
		k.Name = ""
		return func(ctx context.Context, r *rig) error {
			_, err := r.owed.CreateTask(ctx, &registryv1.CreateTaskRequest{Parent: "programmes/p", TaskId: id, Task: k})
			return err
		}
	}
	lead := func(unit string) *registryv1.Assignment {
		return &registryv1.Assignment{Unit: unit, Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD}
	}
	quorum := func(n uint32) func(*tsk) {
		return func(k *tsk) {
			k.CompletionRule = &registryv1.CompletionRule{Kind: registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM, QuorumPercent: n}
		}
	}
	return []badCall{
		refuse("task without all four", create("x", func(k *tsk) { k.Acceptance, k.Assignments, k.Instrument, k.Due = "", nil, "", nil }),
			invalid, notIssuable, "task.acceptance task.assignments task.due.latest_date task.instrument"),
		refuse("task without a lead", create("x", func(k *tsk) { k.Assignments = k.Assignments[1:] }), invalid, notIssuable, "task.assignments"),
		refuse("task that exists", create("plan", nil), taken, exists, "task_id"),
		refuse("task called as a target", create("cards", nil), taken, exists, "task_id"),
		not("task called clock", create("clock", nil), "task_id"),
		not("task of no form", create("x", func(k *tsk) { k.Form = 0 }), "task.form"),
		not("task for nobody", create("x", func(k *tsk) { k.Audience = 0 }), "task.audience"),
		not("task due on no real day", create("x", func(k *tsk) { k.Due.LatestDate = "2022-11-31" }), "task.due.latest_date"),
		refuse("task of no unit", create("x", func(k *tsk) { k.Assignments = append(k.Assignments, lead("99999")) }), invalid, badReference, "task.assignments[3].unit"),
		not("task with a unit twice", create("x", func(k *tsk) { k.Assignments = append(k.Assignments, lead("79")) }), "task.assignments[3].unit"),
		not("task of 1,001 units", create("x", func(k *tsk) {
			for range 1000 {
				k.Assignments = append(k.Assignments, lead("79"))
			}
		}), "task.assignments"),
		not("task done by none", create("x", quorum(0)), "task.completion_rule.quorum_percent"),
		not("task done by more than all", create("x", quorum(101)), "task.completion_rule.quorum_percent"),
	}
}

// badOtherWrites are allocations and batches that cannot be.
func badOtherWrites() []badCall {
	allocate := func(parent, unit string, value int64) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.owed.CreateAllocation(ctx, &registryv1.CreateAllocationRequest{Parent: parent, Unit: unit,
				Allocation: &registryv1.Allocation{Value: value}})
			return err
		}
	}
	many := make([]*registryv1.Write, 1001)
	for i := range many {
		many[i] = programme()
	}
	const cards = "programmes/p/targets/cards"
	nameless := target("x", kindCount, nil)
	nameless.GetTarget().Name = "x"
	return append(badTimeWrites(), []badCall{
		refuse("goal of no target", allocate("programmes/p/targets/pies", "79", 1), absent, noTarget, "parent"),
		refuse("goal of a task", allocate("programmes/p/targets/plan", "79", 1), absent, noTarget, "parent"),
		refuse("goal of no programme", allocate("programmes/q/targets/cards", "79", 1), absent, noProg, "parent"),
		not("goal of a programme alone", allocate("programmes/p", "79", 1), "parent"),
		refuse("goal of no unit", allocate(cards, "99999", 1), invalid, badReference, "unit"),
		not("goal of a unit below nothing", allocate(cards, "79", -1), "allocation.value"),
		not("goal of a unit beyond measure", allocate(cards, "79", mostValue+1), "allocation.value"),
		not("goal of a unit above the whole", allocate("programmes/p/targets/share", "79", 1_000_001), "allocation.value"),
		not("no writes", writesOf(), "writes"),
		not("1,001 writes", writesOf(many...), "writes"),
		not("write of nothing", writesOf(programme(), &registryv1.Write{}), "writes[1].resource"),
		not("write of no name", writesOf(unit("x", "79", kindCommune, "commune"), nameless), "writes[1].target.name"),
		refuse("writes of child before parent", writesOf(unit("x", "y", kindCommune, "commune"), unit("y", "79", kindProvince, "district")),
			invalid, badReference, "writes[0].unit.placements[0].parent"),
		refuse("good writes and a task without a deadline", writesOf(unit("x", "79", kindCommune, "commune"), target("x", kindCount, nil),
			badTask("y", func(k *registryv1.Task) { k.Due = nil })), invalid, notIssuable, "writes[2].task.due.latest_date"),
		refuse("good writes and a target for child and parent", writesOf(unit("x", "79", kindCommune, "commune"),
			target("x", kindCount, func(g *registryv1.Target) { g.Applicability.Kinds = append(g.Applicability.Kinds, kindProvince) })),
			failed, subtotal, "writes[1].target.applicability"),
	}...)
}

// badTimeWrites are calendars, regimes and goals over time that cannot be. No
// calendar or regime need be there for them.
func badTimeWrites() []badCall {
	type tgt = registryv1.Target
	days := func(c *registryv1.Calendar) func(context.Context, *rig) error {
		c.Name, c.DisplayName = "calendars/x", "Lịch"
		return writesOf(&registryv1.Write{Resource: &registryv1.Write_Calendar{Calendar: c}})
	}
	owe := func(id string, change func(*registryv1.Regime)) func(context.Context, *rig) error {
		m := &registryv1.Regime{DisplayName: "Báo cáo tháng", DueWorkingDays: 5}
		change(m)
		return func(ctx context.Context, r *rig) error {
			_, err := r.owed.CreateRegime(ctx, &registryv1.CreateRegimeRequest{Parent: "programmes/p", RegimeId: id, Regime: m})
			return err
		}
	}
	check := func(c *registryv1.Check) func(context.Context, *rig) error {
		return createTarget("x", kindCount, func(t *tgt) { t.Checks = []*registryv1.Check{c} })
	}
	beat := &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_BEAT}
	card := programme().GetProgramme()
	card.Scorecards = []*registryv1.Scorecard{{Id: "s", DisplayName: "s", Level: "province", Parts: []*registryv1.ScorecardPart{
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS, Weight: 99}}}}
	as := func(*registryv1.Regime) {}
	return []badCall{
		not("calendar with a holiday on no real day", days(&registryv1.Calendar{Holidays: []*registryv1.Holiday{{Date: "2022-02-30"}}}), "writes[0].calendar.holidays[0].date"),
		not("calendar that works on a weekday", days(&registryv1.Calendar{WorkingDates: []string{"2022-01-03"}}), "writes[0].calendar.working_dates[0]"),
		not("calendar cut off on the 29th", days(&registryv1.Calendar{CutOffDay: 29}), "writes[0].calendar.cut_off_day"),
		refuse("calendar that is always there", func(ctx context.Context, r *rig) error {
			_, err := r.owed.CreateCalendar(ctx, &registryv1.CreateCalendarRequest{CalendarId: "administrative",
				Calendar: &registryv1.Calendar{DisplayName: "x", CutOffDay: 14}})
			return err
		}, taken, exists, "calendar_id"),
		refuse("calendar of another cut-off", func(ctx context.Context, r *rig) error {
			_, err := r.owed.UpdateCalendar(ctx, &registryv1.UpdateCalendarRequest{
				Calendar: &registryv1.Calendar{Name: "calendars/administrative", DisplayName: "x", CutOffDay: 15}})
			return err
		}, failed, notAllowed, "calendar.cut_off_day"),
		refuse("regime called as a target", owe("cards", as), taken, exists, "regime_id"),
		refuse("regime called as a task", owe("plan", as), taken, exists, "regime_id"),
		not("regime called clock", owe("clock", as), "regime_id"),
		not("regime due at once", owe("x", func(m *registryv1.Regime) { m.DueWorkingDays = 0 }), "regime.due_working_days"),
		refuse("regime of no calendar", owe("x", func(m *registryv1.Regime) { m.Calendar = "am-lich" }), invalid, badReference, "regime.calendar"),
		not("regime from before the programme", owe("x", func(m *registryv1.Regime) { m.FromDate = "2019-01-01" }), "regime.from_date"),
		refuse("target of no regime", createTarget("x", kindCount, func(t *tgt) { t.Regime = "none" }), invalid, badReference, "target.regime"),
		refuse("target changed to quarters", updateTarget("cards", func(t *tgt) { t.Frequency = 2 }), failed, notAllowed, "target.frequency"),
		not("check of control totals", check(&registryv1.Check{Kind: registryv1.CheckKind_CHECK_KIND_CONTROL_TOTAL}), "target.checks[0].kind"),
		refuse("check against no target", check(&registryv1.Check{Kind: registryv1.CheckKind_CHECK_KIND_AVERAGE_TIMES_DAYS, Other: "pies"}), invalid, badReference, "target.checks[0].other"),
		not("BEAT of what is current", createTarget("x", kindCount, func(t *tgt) { t.Goal = beat }), "target.milestones.scope"),
		not("weights of 99", writesOf(&registryv1.Write{Resource: &registryv1.Write_Programme{Programme: card}}), "writes[0].programme.scorecards[0].parts"),
		refuse("regime that is not there", func(ctx context.Context, r *rig) error {
			_, err := r.registry.GetRegime(ctx, &registryv1.GetRegimeRequest{Name: "programmes/p/regimes/none"})
			return err
		}, absent, errorv1.Reason_REASON_REGIME_NOT_FOUND, "name"),
	}
}

// badRegistryReads are reads of what is not owed.
func badRegistryReads() []badCall {
	get := func(name string) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.registry.GetTarget(ctx, &registryv1.GetTargetRequest{Name: name})
			return err
		}
	}
	list := func(parent, token string, size int32) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.registry.ListTargets(ctx, &registryv1.ListTargetsRequest{Parent: parent, PageToken: token, PageSize: size})
			return err
		}
	}
	revisions := func(name string) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.registry.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: name})
			return err
		}
	}
	watch := func(after int64) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			stream, err := r.registry.WatchRegistry(ctx, &registryv1.WatchRegistryRequest{AfterRevision: after})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}
	}
	return []badCall{
		not("target of no name", get(""), "name"),
		not("target by its id", get("cards"), "name"),
		refuse("target that is not there", get("programmes/p/targets/pies"), absent, noTarget, "name"),
		refuse("target that is a task", get("programmes/p/targets/plan"), absent, noTarget, "name"),
		refuse("target of a programme that is not there", get("programmes/q/targets/cards"), absent, noTarget, "name"),
		refuse("targets of no programme", list("programmes/q", "", 0), absent, noProg, "parent"),
		not("targets of a unit", list("units/79", "", 0), "parent"),
		not("targets in pages of 1,001", list("programmes/p", "", 1001), "page_size"),
		refuse("targets by a token made up", list("programmes/p", "trang-2", 0), invalid, badToken, "page_token"),
		not("units below a path", func(ctx context.Context, r *rig) error {
			_, err := r.registry.ListUnits(ctx, &registryv1.ListUnitsRequest{ParentUnit: "vn.79"})
			return err
		}, "parent_unit"),
		not("units of an unknown kind", func(ctx context.Context, r *rig) error {
			_, err := r.registry.ListUnits(ctx, &registryv1.ListUnitsRequest{Kind: 99})
			return err
		}, "kind"),
		not("versions of no name", revisions("vn"), "name"),
		refuse("versions of no unit", revisions("units/99999"), absent, noUnit, "name"),
		refuse("versions of no task", revisions("programmes/p/tasks/none"), absent, errorv1.Reason_REASON_TASK_NOT_FOUND, "name"),
		refuse("versions of no allocation", revisions("programmes/p/targets/cards/allocations/79"), absent, errorv1.Reason_REASON_ALLOCATION_NOT_FOUND, "name"),
		not("watch from below nothing", watch(-1), "after_revision"),
		refuse("watch from what is to come", watch(1<<40), codes.FailedPrecondition, errorv1.Reason_REASON_REGISTRY_BEHIND, "after_revision"),
	}
}
