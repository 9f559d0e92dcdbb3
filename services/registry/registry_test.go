package registry_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestWhatWasWrittenIsReadAlsoAfterARestart(t *testing.T) {
	r := newRig(t)
	r.seed()
	check := func() {
		t.Helper()
		ctx := context.Background()
		p, err := r.read.GetProgramme(ctx, &registryv1.GetProgrammeRequest{Name: "programmes/p"})
		want := newProgramme()
		want.Revision = 8
		if diff := cmp.Diff(want, p.GetProgramme(), protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("programme: %v %s", err, diff)
		}
		u, err := r.read.GetUnit(ctx, &registryv1.GetUnitRequest{Name: "units/760"})
		wantU := newUnit("760", "79", district, "district")
		wantU.Revision = 5
		if diff := cmp.Diff(wantU, u.GetUnit(), protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("unit: %v %s", err, diff)
		}
		task, err := r.read.GetTask(ctx, &registryv1.GetTaskRequest{Name: "programmes/p/tasks/n1"})
		if err != nil || task.GetTask().GetRevision() != 9 {
			t.Errorf("task: %v %v", task, err)
		}
		target, err := r.read.GetTarget(ctx, &registryv1.GetTargetRequest{Name: "programmes/p/targets/plan"})
		if err != nil || target.GetTarget().GetRevision() != 12 {
			t.Errorf("target: %v %v", target, err)
		}
		a, err := r.read.GetAllocation(ctx, &registryv1.GetAllocationRequest{Name: "programmes/p/targets/cards/allocations/79"})
		if err != nil || a.GetAllocation().GetValue() != 1000 || a.GetAllocation().GetRevision() != 13 {
			t.Errorf("allocation: %v %v", a, err)
		}
	}
	check()
	r.restart()
	check()
}

