package reporting

import (
	"context"
	"math/big"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/reporting/book"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// GetTimeliness counts assignments or tasks by the four official classes.
func (s *Service) GetTimeliness(ctx context.Context, req *reportingv1.GetTimelinessRequest) (*reportingv1.GetTimelinessResponse, error) {
	resp := &reportingv1.GetTimelinessResponse{CountingBasis: req.GetCountingBasis()}
	filter := book.TaskFilter{Basis: req.GetCountingBasis(), Form: req.GetForm(), Audience: req.GetAudience(),
		Pillar: req.GetPillar(), Group: req.GetGroup()}
	err := s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) error {
		p := b.ProgrammeByID(req.GetProgramme())
		if p == nil {
			return &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "programme",
				Message: "there is no programme " + req.GetProgramme()}
		}
		if err := labelled(p, req); err != nil {
			return err
		}
		var top *book.Unit
		if id := req.GetUnit(); id != "" {
			if top = b.UnitByID(id); top == nil {
				return &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "unit", Message: "there is no unit " + id}
			}
		}
		day, err := onDay(b, "as_of_date", req.GetAsOfDate())
		if err != nil {
			return err
		}
		resp.Timeliness, resp.Sequence = timelinessOf(b.Timeliness(req.GetProgramme(), filter, top, day)), b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// timelinessOf is a count by class as callers see it.
func timelinessOf(t score.Timeliness) *reportingv1.Timeliness {
	return &reportingv1.Timeliness{
		CompletedOnTime: t.CompletedOnTime, CompletedLate: t.CompletedLate,
		PendingInTime: t.PendingInTime, PendingOverdue: t.PendingOverdue,
		CompletionRateDue: percentOf(t.CompletionRateDue()), CompletionRateAll: percentOf(t.CompletionRateAll()),
	}
}

// percentOf is a fraction in percent, for display, with two decimals; empty when it
// is undefined.
func percentOf(r *big.Rat) string {
	if r == nil {
		return ""
	}
	return book.Percent(r.Num(), r.Denom(), 2)
}
