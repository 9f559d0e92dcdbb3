package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
)

// TestARefusedHandshakeIsCountedByItsReason: whoever runs the service can see why
// somebody's system does not get in.
func TestARefusedHandshakeIsCountedByItsReason(t *testing.T) {
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), "cotmoc.test")
	must(t, err)
	own, err := ca.Issue("service/pair", "127.0.0.1")
	must(t, err)
	core, logs := observer.New(zap.WarnLevel)
	door, err := auth.ServerTLS(own, "cotmoc.test", zap.New(core))
	must(t, err)
	s := rpc.NewServer(rpc.Config{Guard: auth.NewGuard(auth.GuardConfig{})}, grpc.Creds(door))
	healthv1.RegisterHealthServer(s, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)

	other, err := authority.New(filepath.Join(t.TempDir(), "other"), "cotmoc.test")
	must(t, err)
	text, err := os.ReadFile(own.CA)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	dial := func(f auth.Files, version uint16) {
		config := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, MaxVersion: version, NextProtos: []string{"h2"}}
		if f.Cert != "" {
			cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
			must(t, err)
			config.Certificates = []tls.Certificate{cert}
		}
		if c, err := tls.Dial("tcp", l.Addr().String(), config); err == nil {
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = c.Read(make([]byte, 1)) // the server's word comes after ours
			_ = c.Close()
		}
	}
	issue := func(a *authority.Authority, identity string) auth.Files {
		f, err := a.Issue(identity)
		must(t, err)
		return f
	}
	for _, c := range []struct {
		reason string
		call   func()
	}{
		{"no_certificate", func() { dial(auth.Files{}, tls.VersionTLS13) }},
		{"unknown_authority", func() { dial(issue(other, "unit/79"), tls.VersionTLS13) }},
		{"expired", func() {
			ca.Validity = -time.Hour
			f := issue(ca, "unit/late")
			ca.Validity = 0
			dial(f, tls.VersionTLS13)
		}},
		{"revoked", func() {
			f := issue(ca, "unit/gone")
			must(t, ca.Revoke("unit/gone"))
			time.Sleep(1100 * time.Millisecond) // the server looks once a second
			dial(f, tls.VersionTLS13)
		}},
		{"tls_version", func() { dial(issue(ca, "unit/old"), tls.VersionTLS12) }},
		{"not_tls", func() {
			c, err := net.Dial("tcp", l.Addr().String())
			must(t, err)
			_, _ = c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = c.Read(make([]byte, 100))
			_ = c.Close()
		}},
		{"gone", func() {
			c, err := net.Dial("tcp", l.Addr().String())
			must(t, err)
			_ = c.Close()
		}},
	} {
		before := door.Refused()[c.reason]
		c.call()
		for range 300 {
			if door.Refused()[c.reason] > before {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if door.Refused()[c.reason] != before+1 {
			t.Errorf("%s: counted %v", c.reason, door.Refused())
		}
		lines := logs.FilterField(zap.String("reason", c.reason)).All()
		if len(lines) != 1 || lines[0].ContextMap()["peer"] == nil || lines[0].ContextMap()["error"] == nil {
			t.Errorf("%s: lines %v", c.reason, lines)
		}
	}
	for range 50 {
		dial(auth.Files{}, tls.VersionTLS13)
	}
	if n := logs.FilterField(zap.String("reason", "no_certificate")).Len(); n != 1 {
		t.Errorf("%d lines of one kind", n)
	}
}

// TestSilentConnectionsShutNobodyOut: the oldest makes room.
func TestSilentConnectionsShutNobodyOut(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	var silent []net.Conn
	for range 150 {
		c, err := net.Dial("tcp", r.addr)
		must(t, err)
		defer c.Close()
		silent = append(silent, c)
	}
	if err := ask(t, r.client(t, "unit/79")); err != nil {
		t.Errorf("one from the same address: %v", err)
	}
	closed := 0
	for _, c := range silent {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err != nil && !os.IsTimeout(err) {
			closed++
		}
	}
	if closed < 50 || closed > 60 {
		t.Errorf("%d of 150 were closed", closed)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
