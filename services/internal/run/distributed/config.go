package distributed

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/run"
)

// Config is what a replica of a service is told; its tags are those of
// package config. What only one of the services needs is in ReportingConfig.
type Config struct {
	Listen        string        `help:"Address for gRPC calls; loopback only, unless there is TLS." default:"127.0.0.1:7600" placeholder:"HOST:PORT"`
	AdminListen   string        `help:"Address for the gRPC calls of administrators and reflection; without TLS they are served with the others, and this is not used." default:"127.0.0.1:7602" placeholder:"HOST:PORT"`
	MetricsListen string        `help:"Address for metrics and health over HTTP; loopback only, unless there is a certificate for it or it is open; empty for none." default:"127.0.0.1:7601" placeholder:"HOST:PORT"`
	Metrics       Metrics       `embed:"" prefix:"metrics-"`
	Pprof         bool          `help:"Serve profiles at /debug/pprof/ of the HTTP port, which then is on loopback."`
	Domain        string        `help:"Trust domain of the identities, as in spiffe://DOMAIN/unit/79." default:"cotmoc.vn" placeholder:"DOMAIN"`
	TLS           TLS           `embed:"" prefix:"tls-"`
	Database      Database      `embed:"" prefix:"database-"`
	State         string        `help:"Folder for images of the book, which make starting fast; a cache, for this process alone." default:"var/state" placeholder:"DIR"`
	Drain         time.Duration `help:"How long calls are still taken after the health was set to not serving." default:"500ms"`
	StopWithin    time.Duration `help:"How long a stop may take before calls are cut off." default:"10s"`
	CallerRate    float64       `help:"Units that one system may spend each second, and all systems of a unit together twice as many: a call, an item of a batch and 4 KiB of a request are one each; 0 for the default, below zero for no limit."`
	LogFormat     string        `help:"Format of the log on standard error: ${enum}." enum:"console,json" default:"json"`
	LogLevel      string        `help:"Least level that is logged: ${enum}." enum:"debug,info,warn,error" default:"info"`

	Log *zap.Logger `kong:"-" json:"-"` // nil for none
}

// TLS names the files of a process's own certificate and of what it trusts. None
// of them given means no TLS.
type TLS struct {
	Cert string `help:"Certificate, PEM; read again when it changes." placeholder:"FILE"`
	Key  string `help:"Its key, PEM." placeholder:"FILE"`
	CA   string `name:"ca" help:"Authorities that are trusted, PEM." placeholder:"FILE"`
	CRL  string `name:"crl" help:"Revocation list, PEM; read again when it changes." placeholder:"FILE"`
}

// Metrics is for whom metrics and health are answered off loopback.
type Metrics struct {
	Cert  string   `help:"Certificate of the HTTP port for metrics and health, PEM; read again when it changes." placeholder:"FILE"`
	Key   string   `help:"Its key, PEM." placeholder:"FILE"`
	Hosts []string `help:"Names by which the HTTP port is asked for, beside its address and localhost; others are refused." placeholder:"NAME"`
	Open  bool     `help:"Let everybody who reaches the HTTP port read metrics and health without TLS."`
}

// On reports whether there is TLS.
func (t TLS) On() bool { return t != TLS{} }

// Database is where the ledger is.
type Database struct {
	URL               string `name:"url" help:"PostgreSQL, as the application's role; without a password." placeholder:"URL"`
	PasswordFile      string `help:"File with the password of that role." placeholder:"FILE"`
	OwnerURL          string `name:"owner-url" help:"PostgreSQL, as the owner's role: for migrate alone." placeholder:"URL"`
	OwnerPasswordFile string `help:"File with the password of the owner's role." placeholder:"FILE"`
	Readers           int    `help:"Connections for reads beside the one that writes; 0 for the default."`
}

// NATS is where the log is published.
type NATS struct {
	URLs       []string `name:"urls" help:"Servers of the cluster, such as tls://nats-1:4222." placeholder:"URL"`
	PublicURLs []string `name:"public-urls" help:"Where subscribers reach them; the same when not given." placeholder:"URL"`
	Seed       string   `help:"File with the nkey seed of this service's user." placeholder:"FILE"`
	CA         string   `name:"ca" help:"Authorities that NATS's certificates are checked by, PEM." placeholder:"FILE"`
	Inbox      string   `help:"Prefix of the subjects on which this user gets its answers." default:"_INBOX"`
	Replicas   int      `help:"Copies of each stream." default:"3"`
}

