package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

// other makes the block that another writer would append: it adds 1,000 to "a".
func other(t *testing.T, store ledger.Store) func(ledger.Head) *ledger.Block {
	return func(h ledger.Head) *ledger.Block {
		s := ledgertest.NewCounters()
		for b, err := range store.Blocks(t.Context(), 0) {
			if err != nil {
				t.Error(err)
			}
			for i, en := range b.Entries {
				if err := s.Apply(b.First+uint64(i), en); err != nil {
					t.Error(err)
				}
			}
		}
		layer := s.Fork(ledger.Stamp{Next: h.Sequence + 1, Time: h.Time, Epoch: ledger.FirstEpoch})
		layer.Add("a", 1000)
		b := &ledger.Block{Level: 1, Epoch: 1, First: h.Sequence + 1, Time: h.Time, Prev: h.Hash, Writer: 1, Entries: layer.Drafts()}
		b.Seal()
		return b
	}
}

func faulty(t *testing.T) *ledgertest.Faulty {
	store := newStore(t)
	return &ledgertest.Faulty{Store: store, Steal: other(t, store)}
}

func TestDo_settles_every_append(t *testing.T) {
	for _, c := range []struct {
		name   string
		blind  int
		faults []ledgertest.Fault
		want   int64 // of "a", to which the command adds 1
	}{
		{"answer_lost", 0, []ledgertest.Fault{ledgertest.Lost}, 1},
		{"answer_lost_and_log_unreadable", 2, []ledgertest.Fault{ledgertest.Lost}, 1},
		{"append_failed", 0, []ledgertest.Fault{ledgertest.Failed}, 1},
		{"append_failed_thrice", 1, []ledgertest.Fault{ledgertest.Failed, ledgertest.Failed, ledgertest.Failed}, 1},
		{"failed_then_answer_lost", 0, []ledgertest.Fault{ledgertest.Failed, ledgertest.Lost}, 1},
		{"failed_then_full", 0, []ledgertest.Fault{ledgertest.Failed, ledgertest.Full, ledgertest.Full}, 1},
		{"failed_and_another_took_the_number", 0, []ledgertest.Fault{ledgertest.Stolen}, 1001},
		{"another_came_first", 0, []ledgertest.Fault{ledgertest.Crossed}, 1001},
		{"another_came_first_twice_unreadable", 1, []ledgertest.Fault{ledgertest.Crossed, ledgertest.Crossed}, 2001},
		{"all_of_it", 3, []ledgertest.Fault{ledgertest.Stolen, ledgertest.Failed, ledgertest.Crossed, ledgertest.Lost}, 2001},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := faulty(t)
			e := open(t, store)
			mustDo(t, e, add("b", 1))
			store.Plan(c.blind, c.faults...)
			var saw int64
			got := mustDo(t, e, func(s *counters) error { saw = s.Add("a", 1); return nil })
			if saw != c.want || got.First != got.Last || got.Last != e.Head().Sequence || store.Left() != 0 {
				t.Errorf("saw %d, want %d; %+v; %d faults left", saw, c.want, got, store.Left())
			}
			mustDo(t, e, add("b", 1))
			if d := cmp.Diff(map[string]int64{"a": c.want, "b": 2}, replayed(t, e)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDo_full_store_refuses_and_recovers(t *testing.T) {
	store := faulty(t)
	e := open(t, store)
	mustDo(t, e, add("a", 1))
	store.Plan(0, ledgertest.Full)
	if _, err := e.Do(t.Context(), add("a", 1)); !errors.Is(err, ledger.ErrFull) || errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("%v, want ErrFull", err)
	}
	if got := values(t, e, 0); got["a"] != 1 {
		t.Errorf("a = %d: what was not stored was merged", got["a"])
	}
	mustDo(t, e, add("a", 1))
	if got := replayed(t, e); got["a"] != 2 {
		t.Errorf("a = %d", got["a"])
	}
}

func TestRefused_while_there_is_no_room(t *testing.T) {
	for name, back := range map[string]func(*ledgertest.Faulty, *ledger.Engine[*ledgertest.Counters]){
		"room is asked for": func(s *ledgertest.Faulty, _ *ledger.Engine[*ledgertest.Counters]) { s.Plan(0) },
		"an append goes well": func(s *ledgertest.Faulty, e *ledger.Engine[*ledgertest.Counters]) {
			s.Plan(0)
			mustDo(t, e, add("a", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := faulty(t)
			e := open(t, store)
			mustDo(t, e, add("a", 1))
			if err := e.Refused(); err != nil {
				t.Fatalf("there is room: %v", err)
			}
			store.Plan(0, ledgertest.Full, ledgertest.Full) // one for the append, one for who asks after it
			if _, err := e.Do(t.Context(), add("a", 1)); !errors.Is(err, ledger.ErrFull) {
				t.Fatalf("%v, want ErrFull", err)
			}
			for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				if err := e.Refused(); !errors.Is(err, ledger.ErrFull) || !strings.Contains(err.Error(), "every write is refused") {
					t.Fatalf("%v, want ErrFull in words", err)
				}
			}
			back(store, e)
			for end := time.Now().Add(10 * time.Second); e.Refused() != nil; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("there is room again: %v", e.Refused())
				}
			}
		})
	}
}

