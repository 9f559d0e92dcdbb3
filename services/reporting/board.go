package reporting

import (
	"context"
	"maps"
	"slices"
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
// made good by the next value, or by the whole board after a time without NATS.
type Board struct {
	engine *Engine
	js     jetstream.JetStream
	log    *zap.Logger
	every  time.Duration
	owed   map[book.FigureKey]struct{}
}

// NewBoard returns a board of an engine's totals.
func NewBoard(engine *Engine, js jetstream.JetStream, log *zap.Logger) *Board {
	if log == nil {
		log = zap.NewNop()
	}
	return &Board{engine: engine, js: js, log: log, every: boardEvery}
}

// Run publishes until ctx ends.
func (d *Board) Run(ctx context.Context) {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	whole := true
	for {
		if err := d.collect(ctx, whole); err == nil {
			err = d.publish(ctx, whole)
			if err != nil && !whole && ctx.Err() == nil {
				d.log.Warn("progress is not published; the whole board follows", zap.Error(err))
			}
			whole = err != nil
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
func (d *Board) collect(ctx context.Context, whole bool) error {
	return d.engine.View(ctx, 0, func(b *book.Book) error {
		d.owed = b.TakeTouched()
		parents := b.Parents()
		maps.DeleteFunc(d.owed, func(k book.FigureKey, _ struct{}) bool { return !parents[k.Unit] })
		if whole {
			for _, k := range b.Board() {
				d.owed[k] = struct{}{}
			}
		}
		return nil
	})
}

// publish sends the present value of what is owed, page by page. Before the whole
// board it makes sure of the stream.
func (d *Board) publish(ctx context.Context, whole bool) error {
	if whole {
		if err := stream.EnsureStreams(ctx, d.js, d.engine.Head().Epoch); err != nil {
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
		head := d.engine.Head()
		for _, k := range keys {
			m, path, total, q := b.Moved(k)
			p := &eventv1.ProgressChanged{Programme: m.Programme(), Target: m.ID(), Path: path,
				Current: total.Proto(), Qualifier: q.Proto(), Sequence: head.Sequence, Epoch: head.Epoch}
			subject, err := event.ProgressSubject(p)
			if err != nil {
				return err
			}
			data, err := proto.Marshal(p)
			if err != nil {
				return err
			}
			out = append(out, &nats.Msg{Subject: subject, Data: data})
		}
		return nil
	})
	return out, err
}
