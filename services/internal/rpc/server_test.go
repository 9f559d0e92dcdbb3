package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// backend answers as a test tells it to.
type backend struct {
	reportingv1.UnimplementedReportingServiceServer
	submit func(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error)
	calls  int
}

func (b *backend) Submit(ctx context.Context, r *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	b.calls++
	return b.submit(ctx, r)
}

func (b *backend) SubmitBatch(context.Context, *reportingv1.SubmitBatchRequest) (*reportingv1.SubmitBatchResponse, error) {
	b.calls++
	return &reportingv1.SubmitBatchResponse{}, nil
}

// rig is a served backend, a connection to it and what it logs and counts.
type rig struct {
	*backend
	conn    *grpc.ClientConn
	client  reportingv1.ReportingServiceClient
	logs    *observer.ObservedLogs
	metrics *obs.Metrics
}

func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	c.Log, c.Metrics = zap.New(core), obs.NewMetrics(obs.NewRegistry(), "reporting")
	s := NewServer(c)
	b := &backend{submit: func(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
		return &reportingv1.SubmitResponse{}, nil
	}}
	reportingv1.RegisterReportingServiceServer(s, b)
	healthv1.RegisterHealthServer(s, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &rig{backend: b, conn: conn, client: reportingv1.NewReportingServiceClient(conn), logs: logs, metrics: c.Metrics}
}

func good() *reportingv1.SubmitRequest {
	return &reportingv1.SubmitRequest{
		Programme: "de-an-06", RequestId: "r1",
		Submission: &reportingv1.Submission{
			Unit: "26734", Target: "chip-cards", Period: "2022-M07",
			Value: &reportingv1.Submission_Count{Count: 5},
		},
	}
}

func TestErrorsReachTheCallerAsMeant(t *testing.T) {
	r := newRig(t, Config{})
	refusal := apierr.New(codes.NotFound, errorv1.Reason_REASON_UNIT_NOT_FOUND, "submission.unit", "no unit 9")
	for _, c := range []struct {
		name   string
		err    error
		code   codes.Code
		reason errorv1.Reason
	}{
		{"refusal", refusal, codes.NotFound, errorv1.Reason_REASON_UNIT_NOT_FOUND},
		{"wrapped refusal", fmt.Errorf("submit: %w", refusal), codes.NotFound, errorv1.Reason_REASON_UNIT_NOT_FOUND},
		{"unknown", errors.New("sqlite: secret path"), codes.Internal, errorv1.Reason_REASON_INTERNAL},
		{"busy", fmt.Errorf("commit: %w", ledger.ErrBusy), codes.ResourceExhausted, errorv1.Reason_REASON_BUSY},
		{"stopped", ledger.ErrStopped, codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE},
		{"away", fmt.Errorf("read the time: %w", ledger.ErrAway), codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE},
		{"full", ledger.ErrFull, codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE},
		{"ended", fmt.Errorf("%w: %w", ledger.ErrEnded, ledger.ErrLevel), codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE},
		{"not reached", ledger.ErrNotReached, codes.Unavailable, errorv1.Reason_REASON_SEQUENCE_NOT_REACHED},
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), codes.DeadlineExceeded, 0},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), codes.Canceled, 0},
		{"another server's failure", status.Error(codes.Unavailable, "10.0.0.7: secret"), codes.Internal, errorv1.Reason_REASON_INTERNAL},
		{"a status of unknown", status.Error(codes.Unknown, "secret"), codes.Internal, errorv1.Reason_REASON_INTERNAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.submit = func(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
				return nil, c.err
			}
			_, err := r.client.Submit(t.Context(), good())
			e, _ := apierr.Parse(err)
			if e.Code != c.code || e.Reason != c.reason {
				t.Errorf("got %v %v, want %v %v", e.Code, e.Reason, c.code, c.reason)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error leaks: %v", err)
			}
			if d, ok := apierr.RetryDelay(err); ok != (c.name == "busy") || ok && d != 100*time.Millisecond {
				t.Errorf("RetryDelay = %v, %t", d, ok)
			}
		})
	}
	if _, err := healthv1.NewHealthClient(r.conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
		t.Errorf("the health service's own status became %v", err)
	}
}

