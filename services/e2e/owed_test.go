package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// owing is a pair in which two communes owe a report a month, due five working days
// after it, and a task with acceptance by 79, due on 2022-01-20.
type owing struct{ *rig }

func newOwing(t *testing.T) *owing {
	t.Helper()
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", ManualClock: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	r := &owing{clients(t, p.Addr, p.Addr)}
	assign := func(unit string, role registryv1.AssignmentRole) *registryv1.Assignment {
		return &registryv1.Assignment{Unit: unit, Role: role, AccountableHead: "Chủ tịch"}
	}
	r.owe(t, append(tree(),
		&registryv1.Write{Resource: &registryv1.Write_Regime{Regime: &registryv1.Regime{
			Name: "programmes/p/regimes/monthly", DisplayName: "Báo cáo tháng", DueWorkingDays: 5}}},
		target("cards", typev1.ValueKind_VALUE_KIND_COUNT, func(t *registryv1.Target) { t.Regime = "monthly" }),
		target("people", typev1.ValueKind_VALUE_KIND_COUNT, func(t *registryv1.Target) { t.Regime = "monthly" }),
		&registryv1.Write{Resource: &registryv1.Write_Task{Task: &registryv1.Task{Name: "programmes/p/tasks/plan", DisplayName: "Kế hoạch",
			Form: typev1.TaskForm_TASK_FORM_TASK, Audience: typev1.Audience_AUDIENCE_LOCAL, Acceptance: "văn bản", Instrument: "qd-06",
			Due: &registryv1.DueWindow{LatestDate: "2022-01-20"}, NeedsAcceptance: true, Assignments: []*registryv1.Assignment{
				assign("26734", registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD),
				assign("26737", registryv1.AssignmentRole_ASSIGNMENT_ROLE_COORDINATING),
				assign("79", registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING)}}}})...)
	r.submit(t, "first", count("26734", "cards", "2022-M01", 1)) // and the copy of the registry is there
	return r
}

func done(unit string) *reportingv1.Submission {
	return &reportingv1.Submission{Unit: unit, Target: "plan", Period: "2022-M01", Value: &reportingv1.Submission_YesNo{YesNo: true}}
}

// decision is one of 79 about what 26734 sent, changed as wanted.
func decision(id string, revision uint32, change func(*reportingv1.ReviewCompletionRequest)) *reportingv1.ReviewCompletionRequest {
	req := &reportingv1.ReviewCompletionRequest{Programme: "p", Task: "plan", Unit: "26734", Period: "2022-M01",
		ExpectedRevision: revision, Reviewer: "79", RequestId: id}
	if change != nil {
		change(req)
	}
	return req
}

func (r *owing) decide(t *testing.T, req *reportingv1.ReviewCompletionRequest) *reportingv1.Receipt {
	t.Helper()
	resp, err := r.review.ReviewCompletion(t.Context(), req)
	if err != nil {
		t.Fatalf("review: %v", err)
	}
	return resp.GetReceipt()
}

// listed tells who owes what, such as `26734 DUE`, page by page.
func (r *owing) listed(t *testing.T, req *reportingv1.ListObligationsRequest) []string {
	t.Helper()
	out := []string{}
	for {
		resp, err := r.monitoring.ListObligations(t.Context(), req)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		for _, o := range resp.GetObligations() {
			out = append(out, fmt.Sprintf("%s %s %d/%d due %s came %s", o.GetPath(), strings.TrimPrefix(o.GetState().String(), "OBLIGATION_STATE_"),
				o.GetValuesPresent(), o.GetValuesExpected(), o.GetDueDate(), o.GetCameDate()))
		}
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			return out
		}
	}
}

func obligations(target, period string, states ...reportingv1.ObligationState) *reportingv1.ListObligationsRequest {
	return &reportingv1.ListObligationsRequest{Programme: "p", Target: target, Period: period, States: states, PageSize: 1}
}

