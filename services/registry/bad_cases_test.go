package registry_test

import (
	"context"
	"strings"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func badUnits() []bad {
	type unit = registryv1.Unit
	placed := func(ps ...*registryv1.Placement) func(*unit) { return func(u *unit) { u.Placements = ps } }
	at := func(from, parent string) *registryv1.Placement {
		return &registryv1.Placement{FromDate: from, Parent: parent, Kind: province, Level: "province"}
	}
	return []bad{
		{"unit id missing", addUnit("", nil), invalid, field, "unit_id"},
		{"unit id with capitals", addUnit("HN", nil), invalid, field, "unit_id"},
		{"unit id with a dot", addUnit("vn.79", nil), invalid, field, "unit_id"},
		{"unit id with two hyphens", addUnit("a--b", nil), invalid, field, "unit_id"},
		{"unit id too long", addUnit(strings.Repeat("a", 41), nil), invalid, field, "unit_id"},
		{"unit id with a wildcard", addUnit("*", nil), invalid, field, "unit_id"},
		{"unit exists", addUnit("79", nil), taken, exists, "unit_id"},
		{"unit without a name", addUnit("x", func(u *unit) { u.DisplayName = "" }), invalid, field, "unit.display_name"},
		{"unit with a blank name", addUnit("x", func(u *unit) { u.DisplayName = "  " }), invalid, field, "unit.display_name"},
		{"unit name too long", addUnit("x", func(u *unit) { u.DisplayName = strings.Repeat("đ", 201) }), invalid, field, "unit.display_name"},
		{"unit name with a control character", addUnit("x", func(u *unit) { u.DisplayName = "a\nb" }), invalid, field, "unit.display_name"},
		{"unit name with a direction character", addUnit("x", func(u *unit) { u.DisplayName = "a\u202Eb" }), invalid, field, "unit.display_name"},
		{"unit name not composed", addUnit("x", func(u *unit) { u.DisplayName = "Ha\u0300 No\u0302\u0323i" }), invalid, field, "unit.display_name"},
		{"unit designation with a control character", addUnit("x", func(u *unit) { u.Designation = "\x7f" }), invalid, field, "unit.designation"},
		{"unit without placements", addUnit("x", placed()), invalid, field, "unit.placements"},
		{"unit with 51 placements", addUnit("x", func(u *unit) {
			u.Placements = nil
			for range 51 {
				u.Placements = append(u.Placements, at("2004-01-01", "vn"))
			}
		}), invalid, field, "unit.placements"},
		{"placement without kind", addUnit("x", func(u *unit) { u.Placements[0].Kind = 0 }), invalid, field, "unit.placements[0].kind"},
		{"placement of an unknown kind", addUnit("x", func(u *unit) { u.Placements[0].Kind = 99 }), invalid, field, "unit.placements[0].kind"},
		{"placement without level", addUnit("x", func(u *unit) { u.Placements[0].Level = "" }), invalid, field, "unit.placements[0].level"},
		{"placement with a level of capitals", addUnit("x", func(u *unit) { u.Placements[0].Level = "Tỉnh" }), invalid, field, "unit.placements[0].level"},
		{"placement without a day", addUnit("x", placed(at("", "vn"))), invalid, field, "unit.placements[0].from_date"},
		{"placement on no real day", addUnit("x", placed(at("2022-02-30", "vn"))), invalid, field, "unit.placements[0].from_date"},
		{"placement on a leap day of no leap year", addUnit("x", placed(at("2023-02-29", "vn"))), invalid, field, "unit.placements[0].from_date"},
		{"placement in another form", addUnit("x", placed(at("01/07/2022", "vn"))), invalid, field, "unit.placements[0].from_date"},
		{"placement in a far year", addUnit("x", placed(at("2200-01-01", "vn"))), invalid, field, "unit.placements[0].from_date"},
		{"placement in an early year", addUnit("x", placed(at("1899-12-31", ""))), invalid, field, "unit.placements[0].from_date"},
		{"placements not ascending", addUnit("x", placed(at("2010-01-01", "vn"), at("2009-01-01", "vn"))), invalid, field, "unit.placements[1].from_date"},
		{"placements on the same day", addUnit("x", placed(at("2010-01-01", "vn"), at("2010-01-01", "79"))), invalid, field, "unit.placements[1].from_date"},
		{"two faults of a unit", addUnit("x", placed(at("2022-13-01", "vn"), at("2022-00-10", "vn"))), invalid, field, "unit.placements[0].from_date unit.placements[1].from_date"},
		{"parent unknown", addUnit("x", placed(at("2010-01-01", "nowhere"))), invalid, reff, "unit.placements[0].parent"},
		{"second parent unknown", addUnit("x", placed(at("2010-01-01", "vn"), at("2020-01-01", "nowhere"))), invalid, reff, "unit.placements[1].parent"},
		{"parent is no id", addUnit("x", placed(at("2010-01-01", "units/vn"))), invalid, field, "unit.placements[0].parent"},
		{"parent not yet born", addUnit("x", placed(at("2003-12-31", "vn"))), invalid, reff, "unit.placements[0].parent"},
		{"parent closed before", addUnit("x", placed(at("2010-01-01", "old"))), invalid, reff, "unit.placements[0].parent"},
		{"below itself at birth", addUnit("x", placed(at("2010-01-01", "x"))), invalid, field, "unit.placements[0].parent"},
		{"closed on no real day", addUnit("x", func(u *unit) { u.ClosedDate = "2022-06-31" }), invalid, field, "unit.closed_date"},
		{"closed at birth", addUnit("x", func(u *unit) { u.ClosedDate = "2004-01-01" }), invalid, field, "unit.closed_date"},
		{"closed before the last placement", addUnit("x", func(u *unit) {
			u.Placements = append(u.Placements, at("2020-01-01", "vn"))
			u.ClosedDate = "2019-01-01"
		}), invalid, field, "unit.closed_date"},
		{"moved below itself", setUnit("79", placed(at("2004-01-01", "79"))), invalid, field, "unit.placements[0].parent"},
		{"moved below its child", setUnit("79", placed(at("2004-01-01", "760"))), invalid, field, "unit.placements[0].parent"},
		{"moved below its grandchild for a time", setUnit("79", placed(
			at("2004-01-01", "vn"), at("2020-01-01", "26734"), at("2021-01-01", "vn"))), invalid, field, "unit.placements[1].parent"},
		{"closed while another stands below", setUnit("79", func(u *unit) { u.ClosedDate = "2022-01-01" }), failed, fixed, "unit.closed_date"},
		{"born after what stands below", setUnit("79", placed(at("2010-01-01", "vn"))), failed, fixed, "unit.placements[0].from_date"},
		{"second parent of the root unknown", setUnit("vn", placed(at("2004-01-01", ""), at("2030-01-01", "solo"))), invalid, reff, "unit.placements[1].parent"},
		{"unit changed at another revision", setUnit("79", func(u *unit) { u.Revision = 3; u.DisplayName = "x" }), aborted, stale, "unit.revision"},
		{"unit with a negative revision", setUnit("79", func(u *unit) { u.Revision = -1 }), invalid, field, "unit.revision"},
		{"unit update of none", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: newUnit("none", "vn", province, "province")})
			return err
		}, absent, errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit.name"},
		{"unit update without a name", func(ctx context.Context, r *rig) error {
			u := newUnit("79", "vn", province, "province")
			u.Name = ""
			_, err := r.admin.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: u})
			return err
		}, invalid, field, "unit.name"},
		{"create without a unit", func(ctx context.Context, r *rig) error {
			_, err := r.admin.CreateUnit(ctx, &registryv1.CreateUnitRequest{UnitId: "x"})
			return err
		}, invalid, field, "unit"},
		{"re-kinded so that a target applies to it and above", setUnit("760", func(u *unit) {
			u.Placements = append(u.Placements, &registryv1.Placement{FromDate: "2023-01-01", Parent: "79", Kind: province, Level: "province"})
		}), failed, subtotal, "unit.placements"},
		{"created below one to which a target applies too", addUnit("x", placed(at("2010-01-01", "760"))), failed, subtotal, "unit.placements"},
		{"moved below one to which a target applies too", setUnit("01", placed(
			at("2004-01-01", "vn"), at("2024-01-01", "79"))), failed, subtotal, "unit.placements"},
		{"moved so that one below it clashes", setUnit("vn", func(u *unit) {
			u.Placements = append(u.Placements, &registryv1.Placement{FromDate: "2024-01-01", Kind: country, Level: "province"})
		}), failed, subtotal, "unit.placements"},
	}
}

