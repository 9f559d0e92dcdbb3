// Package wire watches what goes over the connections of a gRPC server, below gRPC and
// above TLS: it counts HTTP/2 frames without touching them.
//
// grpc-go bounds one message and the streams of one connection. What it does not bound is
// what an identity holds with all of its connections: messages that never end, answers
// that nobody reads, streams that send nothing, control frames without end. All of these
// show in the headers of frames, so they are counted there:
//
//	caller ── HEADERS 1 ── DATA 1 (n bytes) ──▶  held += n      until stream 1 ends
//	caller ◀────────────── DATA 1 (m bytes) ───  owed −= m      owed grows with each answer
//
// A stream ends with END_STREAM from the server or RST_STREAM from either side. What an
// identity and the process hold is bounded; whoever goes beyond it loses the connection
// that did, and others notice nothing.
package wire

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what callers hold. A zero field means its default.
type Limits struct {
	Held         int           // bytes of requests under way, of an account; 32 MiB
	HeldByAll    int           // of all accounts together; 96 MiB
	Owed         int           // bytes of answers that wait to be read, of an account; 16 MiB
	OwedByAll    int           // of all accounts together; 64 MiB
	Calls        int           // calls under way, of an account; 1,000, and twice that of a group
	CallsByAll   int           // of all accounts together; 8,000
	Streams      int           // calls that may have many answers, of an account; 128
	StreamsByAll int           // of all accounts together; 20,000
	ArriveWithin time.Duration // how long a request may take to arrive; 30 s
	ReadWithin   time.Duration // how long an answer may wait before some of it is read; 30 s
}

// Allowances of one connection, in frames.
const (
	controlBurst     = 4_000 // control frames at once
	controlPerSecond = 500
	controlPerFrame  = 4 // for each frame that is of use: an answer may be acknowledged by several
	resetBurst       = 2_000
	resetPerSecond   = 200
	refusedBurst     = 4_000 // calls above the caller's allowance
	refusedPerSecond = 100
)

// What ends a connection; reasons of the count of Ended.
const (
	ReasonFrames  = "control_frames"
	ReasonResets  = "resets"
	ReasonRefused = "refused_calls"
	ReasonHeld    = "requests_under_way"
	ReasonOwed    = "answers_not_read"
)

// errEnded is what reading from a connection gives that was ended for what it did.
var errEnded = errors.New("the connection was ended for what its caller did")

// sweepEvery is how often time limits are looked at.
const sweepEvery = time.Second

// Watch watches the connections of a process.
type Watch struct {
	limits Limits
	ended  func(c *Conn, reason string)

	held, owed, calls, streams atomic.Int64
	now                        atomic.Int64 // Unix nanoseconds, as of the last sweep

	mu       sync.Mutex
	accounts map[string]*Account
	groups   map[string]*group
	conns    map[*Conn]bool
	sweeping bool
}

// New returns a watch. ended, if there is one, is told of each connection that is ended
// for what its caller did, and why.
func New(l Limits, ended func(c *Conn, reason string)) *Watch {
	l.Held = or(l.Held, 32<<20)
	l.HeldByAll = or(l.HeldByAll, 96<<20)
	l.Owed = or(l.Owed, 16<<20)
	l.OwedByAll = or(l.OwedByAll, 64<<20)
	l.Calls = or(l.Calls, 1000)
	l.CallsByAll = or(l.CallsByAll, 8000)
	l.Streams = or(l.Streams, 128)
	l.StreamsByAll = or(l.StreamsByAll, 20_000)
	l.ArriveWithin = or(l.ArriveWithin, 30*time.Second)
	l.ReadWithin = or(l.ReadWithin, 30*time.Second)
	w := &Watch{limits: l, ended: ended, accounts: make(map[string]*Account), groups: make(map[string]*group), conns: make(map[*Conn]bool)}
	w.now.Store(time.Now().UnixNano())
	return w
}

func or[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// sweep looks at time limits until there is no connection left.
func (w *Watch) sweep() {
	for {
		time.Sleep(sweepEvery)
		now := time.Now()
		w.now.Store(now.UnixNano())
		w.mu.Lock()
		if len(w.conns) == 0 && len(w.accounts) == 0 {
			w.sweeping = false
			w.mu.Unlock()
			return
		}
		accounts := make([]*Account, 0, len(w.accounts))
		for key, a := range w.accounts {
			accounts = append(accounts, a)
			if a.idle() {
				w.forget(key, a)
			}
		}
		var stuck []*Conn
		for c := range w.conns {
			if c.stuck(now, w.limits.ReadWithin) {
				stuck = append(stuck, c)
			}
		}
		w.mu.Unlock()
		for _, a := range accounts {
			a.sweep(now)
		}
		for _, c := range stuck {
			c.end(ReasonOwed)
		}
	}
}

// forget drops an account that holds nothing. mu is held.
func (w *Watch) forget(key string, a *Account) {
	delete(w.accounts, key)
	if a.group.accounts--; a.group.accounts == 0 {
		delete(w.groups, a.group.key)
	}
}

// account finds or makes an account of a group. mu is held.
func (w *Watch) account(key, of string) *Account {
	a := w.accounts[key]
	if a != nil {
		return a
	}
	g := w.groups[of]
	if g == nil {
		g = &group{key: of}
		w.groups[of] = g
	}
	g.accounts++
	a = &Account{w: w, key: key, group: g}
	w.accounts[key] = a
	return a
}

// relieve ends the connection that holds most, of the account that holds most: the
// process holds more than it may.
func (w *Watch) relieve() {
	w.mu.Lock()
	var most *Account
	for _, a := range w.accounts {
		if most == nil || a.held.Load() > most.held.Load() {
			most = a
		}
	}
	var worst *Conn
	held := -1
	for c := range w.conns {
		if c.account != most {
			continue
		}
		if n := int(c.heldNow.Load()); n > held {
			worst, held = c, n
		}
	}
	w.mu.Unlock()
	if worst != nil {
		worst.end(ReasonHeld)
	}
}
