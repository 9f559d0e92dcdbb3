package reporting

import (
	"context"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/failpoint"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// tries bounds how often a submission is decided again after its request id was
// compared or the registry's copy was brought up to date.
const tries = 3

// Submit takes in one submission.
func (s *Service) Submit(ctx context.Context, req *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	sub := new(book.Submission)
	if err := parse(sub, req.GetProgramme(), req.GetRequestId(), auth.URI(ctx), req.GetSubmission()); err != nil {
		return nil, err
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	var receipt book.Receipt
	resp := &reportingv1.SubmitResponse{}
	decide := func(b *book.Book) error {
		var err error
		if receipt, err = b.Submit(sub); err == nil && req.GetIncludeFigures() {
			resp.Figures = upwards(b, sub)
		}
		return err
	}
	run := func() (uint64, error) {
		on, err := s.do(ctx, req.GetValidateOnly(), decide)
		if err == nil && !req.GetValidateOnly() {
			err = failpoint.Hit(failpoint.SubmitBeforeReply)
		}
		return on, err
	}
	first, err := s.settle(ctx, sub, req.GetSubmission(), run)
	if err != nil {
		return nil, err
	}
	if first != nil { // accepted before
		resp.Receipt = first
		if req.GetIncludeFigures() {
			resp.Figures, err = s.figuresNow(ctx, sub, first.GetSequence())
		}
		return resp, err
	}
	resp.Receipt = receiptOf(receipt)
	if req.GetValidateOnly() {
		resp.Receipt.Sequence = 0
		resp.Receipt.AcceptTime = nil
	}
	return resp, nil
}

// upwards are the new figures of the unit and of those above it, of the period and
// the current ones, as the book has them while the submission is decided.
func upwards(b *book.Book, sub *book.Submission) []*reportingv1.Figure {
	m, u := b.MeasureByID(sub.Programme, sub.Target), b.UnitByID(sub.Unit)
	var out []*reportingv1.Figure
	for _, p := range []calendar.Period{m.InCalendar(sub.Period), book.Current} {
		for _, f := range b.View(m, p).Upwards(u) {
			out = append(out, figureOf(&f, b.Head()))
		}
	}
	return out
}

// figuresNow are the figures that answer a submission that was accepted before.
func (s *Service) figuresNow(ctx context.Context, sub *book.Submission, sequence uint64) (out []*reportingv1.Figure, err error) {
	err = s.view(ctx, sequence, func(b *book.Book) error {
		out = upwards(b, sub)
		return nil
	})
	return out, err
}
