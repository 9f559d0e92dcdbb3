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

// mostPeriods is how many periods the quality of data can be told over.
const mostPeriods = 60

// GetQuality tells how good the data of a unit is, and of each unit directly below it.
func (s *Service) GetQuality(ctx context.Context, req *reportingv1.GetQualityRequest) (*reportingv1.GetQualityResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &reportingv1.GetQualityResponse{}
	err = s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) error {
		regime, err := knownRegime(b, req.GetProgramme(), req.GetRegime())
		if err != nil {
			return err
		}
		top, err := knownUnit(b, regime, req.GetUnit())
		if err != nil {
			return err
		}
		targets, err := targetsOf(b, regime, req.GetTargets())
		if err != nil {
			return err
		}
		periods, err := periodsOf(b, regime, req.GetFromPeriod(), req.GetToPeriod())
		if err != nil {
			return err
		}
		total, below := b.Quality(top, regime, targets, periods)
		resp.Total, resp.Children, resp.Sequence = qualityOf(&total), nil, b.Head()
		page, more := paged(below, func(u *book.UnitQuality) string { return u.Unit.ID() }, after, pageSize(req.GetPageSize()))
		for i := range page {
			if b.Spend(rowsAnElement) {
				resp.Children = append(resp.Children, qualityOf(&page[i]))
			}
		}
		resp.Children, resp.NextPageToken = fitted(req, resp.Children, more, proto.Size(resp.Total), (*reportingv1.Quality).GetUnit)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// knownProgramme finds a programme. Its errors, as those of the others here, are
// refusals of the book where an id is unknown, so that view can tell.
func knownProgramme(b *book.Book, id string) (*book.Programme, error) {
	if p := b.ProgrammeByID(id); p != nil {
		return p, nil
	}
	return nil, &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "programme", Message: "there is no programme " + id}
}

func knownRegime(b *book.Book, programme, id string) (*book.Measure, error) {
	if _, err := knownProgramme(b, programme); err != nil {
		return nil, err
	}
	if m := b.MeasureByID(programme, id); m != nil && m.IsRegime() {
		return m, nil
	}
	return nil, &book.Refusal{Reason: errorv1.Reason_REASON_REGIME_NOT_FOUND, Field: "regime",
		Message: "programme " + programme + " has no regime " + id}
}

// knownUnit finds a unit, by default the root of a measure's programme.
func knownUnit(b *book.Book, m *book.Measure, id string) (*book.Unit, error) {
	if id == "" {
		id = m.Root()
	}
	if u := b.UnitByID(id); u != nil {
		return u, nil
	}
	return nil, &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "unit", Message: "there is no unit " + id}
}

// targetsOf finds targets of a regime, by default all of them.
func targetsOf(b *book.Book, regime *book.Measure, ids []string) ([]*book.Measure, error) {
	all := b.TargetsUnder(regime)
	if len(ids) == 0 {
		return all, nil
	}
	under := make(map[string]*book.Measure, len(all))
	for _, m := range all {
		under[m.ID()] = m
	}
	var targets []*book.Measure
	for _, id := range ids {
		if b.MeasureByID(regime.Programme(), id) == nil {
			return nil, &book.Refusal{Reason: errorv1.Reason_REASON_TARGET_NOT_FOUND, Field: "targets",
				Message: "programme " + regime.Programme() + " has no target " + id}
		}
		if under[id] == nil {
			return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "targets", "%s is not reported under %s", id, regime.ID())
		}
		targets = append(targets, under[id])
	}
	return targets, nil
}

// periodsOf lists the periods of a regime from one to another.
func periodsOf(b *book.Book, regime *book.Measure, from, to string) ([]calendar.Period, error) {
	first, err := regime.OwnPeriod(from)
	if err != nil {
		return nil, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "from_period", "%v", err)
	}
	last, err := regime.OwnPeriod(to)
	if err != nil {
		return nil, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "to_period", "%v", err)
	}
	switch n := last.Since(first) + 1; {
	case n < 1:
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "to_period", "%s is before %s", last, first)
	case n > mostPeriods:
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "to_period", "these are %d periods, at most %d can be asked for", n, mostPeriods)
	case last.FirstDay() > b.Today():
		return nil, refuse(errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "to_period", "%s begins on %s", last, last.FirstDay())
	}
	var periods []calendar.Period
	for p := first; p <= last; p = p.Next() {
		periods = append(periods, p)
	}
	return periods, nil
}

// qualityOf is the quality of a unit's data as callers see it.
func qualityOf(u *book.UnitQuality) *reportingv1.Quality {
	c := u.Counts
	q := c.Quality()
	return &reportingv1.Quality{
		Unit: u.Unit.ID(), UnitDisplayName: u.Unit.Name(),
		ValuesExpected: c.Expected, ValuesPresent: c.Present, ValuesFresh: c.Fresh, ChecksRun: c.ChecksRun, ChecksFailed: c.ChecksFailed,
		ValuesInQuestion: c.OpenFindings, ReportsExpected: c.ReportsExpected, ReportsOnTime: c.ReportsOnTime,
		CompletePercent: percentOf(q.Complete), CorrectPercent: percentOf(q.Correct), CleanPercent: percentOf(q.Clean),
		LivePercent: percentOf(q.Live), OverallPercent: percentOf(q.Overall), Verified: q.Verified,
	}
}
