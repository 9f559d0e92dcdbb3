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
	Fresh(ctx context.Context) error
	Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error]
	Origin(ctx context.Context, epoch uint32) (ledger.Origin, error)
}

// Event is an event of the log on its way to a stream.
type Event struct {
	Sequence uint64
	Mark     ledger.Mark
	Origin   ledger.Origin // of the stream's epoch, which may be later than the event's own
	Data     []byte
}

// RelayConfig says what a relay publishes and where. Conn, Source and Describe are
// required.
type RelayConfig struct {
	Conn *nats.Conn
	// Replicas is on how many servers of the cluster the stream is kept; 0 is 1.
	Replicas int
	// Leaderless is how long the stream may be without a server that leads it, in a
	// cluster that has a leader, before it is made again; 0 is a minute.
	Leaderless time.Duration
	// Source is the log.
	Source Source
	// Describe returns an event's subject and headers; the relay adds its own to
	// them. It must give the same for the same event of the same stream, always.
	Describe func(e Event) (subject string, header nats.Header, err error)
	// Key seals messages, so that those that a relay of this log wrote are told from
	// others. It is the same for all relays of a log, and stays when the log is restored
	// from a backup. Without one, whoever knows this program can seal.
	Key []byte
	// Log gets problems; nothing is logged when it is nil.
	Log *zap.Logger
}

const (
	checkEvery   = time.Second
	callTimeout  = 5 * time.Second
	backoffFirst = 20 * time.Millisecond
	backoffMost  = 2 * time.Second
	stalledAfter = 5 * time.Second // without an answer, what is owed is a problem
	leaderless   = time.Minute
)

// Relay publishes event n of a log as message n of the facts stream of its epoch.
// Any number of relays may work on one stream: each publishes with the sequence it
// expects the stream to have, so at most one publication of a number can win, and
// the others read where the stream is and go on from there.
//
// It watches the stream each second: one that was deleted is made again and filled
// from 1; one with a hole, or that no server has led for a minute, is deleted and made
// again. One that is ahead of the log, or has other content than the log, or is of a
// later epoch, stops the relay until that is resolved. What is there and not in the log
// was written by a relay of this log, and the log was restored from a backup since (see
// Restored), or by somebody else (see Tampered): a seal tells one from the other. While
// NATS is away it waits; the log is not held up by that. When the log begins a new
// epoch, so does the relay, with a new stream.
type Relay struct {
	cfg        RelayConfig
	js         jetstream.JetStream
	epoch      uint32    // that it works for, and
	name       string    // its stream; both are Run's, and so is
	leaderless time.Time // since when no server leads it, zero for not, and
	rejected   uint64    // the number under which an event was not taken in, 0 for none, and
	looked     bool      // whether the last messages were compared since it began
	log        *zap.Logger
	good       atomic.Int64 // when it last published what it owed, or owed nothing, in Unix nanoseconds
	failed     atomic.Pointer[string]
	published  atomic.Uint64
	rebuilt    atomic.Uint64
	problem    atomic.Pointer[error]
}

// errProblem is a state of the stream that a person has to resolve: an event that cannot
// be published, or one of the two below.
var errProblem = errors.New("stream")

// errRestored says that the stream has what a relay of this log wrote and the log lacks.
var errRestored = fmt.Errorf("%w: not of this log any more", errProblem)

// errTampered says that the stream has what no relay of this log wrote.
var errTampered = fmt.Errorf("%w: somebody else wrote to it", errProblem)

// errEpoch ends a session when the log has begun a new epoch.
var errEpoch = errors.New("stream: the log began a new epoch")

// NewRelay returns a relay that does nothing before Run.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if cfg.Conn == nil || cfg.Source == nil || cfg.Describe == nil {
		return nil, errors.New("stream: relay without connection, source or description")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Leaderless == 0 {
		cfg.Leaderless = leaderless
	}
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("stream: relay: %w", err)
	}
	r := &Relay{cfg: cfg, js: js, log: cfg.Log}
	r.begin(cfg.Source.Head().Epoch)
	r.well()
	return r, nil
}

// begin makes it work for an epoch.
func (r *Relay) begin(epoch uint32) {
	if epoch != r.epoch {
		r.epoch, r.name = epoch, FactsName(epoch)
		r.published.Store(0)
		r.rejected, r.looked = 0, false
	}
}

// well notes that it does its work.
func (r *Relay) well() { r.good.Store(time.Now().UnixNano()) }

// Published is the number up to which the stream is known to hold the log.
func (r *Relay) Published() uint64 { return r.published.Load() }

// Rebuilt counts how often the relay made the stream, the first time included.
func (r *Relay) Rebuilt() uint64 { return r.rebuilt.Load() }

// Problem says why nothing is published, in words for an operator: what the stream
// has that it should not, or that nothing of what is owed could be published for some
// seconds. It is empty while all is well.
func (r *Relay) Problem() string {
	if p := r.problem.Load(); p != nil {
		return (*p).Error()
	}
	since := time.Since(time.Unix(0, r.good.Load()))
	if since < stalledAfter || r.cfg.Source.Head().Sequence <= r.Published() {
		return ""
	}
	if !r.cfg.Conn.IsConnected() {
		return fmt.Sprintf("nothing was published for %v: NATS is away", since.Round(time.Second))
	}
	why := "no answer"
	if f := r.failed.Load(); f != nil {
		why = *f
	}
	return fmt.Sprintf("nothing was published for %v although NATS is there (is its disk full?): %s", since.Round(time.Second), why)
}

// Restored says in what the stream is of another history than the log, which was
// restored from a backup; a new epoch resolves it. It is empty as far as is known.
func (r *Relay) Restored() string { return r.of(errRestored) }

// Tampered says what is in the stream that no relay of this log wrote. The log is as it
// was: who writes has to be found, and the stream deleted, which is then made of the
// log again. It is empty as far as is known.
func (r *Relay) Tampered() string { return r.of(errTampered) }

// of is the problem that there is, if it is of a kind.
func (r *Relay) of(kind error) string {
	if p := r.problem.Load(); p != nil && errors.Is(*p, kind) {
		return (*p).Error()
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
	r.failed.Store(&text)
	if errors.Is(err, errProblem) {
		r.problem.Store(&err)
	}
	if rejected := (*rejectedError)(nil); errors.As(err, &rejected) {
		r.rejected = rejected.n
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
	r.begin(r.cfg.Source.Head().Epoch)
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
		if r.cfg.Source.Head().Epoch != r.epoch {
			return errEpoch
		}
		if r.Published() == p.sent {
			r.well()
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
