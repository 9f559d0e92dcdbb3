package reporting

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// ReviewCompletion accepts or returns a completion of a task.
func (s *Service) ReviewCompletion(ctx context.Context, req *reportingv1.ReviewCompletionRequest) (*reportingv1.ReviewCompletionResponse, error) {
	sub, sent, err := parseReview(req, auth.URI(ctx))
	if err != nil {
		return nil, named(err, reviewField)
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	var receipt book.Receipt
	first, err := s.settle(ctx, sub, sent, func() (uint64, error) {
		return s.do(ctx, false, func(b *book.Book) (err error) {
			if err := reviewable(b, sub); err != nil {
				return err
			}
			receipt, err = b.Submit(sub)
			return err
		})
	})
	if err != nil {
		return nil, named(err, reviewField)
	}
	if first == nil { // not decided before
		first = receiptOf(receipt)
	}
	return &reportingv1.ReviewCompletionResponse{Receipt: first}, nil
}

// parseReview reads a decision for the book to judge, with the submission that its
// record will show.
func parseReview(req *reportingv1.ReviewCompletionRequest, caller string) (*book.Submission, *reportingv1.Submission, error) {
	period, err := calendar.EndOfMonth.Parse(req.GetPeriod())
	if err != nil {
		return nil, nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "period", "%v", err)
	}
	if req.GetReturnCode() == eventv1.ReturnCode_RETURN_CODE_OTHER && blank(req.GetComment()) {
		return nil, nil, refuse(errorv1.Reason_REASON_REASON_REQUIRED, "comment", "say why it is returned")
	}
	sent := &reportingv1.Submission{Unit: req.GetUnit(), Target: req.GetTask(), Period: req.GetPeriod(),
		ExpectedRevision: req.GetExpectedRevision(), Reason: req.GetComment()}
	sub := &book.Submission{Programme: req.GetProgramme(), Target: req.GetTask(), Unit: req.GetUnit(), Period: period,
		ExpectedRevision: req.GetExpectedRevision(), RequestID: req.GetRequestId(),
		Review: &book.Review{Reviewer: req.GetReviewer(), Code: req.GetReturnCode()}}
	sub.Annex, err = annexOf(sent, caller)
	return sub, sent, err
}

// reviewable refuses a decision about what is no task, or by a unit that does not exist.
func reviewable(b *book.Book, sub *book.Submission) error {
	if m := b.MeasureByID(sub.Programme, sub.Target); m != nil && !m.IsTask() {
		return &book.Refusal{Reason: errorv1.Reason_REASON_TARGET_NOT_FOUND, Field: "task",
			Message: "programme " + sub.Programme + " has no task " + sub.Target}
	}
	if b.UnitByID(sub.Review.Reviewer) == nil {
		return &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "reviewer",
			Message: "there is no unit " + sub.Review.Reviewer}
	}
	return nil
}

// reviewField is what a decision calls a field of its submission.
func reviewField(field string) string {
	switch field {
	case "submission.target":
		return "task"
	case "submission.reason":
		return "comment"
	}
	return ownField(field)
}

// ownField is what a request calls a field of a submission that is its own field.
func ownField(field string) string { return strings.TrimPrefix(field, "submission.") }

// named makes an error about a submission one about a request that calls its fields
// otherwise.
func named(err error, rename func(field string) string) error {
	e, ok := apierr.Parse(fail(err))
	if !ok {
		return err
	}
	e.Violations = slices.Clone(e.Violations)
	for i, v := range e.Violations {
		e.Violations[i].Field = rename(v.Field)
	}
	if e.Field != "" {
		e.Field = rename(e.Field)
		e.Metadata = maps.Clone(e.Metadata)
		e.Metadata["field"] = e.Field
	}
	return &e
}

// GrantException gives a unit another due date, or excuses it.
func (s *Service) GrantException(ctx context.Context, req *reportingv1.GrantExceptionRequest) (*reportingv1.GrantExceptionResponse, error) {
	grant, err := parseGrant(req, auth.URI(ctx))
	if err != nil {
		return nil, named(err, ownField)
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	var sequence uint64
	for try := 1; ; try++ {
		on, err := s.do(ctx, false, func(b *book.Book) (err error) {
			sequence, err = b.Grant(grant)
			return err
		})
		if err == nil {
			return &reportingv1.GrantExceptionResponse{Sequence: sequence}, nil
		}
		if try == tries || !isUnknown(err) || !s.directory.CatchUp(ctx) {
			return nil, failAt(on, err)
		}
	}
}

// parseGrant reads an exception for the book to judge.
func parseGrant(req *reportingv1.GrantExceptionRequest, caller string) (*book.Grant, error) {
	grant := &book.Grant{Programme: req.GetProgramme(), Target: req.GetTarget(), Unit: req.GetUnit(), Period: req.GetPeriod(),
		By: req.GetGrantedBy()}
	if !req.GetExcused() {
		var err error
		if grant.Until, err = calendar.ParseDate(req.GetDueDate()); err != nil {
			return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "due_date", "%v", err)
		}
	}
	if blank(req.GetReason()) {
		return nil, refuse(errorv1.Reason_REASON_REASON_REQUIRED, "reason", "say why it is granted")
	}
	why := &reportingv1.Submission{Reason: req.GetReason()}
	var err error
	grant.Annex, err = annexOf(why, caller)
	return grant, err
}
