package registry_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/registry"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// rig is a registry on SQLite behind real gRPC on loopback.
type rig struct {
	t      *testing.T
	dir    string
	store  *sqlite.Store
	engine *ledger.Engine[*book.Book]
	svc    *registry.Service
	server *grpc.Server
	conn   *grpc.ClientConn
	read   registryv1.RegistryServiceClient
	admin  registryv1.RegistryAdminServiceClient
	ended  chan error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *rig) start() {
	r.t.Helper()
	ctx := context.Background()
	var err error
	if r.store, err = sqlite.Open(ctx, filepath.Join(r.dir, "registry.db")); err != nil {
		r.t.Fatal(err)
	}
	r.engine, err = ledger.Open(ctx, ledger.Config[*book.Book]{Store: r.store, Empty: book.New})
	if err != nil {
		r.t.Fatal(err)
	}
	r.svc, err = registry.New(registry.Config{Engine: r.engine, Heartbeat: 50 * time.Millisecond})
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = rpc.NewServer(rpc.Config{Deferred: registry.Deferred})
	r.svc.Register(r.server)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.server.Serve(lis) }()
	r.conn, err = grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.read = registryv1.NewRegistryServiceClient(r.conn)
	r.admin = registryv1.NewRegistryAdminServiceClient(r.conn)
}

func (r *rig) stop() {
	r.t.Helper()
	r.svc.Stop()
	r.server.GracefulStop()
	if err := <-r.ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		r.t.Error(err)
	}
	r.conn.Close()
	if err := r.engine.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// restart ends the process's part of the registry and opens it anew from the file.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.start()
}

func (r *rig) head() uint64 { return r.engine.Head().Sequence }

// write writes resources and fails the test when they are refused.
func (r *rig) write(resources ...proto.Message) *registryv1.BatchWriteResponse {
	r.t.Helper()
	resp, err := r.admin.BatchWrite(context.Background(), batch(resources...))
	if err != nil {
		r.t.Fatalf("write: %v", err)
	}
	return resp
}

func batch(resources ...proto.Message) *registryv1.BatchWriteRequest {
	req := &registryv1.BatchWriteRequest{}
	for _, m := range resources {
		w := &registryv1.Write{}
		switch m := m.(type) {
		case *registryv1.Programme:
			w.Resource = &registryv1.Write_Programme{Programme: m}
		case *registryv1.Unit:
			w.Resource = &registryv1.Write_Unit{Unit: m}
		case *registryv1.Task:
			w.Resource = &registryv1.Write_Task{Task: m}
		case *registryv1.Target:
			w.Resource = &registryv1.Write_Target{Target: m}
		case *registryv1.Allocation:
			w.Resource = &registryv1.Write_Allocation{Allocation: m}
		case *registryv1.Calendar:
			w.Resource = &registryv1.Write_Calendar{Calendar: m}
		case *registryv1.Regime:
			w.Resource = &registryv1.Write_Regime{Regime: m}
		}
		req.Writes = append(req.Writes, w)
	}
	return req
}

const (
	country  = typev1.UnitKind_UNIT_KIND_COUNTRY
	ministry = typev1.UnitKind_UNIT_KIND_MINISTRY
	province = typev1.UnitKind_UNIT_KIND_PROVINCE
	district = typev1.UnitKind_UNIT_KIND_DISTRICT
	commune  = typev1.UnitKind_UNIT_KIND_COMMUNE
)

func newUnit(id, parent string, kind typev1.UnitKind, level string) *registryv1.Unit {
	return &registryv1.Unit{
		Name: "units/" + id, DisplayName: "Unit " + id,
		Placements: []*registryv1.Placement{{FromDate: "2004-01-01", Parent: parent, Kind: kind, Level: level}},
	}
}

func newProgramme() *registryv1.Programme {
	return &registryv1.Programme{
		Name: "programmes/p", DisplayName: "Đề án 06", RootUnit: "vn", StartDate: "2022-01-06", EndDate: "2025-12-31",
		Pillars: []*registryv1.Label{{Id: "data", DisplayName: "Dữ liệu"}},
		Groups:  []*registryv1.Label{{Id: "services", DisplayName: "Dịch vụ công"}},
		Instruments: []*registryv1.Instrument{{
			Id: "qd-06", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_DECISION, Number: "06/QĐ-TTg",
			Date: "2022-01-06", Signer: "Thủ tướng",
		}},
	}
}

func newTask(id string) *registryv1.Task {
	return &registryv1.Task{
		Name: "programmes/p/tasks/" + id, DisplayName: "Task " + id, Acceptance: "a decree is signed", Instrument: "qd-06",
		Form: typev1.TaskForm_TASK_FORM_TASK, Audience: typev1.Audience_AUDIENCE_CENTRAL,
		Due:         &registryv1.DueWindow{LatestDate: "2022-12-31"},
		Pillar:      "data",
		Group:       "services",
		Assignments: []*registryv1.Assignment{{Unit: "bca", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD}},
	}
}

func newTarget(id string, kind typev1.ValueKind) *registryv1.Target {
	return &registryv1.Target{
		Name: "programmes/p/targets/" + id, DisplayName: "Target " + id, Acceptance: "counted", Owner: "bca",
		Instrument: "qd-06", Due: &registryv1.DueWindow{LatestDate: "2022-12-31"}, ValueKind: kind,
		Accumulation:  typev1.Accumulation_ACCUMULATION_LAST,
		Applicability: &registryv1.Applicability{Levels: []string{"province"}},
	}
}

func newAllocation(target, unit string, value int64) *registryv1.Allocation {
	return &registryv1.Allocation{
		Name: "programmes/p/targets/" + target + "/allocations/" + unit, Value: value,
	}
}

// seed writes a small tree with a programme, a task, a target of each kind and an
// allocation.
func (r *rig) seed() {
	r.t.Helper()
	closed := newUnit("old", "79", district, "district")
	closed.ClosedDate = "2021-01-01"
	r.write(
		newUnit("vn", "", country, "country"), newUnit("bca", "vn", ministry, "central"),
		newUnit("01", "vn", province, "province"), newUnit("79", "vn", province, "province"),
		newUnit("760", "79", district, "district"), newUnit("26734", "760", commune, "commune"), closed,
		newProgramme(), newTask("n1"),
		newTarget("cards", typev1.ValueKind_VALUE_KIND_COUNT),
		newTarget("share", typev1.ValueKind_VALUE_KIND_RATIO),
		newTarget("plan", typev1.ValueKind_VALUE_KIND_YES_NO),
		newAllocation("cards", "79", 1000),
	)
}
