package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/torture/load"
)

// What a replica may be behind another at which load.
const (
	lagRate   = 1000 // submissions a second
	leastRate = 950  // below it the machine was too slow to show anything
	mostLag   = 100 * time.Millisecond
	lagReads  = 20 // reads a second that ask for what another replica has just taken in

	lagMetric = "cotmoc_ledger_follow_lag_seconds"
)

// lagged is what came of a steady load.
type lagged struct {
	room   float64     // the part of the machine that was left for it
	rate   float64     // receipts a second
	calls  load.Spread // from when a submission was due to its receipt
	seen   load.Spread // from a receipt of one replica to an answer of another that counts it
	names  []string    // of the replicas
	behind []histogram // by their own metrics
}

// lag measures how far replicas are behind each other when nothing is broken.
func (c *cli) lag(ctx context.Context, r *rig) error {
	f, err := followed(ctx, r, lagRate, time.Duration(c.size(20, 60))*time.Second)
	if err != nil {
		return err
	}
	r.done()
	fmt.Fprintf(r.out, "  %.0f of %d submissions a second; receipts %v\n  read at another replica %v\n", f.rate, lagRate, f.calls, f.seen)
	for i, name := range f.names {
		fmt.Fprintf(r.out, "  %s follows others by %v\n", name, f.behind[i])
	}
	if f.room < leastRoom {
		fmt.Fprintf(r.out, "  NOT JUDGED: %.0f %% of the machine was left for the rig, so the figures do not count\n", 100*f.room)
	}
	r.broken = append(r.broken, f.judge()...)
	r.progress("checking")
	reports, err := r.check(ctx, light)
	if err != nil {
		return err
	}
	r.tell(reports)
	return nil
}

// followed lets units submit at a steady rate, spread over all replicas, and now and
// then at one replica alone, to read it at the next.
func followed(ctx context.Context, r *rig, rate int, total time.Duration) (f lagged, err error) {
	all, alone, err := r.straight(ctx)
	defer func() {
		for _, c := range append(all, alone...) {
			_ = c.Close()
		}
	}()
	if err != nil {
		return f, err
	}
	before, err := r.lags(ctx)
	if err != nil {
		return f, err
	}
	if f.room, err = room(ctx); err != nil {
		return f, err
	}
	every := max(rate/lagReads, 1)
	replica := func(i int) int { return i / every % len(alone) }
	var took, seen load.Times
	var failed failures
	began := time.Now()
	r.progress("%d submissions a second for %v", rate, total)
	r.crowd.Pace(ctx, load.Pace{Round: r.turn(), Rate: rate, For: total, Answer: answerWithin, Took: &took,
		Client: func(i int) *client.Client {
			if i%every == 0 {
				return alone[replica(i)]
			}
			return all[i%len(all)]
		},
		Told: func(ctx context.Context, i int, receipt *reportingv1.Receipt) {
			if i%every != 0 {
				return
			}
			told := time.Now()
			if err := load.Reach(ctx, alone[(replica(i)+1)%len(alone)].Progress(), receipt.GetSequence()); err != nil {
				failed.note(err)
				return
			}
			seen.Note(time.Since(told))
		}})
	f.rate = float64(took.Count()) / time.Since(began).Seconds()
	f.calls, f.seen = took.Spread(), seen.Spread()
	left, err := room(ctx) // others may have come meanwhile
	if err != nil {
		return f, err
	}
	f.room = min(f.room, left)
	after, err := r.lags(ctx)
	if err != nil {
		return f, err
	}
	for i, p := range r.site.Reporting {
		f.names, f.behind = append(f.names, p.Name), append(f.behind, after[i].since(before[i]))
	}
	return f, errors.Join(failed.first, ctx.Err())
}

// straight connects clients of all replicas, and one of each replica alone.
func (r *rig) straight(ctx context.Context) (all, alone []*client.Client, err error) {
	if all, err = r.site.Straight(ctx, 8, r.site.Reporting...); err != nil {
		return all, nil, err
	}
	for _, p := range r.site.Reporting {
		one, err := r.site.Straight(ctx, 1, p)
		if err != nil {
			return all, alone, err
		}
		alone = append(alone, one...)
	}
	return all, alone, nil
}

// lags reads how late each replica took in what others wrote, since it was started.
func (r *rig) lags(ctx context.Context) (out []histogram, err error) {
	for _, p := range r.site.Reporting {
		all, err := metrics(ctx, p)
		if err != nil {
			return nil, err
		}
		h, err := histogramOf(all, lagMetric)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		out = append(out, h)
	}
	return out, nil
}

// judge tells what does not hold. Times are judged only where the machine is the rig's.
func (f lagged) judge() (broken []string) {
	timed := f.room >= leastRoom
	if timed && f.rate < leastRate {
		broken = append(broken, fmt.Sprintf("%.0f submissions a second, not %d: the machine was too slow, and the figures do not count", f.rate, lagRate))
	}
	if f.seen.Count == 0 || timed && f.seen.P99 > mostLag {
		broken = append(broken, fmt.Sprintf("what one replica took in was read at another: %v, at most %v is allowed", f.seen, mostLag))
	}
	for i, h := range f.behind {
		if h.count() == 0 || timed && h.most(0.99) > mostLag {
			broken = append(broken, fmt.Sprintf("%s follows others by %v, at most %v is allowed", f.names[i], h, mostLag))
		}
	}
	return broken
}

// failures are those of calls at a time.
type failures struct {
	mu    sync.Mutex
	count int
	first error
}

func (f *failures) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.first == nil {
		f.first = err
	}
}
