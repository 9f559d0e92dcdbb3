package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Reporting is a reporting service at work: its ledger, the directory that follows
// the registry, the relay that publishes the log, the board of last values.
type Reporting struct {
	engine    *reporting.Engine
	service   *reporting.Service
	directory *reporting.Directory
	relay     *stream.Relay
	cancel    context.CancelFunc
	unfollow  context.CancelFunc
	connected func() bool // to NATS
	work      sync.WaitGroup
}

// ReportingConfig is what a reporting service is made of.
type ReportingConfig struct {
	Store ledger.Store
	// Shared says that other replicas append to the same store.
	Shared    bool
	ImagePath string
	Registry  registryv1.RegistryServiceClient
	NATS      *nats.Conn
	NATSURLs  []string // where subscribers outside this process reach NATS
	Replicas  int      // copies of each stream; 0 is 1
	// SealKey is by what the relay's messages are told from others: see stream.RelayConfig.
	SealKey []byte
	// Clock is the manual clock, moved to the log's last event where it stands
	// before that; nil means that time goes by itself.
	Clock   *reporting.Clock
	Metrics *prometheus.Registry // nil for none
	Log     *zap.Logger
}

// OpenReporting replays the reporting ledger, makes it ready to serve and starts
// what goes on beside calls.
func OpenReporting(ctx context.Context, c ReportingConfig) (*Reporting, error) {
	now, err := clockOf(ctx, c)
	if err != nil {
		return nil, err
	}
	engine, err := ledger.Open(ctx, ledger.Config[*book.Book]{Store: c.Store, Follow: c.Shared, Empty: book.New,
		ImagePath: c.ImagePath, Now: now, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("reporting: %w", err)
	}
	if err := sameClock(ctx, engine, c.Clock); err != nil {
		return nil, errors.Join(err, engine.Close(ctx))
	}
	if c.Clock != nil {
		c.Clock.Follow(func() time.Time { return engine.Head().Time })
	}
	js, err := jetstream.New(c.NATS, jetstream.WithPublishAsyncMaxPending(8192))
	if err != nil {
		return nil, errors.Join(err, engine.Close(ctx))
	}
	r := &Reporting{engine: engine, connected: c.NATS.IsConnected, directory: reporting.NewDirectory(engine, c.Registry, c.Log)}
	r.relay, err = stream.NewRelay(stream.RelayConfig{Conn: c.NATS, Replicas: c.Replicas, Source: engine,
		Describe: reporting.NewDescribe(), Key: c.SealKey, Log: c.Log})
	if err != nil {
		return nil, errors.Join(err, engine.Close(ctx))
	}
	r.service, err = reporting.New(reporting.Config{Engine: engine, Directory: r.directory, JetStream: js,
		NATSURLs: c.NATSURLs, Publisher: r.relay, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return nil, errors.Join(err, engine.Close(ctx))
	}
	// The board waits until all of its own publishes are answered: its context is not the relay's.
	// What nobody answers is given up, or publications would pile up until none may go.
	boardJS, err := jetstream.New(c.NATS, jetstream.WithPublishAsyncTimeout(boardWithin))
	if err != nil {
		return nil, errors.Join(err, engine.Close(ctx))
	}
	r.begin(c, boardJS)
	return r, nil
}

// begin starts what goes on beside calls.
func (r *Reporting) begin(c ReportingConfig, boardJS jetstream.JetStream) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	board := reporting.NewBoard(r.engine, boardJS, c.Replicas, c.Log)
	following, unfollow := context.WithCancel(ctx)
	r.unfollow = unfollow
	r.work.Go(func() { r.directory.Run(following) })
	r.work.Go(func() { board.Run(ctx) })
	r.work.Go(func() {
		if err := r.relay.Run(ctx); err != nil && c.Log != nil {
			c.Log.Error("the relay ended", zap.Error(err))
		}
	})
	watchLedger(c.Metrics, "reporting", r.engine)
	if c.Metrics != nil {
		r.watchRelay(c.Metrics)
	}
}

func (r *Reporting) watchRelay(m *prometheus.Registry) {
	obs.WatchRelay(m, "reporting", obs.Relay{
		Published:  r.relay.Published,
		Lag:        func() uint64 { return r.engine.Head().Sequence - min(r.relay.Published(), r.engine.Head().Sequence) },
		Problem:    func() uint64 { return one(r.relay.Problem() != "") },
		Tampered:   func() uint64 { return one(r.relay.Tampered() != "") },
		Revision:   func() uint64 { return uint64(r.directory.Revision(context.Background())) },
		Unfollowed: func() uint64 { return one(r.directory.Problem() != "") },
	})
	obs.WatchSubscriptions(m, "reporting", r.service.Lags)
}

// one is 1 where something is so.
func one(so bool) uint64 {
	if so {
		return 1
	}
	return 0
}

// ErrClock says that a log's clock was set by hand, and was to go by itself.
var ErrClock = errors.New("the clock of this log was set by hand")

// sameClock refuses to let time go by itself over a log whose clock was set by hand:
// all days since would fall due at once, and time never goes back.
func sameClock(ctx context.Context, engine *reporting.Engine, manual *reporting.Clock) error {
	return engine.View(ctx, 0, func(b *book.Book) error {
		if b.HandSet() && manual == nil {
			return fmt.Errorf("reporting: %w and stands at %s: go on with --clock=manual, or begin a log of its own", ErrClock, b.Today())
		}
		return nil
	})
}

// clockOf is the time that blocks are stamped with; nil for the store's.
func clockOf(ctx context.Context, c ReportingConfig) (func() time.Time, error) {
	if c.Clock == nil {
		return nil, nil
	}
	head, err := c.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("reporting: read the log's head: %w", err)
	}
	c.Clock.Set(head.Time)
	return c.Clock.Now, nil
}

// Register makes a server serve it.
func (r *Reporting) Register(s grpc.ServiceRegistrar) { r.service.Register(s) }

// Tree implements Guarded.
func (r *Reporting) Tree() (string, auth.Tree) { return "cotmoc.reporting.v1", r.service.Tree() }

// Ready reports whether it can do its work: append, and judge by a copy of the
// registry. NATS is not asked, nor whether the copy can be brought up to date:
// intake goes on, and what is wrong there raises an alarm of its own.
func (r *Reporting) Ready() []obs.Check {
	return append(ledgerChecks("reporting ledger", r.engine),
		obs.Check{Name: "copy of the registry", Run: func(ctx context.Context) error {
			if !r.directory.Ready(ctx) {
				return errors.New("no copy yet, and the registry is away")
			}
			return nil
		}})
}

// StopFollowing ends its watch of the registry, so that a server in the same process
// can end its calls.
func (r *Reporting) StopFollowing() { r.unfollow() }

// boardWithin is how long NATS may take to answer for a value of the board.
const boardWithin = 5 * time.Second

// drainWithin bounds how long Close waits until what was committed is published;
// another replica, or the next start, publishes the rest.
const drainWithin = time.Second

// drain lets the relay publish what was committed, while it gets on.
func (r *Reporting) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	for head := r.engine.Head().Sequence; r.relay.Published() < head && r.relay.Problem() == "" && r.connected(); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Close ends its work; its server is closed before it.
func (r *Reporting) Close(ctx context.Context) error {
	r.drain(ctx)
	r.cancel()
	r.work.Wait()
	return r.engine.Close(ctx)
}
