package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// cases are run in every form of the pair, each on a fresh one.
var cases = []struct {
	name string
	run  func(*testing.T, *rig)
}{
	{"slice", slice},
	{"retries_corrections_withdrawals", retries},
	{"batches", batches},
	{"items_and_history", items},
	{"tasks_are_counted_by_a_stated_basis", tasks},
	{"explanations_add_up", explanations},
	{"a_subscriber_arrives_at_the_figures", aSubscriberArrivesAtTheFigures},
	{"progress_is_published", progressIsPublished},
	{"the_log_is_listed_as_it_is_streamed", listed},
	{"reports_come_and_are_missed", reportsComeAndAreMissed},
	{"closings_stay_as_they_were", closingsStay},
}

func TestInProcess(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, inProcess(t)) })
	}
}

func count(unit, target, period string, n int64) *reportingv1.Submission {
	return &reportingv1.Submission{Unit: unit, Target: target, Period: period, Value: &reportingv1.Submission_Count{Count: n}}
}

func ratio(unit, target, period string, n, of int64) *reportingv1.Submission {
	return &reportingv1.Submission{Unit: unit, Target: target, Period: period,
		Value: &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: n, Denominator: of}}}
}

func yes(unit, target, period string) *reportingv1.Submission {
	return &reportingv1.Submission{Unit: unit, Target: target, Period: period, Value: &reportingv1.Submission_YesNo{YesNo: true}}
}

// after makes a submission follow a revision of its cell.
func after(revision uint32, s *reportingv1.Submission) *reportingv1.Submission {
	s.ExpectedRevision, s.Reason = revision, "số liệu đã được rà soát"
	return s
}

func withdrawal(unit, target, period string) *reportingv1.Submission {
	return &reportingv1.Submission{Unit: unit, Target: target, Period: period,
		Value: &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}}
}

