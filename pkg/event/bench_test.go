package event_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/nats-io/nats.go"
)

// BenchmarkSubscriber reads a stream of 20,000 events with a position in a file.
func BenchmarkSubscriber(b *testing.B) {
	const size = 20_000
	s := newService(b)
	for i := range size {
		s.add("chip-cards", "vn."+[]string{"01", "79", "92"}[i%3])
		stored := s.log[i]
		e, err := event.Decode(stored.GetEvent())
		s.must(err)
		_, err = s.js.PublishMsgAsync(&nats.Msg{Subject: stored.GetSubject(), Header: event.Header(e, identity(e)), Data: stored.GetEvent()})
		s.must(err)
	}
	<-s.js.PublishAsyncComplete()
	nc := s.connect()
	for b.Loop() {
		_ = s.js.DeleteConsumer(b.Context(), streamName, "bench") // none at first
		sub, err := event.New(event.Config{
			Conn: nc, Events: s.client, Subscription: "bench", Positions: event.FilePositions(filepath.Join(b.TempDir(), "p")),
		})
		s.must(err)
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		n := 0
		s.must(sub.Run(ctx, func(context.Context, *eventv1.Event) error {
			if n++; n == size {
				cancel()
			}
			return nil
		}))
		cancel()
		if n != size {
			b.Fatalf("%d events", n)
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
