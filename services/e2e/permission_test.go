package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// columns are the identities of the matrix. All requests are about 26734, in 79.
var columns = []string{"unit/01", "unit/26734", "unit/79", "unit/vn", "monitor/79", "monitor/vn",
	"reader/79", "reader/01", "subscriber/79", "admin/alice", "service/reporting"}

// What is expected of the columns: + is let through, - is denied.
const (
	//              01  26734  79  vn | monitor 79  vn | reader 79  01 | subscriber | admin | service
	bySubtree     = "-" + "+" + "+" + "+" + "+" + "+" + "+" + "-" + "-" + "+" + "-"
	byWhole       = "-" + "-" + "-" + "+" + "-" + "+" + "-" + "-" + "-" + "+" + "-"
	bySubmitters  = "-" + "+" + "+" + "+" + "-" + "-" + "-" + "-" + "-" + "-" + "-"
	byReviewers   = "-" + "-" + "-" + "-" + "+" + "+" + "-" + "-" + "-" + "+" + "-"
	byResolvers   = "-" + "-" + "+" + "+" + "+" + "+" + "-" + "-" + "-" + "+" + "-"
	byClosers     = "-" + "-" + "-" + "-" + "-" + "+" + "-" + "-" + "-" + "+" + "-"
	byListeners   = "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+" + "-"
	byFollowers   = "+" + "+" + "+" + "+" + "+" + "+" + "-" + "-" + "+" + "+" + "-"
	byOwner       = "-" + "-" + "+" + "-" + "+" + "-" + "-" + "-" + "+" + "+" + "-"
	byAll         = "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+" + "+"
	ofAllocation  = "-" + "+" + "+" + "+" + "+" + "+" + "+" + "-" + "+" + "+" + "+"
	ofWholeOwed   = "-" + "-" + "-" + "+" + "-" + "+" + "-" + "-" + "-" + "+" + "+"
	byAdmin       = "-" + "-" + "-" + "-" + "-" + "-" + "-" + "-" + "-" + "+" + "-"
	byNoStranger  = "x"
	byRevokedCall = "u"
)

// row is a method, a request about 26734, and what is expected of the columns.
type row struct {
	method string
	want   string
	req    proto.Message
}

const (
	reportingPackage = "/cotmoc.reporting.v1."
	registryPackage  = "/cotmoc.registry.v1."
)

// matrix is written down, not derived from the table that the services use.
func matrix(submitted, finding uint64) (all []row) {
	for _, part := range [][]row{writeRows(finding), figureRows(submitted), monitorRows(), eventRows(submitted), registryRows(), registryAdminRows(), otherRows()} {
		all = append(all, part...)
	}
	return all
}

func writeRows(finding uint64) []row {
	sub := func() *reportingv1.Submission { return count("26734", "cards", "2022-M01", 10) }
	return []row{
		{reportingPackage + "ReportingService/Submit", bySubmitters, &reportingv1.SubmitRequest{Programme: "p", RequestId: "first", Submission: sub()}},
		{reportingPackage + "ReportingService/SubmitBatch", bySubmitters, &reportingv1.SubmitBatchRequest{Programme: "p",
			Items: []*reportingv1.BatchItem{{RequestId: "first", Submission: sub()}}}},
		{reportingPackage + "ReviewService/ReviewCompletion", byReviewers, &reportingv1.ReviewCompletionRequest{Programme: "p", Task: "plan",
			Unit: "26734", Period: "2022-M01", ExpectedRevision: 1, Reviewer: "79", RequestId: "review"}},
		{reportingPackage + "ReviewService/GrantException", byReviewers, &reportingv1.GrantExceptionRequest{Programme: "p", Target: "monthly",
			Unit: "26734", Period: "2022-M02", Exception: &reportingv1.GrantExceptionRequest_Excused{Excused: true}, GrantedBy: "79", Reason: "lũ lụt"}},
		{reportingPackage + "ReviewService/ResolveFinding", byResolvers, &reportingv1.ResolveFindingRequest{Programme: "p", Finding: finding,
			Resolution: eventv1.FindingResolution_FINDING_RESOLUTION_CONFIRMED, ResolvedBy: "79", Comment: "đã kiểm tra"}},
		{reportingPackage + "ReviewService/PublishClosing", byClosers, &reportingv1.PublishClosingRequest{Programme: "p", Closing: "m1",
			DisplayName: "Tháng 1", AsOfDate: "2022-01-31"}},
	}
}

