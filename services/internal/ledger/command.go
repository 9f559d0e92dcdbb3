package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Committed says where a command's entries are in the log, and where the log ended
// when they were. First and Last are 0 when the command yielded none. Head is set for
// a command that decide refused, too: a state at Head or later holds whatever the
// refusal tells of. It is the zero Head where nothing was decided.
type Committed struct {
	First, Last uint64
	Head        Head
}

// command is one caller's wish and the way to answer it. It goes back to the pool
// by the caller, and only when answered.
type command[S any] struct {
	decide  func(S) error
	declare Declaration // what its block declares; most declare nothing
	done    chan answer // holds one, so that the loop never waits for a caller
	claim   atomic.Int32

	// What the last run came to; the loop's.
	err      error
	fault    error // it panicked or failed after a draft: not to be run again
	from, to int   // its drafts in the block
}

const (
	unclaimed = iota
	running   // the loop runs it: its outcome is the block's
	forsaken  // its caller left before that
)

type answer struct {
	Committed
	err error
}

// take reports whether the command is to be decided.
func (c *command[S]) take() bool {
	return c.claim.Load() == running || c.claim.CompareAndSwap(unclaimed, running)
}

// run decides the command in the layer. A panic is an error, and a fault.
func (c *command[S]) run(layer S) (err error, panicked bool) {
	defer func() {
		if r := recover(); r != nil {
			err, panicked = fmt.Errorf("%w: %v\n%s", ErrPanic, r, debug.Stack()), true
		}
	}()
	return c.decide(layer), false
}

// Do queues a command and waits until what it decided is durable. The writer loop
// calls decide with the block's layer, in which the commands before it are seen;
// decide may be called more than once, of which the last counts, never by two at a
// time, and must not call the engine. An error of decide refuses the command alone,
// and undoes what it drafted. A command that drafts nothing is answered after the
// commit of what it was decided on.
//
// ErrBusy, ErrStopped, ErrFull and an error of ctx without ErrUnknown mean that
// nothing was done. After ErrUnknown decide may still be running, or run again.
func (e *Engine[S]) Do(ctx context.Context, decide func(S) error) (Committed, error) {
	return e.do(ctx, Declaration{}, decide)
}

func (e *Engine[S]) do(ctx context.Context, d Declaration, decide func(S) error) (Committed, error) {
	if err := ctx.Err(); err != nil {
		return Committed{}, fmt.Errorf("ledger: not begun: %w", context.Cause(ctx))
	}
	c := e.pool.Get().(*command[S])
	c.decide, c.declare, c.err, c.fault = decide, d, nil, nil
	c.claim.Store(unclaimed)
	if err := e.enqueue(c); err != nil {
		e.release(c)
		return Committed{}, err
	}
	select {
	case a := <-c.done:
		e.release(c)
		return a.Committed, a.err
	case <-ctx.Done():
	}
	if c.claim.CompareAndSwap(unclaimed, forsaken) {
		return Committed{}, fmt.Errorf("ledger: not begun: %w", context.Cause(ctx))
	}
	select {
	case a := <-c.done: // settled at the same time
		e.release(c)
		return a.Committed, a.err
	default:
		return Committed{}, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

func (e *Engine[S]) enqueue(c *command[S]) error {
	e.intake.RLock()
	defer e.intake.RUnlock()
	if e.closed {
		return ErrStopped
	}
	if err := e.Err(); err != nil {
		return err
	}
	select {
	case e.queue <- c:
		return nil
	default:
		return ErrBusy
	}
}

func (e *Engine[S]) release(c *command[S]) {
	c.decide, c.err, c.fault = nil, nil, nil
	e.pool.Put(c)
}

// Try decides in a layer of its own that is then dropped: nothing is changed, and
// the answer is the one that Do would give now. Head is the state that it was decided
// on, also when decide refuses.
func (e *Engine[S]) Try(ctx context.Context, decide func(S) error) (Head, error) {
	t, err := e.now(ctx)
	if err != nil {
		return Head{}, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	layer := e.ticked(e.stamp(t))
	c := command[S]{decide: decide}
	err, _ = c.run(layer)
	return e.Head(), err
}

// tick calls Tick where it is due.
func tick[S State[S]](layer S, at time.Time) error {
	if !layer.Due(at) {
		return nil
	}
	c := command[S]{decide: func(s S) error { return s.Tick() }}
	if err, _ := c.run(layer); err != nil {
		return fmt.Errorf("tick at %v: %w", at, err)
	}
	return nil
}

// definite reports whether an append surely stored nothing, for want of room.
func definite(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrTooLarge)
}
