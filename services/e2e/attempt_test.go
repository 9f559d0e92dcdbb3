package e2e_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"google.golang.org/protobuf/testing/protocmp"

	config "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/natstest"
)

// least is how many attempts there are at least, of each who tries.
const least = 40

// told is a rig whose log has facts, and a subscription for each name.
func told(t *testing.T, r *rig, names ...string) {
	t.Helper()
	r.owe(t, append(tree(), target("cards", typev1.ValueKind_VALUE_KIND_COUNT, nil))...)
	r.submit(t, "first", count("26734", "cards", "2022-M01", 7))
	for _, name := range names {
		_, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: name})
		must(t, err)
	}
	waitFor(t, "what was told", r, func(s *reportingv1.GetStatusResponse) bool { return s.GetStreamSequence() == s.GetHeadSequence() })
}

// unmoved runs f, and checks that the stream is still the log, that nothing was published
// beside it, and that the subscriptions are what they were.
func unmoved(t *testing.T, r *rig, f func()) {
	t.Helper()
	list := func() []*reportingv1.SubscriptionStatus {
		all, err := r.events.ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{})
		must(t, err)
		for _, s := range all.GetSubscriptions() {
			s.Unacked, s.Pending, s.AckedSequence = 0, 0, 0 // what a reader may move
		}
		return all.GetSubscriptions()
	}
	before := list()
	f()
	verify(t, r)
	if diff := cmp.Diff(before, list(), protocmp.Transform()); diff != "" {
		t.Errorf("subscriptions:\n%s", diff)
	}
	if s := status(t, r); s.GetStreamProblem() != "" || s.GetStreamSequence() != s.GetHeadSequence() {
		t.Errorf("afterwards: %v", s)
	}
	r.submit(t, "afterwards", count("26737", "cards", "2022-M01", 9))
	waitFor(t, "what came afterwards", r, func(s *reportingv1.GetStatusResponse) bool { return s.GetStreamSequence() == s.GetHeadSequence() })
}

// try makes all attempts as a user.
func try(t *testing.T, url, own, other string, options ...nats.Option) {
	t.Helper()
	var refused natstest.Refusals
	nc, err := nats.Connect(url, append(options, nats.ErrorHandler(refused.Handler))...)
	must(t, err)
	defer nc.Close()
	attempts := natstest.Attempts(1, own, other)
	if len(attempts) < least {
		t.Errorf("only %d attempts", len(attempts))
	}
	natstest.Try(t, nc, &refused, attempts)
}

// knock tries to come in without a key of a user, by every way there is.
func knock(t *testing.T, url, known string, ca, cert, key string) {
	t.Helper()
	for name, door := range natstest.Doors(t, known) {
		options := []nats.Option{nats.RootCAs(ca), nats.ClientCert(cert, key)}
		if door != nil {
			options = append(options, door)
		}
		if nc, err := nats.Connect(url, options...); err == nil {
			nc.Close()
			t.Errorf("%s a stranger comes in", name)
		}
	}
	text, err := os.ReadFile(ca)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	address := strings.TrimPrefix(url, "tls://")
	natstest.Knock(t, address, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}, natstest.Attempts(1, "board", "press"))
}

// TestNobodyElseWrites: whoever reaches NATS and is not the service puts nothing on its
// streams, takes nothing from them, and changes nothing, however it is tried.
func TestNobodyElseWrites(t *testing.T) {
	t.Run("up", nobodyWritesUp)
	t.Run("up_with_certificates", nobodyWritesUpWithCertificates)
	t.Run("distributed", nobodyWritesDistributed)
}

// upArgs are those of a process on free ports.
func upArgs(t *testing.T, calls string, more ...string) []string {
	t.Helper()
	return append([]string{"up", "--dir", filepath.Join(t.TempDir(), "state"), "--listen", calls, "--metrics-listen", "127.0.0.1:0",
		"--clock", "manual", "--start", start.Format("2006-01-02T15:04:05Z07:00"), "--log-level", "warn"}, more...)
}

func nobodyWritesUp(t *testing.T) {
	calls, port := freePort(t), freePort(t)
	p := launch(t, "cotmoc", upArgs(t, calls, "--nats-listen", port)...)
	serving(t, p, calls)
	r := clients(t, calls, calls)
	told(t, r, "board")
	unmoved(t, r, func() { try(t, "nats://"+port, "board", "") })
}