func TestCreateReturnsTheStoredResource(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx := context.Background()
	u := newUnit("02", "vn", province, "province")
	u.Name = "" // made from the id
	got, err := r.admin.CreateUnit(ctx, &registryv1.CreateUnitRequest{UnitId: "02", Unit: u})
	if err != nil {
		t.Fatal(err)
	}
	want := newUnit("02", "vn", province, "province")
	want.Revision = 14
	if diff := cmp.Diff(want, got.GetUnit(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	a, err := r.admin.CreateAllocation(ctx, &registryv1.CreateAllocationRequest{
		Parent: "programmes/p/targets/cards", Unit: "02", Allocation: &registryv1.Allocation{Value: 5},
	})
	if err != nil || a.GetAllocation().GetName() != "programmes/p/targets/cards/allocations/02" {
		t.Error(a, err)
	}
}

func TestValidateOnlyAnswersAndChangesNothing(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx := context.Background()
	got, err := r.admin.CreateUnit(ctx, &registryv1.CreateUnitRequest{
		UnitId: "02", Unit: newUnit("", "vn", province, "province"), ValidateOnly: true,
	})
	if err != nil || got.GetUnit().GetRevision() != 14 || got.GetUnit().GetName() != "units/02" {
		t.Fatalf("%v %v", got, err)
	}
	req := batch(newUnit("02", "vn", province, "province"), newUnit("vn", "", country, "country"))
	req.ValidateOnly = true
	b, err := r.admin.BatchWrite(ctx, req)
	if err != nil || b.GetRevision() != 14 || b.GetResults()[1].GetOutcome() != registryv1.WriteOutcome_WRITE_OUTCOME_UNCHANGED {
		t.Fatalf("%v %v", b, err)
	}
	_, err = r.admin.CreateUnit(ctx, &registryv1.CreateUnitRequest{
		UnitId: "02", Unit: newUnit("", "nowhere", province, "province"), ValidateOnly: true,
	})
	if !apierr.Is(err, errorv1.Reason_REASON_BAD_REFERENCE) {
		t.Errorf("a bad unit: %v", err)
	}
	if r.head() != 13 {
		t.Errorf("head moved to %d", r.head())
	}
	if _, err := r.read.GetUnit(ctx, &registryv1.GetUnitRequest{Name: "units/02"}); !apierr.Is(err, errorv1.Reason_REASON_UNIT_NOT_FOUND) {
		t.Errorf("read: %v", err)
	}
}

func TestAnEqualWriteChangesNothing(t *testing.T) {
	r := newRig(t)
	r.seed()
	before := r.head()
	resp := r.write(newProgramme(), newTask("n1"), newAllocation("cards", "79", 1000))
	for _, res := range resp.GetResults() {
		if res.GetOutcome() != registryv1.WriteOutcome_WRITE_OUTCOME_UNCHANGED || res.GetRevision() > 13 {
			t.Errorf("%v", res)
		}
	}
	up, err := r.admin.UpdateTask(context.Background(), &registryv1.UpdateTaskRequest{Task: newTask("n1")})
	if err != nil || up.GetTask().GetRevision() != 9 {
		t.Errorf("%v %v", up, err)
	}
	if r.head() != before || resp.GetRevision() != int64(before) {
		t.Errorf("head %d, answer %d, before %d", r.head(), resp.GetRevision(), before)
	}
}

func TestABatchMayReferToItselfAndIsAllOrNothing(t *testing.T) {
	r := newRig(t)
	r.seed()
	resp := r.write(newUnit("02", "vn", province, "province"), newUnit("024", "02", district, "district"))
	if resp.GetRevision() != 15 || resp.GetResults()[1].GetOutcome() != registryv1.WriteOutcome_WRITE_OUTCOME_CREATED {
		t.Errorf("%v", resp)
	}
	_, err := r.admin.BatchWrite(context.Background(),
		batch(newUnit("04", "vn", province, "province"), newUnit("03x", "04", district, "district"), newUnit("bad", "none", district, "district")))
	if e, _ := apierr.Parse(err); e.Field != "writes[2].unit.placements[0].parent" {
		t.Errorf("%v", err)
	}
	if r.head() != 15 {
		t.Errorf("head %d", r.head())
	}
	// A good write just after a refused one, in its place.
	r.write(newUnit("04", "vn", province, "province"))
}

func TestMaskTakesOnlyWhatItNames(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx := context.Background()
	up, err := r.admin.UpdateTarget(ctx, &registryv1.UpdateTargetRequest{
		Target: &registryv1.Target{
			Name: "programmes/p/targets/cards", Revision: 10,
			Goal: &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 50}, DisplayName: "not taken",
		},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"goal", "due.earliest_date", "pillar"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := newTarget("cards", typev1.ValueKind_VALUE_KIND_COUNT)
	want.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 50}
	want.Revision = 14
	if diff := cmp.Diff(want, up.GetTarget(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	_, err = r.admin.UpdateTarget(ctx, &registryv1.UpdateTargetRequest{
		Target:     &registryv1.Target{Name: "programmes/p/targets/cards"},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
	})
	if e, _ := apierr.Parse(err); e.Field != "target.display_name" || e.Reason != errorv1.Reason_REASON_INVALID_FIELD {
		t.Errorf("cleared a needed field: %v", err)
	}
}

func TestOfTwoUpdatesOfOneRevisionOneIsAborted(t *testing.T) {
	r := newRig(t)
	r.seed()
	const writers = 16
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			p := newProgramme()
			p.DisplayName, p.Revision = fmt.Sprintf("Name %d", i), 8
			_, errs[i] = r.admin.UpdateProgramme(context.Background(), &registryv1.UpdateProgrammeRequest{Programme: p})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		e, _ := apierr.Parse(err)
		if e.Code.String() != "Aborted" || e.Reason != errorv1.Reason_REASON_REVISION_MISMATCH ||
			e.Metadata["expected"] != "8" || e.Metadata["actual"] != "14" || e.Sequence() != 14 {
			t.Errorf("%v %v", err, e.Metadata)
		}
	}
	if won != 1 || r.head() != 14 {
		t.Errorf("%d won, head %d", won, r.head())
	}
}

func TestListsArePagedInOrderOfIds(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx := context.Background()
	var got []string
	req := &registryv1.ListUnitsRequest{PageSize: 2}
	for {
		page, err := r.read.ListUnits(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.GetUnits() {
			got = append(got, u.GetName())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
		if len(page.GetUnits()) != 2 {
			t.Errorf("a page of %d with another after it", len(page.GetUnits()))
		}
	}
	want := []string{"units/01", "units/26734", "units/760", "units/79", "units/bca", "units/old", "units/vn"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first, err := r.read.ListUnits(ctx, &registryv1.ListUnitsRequest{PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.read.ListUnits(ctx, &registryv1.ListUnitsRequest{ParentUnit: "vn", PageToken: first.GetNextPageToken()})
	if !apierr.Is(err, errorv1.Reason_REASON_INVALID_PAGE_TOKEN) {
		t.Errorf("another request's token: %v", err)
	}
}

func TestListsSelect(t *testing.T) {
	r := newRig(t)
	r.seed()
	r.write(newTask("n2"), func() proto.Message { x := newTask("n3"); x.Pillar = ""; return x }())
	ctx := context.Background()
	units, err := r.read.ListUnits(ctx, &registryv1.ListUnitsRequest{ParentUnit: "79"})
	if err != nil || len(units.GetUnits()) != 1 || units.GetUnits()[0].GetName() != "units/760" {
		t.Errorf("below 79, of which one closed: %v %v", units, err)
	}
	units, err = r.read.ListUnits(ctx, &registryv1.ListUnitsRequest{Kind: province})
	if err != nil || len(units.GetUnits()) != 2 {
		t.Errorf("provinces: %v %v", units, err)
	}
	tasks, err := r.read.ListTasks(ctx, &registryv1.ListTasksRequest{Parent: "programmes/p", Pillar: "data", Unit: "bca"})
	if err != nil || len(tasks.GetTasks()) != 2 {
		t.Errorf("tasks: %v %v", tasks, err)
	}
	tasks, err = r.read.ListTasks(ctx, &registryv1.ListTasksRequest{Parent: "programmes/p", Unit: "79"})
	if err != nil || len(tasks.GetTasks()) != 0 {
		t.Errorf("tasks of 79: %v %v", tasks, err)
	}
	targets, err := r.read.ListTargets(ctx, &registryv1.ListTargetsRequest{Parent: "programmes/p"})
	if err != nil || len(targets.GetTargets()) != 3 {
		t.Errorf("targets: %v %v", targets, err)
	}
	allocations, err := r.read.ListAllocations(ctx, &registryv1.ListAllocationsRequest{Parent: "programmes/p/targets/cards"})
	if err != nil || len(allocations.GetAllocations()) != 1 {
		t.Errorf("allocations: %v %v", allocations, err)
	}
	programmes, err := r.read.ListProgrammes(ctx, &registryv1.ListProgrammesRequest{})
	if err != nil || len(programmes.GetProgrammes()) != 1 {
		t.Errorf("programmes: %v %v", programmes, err)
	}
}

func TestRevisionsAreListedNewestFirst(t *testing.T) {
	r := newRig(t)
	r.seed()
	for i := range 5 {
		r.write(newAllocation("cards", "79", int64(2000+i)), newAllocation("cards", "01", int64(i)))
	}
	ctx := context.Background()
	req := &registryv1.ListRevisionsRequest{Name: "programmes/p/targets/cards/allocations/79", PageSize: 4}
	var values []int64
	for {
		page, err := r.read.ListRevisions(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.GetChanges() {
			values = append(values, c.GetAllocation().GetValue())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if diff := cmp.Diff([]int64{2004, 2003, 2002, 2001, 2000, 1000}, values); diff != "" {
		t.Error(diff)
	}
}

// tree makes a nation of 11,390 units: 23 ministries, 63 provinces, 705 districts
// and 10,598 communes below a root.
func tree() []proto.Message {
	all := []proto.Message{newUnit("vn", "", country, "country")}
	add := func(n int, prefix string, parent func(i int) string, kind typev1.UnitKind, level string) {
		for i := range n {
			all = append(all, newUnit(prefix+strconv.Itoa(i), parent(i), kind, level))
		}
	}
	add(23, "m", func(int) string { return "vn" }, ministry, "central")
	add(63, "p", func(int) string { return "vn" }, province, "province")
	add(705, "d", func(i int) string { return "p" + strconv.Itoa(i%63) }, district, "district")
	add(10598, "c", func(i int) string { return "d" + strconv.Itoa(i%705) }, commune, "commune")
	return all
}

func TestImportOfANationOnceAndAgain(t *testing.T) {
	r := newRig(t)
	all := tree()
	imported := func(want registryv1.WriteOutcome) time.Duration {
		began := time.Now()
		for at := 0; at < len(all); at += 1000 {
			resp := r.write(all[at:min(at+1000, len(all))]...)
			for _, res := range resp.GetResults() {
				if res.GetOutcome() != want {
					t.Fatalf("%v", res)
				}
			}
		}
		return time.Since(began)
	}
	first := imported(registryv1.WriteOutcome_WRITE_OUTCOME_CREATED)
	again := imported(registryv1.WriteOutcome_WRITE_OUTCOME_UNCHANGED)
	t.Logf("%d units: %v, the same again: %v", len(all), first, again)
	if len(all) != 11390 || r.head() != 11390 {
		t.Errorf("%d units, head %d", len(all), r.head())
	}
	began := time.Now()
	r.restart()
	t.Logf("restart: %v", time.Since(began))
	if r.head() != 11390 {
		t.Errorf("after restart %d", r.head())
	}
	r.write(&registryv1.Programme{
		Name: "programmes/q", DisplayName: "q", RootUnit: "vn", StartDate: "2022-01-01", EndDate: "2022-12-31",
		Instruments: newProgramme().GetInstruments(),
	})
	began = time.Now()
	for i := range 24 {
		target := newTarget("t"+strconv.Itoa(i), typev1.ValueKind_VALUE_KIND_COUNT)
		target.Name, target.Owner = fmt.Sprintf("programmes/q/targets/t%d", i), "m0"
		target.Applicability = &registryv1.Applicability{Levels: []string{"commune", "central"}}
		r.write(target)
	}
	t.Logf("24 targets over them: %v", time.Since(began))
	began = time.Now()
	more := make([]proto.Message, 1000)
	for i := range more {
		more[i] = newUnit("x"+strconv.Itoa(i), "d0", commune, "commune")
	}
	r.write(more...)
	t.Logf("1000 more units below 24 targets: %v", time.Since(began))
}
