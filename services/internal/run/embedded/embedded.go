// Package embedded runs the services on SQLite, with NATS inside the process or
// beside it: the default, for a province, a ministry, a demonstration.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// Config is what to run, and where.
type Config struct {
	Dir    string // holds all state; made where there is none
	Listen string // for calls, on loopback unless there is TLS; port 0 takes a free one
	// TLS is by what callers are known, who then may do what the permission table gives
	// them; the zero Files serve everybody. The certificate is a service's that also
	// names 127.0.0.1, at which the services call each other.
	TLS    auth.Files
	Domain string // of identities, with TLS
	// AdminListen is for administrators' calls and reflection, with TLS.
	AdminListen string
	// Monitor is for metrics and health over HTTP; the zero one is for none.
	Monitor run.MonitorConfig
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
	AdminAddr   string // for administrators' calls; Addr without TLS
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
	parts   []run.Guarded
	tls     credentials.TransportCredentials // nil for none
	calls   net.Listener
	admin   net.Listener
	ready   []obs.Check
}

func start(ctx context.Context, c Config, name string, steps ...func(*builder, context.Context) error) (_ *Process, err error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	b := &builder{c: c, p: &Process{}, metrics: obs.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.p.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := b.listen(); err != nil {
		return nil, err
	}
	if c.ManualClock {
		b.clock = reporting.NewClock(c.Start)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	c.Monitor.Metrics, c.Monitor.Log = b.metrics, c.Log
	if b.p.monitor, err = run.NewMonitor(c.Monitor); err != nil {
		return nil, err
	}
	b.p.MetricsAddr = b.p.monitor.Addr()
	for _, step := range steps {
		if err := step(b, ctx); err != nil {
			return nil, err
		}
	}
	config := run.ServerConfig{Listener: b.calls, Admin: b.admin, TLS: b.tls, Calls: obs.NewMetrics(b.metrics, name), Log: c.Log}
	for _, p := range b.parts {
		config.Parts = append(config.Parts, p)
	}
	if b.tls != nil {
		config.Guard = run.NewGuard(0, c.Log, b.parts...)
	}
	b.p.server = run.NewServer(config)
	b.p.monitor.Watch(b.ready...)
	return b.p, nil
}

// listen takes the ports, so that a wrong address shows at once.
func (b *builder) listen() (err error) {
	listen := run.Listen
	if b.c.TLS != (auth.Files{}) {
		if err := b.c.TLS.CheckService(b.c.Domain, ""); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
		if b.tls, err = auth.ServerTLS(b.c.TLS, b.c.Domain, b.c.Log); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
		listen = run.ListenAny
		if b.admin, err = listen(b.c.AdminListen); err != nil {
			return err
		}
		b.p.AdminAddr = b.admin.Addr().String()
		b.p.onClose(func(context.Context) error { _ = b.admin.Close(); return nil })
	}
	if b.calls, err = listen(b.c.Listen); err != nil {
		return err
	}
	b.p.onClose(func(context.Context) error { _ = b.calls.Close(); return nil })
	if b.p.Addr = b.calls.Addr().String(); b.tls == nil {
		b.p.AdminAddr = b.p.Addr
	}
	return nil
}

// registryAddr is where the reporting service calls the registry, and how.
func (b *builder) registryAddr() (string, credentials.TransportCredentials, error) {
	address, creds := b.c.RegistryAddr, insecure.NewCredentials()
	if address == "" {
		address = b.p.Addr
		if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).IsUnspecified() {
			address = net.JoinHostPort("127.0.0.1", port)
		}
	}
	if b.tls == nil {
		return address, creds, nil
	}
	if b.c.RegistryAddr == "" {
		host, _, err := net.SplitHostPort(address)
		if err == nil {
			err = b.c.TLS.CheckService(b.c.Domain, host)
		}
		if err != nil {
			return "", nil, fmt.Errorf("TLS: %w", err)
		}
	}
	creds, err := auth.ClientTLS(b.c.TLS)
	return address, creds, err
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
	b.ready = append(b.ready, r.Ready()...)
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
	address, creds, err := b.registryAddr()
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
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