// TestUpHasNoNATSPort: nobody reaches NATS who was not let in.
func TestUpHasNoNATSPort(t *testing.T) {
	calls := freePort(t)
	p := launch(t, "cotmoc", upArgs(t, calls)...)
	serving(t, p, calls)
	r := clients(t, calls, calls)
	told(t, r)
	where, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: "board"})
	if err != nil || len(where.GetNatsUrls()) != 0 {
		t.Errorf("%v, %v", where, err)
	}
	if nc, err := nats.Connect("nats://127.0.0.1:7622"); err == nil {
		nc.Close()
		t.Error("it listens at the address that others use")
	}
}

func nobodyWritesUpWithCertificates(t *testing.T) {
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), "cotmoc.test")
	must(t, err)
	own, err := ca.Issue("service/pair", "127.0.0.1")
	must(t, err)
	users, calls, admin, port := filepath.Join(t.TempDir(), "users"), freePort(t), freePort(t), freePort(t)
	for _, name := range []string{"board", "press"} {
		out, err := exec.Command(binary(t, "cotmoc"), "nats", "user", "--users", users, name, name).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	secure := []string{"--nats-listen", port, "--admin-listen", admin, "--server-cert", own.Cert, "--server-key", own.Key, "--server-ca", own.CA, "--server-crl", own.CRL}
	if out, err := exec.Command(binary(t, "cotmoc"), upArgs(t, calls, secure...)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "cotmoc nats user") {
		t.Fatalf("with certificates it opened NATS to anybody: %v: %s", err, out)
	}
	p := launch(t, "cotmoc", upArgs(t, calls, append(secure, "--nats-users", users)...)...)
	r := certified(t, ca, calls, admin)
	told(t, r, "board", "press")
	url, key := "tls://"+port, filepath.Join(filepath.Dir(users), "board.nk")
	seed, err := nats.NkeyOptionFromSeed(key)
	must(t, err)
	readers, err := config.ReadSubscribers(users)
	must(t, err)
	unmoved(t, r, func() {
		try(t, url, "board", "press", seed, nats.RootCAs(own.CA), nats.CustomInboxPrefix("_INBOX_board"))
		ops, err := ca.Issue("admin/knocks")
		must(t, err)
		knock(t, url, readers[0].Key, own.CA, ops.Cert, ops.Key)
	})
	p.stop(t)
}

// certified is a rig whose callers are known by certificates.
func certified(t *testing.T, ca *authority.Authority, calls, admin string) *rig {
	t.Helper()
	session := &client.Session{}
	open := func(f auth.Files, address string) *client.Client {
		c, err := client.Open(address, client.Options{TLS: &client.TLS{Cert: f.Cert, Key: f.Key, CA: f.CA}, Session: session, Unready: address == admin})
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ops, err := ca.Issue("admin/ops")
	must(t, err)
	country, err := ca.Issue("unit/vn")
	must(t, err)
	reads, admins := open(ops, calls), open(ops, admin)
	return &rig{
		apart: true, registry: reads.Registry(), owed: registryv1.NewRegistryAdminServiceClient(admins.Conn()),
		reporting: open(country, calls).Reporting(), progress: reads.Progress(), events: reads.Events(),
		admin: reportingv1.NewReportingAdminServiceClient(admins.Conn()), monitoring: reads.Monitoring(), review: reads.Review(),
	}
}

func nobodyWritesDistributed(t *testing.T) {
	k := servers(t, 1)
	_, err := k.Probe(t.Context())
	must(t, err)
	r := rigOf(t, k)
	for _, name := range []string{"watch", "demo"} {
		_, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: name})
		must(t, err)
	}
	waitFor(t, "what was told", r, func(s *reportingv1.GetStatusResponse) bool { return s.GetStreamSequence() == s.GetHeadSequence() })
	before := status(t, r).GetHeadSequence()
	var refused natstest.Refusals
	nc, err := k.ConnectNATS("watch", nats.ErrorHandler(refused.Handler))
	must(t, err)
	defer nc.Close()
	natstest.Try(t, nc, &refused, natstest.Attempts(1, "watch", "demo"))
	f, err := k.Files("admin/ops")
	must(t, err)
	seed, err := os.ReadFile(k.Seed("watch"))
	must(t, err)
	knock(t, strings.Split(k.NATSURLs(), ",")[0], publicKey(t, seed), f.CA, f.Cert, f.Key)
	verify(t, r)
	if s := status(t, r); s.GetStreamProblem() != "" || s.GetHeadSequence() < before {
		t.Errorf("afterwards: %v", s)
	}
}

func publicKey(t *testing.T, seed []byte) string {
	t.Helper()
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	must(t, err)
	key, err := pair.PublicKey()
	must(t, err)
	return key
}
