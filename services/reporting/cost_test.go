package reporting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// asked is a context that counts how often a call asks whether anybody waits for it yet,
// and can do something then: end, for one.
type asked struct {
	context.Context
	times atomic.Int64
	then  func(time int64) error
}

func (a *asked) Err() error {
	n := a.times.Add(1)
	if a.then != nil {
		return a.then(n)
	}
	return a.Context.Err()
}

// longReads are calls that look at much of a wide nation.
func longReads(s *Service) map[string]func(context.Context) error {
	key := figureKey("vn", wideTarget(0), "2022-M05")
	regime := &reportingv1.GetQualityRequest{Programme: project, Regime: wideRegime, FromPeriod: "2022-M01", ToPeriod: "2022-M05"}
	return map[string]func(context.Context) error{
		"Rank": func(ctx context.Context) error {
			_, err := s.Rank(ctx, &reportingv1.RankRequest{Programme: project, Scorecard: "card", Period: "2022-M05", ComparePeriod: "2022-M04"})
			return err
		},
		"GetQuality": func(ctx context.Context) error { _, err := s.GetQuality(ctx, regime); return err },
		"CompareDates": func(ctx context.Context) error {
			_, err := s.CompareDates(ctx, &reportingv1.CompareDatesRequest{Key: figureKey("vn", wideTarget(0), ""),
				Dates: []string{"2022-06-01", "2022-06-02", "2022-06-03", "2022-06-04"}})
			return err
		},
		"ListFigures": func(ctx context.Context) error {
			_, err := s.ListFigures(ctx, &reportingv1.ListFiguresRequest{Key: key, Selection: reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS})
			return err
		},
		"Explain": func(ctx context.Context) error {
			_, err := s.Explain(ctx, &reportingv1.ExplainRequest{Key: key})
			return err
		},
		"ListObligations": func(ctx context.Context) error {
			_, err := s.ListObligations(ctx, &reportingv1.ListObligationsRequest{Programme: project, Target: wideRegime, Period: "2022-M05"})
			return err
		},
		"ListFindings": func(ctx context.Context) error {
			_, err := s.ListFindings(ctx, &reportingv1.ListFindingsRequest{Programme: project, Unit: "vn"})
			return err
		},
		"ListEvents": func(ctx context.Context) error {
			_, err := s.ListEvents(ctx, &reportingv1.ListEventsRequest{Subjects: []string{"cotmoc.nothing.>"}})
			return err
		},
		"PublishClosing": func(ctx context.Context) error {
			_, err := s.PublishClosing(ctx, &reportingv1.PublishClosingRequest{Programme: project, Closing: "half", DisplayName: "Half", AsOfDate: "2022-06-30"})
			return err
		},
	}
}

// TestAReadEndsWithItsCaller: the caller goes while it is under way, and it does not go on.
func TestAReadEndsWithItsCaller(t *testing.T) {
	l, _ := newWide(t)
	for name, read := range longReads(l.s) {
		whole := &asked{Context: t.Context()}
		if err := read(whole); err != nil && name != "PublishClosing" {
			t.Errorf("%s: %v", name, err)
		}
		if name == "PublishClosing" { // published: there is nothing to do any more
			read = func(ctx context.Context) error {
				_, err := l.s.PublishClosing(ctx, &reportingv1.PublishClosingRequest{Programme: project, Closing: "other", DisplayName: "Half", AsOfDate: "2022-06-30"})
				return err
			}
		}
		all := whole.times.Load()
		if all < 3 {
			t.Errorf("%s asks %d times only whether anybody waits for it", name, all)
			continue
		}
		for last := int64(1); last < all-1; last += 1 + all/4 {
			gone := &asked{Context: t.Context(), then: func(n int64) error {
				if n > last {
					return context.Canceled
				}
				return nil
			}}
			if err := read(gone); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v although its caller had gone", name, err)
			}
			if more := gone.times.Load() - last; more > 4 {
				t.Errorf("%s went on: it asked %d times more after its caller had gone", name, more)
			}
		}
	}
}

// TestALongReadHoldsUpNobody: in the middle of a ranking somebody writes.
func TestALongReadHoldsUpNobody(t *testing.T) {
	l, _ := newWide(t)
	wrote := errors.New("nobody wrote")
	middle := int64(2*mostUnderLock/4096 + 10) // when it is known to be a long one
	ctx := &asked{Context: t.Context(), then: func(n int64) error {
		if n == middle {
			short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, wrote = l.s.engine.Do(short, func(b *book.Book) error {
				_, err := b.Submit(&book.Submission{Programme: project, Target: wideTarget(30), Unit: wideUnit(0), Period: period(t, "2022-M06"),
					RequestID: "meanwhile", Value: book.Value{State: book.Reported, Kind: asRatio, Num: 1, Den: 2, Field: "ratio"}})
				return err
			})
		}
		return nil
	}}
	if err := longReads(l.s)["Rank"](ctx); err != nil {
		t.Fatal(err)
	}
	if wrote != nil {
		t.Errorf("a write in the middle of a ranking that asked %d times: %v", ctx.times.Load(), wrote)
	}
}

