// Package run puts a service together from its parts, in the order in which they
// need each other, and takes it apart in the reverse order. It links no database
// and no NATS server: those that run it bring a store and a connection.
package run

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/registry"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// Loopback refuses an address that others than this machine's own processes reach:
// this release knows neither callers nor encryption.
func Loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("address %q is not on loopback: without TLS and identities, which come later, "+
		"anybody who reaches the port could write; use 127.0.0.1", address)
}

// Part is a service that a server serves.
type Part interface {
	Register(grpc.ServiceRegistrar)
}

// Server answers calls for one or more parts, and health, metrics and profiles on
// a port of its own.
type Server struct {
	grpc   *grpc.Server
	health *health.Server
	addr   net.Addr
	admin  net.Addr
	stop   context.CancelFunc // what goes on beside calls
	hangUp context.CancelFunc // streams
	done   chan error
}

// ServerConfig is what a server is made of.
type ServerConfig struct {
	Listener    net.Listener // for calls, from Listen
	AdminListen string       // for metrics and health; empty for none
	Metrics     *prometheus.Registry
	Calls       *obs.Metrics
	Log         *zap.Logger
	Ready       []obs.Check
	Parts       []Part
}

// Listen takes a port on loopback; port 0 takes a free one.
func Listen(address string) (net.Listener, error) {
	if err := Loopback(address); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// NewServer serves. It closes the listener when it ends, also when it fails.
func NewServer(c ServerConfig) (*Server, error) {
	l := c.Listener
	s := &Server{health: health.NewServer(), addr: l.Addr(), done: make(chan error, 2)}
	var stopping context.Context
	stopping, s.hangUp = context.WithCancel(context.Background())
	s.grpc = rpc.NewServer(rpc.Config{Log: c.Log, Metrics: c.Calls, Stopping: stopping, Deferred: deferred, Deadlines: reporting.Deadlines()})
	for _, p := range c.Parts {
		p.Register(s.grpc)
	}
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	if c.AdminListen != "" {
		if err := s.serveAdmin(ctx, c); err != nil {
			cancel()
			s.hangUp()
			_ = l.Close()
			return nil, err
		}
	}
	go s.watch(ctx, c.Ready)
	go func() { s.done <- s.grpc.Serve(l) }()
	return s, nil
}

// deferred leaves to each service's handlers what they check themselves.
func deferred(req proto.Message) protoreflect.FullName {
	if name := registry.Deferred(req); name != "" {
		return name
	}
	return reporting.Deferred(req)
}

func (s *Server) serveAdmin(ctx context.Context, c ServerConfig) error {
	l, err := Listen(c.AdminListen)
	if err != nil {
		return fmt.Errorf("metrics and health: %w", err)
	}
	s.admin = l.Addr()
	go func() {
		if err := obs.Serve(ctx, l, obs.Handler(c.Metrics, c.Ready...)); err != nil {
			s.done <- err
		}
	}()
	return nil
}

// watch keeps gRPC health true: serving only while all checks are well.
func (s *Server) watch(ctx context.Context, checks []obs.Check) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		status := grpc_health_v1.HealthCheckResponse_SERVING
		for _, c := range checks {
			if c.Run(ctx) != nil {
				status = grpc_health_v1.HealthCheckResponse_NOT_SERVING
			}
		}
		s.health.SetServingStatus("", status)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Addr is where calls are answered.
func (s *Server) Addr() string { return s.addr.String() }

// AdminAddr is where metrics and health are; empty when nowhere.
func (s *Server) AdminAddr() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.String()
}

// Failed gets the error that ended a listener, if one did by itself.
func (s *Server) Failed() <-chan error { return s.done }

// Close ends streams and lets calls end, until ctx does, and then cuts off those
// that are left.
func (s *Server) Close(ctx context.Context) error {
	s.health.Shutdown()
	s.hangUp()
	stopped := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(stopped)
	}()
	var err error
	select {
	case <-stopped:
	case <-ctx.Done():
		s.grpc.Stop()
		<-stopped
		err = errors.New("calls were cut off")
	}
	s.stop()
	return err
}
