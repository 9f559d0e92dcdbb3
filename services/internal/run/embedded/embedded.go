// Package embedded runs the services on SQLite, with NATS inside the process or
// beside it: the default, for a province, a ministry, a demonstration.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// Config is what to run, and where.
type Config struct {
	Dir    string // holds all state; made where there is none
	Listen string // for calls, on loopback; port 0 takes a free one
	// MetricsListen is for metrics and health over HTTP; empty for none.
	MetricsListen string
	// NATSListen is where other processes reach the NATS inside; empty for nowhere.
	NATSListen string
	// NATSURL is a NATS server beside the process, instead of one inside.
	NATSURL string
	// RegistryAddr is a registry in another process; for Reporting only.
	RegistryAddr string
	// ManualClock lets the clock stand still at Start until it is set.
	ManualClock bool
	Start       time.Time
	Log         *zap.Logger // nil for none
}

// Process is one or both services at work.
type Process struct {
	Addr        string // for calls
	MetricsAddr string // for metrics and health; empty when nowhere
	NATSURL     string // for subscribers in other processes; empty when there is none

	server  *run.Server
	monitor *run.Monitor
	quiet   []func() // ends watches, in order, before the server ends its calls
	inside  *natsd.Server
	closers []func(context.Context) error // in the order in which parts were made
}

// Up runs the pair in one process.
func Up(ctx context.Context, c Config) (*Process, error) {
	return start(ctx, c, "cotmoc", (*builder).registry, (*builder).reporting)
}

// Registry runs the registry alone.
func Registry(ctx context.Context, c Config) (*Process, error) {
	return start(ctx, c, "registry", (*builder).registry)
}

// Reporting runs the reporting service alone, with a registry in another process.
func Reporting(ctx context.Context, c Config) (*Process, error) {
	if c.RegistryAddr == "" {
		return nil, errors.New("the reporting service needs the registry's address")
	}
	return start(ctx, c, "reporting", (*builder).reporting)
}

// builder collects the parts of a process.
type builder struct {
	c       Config
	p       *Process
	clock   *reporting.Clock // nil when time goes by itself
	metrics *prometheus.Registry
	parts   []run.Part
	ready   []obs.Check
}