func figureRows(submitted uint64) []row {
	key := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "26734", Period: "2022-M01", Basis: typev1.Basis_BASIS_REPORTED}
	now := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "26734", Basis: typev1.Basis_BASIS_REPORTED}
	cell := &reportingv1.CellKey{Programme: "p", Target: "cards", Unit: "26734", Period: "2022-M01"}
	const service = reportingPackage + "ProgressService/"
	return []row{
		{service + "GetFigure", bySubtree, &reportingv1.GetFigureRequest{Key: key}},
		{service + "ListFigures", bySubtree, &reportingv1.ListFiguresRequest{Key: key}},
		{service + "CountByKind", bySubtree, &reportingv1.CountByKindRequest{Key: key}},
		{service + "CountTasks", byWhole, &reportingv1.CountTasksRequest{Programme: "p", Basis: typev1.Basis_BASIS_REPORTED,
			CountingBasis: typev1.CountingBasis_COUNTING_BASIS_TASK, Form: typev1.TaskForm_TASK_FORM_TASK}},
		{service + "CompareDates", bySubtree, &reportingv1.CompareDatesRequest{Key: now, Dates: []string{"2022-01-31", "2022-02-09"}}},
		{service + "UnionItems", bySubtree, &reportingv1.UnionItemsRequest{Programme: "p", Targets: []string{"cards"}, Unit: "26734", Period: "2022-M01"}},
		{service + "ListCellHistory", bySubtree, &reportingv1.ListCellHistoryRequest{Key: cell}},
		{service + "ListItems", bySubtree, &reportingv1.ListItemsRequest{Key: cell}},
		{service + "GetReceipt", bySubtree, &reportingv1.GetReceiptRequest{Sequence: submitted}},
		{service + "Explain", bySubtree, &reportingv1.ExplainRequest{Key: key}},
	}
}

func monitorRows() []row {
	const service = reportingPackage + "MonitoringService/"
	return []row{
		{service + "ListObligations", bySubtree, &reportingv1.ListObligationsRequest{Programme: "p", Target: "monthly", Period: "2022-M01", Unit: "26734"}},
		{service + "CountObligations", bySubtree, &reportingv1.CountObligationsRequest{Programme: "p", Target: "monthly", Period: "2022-M01", Unit: "26734"}},
		{service + "GetTimeliness", bySubtree, &reportingv1.GetTimelinessRequest{Programme: "p", Unit: "26734",
			CountingBasis: typev1.CountingBasis_COUNTING_BASIS_TASK, Form: typev1.TaskForm_TASK_FORM_TASK}},
		{service + "GetQuality", bySubtree, &reportingv1.GetQualityRequest{Programme: "p", Unit: "26734", Regime: "monthly",
			FromPeriod: "2022-M01", ToPeriod: "2022-M02"}},
		{service + "ListFindings", bySubtree, &reportingv1.ListFindingsRequest{Programme: "p", Unit: "26734"}},
		{service + "Rank", bySubtree, &reportingv1.RankRequest{Programme: "p", Scorecard: "s", Unit: "26734"}},
		{service + "GetClosing", byWhole, &reportingv1.GetClosingRequest{Programme: "p", Closing: "m1"}},
		{service + "ListClosings", byWhole, &reportingv1.ListClosingsRequest{Programme: "p"}},
		{service + "ExportClosing", byWhole, &reportingv1.ExportClosingRequest{Programme: "p", Closing: "m1", Format: reportingv1.ClosingFormat_CLOSING_FORMAT_JSON}},
	}
}

func eventRows(submitted uint64) []row {
	const service = reportingPackage + "EventService/"
	return []row{
		{service + "ListEvents", byListeners, &reportingv1.ListEventsRequest{}},
		{service + "EnsureSubscription", byOwner, &reportingv1.EnsureSubscriptionRequest{Subscription: "79-screen",
			Subjects: []string{"cotmoc.*.*.*.*.vn.79.>"}}},
		{service + "ListSubscriptions", byFollowers, &reportingv1.ListSubscriptionsRequest{}},
		{service + "PutDeadLetter", byOwner, &reportingv1.PutDeadLetterRequest{Subscription: "79-screen", Sequence: submitted, Error: "x", Attempts: 1}},
		{service + "ListDeadLetters", byOwner, &reportingv1.ListDeadLettersRequest{Subscription: "79-screen"}},
		{service + "DeleteSubscription", byOwner, &reportingv1.DeleteSubscriptionRequest{Subscription: "79-screen"}},
	}
}

