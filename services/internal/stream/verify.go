package stream

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// settleWithin is how long the stream may take to have what the log had when the
// check began.
const settleWithin = 30 * time.Second

// Verify compares the stream of facts with the log, number by number and byte by
// byte, up to the log's head at the time of the call.
func Verify(ctx context.Context, js jetstream.JetStream, source Source) error {
	head := source.Head()
	if head.Sequence == 0 {
		return nil
	}
	stream, err := js.Stream(ctx, FactsName(head.Epoch))
	if err != nil {
		return fmt.Errorf("look at the stream: %w", err)
	}
	if err := reach(ctx, stream, head.Sequence); err != nil {
		return err
	}
	first := stream.CachedInfo().State.FirstSeq
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	defer messages.Stop()
	for block, err := range source.Blocks(ctx, first-1) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		for i, entry := range block.Entries {
			n := block.First + uint64(i)
			if n < first || n > head.Sequence {
				continue
			}
			if err := same(messages, n, entry.Event); err != nil {
				return err
			}
		}
		if block.End() >= head.Sequence {
			break
		}
	}
	return nil
}

// reach waits until the stream has a number.
func reach(ctx context.Context, stream jetstream.Stream, n uint64) error {
	deadline := time.Now().Add(settleWithin)
	for {
		info, err := stream.Info(ctx)
		if err != nil {
			return fmt.Errorf("look at the stream: %w", err)
		}
		switch {
		case info.State.NumDeleted > 0:
			return fmt.Errorf("the stream has %d holes", info.State.NumDeleted)
		case info.State.LastSeq >= n:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the stream ends at %d, the log at %d", info.State.LastSeq, n)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// same compares the next message of the stream with event n of the log.
func same(messages jetstream.MessagesContext, n uint64, event []byte) error {
	m, err := messages.Next()
	if err != nil {
		return fmt.Errorf("read number %d of the stream: %w", n, err)
	}
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read number %d of the stream: %w", n, err)
	}
	if meta.Sequence.Stream != n {
		return fmt.Errorf("the stream has number %d where the log has %d", meta.Sequence.Stream, n)
	}
	if !bytes.Equal(m.Data(), event) {
		return fmt.Errorf("number %d of the stream has another content than the log", n)
	}
	return nil
}
