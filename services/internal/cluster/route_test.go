package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	files "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
)

// TestOnlyNATSServersJoinTheCluster: who joins it is asked for no user and sees all
// accounts. A unit's certificate is of the same authority, and no server's.
func TestOnlyNATSServersJoinTheCluster(t *testing.T) {
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), "cotmoc.test")
	if err != nil {
		t.Fatal(err)
	}
	at := ports(t, 4)
	_, port, _ := bytes.Cut([]byte(at[0]), []byte(":"))
	route := fmt.Sprintf("tls://localhost:%s", port)
	issue := func(identity string, hosts ...string) auth.Files {
		f, err := ca.Issue(identity, hosts...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := join(t, "nats-1", issue("service/nats-1", "127.0.0.1", "localhost"), at[0], route)
	for _, c := range []struct {
		name   string
		files  auth.Files
		routes int
	}{
		{"unit", issue("unit/79"), 0},
		{"admin", issue("admin/alice"), 0},
		{"another-service", issue("service/reporting", "reporting-1"), 0},
		{"nats-2", issue("service/nats-2", "127.0.0.1", "localhost"), 1},
	} {
		s := join(t, c.name, c.files, ports(t, 1)[0], route)
		var got int
		within := 2500 * time.Millisecond // in which who may join has, mostly
		if c.routes > 0 {
			within = time.Minute
		}
		for deadline := time.Now().Add(within); got == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			got = min(first.NumRoutes(), 1)
		}
		if got != c.routes {
			t.Errorf("%s has %d routes, want %d", c.name, got, c.routes)
		}
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// join starts a server by the file that is shipped, with a certificate.
func join(t *testing.T, name string, f auth.Files, listen, route string) *server.Server {
	t.Helper()
	dir := t.TempDir()
	text, err := files.File("nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"nats-server.conf": text, "nats-accounts.conf": nil} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for key, value := range map[string]string{"NAME": name, "LISTEN": "127.0.0.1:-1", "MONITOR": "127.0.0.1:-1", "STORE": fmt.Sprintf("%q", dir),
		"ROUTE": listen, "ROUTES": fmt.Sprintf("[%q]", route), "CERT": fmt.Sprintf("%q", f.Cert), "KEY": fmt.Sprintf("%q", f.Key), "CA": fmt.Sprintf("%q", f.CA)} {
		t.Setenv("COTMOC_NATS_"+key, value)
	}
	options, err := server.ProcessConfigFile(filepath.Join(dir, "nats-server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog, options.JetStream = true, true, false
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}
