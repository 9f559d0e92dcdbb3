package privacy_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
)

// writes are the services whose every request keeps something, but for what is read.
func writes() (all []protoreflect.MessageDescriptor) {
	for _, service := range []protoreflect.ServiceDescriptor{
		registryv1.File_cotmoc_registry_v1_registry_admin_service_proto.Services().Get(0),
		reportingv1.File_cotmoc_reporting_v1_reporting_service_proto.Services().Get(0),
		reportingv1.File_cotmoc_reporting_v1_review_service_proto.Services().Get(0),
		reportingv1.File_cotmoc_reporting_v1_event_service_proto.Services().Get(0),
		reportingv1.File_cotmoc_reporting_v1_reporting_admin_service_proto.Services().Get(0),
	} {
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			name := string(m.Name())
			if strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Delete") || name == "Verify" {
				continue
			}
			all = append(all, m.Input())
		}
	}
	return all
}

// TestNoFieldIsForgotten puts a telephone number into each string of each request that
// keeps something: either the contract has no room for it, or it is found where it is.
func TestNoFieldIsForgotten(t *testing.T) {
	rules, seen := rpc.NewChecker(), 0
	for _, d := range writes() {
		each(newOf(d), "", func(msg proto.Message, m protoreflect.Message, f protoreflect.FieldDescriptor, path string) {
			seen++
			text := "gọi 0912 345 678"
			if f.Name() == "url" {
				text = "https://example.vn/0912345678"
			}
			put(m, f, text)
			defer m.Clear(f)
			if e, ok := apierr.Parse(rules.CheckAt("", m.Interface())); ok && hasField(e, string(f.Name())) {
				return // by a pattern
			}
			e, _ := apierr.Parse(privacy.Check(msg))
			if f.Name() == "text" || f.Name() == "locale" || f.Name() == "subjects" { // a number, a word of few, ids with dots
				return
			}
			if e.Reason != errorv1.Reason_REASON_PERSONAL_DATA || e.Field != path {
				t.Errorf("%s: %q in %s: %v at %q", d.Name(), text, path, e.Reason, e.Field)
			}
		})
	}
	if seen < 100 {
		t.Errorf("only %d fields were tried", seen)
	}
}

// TestNewIDs: an id that a request gives is looked at, too, and no other.
func TestNewIDs(t *testing.T) {
	const number = "079123456789"
	for path, msg := range map[string]proto.Message{
		"request_id":              &reportingv1.SubmitRequest{RequestId: number},
		"unit_id":                 &registryv1.CreateUnitRequest{UnitId: number},
		"writes[0].unit.name":     &registryv1.BatchWriteRequest{Writes: []*registryv1.Write{{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{Name: "units/" + number}}}}},
		"closing":                 &reportingv1.PublishClosingRequest{Closing: number},
		"items[0].request_id":     &reportingv1.SubmitBatchRequest{Items: []*reportingv1.BatchItem{{RequestId: number}}},
		"submission.text.text":    &reportingv1.SubmitRequest{Submission: &reportingv1.Submission{Value: &reportingv1.Submission_Text{Text: &reportingv1.LocalizedText{Text: number}}}},
		"programme.pillars[0].id": &registryv1.CreateProgrammeRequest{Programme: &registryv1.Programme{Pillars: []*registryv1.Label{{Id: number}}}},
	} {
		e, _ := apierr.Parse(privacy.Check(msg))
		if e.Reason != errorv1.Reason_REASON_PERSONAL_DATA || e.Field != path || strings.Contains(e.Message, number) {
			t.Errorf("%s: %+v", path, e)
		}
	}
	for _, msg := range []proto.Message{
		&reportingv1.SubmitRequest{Submission: &reportingv1.Submission{Unit: number, Target: number}},
		&reportingv1.SubmitRequest{Submission: &reportingv1.Submission{Value: &reportingv1.Submission_Text{Text: &reportingv1.LocalizedText{Text: "84912345678"}}}},
	} {
		if err := privacy.Check(msg); err != nil {
			t.Errorf("%v: %v", msg, err)
		}
	}
}

func newOf(d protoreflect.MessageDescriptor) proto.Message {
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(err)
	}
	return t.New().Interface()
}

// each visits every string field in a message and in those it can hold.
func each(msg proto.Message, path string, visit func(whole proto.Message, m protoreflect.Message, f protoreflect.FieldDescriptor, path string)) {
	var into func(m protoreflect.Message, path string)
	into = func(m protoreflect.Message, path string) {
		for i := range m.Descriptor().Fields().Len() {
			f := m.Descriptor().Fields().Get(i)
			at := path + string(f.Name())
			if f.IsList() {
				at += "[0]"
			}
			switch {
			case f.Kind() == protoreflect.StringKind:
				visit(msg, m, f, at)
			case f.Message() == nil || !strings.HasPrefix(string(f.Message().FullName()), "cotmoc."):
			case f.IsList():
				into(m.Mutable(f).List().AppendMutable().Message(), at+".")
				m.Clear(f)
			default:
				into(m.Mutable(f).Message(), at+".")
				m.Clear(f)
			}
		}
	}
	into(msg.ProtoReflect(), path)
}

// put sets a field, or the first of its strings.
func put(m protoreflect.Message, f protoreflect.FieldDescriptor, text string) {
	if f.IsList() {
		m.Mutable(f).List().Append(protoreflect.ValueOfString(text))
		return
	}
	m.Set(f, protoreflect.ValueOfString(text))
}

// hasField reports whether a field is to blame for a refusal.
func hasField(e apierr.Error, name string) bool {
	for _, v := range e.Violations {
		if last := v.Field[strings.LastIndexByte(v.Field, '.')+1:]; last == name || strings.HasPrefix(last, name+"[") {
			return true
		}
	}
	return false
}
