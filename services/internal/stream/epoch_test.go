package stream_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// replica opens one more engine on a store.
func replica(t *testing.T, store ledger.Store) *engine {
	t.Helper()
	e, err := ledger.Open(t.Context(), ledger.Config[*ledgertest.Counters]{Store: store, Empty: ledgertest.NewCounters, Follow: true})
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

func declare(t *testing.T, e *engine, epoch uint32) {
	t.Helper()
	if _, err := e.Declare(t.Context(), ledger.Declaration{Epoch: epoch}, func(s *ledgertest.Counters) error {
		s.Add("declared", 1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// equals checks that the stream of an epoch is the log, from the first message on.
func equals(t *testing.T, nc *nats.Conn, e *engine, epoch uint32) {
	t.Helper()
	if err := stream.Verify(t.Context(), jsOf(t, nc), stream.FactsName(epoch), e); err != nil {
		t.Fatal(err)
	}
	if st := stateOf(t, nc, epoch); st.FirstSeq != 1 || st.Msgs != e.Head().Sequence {
		t.Fatalf("%+v, log at %d", st, e.Head().Sequence)
	}
}

func stateOf(t *testing.T, nc *nats.Conn, epoch uint32) jetstream.StreamState {
	t.Helper()
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(epoch))
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State
}

func TestRelay_new_epoch_after_a_log_was_restored_from_a_backup(t *testing.T) {
	nc, _ := natstest.Start(t)
	store := new(ledgertest.Memory)
	before := replica(t, store)
	grow(t, before, 15, 10)
	if err := stream.EnsureStreams(t.Context(), jsOf(t, nc), 1, 1); err != nil {
		t.Fatal(err)
	}
	r, stop := run(t, nc, before)
	until(t, "published", func() bool { return r.Published() == 150 })
	c, err := jsOf(t, nc).CreateConsumer(t.Context(), stream.FactsName(1), jetstream.ConsumerConfig{
		Durable: "reader", FilterSubjects: []string{"cotmoc.*.submission.>", "cotmoc.all.task.>"}, AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := before.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	store.Cut(10)
	e := replica(t, store)
	r, _ = run(t, nc, e)
	until(t, "ahead is seen", func() bool { return strings.Contains(r.Problem(), "ahead of the log at 100") })
	grow(t, e, 3, 1) // intake goes on
	if n := stateOf(t, nc, 1).LastSeq; n != 150 {
		t.Fatalf("the old stream is at %d", n)
	}
	declare(t, e, 2)
	grow(t, e, 3, 5)
	until(t, "published in the new epoch", func() bool { return r.Problem() == "" && r.Published() == e.Head().Sequence })
	equals(t, nc, e, 2)
	if st := stateOf(t, nc, 1); st.Msgs != 150 {
		t.Errorf("the old stream was not kept: %+v", st)
	}
	if batch, err := c.FetchNoWait(200); err != nil {
		t.Error(err)
	} else {
		n := 0
		for range batch.Messages() {
			n++
		}
		if n != 150 {
			t.Errorf("a reader of the old stream got %d messages", n)
		}
	}
	if _, err := jsOf(t, nc).Publish(t.Context(), "cotmoc.all.submission.accepted.t.vn", nil, jetstream.WithExpectStream(stream.FactsName(1))); err == nil {
		t.Error("the old stream took a message")
	}
	if err := stream.EnsureStreams(t.Context(), jsOf(t, nc), 2, 1); err != nil {
		t.Fatal(err)
	}
	if name, err := jsOf(t, nc).StreamNameBySubject(t.Context(), "cotmoc.p.progress.changed.t.vn"); err != nil || name != stream.ProgressName(2) {
		t.Errorf("last values are in %q, %v", name, err)
	}
	if err := stream.EnsureStreams(t.Context(), jsOf(t, nc), 1, 1); err == nil || !strings.Contains(err.Error(), "later epoch") {
		t.Errorf("streams of the old epoch were put in order again: %v", err)
	}
}

// A clock that is set by hand lets a restored log go on with the very bytes of what was
// lost. They are other events all the same.
func TestRelay_stream_of_a_log_that_was_restored_and_went_on_with_the_same_bytes(t *testing.T) {
	nc, _ := natstest.Start(t)
	store := new(ledgertest.Memory)
	still := func() *engine {
		e, err := ledger.Open(t.Context(), ledger.Config[*ledgertest.Counters]{Store: store, Empty: ledgertest.NewCounters,
			Now: func() time.Time { return time.Date(2022, 7, 31, 17, 0, 0, 0, time.UTC) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close(context.Background()) })
		return e
	}
	add := func(e *engine) {
		if _, err := e.Do(t.Context(), func(s *ledgertest.Counters) error { s.Add("c", 1); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	before := still()
	for range 3 {
		add(before)
	}
	r, stop := run(t, nc, before)
	until(t, "published", func() bool { return r.Published() == 3 })
	stop()
	lost := before.Head()

	store.Cut(2)
	e := still()
	add(e)
	if e.Head().Hash != lost.Hash {
		t.Fatal("the logs were meant to be the same to the byte")
	}
	r, _ = run(t, nc, e)
	until(t, "other events are seen", func() bool { return strings.Contains(r.Restored(), "message 3") })
	declare(t, e, 2)
	until(t, "published in the new epoch", func() bool { return r.Problem() == "" && r.Published() == 4 })
	equals(t, nc, e, 2)
}

func TestRelay_new_epochs_among_three_replicas_under_load(t *testing.T) {
	nc, url := natstest.Start(t)
	store := new(ledgertest.Memory)
	var es []*engine
	var rs []*stream.Relay
	for range 3 {
		own, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(own.Close)
		e := replica(t, store)
		r, _ := run(t, own, e)
		es, rs = append(es, e), append(rs, r)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, e := range es {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					grow(t, e, 1, 3)
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	for epoch := uint32(2); epoch <= 5; epoch++ {
		time.Sleep(300 * time.Millisecond)
		declare(t, es[epoch%3], epoch)
		until(t, "the new epoch's stream is there", func() bool {
			_, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(epoch))
			return err == nil
		})
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	for i, e := range es {
		if err := e.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		until(t, "published", func() bool { return rs[i].Published() == e.Head().Sequence && rs[i].Problem() == "" })
	}
	equals(t, nc, es[0], 5)
	for epoch := uint32(1); epoch < 5; epoch++ {
		prefix(t, nc, es[0], epoch)
	}
	t.Logf("log at %+v", es[0].Head())
}

// prefix checks that a stream whose epoch is over holds the beginning of the log, and
// nothing of a later epoch.
func prefix(t *testing.T, nc *nats.Conn, e *engine, epoch uint32) {
	t.Helper()
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(epoch))
	if err != nil {
		t.Errorf("epoch %d: %v", epoch, err)
		return
	}
	st := s.CachedInfo().State
	if st.NumDeleted > 0 || st.Msgs > 0 && st.FirstSeq != 1 {
		t.Errorf("epoch %d: %+v", epoch, st)
	}
	for n := uint64(1); n <= st.LastSeq; n++ {
		en, b, err := e.Entry(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != string(en.Event) || b.Epoch > epoch {
			t.Fatalf("message %d of epoch %d: %s, the log has %s of epoch %d", n, epoch, m.Data, en.Event, b.Epoch)
		}
	}
}

func TestRelay_replica_that_lags_behind_an_epoch_spoils_nothing(t *testing.T) {
	nc, _ := natstest.Start(t)
	store := new(ledgertest.Memory)
	ahead := replica(t, store)
	grow(t, ahead, 10, 10)
	frozen := &still{Source: ahead, head: ahead.Head()}
	stale, _ := run(t, nc, frozen)
	until(t, "published", func() bool { return stale.Published() == 100 })
	declare(t, ahead, 2)
	r, _ := run(t, nc, ahead)
	until(t, "published in the new epoch", func() bool { return r.Published() == 101 })
	frozen.grow() // the frozen replica still has events of its epoch to publish
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if p := stale.Problem(); p != "" || stale.Published() != 100 {
			t.Fatalf("the frozen one is at %d and says %q", stale.Published(), p)
		}
	}
	equals(t, nc, ahead, 2)
	if n := stateOf(t, nc, 1).LastSeq; n != 100 {
		t.Errorf("the old stream is at %d", n)
	}
	frozen.thaw()
	until(t, "the woken one goes on", func() bool { return stale.Published() == ahead.Head().Sequence && stale.Problem() == "" })
	equals(t, nc, ahead, 2)
}

func TestRelay_replica_that_is_behind_raises_no_alarm(t *testing.T) {
	nc, _ := natstest.Start(t)
	store := new(ledgertest.Memory)
	ahead := replica(t, store)
	grow(t, ahead, 10, 10)
	frozen := &still{Source: ahead, head: ahead.Head()}
	grow(t, ahead, 10, 10)
	r, _ := run(t, nc, ahead)
	until(t, "all is published", func() bool { return r.Published() == ahead.Head().Sequence })
	stale, _ := run(t, nc, frozen)
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if p := stale.Problem(); p != "" {
			t.Fatalf("it is behind, and says %q", p)
		}
	}
	frozen.thaw()
	until(t, "it goes on", func() bool { return stale.Published() == ahead.Head().Sequence })
}

// still is the log of a replica that has stopped following; when it grows, it shows
// an event more that it takes for one of its old epoch.
type still struct {
	stream.Source
	mu     sync.Mutex
	head   ledger.Head
	thawed bool
}

func (s *still) grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head.Sequence++
}

func (s *still) thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thawed = true
}

func (s *still) Head() ledger.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thawed {
		return s.Source.Head()
	}
	return s.head
}

// Fresh waits, as for a store that does not answer.
func (s *still) Fresh(ctx context.Context) error {
	for s.Head() != s.Source.Head() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (s *still) Wait(ctx context.Context, after uint64) (ledger.Head, error) {
	for {
		if h := s.Head(); h.Sequence > after {
			return h, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return s.Head(), context.Cause(ctx)
		}
	}
}