// ReportingConfig is what a replica of the reporting service is told.
type ReportingConfig struct {
	Config
	Registry []string `help:"Addresses of the registry's replicas." placeholder:"HOST:PORT"`
	NATS     NATS     `embed:"" prefix:"nats-"`
	Clock    string   `help:"How time goes: by itself (system), or only when set by an administrator (manual)." enum:"system,manual" default:"system"`
	Start    string   `help:"Where a manual clock starts, such as 2022-01-01T08:00:00+07:00." placeholder:"TIME"`
}

// Check says what keeps a replica from being started, all of it.
func (c *Config) Check() error {
	errs := []error{checkURL("--database-url", c.Database.URL)}
	if c.Database.OwnerURL != "" {
		errs = append(errs, checkURL("--database-owner-url", c.Database.OwnerURL))
	}
	if c.TLS.On() && (c.TLS.Cert == "" || c.TLS.Key == "" || c.TLS.CA == "") {
		errs = append(errs, errors.New("--tls-cert, --tls-key and --tls-ca belong together"))
	}
	if !c.TLS.On() {
		errs = append(errs, run.Loopback(c.Listen))
	}
	monitor := c.monitor()
	return errors.Join(append(errs, monitor.Check())...)
}

func (c *Config) monitor() run.MonitorConfig {
	return run.MonitorConfig{Listen: c.MetricsListen, Cert: c.Metrics.Cert, Key: c.Metrics.Key, Hosts: c.Metrics.Hosts,
		Open: c.Metrics.Open, Profiles: c.Pprof, Log: c.Log}
}

// Check says what keeps a replica from being started, all of it.
func (c *ReportingConfig) Check() error {
	errs := []error{c.Config.Check()}
	if len(c.Registry) == 0 {
		errs = append(errs, errors.New("--registry is needed: the addresses of the registry"))
	}
	if len(c.NATS.URLs) == 0 {
		errs = append(errs, errors.New("--nats-urls is needed: the servers of the NATS cluster"))
	}
	for i, text := range append(slices.Clone(c.NATS.URLs), c.NATS.PublicURLs...) {
		if strings.Contains(text, "@") { // subscribers are told these, too
			errs = append(errs, fmt.Errorf("server %d of --nats-urls and --nats-public-urls names a user: who this is says the file of --nats-seed", i+1))
			continue // and it is not printed
		}
		errs = append(errs, checkServer(text))
	}
	if c.Clock != "manual" && c.Start != "" {
		errs = append(errs, errors.New("--start goes with --clock=manual"))
	}
	_, err := c.start()
	return errors.Join(append(errs, err)...)
}

// start is where a manual clock starts; the zero time is the beginning of Unix time.
func (c *ReportingConfig) start() (time.Time, error) {
	if c.Start == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, c.Start)
	if err != nil {
		return at, fmt.Errorf("--start %q is not a time of the form 2022-01-01T08:00:00+07:00", c.Start)
	}
	return at, nil
}

// checkURL refuses what is no address of PostgreSQL, or holds a password, which
// would be seen where settings are printed.
func checkURL(flag, text string) error {
	if text == "" {
		return fmt.Errorf("%s is needed, such as postgres://cotmoc@db:5432/registry", flag)
	}
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"postgres", "postgresql"}, u.Scheme) {
		return fmt.Errorf("%s is not of the form postgres://role@host:port/database", flag)
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") {
		return fmt.Errorf("%s holds a password: put it into a file", flag)
	}
	return nil
}

// checkServer refuses a server of NATS on the way to which others could read along, or
// pass for it.
func checkServer(text string) error {
	scheme, address, whole := strings.Cut(text, "://")
	if !whole {
		scheme, address = "nats", text
	}
	switch host, _, err := net.SplitHostPort(address); {
	case err != nil:
		return errors.New("a server of --nats-urls or --nats-public-urls is not of the form tls://host:port")
	case scheme == "tls" || scheme == "wss":
		return nil
	default:
		if run.Loopback(net.JoinHostPort(host, "0")) == nil {
			return nil
		}
		return fmt.Errorf("NATS at %s is not on this machine: without TLS others can read along, and pass for it; write tls://%s", host, address)
	}
}