func TestDo_caller_leaves_while_the_append_is_unsettled(t *testing.T) {
	store := faulty(t)
	e := open(t, store)
	store.Plan(20, ledgertest.Failed)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Do(ctx, add("a", 1)); !errors.Is(err, ledger.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want ErrUnknown and the cause", err)
	}
	if got := values(t, e, 0); got["a"] != 0 {
		t.Error("read what is not durable")
	}
	store.Plan(0)
	mustDo(t, e, add("b", 1))
	if d := cmp.Diff(map[string]int64{"a": 1, "b": 1}, replayed(t, e)); d != "" {
		t.Error(d)
	}
}

func TestClose_gives_up_what_cannot_be_settled(t *testing.T) {
	store := faulty(t)
	e := open(t, store)
	store.Plan(1<<30, ledgertest.Failed)
	errs := make(chan error)
	go func() { _, err := e.Do(context.Background(), add("a", 1)); errs <- err }()
	for e.Stats().Unsettled == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if err := <-errs; !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("caller: %v, want ErrUnknown", err)
	}
	if _, err := e.Do(t.Context(), add("a", 1)); !errors.Is(err, ledger.ErrStopped) {
		t.Errorf("later caller: %v", err)
	}
}

func TestEngine_two_on_one_log(t *testing.T) {
	for _, follow := range []bool{true, false} {
		t.Run(fmt.Sprint("follow_", follow), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			set := func(c *ledger.Config[*counters]) { c.Follow = follow }
			es := []*ledger.Engine[*counters]{open(t, openStore(t, path), set), open(t, openStore(t, path), set)}
			const writers, each = 16, 15
			var wg sync.WaitGroup
			for i, e := range es {
				for w := range writers {
					wg.Go(func() {
						for range each {
							mustDo(t, e, func(s *counters) error {
								s.Add("all", 1)
								s.Add(fmt.Sprint("writer ", i, w), 1)
								return nil
							})
						}
					})
				}
			}
			wg.Wait()
			mustDo(t, es[0], add("all", 0)) // where nobody follows, a block makes the engine look
			mustDo(t, es[1], add("all", 0))
			mustDo(t, es[0], add("all", 0))
			last := es[0].Head().Sequence
			if !follow {
				mustDo(t, es[1], add("all", 0))
				mustDo(t, es[0], add("all", 0))
				last = es[0].Head().Sequence - 1
			}
			got := values(t, es[1], last)
			if d := cmp.Diff(values(t, es[0], last), got); d != "" {
				t.Error(d)
			}
			for k, v := range got {
				if want := map[bool]int64{true: 2 * writers * each, false: each}[k == "all"]; v != want {
					t.Errorf("%s = %d, want %d", k, v, want)
				}
			}
			replayed(t, es[0])
			t.Logf("%+v\n%+v", es[0].Stats(), es[1].Stats())
		})
	}
}