func TestPanicIsInternalAndLoggedWithItsRequestID(t *testing.T) {
	r := newRig(t, Config{})
	r.submit = func(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
		panic("secret state")
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "call-7")
	var header metadata.MD
	_, err := r.client.Submit(ctx, good(), grpc.Header(&header))
	e, ok := apierr.Parse(err)
	if !ok || e.Code != codes.Internal || !strings.HasSuffix(e.Message, "request id call-7") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if got := header.Get("x-request-id"); len(got) != 1 || got[0] != "call-7" {
		t.Errorf("header %v", got)
	}
	lines := r.logs.FilterField(zap.String("request_id", "call-7")).All()
	if len(lines) != 1 || lines[0].Level != zap.ErrorLevel || !strings.Contains(fmt.Sprint(lines[0].ContextMap()["error"]), "server_test.go") {
		t.Errorf("log %v", lines)
	}
	if n := testutil.ToFloat64(r.metrics.Panics); n != 1 {
		t.Errorf("%v panics counted", n)
	}
	r.submit = func(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
		return &reportingv1.SubmitResponse{}, nil
	}
	if _, err := r.client.Submit(t.Context(), good()); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestEachCallHasALineAndIsCounted(t *testing.T) {
	r := newRig(t, Config{})
	if _, err := r.client.Submit(t.Context(), good()); err != nil {
		t.Fatal(err)
	}
	bad := good()
	bad.Submission.Period = "2022-07"
	if _, err := r.client.Submit(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
	if _, err := r.client.SubmitBatch(t.Context(), batch(3)); err != nil {
		t.Fatal(err)
	}
	const method = "/cotmoc.reporting.v1.ReportingService/Submit"
	want := []map[string]any{
		{"method": method, "code": "OK", "unit": "26734", "programme": "de-an-06"},
		{"method": method, "code": "InvalidArgument", "reason": "INVALID_FIELD", "field": "submission.period", "unit": "26734"},
		{"method": method + "Batch", "code": "OK", "items": int64(3), "programme": "de-an-06"},
	}
	for i, l := range r.logs.All() {
		got := l.ContextMap()
		for k, v := range want[i] {
			if got[k] != v {
				t.Errorf("line %d: %s = %v, want %v", i, k, got[k], v)
			}
		}
		if id, _ := got["request_id"].(string); len(id) != 36 {
			t.Errorf("line %d: request id %q", i, id)
		}
		if _, ok := got["duration"]; !ok {
			t.Errorf("line %d has no duration", i)
		}
	}
	if n := r.logs.Len(); n != 3 {
		t.Errorf("%d lines", n)
	}
	if n := testutil.ToFloat64(r.metrics.Calls.WithLabelValues(method, "InvalidArgument", "INVALID_FIELD")); n != 1 {
		t.Errorf("%v bad calls counted", n)
	}
}

// TestALineIsShortWhateverWasSent: a caller does not fill the log with what is refused.
func TestALineIsShortWhateverWasSent(t *testing.T) {
	r := newRig(t, Config{})
	for _, unit := range []string{strings.Repeat("x", 500_000), strings.Repeat("Đ", 200_000)} {
		bad := good()
		bad.Programme, bad.Submission.Unit = unit, unit
		if _, err := r.client.Submit(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
			t.Fatal(err)
		}
	}
	for i, l := range r.logs.All() {
		line, err := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()).EncodeEntry(l.Entry, l.Context)
		if err != nil || line.Len() > 2000 {
			t.Errorf("line %d has %d bytes, %v", i, line.Len(), err)
		}
	}
	if r.logs.Len() != 1 { // the second is like the first
		t.Errorf("%d lines", r.logs.Len())
	}
}

func TestCallersRequestIDIsTakenOnlyWhenPrintable(t *testing.T) {
	r := newRig(t, Config{})
	for id, taken := range map[string]bool{"abc-1": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a b": false} {
		var header metadata.MD
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", id)
		if _, err := r.client.Submit(ctx, good(), grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		if got := header.Get("x-request-id"); len(got) != 1 || (got[0] == id) != taken {
			t.Errorf("id %q: header %v", id, got)
		}
	}
}

func TestHandlerIsGivenADeadline(t *testing.T) {
	r := newRig(t, Config{Deadline: 50 * time.Millisecond})
	r.submit = func(ctx context.Context, _ *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
		<-ctx.Done()
		return nil, errors.New("interrupted")
	}
	if _, err := r.client.Submit(t.Context(), good()); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	r = newRig(t, Config{Deadlines: map[string]time.Duration{reportingv1.ReportingService_Submit_FullMethodName: -1}})
	r.submit = func(ctx context.Context, _ *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
		if d, ok := ctx.Deadline(); ok {
			t.Errorf("an exempt method has the deadline %v", d)
		}
		return &reportingv1.SubmitResponse{}, nil
	}
	if _, err := r.client.Submit(context.Background(), good()); err != nil {
		t.Error(err)
	}
}

func TestLimitsOfTheServer(t *testing.T) {
	r := newRig(t, Config{})
	big := good()
	big.Submission.Note = strings.Repeat("x", 5<<20)
	if _, err := r.client.Submit(t.Context(), big); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message of 5 MiB: %v", err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "flood", strings.Repeat("x", 20<<10))
	if _, err := r.client.Submit(ctx, good()); err == nil {
		t.Error("headers of 20 KiB were taken")
	}
	if r.calls != 0 {
		t.Errorf("%d calls reached the handler", r.calls)
	}
}

func TestDeferredContentsAreLeftToTheHandler(t *testing.T) {
	r := newRig(t, Config{Deferred: func(m proto.Message) protoreflect.FullName {
		if b, ok := m.(*reportingv1.SubmitBatchRequest); ok && b.GetMode() == reportingv1.BatchMode_BATCH_MODE_PER_ITEM {
			return "cotmoc.reporting.v1.BatchItem"
		}
		return ""
	}})
	b := batch(3)
	b.Items[1].Submission.Unit = "BAD"
	b.Items[2].Submission.Note = "\u202e"
	if _, err := r.client.SubmitBatch(t.Context(), b); status.Code(err) != codes.InvalidArgument || r.calls != 0 {
		t.Errorf("all or nothing: %v", err)
	}
	b.Mode = reportingv1.BatchMode_BATCH_MODE_PER_ITEM
	if _, err := r.client.SubmitBatch(t.Context(), b); err != nil || r.calls != 1 {
		t.Errorf("per item: %v", err)
	}
	b.Programme = "BAD"
	if _, err := r.client.SubmitBatch(t.Context(), b); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a bad programme per item: %v", err)
	}
	if _, err := r.client.SubmitBatch(t.Context(), &reportingv1.SubmitBatchRequest{Programme: "p", Mode: b.Mode}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no items: %v", err)
	}
}

func TestStreamsAreCheckedAndLogged(t *testing.T) {
	r := newRig(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	w, err := healthv1.NewHealthClient(r.conn).Watch(ctx, &healthv1.HealthCheckRequest{Service: "a\u0000"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Recv()
	if e, _ := apierr.Parse(err); e.Field != "service" || e.Reason != errorv1.Reason_REASON_INVALID_FIELD {
		t.Errorf("got %v", err)
	}
	w, err = healthv1.NewHealthClient(r.conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recv(); err != nil {
		t.Fatal(err)
	}
	if h, _ := w.Header(); len(h.Get("x-request-id")) != 1 {
		t.Errorf("header %v", h)
	}
	cancel()
	for range 200 {
		if r.logs.Len() == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if l := r.logs.All(); len(l) != 2 || l[1].ContextMap()["code"] != "Canceled" {
		t.Errorf("lines %v", l)
	}
}

// BenchmarkUnary is what surrounds a handler, with its line of JSON.
func BenchmarkUnary(b *testing.B) {
	log, err := obs.NewLog(io.Discard, obs.JSON, "")
	if err != nil {
		b.Fatal(err)
	}
	s := newInterceptor(Config{Log: log, Metrics: obs.NewMetrics(obs.NewRegistry(), "reporting")})
	info := &grpc.UnaryServerInfo{FullMethod: reportingv1.ReportingService_Submit_FullMethodName}
	h := func(context.Context, any) (any, error) { return nil, nil }
	req := good()
	for b.Loop() {
		if _, err := s.unary(b.Context(), req, info, h); err != nil {
			b.Fatal(err)
		}
	}
}

func TestOnlyABatchMayBeLarge(t *testing.T) {
	r := newRig(t, Config{})
	large := good()
	large.Submission.Note = strings.Repeat("x", 2<<20)
	if _, err := r.client.Submit(t.Context(), large); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message of 2 MiB: %v", err)
	}
	of := batch(1)
	of.Items[0].Submission.Note = large.Submission.Note
	if _, err := r.client.SubmitBatch(t.Context(), of); status.Code(err) != codes.InvalidArgument { // for its note alone
		t.Errorf("a batch of 2 MiB: %v", err)
	}
}
