package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/failpoint"
)

// loop is the one writer: it alone merges, and it answers every command it takes.
func (e *Engine[S]) loop() {
	defer close(e.done)
	due := time.NewTicker(dueEvery)
	defer due.Stop()
	var follow <-chan time.Time
	if e.cfg.Follow {
		t := time.NewTicker(followEvery)
		defer t.Stop()
		follow = t.C
	}
	for len(e.pending) > 0 || e.idle(due.C, follow) {
		e.gather()
		e.linger()
		e.round()
	}
}

// lingerMost is how often the loop steps aside for others before it makes a block.
const lingerMost = 10

// linger lets those who were just answered come again, as long as fewer wait than
// then: a wider block costs little more than a narrow one.
func (e *Engine[S]) linger() {
	for range lingerMost {
		before := len(e.pending)
		if before >= e.width {
			break
		}
		runtime.Gosched()
		e.gather()
	}
	e.width = len(e.pending)
}

// idle waits for a reason to make a block. It returns false when the engine was
// stopped and nothing waits.
func (e *Engine[S]) idle(due, follow <-chan time.Time) bool {
	if e.more { // a tick does a part of what is due; the rest need not wait for the ticker
		e.more = false
		return true
	}
	for {
		select {
		case c := <-e.queue:
			e.pending = append(e.pending, c)
			return true
		case <-due:
			e.sulk.Store(false)
			e.askRoom()
			if e.isDue() {
				return true
			}
		case <-follow:
			e.follow()
		case <-e.look:
			e.follow()
		case <-e.stop:
			e.gather() // nothing comes in any more
			return len(e.pending) > 0
		}
	}
}

// gather takes what waits, up to one block.
func (e *Engine[S]) gather() {
	for len(e.pending) < e.cfg.MaxBlock {
		select {
		case c := <-e.queue:
			e.pending = append(e.pending, c)
		default:
			return
		}
	}
}

// round decides and commits one block of what is pending, and answers its commands.
func (e *Engine[S]) round() {
	defer e.turns.end()
	for {
		e.takeTurn()
		if err := e.Err(); err != nil {
			e.answer(len(e.pending), 0, err)
			return
		}
		if e.ctx.Err() != nil {
			e.answer(len(e.pending), 0, ErrStopped)
			return
		}
		t, err := e.now(e.ctx)
		if err != nil {
			e.answer(len(e.pending), 0, err)
			return
		}
		layer, n, d := e.decide(t)
		b := e.block(layer, t, d)
		if b == nil {
			if n > 0 && e.cfg.Follow && e.behind() {
				continue
			}
			e.answer(n, 0, nil)
			return
		}
		err = e.append(b)
		if errors.Is(err, ErrConflict) {
			e.counts.conflicts.Add(1)
			e.turns.met()
			if err = e.overtaken(); err == nil {
				continue
			}
		}
		if err == nil {
			e.counts.blocks.Add(1)
			e.counts.entries.Add(uint64(len(b.Entries)))
			e.turns.blocks++
			e.advance(layer, b)
			_ = failpoint.Hit(failpoint.LedgerBeforeAnswer)
		}
		e.answer(n, b.First, err)
		return
	}
}

// stamp is that of a layer on the present state.
func (e *Engine[S]) stamp(t time.Time) Stamp {
	h := e.Head()
	if t.Before(h.Time) {
		t = h.Time
	}
	return Stamp{Next: h.Sequence + 1, Time: t, Epoch: h.Epoch}
}

