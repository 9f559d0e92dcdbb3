package reporting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// errRefused makes a layer drop what an all-or-nothing batch decided.
var errRefused = errors.New("batch refused")

// batch is a SubmitBatch under way.
type batch struct {
	s        *Service
	items    []*reportingv1.BatchItem
	subs     []*book.Submission // nil where the item is settled
	receipts []book.Receipt
	first    []*reportingv1.Receipt // of items accepted before
	errs     []error
	same     map[int]int // items that say the same as an earlier one, and which
	whole    bool
	on       uint64 // the event that the last run was decided on
}

// SubmitBatch takes in many submissions.
func (s *Service) SubmitBatch(ctx context.Context, req *reportingv1.SubmitBatchRequest) (*reportingv1.SubmitBatchResponse, error) {
	n := len(req.GetItems())
	b := &batch{s: s, items: req.GetItems(), subs: make([]*book.Submission, n), receipts: make([]book.Receipt, n),
		first: make([]*reportingv1.Receipt, n), errs: make([]error, n), same: map[int]int{},
		whole: req.GetMode() != reportingv1.BatchMode_BATCH_MODE_PER_ITEM}
	b.parse(ctx, req.GetProgramme())
	if err := b.refusal(); err != nil {
		return nil, err
	}
	// From the last try on each round settles an item or ends: what a dropped layer
	// gave as receipts is never answered.
	for again, try := true, 1; again; try++ {
		if err := b.run(ctx, req.GetValidateOnly()); err != nil {
			return nil, err
		}
		var err error
		if again, err = b.resolve(ctx, try < tries); err != nil {
			return nil, err
		}
		if err := b.refusal(); err != nil {
			return nil, err
		}
	}
	return b.response(req.GetValidateOnly()), nil
}

// parse reads the items. In a batch that is taken whole the contract's rules were
// checked before; otherwise they are checked here, item by item.
func (b *batch) parse(ctx context.Context, programme string) {
	caller := auth.URI(ctx)
	ids := make(map[uint64]int, len(b.items))
	room := make([]book.Submission, len(b.items))
	for i, item := range b.items {
		if !b.whole {
			if b.errs[i] = b.s.check.CheckAt("", item); b.errs[i] == nil {
				b.errs[i] = auth.DeniedItem(ctx, i)
			}
			if b.errs[i] != nil {
				continue
			}
		}
		if b.errs[i] = parse(&room[i], programme, item.GetRequestId(), caller, item.GetSubmission()); b.errs[i] == nil {
			b.errs[i] = privacy.Check(item)
		}
		if b.errs[i] == nil {
			b.subs[i] = &room[i]
			b.unique(ids, i)
		}
	}
}

// unique settles an item whose request id an earlier one of its unit has: the same
// again is answered as the first is, another content is refused. The book could not
// tell: what it decided for the first may have been dropped with the batch.
func (b *batch) unique(ids map[uint64]int, i int) {
	sub := b.subs[i]
	first, again := ids[sub.Hash()]
	switch {
	case !again:
		ids[sub.Hash()] = i
		return
	case b.items[first].GetSubmission().GetUnit() != sub.Unit || b.items[first].GetRequestId() != sub.RequestID:
		return // the book tells such apart
	case sameSubmission(b.items[first].GetSubmission(), b.items[i].GetSubmission()):
		b.same[i] = first
	default:
		b.errs[i] = refuse(errorv1.Reason_REASON_REQUEST_ID_REUSED, "request_id",
			"request id %s of unit %s is that of items[%d] with another content; take a new one", sub.RequestID, sub.Unit, first)
	}
	b.subs[i] = nil
}

// refusal is the error that refuses a whole batch because of its first bad item;
// nil for a batch whose items stand each for itself.
func (b *batch) refusal() error {
	if !b.whole {
		return nil
	}
	for i, err := range b.errs {
		if err != nil {
			return atItem(i, err)
		}
	}
	return nil
}

// atItem puts an item's place before the field that an error names.
func atItem(i int, err error) error {
	e, ok := apierr.Parse(fail(err))
	if !ok {
		return err
	}
	place(i, &e)
	e.Message = fmt.Sprintf("items[%d]: %s", i, e.Message)
	return &e
}

// place names the fields of an item's refusal from the batch down.
func place(i int, e *apierr.Error) {
	e.Violations = slices.Clone(e.Violations)
	for k, v := range e.Violations {
		e.Violations[k].Field = itemField(i, v.Field)
	}
	if e.Field != "" {
		e.Field = itemField(i, e.Field)
		e.Metadata = maps.Clone(e.Metadata)
		e.Metadata["field"] = e.Field
	}
}