func registryRows() []row {
	const service = registryPackage + "RegistryService/"
	const allocation = "programmes/p/targets/cards/allocations/26734"
	return []row{
		{service + "GetProgramme", byAll, &registryv1.GetProgrammeRequest{Name: "programmes/p"}},
		{service + "ListProgrammes", byAll, &registryv1.ListProgrammesRequest{}},
		{service + "GetUnit", byAll, &registryv1.GetUnitRequest{Name: "units/26734"}},
		{service + "ListUnits", byAll, &registryv1.ListUnitsRequest{}},
		{service + "GetTask", byAll, &registryv1.GetTaskRequest{Name: "programmes/p/tasks/plan"}},
		{service + "ListTasks", byAll, &registryv1.ListTasksRequest{Parent: "programmes/p"}},
		{service + "GetTarget", byAll, &registryv1.GetTargetRequest{Name: "programmes/p/targets/cards"}},
		{service + "ListTargets", byAll, &registryv1.ListTargetsRequest{Parent: "programmes/p"}},
		{service + "GetAllocation", ofAllocation, &registryv1.GetAllocationRequest{Name: allocation}},
		{service + "ListAllocations", byAll, &registryv1.ListAllocationsRequest{Parent: "programmes/p/targets/cards"}},
		{service + "GetCalendar", byAll, &registryv1.GetCalendarRequest{Name: "calendars/end-of-month"}},
		{service + "ListCalendars", byAll, &registryv1.ListCalendarsRequest{}},
		{service + "GetRegime", byAll, &registryv1.GetRegimeRequest{Name: "programmes/p/regimes/monthly"}},
		{service + "ListRegimes", byAll, &registryv1.ListRegimesRequest{Parent: "programmes/p"}},
		{service + "ListRevisions", ofAllocation, &registryv1.ListRevisionsRequest{Name: allocation}},
		{service + "WatchRegistry", ofWholeOwed, &registryv1.WatchRegistryRequest{}},
	}
}

func registryAdminRows() []row {
	const service = registryPackage + "RegistryAdminService/"
	regime := &registryv1.Regime{Name: "programmes/p/regimes/monthly", DisplayName: "Báo cáo", DueWorkingDays: 5}
	allocation := &registryv1.Allocation{Name: "programmes/p/targets/cards/allocations/26737", Value: 1}
	calendar := &registryv1.Calendar{Name: "calendars/x", DisplayName: "Lịch", CutOffDay: 20}
	u := unit("x", "vn", typev1.UnitKind_UNIT_KIND_PROVINCE, "province").GetUnit()
	tg := target("cards", typev1.ValueKind_VALUE_KIND_COUNT, nil).GetTarget()
	tk := task("plan", "26734").GetTask()
	return []row{
		{service + "CreateProgramme", byAdmin, &registryv1.CreateProgrammeRequest{ProgrammeId: "p", Programme: programme().GetProgramme(), ValidateOnly: true}},
		{service + "UpdateProgramme", byAdmin, &registryv1.UpdateProgrammeRequest{Programme: programme().GetProgramme(), ValidateOnly: true}},
		{service + "CreateUnit", byAdmin, &registryv1.CreateUnitRequest{UnitId: "x", Unit: u, ValidateOnly: true}},
		{service + "UpdateUnit", byAdmin, &registryv1.UpdateUnitRequest{Unit: u, ValidateOnly: true}},
		{service + "CreateTask", byAdmin, &registryv1.CreateTaskRequest{Parent: "programmes/p", TaskId: "plan", Task: tk, ValidateOnly: true}},
		{service + "UpdateTask", byAdmin, &registryv1.UpdateTaskRequest{Task: tk, ValidateOnly: true}},
		{service + "CreateTarget", byAdmin, &registryv1.CreateTargetRequest{Parent: "programmes/p", TargetId: "cards", Target: tg, ValidateOnly: true}},
		{service + "UpdateTarget", byAdmin, &registryv1.UpdateTargetRequest{Target: tg, ValidateOnly: true}},
		{service + "CreateAllocation", byAdmin, &registryv1.CreateAllocationRequest{Parent: "programmes/p/targets/cards", Unit: "26737", Allocation: allocation, ValidateOnly: true}},
		{service + "UpdateAllocation", byAdmin, &registryv1.UpdateAllocationRequest{Allocation: allocation, ValidateOnly: true}},
		{service + "CreateCalendar", byAdmin, &registryv1.CreateCalendarRequest{CalendarId: "x", Calendar: calendar, ValidateOnly: true}},
		{service + "UpdateCalendar", byAdmin, &registryv1.UpdateCalendarRequest{Calendar: calendar, ValidateOnly: true}},
		{service + "CreateRegime", byAdmin, &registryv1.CreateRegimeRequest{Parent: "programmes/p", RegimeId: "monthly", Regime: regime, ValidateOnly: true}},
		{service + "UpdateRegime", byAdmin, &registryv1.UpdateRegimeRequest{Regime: regime, ValidateOnly: true}},
		{service + "BatchWrite", byAdmin, &registryv1.BatchWriteRequest{Writes: []*registryv1.Write{programme()}, ValidateOnly: true}},
		{service + "RaiseLevel", byAdmin, &registryv1.RaiseLevelRequest{Level: 1000, Reason: "x"}},
	}
}

