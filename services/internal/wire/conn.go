package wire

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a watched connection. One goroutine reads from it and one writes to it, as
// gRPC's transports do.
type Conn struct {
	net.Conn
	watch   *Watch
	account *Account
	in, out frames
	heldNow atomic.Int64
	close   sync.Once

	mu       sync.Mutex
	streams  map[uint32]open
	newest   uint32    // stream
	owed     int       // bytes of answers that have not gone out
	went     time.Time // when some of an answer last went out, or nothing was owed
	why      string    // why the connection was ended; empty while it was not
	shutNow  bool      // it is out of all counts
	controls tokens
	resets   tokens
	refusals tokens
}

// open is a stream that has not ended.
type open struct {
	held int // bytes that came on it
	owed int // bytes of its answer, or of the last of them, that have not gone out
}

// Watch watches a connection of the account with this key, from its first byte on. The
// account belongs to a group, such as a unit with several systems.
func (w *Watch) Watch(raw net.Conn, key, group string) *Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.account(key, group)
	now := time.Now()
	c := &Conn{Conn: raw, watch: w, account: a, streams: make(map[uint32]open), went: now,
		controls: tokens{most: controlBurst, each: controlPerSecond}, resets: tokens{most: resetBurst, each: resetPerSecond},
		refusals: tokens{most: refusedBurst, each: refusedPerSecond}}
	c.in = frames{skip: prefaceSize, each: c.received}
	c.out = frames{each: c.sent}
	w.conns[c] = true
	a.mu.Lock()
	a.conns++
	a.mu.Unlock()
	if !w.sweeping {
		w.sweeping = true
		w.now.Store(now.UnixNano())
		go w.sweep()
	}
	return c
}

// Account is what the connection's identity holds.
func (c *Conn) Account() *Account { return c.account }

// Key is the key of the connection's account.
func (c *Conn) Key() string { return c.account.key }

// Read reads what the caller sends.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	c.mu.Lock()
	if !c.shutNow {
		c.in.feed(p[:n])
	}
	why := c.why
	c.mu.Unlock()
	if int(c.account.held.Load()) > c.watch.limits.Held && c.heldNow.Load() > 0 {
		why = ReasonHeld
	}
	if why != "" {
		c.end(why)
		return 0, errEnded
	}
	if int(c.watch.held.Load()) > c.watch.limits.HeldByAll {
		c.watch.relieve()
	}
	return n, err
}

// Write sends to the caller.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shutNow {
		c.out.feed(p[:n])
	}
	return n, err
}

// received counts a frame of the caller's. mu is held.
func (c *Conn) received(f frame) {
	s, known := c.streams[f.stream]
	switch {
	case f.kind == typeHeaders && f.stream > c.newest:
		c.newest = f.stream
		c.streams[f.stream] = open{}
		c.controls.give(controlPerFrame)
		return
	case f.kind == typeData && known && f.length > 0:
		s.held += f.length
		c.streams[f.stream] = s
		c.hold(f.length)
		c.controls.give(controlPerFrame)
		return
	case f.kind == typeData && known && f.ends():
		return
	case f.kind == typeReset:
		c.over(f.stream)
		if !c.resets.take(1) {
			c.why = ReasonResets
		}
		return
	}
	if !c.controls.take(1) {
		c.why = ReasonFrames
	}
}

// sent counts a frame that went out. mu is held.
func (c *Conn) sent(f frame) {
	switch {
	case f.kind == typeReset: // a stream above their number, or one that made no sense
		c.over(f.stream)
		if !c.refusals.take(1) {
			c.why = ReasonRefused
		}
		return
	case f.kind > typeHeaders:
		return // an answer to a control frame earns no other
	case f.kind == typeData && f.length > 0:
		c.went = time.Unix(0, c.watch.now.Load())
		c.owe(f.stream, -f.length)
	}
	c.controls.give(controlPerFrame)
	if f.ends() {
		c.over(f.stream)
		c.resets.give(1)
	}
}

// over releases what a stream held and was owed.
func (c *Conn) over(stream uint32) {
	s, known := c.streams[stream]
	if !known {
		return
	}
	c.owe(stream, -s.owed)
	delete(c.streams, stream)
	c.hold(-s.held)
}

func (c *Conn) hold(n int) {
	c.heldNow.Add(int64(n))
	c.account.held.Add(int64(n))
	c.watch.held.Add(int64(n))
}

// owe changes what a stream is owed, which is never less than nothing.
func (c *Conn) owe(stream uint32, n int) {
	s := c.streams[stream]
	n = max(n, -s.owed)
	if n == 0 {
		return
	}
	s.owed += n
	c.streams[stream] = s
	c.owed += n
	c.account.owed.Add(int64(n))
	c.watch.owed.Add(int64(n))
}

// Owe says that an answer of n bytes is about to be sent on a stream. What an answer
// before it was owed has nearly all gone out: gRPC waits for that. A compressed answer is
// owed in full until its stream ends, or the next one comes.
func (c *Conn) Owe(stream uint32, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.streams[stream]
	if !known || c.shutNow {
		return // the stream is gone, and so is whoever would read it
	}
	if c.owed == 0 {
		c.went = time.Unix(0, c.watch.now.Load())
	}
	c.owe(stream, n-s.owed)
}

// Room is nil while the account may be owed more.
func (c *Conn) Room() error { return c.account.room() }

// Refused counts a call above its caller's allowance. A caller that goes on all the same
// loses the connection.
func (c *Conn) Refused() {
	c.mu.Lock()
	left := c.refusals.take(1)
	c.mu.Unlock()
	if !left {
		c.end(ReasonRefused)
	}
}

// stuck reports whether an answer waits that nobody has read of for long.
func (c *Conn) stuck(now time.Time, longest time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owed > 0 && now.Sub(c.went) > longest
}

// end closes the connection for what its caller did, and tells of it.
func (c *Conn) end(why string) {
	c.mu.Lock()
	told := c.why != "" && c.why != why
	c.why = why
	c.mu.Unlock()
	if c.shut() && !told && c.watch.ended != nil {
		c.watch.ended(c, why)
	}
	_ = c.Conn.Close()
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.shut()
	return c.Conn.Close()
}

// shut takes the connection out of all counts; it reports false when that was done.
func (c *Conn) shut() (first bool) {
	c.close.Do(func() {
		first = true
		c.mu.Lock()
		c.shutNow = true
		for stream := range c.streams {
			c.over(stream)
		}
		c.mu.Unlock()
		w, a := c.watch, c.account
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.conns, c)
		a.mu.Lock()
		a.conns--
		a.mu.Unlock()
		if a.idle() {
			w.forget(a.key, a)
		}
	})
	return first
}

// tokens is an allowance that fills up again by itself.
type tokens struct {
	most, each float64 // at once, and in a second
	spent      float64
	at         time.Time
}

func (t *tokens) give(n float64) { t.spent = max(0, t.spent-n) }

// take reports whether there was enough left.
func (t *tokens) take(n float64) bool {
	if t.spent+n > t.most/2 { // else time need not be looked at
		now := time.Now()
		if !t.at.IsZero() {
			t.give(now.Sub(t.at).Seconds() * t.each)
		}
		t.at = now
	}
	if t.spent += n; t.spent > t.most {
		t.spent = t.most
		return false
	}
	return true
}
