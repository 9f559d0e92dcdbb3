package client

import (
	"testing"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
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
