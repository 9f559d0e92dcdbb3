package load_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/load"
)

func TestSteady_does_not_wait_for_slow_calls(t *testing.T) {
	const n, over, slow = 50, 250 * time.Millisecond, 400 * time.Millisecond
	var calls atomic.Int64
	var early atomic.Int64
	began := time.Now()
	load.Steady(t.Context(), n, over, n, func(i int, due time.Time) {
		calls.Add(1)
		if at := due.Sub(began); time.Now().Before(due) || at < over*time.Duration(i)/n || at > over*time.Duration(i)/n+over {
			early.Add(1)
		}
		time.Sleep(slow)
	})
	took := time.Since(began)
	if calls.Load() != n || early.Load() > 0 {
		t.Errorf("%d calls of %d, %d not when they were due", calls.Load(), n, early.Load())
	}
	// One after the other they would take 20 s.
	if took < slow+over*(n-1)/n || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestSteady_waits_when_too_many_are_under_way(t *testing.T) {
	var now, most atomic.Int64
	load.Steady(t.Context(), 30, time.Millisecond, 3, func(int, time.Time) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(2 * time.Millisecond)
		now.Add(-1)
	})
	if most.Load() > 3 || now.Load() != 0 {
		t.Errorf("%d at once, %d when it had returned", most.Load(), now.Load())
	}
}

func TestSteady_ends_with_its_context(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	load.Steady(ctx, 1000, time.Hour, 10, func(int, time.Time) {
		calls.Add(1)
		cancel()
	})
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestTimes_are_told_by_rank(t *testing.T) {
	for _, c := range []struct {
		count         int
		p50, p99, max time.Duration
	}{{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 1, 2, 2}, {100, 50, 99, 100}, {101, 51, 100, 101}, {1000, 500, 990, 1000}} {
		var all load.Times
		for i := range c.count {
			all.Note(time.Duration(c.count - i))
		}
		if got, want := all.Spread(), (load.Spread{Count: c.count, P50: c.p50, P99: c.p99, Max: c.max}); got != want {
			t.Errorf("1 to %d: %#v, want %#v", c.count, got, want)
		}
	}
}
