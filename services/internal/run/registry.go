package run

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/registry"
	registrybook "github.com/cotmoc/cotmoc/services/registry/book"
)

// Registry is a registry service at work.
type Registry struct {
	engine  *ledger.Engine[*registrybook.Book]
	service *registry.Service
}

// RegistryConfig is what a registry is made of.
type RegistryConfig struct {
	Store ledger.Store
	// Shared says that other replicas append to the same store.
	Shared    bool
	ImagePath string
	Now       func() time.Time     // nil means that time goes by itself
	Metrics   *prometheus.Registry // nil for none
	Log       *zap.Logger
}

// OpenRegistry replays the registry's ledger and makes it ready to serve.
func OpenRegistry(ctx context.Context, c RegistryConfig) (*Registry, error) {
	engine, err := ledger.Open(ctx, ledger.Config[*registrybook.Book]{
		Store: c.Store, Follow: c.Shared, Empty: registrybook.New, ImagePath: c.ImagePath, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	service, err := registry.New(registry.Config{Engine: engine, Now: c.Now, Log: c.Log})
	if err != nil {
		return nil, err
	}
	watchLedger(c.Metrics, "registry", engine)
	return &Registry{engine: engine, service: service}, nil
}

// Register makes a server serve it.
func (r *Registry) Register(s grpc.ServiceRegistrar) { r.service.Register(s) }

// Tree implements Guarded.
func (r *Registry) Tree() (string, auth.Tree) { return "cotmoc.registry.v1", r.service.Tree() }

// Ready reports whether it can do its work.
func (r *Registry) Ready() []obs.Check {
	return ledgerChecks("registry ledger", r.engine)
}

// StopWatches ends the watches of those who follow, so that a server can end its calls.
func (r *Registry) StopWatches() { r.service.Stop() }

// Close ends its work; its server is closed before it.
func (r *Registry) Close(ctx context.Context) error {
	return r.engine.Close(ctx)
}
