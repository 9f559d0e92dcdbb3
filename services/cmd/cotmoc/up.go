package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// stopWithin is how long calls may go on after a stop was asked for.
const stopWithin = 10 * time.Second

// serving is what all commands have in common that run a service.
type serving struct {
	Dir           string   `help:"Folder that holds all state." default:"var/cotmoc" env:"COTMOC_DIR" type:"path"`
	Listen        string   `help:"Address for gRPC calls; loopback only, unless there is TLS." default:"127.0.0.1:7600" env:"COTMOC_LISTEN"`
	MetricsListen string   `help:"Address for metrics and health over HTTP; loopback only, unless there is a certificate for it or it is open; empty for none." default:"127.0.0.1:7601" env:"COTMOC_METRICS_LISTEN"`
	MetricsCert   string   `help:"Certificate of the HTTP port for metrics and health, PEM; read again when it changes." env:"COTMOC_METRICS_CERT" placeholder:"FILE"`
	MetricsKey    string   `help:"Its key, PEM." env:"COTMOC_METRICS_KEY" placeholder:"FILE"`
	MetricsHosts  []string `help:"Names by which the HTTP port is asked for, beside its address and localhost; others are refused." env:"COTMOC_METRICS_HOSTS" placeholder:"NAME"`
	MetricsOpen   bool     `help:"Let everybody who reaches the HTTP port read metrics and health without TLS." env:"COTMOC_METRICS_OPEN"`
	Pprof         bool     `help:"Serve profiles at /debug/pprof/ of the HTTP port, which then is on loopback." env:"COTMOC_PPROF"`
	AdminListen   string   `help:"With TLS, address for the gRPC calls of administrators and reflection; without, they are served with the others." default:"127.0.0.1:7602" env:"COTMOC_ADMIN_LISTEN"`
	Domain        string   `help:"With TLS, trust domain of the identities, as in spiffe://DOMAIN/unit/79." default:"cotmoc.test" env:"COTMOC_DOMAIN"`
	ServerCert    string   `help:"Certificate of the service, PEM, that also names 127.0.0.1; with it, callers are known by theirs (see cotmoc certs)." env:"COTMOC_SERVER_CERT" placeholder:"FILE"`
	ServerKey     string   `help:"Its key, PEM." env:"COTMOC_SERVER_KEY" placeholder:"FILE"`
	ServerCA      string   `name:"server-ca" help:"Authorities that are trusted, PEM." env:"COTMOC_SERVER_CA" placeholder:"FILE"`
	ServerCRL     string   `name:"server-crl" help:"Revocation list, PEM." env:"COTMOC_SERVER_CRL" placeholder:"FILE"`
	LogFormat     string   `help:"Format of the log on standard error: ${enum}." enum:"console,json" default:"console" env:"COTMOC_LOG_FORMAT"`
	LogLevel      string   `help:"Least level that is logged: ${enum}." enum:"debug,info,warn,error" default:"info" env:"COTMOC_LOG_LEVEL"`
}

func (s *serving) config() (embedded.Config, error) {
	log, err := obs.NewLog(os.Stderr, obs.Format(s.LogFormat), s.LogLevel)
	monitor := run.MonitorConfig{Listen: s.MetricsListen, Cert: s.MetricsCert, Key: s.MetricsKey, Hosts: s.MetricsHosts,
		Open: s.MetricsOpen, Profiles: s.Pprof}
	return embedded.Config{Dir: s.Dir, Listen: s.Listen, Monitor: monitor, AdminListen: s.AdminListen, Domain: s.Domain,
		TLS: auth.Files{Cert: s.ServerCert, Key: s.ServerKey, CA: s.ServerCA, CRL: s.ServerCRL}, Log: log}, err
}

// clocked is how time goes in a reporting service.
type clocked struct {
	Clock string `help:"How time goes: by itself (system), or only when set by an administrator (manual)." enum:"system,manual" default:"system" env:"COTMOC_CLOCK"`
	Start string `help:"Where a manual clock starts, such as 2022-01-01T08:00:00+07:00." placeholder:"TIME"`
}

func (k *clocked) set(c *embedded.Config) error {
	if k.Clock != "manual" {
		if k.Start != "" {
			return fmt.Errorf("--start goes with --clock=manual")
		}
		return nil
	}
	c.ManualClock = true
	if k.Start == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, k.Start)
	if err != nil {
		return fmt.Errorf("--start %q is not a time of the form 2022-01-01T08:00:00+07:00", k.Start)
	}
	c.Start = at
	return nil
}

// upCmd runs the pair.
type upCmd struct {
	serving
	clocked
	NATSListen string `name:"nats-listen" help:"Address at which other processes reach the NATS inside; loopback only, empty for none." default:"127.0.0.1:7622" env:"COTMOC_NATS_LISTEN"`
}

// Help shows how the command is used.
func (*upCmd) Help() string {
	return `Examples:
  cotmoc up
  cotmoc up --dir /var/lib/cotmoc --log-format json
  cotmoc up --clock=manual --start 2022-01-01T08:00:00+07:00`
}

// Run runs the pair until it is told to stop.
func (u *upCmd) Run(ctx context.Context) error {
	c, err := u.config()
	if err != nil {
		return err
	}
	if err := u.set(&c); err != nil {
		return err
	}
	c.NATSListen = u.NATSListen
	return serve(ctx, c, embedded.Up)
}

// registryCmd runs the registry alone.
type registryCmd struct{ serving }

// Help shows how the command is used.
func (*registryCmd) Help() string {
	return `Example:
  cotmoc registry --dir var/registry --listen 127.0.0.1:7610 --metrics-listen 127.0.0.1:7611`
}

// Run runs the registry until it is told to stop.
func (r *registryCmd) Run(ctx context.Context) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	return serve(ctx, c, embedded.Registry)
}

// reportingCmd runs the reporting service alone.
type reportingCmd struct {
	serving
	clocked
	RegistryAddr string `help:"Address of the registry." required:"" env:"COTMOC_REGISTRY"`
	NATSURL      string `name:"nats-url" help:"Address of the NATS server, such as nats://127.0.0.1:4222." required:"" env:"COTMOC_NATS_URL"`
}

// Help shows how the command is used.
func (*reportingCmd) Help() string {
	return `Example:
  cotmoc reporting --dir var/reporting --listen 127.0.0.1:7620 --metrics-listen 127.0.0.1:7621 \
    --registry-addr 127.0.0.1:7610 --nats-url nats://127.0.0.1:4222`
}

// Run runs the reporting service until it is told to stop.
func (r *reportingCmd) Run(ctx context.Context) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	if err := r.set(&c); err != nil {
		return err
	}
	c.RegistryAddr, c.NATSURL = r.RegistryAddr, r.NATSURL
	return serve(ctx, c, embedded.Reporting)
}

// serve runs a process until ctx ends or a listener fails, and stops it cleanly.
func serve(ctx context.Context, c embedded.Config, start func(context.Context, embedded.Config) (*embedded.Process, error)) error {
	run.KeepMemoryNear()
	began := time.Now()
	p, err := start(ctx, c)
	if err != nil {
		return err
	}
	c.Log.Info("serving", zap.String("calls", p.Addr), zap.String("metrics", p.MetricsAddr), zap.String("nats", p.NATSURL),
		zap.String("state", c.Dir), zap.Duration("took", time.Since(began)))
	select {
	case <-ctx.Done():
	case err = <-p.Failed():
	}
	c.Log.Info("stopping")
	stop, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if closeErr := p.Close(stop); err == nil {
		err = closeErr
	}
	c.Log.Info("stopped", zap.Error(err))
	return err
}
