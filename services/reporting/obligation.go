package reporting

import (
	"context"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// ListObligations lists what units owe.
func (s *Service) ListObligations(ctx context.Context, req *reportingv1.ListObligationsRequest) (*reportingv1.ListObligationsResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	filter := book.ObligationFilter{Levels: req.GetLevels()}
	for _, state := range req.GetStates() {
		filter.States = append(filter.States, book.ObligationState(state))
	}
	resp := &reportingv1.ListObligationsResponse{}
	err = s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) error {
		at, err := owed(b, req.GetProgramme(), req.GetTarget(), req.GetUnit(), req.GetPeriod())
		if err != nil {
			return err
		}
		list, more := b.Obligations(at.measure, at.period).List(at.unit, filter, after, pageSize(req.GetPageSize()))
		resp.Obligations = make([]*reportingv1.Obligation, len(list))
		for i := range list {
			resp.Obligations[i] = obligationOf(&list[i], at.measure.ID(), req.GetPeriod())
		}
		resp.Obligations, resp.NextPageToken = fitted(req, resp.Obligations, more, 0, (*reportingv1.Obligation).GetUnit)
		resp.Sequence = b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CountObligations counts what units owe, by state.
func (s *Service) CountObligations(ctx context.Context, req *reportingv1.CountObligationsRequest) (*reportingv1.CountObligationsResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &reportingv1.CountObligationsResponse{}
	err = s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) error {
		at, err := owed(b, req.GetProgramme(), req.GetTarget(), req.GetUnit(), req.GetPeriod())
		if err != nil {
			return err
		}
		total, children := b.Obligations(at.measure, at.period).Count(at.unit)
		resp.Total, resp.Children = obligationCounts(&total), nil
		page, more := paged(children, func(u *book.UnitObligations) string { return u.Unit.ID() }, after, pageSize(req.GetPageSize()))
		for i := range page {
			resp.Children = append(resp.Children, obligationCounts(&page[i]))
		}
		resp.Children, resp.NextPageToken = fitted(req, resp.Children, more, proto.Size(resp.Total), (*reportingv1.UnitObligations).GetUnit)
		resp.Sequence = b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// owed finds the regime and period, or the task, that a request is about, and the
// unit at the top, by default the programme's root. Its errors are refusals of the
// book, so that view can tell an unknown id.
func owed(b *book.Book, programme, target, unit, period string) (figureAt, error) {
	at := figureAt{period: book.Current}
	if b.ProgrammeByID(programme) == nil {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "programme",
			Message: "there is no programme " + programme}
	}
	if at.measure = b.MeasureByID(programme, target); at.measure == nil || !at.measure.IsRegime() && !at.measure.IsTask() {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_TARGET_NOT_FOUND, Field: "target",
			Message: "programme " + programme + " has no regime or task " + target}
	}
	if unit == "" {
		unit = at.measure.Root()
	}
	if at.unit = b.UnitByID(unit); at.unit == nil {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "unit", Message: "there is no unit " + unit}
	}
	if at.measure.IsTask() {
		if period != "" {
			return at, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "period", "%s is a task, which has no periods", target)
		}
		return at, nil
	}
	var err error
	at.period, err = at.measure.OwnPeriod(period)
	if err != nil {
		return at, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "period", "%v", err)
	}
	return at, nil
}

func obligationOf(o *book.Obligation, target, period string) *reportingv1.Obligation {
	return &reportingv1.Obligation{
		Target: target, Unit: o.Unit.ID(), UnitDisplayName: o.Unit.Name(), UnitLevel: o.Level, Path: o.Path, Period: period,
		State: reportingv1.ObligationState(o.State), DueDate: dateName(o.Due), OriginalDueDate: dateName(o.Original),
		CameDate: dateName(o.Came), ValuesPresent: int32(o.Present), ValuesExpected: int32(o.Expected), DaysOverdue: int32(o.Overdue),
	}
}

func obligationCounts(u *book.UnitObligations) *reportingv1.UnitObligations {
	out := &reportingv1.UnitObligations{Unit: u.Unit.ID(), UnitDisplayName: u.Unit.Name()}
	for state, n := range u.Counts {
		if n > 0 {
			out.Counts = append(out.Counts, &reportingv1.ObligationCount{State: reportingv1.ObligationState(state), Count: n})
		}
	}
	return out
}

// dateName is a day as callers see it; empty for none.
func dateName(d calendar.Date) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