func TestWhoHasNotReported(t *testing.T) {
	r := newOwing(t)
	const due, missing = reportingv1.ObligationState_OBLIGATION_STATE_DUE, reportingv1.ObligationState_OBLIGATION_STATE_MISSING
	in, out := "vn.79.26734 ACCEPTED 1/2 due 2022-02-07 came 2022-01-10", "vn.79.26737 DUE 0/2 due 2022-02-07 came "
	if diff := cmp.Diff([]string{in, out}, r.listed(t, obligations("monthly", "2022-M01"))); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{out}, r.listed(t, obligations("monthly", "2022-M01", due, missing))); diff != "" {
		t.Errorf("who has not (-want +got):\n%s", diff)
	}
	before := start.Add(time.Hour)
	r.at(t, before)
	r.at(t, time.Date(2022, 2, 8, 9, 0, 0, 0, start.Location()))
	if got := r.listed(t, obligations("monthly", "2022-M01", missing)); !cmp.Equal(got, []string{strings.Replace(out, "DUE", "MISSING", 1)}) {
		t.Errorf("the day after: %q", got)
	}
	then := obligations("monthly", "2022-M01")
	then.KnownAt = timestamppb.New(before)
	if diff := cmp.Diff([]string{in, out}, r.listed(t, then)); diff != "" {
		t.Errorf("as known before (-want +got):\n%s", diff)
	}
	resp, err := r.monitoring.CountObligations(t.Context(), &reportingv1.CountObligationsRequest{Programme: "p", Target: "monthly", Period: "2022-M01"})
	if err != nil {
		t.Fatal(err)
	}
	counts := []*reportingv1.ObligationCount{{State: reportingv1.ObligationState_OBLIGATION_STATE_ACCEPTED, Count: 1}, {State: missing, Count: 1}}
	want := &reportingv1.CountObligationsResponse{Sequence: resp.GetSequence(),
		Total:    &reportingv1.UnitObligations{Unit: "vn", UnitDisplayName: "Đơn vị vn", Counts: counts},
		Children: []*reportingv1.UnitObligations{{Unit: "79", UnitDisplayName: "Đơn vị 79", Counts: counts}}}
	if !proto.Equal(want, resp) {
		t.Errorf("counted %v", resp)
	}
}