func start(ctx context.Context, c Config, name string, steps ...func(*builder, context.Context) error) (_ *Process, err error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	l, err := run.Listen(c.Listen)
	if err != nil {
		return nil, err
	}
	b := &builder{c: c, p: &Process{Addr: l.Addr().String()}, metrics: obs.NewRegistry()}
	defer func() {
		if err != nil {
			_ = l.Close()
			err = errors.Join(err, b.p.Close(context.WithoutCancel(ctx)))
		}
	}()
	if c.ManualClock {
		b.clock = reporting.NewClock(c.Start)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	if b.p.monitor, err = run.NewMonitor(c.MetricsListen, b.metrics); err != nil {
		return nil, err
	}
	b.p.MetricsAddr = b.p.monitor.Addr()
	for _, step := range steps {
		if err := step(b, ctx); err != nil {
			return nil, err
		}
	}
	b.p.server = run.NewServer(run.ServerConfig{Listener: l, Calls: obs.NewMetrics(b.metrics, name), Log: c.Log,
		Ready: b.ready, Parts: b.parts})
	b.p.monitor.Watch(b.ready...)
	return b.p, nil
}

func (p *Process) onClose(f func(context.Context) error) { p.closers = append(p.closers, f) }

// store opens a ledger of the state folder, which nobody else works on.
func (b *builder) store(ctx context.Context, name string) (*sqlite.Store, string, error) {
	if err := b.lock(name); err != nil {
		return nil, "", err
	}
	store, err := sqlite.Open(ctx, filepath.Join(b.c.Dir, name+".db"))
	if err != nil {
		return nil, "", err
	}
	b.p.onClose(func(context.Context) error { return store.Close() })
	return store, filepath.Join(b.c.Dir, name+".image"), nil
}

func (b *builder) registry(ctx context.Context) error {
	store, image, err := b.store(ctx, "registry")
	if err != nil {
		return err
	}
	config := run.RegistryConfig{Store: store, ImagePath: image,
		Metrics: b.metrics, Log: b.c.Log.Named("registry")}
	if b.clock != nil {
		config.Now = b.clock.Now
	}
	r, err := run.OpenRegistry(ctx, config)
	if err != nil {
		return err
	}
	b.p.onClose(r.Close)
	b.p.quiet = append(b.p.quiet, r.StopWatches)
	b.parts = append(b.parts, r)
	b.ready = append(b.ready, r.Ready())
	return nil
}

func (b *builder) reporting(ctx context.Context) error {
	store, image, err := b.store(ctx, "reporting")
	if err != nil {
		return err
	}
	nc, urls, err := b.nats()
	if err != nil {
		return err
	}
	address := b.c.RegistryAddr
	if address == "" {
		address = b.p.Addr
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("registry at %s: %w", address, err)
	}
	b.p.onClose(func(context.Context) error { return conn.Close() })
	config := run.ReportingConfig{Store: store, ImagePath: image, Registry: registryv1.NewRegistryServiceClient(conn),
		NATS: nc, NATSURLs: urls, Clock: b.clock, Metrics: b.metrics, Log: b.c.Log.Named("reporting")}
	r, err := run.OpenReporting(ctx, config)
	if err != nil {
		return err
	}
	b.p.onClose(r.Close)
	b.p.quiet = append([]func(){r.StopFollowing}, b.p.quiet...) // who follows goes first
	b.parts = append(b.parts, r)
	b.ready = append(b.ready, r.Ready()...)
	return nil
}

// nats connects to the server beside the process, or to one started inside it.
func (b *builder) nats() (*nats.Conn, []string, error) {
	options := []nats.Option{nats.Name("cotmoc reporting"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond)}
	if b.p.NATSURL = b.c.NATSURL; b.p.NATSURL == "" {
		if err := b.free(b.c.NATSListen); err != nil {
			return nil, nil, err
		}
		inside, err := natsd.Start(natsd.Config{StoreDir: filepath.Join(b.c.Dir, "nats"), Listen: b.c.NATSListen, FactsKept: true, Log: b.c.Log.Named("nats")})
		if err != nil {
			return nil, nil, err
		}
		b.p.inside, b.p.NATSURL = inside, inside.URL()
		b.p.onClose(func(context.Context) error { inside.Close(); return nil })
	}
	nc, err := b.p.ConnectNATS(options...)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	b.p.onClose(func(context.Context) error { nc.Close(); return nil })
	if b.p.NATSURL == "" {
		return nc, nil, nil
	}
	return nc, []string{b.p.NATSURL}, nil
}

// free refuses an address for NATS that is not on loopback or is taken; the server
// itself takes any, and tells of a taken one only by not getting ready.
func (b *builder) free(address string) error {
	if address == "" {
		return nil
	}
	l, err := run.Listen(address)
	if err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	return l.Close()
}

// ConnectNATS connects to the NATS that the process uses.
func (p *Process) ConnectNATS(options ...nats.Option) (*nats.Conn, error) {
	if p.inside != nil {
		return p.inside.Connect(options...)
	}
	return nats.Connect(p.NATSURL, options...)
}

// Failed gets the error that ended a listener, if one did by itself.
func (p *Process) Failed() <-chan error { return p.server.Failed() }

// Close lets calls end and takes the process apart, in the reverse of the order in
// which it was made. When ctx ends first, calls are cut off; what was accepted is
// durable all the same.
func (p *Process) Close(ctx context.Context) error {
	var errs []error
	p.monitor.NotReady("stop", "the service is stopping")
	for _, end := range p.quiet {
		end()
	}
	if p.server != nil {
		errs = append(errs, p.server.Close(ctx))
	}
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i](ctx))
	}
	p.closers = nil
	return errors.Join(append(errs, p.monitor.Close())...)
}
