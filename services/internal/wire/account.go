package wire

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Why a call is not taken: as many of the caller's own are under way as may be, as many
// bytes of requests, or as many of answers that nobody reads; or the service has so many of
// all callers together that none is taken of one that has more than a few.
var (
	ErrCalls   = errors.New("too many calls are under way")
	ErrHeld    = errors.New("too many bytes of requests are under way")
	ErrOwed    = errors.New("too many answers wait to be read")
	ErrCrowded = errors.New("the service has too much under way")
)

// ErrLate ends a call whose request did not arrive in time, and errOver a call that ended
// before its request was looked at.
var (
	ErrLate = errors.New("the request did not arrive in time")
	errOver = errors.New("the call is over")
)

// Account is what one identity holds with all of its connections.
type Account struct {
	w          *Watch
	key        string
	group      *group
	held, owed atomic.Int64

	mu          sync.Mutex
	conns       int
	calls       int   // of one answer each
	streams     int   // of many
	first, last *Call // whose requests have not arrived, the oldest first
}

// group is what several identities hold together, such as all systems of a unit.
type group struct {
	key      string
	calls    atomic.Int64
	accounts int
}

// Call is one call under way, from its first header on.
type Call struct {
	account    *Account
	ctx        context.Context
	cancel     context.CancelFunc
	stream     bool
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

// Begin counts a call whose header has come, of so many bytes. ctx is the call's own, which
// cancel ends. stream says that it may be answered by many messages, for as long as it
// likes. lost is told when the call ends before its request has arrived: with ErrLate when
// that took too long. A call that arrives is ended by End.
func (a *Account) Begin(ctx context.Context, cancel context.CancelFunc, stream bool, header int, lost func(error)) (*Call, error) {
	w := a.w
	if err := a.room(); err != nil {
		return nil, err
	}
	c := &Call{account: a, ctx: ctx, cancel: cancel, stream: stream, lost: lost, began: time.Unix(0, w.now.Load())}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := c.count(); err != nil {
		return nil, err
	}
	if header > smallHeader {
		if err := c.hold(header); err != nil {
			c.uncount()
			return nil, err
		}
	}
	if c.prev = a.last; c.prev != nil {
		c.prev.next = c
	} else {
		a.first = c
	}
	a.last = c
	return c, nil
}

// smallHeader is how many bytes of a header are not worth counting.
const smallHeader = 1 << 10

// A caller that holds no more than this is served as long as there is anything left: what
// others hold, half of all is theirs.
const (
	fewCalls = 64
	fewBytes = 1 << 20
)

// room says why the account may not be owed more.
func (a *Account) room() error {
	own, all := int(a.owed.Load()), int(a.w.owed.Load())
	switch l := &a.w.limits; {
	case own > l.Owed:
		return ErrOwed
	case all > l.OwedByAll, all > l.OwedByAll/2 && own > fewBytes:
		return ErrCrowded
	}
	return nil
}

// count takes a place for the call; the account's mu is held.
func (c *Call) count() error {
	a, l := c.account, &c.account.w.limits
	if c.stream {
		switch {
		case a.streams >= l.Streams:
			return ErrCalls
		case a.w.streams.Add(1) > int64(l.StreamsByAll):
			a.w.streams.Add(-1)
			return ErrCrowded
		}
		a.streams++
		return nil
	}
	all := a.w.calls.Add(1)
	of := a.group.calls.Add(1)
	var err error
	switch {
	case a.calls >= l.Calls, of > int64(2*l.Calls):
		err = ErrCalls
	case all > int64(l.CallsByAll), all > int64(l.CallsByAll/2) && a.calls >= fewCalls:
		err = ErrCrowded
	}
	a.calls++
	if err != nil {
		c.uncount()
	}
	return err
}

// uncount gives the call's place back; the account's mu is held.
func (c *Call) uncount() {
	if c.stream {
		c.account.streams--
		c.account.w.streams.Add(-1)
		return
	}
	c.account.calls--
	c.account.group.calls.Add(-1)
	c.account.w.calls.Add(-1)
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
// together, would then hold more than they may, or the call is over.
func (c *Call) Hold(n int) error {
	c.account.mu.Lock()
	defer c.account.mu.Unlock()
	if c.state == over {
		return errOver
	}
	return c.hold(n)
}

// hold is Hold; the account's mu is held.
func (c *Call) hold(n int) error {
	a, w := c.account, c.account.w
	own, all := int(a.held.Add(int64(n))), int(w.held.Add(int64(n)))
	var err error
	switch {
	case own > w.limits.Held:
		err = ErrHeld
	case all > w.limits.HeldByAll:
		err = ErrCrowded
	}
	c.held += n
	if err != nil {
		c.release(n)
	}
	return err
}

// release gives back what a call holds; the account's mu is held.
func (c *Call) release(n int) {
	c.held -= n
	c.account.held.Add(-int64(n))
	c.account.w.held.Add(-int64(n))
}

// End says that a call is over. It may be said again.
func (c *Call) End() {
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.state == awaited {
		a.unlink(c)
	}
	a.over(c)
}

// over ends a call; mu is held.
func (a *Account) over(c *Call) {
	if c.state == over {
		return
	}
	c.state = over
	c.uncount()
	c.release(c.held)
}

// idle reports whether the account holds nothing.
func (a *Account) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns == 0 && a.calls == 0 && a.streams == 0
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
			a.over(c)
			all = append(all, gone{c, why})
		}
		c = next
	}
	a.mu.Unlock()
	for _, g := range all {
		g.call.cancel()
		g.call.lost(g.why)
	}
}
