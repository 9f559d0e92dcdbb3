package reporting

import (
	"context"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

const defaultPage = 100

func pageSize(n int32) int {
	if n == 0 {
		return defaultPage
	}
	return int(n)
}

// figureAt is what a FigureKey names.
type figureAt struct {
	measure *book.Measure
	unit    *book.Unit
	period  calendar.Period
	asOf    calendar.Date // of a current figure; 0 for today
}

// view returns the figures that are meant, or that they cannot be told.
func (at *figureAt) view(b *book.Book) (*book.View, error) {
	v := b.View(at.measure, at.period)
	if at.asOf != 0 {
		v = b.ViewAsOf(at.measure, at.asOf)
	}
	return v, v.Err()
}

// served refuses a basis that this release does not count by.
func served(field string, basis typev1.Basis) error {
	if basis != typev1.Basis_BASIS_REPORTED {
		return refuse(errorv1.Reason_REASON_BASIS_NOT_SERVED, field, "only REPORTED is served: nothing is approved or verified yet")
	}
	return nil
}

// locate finds what a key names. Its errors are refusals of the book, so that view
// can tell an unknown id.
func locate(b *book.Book, programme, target, unit, period string) (figureAt, error) {
	at := figureAt{}
	if b.ProgrammeByID(programme) == nil {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "key.programme",
			Message: "there is no programme " + programme}
	}
	if at.measure = b.MeasureByID(programme, target); at.measure == nil {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_TARGET_NOT_FOUND, Field: "key.target",
			Message: "programme " + programme + " has no target or task " + target}
	}
	if at.unit = b.UnitByID(unit); at.unit == nil {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "key.unit",
			Message: "there is no unit " + unit}
	}
	var err error
	if at.period, err = periodOf(at.measure, "key.period", period); err != nil {
		return at, err
	}
	if at.measure.IsRegime() && at.period == book.Current {
		return at, refuse(errorv1.Reason_REASON_INVALID_FIELD, "key.period", "%s counts the reports of a period: name one", target)
	}
	if at.measure.IsRegime() && !at.measure.Owns(at.period) {
		return at, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "key.period", "%s counts the reports of each of its own periods: name one", target)
	}
	if at.measure.Derived() && at.period != book.Current {
		return at, refuse(errorv1.Reason_REASON_INVALID_FIELD, "key.period", "%s is kept as a current figure only", target)
	}
	return at, nil
}

// figureView reads what a key names.
func (s *Service) figureView(ctx context.Context, key *reportingv1.FigureKey, minSequence uint64, read func(*book.Book, figureAt) error) error {
	if err := served("key.basis", key.GetBasis()); err != nil {
		return err
	}
	return s.viewAt(ctx, key.GetKnownAt(), minSequence, func(b *book.Book) error {
		at, err := locate(b, key.GetProgramme(), key.GetTarget(), key.GetUnit(), key.GetPeriod())
		if err != nil {
			return err
		}
		if err := at.on(b, key.GetAsOfDate()); err != nil {
			return err
		}
		return read(b, at)
	})
}

// onDay reads the day that figures shall stand for; empty means today.
func onDay(b *book.Book, field, date string) (calendar.Date, error) {
	if date == "" {
		return b.Today(), nil
	}
	day, err := calendar.ParseDate(date)
	if err != nil {
		return 0, refuse(errorv1.Reason_REASON_INVALID_FIELD, field, "%v", err)
	}
	if day > b.Today() {
		return 0, refuse(errorv1.Reason_REASON_DATE_IN_FUTURE, field, "today is %s", b.Today())
	}
	return day, nil
}

// on makes a current figure the one of a day.
func (at *figureAt) on(b *book.Book, date string) (err error) {
	if date == "" {
		return nil
	}
	if at.asOf, err = onDay(b, "key.as_of_date", date); err != nil {
		return err
	}
	if at.period != book.Current {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "key.as_of_date", "a period stands for its last day: name one or the other")
	}
	return nil
}

// GetFigure returns one total.
func (s *Service) GetFigure(ctx context.Context, req *reportingv1.GetFigureRequest) (*reportingv1.GetFigureResponse, error) {
	resp := &reportingv1.GetFigureResponse{}
	err := s.figureView(ctx, req.GetKey(), req.GetMinSequence(), func(b *book.Book, at figureAt) error {
		v, err := at.view(b)
		if err != nil {
			return err
		}
		f := v.Figure(at.unit)
		resp.Figure = figureOf(&f, b.Head())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CountByKind splits a figure by the kinds of its units.
func (s *Service) CountByKind(ctx context.Context, req *reportingv1.CountByKindRequest) (*reportingv1.CountByKindResponse, error) {
	resp := &reportingv1.CountByKindResponse{}
	err := s.figureView(ctx, req.GetKey(), req.GetMinSequence(), func(b *book.Book, at figureAt) error {
		v, err := at.view(b)
		if err != nil {
			return err
		}
		kinds, tallies := v.ByKind(at.unit)
		resp.Kinds = nil
		for i, kind := range kinds {
			f := book.Figure{Measure: at.measure, Total: tallies[i]}
			percent, _ := f.Percent()
			resp.Kinds = append(resp.Kinds, &reportingv1.KindTally{Kind: kind, Tally: tallies[i].Proto(), Percent: percent})
		}
		resp.Sequence = b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CountTasks counts tasks by a stated basis.
func (s *Service) CountTasks(ctx context.Context, req *reportingv1.CountTasksRequest) (*reportingv1.CountTasksResponse, error) {
	if err := served("basis", req.GetBasis()); err != nil {
		return nil, err
	}
	resp := &reportingv1.CountTasksResponse{CountingBasis: req.GetCountingBasis()}
	filter := book.TaskFilter{Basis: req.GetCountingBasis(), Form: req.GetForm(), Audience: req.GetAudience(),
		Pillar: req.GetPillar(), Group: req.GetGroup()}
	err := s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) error {
		if b.ProgrammeByID(req.GetProgramme()) == nil {
			return &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "programme",
				Message: "there is no programme " + req.GetProgramme()}
		}
		if err := labelled(b.ProgrammeByID(req.GetProgramme()), req); err != nil {
			return err
		}
		day, err := onDay(b, "as_of_date", req.GetAsOfDate())
		if err != nil {
			return err
		}
		total, err := b.CountTasks(req.GetProgramme(), filter, day)
		if err != nil {
			return err
		}
		resp.Tally, resp.Sequence = total.Proto(), b.Head()
		resp.Percent = book.TaskPercent(total)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// labelled refuses a pillar or group that the programme does not have: its count
// would be 0 of 0, which reads like an answer.
func labelled(p *book.Programme, req interface {
	GetPillar() string
	GetGroup() string
}) error {
	if id := req.GetPillar(); id != "" && !p.HasPillar(id) {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "pillar", "the programme has no pillar %s", id)
	}
	if id := req.GetGroup(); id != "" && !p.HasGroup(id) {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "group", "the programme has no group %s", id)
	}
	return nil
}
