package reporting

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that stands still until it is set, for demonstrations and tests.
// Where it follows a log it is never before the log's last block: set at one replica,
// it is set at all of them.
type Clock struct {
	micros atomic.Int64
	head   atomic.Pointer[func() time.Time]
}

// NewClock returns a clock that stands at a time, or, for the zero time, in 1970.
func NewClock(at time.Time) *Clock {
	c := &Clock{}
	if !at.IsZero() { // else at the beginning of Unix time
		c.micros.Store(at.UnixMicro())
	}
	return c
}

// Follow makes the clock never be before what head returns, which must not ask the
// clock.
func (c *Clock) Follow(head func() time.Time) { c.head.Store(&head) }

// Now returns the time that was last set, or that of what it follows if that is later.
func (c *Clock) Now() time.Time {
	at := time.UnixMicro(c.micros.Load()).UTC()
	if head := c.head.Load(); head != nil {
		if t := (*head)(); t.After(at) {
			return t
		}
	}
	return at
}

// Set moves the clock forward and reports whether it did: never back.
func (c *Clock) Set(at time.Time) bool {
	for {
		was := c.micros.Load()
		if at.UnixMicro() < c.Now().UnixMicro() {
			return false
		}
		if c.micros.CompareAndSwap(was, at.UnixMicro()) {
			return true
		}
	}
}
