package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// staleAfter is how many requests that brought nothing follow each other before the
// log is asked whether it still has the epoch that is read, some 30 seconds.
const staleAfter = 10

// ProgressConfig is what Progress needs. All but Subjects and Log are required.
type ProgressConfig struct {
	// Conn is the connection to NATS, with automatic reconnection.
	Conn *nats.Conn
	// Events makes the consumer: a subscriber may not.
	Events reportingv1.EventServiceClient
	// Subscription is the name of the consumer, made of lower-case letters, digits and
	// hyphens. Two running readers must not share one.
	Subscription string
	// Subjects are the filters of the totals to receive, with `progress` as their third
	// token; none means all.
	Subjects []string
	// Log gets what went wrong and is being tried again. Nil discards it.
	Log *slog.Logger
}

// check fills in defaults and says what is missing.
func (c *ProgressConfig) check() error {
	if c.Conn == nil || c.Events == nil || c.Subscription == "" {
		return errors.New("progress: Conn, Events and Subscription are required")
	}
	for _, f := range c.Subjects {
		if err := CheckFilter(f); err != nil {
			return fmt.Errorf("progress: %w", err)
		}
	}
	if len(c.Subjects) == 0 {
		c.Subjects = []string{root + ".*.progress.>"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Progress hands over the last value of each total that the filters cover, the
// whole board first and then what moves, until ctx ends or fn fails. It is a view:
// values in between may be left out, and never does one follow that is older than
// what was handed over for its subject. After a new epoch of the log was declared,
// the board of that epoch follows. While NATS or the service is away, Progress waits
// for it. It returns nil when ctx ended, and an error of fn or of a request that the
// service refuses.
func Progress(ctx context.Context, c ProgressConfig, fn func(context.Context, *eventv1.ProgressChanged) error) error {
	if err := c.check(); err != nil {
		return err
	}
	js, err := jetstream.New(c.Conn)
	if err != nil {
		return fmt.Errorf("progress: open JetStream: %w", err)
	}
	b := &board{ProgressConfig: c, js: js, fn: fn, seen: map[string]Position{}}
	for pause := firstPause; ctx.Err() == nil; pause = sleep(ctx, pause) {
		moved, err := b.read(ctx)
		var refused *refusedError
		if errors.As(err, &refused) {
			return refused.err
		}
		if final(err) {
			return fmt.Errorf("progress: %w", err)
		}
		if err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "progress cannot be read; trying again", "subscription", c.Subscription, "error", err)
		}
		if moved {
			pause = firstPause
		}
	}
	return nil
}

// refusedError is an error of the caller's function.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }

// board is what a reader of progress knows.
type board struct {
	ProgressConfig
	js   jetstream.JetStream
	fn   func(context.Context, *eventv1.ProgressChanged) error
	seen map[string]Position
}

// read asks for a consumer that begins with each subject's last value, and reads it
// until something is wrong. A new consumer then gives the whole board again, so
// nothing that was lost on the way stays lost; what is known is dropped.
func (b *board) read(ctx context.Context) (moved bool, err error) {
	connects := b.Conn.Stats().Reconnects
	c, epoch, err := b.consumer(ctx)
	if err != nil {
		return false, err
	}
	var given given
	given.from(c)
	for idle := 0; ctx.Err() == nil; {
		n, err := fetchEach(ctx, c, func(m jetstream.Msg) error {
			missed, err := given.missed(m)
			if missed {
				err = errors.New("messages did not arrive")
			}
			if err != nil {
				return err
			}
			return b.take(ctx, m)
		})
		moved = moved || n > 0
		if err != nil {
			return moved, err
		}
		if b.Conn.Stats().Reconnects != connects {
			return moved, errors.New("reconnected: what was on its way is lost")
		}
		if idle++; n > 0 {
			idle = 0
		}
		if idle == staleAfter {
			if idle = 0; b.outdated(ctx, epoch) {
				return true, fmt.Errorf("epoch %d of the log is over", epoch)
			}
		}
	}
	return moved, nil
}

// consumer has the service make a consumer, of the epoch that it names.
func (b *board) consumer(ctx context.Context) (jetstream.Consumer, uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	where, err := b.Events.EnsureSubscription(ctx, &reportingv1.EnsureSubscriptionRequest{
		Subscription: b.Subscription, Subjects: b.Subjects,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("ensure subscription %s: %w", b.Subscription, err)
	}
	c, err := b.js.Consumer(ctx, where.GetStream(), where.GetConsumer())
	if err != nil {
		return nil, 0, fmt.Errorf("open consumer %s of %s: %w", where.GetConsumer(), where.GetStream(), err)
	}
	return c, where.GetEpoch(), nil
}

// outdated reports whether the log has another epoch by now. A page after the last
// number that there can be names it and costs nothing.
func (b *board) outdated(ctx context.Context, epoch uint32) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	page, err := b.Events.ListEvents(ctx, &reportingv1.ListEventsRequest{AfterSequence: math.MaxUint64, PageSize: 1})
	return err == nil && page.GetEpoch() != epoch
}

// take hands over a value that is newer than the one before.
func (b *board) take(ctx context.Context, m jetstream.Msg) error {
	p := &eventv1.ProgressChanged{}
	if err := proto.Unmarshal(m.Data(), p); err != nil {
		return fmt.Errorf("decode progress on %s: %w", m.Subject(), err)
	}
	at := Position{Epoch: p.GetEpoch(), Sequence: p.GetSequence()}
	if before, known := b.seen[m.Subject()]; known && !at.after(before) {
		return nil
	}
	if err := b.fn(ctx, p); err != nil {
		return &refusedError{err: err}
	}
	b.seen[m.Subject()] = at
	return nil
}
