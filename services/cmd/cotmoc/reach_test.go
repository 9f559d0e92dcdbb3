package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// guarded runs a pair with TLS whose certificate names 127.0.0.1 alone.
func guarded(t *testing.T, ca *authority.Authority) *embedded.Process {
	t.Helper()
	files := issued(t, ca, "service/pair", "127.0.0.1")
	p, err := embedded.Up(context.Background(), embedded.Config{Dir: filepath.Join(t.TempDir(), "state"), Listen: "127.0.0.1:0",
		AdminListen: "127.0.0.1:0", TLS: files, Domain: "cotmoc.test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

func newAuthority(t *testing.T, domain string) *authority.Authority {
	t.Helper()
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), domain)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issued(t *testing.T, ca *authority.Authority, identity string, hosts ...string) auth.Files {
	t.Helper()
	f, err := ca.Issue(identity, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// plain serves gRPC without TLS, and is serving or not.
func plain(t *testing.T, status grpc_health_v1.HealthCheckResponse_ServingStatus) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, h := grpc.NewServer(), health.NewServer()
	h.SetServingStatus("", status)
	grpc_health_v1.RegisterHealthServer(s, h)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// mute takes connections and says nothing.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// TestTheCauseIsTold: whoever does not get through reads why, not that nobody answers.
func TestTheCauseIsTold(t *testing.T) {
	ca, other, foreign := newAuthority(t, "cotmoc.test"), newAuthority(t, "cotmoc.test"), newAuthority(t, "elsewhere.example")
	at := guarded(t, ca).Addr
	_, port, _ := net.SplitHostPort(at)
	good := issued(t, ca, "admin/alice")
	ca.Validity = -time.Hour
	expired := issued(t, ca, "admin/late")
	ca.Validity = 0
	revoked := issued(t, ca, "admin/bob")
	if err := ca.Revoke("admin/bob"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // until the service has read the list
	stranger, outsider, misled := issued(t, other, "admin/alice"), issued(t, foreign, "admin/alice"), good
	stranger.CA, outsider.CA, misled.CA = good.CA, good.CA, other.Files("").CA
	free := mute(t)
	for _, c := range []struct {
		name    string
		address string
		files   auth.Files
		want    string
		soon    bool // and at once, as no waiting helps
	}{
		{"expired", at, expired, "this caller's certificate of spiffe://cotmoc.test/admin/late expired on ", true},
		{"revoked", at, revoked, "certificate of spiffe://cotmoc.test/admin/bob: it was revoked, as far as can be told from here", true},
		{"of another authority", at, stranger, "is of an authority that the service does not trust", true},
		{"of another domain", at, outsider, "is of an authority that the service does not trust", true},
		{"service of another authority", at, misled, "is of an authority that this caller does not trust", true},
		{"no certificate", at, auth.Files{CA: good.CA}, "it and its key are needed", true},
		{"plaintext to a TLS port", at, auth.Files{}, "the port speaks TLS, and this caller does not (see --tls-cert", false},
		{"TLS to a plaintext port", plain(t, grpc_health_v1.HealthCheckResponse_SERVING), good, "not speak TLS", false},
		{"nobody listens", "127.0.0.1:1", good, "nobody answers at 127.0.0.1:1 after 5s: no process listens there; is cotmoc up running?", false},
		{"nobody listens, without TLS", "127.0.0.1:1", auth.Files{}, "no process listens there; is cotmoc up running?", false},
		{"wrong name", "localhost:" + port, good, "the service's certificate is not for localhost: it is for 127.0.0.1", true},
		{"no such host", "nowhere.invalid:7600", good, "the host's name leads to no address", false},
		{"not serving", plain(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING), auth.Files{}, "says that it is not serving", false},
		{"silence", free, auth.Files{}, "nobody answers at " + free, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := &target{RegistryAddr: c.address, ReportingAddr: c.address, TLSCert: c.files.Cert, TLSKey: c.files.Key, TLSCA: c.files.CA}
			began := time.Now()
			s, err := x.dial(t.Context())
			if err == nil {
				s.close()
				t.Fatal("it was reached")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if took := time.Since(began); took > reachWithin+3*time.Second || c.soon && took > 3*time.Second {
				t.Errorf("told after %v", took)
			}
		})
	}
}

// TestACertificateThatIsTaken: what watches connections for their troubles finds none.
func TestACertificateThatIsTaken(t *testing.T) {
	ca := newAuthority(t, "cotmoc.test")
	p, good := guarded(t, ca), issued(t, ca, "admin/alice")
	x := &target{RegistryAddr: p.Addr, ReportingAddr: p.Addr, RegistryAdmin: p.AdminAddr, ReportingAdmin: p.AdminAddr,
		TLSCert: good.Cert, TLSKey: good.Key, TLSCA: good.CA}
	s, err := x.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.now(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAnAdministratorsPortThatIsNotThere: the first call there does not wait for ever.
func TestAnAdministratorsPortThatIsNotThere(t *testing.T) {
	p := newPair(t)
	t.Setenv("COTMOC_REPORTING_ADMIN", "127.0.0.1:1")
	began := time.Now()
	if text := p.refused("doctor"); !strings.Contains(text, "nobody answers at 127.0.0.1:1") || time.Since(began) > reachWithin+3*time.Second {
		t.Errorf("after %v: %s", time.Since(began), text)
	}
}

// TestPatienceIsTold: the same reason once, another at once.
func TestPatienceIsTold(t *testing.T) {
	var out bytes.Buffer
	p := newPatience(&out)
	for n := range 50 {
		p.again(n, errors.New("the disk is full"), time.Second)
	}
	p.again(51, errors.New("the service is stopping"), time.Second)
	want := "attempt 0: the disk is full; trying again under the same request id\n" +
		"attempt 51: the service is stopping; trying again under the same request id\n"
	if out.String() != want {
		t.Errorf("told %q", out.String())
	}
}
