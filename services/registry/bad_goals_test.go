package registry_test

import (
	"context"
	"strings"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"google.golang.org/protobuf/proto"
)

func badGoals() []bad {
	const (
		atLeast = registryv1.GoalKind_GOAL_KIND_AT_LEAST
		atMost  = registryv1.GoalKind_GOAL_KIND_AT_MOST
		within  = registryv1.GoalKind_GOAL_KIND_RANGE
		zero    = registryv1.GoalKind_GOAL_KIND_ZERO
		all     = registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE
		count   = typev1.ValueKind_VALUE_KIND_COUNT
		ratio   = typev1.ValueKind_VALUE_KIND_RATIO
		yesNo   = typev1.ValueKind_VALUE_KIND_YES_NO
	)
	goal := func(kind typev1.ValueKind, g *registryv1.Goal) func(context.Context, *rig) error {
		return addTarget("x", kind, func(t *registryv1.Target) { t.Goal = g })
	}
	lines := func(kind typev1.ValueKind, ts ...*registryv1.Threshold) func(context.Context, *rig) error {
		return addTarget("x", kind, func(t *registryv1.Target) { t.Milestones = &registryv1.MilestoneRule{Thresholds: ts} })
	}
	progress := func(n uint32) *registryv1.Threshold {
		return &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: n}}
	}
	value := func(n int64) *registryv1.Threshold {
		return &registryv1.Threshold{At: &registryv1.Threshold_Value{Value: n}}
	}
	return []bad{
		{"goal without kind", goal(count, &registryv1.Goal{Value: 1}), invalid, field, "target.goal.kind"},
		{"goal below nothing", goal(count, &registryv1.Goal{Kind: atLeast, Value: -1}), invalid, field, "target.goal.value"},
		{"goal beyond measure", goal(count, &registryv1.Goal{Kind: atLeast, Value: 1e18 + 1}), invalid, field, "target.goal.value"},
		{"AT_LEAST with bounds", goal(count, &registryv1.Goal{Kind: atLeast, Value: 1, Low: 1, High: 2}), invalid, field, "target.goal.low target.goal.high"},
		{"AT_MOST with a bound", goal(count, &registryv1.Goal{Kind: atMost, Value: 1, High: 2}), invalid, field, "target.goal.high"},
		{"RANGE upside down", goal(count, &registryv1.Goal{Kind: within, Low: 3, High: 2}), invalid, field, "target.goal.low"},
		{"RANGE with a value", goal(count, &registryv1.Goal{Kind: within, Low: 1, High: 2, Value: 1}), invalid, field, "target.goal.value"},
		{"ZERO with a value", goal(count, &registryv1.Goal{Kind: zero, Value: 1}), invalid, field, "target.goal.value"},
		{"ZERO of yes/no", goal(yesNo, &registryv1.Goal{Kind: zero}), invalid, field, "target.goal.kind"},
		{"ALL_APPLICABLE of a count", goal(count, &registryv1.Goal{Kind: all}), invalid, field, "target.goal.kind"},
		{"ALL_APPLICABLE of a ratio", goal(ratio, &registryv1.Goal{Kind: all}), invalid, field, "target.goal.kind"},
		{"ALL_APPLICABLE with a value", goal(yesNo, &registryv1.Goal{Kind: all, Value: 1}), invalid, field, "target.goal.value"},
		{"ratio above the whole", goal(ratio, &registryv1.Goal{Kind: atLeast, Value: 1_000_001}), invalid, field, "target.goal.value"},
		{"yes/no above the whole", goal(yesNo, &registryv1.Goal{Kind: atLeast, Value: 1_000_001}), invalid, field, "target.goal.value"},
		{"range of a ratio above the whole", goal(ratio, &registryv1.Goal{Kind: within, Low: 1, High: 1_000_001}), invalid, field, "target.goal.high"},
		{"baseline of a ratio above the whole", goal(ratio, &registryv1.Goal{Kind: atLeast, Value: 1, Baseline: proto.Int64(1_000_001)}), invalid, field, "target.goal.baseline"},
		{"baseline below nothing", goal(count, &registryv1.Goal{Kind: atLeast, Value: 1, Baseline: proto.Int64(-1)}), invalid, field, "target.goal.baseline"},
		{"baseline of no real day", goal(count, &registryv1.Goal{Kind: atLeast, Value: 1, BaselineDate: "2021-02-29"}), invalid, field, "target.goal.baseline_date"},
		{"threshold of nothing", lines(count, &registryv1.Threshold{}), invalid, field, "target.milestones.thresholds[0]"},
		{"threshold at 0 %", lines(count, progress(0)), invalid, field, "target.milestones.thresholds[0].progress"},
		{"thresholds descending", lines(count, progress(5000), progress(2500)), invalid, field, "target.milestones.thresholds[1].progress"},
		{"threshold twice", lines(count, value(5), progress(1), value(5)), invalid, field, "target.milestones.thresholds[2].value"},
		{"value threshold of a ratio", lines(ratio, value(5)), invalid, field, "target.milestones.thresholds[0].value"},
		{"value threshold of yes/no", lines(yesNo, progress(5), value(5)), invalid, field, "target.milestones.thresholds[1].value"},
		{"17 thresholds", lines(count, func() (ts []*registryv1.Threshold) {
			for i := range 17 {
				ts = append(ts, progress(uint32(i+1)))
			}
			return ts
		}()...), invalid, field, "target.milestones.thresholds"},
		{"min_reporting of a count", addTarget("x", count, func(t *registryv1.Target) {
			t.Milestones = &registryv1.MilestoneRule{MinReporting: proto.Uint32(9000)}
		}), invalid, field, "target.milestones.min_reporting"},
		{"min_reporting above all", addTarget("x", ratio, func(t *registryv1.Target) {
			t.Milestones = &registryv1.MilestoneRule{MinReporting: proto.Uint32(10001)}
		}), invalid, field, "target.milestones.min_reporting"},
		{"unknown scope of milestones", addTarget("x", count, func(t *registryv1.Target) {
			t.Milestones = &registryv1.MilestoneRule{Scope: 9}
		}), invalid, field, "target.milestones.scope"},
	}
}