func TestDecisionsAreIdempotentAndOnRecord(t *testing.T) {
	r := newOwing(t)
	sent := r.submit(t, "r1", done("26734"))
	back := func(req *reportingv1.ReviewCompletionRequest) {
		req.ReturnCode, req.Comment = eventv1.ReturnCode_RETURN_CODE_OTHER, "thiếu phụ lục"
	}
	returned := r.decide(t, decision("r1", 1, back)) // the unit's id, and the reviewer's own
	if returned.GetRevision() != 2 {
		t.Errorf("the decision makes revision %d", returned.GetRevision())
	}
	if again := r.decide(t, decision("r1", 1, back)); !proto.Equal(again, returned) {
		t.Errorf("sent again: %v, first %v", again, returned)
	}
	if again := r.submit(t, "r1", done("26734")); !proto.Equal(again, sent) {
		t.Errorf("the completion sent again: %v, first %v", again, sent)
	}
	r.submit(t, "r2", after(2, done("26734")))
	accepted := r.decide(t, decision("r3", 3, nil))
	resp, err := r.progress.ListCellHistory(t.Context(), &reportingv1.ListCellHistoryRequest{
		Key: &reportingv1.CellKey{Programme: "p", Target: "plan", Unit: "26734", Period: "2022-M01"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rec := range resp.GetRecords() {
		got = append(got, fmt.Sprintf("%s %s by %q %s %q %t", rec.GetRequestId(), strings.TrimPrefix(rec.GetState().String(), "CELL_STATE_"),
			rec.GetReviewer(), strings.TrimPrefix(rec.GetReturnCode().String(), "RETURN_CODE_"), rec.GetSubmission().GetReason(), rec.GetSubmission().GetYesNo()))
	}
	want := []string{`r3 REPORTED by "79" UNSPECIFIED "" false`, `r2 AWAITING by "" UNSPECIFIED "số liệu đã được rà soát" true`,
		`r1 RETURNED by "79" OTHER "thiếu phụ lục" false`, `r1 AWAITING by "" UNSPECIFIED "" true`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	rec, err := r.progress.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{Sequence: accepted.GetSequence()})
	if err != nil || !proto.Equal(rec.GetRecord(), resp.GetRecords()[0]) {
		t.Errorf("the acceptance reads %v, %v", rec, err)
	}
	timely, err := r.monitoring.GetTimeliness(t.Context(), &reportingv1.GetTimelinessRequest{Programme: "p",
		CountingBasis: typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT, Form: typev1.TaskForm_TASK_FORM_TASK, Unit: "79"})
	if err != nil || !proto.Equal(timely.GetTimeliness(), &reportingv1.Timeliness{CompletedOnTime: 1, PendingInTime: 1,
		CompletionRateDue: "100.00", CompletionRateAll: "50.00"}) {
		t.Errorf("timeliness is %v, %v", timely, err)
	}
}

func TestExceptionIsGrantedOnce(t *testing.T) {
	r := newOwing(t)
	grant := &reportingv1.GrantExceptionRequest{Programme: "p", Target: "monthly", Unit: "26737", Period: "2022-M01", GrantedBy: "79",
		Reason: "bão lụt", Exception: &reportingv1.GrantExceptionRequest_DueDate{DueDate: "2022-02-21"}}
	var first uint64
	for i := range 3 {
		resp, err := r.review.GrantException(t.Context(), grant)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = resp.GetSequence()
		}
		if resp.GetSequence() != first || first == 0 {
			t.Errorf("granted as %d, first as %d", resp.GetSequence(), first)
		}
	}
	grant.Exception = &reportingv1.GrantExceptionRequest_Excused{Excused: true}
	if resp, err := r.review.GrantException(t.Context(), grant); err != nil || resp.GetSequence() <= first {
		t.Errorf("excused: %v, %v", resp, err)
	}
	if got := r.listed(t, obligations("monthly", "2022-M01", reportingv1.ObligationState_OBLIGATION_STATE_EXCUSED)); len(got) != 1 {
		t.Errorf("excused are %q", got)
	}
}

func TestBadDecisionsAndExceptionsAreRefused(t *testing.T) {
	r := newOwing(t)
	r.submit(t, "s1", done("26734"))
	r.decide(t, decision("d1", 1, func(q *reportingv1.ReviewCompletionRequest) { q.ReturnCode = eventv1.ReturnCode_RETURN_CODE_DUPLICATE }))
	r.submit(t, "s2", after(2, done("26734")))
	head, err := r.admin.GetStatus(t.Context(), &reportingv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	type q = *reportingv1.ReviewCompletionRequest
	review := func(id string, revision uint32, change func(q)) error {
		_, err := r.review.ReviewCompletion(t.Context(), decision(id, revision, change))
		return err
	}
	type g = *reportingv1.GrantExceptionRequest
	grant := func(change func(g)) error {
		req := &reportingv1.GrantExceptionRequest{Programme: "p", Target: "monthly", Unit: "26737", Period: "2022-M01", GrantedBy: "79",
			Reason: "bão", Exception: &reportingv1.GrantExceptionRequest_DueDate{DueDate: "2022-02-21"}}
		change(req)
		_, err := r.review.GrantException(t.Context(), req)
		return err
	}
	list := func(target, period, unit string) error {
		req := obligations(target, period)
		req.Unit = unit
		_, err := r.monitoring.ListObligations(t.Context(), req)
		_, err2 := r.monitoring.CountObligations(t.Context(), &reportingv1.CountObligationsRequest{Programme: "p", Target: target, Period: period, Unit: unit})
		if refusalOf(err) != refusalOf(err2) {
			return fmt.Errorf("listed: %w, but counted: %v", err, err2)
		}
		return err
	}
	timely := func(change func(*reportingv1.GetTimelinessRequest)) error {
		req := &reportingv1.GetTimelinessRequest{Programme: "p", CountingBasis: typev1.CountingBasis_COUNTING_BASIS_TASK, Form: typev1.TaskForm_TASK_FORM_TASK}
		change(req)
		_, err := r.monitoring.GetTimeliness(t.Context(), req)
		return err
	}
	const (
		reasonNeeded = errorv1.Reason_REASON_REASON_REQUIRED
		wrongPeriod  = errorv1.Reason_REASON_WRONG_PERIOD
		competent    = errorv1.Reason_REASON_NOT_COMPETENT
		nothing      = errorv1.Reason_REASON_NOTHING_TO_REVIEW
		noDuty       = errorv1.Reason_REASON_OBLIGATION_NOT_FOUND
		notLater     = errorv1.Reason_REASON_NOT_LATER
	)
	for _, c := range []struct {
		name string
		err  error
		want refusal
	}{
		{"stale", review("d2", 2, nil), refusal{aborted, stale, "expected_revision", "expected=2 actual=3"}},
		{"id with another content", review("d1", 1, nil), refusal{taken, reused, "request_id", ""}},
		{"id with another comment", review("d1", 1, func(q q) { q.ReturnCode, q.Comment = 5, "x" }), refusal{taken, reused, "request_id", ""}},
		{"id with another unit", review("d1", 1, func(q q) { q.ReturnCode, q.Unit = 5, "26737" }), refusal{aborted, stale, "expected_revision", "actual=0"}},
		{"id of an older decision", review("d1", 3, nil), refusal{taken, reused, "request_id", ""}},
		{"programme", review("x", 3, func(q q) { q.Programme = "x" }), refusal{absent, noProg, "programme", ""}},
		{"task", review("x", 3, func(q q) { q.Task = "x" }), refusal{absent, noTarget, "task", ""}},
		{"a target", review("x", 1, func(q q) { q.Task = "cards" }), refusal{absent, noTarget, "task", ""}},
		{"a regime", review("x", 1, func(q q) { q.Task = "monthly" }), refusal{absent, noTarget, "task", ""}},
		{"unit", review("x", 3, func(q q) { q.Unit = "x" }), refusal{absent, noUnit, "unit", ""}},
		{"reviewer", review("x", 3, func(q q) { q.Reviewer = "x" }), refusal{absent, noUnit, "reviewer", ""}},
		{"no monitor", review("x", 3, func(q q) { q.Reviewer = "vn" }), refusal{failed, competent, "reviewer", ""}},
		{"itself", review("x", 3, func(q q) { q.Reviewer = "26734" }), refusal{failed, competent, "reviewer", ""}},
		{"quarter", review("x", 3, func(q q) { q.Period = "2022-Q1" }), refusal{invalid, wrongPeriod, "period", ""}},
		{"nothing sent", review("x", 1, func(q q) { q.Unit = "26737" }), refusal{aborted, stale, "expected_revision", "actual=0"}},
		{"OTHER without a word", review("x", 3, func(q q) { q.ReturnCode, q.Comment = 7, " " }), refusal{invalid, reasonNeeded, "comment", ""}},
		{"personal", review("x", 3, func(q q) { q.Comment = "gọi 0912345678" }), refusal{invalid, personal, "comment", ""}},
		{"no revision", review("x", 0, nil), refusal{invalid, badField, "expected_revision", ""}},

		{"grant: programme", grant(func(g g) { g.Programme = "x" }), refusal{absent, noProg, "programme", ""}},
		{"grant: target", grant(func(g g) { g.Target = "cards" }), refusal{absent, noTarget, "target", ""}},
		{"grant: unit", grant(func(g g) { g.Unit = "x" }), refusal{absent, noUnit, "unit", ""}},
		{"grant: by", grant(func(g g) { g.GrantedBy = "x" }), refusal{absent, noUnit, "granted_by", ""}},
		{"grant: by itself", grant(func(g g) { g.GrantedBy = "26737" }), refusal{failed, competent, "granted_by", ""}},
		{"grant: period", grant(func(g g) { g.Period = "2022" }), refusal{invalid, wrongPeriod, "period", ""}},
		{"grant: who owes nothing", grant(func(g g) { g.Unit, g.GrantedBy = "79", "vn" }), refusal{absent, noDuty, "unit", ""}},
		{"grant: by one below", grant(func(g g) { g.Unit, g.GrantedBy = "79", "26734" }), refusal{failed, competent, "granted_by", ""}},
		{"grant: no day", grant(func(g g) { g.Exception = &reportingv1.GrantExceptionRequest_DueDate{DueDate: "2022-02-30"} }), refusal{invalid, badField, "due_date", ""}},
		{"grant: no later", grant(func(g g) { g.Exception = &reportingv1.GrantExceptionRequest_DueDate{DueDate: "2022-02-07"} }), refusal{failed, notLater, "due_date", ""}},
		{"grant: blank", grant(func(g g) { g.Reason = " " }), refusal{invalid, reasonNeeded, "reason", ""}},
		{"grant: personal", grant(func(g g) { g.Reason = "a@b.vn" }), refusal{invalid, personal, "reason", ""}},

		{"list: target", list("x", "2022-M01", ""), refusal{absent, noTarget, "target", ""}},
		{"list: a target", list("cards", "2022-M01", ""), refusal{absent, noTarget, "target", ""}},
		{"list: a count of tasks", list("tasks-task-local-by-task", "", ""), refusal{absent, noTarget, "target", ""}},
		{"list: unit", list("monthly", "2022-M01", "x"), refusal{absent, noUnit, "unit", ""}},
		{"list: no period", list("monthly", "", ""), refusal{invalid, wrongPeriod, "period", ""}},
		{"list: a quarter", list("monthly", "2022-Q1", ""), refusal{invalid, wrongPeriod, "period", ""}},
		{"list: a task's period", list("plan", "2022-M01", ""), refusal{invalid, wrongPeriod, "period", ""}},

		{"timeliness: pillar", timely(func(q *reportingv1.GetTimelinessRequest) { q.Pillar = "x" }), refusal{invalid, badField, "pillar", ""}},
		{"timeliness: group", timely(func(q *reportingv1.GetTimelinessRequest) { q.Group = "x" }), refusal{invalid, badField, "group", ""}},
		{"timeliness: unit", timely(func(q *reportingv1.GetTimelinessRequest) { q.Unit = "x" }), refusal{absent, noUnit, "unit", ""}},
		{"timeliness: programme", timely(func(q *reportingv1.GetTimelinessRequest) { q.Programme = "x" }), refusal{absent, noProg, "programme", ""}},
		{"timeliness: basis", timely(func(q *reportingv1.GetTimelinessRequest) { q.CountingBasis = 0 }), refusal{invalid, badField, "counting_basis", ""}},
	} {
		if diff := c.want.differs(c.err); diff != "" {
			t.Errorf("%s:%s", c.name, diff)
		}
	}
	if now, err := r.admin.GetStatus(t.Context(), &reportingv1.GetStatusRequest{}); err != nil || now.GetHeadSequence() != head.GetHeadSequence() {
		t.Errorf("refused, and yet the log grew from %d to %d, %v", head.GetHeadSequence(), now.GetHeadSequence(), err)
	}
	r.decide(t, decision("d3", 3, nil))
	nothingLeft := refusal{failed, nothing, "task", ""}
	if diff := nothingLeft.differs(review("d4", 4, nil)); diff != "" {
		t.Errorf("decided already:%s", diff)
	}
}
