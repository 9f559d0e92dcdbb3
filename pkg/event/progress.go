package event

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// forgetAfter is when NATS may drop a reader's consumer that nobody asks any more.
const forgetAfter = time.Minute

// Progress hands over the last value of each total that the filters cover (none
// means all), the whole board first and then what moves, until ctx ends or fn
// fails. It is a view: values in between may be left out, and never does one
// follow that is older than what was handed over for its subject. stream is the
// progress_stream that EnsureSubscription names; while it is away, Progress waits
// for it. It returns nil when ctx ended.
func Progress(ctx context.Context, nc *nats.Conn, stream string, subjects []string,
	fn func(context.Context, *eventv1.ProgressChanged) error) error {
	for _, f := range subjects {
		if err := CheckFilter(f); err != nil {
			return fmt.Errorf("progress: %w", err)
		}
	}
	if len(subjects) == 0 {
		subjects = []string{root + ".*.progress.>"}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("progress: open JetStream: %w", err)
	}
	b := &board{js: js, stream: stream, subjects: subjects, fn: fn, seen: map[string]Position{}}
	for pause := firstPause; ctx.Err() == nil; pause = sleep(ctx, pause) {
		moved, err := b.read(ctx)
		var refused *refusedError
		if errors.As(err, &refused) {
			return refused.err
		}
		var api *jetstream.APIError
		if errors.As(err, &api) && api.Code == http.StatusBadRequest {
			return fmt.Errorf("progress: %w", err)
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
	js       jetstream.JetStream
	stream   string
	subjects []string
	fn       func(context.Context, *eventv1.ProgressChanged) error
	seen     map[string]Position
}

// read makes a consumer that begins with each subject's last value, and reads it
// until something is wrong. A new consumer then gives the whole board again, so
// nothing that was lost on the way stays lost; what is known is dropped.
func (b *board) read(ctx context.Context) (moved bool, err error) {
	open, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := b.js.CreateConsumer(open, b.stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
		FilterSubjects: b.subjects, InactiveThreshold: forgetAfter, MemoryStorage: true,
	})
	if err != nil {
		return false, fmt.Errorf("open %s: %w", b.stream, err)
	}
	name := c.CachedInfo().Name
	defer func() {
		// Left over, NATS drops it by itself.
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = b.js.DeleteConsumer(drop, b.stream, name)
	}()
	connects := b.js.Conn().Stats().Reconnects
	for ctx.Err() == nil {
		n, err := fetchEach(ctx, c, func(m jetstream.Msg) error { return b.take(ctx, m) })
		moved = moved || n > 0
		if err != nil {
			return moved, err
		}
		if b.js.Conn().Stats().Reconnects != connects {
			return moved, errors.New("reconnected: what was on its way is lost")
		}
	}
	return moved, nil
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
