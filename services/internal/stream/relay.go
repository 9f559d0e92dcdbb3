package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// How the relay works.
const (
	window     = 4096 // publishes under way at once
	watchEvery = time.Second
	retryFirst = 50 * time.Millisecond
	retryMost  = 5 * time.Second
	ackWithin  = 10 * time.Second
	askWithin  = 5 * time.Second
)

// Source is a log.
type Source interface {
	Head() ledger.Head
	Wait(ctx context.Context, after uint64) (ledger.Head, error)
	Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error]
}

// RelayConfig is what a relay works with. All but Log are required.
type RelayConfig struct {
	JetStream jetstream.JetStream
	Source    Source
	// Describe tells the subject and headers of an event.
	Describe func(sequence uint64, event []byte) (subject string, header nats.Header, err error)
	Log      *zap.Logger
}

// Relay publishes a log. Event n goes out with the demand that n−1 be the stream's
// last number, so however many relays there are, frozen, woken or restarted, at most
// one publish a number wins; the loser reads where the stream is and goes on there.
type Relay struct {
	c         RelayConfig
	published atomic.Uint64
	problem   atomic.Pointer[string]
}

// NewRelay returns a relay; Run starts it.
func NewRelay(c RelayConfig) *Relay {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return &Relay{c: c}
}

// Published is the last number known to be on the stream.
func (r *Relay) Published() uint64 { return r.published.Load() }

// Problem says why nothing is published, in words; empty when all is well.
func (r *Relay) Problem() string {
	if p := r.problem.Load(); p != nil {
		return *p
	}
	return ""
}

// errStream says that the stream is not a part of the log: only an operator can
// tell which of the two is right.
var errStream = errors.New("the stream is not the log's")

// Run publishes until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	pause := retryFirst
	for ctx.Err() == nil {
		at, err := r.position(ctx)
		if err == nil {
			r.settle("")
			pause = retryFirst
			err = r.publish(ctx, at)
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // look at the stream again
		}
		if errors.Is(err, errStream) || pause >= time.Second {
			r.settle(err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, retryMost)
	}
}

// settle notes a problem, or that there is none, and logs it when it is new.
func (r *Relay) settle(problem string) {
	if was := r.problem.Swap(&problem); was != nil && *was == problem || was == nil && problem == "" {
		return
	}
	if problem == "" {
		r.c.Log.Info("events are published again")
		return
	}
	r.c.Log.Error("events are not published; intake goes on", zap.String("problem", problem))
}

// position makes sure that the stream is a gapless beginning of the log, repairing
// it where it is not, and returns its last number.
func (r *Relay) position(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	head := r.c.Source.Head()
	stream, err := r.c.JetStream.Stream(ctx, FactsName(head.Epoch))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		r.published.Store(0)
		return 0, EnsureStreams(ctx, r.c.JetStream, head.Epoch)
	}
	if err != nil {
		return 0, fmt.Errorf("look at the stream: %w", err)
	}
	state := stream.CachedInfo().State
	if state.NumDeleted > 0 || state.Msgs > 0 && state.Msgs != state.LastSeq-state.FirstSeq+1 || state.Msgs == 0 && state.LastSeq > 0 {
		return 0, r.rebuild(ctx, head.Epoch, state)
	}
	if err := r.agrees(ctx, stream, state.LastSeq); err != nil {
		return 0, err
	}
	r.published.Store(state.LastSeq)
	return state.LastSeq, nil
}

// rebuild takes away a stream that has holes: it is filled again from the log.
func (r *Relay) rebuild(ctx context.Context, epoch uint32, state jetstream.StreamState) error {
	r.c.Log.Error("the stream has holes and is rebuilt from the log",
		zap.Uint64("first", state.FirstSeq), zap.Uint64("last", state.LastSeq), zap.Uint64("messages", state.Msgs))
	if err := r.c.JetStream.DeleteStream(ctx, FactsName(epoch)); err != nil {
		return fmt.Errorf("take away the stream with holes: %w", err)
	}
	r.published.Store(0)
	return EnsureStreams(ctx, r.c.JetStream, epoch)
}

