package reporting

import (
	"context"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// CompareDates reads a current figure as of several days, and what came in between.
func (s *Service) CompareDates(ctx context.Context, req *reportingv1.CompareDatesRequest) (*reportingv1.CompareDatesResponse, error) {
	if req.GetKey().GetPeriod() != "" || req.GetKey().GetAsOfDate() != "" {
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "key", "the days stand in dates: give no period and no as_of_date")
	}
	resp := &reportingv1.CompareDatesResponse{}
	err := s.figureView(ctx, req.GetKey(), req.GetMinSequence(), func(b *book.Book, at figureAt) error {
		days, err := ascending(req.GetDates(), b.Today())
		if err != nil {
			return err
		}
		if at.measure.Derived() {
			return refuse(errorv1.Reason_REASON_INVALID_FIELD, "key.target",
				"%s is kept as of today only; ask what was known at a time", at.measure.ID())
		}
		figures := make([]*reportingv1.Figure, len(days))
		for i, day := range days {
			v := b.ViewAsOf(at.measure, day)
			if err := v.Err(); err != nil {
				return err
			}
			f := v.Figure(at.unit)
			figures[i] = figureOf(&f, b.Head())
		}
		resp.Figures, resp.Changes = figures, changesOf(figures)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// ascending reads days that follow one another, none after today.
func ascending(dates []string, today calendar.Date) ([]calendar.Date, error) {
	days := make([]calendar.Date, len(dates))
	for i, date := range dates {
		day, err := calendar.ParseDate(date)
		switch {
		case err != nil:
			return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "dates", "%v", err)
		case day > today:
			return nil, refuse(errorv1.Reason_REASON_DATE_IN_FUTURE, "dates", "%s: today is %s", day, today)
		case i > 0 && day <= days[i-1]:
			return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "dates", "%s does not come after %s", day, days[i-1])
		}
		days[i] = day
	}
	return days, nil
}

// changesOf tells what came from each figure to the next. Two ratios have other
// wholes: their difference says nothing.
func changesOf(figures []*reportingv1.Figure) []*reportingv1.Change {
	if figures[0].GetValueKind() == typev1.ValueKind_VALUE_KIND_RATIO {
		return nil
	}
	var changes []*reportingv1.Change
	missing := func(f *reportingv1.Figure) bool { return f.GetTally().GetReporting() == 0 }
	for i, f := range figures[1:] {
		was := figures[i]
		c := &reportingv1.Change{FromDate: was.GetAsOfDate(), ToDate: f.GetAsOfDate(),
			Increase: f.GetTally().GetNumerator() - was.GetTally().GetNumerator()} // of numbers that are not negative
		if i > 0 && !missing(figures[i-1]) && !missing(was) && !missing(f) {
			more := c.GetIncrease() > changes[i-1].GetIncrease()
			c.BeatsPrevious = &more
		}
		changes = append(changes, c)
	}
	return changes
}