func badOthers() []bad {
	const cards = "programmes/p/targets/cards"
	named := func(name string, m interface {
		proto.Message
		GetName() string
	}) proto.Message {
		m.ProtoReflect().Set(m.ProtoReflect().Descriptor().Fields().ByName("name"), valueOf(name))
		return m
	}
	thousand := make([]proto.Message, 1001)
	for i := range thousand {
		thousand[i] = newProgramme()
	}
	return []bad{
		{"allocation of no target", addAllocation("programmes/p/targets/none", "79", nil), absent, errorv1.Reason_REASON_TARGET_NOT_FOUND, "parent"},
		{"allocation of no programme", addAllocation("programmes/none/targets/cards", "79", nil), absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent"},
		{"allocation of a task", addAllocation("programmes/p/targets/n1", "79", nil), absent, errorv1.Reason_REASON_TARGET_NOT_FOUND, "parent"},
		{"allocation under a bad parent", addAllocation("programmes/p", "79", nil), invalid, field, "parent"},
		{"allocation for no unit", addAllocation(cards, "nowhere", nil), invalid, reff, "unit"},
		{"allocation for a bad unit", addAllocation(cards, "units/79", nil), invalid, field, "unit"},
		{"allocation exists", addAllocation(cards, "79", nil), taken, exists, "unit"},
		{"allocation below nothing", addAllocation(cards, "01", func(a *registryv1.Allocation) { a.Value = -1 }), invalid, field, "allocation.value"},
		{"allocation beyond measure", addAllocation(cards, "01", func(a *registryv1.Allocation) { a.Value = 1e18 + 1 }), invalid, field, "allocation.value"},
		{"allocation above the whole", addAllocation("programmes/p/targets/share", "01", func(a *registryv1.Allocation) {
			a.Value, a.Baseline = 1_000_001, proto.Int64(1_000_002)
		}), invalid, field, "allocation.value allocation.baseline"},
		{"allocation update of none", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateAllocation(ctx, &registryv1.UpdateAllocationRequest{Allocation: newAllocation("cards", "01", 1)})
			return err
		}, absent, errorv1.Reason_REASON_ALLOCATION_NOT_FOUND, "allocation.name"},
		{"allocation changed at another revision", func(ctx context.Context, r *rig) error {
			a := newAllocation("cards", "79", 1)
			a.Revision = 12
			_, err := r.admin.UpdateAllocation(ctx, &registryv1.UpdateAllocationRequest{Allocation: a})
			return err
		}, aborted, stale, "allocation.revision"},
		{"empty batch", writes(), invalid, field, "writes"},
		{"batch of 1,001", writes(thousand...), invalid, field, "writes"},
		{"batch with an empty write", func(ctx context.Context, r *rig) error {
			_, err := r.admin.BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: []*registryv1.Write{{}}})
			return err
		}, invalid, field, "writes[0].resource"},
		{"batch with a bad name", writes(newProgramme(), named("unit/79", newUnit("", "vn", province, "province"))), invalid, field, "writes[1].unit.name"},
		{"batch with a reserved programme", writes(named("programmes/all", newProgramme())), invalid, field, "writes[0].programme.name"},
		{"batch with a reserved task", writes(newTask("unit")), invalid, field, "writes[0].task.name"},
		{"batch with a reserved target", writes(newTarget("tasks-x", typev1.ValueKind_VALUE_KIND_COUNT)), invalid, field, "writes[0].target.name"},
		{"batch in the wrong order", writes(newUnit("a1", "a2", district, "district"), newUnit("a2", "vn", province, "province")), invalid, reff, "writes[0].unit.placements[0].parent"},
		{"batch with a bad last one", writes(newUnit("a1", "vn", province, "province"), newTask("a2"),
			change(newTask("a3"), func(t *registryv1.Task) { t.Acceptance, t.Instrument = "", "" })),
			invalid, unissued, "writes[2].task.acceptance writes[2].task.instrument"},
		{"batch with a clash within", writes(newUnit("a1", "vn", province, "province"), newUnit("a2", "a1", province, "province")), failed, subtotal, "writes[1].unit.placements"},
		{"batch with a revision of what is not there", writes(change(newUnit("a1", "vn", province, "province"), func(u *registryv1.Unit) { u.Revision = 4 })), aborted, stale, "writes[0].unit.revision"},
		{"batch with one revision twice", writes(
			change(newAllocation("cards", "79", 2), func(a *registryv1.Allocation) { a.Revision = 13 }),
			change(newAllocation("cards", "79", 3), func(a *registryv1.Allocation) { a.Revision = 13 })), aborted, stale, "writes[1].allocation.revision"},
		{"batch with text not composed", writes(change(newUnit("a1", "vn", province, "province"), func(u *registryv1.Unit) { u.DisplayName = "e\u0301" })), invalid, field, "writes[0].unit.display_name"},
		{"batch with an allocation of no target", writes(newAllocation("none", "79", 1)), absent, errorv1.Reason_REASON_TARGET_NOT_FOUND, "writes[0].allocation.name"},
		{"batch with an allocation for no unit", writes(newAllocation("cards", "nowhere", 1)), invalid, reff, "writes[0].allocation.name"},
		{"batch with a target of no programme", writes(named("programmes/none/targets/x", newTarget("", typev1.ValueKind_VALUE_KIND_COUNT))), absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "writes[0].target.name"},
	}
}

