package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

const (
	allOrNothing  = reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING
	eachForItself = reportingv1.BatchMode_BATCH_MODE_PER_ITEM
)

// asItem is an item of a batch.
func asItem(id string, s *reportingv1.Submission) *reportingv1.BatchItem {
	return &reportingv1.BatchItem{RequestId: id, Submission: s}
}

// badBatches are batches that are refused as a whole.
func badBatches() (all []badCall) {
	batch := func(mode reportingv1.BatchMode, getItems ...*reportingv1.BatchItem) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.reporting.SubmitBatch(ctx, &reportingv1.SubmitBatchRequest{Programme: "p", Mode: mode, Items: getItems})
			return err
		}
	}
	many := make([]*reportingv1.BatchItem, 1001)
	for i := range many {
		many[i] = asItem(fmt.Sprintf("many-%d", i), sentFor("cards", countOf(1), byUnit("c1")))
	}
	long := sentFor("cards", countOf(1), byUnit("c1"), edited(func(s *reportingv1.Submission) { s.Note = strings.Repeat("a", 5<<20) }))
	for _, mode := range []reportingv1.BatchMode{0, allOrNothing, eachForItself} {
		all = append(all,
			not(fmt.Sprintf("batch of nothing, %v", mode), batch(mode), "items"),
			not(fmt.Sprintf("batch of 1,001, %v", mode), batch(mode, many...), "items"),
		)
	}
	huge := func(unit string) *reportingv1.BatchItem { // the root has room for one of them
		return asItem("huge-"+unit, sentFor("huge", countOf(200_000_000_000_000_000), byUnit(unit)))
	}
	return append(all,
		not("batch in an unknown mode", batch(9, goodItem()), "mode"),
		not("batch of an empty item", batch(allOrNothing, goodItem(), &reportingv1.BatchItem{}), "items[1].submission items[1].request_id"),
		not("batch with two bad items", batch(0, asItem("", sentFor("cards", countOf(1))), goodItem(), asItem("x", sentFor("cards", countOf(-1)))),
			"items[0].request_id items[2].submission.count"),
		badCall{"batch that together has no room", batch(allOrNothing, huge("26734"), huge("26737")),
			refusal{codes.OutOfRange, overflow, "items[1].submission.count", "unit=vn"}},
		badCall{"batch with a cell twice", batch(allOrNothing, asItem("x", sentFor("cards", countOf(1), byUnit("c1"))), asItem("y", sentFor("cards", countOf(2), byUnit("c1")))),
			refusal{aborted, stale, "items[1].submission.expected_revision", "expected=0 actual=1"}},
		refuse("batch with a request id twice", batch(allOrNothing, goodItem(), asItem("good", sentFor("listed", countOf(1), inPeriod("2022-M10")))),
			taken, reused, "items[1].request_id"),
		refuse("batch with a request id twice in a cell", batch(allOrNothing, goodItem(), asItem("good", sentFor("listed", countOf(2), inPeriod("2022-M11")))),
			taken, reused, "items[1].request_id"),
		refuse("batch with a withdrawal of what it withdrew", batch(allOrNothing, asItem("x", sentFor("share", withdrawn, corrects(1))), asItem("y", sentFor("share", withdrawn, corrects(2)))),
			failed, errorv1.Reason_REASON_NOTHING_TO_WITHDRAW, "items[1].submission.withdrawal"),
		refuse("batch with a bad last of 1,000", batch(allOrNothing, append(manyGood(999), asItem("bad", sentFor("cards", yesOrNo(true), byUnit("c2"))))...),
			invalid, wrongKind, "items[999].submission.yes_no"),
		refuse("message of 5 MiB", batch(allOrNothing, asItem("x", long)), codes.ResourceExhausted, 0, ""),
	)
}

// manyGood are items that would be taken, each a revision of the cell before.
func manyGood(n int) []*reportingv1.BatchItem {
	out := make([]*reportingv1.BatchItem, n)
	for i := range out {
		s := sentFor("cards", countOf(int64(i)), byUnit("c1"))
		if i > 0 {
			corrects(uint32(i))(s)
		}
		out[i] = asItem(fmt.Sprintf("good-%d", i), s)
	}
	return out
}