func badProgrammes() []bad {
	type prog = registryv1.Programme
	return []bad{
		{"programme id missing", addProgramme("", nil), invalid, field, "programme_id"},
		{"programme id reserved", addProgramme("all", nil), invalid, field, "programme_id"},
		{"programme id too long", addProgramme(strings.Repeat("a", 61), nil), invalid, field, "programme_id"},
		{"programme exists", addProgramme("p", nil), taken, exists, "programme_id"},
		{"programme without a name", addProgramme("q", func(p *prog) { p.DisplayName = "" }), invalid, field, "programme.display_name"},
		{"programme name too long", addProgramme("q", func(p *prog) { p.DisplayName = strings.Repeat("a", 301) }), invalid, field, "programme.display_name"},
		{"programme root unknown", addProgramme("q", func(p *prog) { p.RootUnit = "nowhere" }), invalid, reff, "programme.root_unit"},
		{"programme root missing", addProgramme("q", func(p *prog) { p.RootUnit = "" }), invalid, field, "programme.root_unit"},
		{"programme root that is none", addProgramme("q", func(p *prog) { p.RootUnit = "79" }), invalid, reff, "programme.root_unit"},
		{"programme starts on no real day", addProgramme("q", func(p *prog) { p.StartDate = "2022-02-30" }), invalid, field, "programme.start_date"},
		{"programme ends on no real day", addProgramme("q", func(p *prog) { p.EndDate = "2022-04-31" }), invalid, field, "programme.end_date"},
		{"programme ends before it starts", addProgramme("q", func(p *prog) { p.EndDate = "2022-01-05" }), invalid, field, "programme.end_date"},
		{"programme starts too early for periods", addProgramme("q", func(p *prog) { p.StartDate = "1999-12-31" }), invalid, field, "programme.start_date"},
		{"programme ends too late for periods", addProgramme("q", func(p *prog) { p.EndDate = "2100-01-01" }), invalid, field, "programme.end_date"},
		{"two pillars of one id", addProgramme("q", func(p *prog) { p.Pillars = append(p.Pillars, p.Pillars[0]) }), invalid, field, "programme.pillars[1].id"},
		{"two groups of one id", addProgramme("q", func(p *prog) { p.Groups = append(p.Groups, p.Groups[0]) }), invalid, field, "programme.groups[1].id"},
		{"two instruments of one id", addProgramme("q", func(p *prog) { p.Instruments = append(p.Instruments, p.Instruments[0]) }), invalid, field, "programme.instruments[1].id"},
		{"pillar without a name", addProgramme("q", func(p *prog) { p.Pillars[0].DisplayName = "" }), invalid, field, "programme.pillars[0].display_name"},
		{"instrument without kind", addProgramme("q", func(p *prog) { p.Instruments[0].Kind = 0 }), invalid, field, "programme.instruments[0].kind"},
		{"instrument without number", addProgramme("q", func(p *prog) { p.Instruments[0].Number = "" }), invalid, field, "programme.instruments[0].number"},
		{"instrument of no real day", addProgramme("q", func(p *prog) { p.Instruments[0].Date = "2022-09-31" }), invalid, field, "programme.instruments[0].date"},
		{"instrument signed with a direction character", addProgramme("q", func(p *prog) { p.Instruments[0].Signer = "a\u2066b" }), invalid, field, "programme.instruments[0].signer"},
		{"thresholds of tasks not ascending", addProgramme("q", func(p *prog) { p.TaskCountThresholds = []uint32{5000, 2500} }), invalid, field, "programme.task_count_thresholds[1]"},
		{"threshold of tasks twice", addProgramme("q", func(p *prog) { p.TaskCountThresholds = []uint32{5000, 5000} }), invalid, field, "programme.task_count_thresholds[1]"},
		{"threshold of tasks above all", addProgramme("q", func(p *prog) { p.TaskCountThresholds = []uint32{10001} }), invalid, field, "programme.task_count_thresholds[0]"},
		{"51 pillars", addProgramme("q", func(p *prog) {
			for range 50 {
				p.Pillars = append(p.Pillars, p.Pillars[0])
			}
		}), invalid, field, "programme.pillars"},
		{"instrument in use taken away", setProgramme(func(p *prog) { p.Instruments = nil }), failed, fixed, "programme.instruments"},
		{"pillar in use taken away", setProgramme(func(p *prog) { p.Pillars = nil }), failed, fixed, "programme.pillars"},
		{"group in use taken away", setProgramme(func(p *prog) { p.Groups = nil }), failed, fixed, "programme.groups"},
		{"programme changed at another revision", setProgramme(func(p *prog) { p.Revision = 2; p.DisplayName = "x" }), aborted, stale, "programme.revision"},
		{"programme update of none", setProgramme(func(p *prog) { p.Name = "programmes/none" }), absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme.name"},
		{"programme update by a bad name", setProgramme(func(p *prog) { p.Name = "p" }), invalid, field, "programme.name"},
		{"programme update by an unknown field", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateProgramme(ctx, &registryv1.UpdateProgrammeRequest{Programme: newProgramme(), UpdateMask: mask("colour")})
			return err
		}, invalid, field, "update_mask"},
		{"programme update within a list", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateProgramme(ctx, &registryv1.UpdateProgrammeRequest{Programme: newProgramme(), UpdateMask: mask("pillars.id")})
			return err
		}, invalid, field, "update_mask"},
		{"programme with a field of another release", func(ctx context.Context, r *rig) error {
			p := newProgramme()
			p.Pillars[0].ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
			_, err := r.admin.UpdateProgramme(ctx, &registryv1.UpdateProgrammeRequest{Programme: p})
			return err
		}, invalid, field, "programme.pillars[0].99"},
	}
}

