package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type engine = ledger.Engine[*ledgertest.Counters]

func newEngine(t testing.TB) *engine {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := ledger.Open(t.Context(), ledger.Config[*ledgertest.Counters]{Store: store, Empty: ledgertest.NewCounters})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// grow commits n commands of size events.
func grow(t testing.TB, e *engine, n, size int) {
	t.Helper()
	for range n {
		_, err := e.Do(context.Background(), func(s *ledgertest.Counters) error {
			for range size {
				s.Add(fmt.Sprint("c", rand.IntN(50)), 1+rand.Int64N(9))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func describe(e stream.Event) (string, nats.Header, error) {
	return fmt.Sprintf("cotmoc.all.submission.accepted.t.vn.%d", e.Sequence%7), nats.Header{
		"ce-sequence": {fmt.Sprint(e.Sequence)}, "ce-id": {e.Mark.String()}, "ce-source": {fmt.Sprint(e.Origin)}}, nil
}

// run starts a relay and returns it with the way to stop it.
func run(t testing.TB, nc *nats.Conn, e stream.Source, change ...func(*stream.RelayConfig)) (*stream.Relay, func()) {
	t.Helper()
	cfg := stream.RelayConfig{Conn: nc, Source: e, Describe: describe}
	for _, f := range change {
		f(&cfg)
	}
	r, err := stream.NewRelay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return r, stop
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in a minute: " + what)
		}
	}
}

func jsOf(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// same checks that the stream is the log, whole.
func same(t *testing.T, nc *nats.Conn, e *engine) {
	t.Helper()
	if err := differs(t, nc, e); err != nil {
		t.Fatal(err)
	}
}

// differs says how the stream differs from the log, or why it cannot be read.
func differs(t *testing.T, nc *nats.Conn, e *engine) error {
	t.Helper()
	if err := stream.Verify(t.Context(), jsOf(t, nc), stream.FactsName(1), e); err != nil {
		return err
	}
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
	if err != nil {
		return err
	}
	if st := s.CachedInfo().State; st.Msgs != e.Head().Sequence || st.FirstSeq != 1 || st.LastSeq != st.Msgs || st.NumDeleted != 0 {
		return fmt.Errorf("%+v, log at %d", st, e.Head().Sequence)
	}
	return nil
}

func TestRelay_stream_is_the_log(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 3, 300)
	r, _ := run(t, nc, e)
	grow(t, e, 50, 3)
	until(t, "all published", func() bool { return r.Published() == e.Head().Sequence })
	same(t, nc, e)
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), 900)
	if err != nil || m.Subject != "cotmoc.all.submission.accepted.t.vn.4" || m.Header.Get("ce-sequence") != "900" {
		t.Errorf("%+v, %v", m, err)
	}
	if r.Problem() != "" || r.Rebuilt() != 1 {
		t.Errorf("problem %q, made %d times", r.Problem(), r.Rebuilt())
	}
}

func TestRelay_two_at_once(t *testing.T) {
	nc, url := natstest.Start(t)
	e := newEngine(t)
	var rs []*stream.Relay
	for range 3 {
		own, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(own.Close)
		r, _ := run(t, own, e)
		rs = append(rs, r)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { grow(t, e, 40, 2) })
	}
	wg.Wait()
	for _, r := range rs {
		until(t, "all published", func() bool { return r.Published() == e.Head().Sequence })
	}
	same(t, nc, e)
}

func TestRelay_frozen_and_woken(t *testing.T) {
	nc, url := natstest.Start(t)
	e := newEngine(t)
	var asleep atomic.Bool
	wake, slept := make(chan struct{}), make(chan struct{})
	own, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Close)
	frozen, _ := run(t, own, e, func(c *stream.RelayConfig) {
		c.Describe = func(ev stream.Event) (string, nats.Header, error) {
			if ev.Sequence == 150 && asleep.CompareAndSwap(false, true) {
				close(slept)
				<-wake
			}
			return describe(ev)
		}
	})
	grow(t, e, 1, 300)
	<-slept
	other, stop := run(t, nc, e)
	grow(t, e, 20, 10)
	until(t, "the other published", func() bool { return other.Published() == e.Head().Sequence })
	stop()
	close(wake)
	grow(t, e, 5, 10)
	until(t, "the woken one goes on", func() bool { return frozen.Published() == e.Head().Sequence })
	same(t, nc, e)
}

func TestRelay_stopped_and_started_at_any_point(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	var wg sync.WaitGroup
	wg.Go(func() { grow(t, e, 300, 5) })
	for range 25 {
		r, stop := run(t, nc, e)
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		stop()
		if r.Published() > e.Head().Sequence {
			t.Errorf("published %d of %d", r.Published(), e.Head().Sequence)
		}
	}
	wg.Wait()
	r, _ := run(t, nc, e)
	until(t, "all published", func() bool { return r.Published() == e.Head().Sequence })
	same(t, nc, e)
}

func TestRelay_makes_a_deleted_stream_again(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 2, 500)
	r, _ := run(t, nc, e)
	until(t, "published", func() bool { return r.Published() == e.Head().Sequence })
	var wg sync.WaitGroup
	wg.Go(func() { grow(t, e, 200, 2) })
	for i := range uint64(3) {
		if err := jsOf(t, nc).DeleteStream(t.Context(), stream.FactsName(1)); err != nil {
			t.Fatal(err)
		}
		until(t, "made again", func() bool { return r.Rebuilt() >= i+2 })
	}
	wg.Wait()
	until(t, "filled again", func() bool { return r.Published() == e.Head().Sequence })
	same(t, nc, e)
}

