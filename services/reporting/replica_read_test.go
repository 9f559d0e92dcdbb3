package reporting

import (
	"context"
	"iter"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// held is a store that can be made to keep back its blocks: a replica on it knows where
// the log ends, and is behind.
type held struct {
	*ledgertest.Memory
	mu sync.RWMutex
}

func (h *held) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.Memory.Blocks(ctx, after)
}

// apart is a replica, and another that does not see what the first writes for so long.
func apart(t *testing.T, behind time.Duration) (first, late *leader, keep func()) {
	t.Helper()
	store := new(ledgertest.Memory)
	back := &held{Memory: store}
	ls := replicasOn(t, "2022-01-03", []ledger.Store{store, back})
	return ls[0], ls[1], func() {
		back.mu.Lock()
		time.AfterFunc(behind, back.mu.Unlock)
	}
}

func TestGetReceipt_of_what_another_replica_accepted(t *testing.T) {
	first, late, keep := apart(t, 300*time.Millisecond)
	for _, by := range []string{"sequence", "request id"} {
		keep()
		first.report("c1", "cards", "2022-M01", counted(int64(len(by))))
		req := &reportingv1.GetReceiptRequest{Sequence: first.s.engine.Head().Sequence}
		if by == "request id" {
			req = &reportingv1.GetReceiptRequest{RequestId: "request-2",
				Key: &reportingv1.CellKey{Programme: project, Target: "cards", Unit: "c1", Period: "2022-M01"}}
		}
		resp, err := late.s.GetReceipt(t.Context(), req)
		if err != nil || resp.GetRecord().GetReceipt().GetSequence() != first.s.engine.Head().Sequence {
			t.Errorf("by %s: %v, %v", by, resp, err)
		}
	}
	_, err := late.s.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{Sequence: 1 << 40})
	if e, _ := apierr.Parse(err); e.Reason != errorv1.Reason_REASON_SUBMISSION_NOT_FOUND {
		t.Errorf("of nothing: %v", err)
	}
}

func TestListEvents_waits_for_what_was_seen_elsewhere(t *testing.T) {
	first, late, keep := apart(t, 300*time.Millisecond)
	keep()
	before := late.s.engine.Head().Sequence
	first.report("c1", "cards", "2022-M01", counted(7))
	acked := first.s.engine.Head().Sequence
	resp, err := late.s.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: before, MinSequence: acked})
	if err != nil || resp.GetLastSequence() < acked || uint64(len(resp.GetEvents())) != acked-before {
		t.Errorf("events %d to %d are listed as %v: %v", before+1, acked, resp, err)
	}
}

func TestPublishClosing_holds_what_another_replica_accepted(t *testing.T) {
	first, late, keep := apart(t, 300*time.Millisecond)
	keep()
	first.report("c1", "cards", "2022-M01", counted(7))
	acked := first.s.engine.Head().Sequence
	resp, err := late.s.PublishClosing(t.Context(), &reportingv1.PublishClosingRequest{Programme: project,
		Closing: "first", DisplayName: "First", AsOfDate: "2022-01-03"})
	if err != nil || resp.GetClosing().GetKnownSequence() < acked {
		t.Errorf("published what was known at %d, before event %d was accepted: %v",
			resp.GetClosing().GetKnownSequence(), acked, err)
	}
}

func TestKnownAt_is_the_same_at_a_replica_that_is_behind(t *testing.T) {
	first, late, keep := apart(t, 300*time.Millisecond)
	keep()
	first.day("2022-01-04")
	first.report("c1", "cards", "2022-M01", counted(7))
	first.day("2022-01-06")
	late.clock.Set(noon(t, "2022-01-06")) // time goes on there too
	key := figureKey("c1", "cards", "2022-M01")
	key.KnownAt = timestamppb.New(noon(t, "2022-01-05"))
	var sequence uint64
	for _, l := range []*leader{first, late} {
		resp, err := l.s.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if sequence == 0 {
			sequence = resp.GetFigure().GetSequence()
		}
		if got := resp.GetFigure().GetSequence(); got != sequence {
			t.Errorf("known then is what event %d says, and at the other replica event %d", sequence, got)
		}
	}
}

// ahead is a store whose clock is not the machine's.
type ahead struct {
	*ledgertest.Memory
	by time.Duration
}

func (a ahead) Now(context.Context) (time.Time, error) { return time.Now().Add(a.by).UTC(), nil }

func TestKnownAt_goes_by_the_clock_of_the_log(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		engine, err := ledger.Open(t.Context(), ledger.Config[*book.Book]{Store: ahead{new(ledgertest.Memory), by}, Empty: book.New, Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = engine.Close(context.Background()) })
		s, err := New(Config{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		l := &leader{t: t, s: s}
		l.seed(1)
		l.report("c1", "cards", "2022-M01", counted(7))
		key := figureKey("c1", "cards", "2022-M01")
		for from, over := range map[time.Duration]bool{-time.Minute: true, time.Minute: false} {
			key.KnownAt = timestamppb.New(time.Now().Add(by + from))
			_, err := s.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: key})
			e, _ := apierr.Parse(err)
			if future := e.Reason == errorv1.Reason_REASON_DATE_IN_FUTURE; future == over {
				t.Errorf("the log's clock is %v off; known at %v from it: %v", by, from, err)
			}
		}
	}
}
