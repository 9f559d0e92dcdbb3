package e2e_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
)

const (
	// answeredWithin is when a call that waits for nothing has its answer, also on a
	// machine that does other things.
	answeredWithin = 10 * time.Second
	// waitsFor is how long a call may wait for what may never come.
	waitsFor = 50 * time.Millisecond
	// verifyEach is how many calls are made between two looks at the whole.
	verifyEach = 500
	// clockRange is how far the clock may be set: each day costs its deadlines.
	clockRange = 400 * 24 * 60 * 60
)

// ourMethods are the methods of both services, in a fixed order.
func ourMethods() (all []string) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				if m := "/" + string(s.FullName()) + "/" + string(s.Methods().Get(j).Name()); strings.HasPrefix(m, "/cotmoc.") {
					all = append(all, m)
				}
			}
		}
		return true
	})
	slices.Sort(all)
	return all
}

// FuzzRequests sends every message to every method of a pair at work: what is refused
// is refused for a reason, what is taken is valid, nothing takes long, and the log, the
// totals and the stream hold all the time.
func FuzzRequests(f *testing.F) {
	l := &locked{rig: inProcess(f)} // without certificates: everybody may everything
	l.furnish(f)
	l.owe(f, target("ratio", typev1.ValueKind_VALUE_KIND_RATIO, nil), target("adopted", typev1.ValueKind_VALUE_KIND_YES_NO, nil))
	methods := ourMethods()
	seeds := append(matrix(l.submitted, l.finding), moreRequests()...)
	if len(methods) > 256 {
		f.Fatal("a byte does not count the methods")
	}
	seeded := 0
	for _, s := range seeds {
		number := slices.Index(methods, s.method)
		if number < 0 {
			continue // grpc's own
		}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(number), raw)
		seeded++
	}
	checker, calls := rpc.NewChecker(), 0
	f.Fuzz(func(t *testing.T, number byte, raw []byte) {
		method := methods[int(number)%len(methods)]
		kind, err := protoregistry.GlobalTypes.FindMessageByName(methodOf(t, method).Input().FullName())
		if err != nil {
			t.Fatal(err)
		}
		req := kind.New().Interface()
		if proto.Unmarshal(raw, req) != nil {
			return
		}
		l.answers(t, method, req, checker)
		if calls++; calls == seeded || calls%verifyEach == 0 {
			l.told(t)
			verify(t, l.rig)
		}
	})
}

// told waits until the stream holds all that the log does: after a new epoch was
// declared, there is none for a moment.
func (r *rig) told(t *testing.T) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		s := status(t, r)
		if s.GetStreamSequence() == s.GetHeadSequence() && s.GetStreamProblem() == "" {
			return
		}
		if time.Since(began) > answeredWithin {
			t.Fatalf("the stream stays at %d of %d: %s", s.GetStreamSequence(), s.GetHeadSequence(), s.GetStreamProblem())
		}
	}
}

// moreRequests are valid ones of which the matrix has no kind.
func moreRequests() (all []row) {
	submit := reportingPackage + "ReportingService/Submit"
	for id, s := range map[string]*reportingv1.Submission{
		"ratio": ratio("26734", "ratio", "2022-M02", 3, 4), "yes": yes("26734", "adopted", "2022-M02"),
		"bare":    {Unit: "26737", Target: "ratio", Period: "2022-M02", Value: &reportingv1.Submission_BarePercentage{BarePercentage: &reportingv1.BarePercentage{Value: 955, Decimals: 1}}},
		"text":    {Unit: "26737", Target: "cards", Period: "2022-M02", Value: &reportingv1.Submission_Text{Text: &reportingv1.LocalizedText{Text: "1.234", Locale: "vi-VN"}}},
		"none":    {Unit: "26737", Target: "cards", Period: "2022-M01", Value: &reportingv1.Submission_NotApplicable{NotApplicable: &reportingv1.NotApplicable{Reason: "không có"}}},
		"taken":   {Unit: "00001", Target: "cards", Period: "2022-M01", ExpectedRevision: 1, Reason: "nhầm", Value: &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}},
		"amended": after(1, count("26734", "cards", "2022-M01", 12)),
		"plan":    yes("26734", "plan", "2022-M01"),
	} {
		all = append(all, row{submit, "", &reportingv1.SubmitRequest{Programme: "p", RequestId: id, Submission: s}})
	}
	const admin = registryPackage + "RegistryAdminService/"
	return append(all,
		row{admin + "BatchWrite", "", &registryv1.BatchWriteRequest{Writes: []*registryv1.Write{task("more", "26737"), unit("26740", "79", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune")}}},
		row{admin + "CreateUnit", "", &registryv1.CreateUnitRequest{UnitId: "x", Unit: unit("x", "vn", typev1.UnitKind_UNIT_KIND_PROVINCE, "province").GetUnit()}},
		row{reportingPackage + "ReportingAdminService/DeclareEpoch", "", &reportingv1.DeclareEpochRequest{ExpectedEpoch: 1, Reason: "khôi phục"}})
}

// answers calls a method and fails when the answer is none, or none that may be given.
func (r *rig) answers(t *testing.T, method string, req proto.Message, checker *rpc.Checker) {
	t.Helper()
	within := answeredWithin
	if md := methodOf(t, method); md.IsStreamingServer() {
		within = waitsFor
	}
	if f := req.ProtoReflect().Descriptor().Fields().ByName("min_sequence"); f != nil && req.ProtoReflect().Has(f) {
		within = waitsFor
	}
	if clock, ok := req.(*reportingv1.SetClockRequest); ok && clock.GetTime() != nil {
		clock.Time.Seconds = start.Unix() + (clock.Time.Seconds-start.Unix())%clockRange
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	switch err := r.call(ctx, t, method, req); {
	case err == nil:
		// Items of a batch that stand each for itself are refused one by one.
		if _, batch := req.(*reportingv1.SubmitBatchRequest); !batch && checker.Check(req) != nil {
			t.Errorf("%s took what is not valid: %v\n%v", method, checker.Check(req), req)
		}
	case within == waitsFor && grpcstatus.Code(err) == codes.DeadlineExceeded:
	default:
		e, ours := apierr.Parse(err)
		if !ours || e.Reason == errorv1.Reason_REASON_UNSPECIFIED || e.Code == codes.Internal || e.Code == codes.Unknown {
			t.Errorf("%s: %v\n%v", method, err, req)
		}
	}
}

// call makes a call, and of a stream reads the first answer.
func (r *rig) call(ctx context.Context, t *testing.T, method string, req proto.Message) error {
	md := methodOf(t, method)
	resp := dynamicpb.NewMessage(md.Output())
	if !md.IsStreamingServer() {
		return r.conn.Invoke(ctx, method, req, resp)
	}
	s, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err == nil {
		err = errors.Join(s.SendMsg(req), s.CloseSend())
	}
	if err == nil {
		err = s.RecvMsg(resp)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