// now is the time for the next block, before it is held against the head's.
func (e *Engine[S]) now(ctx context.Context) (time.Time, error) {
	if e.cfg.Now != nil {
		return e.cfg.Now().UTC().Truncate(time.Microsecond), nil
	}
	t, err := e.cfg.Store.Now(ctx)
	if err != nil {
		return t, fmt.Errorf("read the store's time: %w", away(err))
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// isDue reports whether time alone asks for a block.
func (e *Engine[S]) isDue() bool {
	t, err := e.now(e.ctx)
	if err != nil {
		return false // the next command will say so
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.state.Due(e.stamp(t).Time)
}

// decide runs the pending commands, as many as make a block, in a layer, and returns
// what the block declares. When one leaves something to undo, all are run again,
// each in a layer of its own. A declaration has a block of its own.
func (e *Engine[S]) decide(t time.Time) (S, int, Declaration) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, c := range e.pending {
		c.fault = nil
	}
	if len(e.pending) > 0 && e.pending[0].declare.any() {
		return e.declared(t)
	}
	layer, n, ok := e.run(t, false)
	if !ok {
		layer, n, _ = e.run(t, true)
	}
	return layer, n, Declaration{}
}

// run is one attempt of decide. Not careful, it ends with false at the first
// command that would leave drafts behind.
func (e *Engine[S]) run(t time.Time, careful bool) (layer S, n int, ok bool) {
	stamp := e.stamp(t)
	layer = e.ticked(stamp)
	size, seen := 0, len(layer.Drafts())
	for _, c := range e.pending {
		if size >= maxBlockBytes || c.declare.any() {
			break
		}
		n++
		c.from, c.to, c.err = seen, seen, c.fault
		if c.fault != nil || !c.take() {
			continue
		}
		in := layer
		if careful {
			in = layer.Fork(Stamp{Next: stamp.Next + uint64(seen), Time: stamp.Time, Epoch: stamp.Epoch})
		}
		err, panicked := c.run(in)
		own := in.Drafts()
		if !careful {
			own = own[seen:]
		}
		added := bytesOf(own)
		if err == nil && added > MaxBytes/2 {
			err = fmt.Errorf("ledger: %d bytes of events by one command: %w", added, ErrTooLarge)
		}
		if c.err = err; err != nil {
			if !careful && (panicked || len(own) > 0) {
				c.fault = err
				return layer, 0, false
			}
			continue
		}
		if careful {
			in.Merge()
		}
		_ = failpoint.Hit(failpoint.LedgerMidBatch)
		seen, size = seen+len(own), size+added
		c.to = seen
	}
	return layer, n, true
}

// ticked returns a fresh layer in which what fell due has been decided.
func (e *Engine[S]) ticked(s Stamp) S {
	layer := e.state.Fork(s)
	if e.sulk.Load() {
		return layer
	}
	if err := tick(layer, s.Time); err != nil {
		e.log.Error("tick failed; trying again in a second", zap.Error(err))
		e.sulk.Store(true)
		return e.state.Fork(s)
	}
	return layer
}

func bytesOf(es []Entry) int {
	n := 0
	for _, e := range es {
		n += len(e.Event) + len(e.Annex)
	}
	return n
}

// block returns the layer's drafts as a block after the head, nil when there are none.
func (e *Engine[S]) block(layer S, t time.Time, d Declaration) *Block {
	es := layer.Drafts()
	if len(es) == 0 {
		return nil
	}
	h, s := d.on(e.Head()), e.stamp(t)
	b := &Block{Level: h.Level, Epoch: h.Epoch, First: s.Next, Time: s.Time, Prev: h.Hash, Writer: e.writer, Entries: es}
	b.Last = e.linker.run(b)
	return b
}

// advance makes a committed block part of the state.
func (e *Engine[S]) advance(layer S, b *Block) {
	h := b.Head()
	e.recent.add(b)
	e.mu.Lock()
	layer.Merge()
	e.head.Store(&h)
	e.more = e.state.Due(h.Time)
	e.mu.Unlock()
	e.changed.fire()
	e.maybeImage(h)
}

// answer tells the first n pending commands how they ended, and drops them. first
// is the number of the first entry of their block.
func (e *Engine[S]) answer(n int, first uint64, err error) {
	h := e.Head()
	for i, c := range e.pending[:n] {
		a := answer{err: err}
		if err == nil {
			a.err, a.Head = c.err, h
		}
		if a.err == nil && c.to > c.from {
			a.First, a.Last = first+uint64(c.from), first+uint64(c.to)-1
		}
		c.done <- a
		e.pending[i] = nil
	}
	e.counts.commands.Add(uint64(n))
	rest := copy(e.pending, e.pending[n:])
	clear(e.pending[rest:])
	e.pending = e.pending[:rest]
}
