package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// inProcessPostgres runs the pair in this process, over a PostgreSQL server that is
// its own. The services have a database each, which they share with nobody, but
// know as one that they may have to share.
func inProcessPostgres(t *testing.T) *rig {
	t.Helper()
	server, err := pgd.Start(t.Context(), pgd.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := reporting.NewClock(start)
	reg, err := run.OpenRegistry(t.Context(), run.RegistryConfig{Store: inPostgres(t, server, "registry"), Shared: true, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	atRegistry := served(t, reg, reg.StopWatches)
	nc, natsURL := natstest.Start(t)
	rep, err := run.OpenReporting(t.Context(), run.ReportingConfig{
		Store: inPostgres(t, server, "reporting"), Shared: true, Clock: clock,
		Registry: registryv1.NewRegistryServiceClient(dial(t, atRegistry)), NATS: nc, NATSURLs: []string{natsURL},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := clients(t, atRegistry, served(t, rep, rep.StopFollowing))
	r.nats = func(t *testing.T) *nats.Conn {
		nc, err := nats.Connect(natsURL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	return r
}

// inPostgres makes a service's database and opens the ledger in it.
func inPostgres(t *testing.T, server *pgd.Server, name string) *postgres.Store {
	t.Helper()
	d, err := server.NewDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), postgres.Config{URL: d.App, PasswordFile: d.PasswordFile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// served lets a service answer calls until the test ends, and returns where.
func served(t *testing.T, part interface {
	run.Part
	Close(context.Context) error
}, quiet func()) string {
	t.Helper()
	l, err := run.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := run.NewServer(run.ServerConfig{Listener: l, Parts: []run.Part{part}})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		quiet()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := part.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}
