package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // what a caller of another language has built in
	"google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// Services at the port for calls, and those at that for administrators.
var (
	forAll = []string{registryv1.RegistryService_ServiceDesc.ServiceName, reportingv1.ReportingService_ServiceDesc.ServiceName,
		reportingv1.ProgressService_ServiceDesc.ServiceName, reportingv1.MonitoringService_ServiceDesc.ServiceName,
		reportingv1.ReviewService_ServiceDesc.ServiceName, reportingv1.EventService_ServiceDesc.ServiceName}
	forAdmins = []string{registryv1.RegistryAdminService_ServiceDesc.ServiceName, reportingv1.ReportingAdminService_ServiceDesc.ServiceName}
)

// TestHealthByName: each service that a port serves is known there by its name, and no
// other is.
func TestHealthByName(t *testing.T) {
	ca, err := authority.New(filepath.Join(t.TempDir(), "certs"), "cotmoc.test")
	must(t, err)
	files, err := ca.Issue("service/pair", "127.0.0.1")
	must(t, err)
	apart, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		TLS: files, Domain: "cotmoc.test"})
	must(t, err)
	t.Cleanup(func() { closeNow(t, apart) })
	together, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { closeNow(t, together) })
	mine, err := ca.Issue("admin/ops")
	must(t, err)
	creds, err := auth.ClientTLS(mine)
	must(t, err)
	common := []string{"", grpc_health_v1.Health_ServiceDesc.ServiceName}
	for name, c := range map[string]struct {
		conn             *grpc.ClientConn
		served, unserved []string
	}{
		"for calls":          {dialWith(t, apart.Addr, creds), slices.Concat(common, forAll), forAdmins},
		"for administrators": {dialWith(t, apart.AdminAddr, creds), slices.Concat(common, forAdmins), forAll},
		"for everything":     {dial(t, together.Addr), slices.Concat(common, forAll, forAdmins), []string{"cotmoc.reporting.v1", "reporting"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := grpc_health_v1.NewHealthClient(c.conn)
			for _, service := range c.served {
				if got := health(t, h, service); got != "SERVING" {
					t.Errorf("%q: %s", service, got)
				}
			}
			for _, service := range c.unserved {
				if got := health(t, h, service); got != "NotFound" {
					t.Errorf("%q, which is not served here: %s", service, got)
				}
			}
		})
	}
}

func dialWith(t *testing.T, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// health is the status of a service, or the code of the refusal; both ways to ask
// agree.
func health(t *testing.T, h grpc_health_v1.HealthClient, service string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := h.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	for end := time.Now().Add(20 * time.Second); resp.GetStatus() == grpc_health_v1.HealthCheckResponse_NOT_SERVING && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // reporting has not seen the registry yet
		resp, err = h.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	}
	stream, watchErr := h.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	must(t, watchErr)
	first, watchErr := stream.Recv()
	must(t, watchErr)
	want := resp.GetStatus()
	if err != nil {
		want = grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN // the protocol's word for it in a watch
	}
	if first.GetStatus() != want {
		t.Errorf("%q: Watch begins with %v, Check says %v, %v", service, first.GetStatus(), resp, err)
	}
	if err != nil {
		return grpcstatus.Code(err).String()
	}
	return resp.GetStatus().String()
}

// TestHealthFollowsItsPart: of a reporting service without a copy of the registry, no
// service is serving, and a watch of one by name learns when it is.
func TestHealthFollowsItsPart(t *testing.T) {
	registryAddr := freePort(t)
	p, err := embedded.Reporting(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", RegistryAddr: registryAddr})
	must(t, err)
	t.Cleanup(func() { closeNow(t, p) })
	h := grpc_health_v1.NewHealthClient(dial(t, p.Addr))
	watch, err := h.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: forAll[1]})
	must(t, err)
	for _, want := range []string{"NOT_SERVING", "SERVING"} {
		got, err := watch.Recv()
		if err != nil || got.GetStatus().String() != want {
			t.Fatalf("watched %v, %v, want %s", got, err, want)
		}
		if want == "SERVING" {
			break
		}
		for _, service := range []string{"", forAll[1]} {
			if got := health(t, h, service); got != want {
				t.Errorf("%q: %s", service, got)
			}
		}
		reg, err := embedded.Registry(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: registryAddr})
		must(t, err)
		t.Cleanup(func() { closeNow(t, reg) })
	}
}

// TestGzip: what is compressed is understood, and answered in kind.
func TestGzip(t *testing.T) {
	r := inProcess(t)
	r.owe(t, tree()...)
	for _, o := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
		resp, err := r.registry.ListUnits(t.Context(), &registryv1.ListUnitsRequest{PageSize: 1000}, o...)
		if err != nil || len(resp.GetUnits()) == 0 {
			t.Errorf("%d units, %v", len(resp.GetUnits()), err)
		}
	}
	_, err := r.reporting.Submit(t.Context(), &reportingv1.SubmitRequest{}, grpc.UseCompressor("gzip"))
	if grpcstatus.Code(err) != codes.InvalidArgument {
		t.Errorf("an empty submission, compressed: %v", err)
	}
}

// TestGzipBomb: a small message that would become a large one is refused by the limit of
// what is received, and is never made.
func TestGzipBomb(t *testing.T) {
	const inflated = 100 << 20
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { closeNow(t, p) })
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	piece := make([]byte, 1<<20)
	for range inflated >> 20 {
		_, err := z.Write(piece)
		must(t, err)
	}
	must(t, z.Close())
	n := packed.Len()
	frame := []byte{1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	frame = append(frame, packed.Bytes()...)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	caller := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer caller.CloseIdleConnections()
	for _, method := range []string{reportingv1.ReportingService_Submit_FullMethodName, reportingv1.ReportingService_SubmitBatch_FullMethodName} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.Addr+method, bytes.NewReader(frame))
		must(t, err)
		for key, value := range map[string]string{"Content-Type": "application/grpc", "Te": "trailers", "Grpc-Encoding": "gzip"} {
			req.Header.Set(key, value)
		}
		resp, err := caller.Do(req)
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(t, err)
		_ = resp.Body.Close()
		runtime.ReadMemStats(&after)
		status, text := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
		if status == "" {
			status, text = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
		}
		if status != "8" || !strings.Contains(text, "larger than") {
			t.Errorf("%s: %d bytes that become %d: status %s, %s", method, len(frame), inflated, status, text)
		}
		if grew := after.TotalAlloc - before.TotalAlloc; grew > 32<<20 {
			t.Errorf("%s: %d MiB were allocated for it", method, grew>>20)
		}
	}
}