// TestBatchOfGoodAndBad sends one batch in both modes: whole, it is refused because
// of its first bad item; each for itself, the good are taken.
func TestBatchOfGoodAndBad(t *testing.T) {
	r := inProcess(t)
	r.badTree(t)
	req := &reportingv1.SubmitBatchRequest{Programme: "p", Mode: allOrNothing, Items: []*reportingv1.BatchItem{
		asItem("b0", sentFor("cards", countOf(10), byUnit("c0"))),
		asItem("b1", sentFor("cards", yesOrNo(true), byUnit("c1"))),
		asItem("b2", sentFor("cards", countOf(20), byUnit("c2"))),
		asItem("cards-1", sentFor("cards", countOf(30))), // accepted before: the first receipt
		asItem("b4", sentFor("cards", countOf(1), byUnit("99999"))),
		asItem("b5", sentFor("cards", countOf(11), byUnit("c0"), corrects(1))), // follows the first of this batch
		asItem("b6", sentFor("cards", countOf(99), byUnit("c2"))),
	}}
	before := r.markNow(t)
	_, err := r.reporting.SubmitBatch(t.Context(), req)
	if d := (refusal{invalid, wrongKind, "items[1].submission.yes_no", "want=COUNT"}).differs(err); d != "" {
		t.Errorf("whole:%s", d)
	}
	if diff := cmp.Diff(before, r.markNow(t), protocmp.Transform()); diff != "" {
		t.Fatalf("whole: it changed something (-before +after):\n%s", diff)
	}
	req.Mode = eachForItself
	req.Items = append(req.Items,
		asItem("b2", sentFor("share", ratioOf(1, 2), byUnit("c2"))),
		asItem("b0", sentFor("cards", countOf(10), byUnit("c0")))) // the first again
	want := []string{"revision 1", "INVALID_ARGUMENT WRONG_VALUE_KIND items[1].submission.yes_no", "revision 1", "revision 1",
		"NOT_FOUND UNIT_NOT_FOUND items[4].submission.unit", "revision 2",
		"ABORTED REVISION_MISMATCH items[6].submission.expected_revision", "ALREADY_EXISTS REQUEST_ID_REUSED items[7].request_id", "revision 1"}
	for range 2 { // the same again gives the same receipts and changes nothing
		resp, err := r.reporting.SubmitBatch(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, outcomes(resp)); diff != "" {
			t.Errorf("each for itself (-want +got):\n%s", diff)
		}
		after, err := r.admin.GetStatus(t.Context(), &reportingv1.GetStatusRequest{})
		if err != nil || after.GetHeadSequence() != before.Status.GetHeadSequence()+3 || after.GetCells() != before.Status.GetCells()+2 {
			t.Errorf("each for itself: status %v (%v), before %v", after, err, before.Status)
		}
		if got := r.figure(t, "cards", "vn", "2022-M05").GetTally().GetNumerator(); got != 31+11+20 {
			t.Errorf("each for itself: the total is %d", got)
		}
	}
}

// outcomes are the results of a batch in short.
func outcomes(resp *reportingv1.SubmitBatchResponse) []string {
	words := map[codes.Code]string{codes.InvalidArgument: "INVALID_ARGUMENT", codes.NotFound: "NOT_FOUND",
		codes.Aborted: "ABORTED", codes.AlreadyExists: "ALREADY_EXISTS"}
	var out []string
	for _, res := range resp.GetResults() {
		if e := res.GetError(); e != nil {
			out = append(out, fmt.Sprintf("%s %s %s", words[codes.Code(e.GetCode())], e.GetReason(), e.GetField()))
			continue
		}
		out = append(out, fmt.Sprintf("revision %d", res.GetReceipt().GetRevision()))
	}
	return out
}

// noConsumers looks whether a refused subscription left a consumer.
func (r *rig) noConsumers(t *testing.T) {
	t.Helper()
	js, err := jetstream.New(r.nats(t))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := js.Stream(t.Context(), "COTMOC-FACTS-1")
	if err != nil {
		t.Fatal(err)
	}
	names := facts.ConsumerNames(t.Context())
	for name := range names.Name() {
		t.Errorf("there is a consumer %s", name)
	}
	if names.Err() != nil {
		t.Error(names.Err())
	}
}
