package site

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/services/torture/fault"
	"github.com/cotmoc/cotmoc/services/torture/load"
)

// Programs of the pair on SQLite.
const (
	cotmocPackage = "github.com/cotmoc/cotmoc/services/cmd/cotmoc"
	natsPackage   = "github.com/nats-io/nats-server/v2"
)

// startWithin is how long a site may take to come up.
const startWithin = time.Minute

// BuildEmbedded makes the programs of the pair, with the failpoint tag.
func BuildEmbedded(ctx context.Context, bin string) error {
	return build(ctx, bin, cotmocPackage, natsPackage)
}

// Embedded runs the pair on SQLite, one process of each service beside a NATS server,
// with programs from bin, in dir, where one may have been before.
func Embedded(ctx context.Context, dir, bin string) (_ *Site, err error) {
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	s := &Site{Kind: "embedded", Dir: dir}
	s.close = func() {
		for _, r := range s.services() {
			r.Handle.Kill()
		}
		for _, n := range s.NATS {
			n.Handle.Kill()
		}
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	store := filepath.Join(dir, "nats")
	s.NATS = []*Node{{Name: "nats-1", Store: store, Handle: &fault.Process{Name: "nats-1", Path: filepath.Join(bin, "nats-server"),
		Args: []string{"-a", "127.0.0.1", "-p", ports[2], "-js", "-sd", store}, Log: filepath.Join(dir, "nats-1.log")}}}
	url := "nats://127.0.0.1:" + ports[2]
	s.connect = func() (*nats.Conn, error) {
		return nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(quiet))
	}
	manual := []string{"--clock", "manual", "--start", load.Start().Format(time.RFC3339)}
	registry := "127.0.0.1:" + ports[0]
	s.Registry = []*Replica{s.pair(bin, "registry", registry, ports[3], nil)}
	proxy, err := fault.NewProxy("127.0.0.1:" + ports[1])
	if err != nil {
		return nil, err
	}
	s.Reporting = []*Replica{s.pair(bin, "reporting", "127.0.0.1:"+ports[1], ports[4], proxy, append(manual, "--registry-addr", registry, "--nats-url", url)...)}
	if err := s.Heal(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for _, r := range s.services() {
		if err := s.Serving(ctx, r); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// pair describes a service on SQLite.
func (s *Site) pair(bin, name, addr, metrics string, proxy *fault.Proxy, args ...string) *Replica {
	p := &fault.Process{Name: name, Path: filepath.Join(bin, "cotmoc"), Log: filepath.Join(s.Dir, name+".log"),
		Args: append([]string{name, "--dir", filepath.Join(s.Dir, name), "--listen", addr, "--metrics-listen", "127.0.0.1:" + metrics, "--log-level", "warn"}, args...)}
	return &Replica{Name: name, Handle: p, Addr: addr, Admin: addr, Metrics: "127.0.0.1:" + metrics, Proxy: proxy, setEnv: func(env []string) { p.Env = env }}
}

// freePorts takes ports that nobody listens on now.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port: %w", err)
		}
		defer func() { _ = l.Close() }()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
