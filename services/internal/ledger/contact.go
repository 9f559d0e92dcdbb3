package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// silentMost is for how long a store may owe an answer before Reachable says so.
const silentMost = 3 * time.Second

// contact knows since when the store owes an answer.
type contact struct {
	began time.Time
	since atomic.Int64 // after began; 0 when it answered last
}

// ask notes whether the store answers. A refusal is an answer.
func (c *contact) ask(call func() error) error {
	c.since.CompareAndSwap(0, int64(time.Since(c.began))|1)
	err := call()
	if err == nil || errors.Is(err, ErrConflict) || definite(err) {
		c.since.Store(0)
	}
	return err
}

// away makes a read's error ErrAway, unless the store answered, with what is not to be read.
func away(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrLevel) || errors.Is(err, ErrAbsent) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// silent is for how long the store has owed an answer.
func (c *contact) silent() time.Duration {
	since := c.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(c.began) - time.Duration(since)
}

// Reachable returns nil while the store answers, and else an error once it has not
// for 3 seconds. An engine that does not follow asks only when it appends.
func (e *Engine[S]) Reachable() error {
	if d := e.contact.silent(); d >= silentMost {
		return fmt.Errorf("ledger: the store has not answered for %v", d.Round(time.Second))
	}
	return nil
}

// Fresh waits until the state has all that the store holds now, at most 5 seconds,
// and then returns ErrNotReached. An engine that does not follow has it anyway.
func (e *Engine[S]) Fresh(ctx context.Context) error {
	if !e.cfg.Follow {
		return nil
	}
	if err := e.Err(); err != nil {
		return err
	}
	var h Head
	err := e.contact.ask(func() (err error) {
		h, err = e.cfg.Store.Head(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: look where the log ends: %w", away(err))
	}
	if h.Sequence <= e.Head().Sequence {
		return nil
	}
	return e.reach(ctx, h.Sequence)
}

// LagBounds are the upper bounds of the buckets of Lags, in seconds.
var LagBounds = [...]float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}

// Lags is how late other writers' blocks were taken in: from the block's time, which
// is before it was appended, to when it could be read here.
type Lags struct {
	Count   uint64
	Sum     time.Duration
	Buckets [len(LagBounds)]uint64 // blocks that were not later than each bound
}

// lags counts what Lags tells.
type lags struct {
	count   atomic.Uint64
	sum     atomic.Int64
	buckets [len(LagBounds)]atomic.Uint64
}

func (l *lags) note(d time.Duration) {
	l.count.Add(1)
	l.sum.Add(int64(d))
	for i, most := range LagBounds {
		if d.Seconds() <= most {
			l.buckets[i].Add(1)
		}
	}
}

func (l *lags) read() (out Lags) {
	for i := range l.buckets {
		out.Buckets[i] = l.buckets[i].Load()
	}
	out.Count, out.Sum = l.count.Load(), time.Duration(l.sum.Load())
	return out
}

// late notes how late a block was taken in. Where time is set by hand it says nothing.
func (e *Engine[S]) late(b *Block) {
	if e.cfg.Now != nil {
		return
	}
	if now, err := e.cfg.Store.Now(e.ctx); err == nil {
		e.lags.note(max(0, now.Sub(b.Time)))
	}
}
