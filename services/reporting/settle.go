package reporting

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// settle runs a submission until its outcome is known. It returns the first
// receipt when the same request was accepted before, nil when it is now, and else
// why it is refused. run returns the event that it was decided on, too.
func (s *Service) settle(ctx context.Context, sub *book.Submission, sent *reportingv1.Submission, run func() (uint64, error)) (*reportingv1.Receipt, error) {
	for try := 1; ; try++ {
		on, err := run()
		receipt, again, err := s.resolve(ctx, sub, sent, err)
		if !again || try == tries {
			return receipt, failAt(on, err)
		}
	}
}

// do decides a command, durably or only to see what would come of it, and returns the
// event that it was decided on, also when it was refused.
func (s *Service) do(ctx context.Context, tryOnly bool, decide func(*book.Book) error) (uint64, error) {
	if tryOnly {
		head, err := s.engine.Try(ctx, decide)
		return head.Sequence, err
	}
	done, err := s.engine.Do(ctx, decide)
	return done.Head.Sequence, err
}

// resolve looks into the log for what the book alone cannot tell: whether a cell
// that is not as expected, or a request id that was seen, stems from this very request.
func (s *Service) resolve(ctx context.Context, sub *book.Submission, sent *reportingv1.Submission, err error) (first *reportingv1.Receipt, again bool, _ error) {
	var stale *book.Stale
	var reused *book.Reused
	var refused *book.Refusal
	switch {
	case err == nil:
		return nil, false, nil
	case errors.As(err, &stale):
		first, err = s.firstReceipt(ctx, sub, sent, stale)
		return first, false, err
	case errors.As(err, &reused):
		rec, err := s.record(ctx, reused.Sequence)
		if err != nil {
			return nil, false, err
		}
		if sameRequest(rec, sub) {
			return nil, false, reusedID(sub, reused.Sequence)
		}
		sub.NotReused = reused.Sequence // another request with the same hash
		return nil, true, errReuse
	case isUnknown(err):
		return nil, s.directory.CatchUp(ctx), err
	case errors.As(err, &refused) && refused.Reason == errorv1.Reason_REASON_OVERFLOW:
		refused.Field = "submission." + sub.Value.Field // what to lessen
	}
	return nil, false, err
}

// errReuse is answered in the unheard-of case that it happens again and again.
var errReuse = refuse(errorv1.Reason_REASON_UNAVAILABLE, "request_id", "the request id has the hash of another; take a new one")

// firstReceipt searches the events of a cell that is not at the expected revision
// for this request: found with the same content, its receipt is the answer.
func (s *Service) firstReceipt(ctx context.Context, sub *book.Submission, sent *reportingv1.Submission, stale *book.Stale) (*reportingv1.Receipt, error) {
	rec, err := s.sentBefore(ctx, sub, stale.Last)
	if err != nil {
		return nil, err
	}
	if rec != nil {
		if !sameReview(rec, sub.Review) || !sameSubmission(rec.GetSubmission(), sent) {
			return nil, reusedID(sub, rec.GetReceipt().GetSequence())
		}
		return rec.GetReceipt(), nil
	}
	words := fmt.Sprintf("the cell of %s, %s, %s is at revision %d, not %d: read it and send a correction of that revision",
		sub.Target, sub.Unit, sub.Period, stale.Actual, stale.Expected)
	switch {
	case sub.Review != nil && stale.Actual == 0:
		words = fmt.Sprintf("no completion of %s by unit %s in %s waits: nothing was sent for that period", sub.Target, sub.Unit, sub.Period)
	case sub.Review != nil:
		words = fmt.Sprintf("no completion of %s by unit %s in %s waits at revision %d: it is at revision %d now; read it again",
			sub.Target, sub.Unit, sub.Period, stale.Expected, stale.Actual)
	}
	return nil, apierr.New(codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH, "submission.expected_revision", words,
		"expected", strconv.FormatUint(uint64(stale.Expected), 10), "actual", strconv.FormatUint(uint64(stale.Actual), 10))
}

// sentBefore finds the record of a request in its cell, whose newest event is last; nil
// where there is none. The book remembers where the newest requests are: the cell's
// history is gone through only when it has forgotten some, since that costs a read for
// each revision.
func (s *Service) sentBefore(ctx context.Context, sub *book.Submission, last uint64) (*reportingv1.SubmissionRecord, error) {
	var remembered uint64
	all := false
	if err := s.view(ctx, 0, func(b *book.Book) error {
		remembered, all = b.RequestOf(sub.Submitter(), sub.RequestID)
		return nil
	}); err != nil {
		return nil, err
	}
	if remembered != 0 {
		rec, err := s.record(ctx, remembered)
		switch {
		case err != nil:
			return nil, err
		case sameRequest(rec, sub) && sameCell(rec, sub):
			return rec, nil
		}
		all = all && sameRequest(rec, sub) // else another request with the same hash hides it
	}
	if all {
		return nil, nil
	}
	for at := last; at != 0; {
		rec, err := s.record(ctx, at)
		if errors.Is(err, errNotStored) {
			return nil, nil // of an earlier item of a batch that was not taken
		}
		if err != nil || !sameCell(rec, sub) {
			return nil, err
		}
		if sameRequest(rec, sub) {
			return rec, nil
		}
		at = rec.GetSupersedes()
	}
	return nil, nil
}

func reusedID(sub *book.Submission, sequence uint64) error {
	return apierr.New(codes.AlreadyExists, errorv1.Reason_REASON_REQUEST_ID_REUSED, "request_id",
		fmt.Sprintf("request id %s of unit %s was used with another content for event %d; take a new one", sub.RequestID, sub.Submitter(), sequence),
		"sequence", strconv.FormatUint(sequence, 10))
}

func sameCell(rec *reportingv1.SubmissionRecord, sub *book.Submission) bool {
	r := rec.GetSubmission()
	return rec.GetProgramme() == sub.Programme && r.GetTarget() == sub.Target && r.GetUnit() == sub.Unit && r.GetPeriod() == sub.Period.String()
}

// sameRequest reports whether a record is of the submitter's request with that id:
// the submitter of a decision about a completion is the unit that took it.
func sameRequest(rec *reportingv1.SubmissionRecord, sub *book.Submission) bool {
	submitter := rec.GetReviewer()
	if submitter == "" {
		submitter = rec.GetSubmission().GetUnit()
	}
	return rec.GetRequestId() == sub.RequestID && submitter == sub.Submitter()
}

// sameReview reports whether a record is of the same decision, or of none as sent.
func sameReview(rec *reportingv1.SubmissionRecord, sent *book.Review) bool {
	if sent == nil {
		return rec.GetReviewer() == ""
	}
	return rec.GetReviewer() == sent.Reviewer && rec.GetReturnCode() == sent.Code
}

// sameSubmission reports whether two submissions say the same; a qualifier that is
// not set is EXACT.
func sameSubmission(stored, sent *reportingv1.Submission) bool {
	return proto.Equal(canonical(stored), canonical(sent))
}

func canonical(s *reportingv1.Submission) *reportingv1.Submission {
	c := proto.Clone(s).(*reportingv1.Submission)
	c.Qualifier = book.QualifierOf(c.GetQualifier()).Proto()
	switch c.GetValue().(type) {
	case *reportingv1.Submission_NotApplicable, *reportingv1.Submission_Withdrawal:
		c.Qualifier = book.Exact.Proto() // there is no value to qualify
	}
	return c
}
