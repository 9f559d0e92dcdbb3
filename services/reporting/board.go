package reporting

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// boardEvery is the coalescing interval: a figure is published at most once in it.
const boardEvery = time.Second

// boardWithin bounds how long a page may take to be stored.
const boardWithin = 10 * time.Second

// boardSilence is how long the stream must have been still before another replica
// begins to publish. The one that publishes shows each boardEvery that it is there.
const boardSilence = 4 * time.Second

// boardPage bounds how many figures are read under one read lock.
const boardPage = 1000

// Board publishes the current totals of units above others on the stream of last
// values: the whole board first, then what moved. It is a view: what is lost is
// made good by the next value, or by the whole board after a time without NATS. The
// whole board also follows a move in the tree, which gives totals another subject,
// and a new epoch, which has a stream of its own.
//
// Of several replicas one publishes. Each message names the number that the stream
// ends with before it, so what a replica sends that was frozen, or lost touch, is
// refused; it then stands by until the stream is still. Whoever begins publishes the
// whole board.
type Board struct {
	engine   *Engine
	js       jetstream.JetStream
	replicas int
	log      *zap.Logger
	every    time.Duration
	silence  time.Duration

	owed  map[book.FigureKey]struct{}
	whole bool   // owed is the whole board
	moves uint32 // moves in the tree when owed was collected

	epoch   uint32    // whose stream it works on
	source  string    // of that epoch, empty while nothing was published
	last    uint64    // the stream's last number, as far as is known
	standby bool      // another replica publishes
	moved   time.Time // standing by: when the stream last was seen to move
}

// NewBoard returns a board of an engine's totals, whose stream is kept on so many
// servers; 0 is one.
func NewBoard(engine *Engine, js jetstream.JetStream, replicas int, log *zap.Logger) *Board {
	if log == nil {
		log = zap.NewNop()
	}
	return &Board{engine: engine, js: js, replicas: replicas, log: log, every: boardEvery, silence: boardSilence, whole: true}
}

// Run publishes until ctx ends.
func (d *Board) Run(ctx context.Context) {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		d.turn(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn publishes what is owed, or looks whether another replica does.
func (d *Board) turn(ctx context.Context) {
	if epoch := d.engine.Head().Epoch; epoch != d.epoch {
		d.epoch, d.source, d.whole, d.standby = epoch, "", true, false
	}
	if d.standby && !d.takeOver(ctx) {
		return
	}
	if d.collect(ctx) != nil {
		return
	}
	err := d.publish(ctx)
	switch {
	case err == nil:
	case foreign(err):
		d.standby, d.moved = true, time.Now()
		d.log.Info("another replica publishes progress", zap.Error(err))
	case !d.whole && ctx.Err() == nil:
		d.log.Warn("progress is not published; the whole board follows", zap.Error(err))
	}
	d.whole = err != nil
}

// takeOver reports whether the stream has been still for so long that nobody
// publishes.
func (d *Board) takeOver(ctx context.Context) bool {
	last, err := d.lastOf(ctx)
	if err != nil {
		return false
	}
	if last != d.last {
		d.last, d.moved = last, time.Now()
		return false
	}
	if time.Since(d.moved) < d.silence {
		return false
	}
	d.log.Info("nobody publishes progress; taking over")
	d.standby, d.whole = false, true
	return true
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

// publish sends the present value of what is owed, page by page, and then that it is
// at work. Before the whole board it makes sure of the stream, and after it sees to
// what else stands there.
func (d *Board) publish(ctx context.Context) error {
	var stale map[string]uint64
	if d.whole {
		var err error
		if stale, err = d.begin(ctx); err != nil {
			return err
		}
	}
	if err := d.name(ctx); err != nil {
		return err
	}
	for page := range slices.Chunk(slices.Collect(maps.Keys(d.owed)), boardPage) {
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
	return d.sign(ctx)
}
