package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// errOutput says that nobody reads what is printed any more.
var errOutput = errors.New("the output cannot be written")

// following is what is read, and from where.
type following struct {
	facts, progress []string
	at              event.Position
}

// run reads facts and last values side by side until ctx ends or one of them fails.
func (f *following) run(ctx context.Context, config event.Config, p *printer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var readers []func() error
	if len(f.facts) > 0 {
		positions := &event.MemoryPositions{}
		if err := positions.Save(ctx, f.at); err != nil {
			return err
		}
		config.Positions = positions
		subscriber, err := event.New(config)
		if err != nil {
			return err
		}
		readers = append(readers, func() error { return subscriber.Run(ctx, p.fact) })
	}
	if len(f.progress) > 0 {
		values := event.ProgressConfig{Conn: config.Conn, Events: config.Events, Subscription: config.Subscription, Subjects: f.progress, Log: config.Log}
		readers = append(readers, func() error { return event.Progress(ctx, values, p.progress) })
	}
	ended := make(chan error, len(readers))
	for _, read := range readers {
		go func() { ended <- read() }()
	}
	var first error
	for range readers {
		if err := <-ended; err != nil && first == nil {
			first = err
		}
		cancel()
	}
	return first
}

// printer prints events of two readers, one line each.
type printer struct {
	console *console
	names   *show.Names
	json    bool
	from    uint64 // number of the event after which it begins
	stop    context.CancelCauseFunc

	mu sync.Mutex
}

// fact prints an event of the log.
func (p *printer) fact(ctx context.Context, e *eventv1.Event) error {
	if !p.json {
		return p.print(p.names.Event(ctx, e))
	}
	subject, err := event.Subject(e)
	if err != nil {
		subject = "" // of a kind that this release does not know
	}
	of := event.IdentityOf(ctx)
	return p.printJSON(e.GetSequence(), map[string]any{"subject": subject, "id": of.ID, "source": of.Source}, "event", e)
}

// progress prints the last value of a total. A reader gets the whole board first;
// what stood on it at the beginning has not just happened.
func (p *printer) progress(ctx context.Context, v *eventv1.ProgressChanged) error {
	if v.GetSequence() <= p.from {
		return nil
	}
	if !p.json {
		return p.print(p.names.Progress(ctx, v))
	}
	subject, err := event.ProgressSubject(v)
	if err != nil {
		return err
	}
	return p.printJSON(v.GetSequence(), map[string]any{"subject": subject}, "progress", v)
}

// printJSON prints a message beside its sequence and other fields.
func (p *printer) printJSON(sequence uint64, beside map[string]any, field string, m proto.Message) error {
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("print event %d as JSON: %w", sequence, err)
	}
	beside["sequence"], beside[field] = sequence, json.RawMessage(body)
	line, err := json.Marshal(beside)
	if err != nil {
		return fmt.Errorf("print event %d as JSON: %w", sequence, err)
	}
	return p.print(string(line))
}

// print writes a line. When that fails everything ends: a subscriber would offer the
// same event again for ever.
func (p *printer) print(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintln(p.console.Out, line); err != nil {
		p.stop(fmt.Errorf("%w: %w", errOutput, err))
	}
	return nil
}
