package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/failpoint"
)

const (
	storeTimeout = 10 * time.Second
	backoffFirst = 10 * time.Millisecond
	backoffMost  = time.Second
)

// backoff waits longer each time. It returns false when ctx ended.
type backoff struct{ next time.Duration }

func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, backoffFirst), backoffMost)
	t := time.NewTimer(b.next)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// append stores the block and returns only when it is known whether it is stored:
// nil, ErrConflict, ErrFull or ErrTooLarge; or ErrUnknown when the engine was told
// to give up. An append with any other answer is settled by reading the log.
func (e *Engine[S]) append(b *Block) error {
	err := e.appendOnce(b)
	if err == nil || errors.Is(err, ErrConflict) || definite(err) {
		return err
	}
	e.counts.unsettled.Add(1)
	e.turns.end() // this may take long, and others need not wait for it
	e.log.Warn("append with unknown outcome; settling it", zap.Uint64("first", b.First), zap.Error(err))
	for wait := (backoff{}); ; {
		found, err := e.blockAt(b.First)
		switch {
		case err != nil:
		case found == nil:
			// Once it was unknown, only the log itself can tell: an earlier attempt
			// may still be on its way, whatever this one answers.
			if err = e.appendOnce(b); err == nil {
				return nil
			}
			if errors.Is(err, ErrConflict) {
				if lost := e.lost(); lost != nil {
					return lost
				}
			}
		case found.Writer == b.Writer && found.Last == b.Last:
			return nil
		default:
			return ErrConflict
		}
		if !wait.wait(e.ctx) {
			return fmt.Errorf("%w: append of block %d: %w", ErrUnknown, b.First, errors.Join(context.Cause(e.ctx), err))
		}
	}
}

func (e *Engine[S]) appendOnce(b *Block) error {
	ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
	defer cancel()
	if err := failpoint.Hit(failpoint.LedgerBeforeAppend); err != nil {
		return err
	}
	err := e.contact.ask(func() error { return e.cfg.Store.Append(ctx, b) })
	e.room.note(err, e.log)
	if err != nil {
		return err
	}
	return failpoint.Hit(failpoint.LedgerAfterAppend)
}

// blockAt returns the stored block that holds the entry, nil when there is none.
func (e *Engine[S]) blockAt(sequence uint64) (*Block, error) {
	ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
	defer cancel()
	for b, err := range e.cfg.Store.Blocks(ctx, sequence-1) {
		return b, err
	}
	return nil, nil
}

// behind reports whether the store has blocks that the state has not, and has then
// taken them in. It waits until the store answers.
func (e *Engine[S]) behind() bool {
	for wait := (backoff{}); ; {
		h, err := e.storeHead()
		if err == nil {
			if own := e.logHead(); h.Sequence == own.Sequence && h.Hash == own.Hash {
				return false
			}
			_ = e.reconcile(h) // what keeps it from that ends the next round
			return true
		}
		if !wait.wait(e.ctx) {
			return true
		}
	}
}

// overtaken takes in the blocks for which an append was refused. Where there are
// none, it waits a little rather than spin.
func (e *Engine[S]) overtaken() error {
	before := e.Head().Sequence
	if err := e.catchUp(); err != nil || e.Head().Sequence > before {
		return err
	}
	h, err := e.storeHead()
	if err == nil {
		err = e.reconcile(h)
	}
	if e.Err() != nil {
		return err
	}
	if wait := (backoff{}); !wait.wait(e.ctx) {
		return ErrStopped
	}
	return nil
}

// lost ends the engine's service when an append is refused because the log no longer
// has what it follows: that can never be settled.
func (e *Engine[S]) lost() error {
	h, err := e.storeHead()
	if err != nil {
		return nil // asked again with the next attempt
	}
	return e.within(h)
}

// within ends the engine's service when the store's log ends before the state, or
// otherwise.
func (e *Engine[S]) within(h Head) error {
	own := e.logHead()
	if h.Sequence < own.Sequence || h.Sequence == own.Sequence && h.Hash != own.Hash {
		return e.fail(fmt.Errorf("the log ends with entry %d, but entry %d was committed: %w", h.Sequence, own.Sequence, ErrDamaged))
	}
	return nil
}

// reconcile brings the state to where the store ends. A log that ends before what
// this engine saw committed, or with another hash, was restored or tampered with
// under it: that ends the engine's service.
func (e *Engine[S]) reconcile(h Head) error {
	if err := e.within(h); err != nil {
		return err
	}
	return e.catchUp()
}

func (e *Engine[S]) storeHead() (h Head, err error) {
	ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
	defer cancel()
	err = e.contact.ask(func() (err error) {
		h, err = e.cfg.Store.Head(ctx)
		return err
	})
	return h, err
}

// follow takes in what other writers appended, if the store answers.
func (e *Engine[S]) follow() {
	if e.Err() != nil {
		return
	}
	h, err := e.storeHead()
	if own := e.logHead(); err == nil && (h.Sequence != own.Sequence || h.Hash != own.Hash) {
		_ = e.reconcile(h) // logged where it failed
	}
}

// catchUp applies the blocks that other writers appended. It goes on until the
// store answers; a block that does not hold or cannot be applied ends the engine's
// service.
func (e *Engine[S]) catchUp() error {
	for wait := (backoff{}); ; {
		err := e.takeIn()
		if err == nil || e.Err() != nil {
			return err
		}
		if errors.Is(err, ErrDamaged) || errors.Is(err, ErrLevel) {
			return e.fail(err)
		}
		e.log.Warn("read the blocks of other writers", zap.Error(err))
		if !wait.wait(e.ctx) {
			return fmt.Errorf("%w: %w", ErrStopped, err)
		}
	}
}

func (e *Engine[S]) takeIn() error {
	for b, err := range e.cfg.Store.Blocks(e.ctx, e.Head().Sequence) {
		if err != nil {
			return err
		}
		if err := e.linker.follows(b, e.logHead()); err != nil {
			return err
		}
		layer, err := e.applied(b)
		if err != nil {
			return e.fail(err)
		}
		e.advance(layer, b)
		e.counts.followed.Add(1)
		e.room.back(e.log) // for others there was room
		e.turns.met()
		e.late(b)
	}
	return nil
}

// applied returns a layer in which a block of another writer is folded in.
func (e *Engine[S]) applied(b *Block) (S, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	layer := e.state.Fork(Stamp{Next: b.First, Time: b.Time, Epoch: b.Epoch})
	for i, en := range b.Entries {
		if err := layer.Apply(b.First+uint64(i), en); err != nil {
			return layer, fmt.Errorf("apply entry %d: %w", b.First+uint64(i), err)
		}
	}
	return layer, nil
}