// revised is a service whose cell of c1 in May has as many revisions as asked for, each
// by a request of its own, r1 and so on.
func revised(t *testing.T, revisions int) *leader {
	l := newLeader(t, "2022-06-30", 2)
	l.target("cards", asCount, goalOf(goalAtLeast, 1_000_000))
	for from := 0; from < revisions; from += 50 {
		l.do(func(b *book.Book) {
			for i := from; i < min(from+50, revisions); i++ {
				_, err := b.Submit(&book.Submission{Programme: project, Target: "cards", Unit: "c1", Period: period(t, "2022-M05"),
					RequestID: fmt.Sprint("r", i+1), ExpectedRevision: uint32(i), Value: book.Value{State: book.Reported, Kind: asCount, Num: int64(i), Field: "count"}})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	return l
}

// TestAReceiptIsFoundWithoutItsCellsHistory: a cell that was corrected 2,500 times costs
// no more to look for a request in than one that was sent once.
func TestAReceiptIsFoundWithoutItsCellsHistory(t *testing.T) {
	l := revised(t, 2_500)
	cell := &reportingv1.CellKey{Programme: project, Target: "cards", Unit: "c1", Period: "2022-M05"}
	for _, c := range []struct {
		id       string
		revision uint32
		reason   errorv1.Reason
	}{{"r1", 1, 0}, {"r1250", 1250, 0}, {"r2500", 2500, 0}, {"never sent", 0, errorv1.Reason_REASON_SUBMISSION_NOT_FOUND}} {
		ctx := &asked{Context: t.Context()}
		resp, err := l.s.GetReceipt(ctx, &reportingv1.GetReceiptRequest{Key: cell, RequestId: c.id})
		if got := resp.GetRecord().GetReceipt().GetRevision(); got != c.revision || c.reason != 0 && !apierr.Is(err, c.reason) || c.reason == 0 && err != nil {
			t.Errorf("%s: revision %d, %v", c.id, got, err)
		}
		if n := ctx.times.Load(); n > 10 {
			t.Errorf("%s: %d reads", c.id, n)
		}
	}
	for id, want := range map[string]errorv1.Reason{"r7": 0, "never sent": errorv1.Reason_REASON_REVISION_MISMATCH} {
		ctx, sub := &asked{Context: t.Context()}, counted(6)
		sub.Unit, sub.Target, sub.Period, sub.ExpectedRevision = "c1", "cards", "2022-M05", 6
		sub.Reason = "counted again"
		resp, err := l.s.Submit(ctx, &reportingv1.SubmitRequest{Programme: project, RequestId: id, Submission: sub})
		switch n := ctx.times.Load(); {
		case id == "r7" && !apierr.Is(err, errorv1.Reason_REASON_REQUEST_ID_REUSED): // that one gave no reason
			t.Errorf("%s sent again with another content: %v, %v", id, resp, err)
		case want != 0 && !apierr.Is(err, want):
			t.Errorf("%s: %v, %v", id, resp, err)
		case n > 10:
			t.Errorf("%s: %d reads", id, n)
		}
	}
}

// TestEventsAreLookedForALittleAtATime: a filter that covers nothing costs so much a call
// and no more, and what lies at the end is found by going on.
func TestEventsAreLookedForALittleAtATime(t *testing.T) {
	l := revised(t, 2*maxLooked+100)
	l.report("c2", "cards", "2022-M05", counted(1))
	req := &reportingv1.ListEventsRequest{Subjects: []string{"cotmoc.*.submission.accepted.cards.vn.p2.c2"}}
	var found, calls, last uint64
	for more := true; more; calls++ {
		resp, err := l.s.ListEvents(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		found += uint64(len(resp.GetEvents()))
		if looked := resp.GetLastSequence() - last; looked > maxLooked || looked == 0 {
			t.Fatalf("a call looked at %d events", looked)
		}
		last = resp.GetLastSequence()
		req.AfterSequence, more = last, last < resp.GetHeadSequence()
	}
	if found != 1 || calls < 3 {
		t.Errorf("%d events found in %d calls", found, calls)
	}
}

// TestEventFiltersSayWhatTheirOriginalsDo compares with pkg/event, which is slower.
func TestEventFiltersSayWhatTheirOriginalsDo(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	token := func(more ...string) string { all := append(more, "a", "b", "c"); return all[r.IntN(len(all))] }
	covered := 0
	for range 20_000 {
		subject, filter := make([]string, 1+r.IntN(5)), make([]string, 1+r.IntN(5))
		for i := range subject {
			subject[i] = token()
		}
		for i := range filter {
			filter[i] = token("*", "*")
		}
		if r.IntN(3) == 0 {
			filter[len(filter)-1] = ">"
		}
		f, s := strings.Join(filter, "."), strings.Join(subject, ".")
		want := event.MatchAny([]string{f}, s)
		if got := filtersOfEvents([]string{f}).cover(s); got != want {
			t.Fatalf("%q covers %q: %t, want %t", f, s, got, want)
		}
		if want {
			covered++
		}
	}
	if covered < 1_000 || !filtersOfEvents(nil).cover("a.b") {
		t.Errorf("%d of 20,000 are covered", covered)
	}
}
