package reporting

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"slices"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// itemDecimals are those of the percentage of a union of items.
const itemDecimals = 2

// UnionItems joins the item lists that a unit sent for several targets, by name.
func (s *Service) UnionItems(ctx context.Context, req *reportingv1.UnionItemsRequest) (*reportingv1.UnionItemsResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	cells, err := s.cellsOf(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := itemsSeen(ctx, req, cells); err != nil {
		return nil, err
	}
	resp, done := &reportingv1.UnionItemsResponse{}, make(map[string]bool)
	for i, cell := range cells {
		list, err := s.itemsAt(ctx, cell.sequence)
		if err != nil {
			return nil, err
		}
		if list == nil {
			resp.MissingTargets = append(resp.MissingTargets, req.GetTargets()[i])
		}
		for _, item := range list.GetItems() {
			done[item.GetName()] = done[item.GetName()] || item.GetDone()
		}
	}
	resp.Tally = &typev1.Tally{Denominator: int64(len(done)), Expected: int32(len(cells)),
		Reporting: int32(len(cells) - len(resp.GetMissingTargets()))}
	for _, is := range done {
		if is {
			resp.Tally.Numerator++
		}
	}
	if len(done) > 0 {
		resp.Percent = book.Percent(big.NewInt(resp.GetTally().GetNumerator()), big.NewInt(resp.GetTally().GetDenominator()), itemDecimals)
	}
	itemsOn(resp, req, done, after)
	return resp, nil
}

// itemsOn puts the page of items on an answer that comes after a name.
func itemsOn(resp *reportingv1.UnionItemsResponse, req *reportingv1.UnionItemsRequest, done map[string]bool, after string) {
	names, more := paged(slices.Sorted(maps.Keys(done)), func(name *string) string { return *name }, after, pageSize(req.GetPageSize()))
	items := make([]*reportingv1.Item, len(names))
	for i, name := range names {
		items[i] = &reportingv1.Item{Name: name, Done: done[name]}
	}
	resp.Items, resp.NextPageToken = fitted(req, items, more, proto.Size(resp), (*reportingv1.Item).GetName)
}

// itemCell is where a list of items was sent.
type itemCell struct {
	sequence uint64 // of the event that made it; 0 where there is none
	period   string
}

// itemsSeen denies lists of a time when the unit stood elsewhere: a request without a
// period is about today, but the newest list may be old.
func itemsSeen(ctx context.Context, req *reportingv1.UnionItemsRequest, cells []itemCell) error {
	var places []auth.Place
	for i, cell := range cells {
		if cell.sequence != 0 {
			places = append(places, auth.Place{Programme: req.GetProgramme(), Target: req.GetTargets()[i],
				Unit: req.GetUnit(), Period: cell.period})
		}
	}
	return auth.Demand(ctx, "unit", places...)
}

// cellsOf returns each target's cell, in the period or in the newest that holds something.
func (s *Service) cellsOf(ctx context.Context, req *reportingv1.UnionItemsRequest) (cells []itemCell, err error) {
	err = s.view(ctx, req.GetMinSequence(), func(b *book.Book) error {
		cells = nil
		for _, target := range req.GetTargets() {
			at, err := itemsOf(b, req, target)
			if err != nil {
				return err
			}
			v, err := at.view(b)
			if err != nil {
				return err
			}
			own := v.Figure(at.unit).Own
			if own.State != book.Reported {
				own.Sequence = 0 // withdrawn, or something other than items
			}
			cells = append(cells, itemCell{own.Sequence, own.Newest})
		}
		return nil
	})
	return cells, err
}

// itemsOf finds a target's cell of the unit.
func itemsOf(b *book.Book, req *reportingv1.UnionItemsRequest, target string) (figureAt, error) {
	at := figureAt{period: book.Current}
	if _, err := knownProgramme(b, req.GetProgramme()); err != nil {
		return at, err
	}
	at.measure = b.MeasureByID(req.GetProgramme(), target)
	if at.measure == nil || at.measure.Derived() || at.measure.IsRegime() {
		return at, &book.Refusal{Reason: errorv1.Reason_REASON_TARGET_NOT_FOUND, Field: "targets",
			Message: "programme " + req.GetProgramme() + " has no target " + target}
	}
	var err error
	if at.unit, err = knownUnit(b, at.measure, req.GetUnit()); err != nil || req.GetPeriod() == "" {
		return at, err
	}
	if at.period, err = at.measure.OwnPeriod(req.GetPeriod()); err != nil {
		return at, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "period", "%v", err)
	}
	return at, nil
}

// itemsAt reads the item list of an event; nil when there is none.
func (s *Service) itemsAt(ctx context.Context, sequence uint64) (*reportingv1.ItemList, error) {
	rec, err := s.record(ctx, sequence)
	if errors.Is(err, errNotStored) {
		return nil, nil
	}
	return rec.GetSubmission().GetItems(), err
}
