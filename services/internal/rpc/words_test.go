package rpc

import (
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// The messages of the registry's contract come with this package's tests of check.go.
func TestEachPatternOfTheContractHasWords(t *testing.T) {
	patterns, enums := make(map[string]int), 0
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(f.Package()), "cotmoc.") {
			eachRule(f.Messages(), func(at protoreflect.FullName, r *validate.FieldRules) {
				if r.GetString().HasPattern() {
					patterns[r.GetString().GetPattern()]++
					if _, ok := form(r.GetString().GetPattern()); !ok {
						t.Errorf("%s: nothing says in words what %s asks for", at, r.GetString().GetPattern())
					}
				}
				if not := r.GetEnum().GetNotIn(); len(not) > 0 {
					enums++
					if len(not) != 1 || not[0] != 0 {
						t.Errorf("%s: forbids %v, and is told as not set", at, not)
					}
				}
			})
		}
		return true
	})
	if len(patterns) != 8 || enums == 0 {
		t.Errorf("%d patterns and %d enums seen, want 8 and some: %v", len(patterns), enums, patterns)
	}
}

// eachRule visits the rules of all fields, also those for members of lists.
func eachRule(messages protoreflect.MessageDescriptors, visit func(protoreflect.FullName, *validate.FieldRules)) {
	for i := range messages.Len() {
		m := messages.Get(i)
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
			visit(f.FullName(), rules)
			visit(f.FullName(), rules.GetRepeated().GetItems())
			visit(f.FullName(), rules.GetMap().GetKeys())
			visit(f.FullName(), rules.GetMap().GetValues())
		}
		eachRule(m.Messages(), visit)
	}
}

func TestBrokenRulesAreToldInWords(t *testing.T) {
	bad := good()
	bad.RequestId, bad.Submission.Unit, bad.Submission.Period = "a b", "HCM", "2022Q3"
	bad.Submission.Evidence = []*reportingv1.Evidence{{Url: "ftp://x", Sha256: make([]byte, 32)}}
	for _, c := range []struct {
		msg   proto.Message
		field string
		want  string
	}{
		{bad, "request_id", requestForm},
		{bad, "submission.unit", idForm},
		{bad, "submission.period", periodForm},
		{bad, "submission.evidence[0].url", linkForm},
		{&reportingv1.PublishClosingRequest{AsOfDate: "31/7/2022"}, "as_of_date", dateForm},
		{&reportingv1.CountTasksRequest{}, "form", "must be set"},
	} {
		e, _ := apierr.Parse(NewChecker().Check(c.msg))
		got := ""
		for _, v := range e.Violations {
			if v.Field == c.field {
				got = v.Description
			}
			if strings.Contains(v.Description, "regex") || strings.Contains(v.Description, "not be in list") {
				t.Errorf("%s: %s", v.Field, v.Description)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.field, got, c.want)
		}
	}
}