func status(t testing.TB, r *rig) *reportingv1.GetStatusResponse {
	t.Helper()
	s, err := r.admin.GetStatus(t.Context(), &reportingv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verify checks the live system by its own command.
func verify(t testing.TB, r *rig) {
	t.Helper()
	v, err := r.admin.Verify(t.Context(), &reportingv1.VerifyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.GetChecks()) != 4 {
		t.Errorf("%d checks were made, want 4", len(v.GetChecks()))
	}
	for _, c := range v.GetChecks() {
		if !c.GetOk() {
			t.Errorf("%s does not hold: %s", c.GetName(), c.GetDetail())
		}
	}
}

// standard owes the standard targets.
func standard(t *testing.T, r *rig) {
	t.Helper()
	r.owe(t, tree()...)
	r.owe(t,
		target("cards", typev1.ValueKind_VALUE_KIND_COUNT, func(g *registryv1.Target) { g.Goal.Value = 100 }),
		target("procedures", typev1.ValueKind_VALUE_KIND_RATIO, nil),
		target("adopted", typev1.ValueKind_VALUE_KIND_YES_NO, nil),
		target("issued", typev1.ValueKind_VALUE_KIND_COUNT, func(g *registryv1.Target) {
			g.Accumulation, g.Goal.Value = typev1.Accumulation_ACCUMULATION_SUM, 1000
		}),
		task("t-1", "26734", "26737"), task("t-2", "26734"))
}

// history is a little of everything.
func history(t *testing.T, r *rig) {
	t.Helper()
	standard(t, r)
	r.submit(t, "1", count("26734", "cards", "2022-M01", 30))
	r.at(t, start.AddDate(0, 2, 0))
	r.submit(t, "2", count("26734", "cards", "2022-M02", 40))
	r.submit(t, "3", after(1, count("26734", "cards", "2022-M01", 35)))
	r.submit(t, "4", count("26734", "issued", "2022-M01", 5))
	r.submit(t, "5", count("26734", "issued", "2022-M02", 7))
	r.submit(t, "6", ratio("26737", "procedures", "2022-M02", 3, 4))
	r.submit(t, "7", yes("26734", "adopted", "2022-M02"))
	r.submit(t, "8", yes("26737", "adopted", "2022-M02"))
	r.submit(t, "9", after(1, withdrawal("26737", "adopted", "2022-M02")))
	r.submit(t, "10", yes("26734", "t-1", "2022-M02"))
	r.owe(t, unit("26740", "79", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"))
	r.submit(t, "11", count("26740", "cards", "2022-M03", 10))
}

func slice(t *testing.T, r *rig) {
	standard(t, r)
	r.submit(t, "a", count("26734", "cards", "2022-M01", 30))
	r.submit(t, "b", count("26737", "cards", "2022-M01", 30))
	for _, period := range []string{"", "2022-M01"} {
		got := r.figure(t, "cards", "vn", period)
		want := &typev1.Tally{Numerator: 60, Reporting: 2, Expected: 2}
		if diff := cmp.Diff(want, got.GetTally(), protocmp.Transform()); diff != "" {
			t.Errorf("total of %q (-want +got):\n%s", period, diff)
		}
	}
	want := []string{"reached cards vn 2500", "reached cards vn 5000"}
	if diff := cmp.Diff(want, milestones(t, r, "slice", 2)); diff != "" {
		t.Errorf("milestones (-want +got):\n%s", diff)
	}
	verify(t, r)
}

// milestones reads n milestones from the stream, from its beginning.
func milestones(t *testing.T, r *rig, name string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	sub, err := event.New(event.Config{Conn: r.nats(t), Events: r.events, Subscription: name,
		Subjects: []string{"cotmoc.*.milestone.>"}, Positions: new(event.MemoryPositions)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		c, word := e.GetMilestoneReached(), "reached"
		if c == nil {
			c, word = e.GetMilestoneRevoked(), "revoked"
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", word, c.GetTarget(), c.GetPath(), c.GetProgressThreshold()))
		if len(got) == n {
			cancel()
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		t.Fatalf("subscribe: %v", err)
	}
	return got
}

// refused checks that a call was refused for a reason.
func refused(t *testing.T, err error, code codes.Code, reason errorv1.Reason) {
	t.Helper()
	if e, ok := apierr.Parse(err); !ok || e.Code != code || e.Reason != reason {
		t.Errorf("got %v, want %s %s", err, code, reason)
	}
}

func retries(t *testing.T, r *rig) {
	standard(t, r)
	first := r.submit(t, "a", count("26734", "cards", "2022-M01", 30))
	send := func(id string, s *reportingv1.Submission) error {
		_, err := r.reporting.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p", RequestId: id, Submission: s})
		return err
	}
	if diff := cmp.Diff(first, r.submit(t, "a", count("26734", "cards", "2022-M01", 30)), protocmp.Transform()); diff != "" {
		t.Errorf("a retry got another receipt (-first +second):\n%s", diff)
	}
	refused(t, send("a", count("26734", "cards", "2022-M01", 31)), codes.AlreadyExists, errorv1.Reason_REASON_REQUEST_ID_REUSED)
	refused(t, send("a", count("26734", "issued", "2022-M01", 31)), codes.AlreadyExists, errorv1.Reason_REASON_REQUEST_ID_REUSED)
	refused(t, send("b", count("26734", "cards", "2022-M01", 31)), codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH)
	second := r.submit(t, "b", after(1, count("26734", "cards", "2022-M01", 40)))
	refused(t, send("c", after(1, count("26734", "cards", "2022-M01", 41))), codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH)
	if diff := cmp.Diff(first, r.submit(t, "a", count("26734", "cards", "2022-M01", 30)), protocmp.Transform()); diff != "" {
		t.Errorf("a late retry got another receipt (-first +second):\n%s", diff)
	}
	if second.GetRevision() != 2 || second.GetSequence() <= first.GetSequence() {
		t.Errorf("the correction's receipt is %v after %v", second, first)
	}
	r.submit(t, "d", after(2, withdrawal("26734", "cards", "2022-M01")))
	want := &typev1.Tally{Expected: 2}
	if diff := cmp.Diff(want, r.figure(t, "cards", "vn", "").GetTally(), protocmp.Transform()); diff != "" {
		t.Errorf("after the withdrawal (-want +got):\n%s", diff)
	}
	got := milestones(t, r, "retries", 2)
	if diff := cmp.Diff([]string{"reached cards vn 2500", "revoked cards vn 2500"}, got); diff != "" {
		t.Errorf("milestones (-want +got):\n%s", diff)
	}
	verify(t, r)
}

func batches(t *testing.T, r *rig) {
	standard(t, r)
	items := []*reportingv1.BatchItem{
		{RequestId: "1", Submission: count("26734", "cards", "2022-M01", 30)},
		{RequestId: "2", Submission: count("26734", "cards", "2022-M01", 31)}, // the same cell again
		{RequestId: "3", Submission: count("26737", "cards", "2022-M01", 20)},
	}
	r.figure(t, "cards", "vn", "") // waits for the copy of the registry
	r.figure(t, "t-2", "vn", "")
	head := status(t, r).GetHeadSequence()
	req := &reportingv1.SubmitBatchRequest{Programme: "p", Items: items}
	_, err := r.reporting.SubmitBatch(t.Context(), req)
	refused(t, err, codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH)
	if now := status(t, r).GetHeadSequence(); now != head {
		t.Errorf("a refused batch moved the log from %d to %d", head, now)
	}
	items[1].Submission = after(1, count("26734", "cards", "2022-M01", 31))
	first, err := r.reporting.SubmitBatch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.reporting.SubmitBatch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
		t.Errorf("a retried batch got other receipts (-first +second):\n%s", diff)
	}
	req.Mode = reportingv1.BatchMode_BATCH_MODE_PER_ITEM
	req.Items = append(items, &reportingv1.BatchItem{RequestId: "4", Submission: count("26737", "nothing", "2022-M01", 1)},
		&reportingv1.BatchItem{RequestId: "5", Submission: count("26737", "issued", "2022-M01", 1)})
	each, err := r.reporting.SubmitBatch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if e := each.GetResults()[3].GetError(); e.GetReason() != "TARGET_NOT_FOUND" || e.GetField() != "items[3].submission.target" {
		t.Errorf("item 3 got %v", e)
	}
	if each.GetResults()[4].GetReceipt().GetRevision() != 1 {
		t.Errorf("item 4 got %v", each.GetResults()[4])
	}
	if got := r.figure(t, "cards", "vn", "").GetTally().GetNumerator(); got != 51 {
		t.Errorf("the total is %d, want 51", got)
	}
	verify(t, r)
}

func items(t *testing.T, r *rig) {
	standard(t, r)
	list := &reportingv1.ItemList{Items: []*reportingv1.Item{{Name: "khai sinh", Done: true}, {Name: "cư trú"}, {Name: "hộ chiếu", Done: true}}}
	r.submit(t, "1", &reportingv1.Submission{Unit: "26734", Target: "procedures", Period: "2022-M01", Value: &reportingv1.Submission_Items{Items: list}})
	key := &reportingv1.CellKey{Programme: "p", Target: "procedures", Unit: "26734", Period: "2022-M01"}
	open, err := r.progress.ListItems(t.Context(), &reportingv1.ListItemsRequest{Key: key, OpenOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*reportingv1.Item{{Name: "cư trú"}}, open.GetItems(), protocmp.Transform()); diff != "" {
		t.Errorf("open items (-want +got):\n%s", diff)
	}
	if got := r.figure(t, "procedures", "vn", "").GetPercent(); got != "66.67" {
		t.Errorf("2 of 3 is shown as %s", got)
	}
	r.submit(t, "2", after(1, ratio("26734", "procedures", "2022-M01", 3, 3)))
	first, err := r.progress.ListCellHistory(t.Context(), &reportingv1.ListCellHistoryRequest{Key: key, PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.progress.ListCellHistory(t.Context(), &reportingv1.ListCellHistoryRequest{Key: key, PageSize: 1, PageToken: first.GetNextPageToken()})
	if err != nil {
		t.Fatal(err)
	}
	if first.GetRecords()[0].GetRequestId() != "2" || second.GetRecords()[0].GetRequestId() != "1" || second.GetNextPageToken() != "" {
		t.Errorf("the history is %v, then %v", first, second)
	}
}

func tasks(t *testing.T, r *rig) {
	standard(t, r)
	r.submit(t, "1", yes("26734", "t-1", "2022-M01"))
	r.submit(t, "2", yes("26734", "t-2", "2022-M01"))
	for basis, want := range map[typev1.CountingBasis]*typev1.Tally{
		typev1.CountingBasis_COUNTING_BASIS_TASK:       {Numerator: 1, Denominator: 2, Reporting: 2, Expected: 2},
		typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT: {Numerator: 2, Denominator: 3, Reporting: 2, Expected: 3},
	} {
		got, err := r.progress.CountTasks(t.Context(), &reportingv1.CountTasksRequest{Programme: "p", CountingBasis: basis,
			Form: typev1.TaskForm_TASK_FORM_TASK, Basis: typev1.Basis_BASIS_REPORTED})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.GetTally(), protocmp.Transform()); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", basis, diff)
		}
	}
	_, err := r.progress.CountTasks(t.Context(), &reportingv1.CountTasksRequest{Programme: "p",
		Form: typev1.TaskForm_TASK_FORM_TASK, Basis: typev1.Basis_BASIS_REPORTED})
	refused(t, err, codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD)
}

func explanations(t *testing.T, r *rig) {
	history(t, r)
	for _, target := range []string{"cards", "procedures", "adopted", "issued"} {
		sum := &typev1.Tally{}
		req := &reportingv1.ExplainRequest{PageSize: 1, Key: &reportingv1.FigureKey{
			Programme: "p", Target: target, Unit: "vn", Basis: typev1.Basis_BASIS_REPORTED}}
		pages := 0
		for {
			page, err := r.progress.Explain(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, c := range page.GetContributions() {
				sum.Numerator += c.GetTally().GetNumerator()
				sum.Denominator += c.GetTally().GetDenominator()
				sum.Reporting += c.GetTally().GetReporting()
				sum.Expected += c.GetTally().GetExpected()
			}
			if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
				break
			}
		}
		if diff := cmp.Diff(r.figure(t, target, "vn", "").GetTally(), sum, protocmp.Transform()); diff != "" || pages != 3 {
			t.Errorf("%d pages of %s do not add up (-figure +sum):\n%s", pages, target, diff)
		}
	}
}

func progressIsPublished(t *testing.T, r *rig) {
	history(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	want := r.figure(t, "cards", "79", "").GetTally()
	var got *typev1.Tally
	err := event.Progress(ctx, event.ProgressConfig{Conn: r.nats(t), Events: r.events, Subscription: "progress", Subjects: []string{"cotmoc.p.progress.changed.cards.vn.79"}},
		func(_ context.Context, p *eventv1.ProgressChanged) error {
			if got = p.GetCurrent(); cmp.Equal(want, got, protocmp.Transform()) {
				cancel()
			}
			return nil
		})
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("the last value is not the figure: %v (-want +got):\n%s", err, diff)
	}
}

func listed(t *testing.T, r *rig) {
	history(t, r)
	head := status(t, r).GetHeadSequence()
	var sequence uint64
	for sequence < head {
		page, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: sequence, PageSize: 7})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.GetEvents() {
			if sequence++; e.GetSequence() != sequence {
				t.Fatalf("event %d is listed where %d is due", e.GetSequence(), sequence)
			}
		}
	}
	verify(t, r) // which compares the stream with the log
}
