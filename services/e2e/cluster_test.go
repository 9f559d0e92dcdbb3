package e2e_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/cotmoc/cotmoc/pkg/client"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// TestClusterInAFolder starts everything in a folder, sends a report, and takes it all
// up again where it was left.
func TestClusterInAFolder(t *testing.T) {
	c := cluster.Config{Dir: t.TempDir(), Bin: binaryFolder(t)}
	for round, cells := range []int64{0, 1} {
		began := time.Now()
		k, err := cluster.Start(t.Context(), c)
		must(t, err)
		if got := status(t, rigOf(t, k)).GetCells(); got != cells {
			t.Errorf("round %d begins with %d cells, want %d", round, got, cells)
		}
		if round == 0 {
			receipt, err := k.Probe(t.Context())
			must(t, err)
			t.Logf("the first report was accepted as event %d after %v", receipt.GetSequence(), time.Since(began).Round(time.Millisecond))
		}
		began = time.Now()
		must(t, k.Close())
		t.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
	}
}

// TestPortsAndUsers tries the doors: what is on which port, who gets in without a
// certificate, and what a subscriber may do in NATS.
func TestPortsAndUsers(t *testing.T) {
	k := servers(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := k.Probe(ctx)
	must(t, err)
	o, err := k.Options("admin/ops")
	must(t, err)
	calls, err := client.Open(k.ReportingAddrs(), o)
	must(t, err)
	defer calls.Close()
	admins, err := client.Open(k.ReportingAdmins(), o)
	must(t, err)
	defer admins.Close()
	for name, c := range map[string]struct {
		at   *client.Client
		want codes.Code
	}{"calls": {calls, codes.Unimplemented}, "administrators": {admins, codes.OK}} {
		if _, err := c.at.ReportingAdmin().GetStatus(ctx, &reportingv1.GetStatusRequest{}); grpcstatus.Code(err) != c.want {
			t.Errorf("an admin service on the port for %s: %v", name, err)
		}
		reflection, err := grpc_reflection_v1.NewServerReflectionClient(c.at.Conn()).ServerReflectionInfo(ctx)
		must(t, err)
		err = reflection.Send(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
		if err != nil && !errors.Is(err, io.EOF) { // refused before it was sent: Recv tells why
			t.Fatal(err)
		}
		if _, err := reflection.Recv(); grpcstatus.Code(err) != c.want {
			t.Errorf("reflection on the port for %s: %v", name, err)
		}
	}
	short, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	if c, err := client.Dial(short, k.Reporting[0].Addr, client.Options{}); err == nil {
		_, err = c.Events().ListEvents(short, &reportingv1.ListEventsRequest{})
		if err == nil {
			t.Error("a caller without a certificate was answered")
		}
		_ = c.Close()
	}
	subscriberMayOnlyRead(ctx, t, k)
}

func subscriberMayOnlyRead(ctx context.Context, t *testing.T, k *cluster.Cluster) {
	t.Helper()
	refused := make(chan error, 16)
	nc, err := k.ConnectNATS("demo", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	tries := map[string]func(context.Context) error{
		"publish a fact": func(context.Context) error { return nc.Publish("cotmoc.probe.milestone.reached.x.vn", []byte("x")) },
		"make a consumer": func(ctx context.Context) error {
			_, err := js.CreateConsumer(ctx, stream.FactsName(1), jetstream.ConsumerConfig{})
			return err
		},
		"look at another's": func(ctx context.Context) error {
			_, err := js.Consumer(ctx, stream.FactsName(1), "watch")
			return err
		},
		"delete the stream":        func(ctx context.Context) error { return js.DeleteStream(ctx, stream.FactsName(1)) },
		"listen beside the stream": func(context.Context) error { _, err := nc.SubscribeSync("cotmoc.>"); return err },
	}
	for name, try := range tries {
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		_ = try(short) // the answer never comes: what NATS refuses, it tells apart
		stop()
		_ = nc.Flush()
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("a subscriber may %s", name)
		}
		for len(refused) > 0 {
			<-refused
		}
	}
	if stranger, err := nats.Connect(k.NATSURLs(), nats.RootCAs(k.Authority.Files("service/nats-1").CA)); err == nil {
		stranger.Close()
		t.Error("NATS let a stranger in")
	}
}

// TestStartOrder starts a replica before what it needs is there: it waits, says why,
// and goes on by itself.
func TestStartOrder(t *testing.T) {
	k := servers(t, 1)
	r := k.Reporting[0]
	restart := func() {
		t.Helper()
		must(t, r.Stop())
		must(t, r.Start())
	}
	waits := func(why string) {
		t.Helper()
		text := ""
		for deadline := time.Now().Add(time.Minute); !strings.Contains(text, why); time.Sleep(50 * time.Millisecond) {
			if text = readiness(t, r); !r.Running() || time.Now().After(deadline) {
				t.Errorf("running: %t; it says %q, want %q\n%s", r.Running(), text, why, r.Tail())
				return
			}
		}
	}
	for _, replica := range k.Registry {
		replica.Kill()
	}
	restart()
	waits("no copy yet")
	for _, replica := range k.Registry {
		must(t, replica.Start())
	}
	must(t, r.Ready(t.Context()))
	_, err := k.Probe(t.Context())
	must(t, err)

	for _, replica := range k.Registry {
		replica.Kill()
	}
	restart()
	must(t, r.Ready(t.Context())) // it has a copy now
	s := status(t, rigOf(t, k))
	if s.GetCells() != 1 || s.GetRegistryRevision() == 0 {
		t.Errorf("it serves from its copy: %v", s)
	}

	k.Postgres.Kill()
	if err := r.Stop(); err != nil {
		t.Logf("stopped without its database: %v", err)
	}
	must(t, r.Start())
	waits("cannot be opened yet")
	must(t, k.Postgres.Restart(t.Context()))
	must(t, r.Ready(t.Context()))
	for _, replica := range k.Registry {
		must(t, replica.Start())
	}
	must(t, k.Ready(t.Context()))
}

// readiness is what a replica says of itself, nothing while it does not listen yet; it
// must say that it is not ready.
func readiness(t *testing.T, r *cluster.Replica) string {
	t.Helper()
	resp, err := http.Get("http://" + r.Metrics + "/readyz")
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s is ready: %s", r.Name, resp.Status)
	}
	return string(text)
}

// TestUpWithCertificates runs the pair in one process that knows its callers.
func TestUpWithCertificates(t *testing.T) {
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), "cotmoc.test")
	must(t, err)
	own, err := ca.Issue("service/pair", "127.0.0.1")
	must(t, err)
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "0.0.0.0:0", AdminListen: "127.0.0.1:0", TLS: own, Domain: ca.Domain()})
	must(t, err)
	defer closeNow(t, p)
	_, port, err := net.SplitHostPort(p.Addr)
	must(t, err)
	for identity, want := range map[string]struct{ admin, calls codes.Code }{
		"admin/ops": {codes.OK, codes.Unimplemented}, "unit/79": {codes.PermissionDenied, codes.PermissionDenied}} {
		f, err := ca.Issue(identity)
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		o := client.Options{TLS: &client.TLS{Cert: f.Cert, Key: f.Key, CA: f.CA}}
		admin, err := client.Dial(ctx, p.AdminAddr, o)
		must(t, err)
		defer admin.Close()
		if _, err := admin.ReportingAdmin().GetStatus(ctx, &reportingv1.GetStatusRequest{}); grpcstatus.Code(err) != want.admin {
			t.Errorf("%s asks for the status: %v", identity, err)
		}
		calls, err := client.Dial(ctx, net.JoinHostPort("127.0.0.1", port), o)
		must(t, err)
		defer calls.Close()
		if _, err := calls.ReportingAdmin().GetStatus(ctx, &reportingv1.GetStatusRequest{}); grpcstatus.Code(err) != want.calls {
			t.Errorf("%s asks for the status on the port for calls: %v", identity, err)
		}
	}
}
