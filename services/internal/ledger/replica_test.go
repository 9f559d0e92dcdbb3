package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

func following(c *ledger.Config[*counters]) { c.Follow = true }

// far is a replica's way to a shared store: its calls take time, or end in nothing.
type far struct {
	*ledgertest.Memory
	takes time.Duration
	away  atomic.Bool
	hangs atomic.Bool
}

var errAway = errors.New("away")

func (f *far) travel(ctx context.Context) error {
	if f.away.Load() {
		return errAway
	}
	if f.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(f.takes)
	return nil
}

func (f *far) Append(ctx context.Context, b *ledger.Block) error {
	if err := f.travel(ctx); err != nil {
		return err
	}
	return f.Memory.Append(ctx, b)
}

func (f *far) Head(ctx context.Context) (ledger.Head, error) {
	if err := f.travel(ctx); err != nil {
		return ledger.Head{}, err
	}
	return f.Memory.Head(ctx)
}

// unfair is a store that gives no turns.
type unfair struct{ ledger.Store }

// share lets two engines, one with a longer way to the store, work for a while and
// returns how many commands each got through.
func share(t *testing.T, wrap func(ledger.Store) ledger.Store) (done [2]uint64, es [2]*ledger.Engine[*counters]) {
	t.Helper()
	store := new(ledgertest.Memory)
	for i, takes := range []time.Duration{time.Millisecond, 6 * time.Millisecond} {
		es[i] = open(t, wrap(&far{Memory: store, takes: takes}), following)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var counts [2]atomic.Uint64
	for i, e := range es {
		for range 16 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := e.Do(context.Background(), add(fmt.Sprint(i), 1)); err != nil {
						t.Error(err)
						return
					}
					counts[i].Add(1)
				}
			})
		}
	}
	wg.Wait()
	if err := es[0].Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range done {
		done[i] = counts[i].Load()
	}
	if d := cmp.Diff(map[string]int64{"0": int64(done[0]), "1": int64(done[1])}, replayed(t, es[0])); d != "" {
		t.Error(d)
	}
	return done, es
}

func TestTurns_let_a_slow_engine_through_beside_a_fast_one(t *testing.T) {
	done, es := share(t, func(s ledger.Store) ledger.Store { return s })
	without, _ := share(t, func(s ledger.Store) ledger.Store { return unfair{s} })
	t.Logf("with turns %v, without %v; fast %+v, slow %+v", done, without, es[0].Stats(), es[1].Stats())
	if done[1]*4 < done[0] {
		t.Errorf("the slow engine got %d commands through, the fast one %d", done[1], done[0])
	}
	for _, e := range es {
		if st := e.Stats(); st.Conflicts*5 > st.Blocks {
			t.Errorf("%d conflicts in %d blocks", st.Conflicts, st.Blocks)
		}
	}
}

func TestTurns_cost_a_single_writer_next_to_nothing(t *testing.T) {
	store := new(ledgertest.Memory)
	writer, reader := open(t, store, following), open(t, store, following)
	for range 50 {
		mustDo(t, writer, add("a", 1))
	}
	if err := reader.Fresh(t.Context()); err != nil || reader.Head() != writer.Head() {
		t.Errorf("%+v, %+v, %v", reader.Head(), writer.Head(), err)
	}
	if w, r := writer.Stats().Turns, reader.Stats().Turns; w > 1 || r != 0 {
		t.Errorf("%d and %d turns were taken for 50 blocks", w, r)
	}
}

func TestTurns_a_frozen_holder_does_not_stop_others(t *testing.T) {
	store := new(ledgertest.Memory)
	a, b := open(t, store, following), open(t, store, following)
	mustDo(t, a, add("a", 1))
	mustDo(t, b, add("a", 1)) // each has met the other
	mustDo(t, a, add("a", 1))
	release, err := store.Turn(t.Context()) // and is never given back
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	began := time.Now()
	for range 20 {
		mustDo(t, a, add("a", 1))
		mustDo(t, b, add("a", 1))
	}
	if d := time.Since(began); d > 15*time.Second { // each that waits for a turn would make it 20
		t.Errorf("40 commands took %v", d)
	}
	if err := a.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := replayed(t, a)["a"]; got != 43 {
		t.Errorf("a = %d", got)
	}
}

func TestFresh_sees_what_another_engine_wrote(t *testing.T) {
	store := new(ledgertest.Memory)
	a, b := open(t, store, following), open(t, store, following)
	for i := range 100 {
		c := mustDo(t, a, add("a", 1))
		if err := b.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := values(t, b, 0)["a"]; got != int64(i+1) || b.Head().Sequence < c.Last {
			t.Fatalf("a = %d after %d", got, i+1)
		}
	}
}

