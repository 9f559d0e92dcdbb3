package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// locked is a pair that knows its callers by their certificates.
type locked struct {
	*rig  // by those who may: the registry by an admin, reports by the root unit
	ca    *authority.Authority
	addr  string
	clock *reporting.Clock

	submitted, finding uint64 // numbers of the event of a report of 26734, and of a finding about it
}

// newLocked runs a pair with TLS in this process. rate is what each caller may send in
// a second; 0 for the default.
func newLocked(t *testing.T, rate float64) *locked {
	t.Helper()
	dir := t.TempDir()
	ca, err := authority.New(filepath.Join(dir, "certs"), "cotmoc.test")
	must(t, err)
	l := &locked{ca: ca, clock: reporting.NewClock(start)}
	files, err := ca.Issue("service/pair", "127.0.0.1")
	must(t, err)
	creds, err := auth.ServerTLS(files, ca.Domain(), nil)
	must(t, err)
	port, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l.addr = port.Addr().String()

	registryStore, err := sqlite.Open(t.Context(), filepath.Join(dir, "registry.db"))
	must(t, err)
	reg, err := run.OpenRegistry(t.Context(), run.RegistryConfig{Store: registryStore, Now: l.clock.Now})
	must(t, err)
	reportingStore, err := sqlite.Open(t.Context(), filepath.Join(dir, "reporting.db"))
	must(t, err)
	inside, err := natsd.Start(natsd.Config{StoreDir: filepath.Join(dir, "nats")})
	must(t, err)
	nc, err := inside.Connect()
	must(t, err)
	rep, err := run.OpenReporting(t.Context(), run.ReportingConfig{Store: reportingStore, NATS: nc, Clock: l.clock,
		Registry: registryv1.NewRegistryServiceClient(l.as(t, "service/reporting"))})
	must(t, err)
	server := run.NewServer(run.ServerConfig{Listener: port, TLS: creds, Guard: run.NewGuard(rate, nil, reg, rep),
		Parts: []run.Part{reg, rep}})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		rep.StopFollowing()
		reg.StopWatches()
		for _, end := range []func(context.Context) error{server.Close, rep.Close, reg.Close} {
			if err := end(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		nc.Close()
		inside.Close()
		_, _ = registryStore.Close(), reportingStore.Close()
	})
	admin, root := l.as(t, "admin/keeper"), l.as(t, "unit/vn/keeper")
	l.rig = &rig{registry: registryv1.NewRegistryServiceClient(admin), owed: registryv1.NewRegistryAdminServiceClient(admin),
		reporting: reportingv1.NewReportingServiceClient(root), progress: reportingv1.NewProgressServiceClient(root),
		events: reportingv1.NewEventServiceClient(root), admin: reportingv1.NewReportingAdminServiceClient(admin),
		monitoring: reportingv1.NewMonitoringServiceClient(root), review: reportingv1.NewReviewServiceClient(root)}
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as connects with a new certificate of an identity, or the one there is.
func (l *locked) as(t *testing.T, identity string) *grpc.ClientConn {
	t.Helper()
	f := l.ca.Files(identity)
	if _, err := os.Stat(f.Cert); err != nil {
		if f, err = l.ca.Issue(identity); err != nil {
			t.Fatal(err)
		}
	}
	return l.with(t, f)
}

// with connects with files.
func (l *locked) with(t *testing.T, f auth.Files) *grpc.ClientConn {
	t.Helper()
	creds, err := auth.ClientTLS(f)
	must(t, err)
	return l.dial(t, creds)
}

func (l *locked) dial(t *testing.T, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(l.addr, grpc.WithTransportCredentials(creds))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// strangers are those whom the server does not let in, by why.
func (l *locked) strangers(t *testing.T) map[string]*grpc.ClientConn {
	t.Helper()
	own := l.ca.Files("")
	data, err := os.ReadFile(own.CA)
	must(t, err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatal("no authority")
	}
	other, err := authority.New(filepath.Join(t.TempDir(), "other"), l.ca.Domain())
	must(t, err)
	foreign, err := other.Issue("admin/alice")
	must(t, err)
	foreign.CA, foreign.CRL = own.CA, own.CRL
	l.ca.Validity = -time.Hour
	expired, err := l.ca.Issue("admin/late")
	must(t, err)
	l.ca.Validity = 0
	gone, err := l.ca.Issue("admin/gone")
	must(t, err)
	must(t, l.ca.Revoke("admin/gone"))
	time.Sleep(1100 * time.Millisecond) // the server looks at the list once a second
	return map[string]*grpc.ClientConn{
		"none":     l.dial(t, credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})),
		"wrong CA": l.with(t, foreign), "expired": l.with(t, expired), "revoked": l.with(t, gone),
	}
}