// agrees compares the stream's last message with the log's event of that number.
func (r *Relay) agrees(ctx context.Context, stream jetstream.Stream, last uint64) error {
	if last == 0 {
		return nil
	}
	if head := r.c.Source.Head().Sequence; last > head {
		return fmt.Errorf("%w: it goes to number %d, the log to %d; was the database restored from a backup?", errStream, last, head)
	}
	m, err := stream.GetMsg(ctx, last)
	if err != nil {
		return fmt.Errorf("read the stream's last message: %w", err)
	}
	for block, err := range r.c.Source.Blocks(ctx, last-1) {
		if err != nil {
			return fmt.Errorf("read event %d: %w", last, err)
		}
		if !bytes.Equal(block.Entries[last-block.First].Event, m.Data) {
			return fmt.Errorf("%w: number %d has another content there", errStream, last)
		}
		break
	}
	return nil
}

// publish sends what follows a number, and each new event, until something fails
// or it is time to look at the stream again.
func (r *Relay) publish(ctx context.Context, at uint64) error {
	due := time.Now().Add(watchEvery)
	for time.Now().Before(due) {
		head := r.c.Source.Head().Sequence
		if head > at {
			var err error
			if at, err = r.send(ctx, at, head); err != nil {
				return err
			}
			continue
		}
		quiet, cancel := context.WithDeadline(ctx, due)
		_, err := r.c.Source.Wait(quiet, at)
		cancel()
		if err != nil {
			if ctx.Err() == nil && quiet.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

// flight is the publishes that are not acknowledged yet, oldest first.
type flight []jetstream.PubAckFuture

// send publishes the events after a number up to another, many under way at once,
// and returns the last one acknowledged.
func (r *Relay) send(ctx context.Context, at, to uint64) (uint64, error) {
	var under flight
	acked := at
	wait := func(n int) error {
		for ; n > 0 && len(under) > 0; n-- {
			if err := r.acknowledge(ctx, under[0], acked+1); err != nil {
				return err
			}
			under = under[1:]
			acked++
			r.published.Store(acked)
		}
		return nil
	}
	name := FactsName(r.c.Source.Head().Epoch)
	for block, err := range r.c.Source.Blocks(ctx, at) {
		if err != nil {
			return acked, fmt.Errorf("read the log after %d: %w", at, err)
		}
		for ; at < block.End() && at < to; at++ {
			if len(under) >= window {
				if err := wait(window / 2); err != nil {
					return acked, err
				}
			}
			f, err := r.publishOne(name, at+1, block.Entries[at+1-block.First].Event)
			if err != nil {
				return acked, err
			}
			under = append(under, f)
		}
		if at >= to {
			break
		}
	}
	return acked, wait(len(under))
}

func (r *Relay) publishOne(stream string, n uint64, event []byte) (jetstream.PubAckFuture, error) {
	subject, header, err := r.c.Describe(n, event)
	if err != nil {
		return nil, fmt.Errorf("describe event %d: %w", n, err)
	}
	return r.c.JetStream.PublishMsgAsync(&nats.Msg{Subject: subject, Header: header, Data: event},
		jetstream.WithExpectLastSequence(n-1), jetstream.WithExpectStream(stream))
}

// acknowledge waits for the server's word that event n is on the stream.
func (r *Relay) acknowledge(ctx context.Context, f jetstream.PubAckFuture, n uint64) error {
	timeout := time.NewTimer(ackWithin)
	defer timeout.Stop()
	select {
	case ack := <-f.Ok():
		if ack.Sequence != n {
			return fmt.Errorf("%w: event %d was stored there as %d", errStream, n, ack.Sequence)
		}
		return nil
	case err := <-f.Err():
		return fmt.Errorf("publish event %d: %w", n, err)
	case <-timeout.C:
		return fmt.Errorf("publish event %d: no answer in %s", n, ackWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
}
