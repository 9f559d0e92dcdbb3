package reporting

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that stands still until it is set, for demonstrations and tests.
type Clock struct{ micros atomic.Int64 }

// NewClock returns a clock that stands at a time, or, for the zero time, in 1970.
func NewClock(at time.Time) *Clock {
	c := &Clock{}
	if !at.IsZero() { // else at the beginning of Unix time
		c.micros.Store(at.UnixMicro())
	}
	return c
}

// Now returns the time that was last set.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Load()).UTC() }

// Set moves the clock forward and reports whether it did: never back.
func (c *Clock) Set(at time.Time) bool {
	for {
		was := c.micros.Load()
		if at.UnixMicro() < was {
			return false
		}
		if c.micros.CompareAndSwap(was, at.UnixMicro()) {
			return true
		}
	}
}
