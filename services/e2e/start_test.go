package e2e_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// TestStartRefused starts the pair as it may not be started, and then as it may.
func TestStartRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.Up(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), "cotmoc.test")
	must(t, err)
	shows := func(domain, identity string, hosts ...string) embedded.Config {
		files, err := ca.Issue(identity, hosts...)
		must(t, err)
		return embedded.Config{TLS: files, Domain: domain, AdminListen: "127.0.0.1:0"}
	}
	for _, c := range []struct {
		name, want string
		config     embedded.Config
	}{
		{"folder_in_use", "another process runs the registry service", embedded.Config{Dir: dir}},
		{"nats_off_loopback", "not on loopback", embedded.Config{NATSListen: "0.0.0.0:0"}},
		{"nats_port_taken", "address already in use", embedded.Config{NATSListen: taken.Addr().String()}},
		{"metrics_port_taken", "address already in use", embedded.Config{Monitor: run.MonitorConfig{Listen: taken.Addr().String()}}},
		{"metrics_off_loopback", "not on loopback", embedded.Config{Monitor: run.MonitorConfig{Listen: "0.0.0.0:0"}}},
		{"certificate_of_a_unit", "that of spiffe://cotmoc.test/unit/79", shows("cotmoc.test", "unit/79")},
		{"certificate_without_a_host", "names no host", shows("cotmoc.test", "service/a")},
		{"certificate_for_another_host", "at the host where the services call each other", shows("cotmoc.test", "service/b", "cotmoc.example")},
		{"certificate_of_another_domain", "not of spiffe://cotmoc.vn/", shows("cotmoc.vn", "service/c", "127.0.0.1")},
		{"calls_off_loopback", "not on loopback", embedded.Config{Listen: "0.0.0.0:0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.config.Dir == "" {
				c.config.Dir = t.TempDir()
			}
			if c.config.Listen == "" {
				c.config.Listen = "127.0.0.1:0"
			}
			began := time.Now()
			p, err := embedded.Up(t.Context(), c.config)
			if err == nil {
				_ = p.Close(t.Context())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) || time.Since(began) > 5*time.Second {
				t.Errorf("refused after %v: %v; want %q at once", time.Since(began), err, c.want)
			}
		})
	}
	closeNow(t, first)
	again, err := embedded.Up(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	closeNow(t, again)
}

// TestRegistryAndReportingShareAFolder: each locks its own part.
func TestRegistryAndReportingShareAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "both")
	registry, err := embedded.Registry(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	reporting, err := embedded.Reporting(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0", RegistryAddr: registry.Addr})
	if err != nil {
		t.Fatal(err)
	}
	closeNow(t, reporting)
	closeNow(t, registry)
}

// TestStopWithStreamsOpen: a stream that its caller never ends does not hold up a stop.
func TestStopWithStreamsOpen(t *testing.T) {
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, p.Addr)
	health, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := health.Recv(); err != nil {
		t.Fatal(err)
	}
	files, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Recv(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	closeNow(t, p)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	for {
		if _, err := health.Recv(); err != nil {
			if grpcstatus.Code(err) != codes.Unavailable {
				t.Errorf("the watch of health ended with %v", err)
			}
			break
		}
	}
	if _, err := files.Recv(); grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("reflection ended with %v", err)
	}
}

// TestStrangersPublishNoFacts: what reaches the port of the NATS inside may read
// the stream and not write to it.
func TestStrangersPublishNoFacts(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range logs.All() {
		if e.LoggerName == "nats" {
			t.Errorf("NATS warns at the start: %s", e.Message)
		}
	}
	t.Cleanup(func() { closeNow(t, p) })
	r := clients(t, p.Addr, p.Addr)
	r.owe(t, tree()...)
	verify(t, r)
	nc, err := nats.Connect(p.NATSURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if ack, err := js.Publish(ctx, "cotmoc.p.milestone.reached.cards.vn", []byte("100 %")); err == nil {
		t.Errorf("stored as %d", ack.Sequence)
	}
	s, err := js.Stream(t.Context(), "COTMOC-FACTS-1")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.GetMsg(t.Context(), 1); err != nil || m.Sequence != 1 {
		t.Errorf("a stranger reads %v, %v", m, err)
	}
	verify(t, r)
}

func closeNow(t *testing.T, p *embedded.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestHandSetClockStaysSo: time that was set by hand is not let go by itself.
func TestHandSetClockStaysSo(t *testing.T) {
	dir := t.TempDir()
	up := func(manual bool) (*embedded.Process, error) {
		return embedded.Up(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0", ManualClock: manual, Start: start})
	}
	p, err := up(true)
	if err != nil {
		t.Fatal(err)
	}
	clients(t, p.Addr, p.Addr).at(t, start.AddDate(0, 0, 1))
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := up(false); err == nil || !strings.Contains(err.Error(), "--clock=manual") {
		t.Errorf("time goes by itself: %v, %v", p, err)
	}
	if p, err = up(true); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