func badTasks() []bad {
	type task = registryv1.Task
	lead := registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD
	rule := func(k registryv1.CompletionRuleKind, n uint32) func(*task) {
		return func(t *task) { t.CompletionRule = &registryv1.CompletionRule{Kind: k, QuorumPercent: n} }
	}
	quorum := registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM
	return []bad{
		{"task too large for an event", addTask("x", func(t *registryv1.Task) {
			t.Assignments[0].AccountableHead = strings.Repeat("đ", 200)
			for range 999 {
				t.Assignments = append(t.Assignments, t.Assignments[0])
			}
			t.DisplayName, t.Acceptance = strings.Repeat("𝔡", 1000), strings.Repeat("𝔡", 1000)
			for _, a := range t.Assignments {
				a.AccountableHead = strings.Repeat("𝔡", 200)
			}
		}), invalid, field, "task"},
		{"task without all four", addTask("x", func(t *task) {
			t.Acceptance, t.Instrument, t.Due, t.Assignments = "", "", nil, nil
		}), invalid, unissued, "task.acceptance task.assignments task.due.latest_date task.instrument"},
		{"task with a blank acceptance", addTask("x", func(t *task) { t.Acceptance = "   " }), invalid, unissued, "task.acceptance"},
		{"task without a lead", addTask("x", func(t *task) {
			t.Assignments[0].Role = registryv1.AssignmentRole_ASSIGNMENT_ROLE_COORDINATING
		}), invalid, unissued, "task.assignments"},
		{"task with only an earliest day", addTask("x", func(t *task) {
			t.Due = &registryv1.DueWindow{EarliestDate: "2022-01-01"}
		}), invalid, unissued, "task.due.latest_date"},
		{"task id missing", addTask("", nil), invalid, field, "task_id"},
		{"task id reserved: unit", addTask("unit", nil), invalid, field, "task_id"},
		{"task id reserved: clock", addTask("clock", nil), invalid, field, "task_id"},
		{"task id of a derived count", addTask("tasks-task-central-by-task", nil), invalid, field, "task_id"},
		{"task exists", addTask("n1", nil), taken, exists, "task_id"},
		{"task id is a target's", addTask("cards", nil), taken, exists, "task_id"},
		{"task of no programme", func(ctx context.Context, r *rig) error {
			_, err := r.admin.CreateTask(ctx, &registryv1.CreateTaskRequest{Parent: "programmes/none", TaskId: "x", Task: newTask("")})
			return err
		}, absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent"},
		{"task under a bad parent", func(ctx context.Context, r *rig) error {
			_, err := r.admin.CreateTask(ctx, &registryv1.CreateTaskRequest{Parent: "p", TaskId: "x", Task: newTask("")})
			return err
		}, invalid, field, "parent"},
		{"task without form", addTask("x", func(t *task) { t.Form = 0 }), invalid, field, "task.form"},
		{"task without audience", addTask("x", func(t *task) { t.Audience = 0 }), invalid, field, "task.audience"},
		{"task due on no real day", addTask("x", func(t *task) { t.Due.LatestDate = "2022-11-31" }), invalid, field, "task.due.latest_date"},
		{"task due before it may be", addTask("x", func(t *task) { t.Due.EarliestDate = "2023-01-01" }), invalid, field, "task.due.earliest_date"},
		{"task of an unknown instrument", addTask("x", func(t *task) { t.Instrument = "nq-1" }), invalid, reff, "task.instrument"},
		{"task of an unknown pillar", addTask("x", func(t *task) { t.Pillar = "none" }), invalid, reff, "task.pillar"},
		{"task of an unknown group", addTask("x", func(t *task) { t.Group = "none" }), invalid, reff, "task.group"},
		{"task of an unknown unit", addTask("x", func(t *task) {
			t.Assignments = append(t.Assignments, &registryv1.Assignment{Unit: "79", Role: lead}, &registryv1.Assignment{Unit: "nowhere", Role: lead})
		}), invalid, reff, "task.assignments[2].unit"},
		{"task of four unknowns", addTask("x", func(t *task) {
			t.Instrument, t.Pillar, t.Group, t.Assignments[0].Unit = "a", "b", "c", "d"
		}), invalid, reff, "task.pillar task.group task.instrument task.assignments[0].unit"},
		{"task with a unit twice", addTask("x", func(t *task) {
			t.Assignments = append(t.Assignments, &registryv1.Assignment{Unit: "bca", Role: lead})
		}), invalid, field, "task.assignments[1].unit"},
		{"assignment without role", addTask("x", func(t *task) { t.Assignments[0].Role = 0 }), invalid, field, "task.assignments[0].role"},
		{"assignment with 1,001 units", addTask("x", func(t *task) {
			for range 1000 {
				t.Assignments = append(t.Assignments, t.Assignments[0])
			}
		}), invalid, field, "task.assignments"},
		{"head with a control character", addTask("x", func(t *task) { t.Assignments[0].AccountableHead = "a\tb" }), invalid, field, "task.assignments[0].accountable_head"},
		{"quorum of nothing", addTask("x", rule(quorum, 0)), invalid, field, "task.completion_rule.quorum_percent"},
		{"quorum of more than all", addTask("x", rule(quorum, 101)), invalid, field, "task.completion_rule.quorum_percent"},
		{"percentage without quorum", addTask("x", rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_ALL, 50)), invalid, field, "task.completion_rule.quorum_percent"},
		{"unknown completion rule", addTask("x", rule(9, 0)), invalid, field, "task.completion_rule.kind"},
		{"task updated without acceptance", setTask("n1", func(t *task) { t.Acceptance = "" }), invalid, unissued, "task.acceptance"},
		{"task update of none", setTask("none", nil), absent, errorv1.Reason_REASON_TASK_NOT_FOUND, "task.name"},
		{"task update of a target", setTask("cards", nil), taken, exists, "task.name"},
		{"task changed at another revision", setTask("n1", func(t *task) { t.Revision = 1; t.Pillar = "" }), aborted, stale, "task.revision"},
	}
}