func TestRelay_makes_an_idle_stream_again(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 1, 10)
	r, _ := run(t, nc, e)
	until(t, "published", func() bool { return r.Published() == 10 })
	if err := jsOf(t, nc).DeleteStream(t.Context(), stream.FactsName(1)); err != nil {
		t.Fatal(err)
	}
	until(t, "made again without a new event", func() bool { return r.Rebuilt() == 2 && r.Published() == 10 })
	same(t, nc, e)
}

// loose makes the facts stream so that messages can be deleted from it.
func loose(t *testing.T, nc *nats.Conn) jetstream.Stream {
	t.Helper()
	c := stream.Facts(1)
	c.DenyDelete, c.DenyPurge = false, false
	s, err := jsOf(t, nc).CreateStream(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRelay_mends_a_hole(t *testing.T) {
	for name, damage := range map[string]func(context.Context, jetstream.Stream) error{
		"in_the_middle": func(ctx context.Context, s jetstream.Stream) error { return s.DeleteMsg(ctx, 40) },
		"at_the_start": func(ctx context.Context, s jetstream.Stream) error {
			return s.Purge(ctx, jetstream.WithPurgeSequence(50))
		},
		"everywhere": func(ctx context.Context, s jetstream.Stream) error { return s.Purge(ctx) },
		"at_the_end": func(ctx context.Context, s jetstream.Stream) error { return s.DeleteMsg(ctx, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			nc, _ := natstest.Start(t)
			e := newEngine(t)
			s := loose(t, nc)
			grow(t, e, 10, 10)
			r, _ := run(t, nc, e)
			until(t, "published", func() bool { return r.Published() == 100 })
			if err := damage(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			until(t, "made again", func() bool { return r.Rebuilt() == 1 && r.Published() == 100 })
			same(t, nc, e)
			s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteMsg(t.Context(), 40); err == nil {
				t.Error("a message of the new stream could be deleted")
			}
		})
	}
}

func TestRelay_stream_of_another_log_stops_it(t *testing.T) {
	nc, _ := natstest.Start(t)
	first := newEngine(t)
	grow(t, first, 1, 100)
	r, stop := run(t, nc, first)
	until(t, "published", func() bool { return r.Published() == 100 })
	stop()

	restored := newEngine(t) // as if from a backup that was too old
	grow(t, restored, 1, 50)
	core, logs := observer.New(zap.ErrorLevel)
	r, _ = run(t, nc, restored, func(c *stream.RelayConfig) { c.Log = zap.New(core) })
	until(t, "ahead is seen", func() bool { return strings.Contains(r.Problem(), "ahead") })
	if err := stream.Verify(t.Context(), jsOf(t, nc), stream.FactsName(1), restored); err == nil || !strings.Contains(err.Error(), "it is at 100, the log at 50") {
		t.Errorf("verify: %v", err)
	}
	grow(t, restored, 1, 60)
	until(t, "other content is seen", func() bool { return strings.Contains(r.Problem(), "message 100") })
	if r.Restored() != r.Problem() || r.Tampered() != "" {
		t.Errorf("restored: %q, tampered: %q", r.Restored(), r.Tampered())
	}
	time.Sleep(2500 * time.Millisecond)
	if n := logs.Len(); n != 2 {
		t.Errorf("logged %d times, want once for each problem", n)
	}
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.LastSeq; n != 100 {
		t.Errorf("published on a stream of another log: it is at %d", n)
	}
	if err := jsOf(t, nc).DeleteStream(t.Context(), stream.FactsName(1)); err != nil {
		t.Fatal(err)
	}
	until(t, "goes on by itself", func() bool { return r.Published() == 110 && r.Problem() == "" && r.Restored() == "" })
	same(t, nc, restored)
}

func TestRelay_NATS_away(t *testing.T) {
	dir := t.TempDir()
	s := natstest.Server(t, dir, "127.0.0.1:0")
	listen := strings.TrimPrefix(s.URL(), "nats://")
	nc := natstest.Connect(t, s)
	e := newEngine(t)
	r, _ := run(t, nc, e)
	grow(t, e, 10, 10)
	until(t, "published", func() bool { return r.Published() == 100 })
	for range 2 {
		s.Close()
		began := time.Now()
		grow(t, e, 30, 10)
		if d := time.Since(began); d > 20*time.Second { // NATS would be waited for without end
			t.Errorf("the log was held up: %v", d)
		}
		s = natstest.Server(t, dir, listen)
		until(t, "caught up", func() bool { return r.Published() == e.Head().Sequence })
		same(t, nc, e)
	}
	if r.Rebuilt() != 1 {
		t.Errorf("made %d times", r.Rebuilt())
	}
}

func TestRelay_NATS_wiped(t *testing.T) {
	s := natstest.Server(t, t.TempDir(), "127.0.0.1:0")
	listen := strings.TrimPrefix(s.URL(), "nats://")
	nc := natstest.Connect(t, s)
	e := newEngine(t)
	grow(t, e, 10, 10)
	r, _ := run(t, nc, e)
	until(t, "published", func() bool { return r.Published() == 100 })
	s.Close()
	natstest.Server(t, t.TempDir(), listen)
	until(t, "made again", func() bool { return r.Rebuilt() == 2 && r.Published() == 100 })
	same(t, nc, e)
}

func TestRelay_event_without_subject_is_a_problem(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 1, 10)
	var broken atomic.Bool
	broken.Store(true)
	r, _ := run(t, nc, e, func(c *stream.RelayConfig) {
		c.Describe = func(ev stream.Event) (string, nats.Header, error) {
			if ev.Sequence == 6 && broken.Load() {
				return "", nil, errors.New("unknown payload")
			}
			return describe(ev)
		}
	})
	until(t, "seen", func() bool { return strings.Contains(r.Problem(), "event 6") })
	broken.Store(false)
	until(t, "goes on", func() bool { return r.Published() == 10 && r.Problem() == "" })
	same(t, nc, e)
}
