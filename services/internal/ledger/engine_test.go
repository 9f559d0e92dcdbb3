package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
)

func open(t *testing.T, store ledger.Store, change ...func(*ledger.Config[*ledgertest.Counters])) *ledger.Engine[*ledgertest.Counters] {
	t.Helper()
	cfg := ledger.Config[*ledgertest.Counters]{Store: store, Empty: ledgertest.NewCounters}
	for _, f := range change {
		f(&cfg)
	}
	e, err := ledger.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "ledger.db"))
}

func TestEngine_many_writers_are_committed_in_few_blocks(t *testing.T) {
	store := newStore(t)
	e := open(t, store)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 20 {
				var got int64
				c, err := e.Do(t.Context(), func(s *ledgertest.Counters) error {
					got = s.Add(fmt.Sprint("c", w%8), 1)
					return nil
				})
				if err != nil || c.First == 0 || c.First != c.Last || c.Head.Sequence < c.Last || got == 0 {
					t.Error(i, c, err)
				}
			}
		})
	}
	wg.Wait()
	err := e.View(t.Context(), 64*20, func(s *ledgertest.Counters) error {
		for name, v := range s.Values() {
			if v != 160 {
				t.Errorf("%s = %d", name, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := e.Stats(); st.Entries != 64*20 || st.Blocks > 64*20/4 {
		t.Errorf("%d entries in %d blocks", st.Entries, st.Blocks)
	}
	t.Logf("%+v", e.Stats())
}

type counters = ledgertest.Counters

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func add(name string, delta int64) func(*counters) error {
	return func(s *counters) error {
		s.Add(name, delta)
		return nil
	}
}

func mustDo(t *testing.T, e *ledger.Engine[*counters], decide func(*counters) error) ledger.Committed {
	t.Helper()
	c, err := e.Do(t.Context(), decide)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func values(t *testing.T, e *ledger.Engine[*counters], min uint64) map[string]int64 {
	t.Helper()
	var got map[string]int64
	if err := e.View(t.Context(), min, func(s *counters) error { got = s.Values(); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

// replayed checks that the state is what the log alone adds up to, and returns it.
func replayed(t *testing.T, e *ledger.Engine[*counters]) map[string]int64 {
	t.Helper()
	s, h, err := e.Replay(t.Context(), ^uint64(0))
	if err != nil {
		t.Fatal(err)
	}
	if h != e.Head() {
		t.Errorf("replayed to %+v, engine is at %+v", h, e.Head())
	}
	if d := cmp.Diff(s.Values(), values(t, e, 0)); d != "" {
		t.Errorf("engine differs from its log (-log +engine)\n%s", d)
	}
	return s.Values()
}

// together runs commands so that they are decided in one block: the first holds the
// loop until the others wait.
func together(t *testing.T, e *ledger.Engine[*counters], decides ...func(*counters) error) []error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_, err := e.Do(context.Background(), func(*counters) error {
			close(held)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-held
	errs := make([]error, len(decides))
	var wg sync.WaitGroup
	for i, d := range decides {
		wg.Go(func() { _, errs[i] = e.Do(context.Background(), d) })
		for e.Stats().Waiting <= i {
			time.Sleep(100 * time.Microsecond)
		}
	}
	close(release)
	wg.Wait()
	return errs
}

var errRefused = errors.New("refused")

func TestDo_refused_command_leaves_the_others_alone(t *testing.T) {
	e := open(t, newStore(t))
	errs := together(t, e,
		add("a", 1),
		func(*counters) error { return errRefused },
		func(s *counters) error { s.Add("a", 100); return errRefused },
		func(s *counters) error { s.Add("a", 1000); panic("boom") },
		func(s *counters) error { panic("before any draft") },
		func(s *counters) error {
			if v := s.Add("a", 1); v != 2 {
				return fmt.Errorf("saw %d", v)
			}
			return nil
		})
	for i, want := range []error{nil, errRefused, errRefused, nil, nil, nil} {
		panicked := i == 3 || i == 4
		if panicked != (errs[i] != nil && strings.Contains(errs[i].Error(), "panic")) || !panicked && !errors.Is(errs[i], want) {
			t.Errorf("command %d: %v", i, errs[i])
		}
	}
	if st := e.Stats(); st.Blocks != 1 || st.Entries != 2 {
		t.Errorf("%+v, want one block of two entries", st)
	}
	// Who is refused because of what another did learns where that stands.
	told, err := e.Do(t.Context(), func(s *counters) error { return errRefused })
	if !errors.Is(err, errRefused) || told.Head != e.Head() || told.Head.Sequence != 2 || told.First != 0 {
		t.Errorf("refused on %+v: %v", told, err)
	}
	if got := replayed(t, e); got["a"] != 2 {
		t.Errorf("a = %d", got["a"])
	}
}

func TestDo_numbers_each_commands_entries(t *testing.T) {
	e := open(t, newStore(t))
	mustDo(t, e, add("before", 1))
	got := make([]ledger.Committed, 3)
	n := func(i, entries int) func(*counters) error {
		return func(s *counters) error {
			for range entries {
				s.Add(fmt.Sprint("command ", i), 1)
			}
			return nil
		}
	}
	var wg sync.WaitGroup
	for i, entries := range []int{3, 0, 2} {
		wg.Go(func() { got[i], _ = e.Do(t.Context(), n(i, entries)) })
	}
	wg.Wait()
	if got[1].First != 0 || got[1].Last != 0 {
		t.Errorf("command without entries: %+v", got[1])
	}
	for _, i := range []int{0, 2} {
		for seq := got[i].First; seq <= got[i].Last; seq++ {
			en, b, err := e.Entry(t.Context(), seq)
			if err != nil || !strings.Contains(string(en.Event), fmt.Sprintf(`"n":%d,"name":"command %d"`, seq, i)) || b.First > seq || b.End() < seq {
				t.Errorf("entry %d: %s, %v", seq, en.Event, err)
			}
		}
	}
	if got[0].Last-got[0].First != 2 || got[2].Last-got[2].First != 1 {
		t.Errorf("%+v", got)
	}
}

func TestDo_too_large_command_is_refused_alone(t *testing.T) {
	e := open(t, newStore(t))
	big := make([]byte, ledger.MaxBytes/2)
	errs := together(t, e, add("a", 1), func(s *counters) error { s.AddNoted("big", 1, big); return nil }, add("a", 1))
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], ledger.ErrTooLarge) {
		t.Error(errs)
	}
	if d := cmp.Diff(map[string]int64{"a": 2}, replayed(t, e)); d != "" {
		t.Error(d)
	}
}

func TestDo_large_commands_make_several_blocks(t *testing.T) {
	e := open(t, newStore(t))
	part := make([]byte, 1<<20)
	var ds []func(*counters) error
	for range 10 {
		ds = append(ds, func(s *counters) error { s.AddNoted("a", 1, part); return nil })
	}
	for _, err := range together(t, e, ds...) {
		if err != nil {
			t.Error(err)
		}
	}
	if st := e.Stats(); st.Blocks != 3 {
		t.Errorf("%d blocks of 4 MiB for 10 MiB", st.Blocks)
	}
}

func TestDo_full_queue_is_busy(t *testing.T) {
	e := open(t, newStore(t), func(c *ledger.Config[*counters]) { c.Queue = 2 })
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { mustDo(t, e, func(*counters) error { close(held); <-release; return nil }) })
	<-held
	for i := range 2 {
		wg.Go(func() { mustDo(t, e, add("a", 1)) })
		for e.Stats().Waiting <= i {
			time.Sleep(100 * time.Microsecond)
		}
	}
	if _, err := e.Do(t.Context(), add("a", 100)); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	close(release)
	wg.Wait()
	if got := replayed(t, e); got["a"] != 2 {
		t.Errorf("a = %d", got["a"])
	}
}

func TestDo_caller_who_leaves(t *testing.T) {
	e := open(t, newStore(t))
	held, release := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("tired")
	errs := make(chan error, 2)
	go func() {
		_, err := e.Do(ctx, func(s *counters) error { s.Add("begun", 1); close(held); <-release; return nil })
		errs <- err
	}()
	<-held
	go func() { _, err := e.Do(ctx, add("waiting", 1)); errs <- err }()
	for e.Stats().Waiting == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	cancel(why)
	unknown := 0
	for range 2 {
		err := <-errs
		if !errors.Is(err, why) {
			t.Errorf("%v does not tell the cause", err)
		}
		if errors.Is(err, ledger.ErrUnknown) {
			unknown++
		}
	}
	if unknown != 1 {
		t.Errorf("%d unknown, want only the one that had begun", unknown)
	}
	close(release)
	mustDo(t, e, add("after", 1))
	if d := cmp.Diff(map[string]int64{"begun": 1, "after": 1}, replayed(t, e)); d != "" {
		t.Error(d)
	}
	if _, err := e.Do(ctx, add("late", 1)); !errors.Is(err, why) || errors.Is(err, ledger.ErrUnknown) {
		t.Error(err)
	}
}

func TestTry_answers_as_Do_would_and_changes_nothing(t *testing.T) {
	e := open(t, newStore(t))
	c := mustDo(t, e, add("a", 5))
	var saw int64
	on, err := e.Try(t.Context(), func(s *counters) error { saw = s.Add("a", 1); return errRefused })
	if !errors.Is(err, errRefused) || saw != 6 || on != c.Head {
		t.Errorf("saw %d on %d, %v", saw, on.Sequence, err)
	}
	if _, err := e.Try(t.Context(), func(*counters) error { panic("boom") }); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("panic: %v", err)
	}
	if got := values(t, e, 0); got["a"] != 5 || e.Head() != c.Head {
		t.Errorf("a = %d at %d", got["a"], e.Head().Sequence)
	}
}

func TestView_waits_for_the_sequence_it_is_asked_for(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := ledger.Open(t.Context(), ledger.Config[*counters]{Store: new(ledgertest.Memory), Empty: ledgertest.NewCounters})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = e.View(t.Context(), 1, func(*counters) error { t.Error("read too early"); return nil })
		if !errors.Is(err, ledger.ErrNotReached) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.View(ctx, 1, func(*counters) error { return nil }); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ledger.ErrNotReached) {
			t.Error(err)
		}
		go func() {
			time.Sleep(3 * time.Second)
			if _, err := e.Do(context.Background(), add("a", 1)); err != nil {
				t.Error(err)
			}
		}()
		if got := values(t, e, 1); got["a"] != 1 {
			t.Errorf("a = %d", got["a"])
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := e.Wait(t.Context(), 1); !errors.Is(err, ledger.ErrStopped) {
			t.Errorf("wait on a closed engine: %v", err)
		}
	})
}

func TestTick_comes_by_itself_and_before_the_commands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := ledger.Open(t.Context(), ledger.Config[*counters]{Store: new(ledgertest.Memory), Empty: ledgertest.NewCounters})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close(context.Background())
		at := time.Now()
		mustDo(t, e, func(s *counters) error { s.SetAlarm(at.Add(10 * time.Second)); return nil })
		time.Sleep(9900 * time.Millisecond)
		if h := e.Head(); h.Sequence != 1 {
			t.Errorf("at %d before the alarm is due", h.Sequence)
		}
		time.Sleep(1200 * time.Millisecond)
		if h := e.Head(); h.Sequence != 2 {
			t.Errorf("at %d after the alarm was due", h.Sequence)
		}
		mustDo(t, e, func(s *counters) error { s.SetAlarm(time.Now().Add(time.Second / 2)); return nil })
		time.Sleep(time.Second * 6 / 10)
		_, err = e.Try(t.Context(), func(s *counters) error {
			if s.Rang() != 2 {
				t.Errorf("Try saw %d alarms ring", s.Rang())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		c := mustDo(t, e, func(s *counters) error {
			if s.Rang() != 2 {
				t.Errorf("Do saw %d alarms ring", s.Rang())
			}
			s.Add("a", 1)
			return nil
		})
		if c.First != c.Last || c.Last != c.Head.Sequence {
			t.Errorf("%+v: the tick's entry is not the command's", c)
		}
	})
}

func TestTick_that_fails_keeps_nobody_waiting(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	e := open(t, newStore(t), func(c *ledger.Config[*counters]) {
		c.Log = zap.New(core)
		c.Empty = func() *counters {
			s := ledgertest.NewCounters()
			s.BadTick = true
			return s
		}
	})
	began := time.Now()
	mustDo(t, e, func(s *counters) error { s.SetAlarm(time.Now()); return nil })
	for range 5 {
		mustDo(t, e, add("a", 1))
	}
	if n, most := logs.Len(), 2+int(time.Since(began)/time.Second); n < 1 || n > most { // one a second
		t.Errorf("logged %d times, want %d at the most", n, most)
	}
	if h := e.Head(); h.Sequence != 6 {
		t.Errorf("%d entries, want 6: what a failed tick drafted is dropped", h.Sequence)
	}
	if _, err := e.Try(t.Context(), add("a", 1)); err != nil {
		t.Errorf("try: %v", err)
	}
	replayed(t, e)
}

func TestDo_block_time_never_goes_back(t *testing.T) {
	clock := handAt(time.Date(2022, 1, 18, 9, 0, 0, 1234567, time.FixedZone("+07", 7*3600)))
	e := open(t, newStore(t), clocked(clock))
	first := mustDo(t, e, add("a", 1)).Head.Time
	if want := time.Date(2022, 1, 18, 2, 0, 0, 1234000, time.UTC); first != want {
		t.Errorf("%v, want whole microseconds in UTC: %v", first, want)
	}
	clock.add(-time.Hour)
	if got := mustDo(t, e, add("a", 1)).Head.Time; got != first {
		t.Errorf("%v after %v", got, first)
	}
	clock.add(2 * time.Hour)
	if got := mustDo(t, e, add("a", 1)).Head.Time; got != first.Add(time.Hour) {
		t.Errorf("%v", got)
	}
}

func TestClose_answers_all_that_wait(t *testing.T) {
	store := newStore(t)
	e := open(t, store, func(c *ledger.Config[*counters]) { c.MaxBlock = 7 })
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { mustDo(t, e, func(*counters) error { close(held); <-release; return nil }) })
	<-held
	for i := range 100 {
		wg.Go(func() { mustDo(t, e, add("a", 1)) })
		for e.Stats().Waiting <= i {
			time.Sleep(10 * time.Microsecond)
		}
	}
	closed := make(chan error)
	go func() { closed <- e.Close(context.Background()) }()
	for stopped := false; !stopped; { // the loop is held: a command that is let in waits in vain
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := e.Do(ctx, add("late", 1))
		stopped = errors.Is(err, ledger.ErrStopped)
		cancel()
	}
	close(release)
	wg.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if h, _ := store.Head(t.Context()); h.Sequence != 100 {
		t.Errorf("log ends at %d", h.Sequence)
	}
}
