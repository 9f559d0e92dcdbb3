package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
)

// rig is a guarded server that serves health alone.
type rig struct {
	ca    *authority.Authority
	dir   string
	files auth.Files // the server's
	addr  string
}

func newRig(t *testing.T, c auth.GuardConfig) *rig {
	t.Helper()
	r := &rig{dir: filepath.Join(t.TempDir(), "certs")}
	var err error
	if r.ca, err = authority.New(r.dir, "cotmoc.test"); err != nil {
		t.Fatal(err)
	}
	if r.files, err = r.ca.Issue("service/pair", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	creds, err := auth.ServerTLS(r.files, "cotmoc.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.NewServer(rpc.Config{Guard: auth.NewGuard(c)}, grpc.Creds(creds))
	healthv1.RegisterHealthServer(s, health.NewServer())
	reportingv1.RegisterReportingServiceServer(s, reportingv1.UnimplementedReportingServiceServer{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return r
}

func (r *rig) client(t *testing.T, identity string) *grpc.ClientConn {
	t.Helper()
	f := r.ca.Files(identity)
	if _, err := os.Stat(f.Cert); err != nil {
		if f, err = r.ca.Issue(identity); err != nil {
			t.Fatal(err)
		}
	}
	return r.with(t, f)
}

func (r *rig) with(t *testing.T, f auth.Files) *grpc.ClientConn {
	t.Helper()
	creds, err := auth.ClientTLS(f)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func ask(t *testing.T, conn *grpc.ClientConn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

func TestAnAllowanceIsTheCallersOwn(t *testing.T) {
	r := newRig(t, auth.GuardConfig{Rate: 5, Burst: 10})
	first, second, third := r.client(t, "unit/79/a"), r.client(t, "unit/79/b"), r.client(t, "unit/79/c")
	let := func(conn *grpc.ClientConn) (n int) {
		for range 20 {
			err := ask(t, conn)
			if err == nil {
				n++
				continue
			}
			e, _ := apierr.Parse(err)
			if e.Code != codes.ResourceExhausted || e.Reason != errorv1.Reason_REASON_RATE_LIMITED || e.Retry <= 0 || e.Retry > time.Second {
				t.Fatalf("got %v, again in %s", err, e.Retry)
			}
		}
		return n
	}
	if n := let(first); n < 10 || n > 14 {
		t.Errorf("%d of 20 calls were within an allowance of 10 at once", n)
	}
	if n := let(second); n < 10 || n > 14 {
		t.Errorf("another system of the unit had %d of its 10", n)
	}
	if n := let(third); n > 6 {
		t.Errorf("a third had %d, beyond what the unit has together", n)
	}
	if err := ask(t, r.client(t, "unit/01")); err != nil {
		t.Errorf("the storm of one hit another: %v", err)
	}
	time.Sleep(500 * time.Millisecond)
	if err := ask(t, first); err != nil {
		t.Errorf("after a pause: %v", err)
	}
}

func TestABatchCountsItsItems(t *testing.T) {
	r := newRig(t, auth.GuardConfig{Rate: 1, Burst: 10})
	for n, want := range map[int]codes.Code{11: codes.ResourceExhausted, 10: codes.InvalidArgument} {
		client := reportingv1.NewReportingServiceClient(r.client(t, fmt.Sprint("unit/", n)))
		_, err := client.SubmitBatch(t.Context(), &reportingv1.SubmitBatchRequest{Items: make([]*reportingv1.BatchItem, n)})
		if status.Code(err) != want {
			t.Errorf("%d items: %v", n, err)
		}
	}
}

func TestConnectionsOfOneIdentityAreBounded(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	let := 0
	for range 70 {
		if ask(t, r.client(t, "unit/79/a")) == nil {
			let++
		}
	}
	if let != 64 {
		t.Errorf("%d connections of one system were let in", let)
	}
	if err := ask(t, r.client(t, "unit/79/b")); err != nil {
		t.Errorf("another system of the unit: %v", err)
	}
	if err := ask(t, r.client(t, "unit/01")); err != nil {
		t.Errorf("another unit's first: %v", err)
	}
}

// TestOnlyOneIdentityInACertificate: what the authority would never sign, signed.
func TestOnlyOneIdentityInACertificate(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	uri := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	good := uri("spiffe://cotmoc.test/unit/79")
	for name, c := range map[string]struct {
		uris  []*url.URL
		usage x509.ExtKeyUsage
		ca    bool
		ok    bool
	}{
		"one":               {[]*url.URL{good}, x509.ExtKeyUsageClientAuth, false, true},
		"none, but a name":  {nil, x509.ExtKeyUsageClientAuth, false, false},
		"two":               {[]*url.URL{good, uri("spiffe://cotmoc.test/unit/01")}, x509.ExtKeyUsageClientAuth, false, false},
		"twice the same":    {[]*url.URL{good, good}, x509.ExtKeyUsageClientAuth, false, false},
		"an empty fragment": {[]*url.URL{{Scheme: "spiffe", Opaque: "//cotmoc.test/unit/79#"}}, x509.ExtKeyUsageClientAuth, false, false},
		"an empty query":    {[]*url.URL{{Scheme: "spiffe", Opaque: "//cotmoc.test/unit/79?"}}, x509.ExtKeyUsageClientAuth, false, false},
		"capitals":          {[]*url.URL{{Scheme: "SPIFFE", Opaque: "//cotmoc.test/unit/79"}}, x509.ExtKeyUsageClientAuth, false, false},
		"an escape":         {[]*url.URL{{Scheme: "spiffe", Opaque: "//cotmoc.test/unit/7%39"}}, x509.ExtKeyUsageClientAuth, false, false},
		"a user":            {[]*url.URL{{Scheme: "spiffe", Opaque: "//x@cotmoc.test/unit/79"}}, x509.ExtKeyUsageClientAuth, false, false},
		"a port":            {[]*url.URL{{Scheme: "spiffe", Opaque: "//cotmoc.test:/unit/79"}}, x509.ExtKeyUsageClientAuth, false, false},
		"another domain":    {[]*url.URL{uri("spiffe://other.test/unit/79")}, x509.ExtKeyUsageClientAuth, false, false},
		"a role of nobody":  {[]*url.URL{uri("spiffe://cotmoc.test/king/79")}, x509.ExtKeyUsageClientAuth, false, false},
		"for servers alone": {[]*url.URL{good}, x509.ExtKeyUsageServerAuth, false, false},
		"an authority's":    {[]*url.URL{good}, x509.ExtKeyUsageClientAuth, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := r.sign(t, &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "spiffe://cotmoc.test/admin/root"},
				URIs: c.uris, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: c.ca, BasicConstraintsValid: true,
				ExtKeyUsage: []x509.ExtKeyUsage{c.usage}, KeyUsage: x509.KeyUsageDigitalSignature})
			err := ask(t, r.with(t, f))
			if c.ok != (err == nil) || err != nil && status.Code(err) != codes.Unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
}

// sign makes files of a certificate signed by the authority's key.
func (r *rig) sign(t *testing.T, leaf *x509.Certificate) auth.Files {
	t.Helper()
	block := func(path string) []byte {
		data, err := os.ReadFile(filepath.Join(r.dir, path))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := pem.Decode(data)
		return b.Bytes
	}
	parent, err := x509.ParseCertificate(block("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := x509.ParsePKCS8PrivateKey(block("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := auth.Files{Cert: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k"), CA: r.files.CA}
	for path, b := range map[string]*pem.Block{f.Cert: {Type: "CERTIFICATE", Bytes: der}, f.Key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestFilesAreReadAgainAndBrokenOnesAreNot(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	if err := ask(t, r.client(t, "unit/79")); err != nil {
		t.Fatal(err)
	}
	write := func(path string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // the server looks once a second
	}
	own, err := os.ReadFile(r.files.CA)
	if err != nil {
		t.Fatal(err)
	}
	write(r.files.CA, []byte("half a file"))
	known, err := auth.ClientTLS(auth.Files{Cert: r.ca.Files("unit/79").Cert, Key: r.ca.Files("unit/79").Key, CA: r.files.CA})
	if err == nil {
		t.Errorf("a client began with half an authority: %v", known)
	}
	write(r.files.CA, own)
	// Another authority takes the place of the first: who was trusted is not any more.
	old := r.client(t, "unit/79")
	if err := ask(t, old); err != nil {
		t.Fatalf("by the old authority: %v", err)
	}
	second, err := authority.New(filepath.Join(t.TempDir(), "second"), "cotmoc.test")
	if err != nil {
		t.Fatal(err)
	}
	other, err := second.Issue("unit/79")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(other.CA)
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(other.CRL)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.files.CRL, list, 0o600); err != nil {
		t.Fatal(err)
	}
	write(r.files.CA, theirs)
	if err := ask(t, old); status.Code(err) != codes.Unauthenticated {
		t.Errorf("on a connection by the old authority: %v", err)
	}
	f := other
	f.CA, f.CRL = filepath.Join(t.TempDir(), "ca"), "" // the server's own certificate is still of the old one
	if err := os.WriteFile(f.CA, own, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(t, r.with(t, f)); err != nil {
		t.Errorf("by the new authority: %v", err)
	}
}

func TestGuardWithoutTLSLetsNobodyIn(t *testing.T) {
	s := rpc.NewServer(rpc.Config{Guard: auth.NewGuard(auth.GuardConfig{})})
	healthv1.RegisterHealthServer(s, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := ask(t, conn); apierr.ReasonOf(err) != errorv1.Reason_REASON_UNAUTHENTICATED {
		t.Errorf("got %v", err)
	}
}
