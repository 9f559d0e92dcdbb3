// Package distributed runs a replica of a service on PostgreSQL and a NATS cluster,
// with other replicas beside it that do the same work: the form for the nation. It
// links no SQLite and no NATS server.
//
// A replica that cannot work yet, because its database is away, waits and says why
// on its metrics port; it ends only when a person has to do something.
package distributed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/cotmoc/cotmoc/pkg/client"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// Pauses between attempts to reach the database at the start.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Process is a replica at work.
type Process struct {
	Addr        string // for calls
	AdminAddr   string // for administrators' calls
	MetricsAddr string // for metrics and health; empty when nowhere

	c       *Config
	server  *run.Server
	monitor *run.Monitor
	quiet   []func() // end what calls to others or streams, before the server ends its calls
	closers []func(context.Context) error
}

// builder collects the parts of a process.
type builder struct {
	*Process
	tls     credentials.TransportCredentials
	calls   net.Listener
	admin   net.Listener
	metrics *prometheus.Registry
	ready   []obs.Check
}

// Registry runs a replica of the registry. It returns when the replica serves; when
// that cannot be, or ctx ends before, with an error.
func Registry(ctx context.Context, c Config) (*Process, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return start(ctx, &c, "registry", (*builder).registry)
}

// Reporting runs a replica of the reporting service, as Registry does. It serves
// calls as soon as its ledger is open, and is ready when it has a copy of the registry.
func Reporting(ctx context.Context, c ReportingConfig) (*Process, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return start(ctx, &c.Config, "reporting", func(b *builder, ctx context.Context) (run.Guarded, error) {
		return b.reporting(ctx, &c)
	})
}