func otherRows() []row {
	const admin = reportingPackage + "ReportingAdminService/"
	listed := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	return []row{
		{admin + "SetClock", byAdmin, &reportingv1.SetClockRequest{Time: timestamppb.New(start)}},
		{admin + "GetStatus", byAdmin, &reportingv1.GetStatusRequest{}},
		{admin + "Verify", byAdmin, &reportingv1.VerifyRequest{SkipStream: true}},
		{admin + "DeclareEpoch", byAdmin, &reportingv1.DeclareEpochRequest{ExpectedEpoch: 1000, Reason: "x"}},
		{admin + "RaiseLevel", byAdmin, &reportingv1.RaiseLevelRequest{Level: 1000, Reason: "x"}},
		{"/grpc.health.v1.Health/Check", byAll, &healthv1.HealthCheckRequest{}},
		{"/grpc.health.v1.Health/List", byAll, &healthv1.HealthListRequest{}},
		{"/grpc.health.v1.Health/Watch", byAll, &healthv1.HealthCheckRequest{}},
		{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", byAdmin, listed},
		{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", byAdmin, listed}, // the same message,
	}
}

func TestEveryMethodForEveryIdentity(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	rows := matrix(l.submitted, l.finding)
	seen := make(map[string]bool)
	conns := make([]*grpc.ClientConn, len(columns))
	for i, identity := range columns {
		conns[i] = l.as(t, identity)
	}
	strangers := l.strangers(t)
	for _, r := range rows {
		if seen[r.method] {
			t.Errorf("%s has two rows", r.method)
		}
		seen[r.method] = true
		var got strings.Builder
		for _, conn := range conns {
			what, _ := attempt(t, conn, r.method, r.req)
			got.WriteRune(what)
		}
		if got.String() != r.want {
			t.Errorf("%s\n got %s\nwant %s for %v", r.method, got.String(), r.want, columns)
		}
		for why, conn := range strangers {
			if what, err := attempt(t, conn, r.method, r.req); string(what) != byNoStranger {
				t.Errorf("%s by a stranger (%s): %c, %v", r.method, why, what, err)
			}
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				if m := fmt.Sprintf("/%s/%s", s.FullName(), s.Methods().Get(j).Name()); strings.HasPrefix(m, "/cotmoc.") && !seen[m] {
					t.Errorf("the matrix has no row for %s", m)
				}
			}
		}
		return true
	})
	t.Logf("%d methods, %d identities, %d strangers", len(rows), len(columns), len(strangers))
}

// TestRevokedWhileConnected: a certificate that is revoked ends what goes on by it.
func TestRevokedWhileConnected(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	conn := l.as(t, "unit/vn/old")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	watch, err := registryv1.NewRegistryServiceClient(conn).WatchRegistry(ctx, &registryv1.WatchRegistryRequest{})
	must(t, err)
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	must(t, l.ca.Revoke("unit/vn/old"))
	began := time.Now()
	for err == nil {
		_, err = watch.Recv()
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the watch went on for %s", took)
	}
	if refusalOf(err).reason != errorv1.Reason_REASON_UNAUTHENTICATED {
		t.Errorf("the watch ended with %v", err)
	}
	for _, r := range matrix(l.submitted, l.finding) {
		if what, err := attempt(t, conn, r.method, r.req); string(what) != byRevokedCall {
			t.Errorf("%s on the old connection: %c, %v", r.method, what, err)
		}
	}
	again := l.with(t, l.ca.Files("unit/vn/old"))
	if what, err := attempt(t, again, reportingPackage+"EventService/ListEvents", &reportingv1.ListEventsRequest{}); string(what) != byNoStranger {
		t.Errorf("a new connection: %c, %v", what, err)
	}
	if _, err := l.ca.Issue("unit/vn/old"); err != nil {
		t.Fatal(err)
	}
	renewed := l.with(t, l.ca.Files("unit/vn/old"))
	if what, err := attempt(t, renewed, reportingPackage+"EventService/ListEvents", &reportingv1.ListEventsRequest{}); what != passed {
		t.Errorf("by a new certificate: %c, %v", what, err)
	}
}
