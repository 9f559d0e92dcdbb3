package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

var newYear = time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)

// hand is a clock that a test sets between commands. The engine reads it at any moment,
// for it looks each second whether anything is due.
type hand struct{ at atomic.Pointer[time.Time] }

func handAt(at time.Time) *hand {
	h := &hand{}
	h.set(at)
	return h
}

func (h *hand) set(at time.Time)    { h.at.Store(&at) }
func (h *hand) now() time.Time      { return *h.at.Load() }
func (h *hand) add(d time.Duration) { h.set(h.now().Add(d)) }

// clocked gives an engine a clock that is set by hand.
func clocked(h *hand) func(*ledger.Config[*counters]) {
	return func(c *ledger.Config[*counters]) { c.Now = h.now }
}

// appendBlock makes one block of several entries.
func appendBlock(t *testing.T, e *ledger.Engine[*counters], entries int) ledger.Head {
	t.Helper()
	return mustDo(t, e, func(s *counters) error {
		for i := range entries {
			s.Add(fmt.Sprint("c", i), 1)
		}
		return nil
	}).Head
}

// history makes blocks of 1 to 4 entries, some of the same time as the one before,
// some a microsecond later, and returns where each of them ended.
func history(t *testing.T, e *ledger.Engine[*counters], clock *hand, blocks int) []ledger.Head {
	t.Helper()
	steps := []time.Duration{0, time.Microsecond, 2 * time.Microsecond, time.Second, time.Hour}
	ends := []ledger.Head{{}}
	for range blocks {
		clock.add(steps[rand.IntN(len(steps))])
		ends = append(ends, appendBlock(t, e, 1+rand.IntN(4)))
	}
	return ends
}

// at is what the last of the ends at a time is: a plain look at all of them.
func at(ends []ledger.Head, t time.Time) ledger.Head {
	last := ends[0]
	for _, h := range ends[1:] {
		if !h.Time.After(t) {
			last = h
		}
	}
	return last
}

