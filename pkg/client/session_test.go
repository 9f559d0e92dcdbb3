package client

import (
	"context"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// silent are answers that name no event of the log, and those that look themselves where
// the log ends.
var silent = map[protoreflect.Name]bool{
	"UnionItemsResponse":         true, // names no event
	"ListClosingsResponse":       true, // looks itself
	"ListSubscriptionsResponse":  true, // NATS's
	"DeleteSubscriptionResponse": true,
	"PutDeadLetterResponse":      true,
	"ListDeadLettersResponse":    true,
	"EnsureSubscriptionResponse": true,
	"ExportClosingResponse":      true, // a stream
}

// filled sets the first of each field that there is, down to a number of 7.
func filled(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case depth > 3 || f.IsMap():
		case f.IsList() && f.Message() != nil:
			filled(m.Mutable(f).List().AppendMutable().Message(), depth+1)
		case f.Message() != nil && !f.IsList():
			filled(m.Mutable(f).Message(), depth+1)
		case f.Kind() == protoreflect.Uint64Kind && !f.IsList():
			m.Set(f, protoreflect.ValueOfUint64(7))
		}
	}
}

func TestEveryAnswerTellsTheSessionHowFarItIs(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{reportingv1.File_cotmoc_reporting_v1_progress_service_proto,
		reportingv1.File_cotmoc_reporting_v1_monitoring_service_proto, reportingv1.File_cotmoc_reporting_v1_reporting_service_proto,
		reportingv1.File_cotmoc_reporting_v1_review_service_proto, reportingv1.File_cotmoc_reporting_v1_event_service_proto} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				out := methods.Get(j).Output()
				if silent[out.Name()] {
					continue
				}
				kind, err := protoregistry.GlobalTypes.FindMessageByName(out.FullName())
				if err != nil {
					t.Fatal(err)
				}
				m := kind.New()
				filled(m, 0)
				if got := sequenceOf(m.Interface()); got != 7 {
					t.Errorf("%s: %d", out.Name(), got)
				}
			}
		}
	}
}

// Refusals tell of the log, too; those of the registry are of another one.
func TestSessionTakesWhatRefusalsTell(t *testing.T) {
	stale := apierr.WithSequence(apierr.New(codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH, "f", "stale", "actual", "54"), 61305)
	item, _ := apierr.Parse(stale)
	for _, c := range []struct {
		name, method string
		resp         proto.Message
		err          error
		want         uint64
	}{
		{"a submission", reportingv1.ReportingService_Submit_FullMethodName, &reportingv1.SubmitResponse{}, stale, 61305},
		{"a decision", reportingv1.ReviewService_ReviewCompletion_FullMethodName, &reportingv1.ReviewCompletionResponse{}, stale, 61305},
		{"an item", reportingv1.ReportingService_SubmitBatch_FullMethodName,
			&reportingv1.SubmitBatchResponse{Results: []*reportingv1.BatchResult{{Error: item.Item()}}}, nil, 61305},
		{"figures newer than the receipt", reportingv1.ReportingService_Submit_FullMethodName,
			&reportingv1.SubmitResponse{Receipt: &reportingv1.Receipt{Sequence: 5}, Figures: []*reportingv1.Figure{{Sequence: 61305}}}, nil, 61305},
		{"the registry", registryv1.RegistryAdminService_UpdateUnit_FullMethodName, &registryv1.Unit{}, stale, 0},
		{"an error of the connection", reportingv1.ReportingService_Submit_FullMethodName, &reportingv1.SubmitResponse{}, context.Canceled, 0},
	} {
		s := &Session{}
		err := s.unary(t.Context(), c.method, nil, c.resp, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return c.err })
		if err != c.err || s.Sequence() != c.want {
			t.Errorf("%s: %d, want %d (%v)", c.name, s.Sequence(), c.want, err)
		}
	}
}
