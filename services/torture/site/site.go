// Package site runs Cotmoc as real processes for the torture rig: the pair on SQLite
// beside a NATS server, or replicas on PostgreSQL and a NATS cluster.
package site

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cotmoc/cotmoc/pkg/client"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/failpoint"
	"github.com/cotmoc/cotmoc/services/torture/check"
	"github.com/cotmoc/cotmoc/services/torture/fault"
)

// Replica is one process of a service.
type Replica struct {
	Name    string
	Handle  fault.Handle
	Addr    string       // of itself
	Admin   string       // where it answers administrators
	Metrics string       // HTTP address of its metrics
	Proxy   *fault.Proxy // what clients connect to; nil where they connect directly
	setEnv  func([]string)
}

// Plan makes the next start of the process fail as a list of failpoints says; empty: not at all.
func (r *Replica) Plan(points string) {
	r.setEnv([]string{failpoint.Env + "=" + points})
}

// Node is a NATS server.
type Node struct {
	Name    string
	Handle  fault.Handle
	Store   string // folder of its streams
	Monitor string // HTTP address; empty where it has none
}

// Database is a database server that can be ended.
type Database interface {
	Kill()
	Restart(ctx context.Context) error
}

// Site is a whole at work.
type Site struct {
	Kind      string
	Dir       string
	Registry  []*Replica
	Reporting []*Replica
	NATS      []*Node
	Database  Database // nil for SQLite

	caller  client.Options // of those who report and read
	admin   client.Options
	connect func() (*nats.Conn, error)
	down    bool // the database was killed
	close   func()
}