// checkState holds a state against the log alone, replayed.
func checkState(t *testing.T, e *ledger.Engine[*counters], want ledger.Head, s *counters, h ledger.Head, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if h != want {
		t.Fatalf("head is %+v, want %+v", h, want)
	}
	alone, _, err := e.Replay(t.Context(), want.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(alone.Values(), s.Values()); d != "" {
		t.Fatalf("state at %d differs from the log (-log +state)\n%s", want.Sequence, d)
	}
}

func checkKnownAt(t *testing.T, e *ledger.Engine[*counters], ends []ledger.Head, when time.Time) {
	t.Helper()
	s, h, _, err := e.KnownAt(t.Context(), when)
	checkState(t, e, at(ends, when), s, h, err)
}

func TestKnownAt_is_the_log_replayed_to_the_last_block_of_the_time(t *testing.T) {
	clock, store := handAt(newYear), newStore(t)
	e := open(t, store, clocked(clock))
	ends := history(t, e, clock, 60)
	probe := func(t *testing.T, e *ledger.Engine[*counters]) {
		for _, h := range ends[1:] {
			for _, d := range []time.Duration{-time.Microsecond, -1, 0, 1, time.Microsecond} {
				checkKnownAt(t, e, ends, h.Time.Add(d))
			}
		}
		for range 100 {
			checkKnownAt(t, e, ends, newYear.Add(rand.N(clock.now().Sub(newYear)+time.Hour)))
		}
		checkKnownAt(t, e, ends, newYear.Add(-time.Hour))
		checkKnownAt(t, e, ends, time.Time{})
		checkKnownAt(t, e, ends, clock.now().AddDate(1000, 0, 0))
	}
	t.Run("by_the_engine_that_wrote_it", func(t *testing.T) { probe(t, e) })
	must(t, e.Close(t.Context()))
	t.Run("after_a_restart", func(t *testing.T) { probe(t, open(t, store, clocked(clock))) })
}

func TestKnownAt_empty_log(t *testing.T) {
	e := open(t, newStore(t))
	for _, when := range []time.Time{{}, time.Now(), time.Now().AddDate(1000, 0, 0)} {
		s, h, _, err := e.KnownAt(t.Context(), when)
		if err != nil || h != (ledger.Head{}) || len(s.Values()) != 0 {
			t.Errorf("%v: %v at %+v, %v", when, s.Values(), h, err)
		}
	}
}

func TestStateAt_rounds_down_to_the_end_of_a_block(t *testing.T) {
	clock := handAt(newYear)
	e := open(t, newStore(t), clocked(clock))
	ends := history(t, e, clock, 20)
	end := ends[0]
	for n := range e.Head().Sequence + 1 {
		for _, h := range ends {
			if h.Sequence <= n {
				end = h
			}
		}
		s, h, err := e.StateAt(t.Context(), n)
		checkState(t, e, end, s, h, err)
	}
	if _, _, err := e.StateAt(t.Context(), e.Head().Sequence+1); !errors.Is(err, ledger.ErrAbsent) {
		t.Errorf("beyond the head: %v", err)
	}
}

func TestKnownAt_present_is_not_changed_by_what_comes(t *testing.T) {
	clock := handAt(newYear)
	e := open(t, newStore(t), clocked(clock))
	first := appendBlock(t, e, 3)
	s, h, _, err := e.KnownAt(t.Context(), clock.now())
	if twice, _, _, _ := e.KnownAt(t.Context(), clock.now()); twice != s {
		t.Error("another cut of the same head")
	}
	clock.add(time.Second)
	appendBlock(t, e, 3)
	checkState(t, e, first, s, h, err)
	again, _, _, err := e.KnownAt(t.Context(), newYear)
	if err != nil || again != s || e.Stats().Rebuilt != 0 {
		t.Errorf("built anew what was at hand: %v", err)
	}
}

func TestKnownAt_while_writers_append(t *testing.T) {
	e := open(t, newStore(t))
	began := time.Now()
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					mustDo(t, e, add(fmt.Sprint("c", w), 1))
				}
			}
		})
	}
	for e.Head().Sequence < 50 {
		time.Sleep(time.Millisecond)
	}
	var busy, answered atomic.Int64
	for range 4 {
		readers.Go(func() {
			for range 60 {
				when := began.Add(rand.N(time.Since(began) + time.Millisecond))
				settled := e.Head().Time.After(when)
				s, h, _, err := e.KnownAt(t.Context(), when)
				if errors.Is(err, ledger.ErrBusy) {
					busy.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
				sum := int64(0)
				for _, v := range s.Values() {
					sum += v // each entry adds one
				}
				if sum != int64(h.Sequence) || h.Time.After(when) {
					t.Errorf("sum is %d at %+v, asked for %v", sum, h, when)
				}
				if n := h.Sequence + 1; n <= e.Head().Sequence {
					if _, b, err := e.Entry(t.Context(), n); err != nil || b.First != n || settled && !b.Time.After(when) {
						t.Errorf("%d is not the last block's end at %v: %v", h.Sequence, when, err)
					}
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
	t.Logf("%d answered, %d busy, %+v", answered.Load(), busy.Load(), e.Stats())
	if answered.Load() == 0 || e.Stats().Rebuilt == 0 {
		t.Error("nothing was rebuilt")
	}
}

// gated is a store that counts reads, and holds them while it is shut.
type gated struct {
	ledger.Store
	reads atomic.Int64
	held  atomic.Int64 // reads that are being held
	shut  atomic.Pointer[chan struct{}]
}

func (g *gated) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	g.reads.Add(1)
	if gate := g.shut.Load(); gate != nil {
		g.held.Add(1)
		select {
		case <-*gate:
		case <-ctx.Done():
			time.Sleep(20 * time.Millisecond) // as a database that is slow to give up
		}
		g.held.Add(-1)
	}
	return g.Store.Blocks(ctx, after)
}

// hold shuts the store until the function is called that it returns.
func (g *gated) hold() (release func()) {
	gate := make(chan struct{})
	g.shut.Store(&gate)
	return func() { g.shut.Store(nil); close(gate) }
}

func TestStateAt_two_are_built_at_a_time(t *testing.T) {
	store := &gated{Store: newStore(t)}
	e := open(t, store)
	for range 10 {
		appendBlock(t, e, 2)
	}
	release := store.hold()
	why := errors.New("tired")
	ctx, leave := context.WithCancelCause(t.Context())
	type result struct {
		s   *counters
		h   ledger.Head
		err error
	}
	results, left := make(chan result, 3), make(chan error)
	ask := func(n uint64) {
		s, h, err := e.StateAt(t.Context(), n)
		results <- result{s, h, err}
	}
	go ask(4)
	go func() { _, _, err := e.StateAt(ctx, 8); left <- err }()
	for store.held.Load() < 2 { // both builds have come to the store
		time.Sleep(100 * time.Microsecond)
	}
	for _, n := range []uint64{6, 12} {
		if _, _, err := e.StateAt(t.Context(), n); !errors.Is(err, ledger.ErrBusy) {
			t.Errorf("third at %d: %v, want ErrBusy", n, err)
		}
	}
	go ask(4) // joins the first
	leave(why)
	if err := <-left; !errors.Is(err, why) {
		t.Errorf("who left got %v", err)
	}
	go ask(8) // what it left goes on
	time.Sleep(10 * time.Millisecond)
	release()
	for range 3 {
		r := <-results
		if r.err != nil || uint64(2*r.s.Value("c0")) != r.h.Sequence {
			t.Errorf("%+v", r)
		}
	}
	if got := e.Stats().Rebuilt; got != 2 {
		t.Errorf("%d states were built, want 2", got)
	}
	if _, _, err := e.StateAt(t.Context(), 6); err != nil {
		t.Errorf("after the others were done: %v", err)
	}
}

func TestStateAt_remembers_the_last_used(t *testing.T) {
	clock := handAt(newYear)
	e := open(t, newStore(t), clocked(clock), func(c *ledger.Config[*counters]) { c.Scratch = 2 })
	ends := history(t, e, clock, 10)
	built := uint64(0)
	for i, step := range []struct {
		end int
		new uint64
	}{{3, 1}, {3, 0}, {5, 1}, {3, 0}, {7, 1}, {3, 0}, {7, 0}, {5, 1}, {3, 1}} {
		s, h, err := e.StateAt(t.Context(), ends[step.end].Sequence)
		checkState(t, e, ends[step.end], s, h, err)
		if built += step.new; e.Stats().Rebuilt != built {
			t.Fatalf("step %d: %d built, want %d", i, e.Stats().Rebuilt, built)
		}
	}
}

func TestKnownAt_reads_few_blocks_to_find_its_own(t *testing.T) {
	const blocks = 500
	clock := handAt(newYear)
	store := &gated{Store: newStore(t)}
	e := open(t, store, clocked(clock))
	for range blocks {
		clock.add(time.Second)
		appendBlock(t, e, 1)
	}
	must(t, e.Close(t.Context()))
	again := open(t, store, clocked(clock))
	for range 20 {
		before := store.reads.Load()
		want := uint64(1 + rand.IntN(blocks-1))
		if _, h, _, err := again.KnownAt(t.Context(), newYear.Add(time.Duration(want)*time.Second)); err != nil || h.Sequence != want {
			t.Fatalf("%+v, %v, want %d", h, err, want)
		}
		if reads := store.reads.Load() - before; reads > int64(bits.Len(blocks)+1) { // the last is the replay
			t.Errorf("%d reads to find 1 of %d blocks", reads, blocks)
		}
	}
}

func TestKnownAt_store_that_cannot_be_read(t *testing.T) {
	clock := handAt(newYear)
	store := &ledgertest.Faulty{Store: newStore(t)}
	e := open(t, store, clocked(clock))
	ends := history(t, e, clock, 10)
	store.Plan(1)
	if _, _, err := e.StateAt(t.Context(), ends[5].Sequence); !errors.Is(err, ledgertest.ErrFault) {
		t.Errorf("%v, want the store's error", err)
	}
	s, h, err := e.StateAt(t.Context(), ends[5].Sequence)
	checkState(t, e, ends[5], s, h, err) // a failure is not remembered
}

func TestClose_breaks_off_what_is_being_built(t *testing.T) {
	clock := handAt(newYear)
	store := &gated{Store: newStore(t)}
	e := open(t, store, clocked(clock))
	ends := history(t, e, clock, 10)
	defer store.hold()()
	answer := make(chan error)
	go func() { _, _, err := e.StateAt(context.Background(), ends[5].Sequence); answer <- err }()
	for store.held.Load() == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	must(t, e.Close(t.Context()))
	if n := store.held.Load(); n > 0 {
		t.Errorf("%d reads went on after Close", n)
	}
	if err := <-answer; !errors.Is(err, ledger.ErrStopped) {
		t.Errorf("%v, want ErrStopped", err)
	}
	reads := store.reads.Load()
	if _, _, err := e.StateAt(t.Context(), ends[3].Sequence); !errors.Is(err, ledger.ErrStopped) || store.reads.Load() != reads {
		t.Errorf("after Close: %v after %d reads, want ErrStopped at once", err, store.reads.Load()-reads)
	}
}