func TestDo_refusal_is_decided_on_the_present_log(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	set := func(c *ledger.Config[*counters]) { c.Follow = true }
	a, b := open(t, openStore(t, path), set), open(t, openStore(t, path), set)
	for i := range 50 {
		mustDo(t, a, add("a", 1))
		_, err := b.Do(t.Context(), func(s *counters) error { return fmt.Errorf("a is %d", s.Value("a")) })
		if want := fmt.Sprint("a is ", i+1); err == nil || err.Error() != want {
			t.Fatalf("%v, want %s", err, want)
		}
	}
}

func TestOpen_finds_a_damaged_chain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	store := openStore(t, path)
	e := open(t, store)
	for range 5 {
		mustDo(t, e, add("a", 1))
	}
	// A sound block in the wrong place: only the chain tells.
	forged := other(t, store)(e.Head())
	forged.First, forged.Entries = 3, []ledger.Entry{{Event: []byte(`{"n":3,"name":"a","delta":1,"value":3,"t":0}`)}}
	forged.Seal()
	body, err := ledger.Encode(forged)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE block SET body = $1 WHERE first = 3", body); err != nil {
		t.Fatal(err)
	}
	_, err = ledger.Open(t.Context(), ledger.Config[*counters]{Store: store, Empty: ledgertest.NewCounters})
	if !errors.Is(err, ledger.ErrDamaged) || !strings.Contains(err.Error(), "block 3") {
		t.Errorf("open: %v, want ErrDamaged and block 3", err)
	}
	if _, _, err := e.Replay(t.Context(), ^uint64(0)); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("replay: %v", err)
	}
}

func TestEngine_ends_its_service_on_what_it_cannot_take_in(t *testing.T) {
	for name, change := range map[string]func(*ledger.Block){
		"indigestible": func(b *ledger.Block) { b.Entries[0].Event = []byte("{") },
		"newer level":  func(b *ledger.Block) { b.Level++ },
		"no sequel":    func(b *ledger.Block) { b.Time = b.Time.Add(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			core, logs := observer.New(zap.ErrorLevel)
			e := open(t, store, func(c *ledger.Config[*counters]) { c.Log = zap.New(core) })
			mustDo(t, e, add("a", 1))
			b := other(t, store)(e.Head())
			change(b)
			b.Seal()
			if err := store.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := e.Do(t.Context(), add("a", 1)); err == nil || !errors.Is(err, e.Err()) {
					t.Errorf("do: %v, engine: %v", err, e.Err())
				}
			}
			if got := values(t, e, 1); got["a"] != 1 || e.Head().Sequence != 1 {
				t.Errorf("a = %d at %d", got["a"], e.Head().Sequence)
			}
			if logs.Len() != 1 {
				t.Errorf("logged %d times", logs.Len())
			}
		})
	}
}

func TestEngine_ends_its_service_when_the_log_went_back(t *testing.T) {
	for _, follow := range []bool{false, true} {
		store := new(ledgertest.Memory)
		e := open(t, store, func(c *ledger.Config[*counters]) { c.Follow = follow })
		mustDo(t, e, add("a", 1))
		mustDo(t, e, add("a", 1))
		store.Cut(1)
		if _, err := e.Do(t.Context(), add("a", 1)); !errors.Is(err, ledger.ErrDamaged) || !errors.Is(e.Err(), ledger.ErrDamaged) {
			t.Errorf("follow %v: %v", follow, err)
		}
	}
}

func TestDo_log_that_went_back_under_an_append_is_not_waited_for(t *testing.T) {
	mem := new(ledgertest.Memory)
	store := &ledgertest.Faulty{Store: mem}
	e := open(t, store, following)
	mustDo(t, e, add("a", 1))
	mustDo(t, e, add("a", 1))
	store.Plan(10, ledgertest.Failed)
	errs := make(chan error, 1)
	go func() { _, err := e.Do(context.Background(), add("a", 1)); errs <- err }()
	for e.Stats().Unsettled == 0 {
		time.Sleep(time.Millisecond)
	}
	mem.Cut(1) // another server goes on, and never had the second block
	select {
	case err := <-errs:
		if !errors.Is(err, ledger.ErrEnded) || !errors.Is(err, ledger.ErrDamaged) || !errors.Is(e.Err(), ledger.ErrDamaged) {
			t.Errorf("do: %v, engine: %v", err, e.Err())
		}
	case <-time.After(20 * time.Second):
		t.Errorf("it waits for ever, and says of itself: %v, %v", e.Err(), e.Reachable())
	}
}

