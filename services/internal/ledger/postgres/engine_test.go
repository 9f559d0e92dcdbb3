package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

type counters = ledgertest.Counters

// engine opens a replica on a database, with connections of its own.
func engine(t *testing.T, url string) *ledger.Engine[*counters] {
	t.Helper()
	s := opened(t, url)
	e, err := ledger.Open(t.Context(), ledger.Config[*counters]{
		Store: s, Empty: ledgertest.NewCounters, Follow: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(e.Close(ctx), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// values returns what an engine's counters stand at, with all that the log has.
func values(t *testing.T, e *ledger.Engine[*counters]) (m map[string]int64) {
	t.Helper()
	if err := e.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.View(t.Context(), 0, func(c *counters) error { m = c.Values(); return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

// load adds to counters, one a worker, until it is ended.
type load struct {
	wg      sync.WaitGroup
	end     context.CancelFunc
	acked   []atomic.Int64
	unknown atomic.Int64
	refused atomic.Int64
	last    []atomic.Int64 // when an engine acked something, in nanoseconds since 1970
}

func begin(t *testing.T, workers int, es ...*ledger.Engine[*counters]) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{end: cancel, acked: make([]atomic.Int64, workers), last: make([]atomic.Int64, len(es))}
	for w := range workers {
		l.wg.Go(func() {
			e, name := es[w%len(es)], fmt.Sprint("worker ", w)
			for ctx.Err() == nil {
				_, err := e.Do(context.Background(), func(c *counters) error { c.Add(name, 1); return nil })
				switch {
				case err == nil:
					l.acked[w].Add(1)
					l.last[w%len(es)].Store(time.Now().UnixNano())
				case errors.Is(err, ledger.ErrUnknown):
					l.unknown.Add(1)
				default:
					l.refused.Add(1)
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	return l
}

func (l *load) stop() map[string]int64 {
	l.end()
	l.wg.Wait()
	acked := map[string]int64{}
	for w := range l.acked {
		acked[fmt.Sprint("worker ", w)] = l.acked[w].Load()
	}
	return acked
}

func TestEngines_keep_what_they_acked_while_the_server_is_killed(t *testing.T) {
	const kills = 8
	s := own(t, pgd.Config{Durable: true})
	d := database(t, s, "registry")
	a, b := engine(t, d.App), engine(t, d.App)
	l := begin(t, 16, a, b)
	var slowest time.Duration
	for range kills {
		time.Sleep(300 * time.Millisecond)
		s.Kill()
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		t.Logf("the server answers after %v", began.Sub(start))
		for i := range l.last {
			for l.last[i].Load() < began.UnixNano() {
				if time.Since(began) > 5*time.Second {
					t.Fatal("not back 5 s after the server answered again")
				}
				time.Sleep(time.Millisecond)
			}
			t.Logf("engine %d is back after %v", i, time.Since(began))
		}
		slowest = max(slowest, time.Since(began))
	}
	acked := l.stop()
	t.Logf("%d kills; back after %v at the most; refused %d, unknown %d; %+v; %+v",
		kills, slowest, l.refused.Load(), l.unknown.Load(), a.Stats(), b.Stats())
	if n := l.unknown.Load(); n > 0 {
		t.Errorf("%d commands were not settled", n)
	}
	again := engine(t, d.App)
	for name, e := range map[string]*ledger.Engine[*counters]{"one": a, "other": b, "opened again": again} {
		if d := cmp.Diff(acked, values(t, e)); d != "" {
			t.Errorf("%s: (-acked +state)\n%s", name, d)
		}
	}
	if sum := a.Stats().Unsettled + b.Stats().Unsettled; sum == 0 {
		t.Error("no kill met an append: this test shows nothing")
	}
}

func TestEngines_share_a_log(t *testing.T) {
	d := pgtest.Fresh(t)
	a, b := engine(t, d.App), engine(t, d.App)
	l := begin(t, 8, a, b)
	eventually(t, "both engines append", func() bool { return min(a.Stats().Blocks, b.Stats().Blocks) >= 10 })
	acked := l.stop()
	t.Logf("%+v; %+v", a.Stats(), b.Stats())
	if l.refused.Load()+l.unknown.Load() > 0 {
		t.Errorf("%d refused, %d unknown", l.refused.Load(), l.unknown.Load())
	}
	for _, e := range []*ledger.Engine[*counters]{a, b} {
		if d := cmp.Diff(acked, values(t, e)); d != "" {
			t.Error(d)
		}
	}
}
