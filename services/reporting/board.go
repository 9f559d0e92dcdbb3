package reporting

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// boardEvery is the coalescing interval: a figure is published at most once in it.
const boardEvery = time.Second

// boardWithin bounds how long a page may take to be stored.
const boardWithin = 10 * time.Second

// boardPage bounds how many figures are read under one read lock.
const boardPage = 1000

// Board publishes the current totals of units above others on the stream of last
// values: the whole board first, then what moved. It is a view: what is lost is
// made good by the next value, or by the whole board after a time without NATS. The
// whole board also follows a move in the tree, which gives totals another subject.
type Board struct {
	engine *Engine
	js     jetstream.JetStream
	log    *zap.Logger
	every  time.Duration
	owed   map[book.FigureKey]struct{}
	whole  bool   // owed is the whole board
	moves  uint32 // moves in the tree when owed was collected
}

// NewBoard returns a board of an engine's totals.
func NewBoard(engine *Engine, js jetstream.JetStream, log *zap.Logger) *Board {
	if log == nil {
		log = zap.NewNop()
	}
	return &Board{engine: engine, js: js, log: log, every: boardEvery, whole: true}
}

// Run publishes until ctx ends.
func (d *Board) Run(ctx context.Context) {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		if err := d.collect(ctx); err == nil {
			err = d.publish(ctx)
			if err != nil && !d.whole && ctx.Err() == nil {
				d.log.Warn("progress is not published; the whole board follows", zap.Error(err))
			}
			d.whole = err != nil
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// collect notes what is to be published; units that nothing stands below are left
// out, since their own submissions tell.
func (d *Board) collect(ctx context.Context) error {
	return d.engine.View(ctx, 0, func(b *book.Book) error {
		d.whole = d.whole || d.moves != b.Moves()
		d.moves = b.Moves()
		d.owed = b.TakeTouched()
		parents := b.Parents()
		maps.DeleteFunc(d.owed, func(k book.FigureKey, _ struct{}) bool { return !parents[k.Unit] })
		if d.whole {
			for _, k := range b.Board() {
				d.owed[k] = struct{}{}
			}
		}
		return nil
	})
}

// publish sends the present value of what is owed, page by page. Before the whole
// board it makes sure of the stream, and after it sees to what else stands there.
func (d *Board) publish(ctx context.Context) error {
	var stale map[string]uint64
	if d.whole {
		epoch := d.engine.Head().Epoch
		if err := stream.EnsureStreams(ctx, d.js, epoch); err != nil {
			return err
		}
		var err error
		if stale, err = stream.Subjects(ctx, d.js, stream.ProgressName(epoch)); err != nil {
			return err
		}
	}
	keys := slices.Collect(maps.Keys(d.owed))
	for page := range slices.Chunk(keys, boardPage) {
		messages, err := d.read(ctx, page)
		if err != nil {
			return err
		}
		if err := d.send(ctx, messages); err != nil {
			return err
		}
		for _, m := range messages {
			delete(stale, m.Subject)
		}
	}
	for page := range slices.Chunk(slices.Collect(maps.Keys(stale)), boardPage) {
		messages, err := d.readStale(ctx, page)
		if err != nil {
			return err
		}
		if err := d.send(ctx, messages); err != nil {
			return err
		}
	}
	return nil
}

// send publishes a page and waits until all of it is stored.
func (d *Board) send(ctx context.Context, messages []*nats.Msg) error {
	stored := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		var err error
		if stored[i], err = d.js.PublishMsgAsync(m); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, boardWithin)
	defer cancel()
	for _, f := range stored {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// read makes the messages of a page of figures.
func (d *Board) read(ctx context.Context, keys []book.FigureKey) (out []*nats.Msg, err error) {
	err = d.engine.View(ctx, 0, func(b *book.Book) error {
		for _, k := range keys {
			m, err := d.message(b.Moved(k))
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// readStale makes the messages of subjects that the board no longer has: of totals
// that are gone, of units that nothing stands below any more, and of places where a
// unit no longer stands, at which there is nothing.
func (d *Board) readStale(ctx context.Context, subjects []string) (out []*nats.Msg, err error) {
	err = d.engine.View(ctx, 0, func(b *book.Book) error {
		for _, subject := range subjects {
			// cotmoc.<programme>.progress.changed.<target>.<path>
			parts := strings.SplitN(subject, ".", 6)
			if len(parts) < 6 {
				continue
			}
			k, known := b.FigureKeyOf(parts[1], parts[4], parts[5][strings.LastIndexByte(parts[5], '.')+1:])
			if !known {
				continue // not of this log
			}
			target, path, total, q := b.Moved(k)
			if path != parts[5] {
				path, total, q = parts[5], book.Tally{}, book.Exact
			}
			m, err := d.message(target, path, total, q)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// message is a total as it is published. It is called while the book is read.
func (d *Board) message(m *book.Measure, path string, total book.Tally, q book.Qualifier) (*nats.Msg, error) {
	head := d.engine.Head()
	p := &eventv1.ProgressChanged{Programme: m.Programme(), Target: m.ID(), Path: path,
		Current: total.Proto(), Qualifier: q.Proto(), Sequence: head.Sequence, Epoch: head.Epoch}
	subject, err := event.ProgressSubject(p)
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(p)
	return &nats.Msg{Subject: subject, Data: data}, err
}
