package load

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// Listener is a subscriber to a country's submissions that notes how late each comes:
// from the time in the event, which is before its commit, to the handler.
type Listener struct{ Late Times }

// Run listens until ctx ends.
func (l *Listener) Run(ctx context.Context, nc *nats.Conn, events reportingv1.EventServiceClient) error {
	s, err := event.New(event.Config{Conn: nc, Events: events, Subscription: "storm", Subjects: []string{"cotmoc." + Wave + ".submission.>"},
		Positions: new(event.MemoryPositions)})
	if err != nil {
		return err
	}
	return s.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		l.Late.Note(time.Since(time.UnixMicro(e.GetTimeUnixMicros())))
		return nil
	})
}
