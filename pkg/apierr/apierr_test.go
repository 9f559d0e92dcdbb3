package apierr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// sent is err as a client gets it: only what the status carries.
func sent(t *testing.T, err error) error {
	t.Helper()
	st, ok := status.FromError(err)
	if !ok {
		t.Fatalf("%v has no status", err)
	}
	b, merr := proto.Marshal(st.Proto())
	if merr != nil {
		t.Fatal(merr)
	}
	got := &spb.Status{}
	if uerr := proto.Unmarshal(b, got); uerr != nil {
		t.Fatal(uerr)
	}
	return status.FromProto(got).Err()
}

func TestErrorSurvivesTheWire(t *testing.T) {
	err := apierr.New(codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH,
		"submission.expected_revision", "the cell is at revision 2", "expected", "1", "actual", "2")
	err = apierr.WithRetry(err, 100*time.Millisecond)
	want := apierr.Error{
		Code: codes.Aborted, Reason: errorv1.Reason_REASON_REVISION_MISMATCH,
		Message: "the cell is at revision 2", Field: "submission.expected_revision",
		Violations: []apierr.Violation{{Field: "submission.expected_revision", Description: "the cell is at revision 2"}},
		Metadata:   map[string]string{"field": "submission.expected_revision", "expected": "1", "actual": "2"},
		Retry:      100 * time.Millisecond,
	}
	for name, e := range map[string]error{
		"made": err, "sent": sent(t, err), "wrapped": fmt.Errorf("submit: %w", sent(t, err)),
	} {
		got, ok := apierr.Parse(e)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s: ok %t, (-want +got)\n%s", name, ok, diff)
		}
	}
}

func TestStatusDetailsAreAsDocumented(t *testing.T) {
	st, _ := status.FromError(apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, "page_size", "too large"))
	info := &errdetails.ErrorInfo{Domain: "cotmoc", Reason: "INVALID_FIELD", Metadata: map[string]string{"field": "page_size"}}
	details := st.Details()
	if len(details) != 2 || !proto.Equal(details[0].(proto.Message), info) {
		t.Fatalf("details = %v", details)
	}
	st, _ = status.FromError(apierr.New(codes.Internal, errorv1.Reason_REASON_INTERNAL, "", "defect"))
	if len(st.Details()) != 1 {
		t.Errorf("an error without a field has details %v", st.Details())
	}
}

func TestManyViolationsStayWithinHeaderLimits(t *testing.T) {
	var all []apierr.Violation
	for i := range 1000 {
		all = append(all, apierr.Violation{Field: fmt.Sprintf("items[%d].submission.unit", i), Description: strings.Repeat("ệ", 500)})
	}
	err := apierr.NewViolations(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, "bad fields", all)
	st, _ := status.FromError(err)
	if n := proto.Size(st.Proto()); n > 6000 {
		t.Errorf("the status takes %d bytes", n)
	}
	e, _ := apierr.Parse(sent(t, err))
	if len(e.Violations) != 16 || e.Field != "items[0].submission.unit" || e.Message != "bad fields (and 984 more fields)" {
		t.Errorf("got %d violations, field %q, message %q", len(e.Violations), e.Field, e.Message)
	}
	if d := e.Violations[3].Description; !utf8.ValidString(d) || len(d) > 200 || !strings.HasSuffix(d, "ệ…") {
		t.Errorf("description %q", d)
	}
}

func TestTextThatIsNotUTF8StillReachesTheCaller(t *testing.T) {
	e, ok := apierr.Parse(sent(t, apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, "f", "bad \xff", "k", "\xfe")))
	if !ok || e.Message != "bad \uFFFD" || e.Metadata["k"] != "\uFFFD" {
		t.Errorf("got %+v, %t", e, ok)
	}
}

func TestForeignErrors(t *testing.T) {
	deadline := fmt.Errorf("dial: %w", context.DeadlineExceeded)
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{nil, codes.OK},
		{errors.New("broken"), codes.Unknown},
		{status.Error(codes.Unavailable, "connection refused"), codes.Unavailable},
		{deadline, codes.DeadlineExceeded},
		{context.Canceled, codes.Canceled},
	} {
		e, ok := apierr.Parse(c.err)
		if ok || e.Code != c.code || apierr.ReasonOf(c.err) != errorv1.Reason_REASON_UNSPECIFIED {
			t.Errorf("Parse(%v) = %+v, %t", c.err, e, ok)
		}
	}
	foreign, _ := status.New(codes.NotFound, "x").WithDetails(&errdetails.ErrorInfo{Domain: "other", Reason: "UNIT_NOT_FOUND"})
	if apierr.Is(foreign.Err(), errorv1.Reason_REASON_UNIT_NOT_FOUND) {
		t.Error("a reason of another domain was taken for ours")
	}
	if err := apierr.WithRetry(deadline, time.Second); err != deadline {
		t.Errorf("WithRetry changed a foreign error into %v", err)
	}
}

func TestUnknownReasonIsStillOurs(t *testing.T) {
	newer, _ := status.New(codes.FailedPrecondition, "x").WithDetails(&errdetails.ErrorInfo{Domain: "cotmoc", Reason: "FROM_THE_FUTURE"})
	e, ok := apierr.Parse(newer.Err())
	if !ok || e.Reason != errorv1.Reason_REASON_UNSPECIFIED || e.Code != codes.FailedPrecondition {
		t.Errorf("got %+v, %t", e, ok)
	}
}

func TestRefusalNamesAnEvent(t *testing.T) {
	err := apierr.New(codes.NotFound, errorv1.Reason_REASON_UNIT_NOT_FOUND, "submission.unit", "there is no unit 999")
	told := apierr.WithSequence(err, 61305)
	for name, c := range map[string]struct {
		err  error
		want uint64
	}{
		"none":           {err, 0},
		"told":           {sent(t, told), 61305},
		"told again":     {apierr.WithSequence(told, 7), 61305},
		"nothing to say": {apierr.WithSequence(err, 0), 0},
		"without fields": {apierr.WithSequence(apierr.New(codes.Internal, errorv1.Reason_REASON_INTERNAL, "", "x"), 7), 7},
		"foreign":        {apierr.WithSequence(status.Error(codes.Unavailable, "x"), 7), 0},
	} {
		if e, _ := apierr.Parse(c.err); e.Sequence() != c.want {
			t.Errorf("%s: event %d, want %d", name, e.Sequence(), c.want)
		}
	}
	if e, _ := apierr.Parse(err); len(e.Metadata) != 1 {
		t.Errorf("the error that was given has changed: %v", e.Metadata)
	}
	if apierr.WithSequence(nil, 7) != nil {
		t.Error("no error became one")
	}
}

func TestItemSaysWhatItsCallAloneWould(t *testing.T) {
	err := apierr.New(codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH, "items[1].submission.expected_revision", "stale", "actual", "2")
	err = apierr.WithSequence(apierr.WithRetry(err, 100*time.Millisecond), 61305)
	want, _ := apierr.Parse(err)
	b, merr := proto.Marshal(want.Item())
	if merr != nil {
		t.Fatal(merr)
	}
	item := new(reportingv1.ItemError)
	if err := proto.Unmarshal(b, item); err != nil {
		t.Fatal(err)
	}
	got, ok := apierr.Parse(apierr.OfItem(item))
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if item.GetReason() != "REVISION_MISMATCH" {
		t.Errorf("the reason is spelt %s", item.GetReason())
	}
	if apierr.OfItem(nil) != nil {
		t.Error("an item that was taken has an error")
	}
}
