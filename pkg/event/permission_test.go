package event_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestReadersNeedNoMoreThanTheirOwnConsumer: a user of NATS that may only look at the
// consumers of one subscription, fetch from them and acknowledge, reads facts and last
// values; consumers are made by the service.
func TestReadersNeedNoMoreThanTheirOwnConsumer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.must(s.js.DeleteStream(t.Context(), streamName))
	s.create(jetstream.StreamConfig{Name: streamName, Subjects: []string{"cotmoc.*.submission.>"}})
	b := &boardRig{service: s, seen: map[string][]uint64{}}
	b.make()
	b.show("vn", 3)
	s.grow(30)

	var mu sync.Mutex
	var violations []string
	nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", s.port), nats.UserInfo("strict", "secret"),
		nats.CustomInboxPrefix("_INBOX_reader"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			mu.Lock()
			defer mu.Unlock()
			violations = append(violations, err.Error())
		}))
	s.must(err)
	defer nc.Close()

	r := s.read(event.Config{Conn: nc}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- event.Progress(ctx, event.ProgressConfig{Conn: nc, Events: s.client, Subscription: "reader"}, b.take)
	}()
	r.wait(upTo(1, 30))
	b.wait(map[string][]uint64{"vn": {3}})
	s.grow(20)
	b.show("vn", 4)
	r.wait(upTo(1, 50))
	b.wait(map[string][]uint64{"vn": {3, 4}})
	acked(t, s, 50)
	cancel()
	s.must(<-done)
	mu.Lock()
	defer mu.Unlock()
	if len(violations) > 0 {
		t.Errorf("NATS refused: %q", violations)
	}
	js, err := jetstream.New(nc)
	s.must(err)
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if _, err := js.CreateConsumer(short, streamName, consumerConfig("reader", 0, nil)); err == nil {
		t.Error("the user may make consumers: the test shows nothing")
	}
}

// acked waits until the subscription's consumer has all acknowledgements.
func acked(t *testing.T, s *service, n uint64) {
	t.Helper()
	var info *jetstream.ConsumerInfo
	for range 6000 {
		c, err := s.js.Consumer(t.Context(), streamName, "reader")
		s.must(err)
		if info = c.CachedInfo(); info.AckFloor.Stream == n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("acknowledged up to %d of %d", info.AckFloor.Stream, n)
}