// What became of a call.
const (
	passed  = '+' // the guard let it through, whatever the handler made of it
	denied  = '-' // PERMISSION_DENIED
	unknown = 'u' // UNAUTHENTICATED
	outside = 'x' // no connection
)

// attempt calls a method and says what became of it.
func attempt(t *testing.T, conn grpc.ClientConnInterface, method string, req proto.Message) (rune, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	md := methodOf(t, method)
	resp := dynamicpb.NewMessage(md.Output())
	var err error
	if md.IsStreamingServer() {
		var s grpc.ClientStream
		s, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: md.IsStreamingClient()}, method)
		if err == nil {
			_ = s.SendMsg(req)
			_ = s.CloseSend()
			err = s.RecvMsg(resp)
		}
	} else {
		err = conn.Invoke(ctx, method, req, resp)
	}
	_, ours := apierr.Parse(err)
	switch grpcstatus.Code(err) {
	case codes.PermissionDenied:
		return denied, err
	case codes.Unauthenticated:
		return unknown, err
	case codes.Unavailable:
		if !ours {
			return outside, err
		}
	case codes.DeadlineExceeded:
		t.Errorf("%s took too long", method)
	}
	return passed, err
}

// methodOf finds a method by its full name.
func methodOf(t testing.TB, method string) protoreflect.MethodDescriptor {
	t.Helper()
	service, name, _ := strings.Cut(method[1:], "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	md := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
	if md == nil {
		t.Fatalf("there is no %s", method)
	}
	return md
}

// furnish makes a nation of two provinces: 79 with 26734 and 26737, and 01 with 00001,
// that owes and reports a little of everything.
func (l *locked) furnish(t testing.TB) {
	t.Helper()
	commune, province := typev1.UnitKind_UNIT_KIND_COMMUNE, typev1.UnitKind_UNIT_KIND_PROVINCE
	p := programme()
	assign := func(unit string, role registryv1.AssignmentRole) *registryv1.Assignment {
		return &registryv1.Assignment{Unit: unit, Role: role, AccountableHead: "Chủ tịch"}
	}
	l.owe(t, unit("vn", "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country"), unit("79", "vn", province, "province"),
		unit("01", "vn", province, "province"), unit("26734", "79", commune, "commune"), unit("26737", "79", commune, "commune"),
		unit("00001", "01", commune, "commune"), p,
		&registryv1.Write{Resource: &registryv1.Write_Regime{Regime: &registryv1.Regime{
			Name: "programmes/p/regimes/monthly", DisplayName: "Báo cáo tháng", DueWorkingDays: 5}}},
		target("cards", typev1.ValueKind_VALUE_KIND_COUNT, func(t *registryv1.Target) {
			t.Regime = "monthly"
			t.Checks = []*registryv1.Check{{Kind: registryv1.CheckKind_CHECK_KIND_MAGNITUDE}}
		}),
		&registryv1.Write{Resource: &registryv1.Write_Task{Task: &registryv1.Task{Name: "programmes/p/tasks/plan", DisplayName: "Kế hoạch",
			Form: typev1.TaskForm_TASK_FORM_TASK, Audience: typev1.Audience_AUDIENCE_LOCAL, Acceptance: "văn bản", Instrument: "qd-06",
			Due: &registryv1.DueWindow{LatestDate: "2022-12-20"}, NeedsAcceptance: true, Assignments: []*registryv1.Assignment{
				assign("26734", registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD), assign("79", registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING)}}}},
		&registryv1.Write{Resource: &registryv1.Write_Allocation{Allocation: &registryv1.Allocation{
			Name: "programmes/p/targets/cards/allocations/26734", Value: 100}}},
		&registryv1.Write{Resource: &registryv1.Write_Allocation{Allocation: &registryv1.Allocation{
			Name: "programmes/p/targets/cards/allocations/00001", Value: 100}}})
	l.submitted = l.submit(t, "first", count("26734", "cards", "2022-M01", 10)).GetSequence()
	l.at(t, time.Date(2022, 2, 10, 9, 0, 0, 0, start.Location()))
	for i, unit := range []string{"26734", "00001"} {
		if i > 0 {
			l.submit(t, "first-"+unit, count(unit, "cards", "2022-M01", 10))
		}
		l.submit(t, "tenfold-"+unit, count(unit, "cards", "2022-M02", 100))
	}
	found, err := l.monitoring.ListFindings(t.Context(), &reportingv1.ListFindingsRequest{Programme: "p", Unit: "26734"})
	if err != nil || len(found.GetFindings()) != 1 {
		t.Fatalf("findings %v: %v", found, err)
	}
	l.finding = found.GetFindings()[0].GetId()
}