func TestFresh_says_when_the_store_is_away(t *testing.T) {
	way := &far{Memory: new(ledgertest.Memory)}
	e := open(t, way, following)
	way.away.Store(true)
	if err := e.Fresh(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("%v", err)
	}
	if err := open(t, way).Fresh(t.Context()); err != nil {
		t.Errorf("an engine that follows nobody: %v", err)
	}
}

func TestReachable_tells_a_store_that_refuses_and_one_that_hangs(t *testing.T) {
	for name, fault := range map[string]func(*far) *atomic.Bool{
		"away":  func(f *far) *atomic.Bool { return &f.away },
		"hangs": func(f *far) *atomic.Bool { return &f.hangs },
	} {
		t.Run(name, func(t *testing.T) {
			way := &far{Memory: new(ledgertest.Memory)}
			e := open(t, way, following)
			if err := e.Reachable(); err != nil {
				t.Error(err)
			}
			began := time.Now()
			fault(way).Store(true)
			var err error
			for ; err == nil && time.Since(began) < 30*time.Second; err = e.Reachable() {
				time.Sleep(20 * time.Millisecond)
			}
			if err == nil || time.Since(began) < 3*time.Second || !strings.Contains(err.Error(), "not answered for") {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			fault(way).Store(false)
			for deadline := time.Now().Add(30 * time.Second); e.Reachable() != nil; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("not reachable again")
				}
			}
			mustDo(t, e, add("a", 1))
		})
	}
}

func TestFollow_is_late_by_little(t *testing.T) {
	store := newStore(t)
	writer, reader := open(t, store, following), open(t, store, following)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 100 {
				mustDo(t, writer, add("a", 1))
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
		})
	}
	wg.Wait()
	if err := reader.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := reader.Stats()
	t.Logf("%d blocks followed, mean %v, not later than %v s: %v", st.Followed, st.Lags.Sum/time.Duration(st.Lags.Count), ledger.LagBounds, st.Lags.Buckets)
	// Half of them: how late the latest are says more of the machine; the torture rig
	// measures it on a quiet one.
	if within := st.Lags.Buckets[6]; st.Lags.Count != st.Followed || within*2 < st.Lags.Count {
		t.Errorf("%d of %d blocks came within %v s", within, st.Lags.Count, ledger.LagBounds[6])
	}
}

func level(n uint32) func(*ledger.Config[*counters]) {
	return func(c *ledger.Config[*counters]) { c.Follow, c.Level = true, n }
}

func TestDeclare_level_is_raised_while_both_releases_run(t *testing.T) {
	store := new(ledgertest.Memory)
	old := open(t, store, level(1))
	mustDo(t, old, add("a", 1))
	next := open(t, store, level(2)) // reads what the release before wrote
	mustDo(t, next, add("a", 1))
	if h := next.Head(); h.Level != 1 {
		t.Fatalf("the new release wrote level %d before it was raised", h.Level)
	}
	mustDo(t, old, add("a", 1))
	for name, e := range map[string]*ledger.Engine[*counters]{"of the old release": old, "by two": next} {
		d := ledger.Declaration{Level: map[bool]uint32{true: 2, false: 3}[e == old]}
		if _, err := e.Declare(t.Context(), d, add("never", 1)); !errors.Is(err, ledger.ErrNotNext) {
			t.Errorf("raised %s: %v", name, err)
		}
	}
	c, err := next.Declare(t.Context(), ledger.Declaration{Level: 2}, add("raised", 1))
	if err != nil || c.First != 4 || c.Last != 4 || c.Head.Level != 2 || c.Head.Epoch != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := next.Declare(t.Context(), ledger.Declaration{Level: 2}, add("raised", 1)); !errors.Is(err, ledger.ErrNotNext) {
		t.Errorf("raised again: %v", err)
	}
	mustDo(t, next, add("a", 1))
	for deadline := time.Now().Add(time.Minute); old.Err() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the old release goes on")
		}
	}
	if _, err := old.Do(t.Context(), add("a", 1)); !errors.Is(err, ledger.ErrLevel) || !errors.Is(old.Err(), ledger.ErrLevel) {
		t.Errorf("%v, %v", err, old.Err())
	}
	if got := old.Head().Sequence; got != 3 {
		t.Errorf("the old release read on to %d", got)
	}
	if _, err := ledger.Open(t.Context(), ledger.Config[*counters]{Store: store, Empty: ledgertest.NewCounters}); !errors.Is(err, ledger.ErrLevel) {
		t.Errorf("the old release opens the log: %v", err)
	}
	if d := cmp.Diff(map[string]int64{"a": 4, "raised": 1}, replayed(t, next)); d != "" {
		t.Error(d)
	}
}