func badReads() []bad {
	get := func(name string) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.read.GetUnit(ctx, &registryv1.GetUnitRequest{Name: name})
			return err
		}
	}
	list := func(req *registryv1.ListTasksRequest) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.read.ListTasks(ctx, req)
			return err
		}
	}
	revisions := func(name string) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.read.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: name})
			return err
		}
	}
	return []bad{
		{"get nothing", get(""), invalid, field, "name"},
		{"get by an id", get("79"), invalid, field, "name"},
		{"get by a long name", get(strings.Repeat("a", 251)), invalid, field, "name"},
		{"get what is not there", get("units/none"), absent, errorv1.Reason_REASON_UNIT_NOT_FOUND, "name"},
		{"list of no programme", list(&registryv1.ListTasksRequest{Parent: "programmes/none"}), absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent"},
		{"list of a bad parent", list(&registryv1.ListTasksRequest{Parent: "tasks"}), invalid, field, "parent"},
		{"list of 1,001", list(&registryv1.ListTasksRequest{Parent: "programmes/p", PageSize: 1001}), invalid, field, "page_size"},
		{"list of -1", list(&registryv1.ListTasksRequest{Parent: "programmes/p", PageSize: -1}), invalid, field, "page_size"},
		{"list by a made-up token", list(&registryv1.ListTasksRequest{Parent: "programmes/p", PageToken: "bm8"}), invalid, errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token"},
		{"revisions of no name", revisions("p"), invalid, field, "name"},
		{"revisions of no unit", revisions("units/none"), absent, errorv1.Reason_REASON_UNIT_NOT_FOUND, "name"},
		{"revisions of no task", revisions("programmes/p/tasks/none"), absent, errorv1.Reason_REASON_TASK_NOT_FOUND, "name"},
		{"revisions of no target", revisions("programmes/p/targets/none"), absent, errorv1.Reason_REASON_TARGET_NOT_FOUND, "name"},
		{"revisions of no allocation", revisions("programmes/p/targets/cards/allocations/01"), absent, errorv1.Reason_REASON_ALLOCATION_NOT_FOUND, "name"},
		{"revisions of no programme", revisions("programmes/none"), absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "name"},
		{"watch from a negative revision", func(ctx context.Context, r *rig) error {
			stream, err := r.read.WatchRegistry(ctx, &registryv1.WatchRegistryRequest{AfterRevision: -1})
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		}, invalid, field, "after_revision"},
	}
}
