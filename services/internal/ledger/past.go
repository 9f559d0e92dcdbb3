package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// rebuildsMost is how many past states are built at a time: each costs a core and
// as much memory as the book.
const rebuildsMost = 2

// past holds the states of former times that were asked for last, and those that
// are being built. The zero value is ready.
type past[S any] struct {
	mu       sync.Mutex
	ready    []*scratch[S] // the last used at the end
	building []*scratch[S]
	ended    bool // no build begins any more
	work     sync.WaitGroup
}

// scratch is the state after one entry. All but the sequence may be read once done
// is closed.
type scratch[S any] struct {
	sequence uint64
	done     chan struct{}
	state    S
	head     Head
	took     time.Duration
	err      error
}

// KnownAt returns the state after the last block whose time is t or earlier, and
// where the log ended then: an empty state and the zero Head when t is before the
// first block, the present ones when it is not before the head's time. What is
// returned is shared: it may be read by many at once and for any time, and never
// changed, merged or frozen.
//
// As long as the present is not later than t, blocks may still come that t covers:
// only what is asked for a time before the head's stays the same for ever.
//
// A past state is built from the nearest kept image and the log after it, off the
// engine's lock; the last few, Config.Scratch, are remembered. Two are built at a
// time: others get ErrBusy at once, unless they ask for one of the two. A build
// goes on when those who wait for it leave, so that it is there when they come
// again. After Close only what is remembered is answered, and else ErrStopped.
//
// What is also returned is how long the build took for which the caller waited: 0
// where the state was there.
func (e *Engine[S]) KnownAt(ctx context.Context, t time.Time) (S, Head, time.Duration, error) {
	if s, h, ok := e.present(func(h Head) bool { return !h.Time.After(t) }); ok {
		return s, h, 0, nil
	}
	n, err := e.lastAt(ctx, t)
	if err != nil {
		var none S
		return none, Head{}, 0, fmt.Errorf("find the last entry at %v: %w", t, err)
	}
	return e.after(ctx, n)
}

// StateAt is KnownAt by number: the state after the block that ends with the entry.
// A number within a block is rounded down to the end of the block before, so that
// no block is seen in part. Beyond Head it returns ErrAbsent.
func (e *Engine[S]) StateAt(ctx context.Context, sequence uint64) (S, Head, error) {
	if s, h, ok := e.present(func(h Head) bool { return h.Sequence == sequence }); ok {
		return s, h, nil
	}
	if sequence == 0 {
		s, h, _, err := e.after(ctx, 0)
		return s, h, err
	}
	_, b, err := e.Entry(ctx, sequence)
	if err != nil {
		var none S
		return none, Head{}, err
	}
	if b.End() > sequence {
		sequence = b.First - 1
	}
	s, h, _, err := e.after(ctx, sequence)
	return s, h, err
}

// present returns a cut of the state as it is now, if its head is what is asked for.
func (e *Engine[S]) present(asked func(Head) bool) (s S, h Head, ok bool) {
	if h = e.logHead(); !asked(h) {
		return s, h, false // without the writer's lock
	}
	if sc := e.past.remembered(h.Sequence); sc != nil {
		return sc.state, sc.head, true
	}
	e.mu.Lock()
	if h = e.logHead(); !asked(h) {
		e.mu.Unlock()
		return s, h, false
	}
	s = e.state.Freeze()
	e.mu.Unlock()
	sc := &scratch[S]{sequence: h.Sequence, done: make(chan struct{}), state: s, head: h}
	close(sc.done)
	e.past.remember(sc, e.cfg.Scratch)
	return s, h, true
}

// lastAt returns the last entry whose block's time is t or earlier, 0 for none. It
// reads one block for each halving of the log.
func (e *Engine[S]) lastAt(ctx context.Context, t time.Time) (uint64, error) {
	low, high := uint64(0), e.Head().Sequence // both end a block, or are 0
	for low < high {
		middle := low + (high-low)/2 + 1
		b := e.recent.holding(middle)
		if b == nil {
			var err error
			if b, err = e.stored(ctx, middle); err != nil {
				return 0, err
			}
		}
		if b.Time.After(t) {
			high = b.First - 1
		} else {
			low = b.End()
		}
	}
	return low, nil
}