// itemField is the path of a field of an item, from the request down. The
// programme is the request's own.
func itemField(i int, field string) string {
	if field == "programme" {
		return field
	}
	return fmt.Sprintf("items[%d].%s", i, field)
}

// run decides the items that are not settled, in order, in one command.
func (b *batch) run(ctx context.Context, validateOnly bool) error {
	decide := func(at *book.Book) error {
		bad := false
		for i, sub := range b.subs {
			if i%book.PrepareMost == 0 {
				b.prepare(at, i)
			}
			if sub == nil {
				continue
			}
			b.receipts[i], b.errs[i] = at.Submit(sub)
			bad = bad || b.errs[i] != nil
		}
		if b.whole && bad {
			return errRefused // the engine undoes what was decided
		}
		return nil
	}
	var err error
	b.on, err = b.s.do(ctx, validateOnly, decide)
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}

// prepare lets the book look up the next items together.
func (b *batch) prepare(at *book.Book, from int) {
	var room [book.PrepareMost]*book.Submission
	next := room[:0]
	for _, sub := range b.subs[from:min(from+book.PrepareMost, len(b.subs))] {
		if sub != nil {
			next = append(next, sub)
		}
	}
	at.Prepare(next)
}

// resolve settles the items: those taken, those that were accepted before, those
// refused. It reports whether the others must be decided again, while they may.
func (b *batch) resolve(ctx context.Context, mayRetry bool) (again bool, _ error) {
	refused := false
	for i, sub := range b.subs {
		if sub == nil || b.errs[i] == nil {
			continue
		}
		refused = true
		first, retry, err := b.s.resolve(ctx, sub, b.items[i].GetSubmission(), b.errs[i])
		b.first[i], b.errs[i] = first, failAt(b.on, err)
		switch {
		case retry && mayRetry:
			b.errs[i], again = nil, true
		case err == nil:
			b.subs[i] = nil
		case !isAPI(b.errs[i]):
			return false, b.errs[i]
		default:
			b.subs[i] = nil
		}
	}
	if b.whole {
		// What was dropped with the layer is decided again without what was settled.
		return refused && b.left(), nil
	}
	for i := range b.subs {
		if b.subs[i] != nil && b.receipts[i] != (book.Receipt{}) {
			b.subs[i] = nil
		}
	}
	return again, nil
}

func (b *batch) left() bool {
	for _, sub := range b.subs {
		if sub != nil {
			return true
		}
	}
	return false
}

func isAPI(err error) bool {
	_, ok := apierr.Parse(err)
	return ok
}

func (b *batch) response(validateOnly bool) *reportingv1.SubmitBatchResponse {
	resp := &reportingv1.SubmitBatchResponse{Results: make([]*reportingv1.BatchResult, len(b.items))}
	results, receipts := make([]reportingv1.BatchResult, len(b.items)), receiptRoom{room: make([]reportingv1.Receipt, len(b.items))}
	for i := range b.items {
		if first, ok := b.same[i]; ok {
			b.errs[i], b.first[i], b.receipts[i] = b.errs[first], b.first[first], b.receipts[first]
		}
		r := &results[i]
		resp.Results[i] = r
		switch {
		case b.errs[i] != nil:
			r.Error = itemError(i, b.errs[i])
		case b.first[i] != nil:
			r.Receipt = b.first[i]
		default:
			r.Receipt = receipts.of(b.receipts[i])
			if validateOnly {
				r.Receipt.Sequence, r.Receipt.AcceptTime = 0, nil
			}
		}
	}
	return resp
}

// receiptRoom makes the receipts of a batch, which mostly are of one time.
type receiptRoom struct {
	room []reportingv1.Receipt
	last *timestamppb.Timestamp
	at   int64
}

func (r *receiptRoom) of(b book.Receipt) *reportingv1.Receipt {
	if r.last == nil || r.at != b.TimeUnixMicros {
		r.last, r.at = timestamppb.New(time.UnixMicro(b.TimeUnixMicros)), b.TimeUnixMicros
	}
	out := &r.room[0]
	r.room = r.room[1:]
	out.Sequence, out.Revision, out.RegistryRevision, out.AcceptTime = b.Sequence, b.Revision, b.RegistryRevision, r.last
	return out
}

// itemError is an item's refusal as its result.
func itemError(i int, err error) *reportingv1.ItemError {
	e, ok := apierr.Parse(fail(err))
	if !ok {
		e = apierr.Error{Code: codes.Internal, Reason: errorv1.Reason_REASON_INTERNAL, Message: "internal error"}
	}
	place(i, &e)
	return e.Item()
}
