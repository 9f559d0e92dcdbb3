package e2e_test

import (
	"bytes"
	"context"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

// binaries are built once for all tests that run real processes.
var binaries struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binaries.dir != "" {
		_ = os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}

// binary returns the path of a program of this module, or of nats-server.
func binary(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(binaryFolder(t), name)
}

// programs lets the tests be run against another release's.
var programs = flag.String("programs", "", "folder with programs to test, instead of building them")

// binaryFolder returns where they all are.
func binaryFolder(t *testing.T) string {
	t.Helper()
	if *programs != "" {
		return *programs
	}
	binaries.Do(func() {
		if binaries.dir, binaries.err = os.MkdirTemp("", "cotmoc-e2e-"); binaries.err != nil {
			return
		}
		binaries.err = cluster.Build(t.Context(), binaries.dir, "")
	})
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return binaries.dir
}

// process is a program at work.
type process struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

// launch starts a program, which the test's end stops and waits for.
func launch(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary(t, name), args...), log: &bytes.Buffer{}}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.kill(t)
		}
	})
	return p
}

// stop asks the process to end and checks that it does so cleanly.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s did not stop cleanly: %v\n%s", filepath.Base(p.cmd.Path), err, p.log)
	}
}

// kill ends the process at once, as a crash does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // reports the kill
}

// freePort takes an address that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// serving waits until a service says that it is.
func serving(t *testing.T, p *process, addr string) {
	t.Helper()
	health := grpc_health_v1.NewHealthClient(dial(t, addr))
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		resp, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		cancel()
		if err == nil && resp.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not serving in time: %v, %v\n%s", resp, err, p.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// processes runs the two services and a NATS server as processes of their own.
func processes(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	registry, reporting, natsAddr := freePort(t), freePort(t), freePort(t)
	_, port, err := net.SplitHostPort(natsAddr)
	if err != nil {
		t.Fatal(err)
	}
	natsd := launch(t, "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", filepath.Join(dir, "nats"))
	reg := launch(t, "cotmoc", "registry", "--dir", filepath.Join(dir, "registry"), "--listen", registry, "--metrics-listen", "127.0.0.1:0")
	serving(t, reg, registry)
	rep := launch(t, "cotmoc", "reporting", "--dir", filepath.Join(dir, "reporting"), "--listen", reporting, "--metrics-listen", "127.0.0.1:0",
		"--registry-addr", registry, "--nats-url", "nats://"+natsAddr, "--clock", "manual", "--start", start.Format(time.RFC3339))
	serving(t, rep, reporting)
	t.Cleanup(func() {
		rep.stop(t)
		reg.stop(t)
		natsd.kill(t)
	})
	r := clients(t, registry, reporting)
	r.nats = func(t *testing.T) *nats.Conn { return connect(t, natsAddr) }
	return r
}

func connect(t *testing.T, addr string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+addr, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestProcesses(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, processes(t)) })
	}
}