// after returns the state after a block's last entry, of a log that has gone on, and how
// long the build took for which the caller waited.
func (e *Engine[S]) after(ctx context.Context, sequence uint64) (none S, _ Head, took time.Duration, _ error) {
	if sequence == 0 {
		return e.cfg.Empty(), Head{}, 0, nil
	}
	sc, err := e.scratch(sequence)
	if err != nil {
		return none, Head{}, 0, fmt.Errorf("state after entry %d: %w", sequence, err)
	}
	select {
	case <-sc.done:
	default:
		select {
		case <-sc.done:
			took = sc.took
		case <-ctx.Done():
			return none, Head{}, 0, fmt.Errorf("state after entry %d: %w", sequence, context.Cause(ctx))
		}
	}
	if sc.err != nil {
		return none, Head{}, took, fmt.Errorf("state after entry %d: %w", sequence, sc.err)
	}
	return sc.state, sc.head, took, nil
}

// scratch returns what is remembered or being built, and else begins to build it.
func (e *Engine[S]) scratch(sequence uint64) (*scratch[S], error) {
	p := &e.past
	p.mu.Lock()
	defer p.mu.Unlock()
	if sc := p.find(sequence); sc != nil {
		return sc, nil
	}
	for _, sc := range p.building {
		if sc.sequence == sequence {
			return sc, nil
		}
	}
	if p.ended {
		return nil, ErrStopped
	}
	if len(p.building) >= rebuildsMost {
		return nil, fmt.Errorf("%d others are being built: %w", len(p.building), ErrBusy)
	}
	sc := &scratch[S]{sequence: sequence, done: make(chan struct{})}
	p.building = append(p.building, sc)
	p.work.Go(func() {
		e.rebuild(sc)
		p.built(sc, e.cfg.Scratch)
	})
	return sc, nil
}

// rebuild fills a scratch from the nearest kept image and the log.
func (e *Engine[S]) rebuild(sc *scratch[S]) {
	began := time.Now()
	state, from, err := e.nearestImage(e.ctx, sc.sequence)
	if err == nil {
		sc.state = state
		sc.head, err = e.replay(e.ctx, state, from, sc.sequence)
	}
	sc.took = time.Since(began)
	switch {
	case e.ctx.Err() != nil:
		sc.err = ErrStopped
	case err != nil:
		sc.err = fmt.Errorf("replay after entry %d: %w", from.Sequence, err)
	case sc.head.Sequence != sc.sequence:
		sc.err = fmt.Errorf("the log ends with entry %d: %w", sc.head.Sequence, ErrDamaged)
	}
	if sc.err != nil {
		e.log.Warn("past state not rebuilt", zap.Uint64("sequence", sc.sequence), zap.Error(sc.err))
		return
	}
	e.counts.rebuilt.Add(1)
	e.counts.reapplied.Add(sc.sequence - from.Sequence)
	e.log.Info("past state rebuilt", zap.Uint64("sequence", sc.sequence), zap.Uint64("image", from.Sequence),
		zap.Uint64("replayed", sc.sequence-from.Sequence), zap.Duration("took", sc.took))
}

// built ends a build and answers those who wait for it.
func (p *past[S]) built(sc *scratch[S], most int) {
	p.mu.Lock()
	p.building = slices.DeleteFunc(p.building, func(b *scratch[S]) bool { return b == sc })
	if sc.err == nil {
		p.push(sc, most)
	}
	p.mu.Unlock()
	close(sc.done)
}

// end waits for the builds, which the end of the engine's context breaks off.
func (p *past[S]) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.work.Wait()
}

func (p *past[S]) remembered(sequence uint64) *scratch[S] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(sequence)
}

func (p *past[S]) remember(sc *scratch[S], most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.push(sc, most)
}

// find returns what is ready, as the last used. The caller holds mu.
func (p *past[S]) find(sequence uint64) *scratch[S] {
	for i, sc := range p.ready {
		if sc.sequence == sequence {
			p.ready = append(slices.Delete(p.ready, i, i+1), sc)
			return sc
		}
	}
	return nil
}

// push makes a scratch the last used, and forgets the first beyond the most. The
// caller holds mu.
func (p *past[S]) push(sc *scratch[S], most int) {
	if p.find(sc.sequence) == nil {
		p.ready = append(p.ready, sc)
	}
	p.ready = slices.Delete(p.ready, 0, max(0, len(p.ready)-most))
}
