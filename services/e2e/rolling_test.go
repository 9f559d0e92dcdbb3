package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

// What a rolling restart is tried on: cells enough for a load of some minutes.
const (
	rollingUnits   = 300
	rollingTargets = 8
	rollingMonths  = 24
	rollingCallers = 48
	// rollingRate is how many calls a second there must be: half reports, half reads.
	rollingRate = 1000
)

// traffic sends reports, each cell once, and reads totals, and counts.
type traffic struct {
	next, reports, reads, retries atomic.Int64
	mu                            sync.Mutex
	failed                        []error
	receipts                      map[uint64]bool
}

// cell is the n-th.
func (*traffic) cell(n int64) *reportingv1.Submission {
	month := n / (rollingUnits * rollingTargets)
	return count(fmt.Sprintf("u%d", n%rollingUnits), fmt.Sprintf("t%d", n/rollingUnits%rollingTargets),
		fmt.Sprintf("%d-M%02d", 2022+month/12, month%12+1), 1)
}

func (f *traffic) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = append(f.failed, err)
}

// run makes one caller's calls until ctx ends, at its share of the rate.
func (f *traffic) run(ctx context.Context, units, readers *client.Client) {
	tick := time.NewTicker(2 * rollingCallers * time.Second / (rollingRate + rollingRate/5))
	defer tick.Stop()
	for ctx.Err() == nil {
		n := f.next.Add(1) - 1
		// Calls are not cut off by the end of the test: that would be a failure of its own.
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		receipt, err := units.Submit(whole, "p", f.cell(n))
		if err == nil {
			f.reports.Add(1)
			f.mu.Lock()
			if f.receipts[receipt.GetSequence()] || receipt.GetRevision() != 1 {
				err = fmt.Errorf("receipt %v was given twice or is of a second revision", receipt)
			}
			f.receipts[receipt.GetSequence()] = true
			f.mu.Unlock()
		}
		if err != nil {
			f.fail(fmt.Errorf("report: %w", err))
		}
		s := f.cell(n)
		resp, err := readers.Progress().GetFigure(whole, &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{Programme: "p",
			Target: s.GetTarget(), Unit: s.GetUnit(), Period: s.GetPeriod(), Basis: typev1.Basis_BASIS_REPORTED}})
		cancel()
		if f.reads.Add(1); err != nil {
			f.fail(fmt.Errorf("read: %w", err))
		} else if resp.GetFigure().GetTally().GetNumerator() != 1 {
			f.fail(fmt.Errorf("read of %v does not see the report: %v", s, resp.GetFigure()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// TestRollingRestart restarts the replicas one after the other, asked to stop and
// killed, under a load whose callers have the client's defaults: no call fails, none
// is counted twice, and every read sees the report before it.
func TestRollingRestart(t *testing.T) {
	k := servers(t, 1)
	r := rigOf(t, k)
	rollingTree(t, r)
	f := &traffic{receipts: map[uint64]bool{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()
	var callers sync.WaitGroup
	for range rollingCallers {
		units, readers := f.clients(t, k)
		callers.Go(func() { f.run(ctx, units, readers) })
	}
	for round, end := range []func(*cluster.Replica) error{
		func(r *cluster.Replica) error { return r.Stop() },
		func(r *cluster.Replica) error { r.Kill(); return nil },
	} {
		for i := range k.Reporting {
			time.Sleep(time.Second)
			for _, replica := range []*cluster.Replica{k.Reporting[i], k.Registry[i]} {
				must(t, end(replica))
				must(t, replica.Start())
				must(t, replica.Ready(ctx))
				t.Logf("round %d: %s was restarted, %d reports, %d made again, %d failures", round+1, replica.Name,
					f.reports.Load(), f.retries.Load(), len(f.failed))
			}
		}
	}
	time.Sleep(time.Second)
	stop()
	callers.Wait()
	calls, took := f.reports.Load()+f.reads.Load(), time.Since(began)
	rate := float64(calls) / took.Seconds()
	t.Logf("%d calls in %v (%.0f/s), %d attempts made again, %d failed", calls, took.Round(time.Millisecond), rate, f.retries.Load(), len(f.failed))
	for i, err := range f.failed {
		if i < 10 {
			t.Error(err)
		}
	}
	if cells := status(t, r).GetCells(); cells != f.reports.Load() || int64(len(f.receipts)) != cells {
		t.Errorf("%d cells hold a report, %d were accepted under %d numbers", cells, f.reports.Load(), len(f.receipts))
	}
	verify(t, r)
}

// clients are of one caller: a unit's system that reports and reads.
func (f *traffic) clients(t *testing.T, k *cluster.Cluster) (units, readers *client.Client) {
	t.Helper()
	o, err := k.Options("unit/vn")
	must(t, err)
	o.OnRetry = func(int, error, time.Duration) { f.retries.Add(1) }
	c, err := client.Open(k.ReportingAddrs(), o)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c, c
}

// rollingTree is a province of many communes that owe some figures.
func rollingTree(t *testing.T, r *rig) {
	t.Helper()
	writes := append([]*registryv1.Write{}, tree()[:2]...)
	for i := range rollingUnits {
		writes = append(writes, unit(fmt.Sprintf("u%d", i), "79", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"))
	}
	writes = append(writes, programme())
	for i := range rollingTargets {
		writes = append(writes, target(fmt.Sprintf("t%d", i), typev1.ValueKind_VALUE_KIND_COUNT, nil))
	}
	r.owe(t, writes...)
}
