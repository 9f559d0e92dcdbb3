package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	verifyAhead  = 2000    // messages on their way, and
	verifyBytes  = 4 << 20 // their size
	catchUpGrace = 10 * time.Second
	nextWithin   = 10 * time.Second // for one message
	// readerForgotten is when NATS forgets the consumer of one that could not delete it.
	readerForgotten = 30 * time.Second
)

// errNoAnswer says that NATS is away.
var errNoAnswer = errors.New("NATS does not answer")

// Verify compares a stream with the log, number by number and byte by byte, up to
// where the log ended when it was called; it waits a little for a relay that is
// behind. Messages that the stream no longer keeps, for want of room, are not
// compared. The error names the first difference, or says that NATS does not answer.
func Verify(ctx context.Context, js jetstream.JetStream, stream string, source Source) error {
	head := source.Head().Sequence
	info, err := reached(ctx, js, stream, head)
	if err != nil {
		return fmt.Errorf("verify stream %s: %w", stream, err)
	}
	if why := hole(info); why != "" {
		return fmt.Errorf("verify stream %s: %s", stream, why)
	}
	if now := source.Head().Sequence; info.State.LastSeq > now {
		return fmt.Errorf("verify stream %s: it is at %d, the log at %d", stream, info.State.LastSeq, now)
	}
	if head == 0 {
		return nil
	}
	if err := compareAll(ctx, js, stream, source, info.State.FirstSeq, head); err != nil {
		return fmt.Errorf("verify stream %s: %w", stream, err)
	}
	return nil
}

// reached returns the stream's state once it has come to the number.
func reached(ctx context.Context, js jetstream.JetStream, stream string, n uint64) (*jetstream.StreamInfo, error) {
	for deadline := time.Now().Add(catchUpGrace); ; {
		info, err := look(ctx, js, stream)
		if err != nil {
			return nil, err
		}
		if info.State.LastSeq >= n {
			return info, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("it is at %d, the log at %d", info.State.LastSeq, n)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// look returns the stream's state. A server that is away is not waited for.
func look(ctx context.Context, js jetstream.JetStream, stream string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errNoAnswer)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		return nil, errNoAnswer
	}
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// next is the next message. One that does not come is not waited for.
func next(ctx context.Context, msgs jetstream.MessagesContext) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, nextWithin, errNoAnswer)
	defer cancel()
	m, err := msgs.Next(jetstream.NextContext(ctx))
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		return nil, errNoAnswer
	}
	return m, err
}

func compareAll(ctx context.Context, js jetstream.JetStream, stream string, source Source, first, last uint64) error {
	events, stop := iter.Pull2(eventsFrom(ctx, source, first))
	defer stop()
	return readRange(ctx, js, stream, first, last, func(m *jetstream.RawStreamMsg) error {
		e, err, ok := events()
		if err != nil || !ok {
			return errors.Join(fmt.Errorf("the log has no event %d", m.Sequence), err)
		}
		if !bytes.Equal(m.Data, e.Data) {
			return fmt.Errorf("message %d is not event %d of the log", m.Sequence, m.Sequence)
		}
		return nil
	})
}

// readRange gives f messages of a stream, each after the one before it. The consumer that
// it needs is gone when it returns.
func readRange(ctx context.Context, js jetstream.JetStream, stream string, first, last uint64, f func(*jetstream.RawStreamMsg) error) error {
	c, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: first, InactiveThreshold: readerForgotten,
	})
	if err != nil {
		return err
	}
	defer forget(ctx, js, stream, c)
	msgs, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(verifyAhead, verifyBytes))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for n := first; n <= last; n++ {
		m, err := next(ctx, msgs)
		if err != nil {
			return fmt.Errorf("read message %d: %w", n, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read message %d: %w", n, err)
		}
		if meta.Sequence.Stream != n {
			return fmt.Errorf("message %d is where %d should be", meta.Sequence.Stream, n)
		}
		if err := f(&jetstream.RawStreamMsg{Subject: m.Subject(), Sequence: n, Header: m.Headers(), Data: m.Data()}); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes a reader's consumer, also where its caller is gone. NATS itself would
// forget it later, and until then it would look like a subscription that is behind.
func forget(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.Consumer) {
	info := c.CachedInfo()
	if info == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	_ = js.DeleteConsumer(ctx, stream, info.Name)
}

// eventsFrom yields the log's events from a number on, without their origins.
func eventsFrom(ctx context.Context, source Source, first uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for b, err := range source.Blocks(ctx, first-1) {
			if err != nil {
				yield(Event{}, err)
				return
			}
			marks := b.Marks()
			for n := max(first, b.First); n <= b.End(); n++ {
				if !yield(Event{Sequence: n, Mark: marks.Of(n), Data: b.Entries[n-b.First].Event}, nil) {
					return
				}
			}
		}
	}
}
