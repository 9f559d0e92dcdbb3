package reporting

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// Whoever is told of a revision by a refusal can read it at a replica that is behind: the
// refusal names the event to ask for.
func TestRefusals_name_the_event_that_holds_what_they_tell(t *testing.T) {
	first, late, keep := apart(t, 300*time.Millisecond)
	first.report("c2", "cards", "2022-M01", counted(6))
	keep()
	grant := &reportingv1.GrantExceptionRequest{Programme: project, Target: "monthly", Unit: "c4", Period: "2022-M01", GrantedBy: "p4",
		Reason: "flood", Exception: &reportingv1.GrantExceptionRequest_DueDate{DueDate: "2022-03-31"}}
	if _, err := first.s.GrantException(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	first.report("c2", "cards", "2022-M01", withRevision(counted(7), 1))
	at := first.s.engine.Head().Sequence
	grant.Exception = &reportingv1.GrantExceptionRequest_DueDate{DueDate: "2022-03-30"} // less than was granted
	stale := func(id string) *reportingv1.BatchItem {
		s := withRevision(counted(8), 1)
		s.Unit, s.Target, s.Period = "c2", "cards", "2022-M01"
		return &reportingv1.BatchItem{Submission: s, RequestId: id}
	}
	good := func(id string) *reportingv1.BatchItem {
		s := counted(8)
		s.Unit, s.Target, s.Period = "c3", "cards", "2022-M01"
		return &reportingv1.BatchItem{Submission: s, RequestId: id}
	}
	submit := func(tryOnly bool) error {
		_, err := first.s.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: project, Submission: stale("").GetSubmission(),
			RequestId: "stale", ValidateOnly: tryOnly})
		return err
	}
	batch := func(mode reportingv1.BatchMode, tryOnly bool) error {
		resp, err := first.s.SubmitBatch(t.Context(), &reportingv1.SubmitBatchRequest{Programme: project, Mode: mode, ValidateOnly: tryOnly,
			Items: []*reportingv1.BatchItem{good("good"), stale("stale")}})
		if err == nil {
			err = apierr.OfItem(resp.GetResults()[1].GetError())
		}
		return err
	}
	const whole, each = reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING, reportingv1.BatchMode_BATCH_MODE_PER_ITEM
	for _, c := range []struct {
		name   string
		err    error
		reason errorv1.Reason
	}{
		{"a submission", submit(false), errorv1.Reason_REASON_REVISION_MISMATCH},
		{"a submission that is only checked", submit(true), errorv1.Reason_REASON_REVISION_MISMATCH},
		{"a batch, whose good item is dropped", batch(whole, false), errorv1.Reason_REASON_REVISION_MISMATCH},
		{"a batch that is only checked", batch(whole, true), errorv1.Reason_REASON_REVISION_MISMATCH},
		{"items that are only checked", batch(each, true), errorv1.Reason_REASON_REVISION_MISMATCH},
		{"an exception", func() error { _, err := first.s.GrantException(t.Context(), grant); return err }(), errorv1.Reason_REASON_NOT_LATER},
	} {
		e, _ := apierr.Parse(c.err)
		if e.Reason != c.reason || e.Sequence() != at {
			t.Errorf("%s: refused for %v as of event %d, want %v as of %d: %v", c.name, e.Reason, e.Sequence(), c.reason, at, c.err)
		}
		if e.Reason == errorv1.Reason_REASON_REVISION_MISMATCH && e.Metadata["actual"] != "2" {
			t.Errorf("%s: %v", c.name, e.Metadata)
		}
	}
	resp, err := late.s.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: figureKey("c2", "cards", "2022-M01"), MinSequence: at})
	if err != nil || resp.GetFigure().GetOwn().GetRevision() != 2 {
		t.Errorf("the other replica says %v, %v", resp.GetFigure().GetOwn(), err)
	}
	// An item beside one that is taken: the event is that of the block, which others may share.
	e, _ := apierr.Parse(batch(each, false))
	if e.Code != codes.Aborted || e.Sequence() <= at || e.Sequence() > first.s.engine.Head().Sequence || e.Field != "items[1].submission.expected_revision" {
		t.Errorf("an item: as of event %d, %s", e.Sequence(), e.Error())
	}
}

func TestRefusals_of_decisions_name_the_event(t *testing.T) {
	l := newLeader(t, "2022-01-03", 2)
	l.task("plan", "2022-06-30", "p1")
	_, err := l.s.ReviewCompletion(t.Context(), &reportingv1.ReviewCompletionRequest{Programme: project, Task: "plan", Unit: "p1", Period: "2022-M01",
		Reviewer: "vn", ExpectedRevision: 3, RequestId: "review"})
	if e, _ := apierr.Parse(err); e.Code != codes.Aborted || e.Sequence() != l.s.engine.Head().Sequence || e.Field != "expected_revision" {
		t.Errorf("a decision: %v, %v", err, e.Metadata)
	}
	publish := func(name string) error {
		_, err := l.s.PublishClosing(t.Context(), &reportingv1.PublishClosingRequest{Programme: project, Closing: "first", DisplayName: name, AsOfDate: "2022-01-03"})
		return err
	}
	if err := publish("First"); err != nil {
		t.Fatal(err)
	}
	if e, _ := apierr.Parse(publish("Other")); e.Code != codes.AlreadyExists || e.Sequence() != l.s.engine.Head().Sequence {
		t.Errorf("a closing under an id that is taken: %s, %v", e.Error(), e.Metadata)
	}
	_, err = l.s.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: 7, Reason: "restored"})
	if e, _ := apierr.Parse(err); e.Reason != errorv1.Reason_REASON_EPOCH_MISMATCH || e.Sequence() != l.s.engine.Head().Sequence {
		t.Errorf("an epoch: %v, %v", err, e.Metadata)
	}
}

func withRevision(s *reportingv1.Submission, expected uint32) *reportingv1.Submission {
	s.ExpectedRevision, s.Reason = expected, "looked again"
	return s
}
