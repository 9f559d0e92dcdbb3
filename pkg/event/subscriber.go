package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrEpoch says that the log has another epoch than the subscriber's position:
// an operator declared that history was cut, because the log was restored from a
// backup that subscribers may have seen more of. What was built from the events has
// to be built anew: drop it, save the zero Position and run again. The log of the new
// epoch begins with event 1, and its events up to the declaration still carry the
// epoch in which they were written.
var ErrEpoch = errors.New("event: the log has another epoch than the position")

// How long things wait.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
	pollPause    = time.Second // between looks at the log while NATS is away
	callTimeout  = 10 * time.Second
	saveTimeout  = 10 * time.Second
)

// Handler takes in one event. When it fails it is called again with the same
// event until it succeeds, or until Config.MaxAttempts sets the event aside: no
// event is skipped in silence. IdentityOf gives the event's identity. It may see an event twice only when the process ended
// between its success and the saving of the position.
type Handler func(ctx context.Context, e *eventv1.Event) error

// Config is what a Subscriber needs.
type Config struct {
	// Conn is the connection to NATS, with automatic reconnection. Nil means that
	// events are read from the log by ListEvents alone, once a second.
	Conn *nats.Conn
	// Events serves the consumer and what the stream lost. Required.
	Events reportingv1.EventServiceClient
	// Subscription is the name of the durable consumer, made of lower-case letters,
	// digits and hyphens. Two running subscribers must not share one. Required.
	Subscription string
	// Subjects are the filters of what to receive; none means all facts.
	Subjects []string
	// Positions keeps how far it has come. Required.
	Positions PositionStore
	// MaxAttempts is how often the handler may fail on one event before the event is
	// set aside as a dead letter of the subscription, with the last error, and the next
	// ones follow. So is at once an event that cannot be decoded. 0 means that the same
	// event is tried for ever. Attempts are counted anew after a restart. The pauses
	// between them grow from 0.1 to 10 seconds: a handler whose database may be away
	// should wait for it by itself, or every event of that time is set aside.
	MaxAttempts int32
	// ForgetAfter is how long after this process last read from it NATS forgets the
	// subscription, a minute at least: for one that does not come back, and keeps its
	// position nowhere. 0 means 30 days.
	ForgetAfter time.Duration
	// Log gets what went wrong and is being tried again. Nil discards it.
	Log *slog.Logger
}

// Subscriber hands each event to its handler once and in ascending order of
// their numbers. Its own stored position decides what comes next: what the
// stream repeats is dropped, and what it lost is read from the log.
//
// One exception, for a subscriber with filters: an event that the stream lost may
// show only by a later one on its own subject, when events of other subjects were
// handled already. It is then handed over just before that later one. Without
// filters every loss shows at once.
type Subscriber struct {
	c Config
}

// New returns a subscriber. It fails when the configuration lacks something.
func New(c Config) (*Subscriber, error) {
	switch {
	case c.Events == nil:
		return nil, errors.New("subscriber: Events is required")
	case c.Subscription == "":
		return nil, errors.New("subscriber: Subscription is required")
	case c.Positions == nil:
		return nil, errors.New("subscriber: Positions is required")
	case c.MaxAttempts < 0:
		return nil, errors.New("subscriber: MaxAttempts is negative")
	}
	for _, f := range c.Subjects {
		if err := CheckFilter(f); err != nil {
			return nil, fmt.Errorf("subscriber: %w", err)
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Subscriber{c: c}, nil
}

// Run hands events to h until ctx ends, and then returns nil. It returns an error
// only when waiting cannot help: ErrEpoch, a position that cannot be read, or a
// request that the service refuses. While NATS or the service is away it goes on trying.
func (s *Subscriber) Run(ctx context.Context, h Handler) error {
	p, err := s.c.Positions.Load(ctx)
	if err != nil {
		return fmt.Errorf("subscription %s: %w", s.c.Subscription, err)
	}
	r := &run{Config: s.c, handle: h, track: newTrack(p, len(s.c.Subjects) > 0)}
	pause := firstPause
	for ctx.Err() == nil {
		before := r.track.at
		err := r.follow(ctx)
		if err == nil || !final(err) {
			r.report(ctx, "the stream cannot be read; reading the log", err)
			err = r.catchUp(ctx, 0)
		}
		if final(err) {
			return fmt.Errorf("subscription %s: %w", s.c.Subscription, err)
		}
		r.report(ctx, "the log cannot be read; trying again", err)
		if err == nil {
			pause = min(pause, pollPause)
		}
		if r.track.at != before {
			pause = firstPause
		}
		pause = sleep(ctx, pause)
	}
	return nil
}

// final reports whether trying again cannot help.
func final(err error) bool {
	if errors.Is(err, ErrEpoch) {
		return true
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// report logs an error unless it is only that ctx ended.
func (r *run) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		r.Log.WarnContext(ctx, what, "subscription", r.Subscription,
			"sequence", r.track.at.Sequence, "error", err)
	}
}

// sleep waits for about d, less when ctx ends, and returns how long to wait next.
func sleep(ctx context.Context, d time.Duration) time.Duration {
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return min(2*d, longestPause)
}
