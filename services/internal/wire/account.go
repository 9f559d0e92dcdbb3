package wire

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Why a call is not taken: of the caller's own, or of everybody's together, as many are
// under way as may be, as many bytes of requests, or as many of answers that nobody reads.
var (
	ErrCalls = errors.New("too many calls are under way")
	ErrHeld  = errors.New("too many bytes of requests are under way")
	ErrOwed  = errors.New("too many answers wait to be read")
)

// ErrLate ends a call whose request did not arrive in time.
var ErrLate = errors.New("the request did not arrive in time")

// Account is what one identity holds with all of its connections.
type Account struct {
	w          *Watch
	key        string
	held, owed atomic.Int64

	mu          sync.Mutex
	conns       int
	calls       int
	first, last *Call // whose requests have not arrived, the oldest first
}

// Call is one call under way, from its first header on.
type Call struct {
	account    *Account
	ctx        context.Context
	cancel     context.CancelFunc
	lost       func(error)
	began      time.Time
	prev, next *Call
	state      callState
	held       int
}

// callState is how far a call has come.
type callState int

const (
	awaited callState = iota // its request has not arrived
	arrived
	over
)

// Begin counts a call whose header has come. ctx is the call's own, which cancel ends.
// lost is told when the call ends before its request has arrived: with ErrLate when that
// took too long. A call that arrives is ended by End.
func (a *Account) Begin(ctx context.Context, cancel context.CancelFunc, lost func(error)) (*Call, error) {
	w := a.w
	if int(a.owed.Load()) > w.limits.Owed || int(w.owed.Load()) > w.limits.OwedByAll {
		return nil, ErrOwed
	}
	c := &Call{account: a, ctx: ctx, cancel: cancel, lost: lost, began: time.Unix(0, w.now.Load())}
	if w.calls.Add(1) > int64(w.limits.CallsByAll) {
		w.calls.Add(-1)
		return nil, ErrCalls
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls >= w.limits.Calls {
		w.calls.Add(-1)
		return nil, ErrCalls
	}
	a.calls++
	if c.prev = a.last; c.prev != nil {
		c.prev.next = c
	} else {
		a.first = c
	}
	a.last = c
	return c, nil
}

// Arrived says that the whole request is there.
func (c *Call) Arrived() {
	c.account.mu.Lock()
	defer c.account.mu.Unlock()
	if c.state == awaited {
		c.account.unlink(c)
		c.state = arrived
	}
}

// Hold counts n bytes more that a call holds until End, unless its account, or all of them
// together, would then hold more than they may.
func (c *Call) Hold(n int) error {
	a, w := c.account, c.account.w
	if int(a.held.Load())+n > w.limits.Held || int(w.held.Load())+n > w.limits.HeldByAll {
		return ErrHeld
	}
	c.held += n
	a.held.Add(int64(n))
	w.held.Add(int64(n))
	return nil
}

// End says that a call is over. It may be said again.
func (c *Call) End() {
	a := c.account
	a.mu.Lock()
	was := c.state
	if was == awaited {
		a.unlink(c)
	}
	c.state = over
	if was != over {
		a.calls--
	}
	a.mu.Unlock()
	if was == over {
		return
	}
	a.w.calls.Add(-1)
	if c.held > 0 {
		a.held.Add(-int64(c.held))
		a.w.held.Add(-int64(c.held))
	}
}

// idle reports whether the account holds nothing.
func (a *Account) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns == 0 && a.calls == 0
}

// unlink takes a call out of the list of those whose requests are awaited. mu is held.
func (a *Account) unlink(c *Call) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		a.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		a.last = c.prev
	}
	c.prev, c.next = nil, nil
}

// sweep gives up the calls that ended, or whose time is up, before their requests came.
func (a *Account) sweep(now time.Time) {
	type gone struct {
		call *Call
		why  error
	}
	var all []gone
	a.mu.Lock()
	for c := a.first; c != nil; {
		next := c.next
		var why error
		switch {
		case c.ctx.Err() != nil:
			why = context.Cause(c.ctx)
		case now.Sub(c.began) > a.w.limits.ArriveWithin:
			why = ErrLate
		}
		if why != nil {
			a.unlink(c)
			c.state = over
			a.calls--
			all = append(all, gone{c, why})
		}
		c = next
	}
	a.mu.Unlock()
	a.w.calls.Add(-int64(len(all)))
	for _, g := range all {
		g.call.cancel()
		g.call.lost(g.why)
	}
}
