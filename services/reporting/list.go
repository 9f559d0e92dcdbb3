package reporting

import (
	"context"
	"sort"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// ListFigures lists the totals of the units below one.
func (s *Service) ListFigures(ctx context.Context, req *reportingv1.ListFiguresRequest) (*reportingv1.ListFiguresResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &reportingv1.ListFiguresResponse{}
	sel := book.Selection{Descendants: req.GetSelection() == reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS,
		Kinds: req.GetKinds(), Levels: req.GetLevels(), Keep: keep(req.GetReporting())}
	err = s.figureView(ctx, req.GetKey(), req.GetMinSequence(), func(b *book.Book, at figureAt) error {
		v, err := at.view(b)
		if err != nil {
			return err
		}
		figures, more := v.Figures(at.unit, sel, after, pageSize(req.GetPageSize()))
		resp.Figures = make([]*reportingv1.Figure, 0, len(figures))
		for i := range figures {
			resp.Figures = append(resp.Figures, figureOf(&figures[i], b.Head()))
		}
		resp.Figures, resp.NextPageToken = fitted(req, resp.Figures, more, 0, (*reportingv1.Figure).GetUnit)
		resp.Sequence = b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// keep selects units by what they reported; nil keeps all.
func keep(f reportingv1.ReportingFilter) func(*book.Own) bool {
	switch f {
	case reportingv1.ReportingFilter_REPORTING_FILTER_REPORTED:
		return func(o *book.Own) bool { return o.Tally.Reporting > 0 }
	case reportingv1.ReportingFilter_REPORTING_FILTER_MISSING:
		return func(o *book.Own) bool { return o.Tally.Expected > 0 && o.Tally.Reporting == 0 }
	case reportingv1.ReportingFilter_REPORTING_FILTER_EXCLUDED:
		return func(o *book.Own) bool { return o.Tally.Excluded > 0 }
	}
	return nil
}

// Explain lists what makes a figure.
func (s *Service) Explain(ctx context.Context, req *reportingv1.ExplainRequest) (*reportingv1.ExplainResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &reportingv1.ExplainResponse{}
	err = s.figureView(ctx, req.GetKey(), req.GetMinSequence(), func(b *book.Book, at figureAt) error {
		v, err := at.view(b)
		if err != nil {
			return err
		}
		f := v.Figure(at.unit)
		resp.Figure = figureOf(&f, b.Head())
		resp.TargetRevision, resp.RegistryRevision = at.measure.Revision(), b.RegistryRevision()
		parts, more := v.Contributions(at.unit, after, pageSize(req.GetPageSize()))
		resp.Contributions = make([]*reportingv1.Contribution, 0, len(parts))
		for i := range parts {
			resp.Contributions = append(resp.Contributions, contributionOf(&parts[i]))
		}
		resp.Contributions, resp.NextPageToken = fitted(req, resp.Contributions, more, proto.Size(resp.Figure), (*reportingv1.Contribution).GetUnit)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func contributionOf(c *book.Contribution) *reportingv1.Contribution {
	return &reportingv1.Contribution{Unit: c.Unit.ID(), Path: c.Path, State: eventv1.CellState(c.Own.State),
		Tally: c.Own.Tally.Proto(), Qualifier: c.Own.Qualifier.Proto(), Remark: remark(&c.Own),
		Sequence: c.Own.Sequence, Revision: c.Own.Revision, Period: c.Own.Newest}
}

// remark says why a unit adds no value to a figure.
func remark(o *book.Own) string {
	switch o.State {
	case book.Missing:
		return "expected, nothing reported"
	case book.Withdrawn:
		return "expected, the report was withdrawn"
	case book.NotApplicable:
		return "the unit says that it does not apply to it"
	case book.Bare:
		return bareOf(o) + " % was reported without its denominator: shown, not added"
	}
	return ""
}

// paged returns up to limit elements of a list, ordered by their keys, that come after
// a key, and whether there are more.
func paged[T any](all []T, key func(*T) string, after string, limit int) (page []T, more bool) {
	if after != "" {
		all = all[sort.Search(len(all), func(i int) bool { return key(&all[i]) > after }):]
	}
	return all[:min(limit, len(all))], len(all) > limit
}

// fitted cuts a page, of a list of which there may be more, to what is left of an answer
// of which used bytes are taken. It returns the token of the next page, if there is one,
// which names the last element that is shown and nothing else.
func fitted[M proto.Message](req proto.Message, page []M, more bool, used int, key func(M) string) (shown []M, token string) {
	n := rpc.Fit(page, used)
	if n == 0 || n == len(page) && !more {
		return page, ""
	}
	return page[:n], rpc.EncodePageToken(req, key(page[n-1]))
}
