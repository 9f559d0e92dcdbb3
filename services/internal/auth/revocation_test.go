package auth_test

import (
	"crypto/x509"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

// TestAnOlderRevocationListIsNotTakenAgain: who puts yesterday's list back makes no
// certificate good again, whatever else changes with it.
func TestAnOlderRevocationListIsNotTakenAgain(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	core, logs := observer.New(zap.ErrorLevel)
	creds, err := auth.ServerTLS(r.files, "cotmoc.test", zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.NewServer(rpc.Config{Guard: auth.NewGuard(auth.GuardConfig{})}, grpc.Creds(creds))
	healthv1.RegisterHealthServer(s, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	r.addr = l.Addr().String()

	old, err := os.ReadFile(r.files.CRL)
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.ca.Issue("unit/79")
	if err != nil {
		t.Fatal(err)
	}
	refused := func() bool { return ask(t, r.with(t, files)) != nil }
	if refused() {
		t.Fatal("refused before it was revoked")
	}
	if err := r.ca.Revoke("unit/79"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // when the files are looked at again
	if !refused() {
		t.Fatal("taken after it was revoked")
	}
	newest, err := os.ReadFile(r.files.CRL)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.files.CRL, old, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if !refused() {
		t.Error("an older list was taken again")
	}
	if got := logs.FilterMessageSnippet("older than the one before"); got.Len() != 1 ||
		got.All()[0].ContextMap()["kept_number"] != "2" || got.All()[0].ContextMap()["refused_number"] != "1" {
		t.Errorf("logged %+v", got.All())
	}
	if err := os.WriteFile(r.files.CRL, newest, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ca.Issue("unit/79"); err != nil { // the revoked one is set aside under another name
		t.Fatal(err)
	}
	if err := r.ca.Revoke("unit/79"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if again := r.with(t, files); ask(t, again) == nil {
		t.Error("a newer list was not taken")
	}
}

// TestAServiceShowsAServicesCertificate: with any other it does not start.
func TestAServiceShowsAServicesCertificate(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	issue := func(validity time.Duration, who string, hosts ...string) auth.Files {
		r.ca.Validity = validity
		f, err := r.ca.Issue(who, hosts...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	revoked := issue(0, "service/revoked", "127.0.0.1")
	if err := r.ca.Revoke("service/revoked"); err != nil {
		t.Fatal(err)
	}
	elsewhere := func(a *authority.Authority, err error) auth.Files {
		if err != nil {
			t.Fatal(err)
		}
		f, err := a.Issue("service/pair", "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	stranger := elsewhere(authority.New(filepath.Join(t.TempDir(), "a"), "cotmoc.test"))
	stranger.CA, stranger.CRL = r.files.CA, r.files.CRL
	only := r.sign(t, &x509.Certificate{SerialNumber: big.NewInt(9), URIs: []*url.URL{{Scheme: "spiffe", Host: "cotmoc.test", Path: "/service/a"}},
		DNSNames: []string{"a.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature})
	for name, c := range map[string]struct {
		files auth.Files
		host  string
		want  string
	}{
		"its own":                {r.files, "127.0.0.1", ""},
		"its own, anywhere":      {r.files, "", ""},
		"at another host":        {r.files, "registry.example", "wanted to match registry.example"},
		"a unit's":               {issue(0, "unit/79"), "", "is that of spiffe://cotmoc.test/unit/79"},
		"an administrator's":     {issue(0, "admin/alice"), "", "is that of spiffe://cotmoc.test/admin/alice"},
		"without a host":         {issue(0, "service/nowhere"), "", "names no host"},
		"expired":                {issue(-time.Hour, "service/late", "127.0.0.1"), "", "expired"},
		"revoked":                {revoked, "", "was revoked"},
		"of another domain":      {elsewhere(authority.New(filepath.Join(t.TempDir(), "b"), "other.example")), "", "not of spiffe://cotmoc.test/"},
		"of another authority":   {stranger, "", "unknown authority"},
		"for clients alone":      {only, "", "key usage"},
		"with the key of others": {auth.Files{Cert: r.files.Cert, Key: revoked.Key, CA: r.files.CA}, "", "private key does not match"},
	} {
		err := c.files.CheckService("cotmoc.test", c.host)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
