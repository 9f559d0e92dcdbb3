package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// Source is the log that a relay publishes; ledger.Engine is one.
type Source interface {
	Head() ledger.Head
	Wait(ctx context.Context, after uint64) (ledger.Head, error)
	Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error]
}

// RelayConfig says what a relay publishes and where. All but Log are required.
type RelayConfig struct {
	Conn  *nats.Conn
	Epoch uint32
	// Source is the log.
	Source Source
	// Describe returns an event's subject and headers; the relay adds its own to
	// them. It must give the same for the same event, always.
	Describe func(sequence uint64, event []byte) (subject string, header nats.Header, err error)
	// Log gets problems; nothing is logged when it is nil.
	Log *zap.Logger
}

const (
	checkEvery   = time.Second
	callTimeout  = 5 * time.Second
	aheadGrace   = 2 * time.Second // for a log that follows another replica's
	backoffFirst = 20 * time.Millisecond
	backoffMost  = 2 * time.Second
)

// Relay publishes event n of a log as message n of the facts stream of an epoch.
// Any number of relays may work on one stream: each publishes with the sequence it
// expects the stream to have, so at most one publication of a number can win, and
// the others read where the stream is and go on from there.
//
// It watches the stream each second: one that was deleted is made again and filled
// from 1; one with a hole is deleted and made again. One that is ahead of the log,
// or has other content than the log, stops the relay until that is resolved: see
// Problem. While NATS is away it waits; the log is not held up by that.
type Relay struct {
	cfg       RelayConfig
	js        jetstream.JetStream
	name      string
	log       *zap.Logger
	published atomic.Uint64
	rebuilt   atomic.Uint64
	problem   atomic.Pointer[string]
}

// errProblem is a state of the stream that a person has to resolve.
var errProblem = errors.New("stream: not of this log")

// NewRelay returns a relay that does nothing before Run.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if cfg.Conn == nil || cfg.Source == nil || cfg.Describe == nil || cfg.Epoch == 0 {
		return nil, errors.New("stream: relay without connection, source, description or epoch")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("stream: relay: %w", err)
	}
	return &Relay{cfg: cfg, js: js, name: FactsName(cfg.Epoch), log: cfg.Log}, nil
}

// Published is the number up to which the stream is known to hold the log.
func (r *Relay) Published() uint64 { return r.published.Load() }

// Rebuilt counts how often the relay made the stream, the first time included.
func (r *Relay) Rebuilt() uint64 { return r.rebuilt.Load() }

// Problem says why nothing is published although NATS answers, in words for an
// operator; it is empty while all is well.
func (r *Relay) Problem() string {
	if p := r.problem.Load(); p != nil {
		return *p
	}
	return ""
}

// Run relays until ctx ends and returns nil then.
//
// The connection should reconnect for ever (nats.MaxReconnects(-1)): once it is
// closed, nothing is published any more.
func (r *Relay) Run(ctx context.Context) error {
	wait, last := backoffFirst, ""
	for {
		began := time.Now()
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > backoffMost {
			wait = backoffFirst
		}
		last = r.note(err, last)
		if errors.Is(err, errProblem) {
			wait = checkEvery
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, backoffMost)
	}
}

// note logs what ended a session, unless that is what ended the one before, and
// returns it.
func (r *Relay) note(err error, before string) string {
	text := err.Error()
	if errors.Is(err, errProblem) {
		r.problem.Store(&text)
	}
	if text == before {
		return text
	}
	if errors.Is(err, errProblem) {
		r.log.Error("relay stopped", zap.String("stream", r.name), zap.Error(err))
	} else {
		r.log.Warn("relay begins again", zap.String("stream", r.name), zap.Error(err))
	}
	return text
}

// session publishes from where the stream is, until something is not as expected.
func (r *Relay) session(ctx context.Context) error {
	if !r.cfg.Conn.IsConnected() {
		return nats.ErrDisconnected
	}
	at, err := r.check(ctx)
	if err != nil {
		return err
	}
	r.problem.Store(nil)
	r.published.Store(at)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p, err := newPipe(r, at, fail)
	if err != nil {
		return err
	}
	defer p.close()
	for next := time.Now().Add(checkEvery); ; {
		if err := p.fill(ctx, next); err != nil {
			return cause(ctx, err)
		}
		if time.Now().Before(next) {
			wait, cancel := context.WithDeadline(ctx, next)
			_, err := r.cfg.Source.Wait(wait, p.sent)
			cancel()
			if ctx.Err() != nil || errors.Is(err, ledger.ErrStopped) {
				return cause(ctx, err)
			}
			continue
		}
		if err := r.watch(ctx); err != nil {
			return cause(ctx, err)
		}
		if err := p.overdue(); err != nil {
			return err
		}
		next = time.Now().Add(checkEvery)
	}
}

// cause prefers why ctx was ended to the error that this led to.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
