package rpc

import (
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func batch(n int) *reportingv1.SubmitBatchRequest {
	r := &reportingv1.SubmitBatchRequest{Programme: "de-an-06"}
	for range n {
		r.Items = append(r.Items, &reportingv1.BatchItem{
			RequestId: "0193b5c2-7c1a-7d2e-9f00-1234567890ab", Submission: good().Submission,
		})
	}
	return r
}

func TestCheckNamesEachBadField(t *testing.T) {
	submit := func(f func(*reportingv1.Submission)) proto.Message {
		r := good()
		f(r.Submission)
		return r
	}
	const bidi, control = "a\u202eb", "a\u0007b"
	for _, c := range []struct {
		name  string
		msg   proto.Message
		field string // empty: nothing is wrong
	}{
		{"good", good(), ""},
		{"composed letters", submit(func(s *reportingv1.Submission) { s.Note = "Đề án 06, cột mốc 90 %" }), ""},
		{"line break in a note", submit(func(s *reportingv1.Submission) { s.Note = "a\nb" }), ""},
		{"period", submit(func(s *reportingv1.Submission) { s.Period = "2022-M13" }), "submission.period"},
		{"no value", submit(func(s *reportingv1.Submission) { s.Value = nil }), "submission.value"},
		{"no submission", &reportingv1.SubmitRequest{Programme: "p", RequestId: "r"}, "submission"},
		{"control in a note", submit(func(s *reportingv1.Submission) { s.Note = control }), "submission.note"},
		{"carriage return in a note", submit(func(s *reportingv1.Submission) { s.Note = "a\r\nb" }), "submission.note"},
		{"delete in a note", submit(func(s *reportingv1.Submission) { s.Note = "a\x7f" }), "submission.note"},
		{"C1 control in a note", submit(func(s *reportingv1.Submission) { s.Note = "a\u0085" }), "submission.note"},
		{"line separator in a note", submit(func(s *reportingv1.Submission) { s.Note = "a\u2028" }), "submission.note"},
		{"direction in a note", submit(func(s *reportingv1.Submission) { s.Note = bidi }), "submission.note"},
		{"decomposed note", submit(func(s *reportingv1.Submission) { s.Note = "Đe\u0302\u0300 án" }), "submission.note"},
		{"item name", submit(func(s *reportingv1.Submission) {
			s.Value = &reportingv1.Submission_Items{Items: &reportingv1.ItemList{Items: []*reportingv1.Item{{Name: "a"}, {Name: "a\nb"}}}}
		}), "submission.items.items[1].name"},
		{"text", submit(func(s *reportingv1.Submission) {
			s.Value = &reportingv1.Submission_Text{Text: &reportingv1.LocalizedText{Text: control}}
		}), "submission.text.text"},
		{"list of strings", &reportingv1.ListEventsRequest{Subjects: []string{"a", bidi}}, "subjects[1]"},
		{"deep message", &registryv1.CreateTaskRequest{
			Parent: "programmes/p", TaskId: "t", Task: &registryv1.Task{
				DisplayName: "t", Form: 1, Audience: 1,
				Assignments: []*registryv1.Assignment{{Unit: "u", Role: 1, AccountableHead: control}},
			},
		}, "task.assignments[0].accountable_head"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checker := NewChecker()
			err := checker.Check(c.msg)
			if c.field == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			e, ok := apierr.Parse(err)
			if !ok || e.Code != codes.InvalidArgument || e.Reason != errorv1.Reason_REASON_INVALID_FIELD || e.Field != c.field {
				t.Errorf("got %v, want field %s", err, c.field)
			}
		})
	}
}

func TestCheckNamesAllFieldsOfABatch(t *testing.T) {
	b := batch(5)
	b.Items[1].Submission.Unit = "UPPER"
	b.Items[3].Submission.Period = "2022Q3"
	e, _ := apierr.Parse(NewChecker().Check(b))
	var got []string
	for _, v := range e.Violations {
		got = append(got, v.Field)
	}
	if diff := cmp.Diff([]string{"items[1].submission.unit", "items[3].submission.period"}, got); diff != "" {
		t.Error(diff)
	}
	b = batch(5)
	b.Items[3].Submission.Note = "\u0000"
	b.Items[4].Submission.Evidence = []*reportingv1.Evidence{{Url: "https://x/\u202e", Sha256: make([]byte, 32)}}
	e, _ = apierr.Parse(NewChecker().Check(b))
	if e.Field != "items[3].submission.note" {
		t.Errorf("got %+v", e)
	}
}

func TestCheckAtPutsThePathInFront(t *testing.T) {
	item := batch(1).Items[0]
	item.Submission.Period = ""
	e, _ := apierr.Parse(NewChecker().CheckAt("items[7]", item))
	if e.Field != "items[7].submission.period" {
		t.Errorf("field %q", e.Field)
	}
	item = batch(1).Items[0]
	item.RequestId = "\u0001"
	e, _ = apierr.Parse(NewChecker().CheckAt("items[7]", item))
	if e.Field != "items[7].request_id" {
		t.Errorf("field %q", e.Field)
	}
}

// The checker of text does not look into maps.
func TestRequestsHaveNoMaps(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{
		reportingv1.File_cotmoc_reporting_v1_reporting_service_proto,
		reportingv1.File_cotmoc_reporting_v1_progress_service_proto,
		reportingv1.File_cotmoc_reporting_v1_event_service_proto,
		reportingv1.File_cotmoc_reporting_v1_reporting_admin_service_proto,
		registryv1.File_cotmoc_registry_v1_registry_service_proto,
		registryv1.File_cotmoc_registry_v1_registry_admin_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				noMaps(t, methods.Get(j).Input(), map[protoreflect.FullName]bool{})
			}
		}
	}
}

func noMaps(t *testing.T, d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) {
	if seen[d.FullName()] {
		return
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.IsMap() {
			t.Errorf("%s is a map", f.FullName())
		}
		if f.Message() != nil {
			noMaps(t, f.Message(), seen)
		}
	}
}

func FuzzFault(f *testing.F) {
	f.Add("a\nb")
	f.Add("Đe\u0302")
	f.Fuzz(func(t *testing.T, s string) {
		if fault(s, true) != "" && fault(s, false) == "" {
			t.Errorf("%q: allowed without line breaks and refused with", s)
		}
		if fault(s, false) == "" && strings.ContainsAny(s, "\x00\n\r\t\u202e\u2066\u200f\u061c\x7f\u0085") {
			t.Errorf("%q was accepted", s)
		}
	})
}

func BenchmarkCheckBatch500(b *testing.B) {
	c, r := NewChecker(), batch(500)
	for b.Loop() {
		if err := c.Check(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTextBatch500(b *testing.B) {
	c, r := NewChecker(), batch(500)
	for b.Loop() {
		w := walk{c: c, strict: true}
		if w.message("", r.ProtoReflect()); w.bad != nil {
			b.Fatal(w.bad)
		}
	}
}

func BenchmarkCheckSubmit(b *testing.B) {
	c, r := NewChecker(), good()
	for b.Loop() {
		if err := c.Check(r); err != nil {
			b.Fatal(err)
		}
	}
}