// build makes programs into a folder.
func build(ctx context.Context, bin string, packages ...string) error {
	args := append([]string{"build", "-tags", "failpoint", "-o", bin + string(filepath.Separator)}, packages...)
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Addresses is where clients find the reporting service, with commas between.
func (s *Site) Addresses() string {
	var all []string
	for _, r := range s.Reporting {
		if r.Proxy != nil {
			all = append(all, r.Proxy.Addr())
		} else {
			all = append(all, r.Addr)
		}
	}
	return strings.Join(all, ",")
}

// Clients connects n clients of the reporting service, with the client's defaults.
func (s *Site) Clients(ctx context.Context, n int) ([]*client.Client, error) {
	return s.dial(ctx, n, s.Addresses())
}

func (s *Site) dial(ctx context.Context, n int, addresses string) ([]*client.Client, error) {
	var all []*client.Client
	for range n {
		c, err := client.Dial(ctx, addresses, s.caller)
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		all = append(all, c)
	}
	return all, nil
}

// Straight connects n clients of some replicas as Clients does, past their proxies.
func (s *Site) Straight(ctx context.Context, n int, replicas ...*Replica) ([]*client.Client, error) {
	var addresses []string
	for _, r := range replicas {
		addresses = append(addresses, r.Addr)
	}
	return s.dial(ctx, n, strings.Join(addresses, ","))
}

// Direct connects an administrator to one replica, past its proxy.
func (s *Site) Direct(r *Replica) (*client.Client, error) { return s.open(r.Addr) }

// AdminOf connects an administrator to where a replica answers only those.
func (s *Site) AdminOf(r *Replica) (*client.Client, error) { return s.open(r.Admin) }

func (s *Site) open(addr string) (*client.Client, error) {
	o := s.admin
	o.Unready = true
	return client.Open(addr, o)
}

// Connect connects a subscriber to NATS.
func (s *Site) Connect() (*nats.Conn, error) { return s.connect() }

// Crash ends every process at once.
func (s *Site) Crash() {
	for _, r := range s.services() {
		r.Handle.Kill()
	}
	for _, n := range s.NATS {
		n.Handle.Kill()
	}
	if s.Database != nil {
		s.Database.Kill()
	}
	s.Close()
}

// Close ends everything.
func (s *Site) Close() {
	for _, r := range append(s.Registry, s.Reporting...) {
		if r.Proxy != nil {
			_ = r.Proxy.Close()
		}
	}
	s.close()
}

// services are all processes of both services.
func (s *Site) services() []*Replica {
	return append(append([]*Replica(nil), s.Registry...), s.Reporting...)
}

// Heal undoes whatever was done: lines are clear, and every process runs.
func (s *Site) Heal(ctx context.Context) error {
	if s.down {
		if err := s.Database.Restart(ctx); err != nil {
			return err
		}
		s.down = false
	}
	for _, n := range s.NATS {
		if err := revive(n.Handle); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	for _, r := range s.services() {
		if r.Proxy != nil {
			r.Proxy.Set(fault.Clear)
		}
		r.Plan("")
		if err := revive(r.Handle); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return nil
}

func revive(h fault.Handle) error {
	if h.Running() {
		return h.Resume()
	}
	return h.Start()
}

// KillDatabase ends the database server until Heal or RestartDatabase.
func (s *Site) KillDatabase() {
	s.down = true
	s.Database.Kill()
}

// RestartDatabase starts it again.
func (s *Site) RestartDatabase(ctx context.Context) error {
	s.down = false
	return s.Database.Restart(ctx)
}

// Serving waits until a replica says that it does its work.
func (s *Site) Serving(ctx context.Context, r *Replica) error {
	c, err := s.Direct(r)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		resp, err := grpc_health_v1.NewHealthClient(c.Conn()).Check(try, &grpc_health_v1.HealthCheckRequest{})
		cancel()
		if err == nil && resp.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
			return nil
		}
		if !wait(ctx) {
			return fmt.Errorf("%s does not serve: %v, %w", r.Name, resp.GetStatus(), errors.Join(err, ctx.Err()))
		}
	}
}

func wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

// Quiet waits until all replicas serve, stand at the same event, at least the given
// one, and have published it, and returns it.
func (s *Site) Quiet(ctx context.Context, least uint64) (uint64, error) {
	return s.rest(ctx, least, true)
}

// Even waits like Quiet, but not for the stream: NATS may have no leader for ten
// seconds after a server of it ended.
func (s *Site) Even(ctx context.Context, least uint64) (uint64, error) {
	return s.rest(ctx, least, false)
}

func (s *Site) rest(ctx context.Context, least uint64, published bool) (uint64, error) {
	for _, r := range s.services() {
		if err := s.Serving(ctx, r); err != nil {
			return 0, err
		}
	}
	before := ""
	for {
		head, why := s.level(ctx, least, published)
		if why == "" {
			return head, nil
		}
		if ctx.Err() != nil && before != "" {
			why = before // not that the time was over while it was asked
		}
		if before = why; !wait(ctx) {
			return head, fmt.Errorf("not at rest: %s", why)
		}
	}
}

// level says what keeps the replicas from standing at the same event.
func (s *Site) level(ctx context.Context, least uint64, published bool) (head uint64, why string) {
	for i, r := range s.Reporting {
		c, err := s.AdminOf(r)
		if err != nil {
			return 0, err.Error()
		}
		status, err := c.ReportingAdmin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
		_ = c.Close()
		switch {
		case err != nil:
			return 0, fmt.Sprintf("%s: %v", r.Name, err)
		case i > 0 && status.GetHeadSequence() != head:
			return head, fmt.Sprintf("%s is at %d, the others at %d", r.Name, status.GetHeadSequence(), head)
		case status.GetHeadSequence() < least:
			return head, fmt.Sprintf("%s is at %d, %d was told", r.Name, status.GetHeadSequence(), least)
		case published && status.GetStreamSequence() < status.GetHeadSequence():
			return head, fmt.Sprintf("%s is at %d, its stream at %d: %s", r.Name, status.GetHeadSequence(), status.GetStreamSequence(), status.GetStreamProblem())
		}
		head = status.GetHeadSequence()
	}
	return head, ""
}

// Replicas asks each replica what it holds, and lets it check itself.
func (s *Site) Replicas(ctx context.Context) ([]check.Replica, error) {
	var all []check.Replica
	for _, r := range s.Reporting {
		c, err := s.AdminOf(r)
		if err != nil {
			return nil, err
		}
		status, err := c.ReportingAdmin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
		var verify *reportingv1.VerifyResponse
		if err == nil {
			verify, err = c.ReportingAdmin().Verify(ctx, &reportingv1.VerifyRequest{})
		}
		_ = c.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		all = append(all, check.Replica{Name: r.Name, Status: status, Verify: verify})
	}
	return all, nil
}