func badTargets() []bad {
	type target = registryv1.Target
	count, ratio, yesNo := typev1.ValueKind_VALUE_KIND_COUNT, typev1.ValueKind_VALUE_KIND_RATIO, typev1.ValueKind_VALUE_KIND_YES_NO
	applies := func(a *registryv1.Applicability) func(*target) { return func(t *target) { t.Applicability = a } }
	return []bad{
		{"target without all four", addTarget("x", count, func(t *target) {
			t.Acceptance, t.Instrument, t.Due, t.Owner = "", "", nil, ""
		}), invalid, unissued, "target.acceptance target.owner target.due.latest_date target.instrument"},
		{"target without owner", addTarget("x", count, func(t *target) { t.Owner = "" }), invalid, unissued, "target.owner"},
		{"target without deadline", addTarget("x", count, func(t *target) { t.Due = nil }), invalid, unissued, "target.due.latest_date"},
		{"target id reserved: programme", addTarget("programme", count, nil), invalid, field, "target_id"},
		{"target id of a derived count", addTarget("tasks-x", count, nil), invalid, field, "target_id"},
		{"target exists", addTarget("cards", count, nil), taken, exists, "target_id"},
		{"target id is a task's", addTarget("n1", count, nil), taken, exists, "target_id"},
		{"target without kind", addTarget("x", 0, nil), invalid, field, "target.value_kind"},
		{"target without accumulation", addTarget("x", count, func(t *target) { t.Accumulation = 0 }), invalid, field, "target.accumulation"},
		{"ratio summed by year", addTarget("x", ratio, func(t *target) { t.Accumulation = 3 }), invalid, field, "target.accumulation"},
		{"yes/no summed", addTarget("x", yesNo, func(t *target) { t.Accumulation = 2 }), invalid, field, "target.accumulation"},
		{"yes/no with decimals", addTarget("x", yesNo, func(t *target) { t.Decimals = 1 }), invalid, field, "target.decimals"},
		{"seven decimals", addTarget("x", count, func(t *target) { t.Decimals = 7 }), invalid, field, "target.decimals"},
		{"seven decimals of percentages", addTarget("x", count, func(t *target) { t.PercentDecimals = proto.Uint32(7) }), invalid, field, "target.percent_decimals"},
		{"count that may exceed", addTarget("x", count, func(t *target) { t.MayExceed = true }), invalid, field, "target.may_exceed"},
		{"unknown subtotal policy", addTarget("x", count, func(t *target) { t.SubtotalPolicy = 9 }), invalid, field, "target.subtotal_policy"},
		{"measure with a direction character", addTarget("x", count, func(t *target) { t.MeasureUnit = "\u200Fthẻ" }), invalid, field, "target.measure_unit"},
		{"applies to nothing", addTarget("x", count, applies(nil)), invalid, field, "target.applicability"},
		{"applies by exceptions only", addTarget("x", count, applies(&registryv1.Applicability{ExceptUnits: []string{"79"}})), invalid, field, "target.applicability"},
		{"applies to an unknown unit", addTarget("x", count, applies(&registryv1.Applicability{Units: []string{"79", "nowhere"}})), invalid, reff, "target.applicability.units[1]"},
		{"excepts an unknown unit", addTarget("x", count, applies(&registryv1.Applicability{Levels: []string{"province"}, ExceptUnits: []string{"nowhere"}})), invalid, reff, "target.applicability.except_units[0]"},
		{"names and excepts a unit", addTarget("x", count, applies(&registryv1.Applicability{Units: []string{"79"}, ExceptUnits: []string{"79"}})), invalid, field, "target.applicability.except_units[0]"},
		{"names a unit twice", addTarget("x", count, applies(&registryv1.Applicability{Units: []string{"79", "79"}})), invalid, field, "target.applicability.units"},
		{"applies to kind none", addTarget("x", count, applies(&registryv1.Applicability{Kinds: []typev1.UnitKind{0}})), invalid, field, "target.applicability.kinds[0]"},
		{"applies until before it does", addTarget("x", count, applies(&registryv1.Applicability{Levels: []string{"province"}, FromDate: "2022-06-01", UntilDate: "2022-06-01"})), invalid, field, "target.applicability.until_date"},
		{"applies until before the programme", addTarget("x", count, applies(&registryv1.Applicability{Levels: []string{"province"}, UntilDate: "2022-01-06"})), invalid, field, "target.applicability.until_date"},
		{"applies from no real day", addTarget("x", count, applies(&registryv1.Applicability{Levels: []string{"province"}, FromDate: "2022-02-29"})), invalid, field, "target.applicability.from_date"},
		{"applies above itself by levels", addTarget("x", count, applies(&registryv1.Applicability{Levels: []string{"province", "commune"}})), failed, subtotal, "target.applicability"},
		{"applies above itself by units", addTarget("x", count, applies(&registryv1.Applicability{Units: []string{"760", "vn"}})), failed, subtotal, "target.applicability"},
		{"applies above itself by kind and unit", addTarget("x", count, applies(&registryv1.Applicability{Kinds: []typev1.UnitKind{district}, Units: []string{"79"}})), failed, subtotal, "target.applicability"},
		{"owner unknown", addTarget("x", count, func(t *target) { t.Owner = "nobody" }), invalid, reff, "target.owner"},
		{"instrument unknown", addTarget("x", count, func(t *target) { t.Instrument = "nothing" }), invalid, reff, "target.instrument"},
		{"pillar unknown", addTarget("x", count, func(t *target) { t.Pillar = "nothing" }), invalid, reff, "target.pillar"},
		{"group unknown", addTarget("x", count, func(t *target) { t.Group = "nothing" }), invalid, reff, "target.group"},
		{"value kind changed", setTarget("cards", ratio, nil), failed, fixed, "target.value_kind"},
		{"accumulation changed", setTarget("cards", count, func(t *target) { t.Accumulation = 2 }), failed, fixed, "target.accumulation"},
		{"decimals changed", setTarget("cards", count, func(t *target) { t.Decimals = 2 }), failed, fixed, "target.decimals"},
		{"target update of none", setTarget("none", count, nil), absent, errorv1.Reason_REASON_TARGET_NOT_FOUND, "target.name"},
		{"target changed at another revision", setTarget("cards", count, func(t *target) { t.Revision = 5; t.Pillar = "data" }), aborted, stale, "target.revision"},
		{"target update with a path beyond a number", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateTarget(ctx, &registryv1.UpdateTargetRequest{Target: newTarget("cards", count), UpdateMask: mask("decimals.x")})
			return err
		}, invalid, field, "update_mask"},
	}
}
