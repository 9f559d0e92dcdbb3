package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// TestStormOfOneUnitLeavesAnotherItsShare: it sheds the storm, and nothing of another's.
// How far the other's waiting moves is printed: on a shared machine it is no verdict.
func TestStormOfOneUnitLeavesAnotherItsShare(t *testing.T) {
	l := newLocked(t, 50)
	l.furnish(t)
	quiet := reportingv1.NewReportingServiceClient(l.as(t, "unit/01/quiet"))
	n := 0
	waits := func() (p50, p99 time.Duration) {
		var all []time.Duration
		for range 100 {
			n++
			began := time.Now()
			_, err := quiet.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p", RequestId: fmt.Sprint("quiet-", n),
				Submission: count("00001", "cards", "2022-M01", 10), ValidateOnly: true})
			if r := refusalOf(err); r.reason == errorv1.Reason_REASON_RATE_LIMITED {
				t.Fatalf("the quiet one was limited: %v", err)
			}
			all = append(all, time.Since(began))
			time.Sleep(20 * time.Millisecond)
		}
		slices.Sort(all)
		return all[len(all)/2], all[len(all)*99/100]
	}
	calm50, calm99 := waits()
	spent := reportingv1.NewReportingServiceClient(l.as(t, "unit/79/storm-0"))
	for range 5 { // what it may send at once
		_, _ = spent.SubmitBatch(t.Context(), &reportingv1.SubmitBatchRequest{Programme: "p", Items: manyGood(1000), ValidateOnly: true})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var shed, sent atomic.Int64
	var storm sync.WaitGroup
	for i := range 8 {
		client := reportingv1.NewReportingServiceClient(l.as(t, fmt.Sprintf("unit/79/storm-%d", i)))
		storm.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				sent.Add(1)
				_, err := client.Submit(ctx, &reportingv1.SubmitRequest{Programme: "p", RequestId: fmt.Sprint("s-", i, "-", k),
					Submission: count("26737", "cards", "2022-M01", int64(k)), ValidateOnly: true})
				if refusalOf(err).reason == errorv1.Reason_REASON_RATE_LIMITED {
					shed.Add(1)
				}
			}
		})
	}
	storm50, storm99 := waits()
	cancel()
	storm.Wait()
	if shed.Load() == 0 {
		t.Error("nothing of the storm was shed")
	}
	t.Logf("the quiet one waits p50 %v, p99 %v; in the storm p50 %v, p99 %v; %d of %d calls of the storm were shed",
		calm50, calm99, storm50, storm99, shed.Load(), sent.Load())
}
