package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// rig is a pair at work, in whatever form, seen through its public interfaces.
type rig struct {
	registry   registryv1.RegistryServiceClient
	owed       registryv1.RegistryAdminServiceClient
	reporting  reportingv1.ReportingServiceClient
	progress   reportingv1.ProgressServiceClient
	events     reportingv1.EventServiceClient
	admin      reportingv1.ReportingAdminServiceClient
	monitoring reportingv1.MonitoringServiceClient
	review     reportingv1.ReviewServiceClient
	nats       func(t *testing.T) *nats.Conn
	conn       *grpc.ClientConn // to where both services answer; nil where there is no such place
	// apart says that the copy of the registry may take its time, so that time must not
	// go on before it is there.
	apart bool
}

// start is when the manual clock of a rig starts.
var start = time.Date(2022, 1, 10, 9, 0, 0, 0, time.FixedZone("+07", 7*3600))

func clients(t testing.TB, registryAddr, reportingAddr string) *rig {
	t.Helper()
	reg, rep := dial(t, registryAddr), dial(t, reportingAddr)
	return &rig{registry: registryv1.NewRegistryServiceClient(reg), owed: registryv1.NewRegistryAdminServiceClient(reg),
		reporting: reportingv1.NewReportingServiceClient(rep), progress: reportingv1.NewProgressServiceClient(rep),
		events: reportingv1.NewEventServiceClient(rep), admin: reportingv1.NewReportingAdminServiceClient(rep),
		monitoring: reportingv1.NewMonitoringServiceClient(rep), review: reportingv1.NewReviewServiceClient(rep)}
}

func dial(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// inProcess runs the pair in this process.
func inProcess(t testing.TB) *rig {
	t.Helper()
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", ManualClock: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	r := clients(t, p.Addr, p.Addr)
	r.conn = dial(t, p.Addr)
	r.nats = func(t *testing.T) *nats.Conn {
		nc, err := p.ConnectNATS()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	return r
}

// at sets the clock.
func (r *rig) at(t testing.TB, when time.Time) {
	t.Helper()
	if _, err := r.admin.SetClock(t.Context(), &reportingv1.SetClockRequest{Time: timestamppb.New(when)}); err != nil {
		t.Fatalf("set the clock: %v", err)
	}
}

// owe makes the registry be as the writes say.
func (r *rig) owe(t testing.TB, writes ...*registryv1.Write) {
	t.Helper()
	resp, err := r.owed.BatchWrite(t.Context(), &registryv1.BatchWriteRequest{Writes: writes})
	if err != nil {
		t.Fatalf("write to the registry: %v", err)
	}
	for began := time.Now(); r.apart && status(t, r).GetRegistryRevision() < resp.GetRevision(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("reporting does not follow to revision %d", resp.GetRevision())
		}
	}
}

// submit sends one submission and returns its receipt.
func (r *rig) submit(t testing.TB, id string, s *reportingv1.Submission) *reportingv1.Receipt {
	t.Helper()
	resp, err := r.reporting.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p", RequestId: id, Submission: s})
	if err != nil {
		t.Fatalf("submit %s: %v", id, err)
	}
	return resp.GetReceipt()
}

// figure reads a total; an empty period is the current one.
func (r *rig) figure(t *testing.T, target, unit, period string) *reportingv1.Figure {
	t.Helper()
	resp, err := r.progress.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{
		Programme: "p", Target: target, Unit: unit, Period: period, Basis: typev1.Basis_BASIS_REPORTED}})
	if err != nil {
		t.Fatalf("figure of %s at %s: %v", target, unit, err)
	}
	return resp.GetFigure()
}

// unit is a write of a unit that stands below another from 2020 on.
func unit(id, parent string, kind typev1.UnitKind, level string) *registryv1.Write {
	return &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{
		Name: "units/" + id, DisplayName: "Đơn vị " + id,
		Placements: []*registryv1.Placement{{FromDate: "2020-01-01", Parent: parent, Kind: kind, Level: level}}}}}
}

func programme() *registryv1.Write {
	return &registryv1.Write{Resource: &registryv1.Write_Programme{Programme: &registryv1.Programme{
		Name: "programmes/p", DisplayName: "Đề án", RootUnit: "vn", StartDate: "2022-01-01", EndDate: "2025-12-31",
		Instruments: []*registryv1.Instrument{{Id: "qd-06", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_DECISION,
			Number: "06/QĐ-TTg", Date: "2022-01-06"}}}}}
}

// target is a write of a target that communes report, with a goal of 100 %, changed as wanted.
func target(id string, kind typev1.ValueKind, change func(*registryv1.Target)) *registryv1.Write {
	t := &registryv1.Target{Name: "programmes/p/targets/" + id, DisplayName: "Chỉ tiêu " + id, ValueKind: kind,
		Accumulation:  typev1.Accumulation_ACCUMULATION_LAST,
		Applicability: &registryv1.Applicability{Kinds: []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_COMMUNE}},
		Goal:          &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 1_000_000},
		Acceptance:    "báo cáo", Owner: "vn", Instrument: "qd-06", Due: &registryv1.DueWindow{LatestDate: "2022-12-31"}}
	if change != nil {
		change(t)
	}
	return &registryv1.Write{Resource: &registryv1.Write_Target{Target: t}}
}

// tree is a nation of a province with two communes.
func tree() []*registryv1.Write {
	return []*registryv1.Write{
		unit("vn", "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country"),
		unit("79", "vn", typev1.UnitKind_UNIT_KIND_PROVINCE, "province"),
		unit("26734", "79", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"),
		unit("26737", "79", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"),
		programme(),
	}
}
