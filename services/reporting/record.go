package reporting

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// errNotStored says that no event has a number, or that it is no submission.
var errNotStored = errors.New("no such submission")

// record reads a submission as it was accepted from the log: all that is known of
// it, its receipt included, is a function of its event and annex.
func (s *Service) record(ctx context.Context, sequence uint64) (*reportingv1.SubmissionRecord, error) {
	if sequence == 0 || sequence > s.engine.Head().Sequence {
		return nil, errNotStored
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entry, _, err := s.engine.Entry(ctx, sequence)
	if err != nil {
		return nil, fmt.Errorf("read event %d: %w", sequence, err)
	}
	auth.Charge(ctx, 1+(len(entry.Event)+len(entry.Annex))/unitBytes)
	e := new(eventv1.Event)
	if err := proto.Unmarshal(entry.Event, e); err != nil {
		return nil, fmt.Errorf("decode event %d: %w", sequence, err)
	}
	r := recordedIn(e)
	if r == nil {
		return nil, errNotStored
	}
	annex := new(reportingv1.SubmissionAnnex)
	if err := proto.Unmarshal(entry.Annex, annex); err != nil {
		return nil, fmt.Errorf("decode annex of event %d: %w", sequence, err)
	}
	return recordOf(e, r, annex), nil
}

// recordedIn is what an event tells of a cell's new revision; nil when it tells of none.
func recordedIn(e *eventv1.Event) *eventv1.SubmissionRecorded {
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_SubmissionAccepted:
		return p.SubmissionAccepted
	case *eventv1.Event_SubmissionWithdrawn:
		return p.SubmissionWithdrawn
	case *eventv1.Event_SubmissionApproved:
		return p.SubmissionApproved
	case *eventv1.Event_SubmissionReturned:
		return p.SubmissionReturned
	}
	return nil
}

// unitOf is the id at the end of a path.
func unitOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func recordOf(e *eventv1.Event, r *eventv1.SubmissionRecorded, annex *reportingv1.SubmissionAnnex) *reportingv1.SubmissionRecord {
	sub := &reportingv1.Submission{
		Unit: unitOf(r.GetPath()), Target: r.GetTarget(), Period: r.GetPeriod(),
		Qualifier: book.QualifierOf(r.GetQualifier()).Proto(), Note: annex.GetNote(), ExpectedRevision: r.GetRevision() - 1,
		Reason: annex.GetReason(), Evidence: annex.GetEvidence(),
	}
	if r.GetReviewer() == "" { // a decision about a completion says no value of its own
		setValue(sub, r, annex)
	}
	return &reportingv1.SubmissionRecord{
		Programme: e.GetProgramme(), Submission: sub, RequestId: r.GetRequestId(),
		Receipt: receiptOf(book.Receipt{Sequence: e.GetSequence(), Revision: r.GetRevision(),
			RegistryRevision: e.GetRegistryRevision(), TimeUnixMicros: e.GetTimeUnixMicros()}),
		State: r.GetState(), Tally: r.GetTally(), Supersedes: r.GetSupersedes(),
		Late: r.GetLate(), ReturnCode: r.GetReturnCode(), Reviewer: r.GetReviewer(),
		Caller: annex.GetCaller(),
	}
}

// setValue gives a submission the value that was sent.
func setValue(sub *reportingv1.Submission, r *eventv1.SubmissionRecorded, annex *reportingv1.SubmissionAnnex) {
	switch {
	case annex.GetText() != nil:
		sub.Value = &reportingv1.Submission_Text{Text: annex.GetText()}
	case r.GetItemised():
		sub.Value = &reportingv1.Submission_Items{Items: &reportingv1.ItemList{Items: annex.GetItems()}}
	case r.GetState() == eventv1.CellState_CELL_STATE_BARE_PERCENTAGE:
		sub.Value = &reportingv1.Submission_BarePercentage{BarePercentage: &reportingv1.BarePercentage{
			Value: r.GetBarePercentage(), Decimals: r.GetBareDecimals()}}
	case r.GetState() == eventv1.CellState_CELL_STATE_NOT_APPLICABLE:
		sub.Value = &reportingv1.Submission_NotApplicable{NotApplicable: &reportingv1.NotApplicable{Reason: annex.GetNotApplicableReason()}}
	case r.GetState() == eventv1.CellState_CELL_STATE_WITHDRAWN:
		sub.Value = &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}
	default:
		setNumber(sub, r)
	}
}

func setNumber(sub *reportingv1.Submission, r *eventv1.SubmissionRecorded) {
	t := r.GetTally()
	switch r.GetValueKind() {
	case typev1.ValueKind_VALUE_KIND_RATIO:
		sub.Value = &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: t.GetNumerator(), Denominator: t.GetDenominator()}}
	case typev1.ValueKind_VALUE_KIND_YES_NO:
		// A completion that waits to be accepted was a yes, and counts as none yet.
		yes := t.GetNumerator() == 1 || r.GetState() == eventv1.CellState_CELL_STATE_AWAITING
		sub.Value = &reportingv1.Submission_YesNo{YesNo: yes}
	default:
		sub.Value = &reportingv1.Submission_Count{Count: t.GetNumerator()}
	}
}
