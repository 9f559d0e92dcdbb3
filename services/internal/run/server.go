// Package run puts a service together from its parts, in the order in which they
// need each other, and takes it apart in the reverse order. It links no database
// and no NATS server: those that run it bring a store and a connection.
package run

import (
	"context"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/registry"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// checkEvery is how often gRPC health is made true.
const checkEvery = 100 * time.Millisecond

// Part is a service that a server serves.
type Part interface {
	Register(grpc.ServiceRegistrar)
	// Ready returns what must be well for it to do its work. The checks are run several
	// times a second, so they do not ask others.
	Ready() []obs.Check
}

// Guarded is a part that knows who stands above whom.
type Guarded interface {
	Part
	// Tree judges the requests of the proto package that is named.
	Tree() (pkg string, tree auth.Tree)
}

// NewGuard returns a guard for parts. rate is how many units a system may spend each
// second; 0 for the default, below zero for no limit.
func NewGuard(rate float64, log *zap.Logger, parts ...Guarded) *auth.Guard {
	trees := make(map[string]auth.Tree)
	for _, p := range parts {
		pkg, tree := p.Tree()
		trees[pkg] = tree
	}
	return auth.NewGuard(auth.GuardConfig{Trees: trees, Rate: rate, Log: log})
}

// Server answers calls for one or more parts, on one port or on two: then what only
// those who run it need is on a port of its own.
type Server struct {
	calls  *grpc.Server
	admin  *grpc.Server // calls itself when there is one port
	health *healths
	ports  []net.Listener
	stop   context.CancelFunc // what goes on beside calls
	hangUp context.CancelFunc // streams
	done   chan error
}

// ServerConfig is what a server is made of. Listener is required.
type ServerConfig struct {
	Listener net.Listener // for calls
	// Admin is for admin services and reflection; nil means that they are served
	// together with the others.
	Admin net.Listener
	// TLS tells who calls, and Guard what they may do; both nil serves everybody all,
	// which is for loopback alone.
	TLS   credentials.TransportCredentials
	Guard *auth.Guard
	Calls *obs.Metrics
	Log   *zap.Logger
	Parts []Part
}

// NewServer serves. It closes the listeners when it ends.
func NewServer(c ServerConfig) *Server {
	s := &Server{ports: []net.Listener{c.Listener}, done: make(chan error, 2)}
	var stopping context.Context
	stopping, s.hangUp = context.WithCancel(context.Background())
	if door, counts := c.TLS.(*auth.ServerCredentials); counts && c.Calls != nil {
		c.Calls.WatchRefusals(door.Refused)
	}
	s.calls = newGRPC(c, stopping)
	s.admin = s.calls
	if c.Admin != nil {
		s.admin = newGRPC(c, stopping)
		s.ports = append(s.ports, c.Admin)
	}
	s.health = newHealths(c.Parts, s.calls, s.admin)
	for i, p := range c.Parts {
		p.Register(ports{calls: s.calls, admin: s.admin, note: func(name string) { s.health.of[name] = i }})
	}
	reflection.Register(s.admin)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.health.look(ctx)
	go s.watch(ctx)
	go func() { s.done <- s.calls.Serve(c.Listener) }()
	if c.Admin != nil {
		go func() { s.done <- s.admin.Serve(c.Admin) }()
	}
	return s
}

func newGRPC(c ServerConfig, stopping context.Context) *grpc.Server {
	var options []grpc.ServerOption
	if c.TLS != nil {
		options = append(options, grpc.Creds(c.TLS))
	}
	return rpc.NewServer(rpc.Config{Log: c.Log, Metrics: c.Calls, Guard: c.Guard, Stopping: stopping, Deferred: deferred,
		Deadlines: reporting.Deadlines()}, options...)
}

// ports registers each service at the port where it is served, and notes its name.
type ports struct {
	calls, admin *grpc.Server
	note         func(service string)
}

// RegisterService implements grpc.ServiceRegistrar.
func (p ports) RegisterService(d *grpc.ServiceDesc, impl any) {
	p.note(d.ServiceName)
	switch d.ServiceName {
	case registryv1.RegistryAdminService_ServiceDesc.ServiceName, reportingv1.ReportingAdminService_ServiceDesc.ServiceName:
		p.admin.RegisterService(d, impl)
	default:
		p.calls.RegisterService(d, impl)
	}
}

// deferred leaves to each service's handlers what they check themselves.
func deferred(req proto.Message) protoreflect.FullName {
	if name := registry.Deferred(req); name != "" {
		return name
	}
	return reporting.Deferred(req)
}

// watch keeps gRPC health true.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.health.look(ctx)
		}
	}
}

// Addr is where calls are answered.
func (s *Server) Addr() string { return s.ports[0].Addr().String() }

// AdminAddr is where admin services are; Addr when they have no port of their own.
func (s *Server) AdminAddr() string { return s.ports[len(s.ports)-1].Addr().String() }

// Failed gets the error that ended a listener, if one did by itself.
func (s *Server) Failed() <-chan error { return s.done }

// Drain says that it is not serving any more, and goes on for a while, so that
// callers which look at health send their next calls elsewhere.
func (s *Server) Drain(ctx context.Context, while time.Duration) {
	s.health.stop()
	if while <= 0 {
		return
	}
	wait := time.NewTimer(while)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// Close takes no new calls, ends streams and lets calls end, until ctx does, and
// then cuts off those that are left.
func (s *Server) Close(ctx context.Context) error {
	s.health.stop()
	s.hangUp()
	stopped := make(chan struct{})
	go func() {
		s.calls.GracefulStop()
		s.admin.GracefulStop()
		close(stopped)
	}()
	var err error
	select {
	case <-stopped:
	case <-ctx.Done():
		s.calls.Stop()
		s.admin.Stop()
		<-stopped
		err = errors.New("calls were cut off")
	}
	s.stop()
	return err
}
