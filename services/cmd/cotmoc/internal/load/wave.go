package load

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/client"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// maxFailures ends a wave: whatever is wrong will not pass.
const maxFailures = 100

// Wave is how a plan is played.
type Wave struct {
	Plan     *Plan
	Reports  *client.Client
	Batch    int // reports a call; 0 means one at a time by Submit
	InFlight int // calls at once
	Moved    func(reports int)
}

// Result is what was measured.
type Result struct {
	Calls     int
	Accepted  int // reports
	Took      time.Duration
	Latencies []time.Duration // of calls that were accepted, ascending
	Errors    map[string]int  // reports that were not accepted, by code or reason
	First     error           // one of the refusals, for its words
}

// Rate is accepted reports a second.
func (r *Result) Rate() float64 { return float64(r.Accepted) / r.Took.Seconds() }

// Latency is the time within which a share of the calls was answered, by nearest rank.
func (r *Result) Latency(share float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	rank := int(share*float64(len(r.Latencies)) + 0.999999)
	return r.Latencies[min(max(rank, 1), len(r.Latencies))-1]
}

// Run plays the wave until all reports were sent, ctx ends or too many calls fail.
func (w *Wave) Run(ctx context.Context) Result {
	var next, failures atomic.Int64
	parts := make([]Result, w.InFlight)
	began := time.Now()
	var workers sync.WaitGroup
	for i := range parts {
		workers.Go(func() {
			for ctx.Err() == nil && failures.Load() < maxFailures {
				from := int(next.Add(1)-1) * w.size()
				if from >= w.Plan.Cells() {
					return
				}
				if !w.call(ctx, from, min(w.size(), w.Plan.Cells()-from), &parts[i]) {
					failures.Add(1)
				}
			}
		})
	}
	workers.Wait()
	all := Result{Took: time.Since(began), Errors: make(map[string]int)}
	for _, part := range parts {
		all.add(part)
	}
	slices.Sort(all.Latencies)
	return all
}

func (w *Wave) size() int { return max(1, w.Batch) }

// call sends n reports from the given one on.
func (w *Wave) call(ctx context.Context, from, n int, r *Result) bool {
	items := make([]*reportingv1.BatchItem, n)
	for i := range items {
		items[i] = w.Plan.item(from + i)
	}
	began := time.Now()
	var err error
	if w.Batch == 0 {
		_, err = w.Reports.Send(ctx, &reportingv1.SubmitRequest{Programme: w.Plan.Programme,
			Submission: items[0].GetSubmission(), RequestId: items[0].GetRequestId()})
	} else {
		_, err = w.Reports.SubmitBatch(ctx, &reportingv1.SubmitBatchRequest{Programme: w.Plan.Programme, Items: items,
			Mode: reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING})
	}
	r.Calls++
	if err != nil {
		r.refused(n, err)
		return false
	}
	r.Latencies = append(r.Latencies, time.Since(began))
	r.Accepted += n
	if w.Moved != nil {
		w.Moved(n)
	}
	return true
}

// refused counts reports of a call that failed.
func (r *Result) refused(n int, err error) {
	if r.Errors == nil {
		r.Errors = make(map[string]int)
	}
	e, _ := apierr.Parse(err)
	word := e.Code.String()
	if e.Reason != errorv1.Reason_REASON_UNSPECIFIED {
		word = show.Reason(e.Reason)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		word = "stopped"
	}
	r.Errors[word] += n
	if r.First == nil {
		r.First = show.Refusal(err)
	}
}

// add adds up what the workers measured.
func (r *Result) add(part Result) {
	r.Calls += part.Calls
	r.Accepted += part.Accepted
	r.Latencies = append(r.Latencies, part.Latencies...)
	for _, word := range slices.Sorted(maps.Keys(part.Errors)) {
		r.Errors[word] += part.Errors[word]
	}
	if r.First == nil {
		r.First = part.First
	}
}
