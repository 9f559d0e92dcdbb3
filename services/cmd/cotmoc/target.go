package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// target is the services that a command talks to, and who it is to them.
type target struct {
	RegistryAddr   string `name:"registry" help:"Addresses of the registry's replicas, with commas between; ${default} when not given." default:"127.0.0.1:7600" env:"COTMOC_REGISTRY" placeholder:"HOST:PORT"`
	ReportingAddr  string `name:"reporting" help:"Addresses of the reporting service's replicas; ${default} when not given." default:"127.0.0.1:7600" env:"COTMOC_REPORTING" placeholder:"HOST:PORT"`
	RegistryAdmin  string `help:"Addresses of the registry's administrators' ports; the same as --registry when not given." env:"COTMOC_REGISTRY_ADMIN" placeholder:"HOST:PORT"`
	ReportingAdmin string `help:"Addresses of the reporting service's administrators' ports." env:"COTMOC_REPORTING_ADMIN" placeholder:"HOST:PORT"`
	TLSCert        string `name:"tls-cert" help:"Certificate of the caller, PEM; without one, only services on this machine that ask for none are called." env:"COTMOC_TLS_CERT" placeholder:"FILE"`
	TLSKey         string `name:"tls-key" help:"Its key, PEM." env:"COTMOC_TLS_KEY" placeholder:"FILE"`
	TLSCA          string `name:"tls-ca" help:"Authorities that the services' certificates are checked by, PEM." env:"COTMOC_TLS_CA" placeholder:"FILE"`
	UnitCert       string `help:"Certificate of the unit that submits; the caller's when not given." env:"COTMOC_UNIT_CERT" placeholder:"FILE"`
	UnitKey        string `help:"Its key." env:"COTMOC_UNIT_KEY" placeholder:"FILE"`

	patience *patience // told why a submission is sent again; nil for nobody
}

// natsUser is who a command is to NATS.
type natsUser struct {
	Seed  string `name:"nats-seed" help:"File with the nkey seed of the caller's user in NATS, where NATS asks for one." env:"COTMOC_NATS_SEED" placeholder:"FILE"`
	CA    string `name:"nats-ca" help:"Authorities that NATS's certificates are checked by, PEM." env:"COTMOC_NATS_CA" placeholder:"FILE"`
	Inbox string `name:"nats-inbox" help:"Prefix of the subjects on which this user gets its answers; ${default} when not given." default:"_INBOX" env:"COTMOC_NATS_INBOX" placeholder:"PREFIX"`
}

// connect connects to NATS, nil when nobody outside the service can reach it.
func (u natsUser) connect(urls []string, name string) (*nats.Conn, error) {
	if len(urls) == 0 {
		return nil, nil
	}
	options := []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond), nats.CustomInboxPrefix(u.Inbox)}
	if u.Seed != "" {
		key, err := nats.NkeyOptionFromSeed(u.Seed)
		if err != nil {
			return nil, fmt.Errorf("--nats-seed %s: %w", u.Seed, err)
		}
		options = append(options, key)
	}
	if u.CA != "" {
		options = append(options, nats.RootCAs(u.CA))
	}
	nc, err := nats.Connect(strings.Join(urls, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return nc, nil
}

// services is connections to a target; one for all that have the same address and
// certificate.
type services struct {
	atRegistry, atReporting *client.Client // reads
	registryAdmin, toAdmin  *client.Client
	unit                    *client.Client // submits
	all                     []*client.Client
}

// way is where a connection goes, and as whom.
type way struct {
	addresses, cert, key string
	admin                bool
}

// dial connects to both services. It waits until those that are called by everybody
// are reached; the others are when they are first used.
func (t *target) dial(ctx context.Context) (*services, error) {
	s, known, session := &services{}, map[way]*client.Client{}, &client.Session{}
	open := func(p way) (*client.Client, error) {
		if p.addresses == t.RegistryAddr || p.addresses == t.ReportingAddr {
			p.admin = false
		}
		if known[p] != nil {
			return known[p], nil
		}
		first := &firstUse{target: t}
		o := client.Options{Unready: p.admin, Session: session, Dial: first.options()}
		if t.patience != nil {
			o.OnRetry = t.patience.again
		}
		if p.cert != "" || p.key != "" || t.TLSCA != "" {
			o.TLS = &client.TLS{Cert: p.cert, Key: p.key, CA: t.TLSCA}
		}
		c, err := client.Open(p.addresses, o)
		if first.c = c; err == nil {
			known[p], s.all = c, append(s.all, c)
		}
		return c, err
	}
	own := func(addresses string, admin bool) way { return way{addresses, t.TLSCert, t.TLSKey, admin} }
	submits := way{addresses: t.ReportingAddr, cert: cmp.Or(t.UnitCert, t.TLSCert), key: cmp.Or(t.UnitKey, t.TLSKey)}
	for _, one := range []struct {
		what string
		p    way
		to   **client.Client
	}{
		{"registry", own(t.RegistryAddr, false), &s.atRegistry},
		{"reporting", own(t.ReportingAddr, false), &s.atReporting},
		{"registry's administrators", own(cmp.Or(t.RegistryAdmin, t.RegistryAddr), true), &s.registryAdmin},
		{"reporting's administrators", own(cmp.Or(t.ReportingAdmin, t.ReportingAddr), true), &s.toAdmin},
		{"units", submits, &s.unit},
	} {
		c, err := open(one.p)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("%s: %w", one.what, err)
		}
		*one.to = c
	}
	for _, c := range []*client.Client{s.atRegistry, s.atReporting} {
		if err := t.reach(ctx, c); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *services) close() {
	for _, c := range s.all {
		_ = c.Close()
	}
}

// registry reads what is owed.
func (s *services) registry() registryv1.RegistryServiceClient { return s.atRegistry.Registry() }

// writes changes what is owed.
func (s *services) writes() registryv1.RegistryAdminServiceClient {
	return s.registryAdmin.RegistryAdmin()
}

// progress reads figures.
func (s *services) progress() reportingv1.ProgressServiceClient { return s.atReporting.Progress() }

// monitoring reads who owes what, how good the data is, who leads and who lags.
func (s *services) monitoring() reportingv1.MonitoringServiceClient {
	return s.atReporting.Monitoring()
}

// review decides about what units report.
func (s *services) review() reportingv1.ReviewServiceClient { return s.atReporting.Review() }

// admin is for those who run reporting.
func (s *services) admin() reportingv1.ReportingAdminServiceClient {
	return s.toAdmin.ReportingAdmin()
}

// events is for subscribers.
func (s *services) events() reportingv1.EventServiceClient { return s.atReporting.Events() }