func TestBlocks_come_from_memory_and_store_alike(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	fresh := open(t, openStore(t, path))
	for i := range 30 {
		mustDo(t, fresh, func(s *counters) error {
			for range i%3 + 1 {
				s.Add("a", 1)
			}
			return nil
		})
	}
	cold := open(t, openStore(t, path))
	for after := range fresh.Head().Sequence + 2 {
		var got [2][]ledger.Hash
		for i, e := range []*ledger.Engine[*counters]{fresh, cold} {
			for b, err := range e.Blocks(t.Context(), after) {
				if err != nil {
					t.Fatal(err)
				}
				got[i] = append(got[i], b.Last)
			}
			en, _, err := e.Entry(t.Context(), after)
			if inside := after > 0 && after <= e.Head().Sequence; inside != (err == nil) || !inside && !errors.Is(err, ledger.ErrAbsent) {
				t.Errorf("entry %d: %v", after, err)
			} else if inside && !strings.Contains(string(en.Event), fmt.Sprintf(`{"n":%d,`, after)) {
				t.Errorf("entry %d: %s", after, en.Event)
			}
		}
		if d := cmp.Diff(got[0], got[1]); d != "" {
			t.Fatalf("after %d: %s", after, d)
		}
	}
}

func TestReplay_stops_where_it_is_told(t *testing.T) {
	e := open(t, newStore(t))
	var want []ledger.Head
	for range 3 {
		mustDo(t, e, func(s *counters) error {
			for range 4 {
				s.Add("a", 1)
			}
			return nil
		})
		want = append(want, e.Head())
	}
	for upTo := range uint64(13) {
		s, h, err := e.Replay(t.Context(), upTo)
		if err != nil || s.Value("a") != int64(upTo) || h.Sequence != upTo {
			t.Errorf("up to %d: a = %d, head %d, %v", upTo, s.Value("a"), h.Sequence, err)
		}
		if upTo > 0 && upTo%4 == 0 && h != want[upTo/4-1] {
			t.Errorf("up to %d: %+v, want %+v", upTo, h, want[upTo/4-1])
		}
		if en, b, err := e.Entry(t.Context(), upTo); upTo%4 == 1 && (err != nil || h.Hash != ledger.Link(b.Prev, upTo, en)) {
			t.Errorf("up to %d, in a block: wrong chain, %v", upTo, err)
		}
	}
}

// silent is a store that does not answer while it is away.
type silent struct {
	ledger.Store
	away atomic.Bool
}

var errNoConnection = errors.New("connection refused")

func (s *silent) Now(ctx context.Context) (time.Time, error) {
	if s.away.Load() {
		return time.Time{}, errNoConnection
	}
	return s.Store.Now(ctx)
}

func (s *silent) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	if s.away.Load() {
		return func(yield func(*ledger.Block, error) bool) { yield(nil, errNoConnection) }
	}
	return s.Store.Blocks(ctx, after)
}

// A store that does not answer is no defect: callers can come again, and nothing was done.
func TestDo_says_that_the_store_is_away(t *testing.T) {
	store := &silent{Store: newStore(t)}
	e := open(t, store)
	if _, err := e.Do(t.Context(), add("a", 1)); err != nil {
		t.Fatal(err)
	}
	store.away.Store(true)
	if _, err := e.Do(t.Context(), add("a", 1)); !errors.Is(err, ledger.ErrAway) || errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("%v, want ErrAway", err)
	}
	store.away.Store(false)
	if _, err := e.Do(t.Context(), add("a", 1)); err != nil {
		t.Fatal(err)
	}
	var got int64
	if err := e.View(t.Context(), 0, func(c *ledgertest.Counters) error { got = c.Value("a"); return nil }); err != nil || got != 2 {
		t.Errorf("a is %d, %v", got, err)
	}
}
