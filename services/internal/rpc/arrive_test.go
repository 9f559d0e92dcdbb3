package rpc

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// rawBytes sends bytes as they are.
type rawBytes struct{}

func (rawBytes) Name() string { return "proto" }
func (rawBytes) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawBytes) Unmarshal(mem.BufferSlice, any) error { return nil }

// sendRaw calls a method with bytes that need not be a message.
func (r *rig) sendRaw(ctx context.Context, method string, request []byte) error {
	var resp []byte
	return r.conn.Invoke(ctx, method, request, &resp, grpc.ForceCodecV2(rawBytes{}))
}

func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// TestWhatIsRefusedBeforeItIsRead: the bytes of a request decide, and nothing was made of
// them.
func TestWhatIsRefusedBeforeItIsRead(t *testing.T) {
	const submit, batched = reportingv1.ReportingService_Submit_FullMethodName, reportingv1.ReportingService_SubmitBatch_FullMethodName
	wire := func(m proto.Message) []byte {
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	large := good()
	large.Submission.Note = strings.Repeat("x", 2<<20)
	names := field(8, bytes.Repeat(field(1, nil), 40_000)) // the items of a submission
	for _, c := range []struct {
		name, method string
		request      []byte
		code         codes.Code
		reason       errorv1.Reason
		field        string
	}{
		{"good", submit, wire(good()), codes.OK, 0, ""},
		{"no message", submit, []byte{0xff, 0xff}, codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, ""},
		{"a field that is cut off", submit, wire(good())[:20], codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, ""},
		{"text that is not UTF-8", submit, append(wire(good()), field(1, []byte{0xff})...), codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, ""},
		{"more than a megabyte", submit, wire(large), codes.ResourceExhausted, errorv1.Reason_REASON_TOO_LARGE, ""},
		{"two million items", batched, bytes.Repeat(field(2, nil), 2_000_000), codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, "items"},
		{"items with too many elements", batched, bytes.Repeat(field(2, field(1, names)), 3), codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{})
			err := r.sendRaw(t.Context(), c.method, c.request)
			e, _ := apierr.Parse(err)
			if e.Code != c.code || e.Reason != c.reason || e.Field != c.field {
				t.Errorf("got %v", err)
			}
			if c.code != codes.OK && r.calls != 0 {
				t.Error("it reached the handler")
			}
		})
	}
}

// TestUnknownFieldsAreRefusedInWhatWrites: a newer caller loses no meaning in silence.
func TestUnknownFieldsAreRefusedInWhatWrites(t *testing.T) {
	c := NewChecker()
	with := func(m proto.Message, raw []byte) proto.Message {
		m.ProtoReflect().SetUnknown(raw)
		return m
	}
	inside := good()
	with(inside.GetSubmission(), field(999, []byte("x")))
	for name, msg := range map[string]struct {
		msg   proto.Message
		field string
	}{
		"outside": {with(good(), field(998, []byte("x"))), "998"}, "inside": {inside, "submission.999"},
	} {
		if e, _ := apierr.Parse(c.check("", msg.msg, "", true)); e.Field != msg.field || e.Reason != errorv1.Reason_REASON_INVALID_FIELD {
			t.Errorf("%s, of a write: %+v", name, e)
		}
		if err := c.check("", msg.msg, "", false); err != nil {
			t.Errorf("%s, of a read: %v", name, err)
		}
	}
	read := with(&reportingv1.ListEventsRequest{}, field(77, make([]byte, maxUnknown)))
	if e, _ := apierr.Parse(c.check("", read, "", false)); e.Field != "77" {
		t.Errorf("4 KiB that nobody knows, of a read: %+v", e)
	}
}

func TestNothingIsAskedOfWhatIsTooLong(t *testing.T) {
	r := good()
	for range 1001 {
		r.Submission.Evidence = append(r.Submission.Evidence, &reportingv1.Evidence{Url: "\x00"})
	}
	e, _ := apierr.Parse(NewChecker().Check(r))
	if len(e.Violations) != 1 || e.Field != "submission.evidence" {
		t.Errorf("a list: %+v", e)
	}
	r = good()
	r.Submission.Note = strings.Repeat("e\u0302", 500_000)
	if e, _ := apierr.Parse(NewChecker().Check(r)); len(e.Violations) != 1 || e.Field != "submission.note" {
		t.Errorf("a text: %+v", e)
	}
}

// TestRefusalsAreCountedAndLoggedInSamples: also those of methods that there are not, whose
// names are their callers'.
func TestRefusalsAreCountedAndLoggedInSamples(t *testing.T) {
	r := newRig(t, Config{})
	for _, method := range []string{"/cotmoc.reporting.v1.ReportingService/None", "/none.Service/Method"} {
		for range 20 {
			if err := r.sendRaw(t.Context(), method, nil); status.Code(err) != codes.Unimplemented {
				t.Fatal(err)
			}
		}
	}
	bad := good()
	bad.Programme = "NO"
	for range 50 {
		if _, err := r.client.Submit(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
			t.Fatal(err)
		}
	}
	if n := testutil.ToFloat64(r.metrics.Calls.WithLabelValues("unknown", "Unimplemented", "")); n != 40 {
		t.Errorf("%v calls of unknown methods are counted", n)
	}
	if n := testutil.ToFloat64(r.metrics.Calls.WithLabelValues(reportingv1.ReportingService_Submit_FullMethodName, "InvalidArgument", "INVALID_FIELD")); n != 50 {
		t.Errorf("%v bad calls are counted", n)
	}
	if n := r.logs.FilterField(zap.String("code", "Unimplemented")).Len(); n != 1 {
		t.Errorf("%d lines of unknown methods", n)
	}
	lines := r.logs.FilterField(zap.String("code", "InvalidArgument")).All()
	if len(lines) != 1 || lines[0].ContextMap()["peer"] == nil {
		t.Errorf("lines of bad calls: %v", lines)
	}
}

// TestWhatWasDoneIsTold: a write that was taken is not answered as one that was refused,
// although answers wait to be read.
func TestWhatWasDoneIsTold(t *testing.T) {
	r := newRig(t, Config{})
	r.submit = func(ctx context.Context, _ *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
		connOf(ctx).Owe(streamID(ctx), 64<<20)
		if connOf(ctx).Room() == nil {
			t.Error("gRPC's streams have no number any more")
		}
		return &reportingv1.SubmitResponse{}, nil
	}
	if _, err := r.client.Submit(t.Context(), good()); err != nil {
		t.Errorf("got %v", err)
	}
}

// FuzzScan: what protobuf reads is never taken for no message, and its elements are counted.
func FuzzScan(f *testing.F) {
	var all shapes
	for _, m := range []proto.Message{good(), batch(3)} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range []proto.Message{&reportingv1.SubmitRequest{}, &reportingv1.SubmitBatchRequest{}} {
			elements, items, fault := all.of(m.ProtoReflect().Descriptor()).scan(raw)
			err := (proto.UnmarshalOptions{RecursionLimit: maxNesting}).Unmarshal(raw, m)
			if err == nil && fault == malformed {
				t.Errorf("%x is a %T", raw, m)
			}
			if b, ok := m.(*reportingv1.SubmitBatchRequest); ok && err == nil && fault == nil && (items < len(b.GetItems()) || elements < items) {
				t.Errorf("%x: %d items and %d elements of %d", raw, items, elements, len(b.GetItems()))
			}
		}
	})
}
