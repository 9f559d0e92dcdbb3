package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// reachWithin bounds how long a read waits for the event it asks for.
const reachWithin = 5 * time.Second

// View calls read with the state under the read lock, after the state has seen the
// entry minSequence; it waits for that, at most 5 seconds, then returns
// ErrNotReached. What read is given may not be used after it returned. It must be
// short (a page), and must not call the engine.
func (e *Engine[S]) View(ctx context.Context, minSequence uint64, read func(S) error) error {
	if e.Head().Sequence < minSequence {
		if err := e.reach(ctx, minSequence); err != nil {
			return err
		}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return read(e.state)
}

// reach waits until the state has seen the entry.
func (e *Engine[S]) reach(ctx context.Context, sequence uint64) error {
	select {
	case e.look <- struct{}{}: // at the store now, not at the next poll
	default:
	}
	ctx, cancel := context.WithTimeoutCause(ctx, reachWithin, ErrNotReached)
	defer cancel()
	_, err := e.Wait(ctx, sequence-1)
	if err != nil && errors.Is(context.Cause(ctx), ErrNotReached) {
		return fmt.Errorf("entry %d, state is at %d: %w", sequence, e.Head().Sequence, ErrNotReached)
	}
	return err
}

// Head returns how far the state has come. Everything up to it is durable. On an
// empty log it names the epoch and level that the first block will have.
func (e *Engine[S]) Head() Head { return *e.head.Load() }

// Now returns the time that a block would be stamped with now: the store's or
// Config.Now's, and never before the last block's.
func (e *Engine[S]) Now(ctx context.Context) (time.Time, error) {
	t, err := e.now(ctx)
	if err != nil {
		return t, err
	}
	return e.stamp(t).Time, nil
}

// logHead is Head as the store has it: zero for an empty log.
func (e *Engine[S]) logHead() Head {
	if h := e.Head(); h.Sequence > 0 {
		return h
	}
	return Head{}
}

// Wait returns the head as soon as it is beyond after. It returns ErrStopped once
// the engine is closed, or an error with ctx's cause.
func (e *Engine[S]) Wait(ctx context.Context, after uint64) (Head, error) {
	for {
		changed := e.changed.next()
		if h := e.Head(); h.Sequence > after {
			return h, nil
		}
		select {
		case <-changed:
		case <-e.done:
			if h := e.Head(); h.Sequence > after {
				return h, nil
			}
			return e.Head(), ErrStopped
		case <-ctx.Done():
			return e.Head(), fmt.Errorf("ledger: wait for entry %d: %w", after+1, context.Cause(ctx))
		}
	}
}

// Blocks yields the blocks that hold entries after the given number, in order, up
// to Head at the time of the call, recent ones without touching the store. The
// first may begin at or before after. It ends after the first error. Blocks must
// not be changed.
func (e *Engine[S]) Blocks(ctx context.Context, after uint64) iter.Seq2[*Block, error] {
	return func(yield func(*Block, error) bool) {
		end := e.Head().Sequence
		if after >= end {
			return
		}
		if bs := e.recent.from(after + 1); bs != nil {
			for _, b := range bs {
				if b.First > end || !yield(b, nil) {
					return
				}
			}
			return
		}
		for b, err := range e.cfg.Store.Blocks(ctx, after) {
			if err == nil && b.First > end {
				return
			}
			if !yield(b, away(err)) || err != nil {
				return
			}
		}
	}
}

// Entry returns one entry of the log and its block, by a point look-up. It returns
// ErrAbsent for 0 and for a number beyond Head.
func (e *Engine[S]) Entry(ctx context.Context, sequence uint64) (Entry, *Block, error) {
	if sequence == 0 || sequence > e.Head().Sequence {
		return Entry{}, nil, fmt.Errorf("entry %d of %d: %w", sequence, e.Head().Sequence, ErrAbsent)
	}
	b := e.recent.holding(sequence)
	if b == nil {
		var err error
		if b, err = e.stored(ctx, sequence); err != nil {
			return Entry{}, nil, err
		}
		e.recent.keep(b)
	}
	return b.Entries[sequence-b.First], b, nil
}

// stored reads the block that holds an entry up to Head.
func (e *Engine[S]) stored(ctx context.Context, sequence uint64) (*Block, error) {
	for b, err := range e.cfg.Store.Blocks(ctx, sequence-1) {
		if err != nil {
			return nil, fmt.Errorf("read entry %d: %w", sequence, away(err))
		}
		if b.First <= sequence && sequence <= b.End() {
			return b, nil
		}
		break
	}
	return nil, fmt.Errorf("read entry %d: not where it was: %w", sequence, ErrDamaged)
}

// Freeze returns a cut of the state that later blocks do not change, and where the
// log ended when it was made.
func (e *Engine[S]) Freeze() (S, Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state.Freeze(), e.Head()
}

// Replay builds a state from the log alone, without an image, up to the given
// entry or the store's head, whichever comes first, and checks the chain on the
// way. It takes as long as the log is and does not disturb the engine.
func (e *Engine[S]) Replay(ctx context.Context, upTo uint64) (S, Head, error) {
	s := e.cfg.Empty()
	h, err := e.replay(ctx, s, e.emptyHead(), upTo)
	return s, h, err
}