func start(ctx context.Context, c *Config, name string, open func(*builder, context.Context) (run.Guarded, error)) (_ *Process, err error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	b := &builder{Process: &Process{c: c}, metrics: obs.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := b.listen(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	part, err := open(b, ctx)
	if err != nil {
		return nil, err
	}
	var guard *auth.Guard
	if b.tls != nil {
		guard = run.NewGuard(c.CallerRate, c.Log, part)
	}
	b.server = run.NewServer(run.ServerConfig{Listener: b.calls, Admin: b.admin, TLS: b.tls, Guard: guard,
		Calls: obs.NewMetrics(b.metrics, name), Log: c.Log, Parts: []run.Part{part}})
	b.monitor.Watch(b.ready...)
	return b.Process, nil
}

// listen takes all ports, so that a wrong address shows at once, and answers health.
func (b *builder) listen() (err error) {
	monitor := b.c.monitor()
	monitor.Metrics = b.metrics
	if b.monitor, err = run.NewMonitor(monitor); err != nil {
		return err
	}
	b.MetricsAddr = b.monitor.Addr()
	if !b.c.TLS.On() {
		if b.calls, err = run.Listen(b.c.Listen); err != nil {
			return err
		}
		b.Addr, b.AdminAddr = b.calls.Addr().String(), b.calls.Addr().String()
		b.onClose(func(context.Context) error { _ = b.calls.Close(); return nil })
		return nil
	}
	if err := b.c.files().CheckService(b.c.Domain, ""); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	if b.tls, err = auth.ServerTLS(b.c.files(), b.c.Domain, b.c.Log); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	for _, port := range []struct {
		at       string
		listener *net.Listener
		addr     *string
	}{{b.c.Listen, &b.calls, &b.Addr}, {b.c.AdminListen, &b.admin, &b.AdminAddr}} {
		l, err := run.ListenAny(port.at)
		if err != nil {
			return err
		}
		b.onClose(func(context.Context) error { _ = l.Close(); return nil })
		*port.listener, *port.addr = l, l.Addr().String()
	}
	return nil
}

func (c *Config) files() auth.Files {
	return auth.Files{Cert: c.TLS.Cert, Key: c.TLS.Key, CA: c.TLS.CA, CRL: c.TLS.CRL}
}

func (p *Process) onClose(f func(context.Context) error) { p.closers = append(p.closers, f) }

func (b *builder) registry(ctx context.Context) (run.Guarded, error) {
	var r *run.Registry
	err := b.await(ctx, "registry", func(store ledger.Store) (err error) {
		r, err = run.OpenRegistry(ctx, run.RegistryConfig{Store: store, Shared: true,
			ImagePath: filepath.Join(b.c.State, "registry.image"), Metrics: b.metrics, Log: b.c.Log})
		return err
	})
	if err != nil {
		return nil, err
	}
	b.onClose(r.Close)
	b.quiet = append(b.quiet, r.StopWatches)
	b.ready = append(b.ready, r.Ready()...)
	return r, nil
}

func (b *builder) reporting(ctx context.Context, c *ReportingConfig) (run.Guarded, error) {
	nc, err := b.nats(c.NATS)
	if err != nil {
		return nil, err
	}
	registry, err := b.dial(c.Registry)
	if err != nil {
		return nil, err
	}
	config := run.ReportingConfig{Shared: true, ImagePath: filepath.Join(c.State, "reporting.image"),
		Registry: registry.Registry(), NATS: nc, NATSURLs: c.NATS.PublicURLs, Replicas: c.NATS.Replicas, Metrics: b.metrics, Log: c.Log}
	if config.NATSURLs == nil {
		config.NATSURLs = c.NATS.URLs
	}
	if c.Clock == "manual" {
		at, err := c.start()
		if err != nil {
			return nil, err
		}
		config.Clock = reporting.NewClock(at)
	}
	var r *run.Reporting
	if err := b.await(ctx, "reporting", func(store ledger.Store) (err error) {
		config.Store = store
		r, err = run.OpenReporting(ctx, config)
		return err
	}); err != nil {
		return nil, err
	}
	b.onClose(r.Close)
	b.quiet = append(b.quiet, r.StopFollowing)
	b.ready = append(b.ready, r.Ready()...)
	return r, nil
}

// await opens the store and what is made of it, and tries again while that may help.
func (b *builder) await(ctx context.Context, name string, open func(ledger.Store) error) error {
	said := ""
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := b.open(ctx, open)
		if err == nil || ctx.Err() != nil || lasting(err) {
			return err
		}
		b.monitor.NotReady(name+" ledger", "it cannot be opened yet: the log says why")
		if err.Error() != said {
			said = err.Error()
			b.c.Log.Warn("the ledger cannot be opened yet; trying again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// lasting reports whether only a person can cure what an opening failed of.
func lasting(err error) bool {
	return slices.ContainsFunc([]error{postgres.ErrRefused, ledger.ErrDamaged, ledger.ErrLevel, run.ErrClock},
		func(e error) bool { return errors.Is(err, e) })
}

// open opens the store and what is made of it.
func (b *builder) open(ctx context.Context, make func(ledger.Store) error) error {
	d := b.c.Database
	store, err := postgres.Open(ctx, postgres.Config{URL: d.URL, PasswordFile: d.PasswordFile, Readers: d.Readers})
	if err != nil {
		return err
	}
	if err := make(store); err != nil {
		return errors.Join(err, store.Close())
	}
	b.onClose(func(context.Context) error { return store.Close() })
	return nil
}

// dial connects to the replicas of the registry, whenever they come.
func (b *builder) dial(addresses []string) (*client.Client, error) {
	o := client.Options{}
	if t := b.c.TLS; t.On() {
		creds, err := auth.ClientTLS(b.c.files())
		if err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		o.TLS = &client.TLS{Cert: t.Cert, Key: t.Key, CA: t.CA}
		o.Dial = []grpc.DialOption{grpc.WithTransportCredentials(creds)} // it knows revoked ones, too
	}
	c, err := client.Open(strings.Join(addresses, ","), o)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	b.onClose(func(context.Context) error { return c.Close() })
	return c, nil
}

// nats connects to the cluster, whenever it comes.
func (b *builder) nats(c NATS) (*nats.Conn, error) {
	options := []nats.Option{nats.Name("cotmoc reporting"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond), nats.CustomInboxPrefix(c.Inbox)}
	if c.Seed != "" {
		key, err := nats.NkeyOptionFromSeed(c.Seed)
		if err != nil {
			return nil, fmt.Errorf("NATS: nkey of %s: %w", c.Seed, err)
		}
		options = append(options, key)
	}
	if c.CA != "" {
		options = append(options, nats.RootCAs(c.CA))
	}
	nc, err := nats.Connect(strings.Join(c.URLs, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	b.onClose(func(context.Context) error { nc.Close(); return nil })
	return nc, nil
}

// Failed gets the error that ended a listener, if one did by itself.
func (p *Process) Failed() <-chan error { return p.server.Failed() }

// Close says that the replica is not serving any more, lets those who call it move
// away and calls under way end, and takes it apart in the reverse of the order in
// which it was made. When ctx ends first, calls are cut off; what was accepted is
// durable all the same.
func (p *Process) Close(ctx context.Context) error {
	var errs []error
	p.monitor.NotReady("stop", "the replica is stopping")
	if p.server != nil {
		p.server.Drain(ctx, p.c.Drain)
	}
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
