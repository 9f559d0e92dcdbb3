package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// batch is a batch on its way: the results so far, and which items have none that lasts.
type batch struct {
	req   *reportingv1.SubmitBatchRequest
	resp  *reportingv1.SubmitBatchResponse
	open  []int // places of the items to send
	taken bool  // there was an answer
}

// newBatch begins with nothing answered.
func newBatch(req *reportingv1.SubmitBatchRequest) *batch {
	b := &batch{req: req, resp: &reportingv1.SubmitBatchResponse{
		Results: make([]*reportingv1.BatchResult, len(req.GetItems())),
	}}
	for i := range req.GetItems() {
		b.open = append(b.open, i)
		b.resp.Results[i] = &reportingv1.BatchResult{}
	}
	return b
}

// unanswered is the request for the items to send.
func (b *batch) unanswered() *reportingv1.SubmitBatchRequest {
	if len(b.open) == len(b.req.GetItems()) {
		return b.req
	}
	var items []*reportingv1.BatchItem
	for _, i := range b.open {
		items = append(items, b.req.GetItems()[i])
	}
	part := proto.CloneOf(b.req)
	part.Items = items
	return part
}

// take puts the results of the items sent in their places.
func (b *batch) take(resp *reportingv1.SubmitBatchResponse) error {
	if len(resp.GetResults()) != len(b.open) {
		return fmt.Errorf("%d results came for %d items", len(resp.GetResults()), len(b.open))
	}
	b.taken = true
	var still []int
	for at, r := range resp.GetResults() {
		i := b.open[at]
		if e := r.GetError(); e != nil {
			e.Field = moveField(e.GetField(), at, i)
			if field, ok := e.GetMetadata()["field"]; ok {
				e.Metadata["field"] = moveField(field, at, i)
			}
			if b.perItem() && passingCode(codes.Code(e.GetCode())) {
				still = append(still, i)
			}
		}
		b.resp.Results[i] = r
	}
	b.open = still
	return nil
}

// passing is the error of the item that is to be sent again last, nil when there is
// none: all that are sent again go together.
func (b *batch) passing() (err error) {
	longest := time.Duration(-1)
	for _, i := range b.open {
		e := b.resp.GetResults()[i].GetError()
		if d := e.GetRetryDelay().AsDuration(); d > longest {
			longest, err = d, apierr.OfItem(e)
		}
	}
	return err
}

// partial is the results so far, nil before the first.
func (b *batch) partial() *reportingv1.SubmitBatchResponse {
	if !b.taken {
		return nil
	}
	return b.resp
}

// perItem reports whether items are answered each for itself. In a batch that is
// all or nothing, sending a part again would break it up.
func (b *batch) perItem() bool {
	return b.req.GetMode() == reportingv1.BatchMode_BATCH_MODE_PER_ITEM
}

// passingCode reports whether an item's result may be another next time.
func passingCode(c codes.Code) bool {
	return c == codes.Unavailable || c == codes.ResourceExhausted || c == codes.DeadlineExceeded || c == codes.Canceled
}

// moveField turns the path of an item in the part that was sent into its path in
// the caller's batch.
func moveField(field string, from, to int) string {
	if rest, ok := strings.CutPrefix(field, "items["+strconv.Itoa(from)+"]"); ok {
		return "items[" + strconv.Itoa(to) + "]" + rest
	}
	return field
}