func TestDeclare_epoch_once_however_many_ask(t *testing.T) {
	store := new(ledgertest.Memory)
	es := []*ledger.Engine[*counters]{open(t, store, following), open(t, store, following), open(t, store, following)}
	stop := make(chan struct{})
	var writers, wg sync.WaitGroup
	for _, e := range es {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					mustDo(t, e, add("a", 1))
				}
			}
		})
	}
	var won atomic.Int64
	for i := range 12 {
		wg.Go(func() {
			_, err := es[i%3].Declare(t.Context(), ledger.Declaration{Epoch: 2}, add("declared", 1))
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, ledger.ErrNotNext) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(stop)
	writers.Wait()
	if err := es[0].Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := won.Load(); n != 1 || replayed(t, es[0])["declared"] != 1 {
		t.Errorf("declared %d times, in the log %d times", n, replayed(t, es[0])["declared"])
	}
	for b, err := range store.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		declares := strings.Contains(string(b.Entries[0].Event), "declared")
		for _, en := range b.Entries {
			if strings.Contains(string(en.Event), "declared") && (len(b.Entries) > 1 || b.Epoch != 2) {
				t.Errorf("declared in block %d of epoch %d with %d entries", b.First, b.Epoch, len(b.Entries))
			}
		}
		if !declares && b.Epoch == 2 && replayedTo(t, es[0], b.First)["declared"] == 0 {
			t.Errorf("block %d is of epoch 2 before it was declared", b.First)
		}
	}
	if h := es[0].Head(); h.Epoch != 2 {
		t.Errorf("%+v", h)
	}
}

func replayedTo(t *testing.T, e *ledger.Engine[*counters], upTo uint64) map[string]int64 {
	t.Helper()
	s, _, err := e.Replay(t.Context(), upTo)
	if err != nil {
		t.Fatal(err)
	}
	return s.Values()
}

func TestDeclare_refused_declares_nothing(t *testing.T) {
	e := open(t, new(ledgertest.Memory), following)
	mustDo(t, e, func(s *counters) error { s.SetAlarm(time.Now().Add(-time.Hour)); return nil })
	refused := errors.New("refused")
	for name, decide := range map[string]func(*counters) error{
		"an error":               func(*counters) error { return refused },
		"an error after a draft": func(s *counters) error { s.Add("a", 1); return refused },
	} {
		if _, err := e.Declare(t.Context(), ledger.Declaration{Epoch: 2}, decide); !errors.Is(err, refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Declare(t.Context(), ledger.Declaration{}, add("a", 1)); !errors.Is(err, ledger.ErrNotNext) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := e.Declare(t.Context(), ledger.Declaration{Epoch: 2}, func(*counters) error { panic("oh") }); err == nil {
		t.Error("a panic declared")
	}
	if h := e.Head(); h.Epoch != 1 {
		t.Errorf("%+v", h)
	}
	if _, err := e.Declare(t.Context(), ledger.Declaration{Epoch: 2}, add("a", 1)); err != nil {
		t.Fatal(err)
	}
	mustDo(t, e, add("a", 1))
	if h := e.Head(); h.Epoch != 2 || replayed(t, e)["a"] != 2 {
		t.Errorf("%+v", h)
	}
}

func TestEngine_ticks_of_many_ring_each_alarm_once(t *testing.T) {
	store := new(ledgertest.Memory)
	var es []*ledger.Engine[*counters]
	for range 3 {
		es = append(es, open(t, store, following))
	}
	mustDo(t, es[0], func(s *counters) error {
		for i := range 3 {
			s.SetAlarm(time.Now().Add(time.Duration(i) * time.Second))
		}
		return nil
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		rang := 0
		if err := es[1].View(t.Context(), 0, func(s *counters) error { rang = s.Rang(); return nil }); err != nil {
			t.Fatal(err)
		}
		if rang == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d rang", rang)
		}
	}
	time.Sleep(1200 * time.Millisecond)
	if n := es[0].Head().Sequence; n != 6 {
		t.Errorf("%d entries, want 3 alarms set and each rung once", n)
	}
}
