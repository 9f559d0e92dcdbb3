package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// closeWithin is how long a server may take to end cleanly.
const closeWithin = time.Minute

// service is a reporting service on SQLite that holds the nation, without a
// registry to follow and without NATS.
type service struct {
	store  *sqlite.Store
	engine *reporting.Engine
	api    *reporting.Service
	ledger string
}

func openService(ctx context.Context, dir string, log *zap.Logger) (_ *service, err error) {
	s := &service{ledger: filepath.Join(dir, "reporting.db")}
	if s.store, err = sqlite.Open(ctx, s.ledger); err != nil {
		return nil, err
	}
	s.engine, err = ledger.Open(ctx, ledger.Config[*book.Book]{Store: s.store, Empty: book.New,
		ImagePath: filepath.Join(dir, "reporting.image"), Log: log})
	if err != nil {
		return nil, err
	}
	s.api, err = reporting.New(reporting.Config{Engine: s.engine, Log: log})
	if err != nil {
		return nil, err
	}
	return s, s.follow(ctx)
}

// follow takes in the registry, as the directory does, if that was not done before.
func (s *service) follow(ctx context.Context) error {
	if s.engine.Head().Sequence > 0 {
		return nil
	}
	for all := newNation().changes(); len(all) > 0; {
		n := min(len(all), 500)
		if _, err := s.engine.Do(ctx, func(b *book.Book) error {
			for _, c := range all[:n] {
				b.Registry(c)
			}
			return nil
		}); err != nil {
			return fmt.Errorf("take in the registry: %w", err)
		}
		all = all[n:]
	}
	return nil
}

func (s *service) tell(a *answer) {
	stats := s.engine.Stats()
	a.Sequence, a.Blocks, a.Commands = s.engine.Head().Sequence, stats.Blocks, stats.Commands
	a.Log = sizeOf(s.ledger)
}

func (s *service) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	return errors.Join(s.engine.Close(ctx), s.store.Close())
}

// bare is the service with nothing around its handlers.
type bare struct {
	*service
	listener
}

func openBare(ctx context.Context, dir string) (process, error) {
	s, err := openService(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	l, err := listen(s.api.Register)
	return &bare{s, l}, err
}

func (b *bare) close() error {
	b.server.GracefulStop()
	return b.end()
}

// full is the service with all that is around its handlers in production: limits,
// checks, metrics, a line of log a call, health.
type full struct {
	*service
	server *run.Server
	log    *os.File
}

func openFull(ctx context.Context, dir string) (process, error) {
	file, log, err := openLog(dir)
	if err != nil {
		return nil, err
	}
	s, err := openService(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	l, err := run.Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	metrics := obs.NewRegistry()
	server := run.NewServer(run.ServerConfig{Listener: l, Calls: obs.NewMetrics(metrics, "reporting"), Log: log,
		Parts: []run.Part{asPart{s.api}}})
	return &full{s, server, file}, nil
}

// asPart makes a service a part of a server.
type asPart struct{ api *reporting.Service }

// Register makes a server serve it.
func (p asPart) Register(s grpc.ServiceRegistrar) { p.api.Register(s) }

// Ready has nothing to look at.
func (p asPart) Ready() []obs.Check { return nil }

func (f *full) addr() string { return f.server.Addr() }

func (f *full) rows(order) (answer, error) { return answer{}, errors.New("no table here") }

func (f *full) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	return errors.Join(f.server.Close(ctx), f.end(), f.log.Close())
}

// openLog makes a log as `cotmoc up` writes it, into a file.
func openLog(dir string) (*os.File, *zap.Logger, error) {
	file, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, nil, err
	}
	log, err := obs.NewLog(file, obs.Console, "info")
	return file, log, err
}

// pair is what `cotmoc up` runs.
type pair struct {
	*embedded.Process
	dir string
	log *os.File
}

func openUp(ctx context.Context, dir string) (process, error) {
	file, log, err := openLog(dir)
	if err != nil {
		return nil, err
	}
	run.KeepMemoryNear()
	p, err := embedded.Up(ctx, embedded.Config{Dir: dir, Listen: "127.0.0.1:0", Monitor: run.MonitorConfig{Listen: "127.0.0.1:0"},
		NATSListen: "127.0.0.1:0", Log: log})
	if err != nil {
		return nil, err
	}
	return &pair{p, dir, file}, nil
}

func (p *pair) addr() string { return p.Addr }

func (p *pair) rows(order) (answer, error) { return answer{}, errors.New("no table here") }

func (p *pair) tell(a *answer) { a.Log = sizeOf(filepath.Join(p.dir, "reporting.db")) }

func (p *pair) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	return errors.Join(p.Close(ctx), p.log.Close())
}

// fill writes the nation into the registry of a pair, by its admin service.
func fill(ctx context.Context, c *client, n *nation) error {
	admin := registryv1.NewRegistryAdminServiceClient(c.conns[0])
	for all := n.writes(); len(all) > 0; {
		k := min(len(all), 500)
		if _, err := admin.BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: all[:k]}); err != nil {
			return fmt.Errorf("write the registry: %w", err)
		}
		all = all[k:]
	}
	return nil
}
