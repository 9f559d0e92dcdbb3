package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/client"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// service counts each request id once, and fails as its script says.
type service struct {
	reportingv1.UnimplementedReportingServiceServer
	t       testing.TB
	address string
	grpc    *grpc.Server

	mu     sync.Mutex
	script []func(context.Context) error // what comes of each attempt; nil or none: OK
	ids    []string                      // of each attempt
	parts  []*reportingv1.SubmitBatchRequest
	counts map[string]uint64 // receipts by request id
	items  func(part int, item *reportingv1.BatchItem) *reportingv1.ItemError
}

func newService(t testing.TB) *service {
	s := &service{t: t, address: "127.0.0.1:0", counts: map[string]uint64{}}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *service) start() {
	s.t.Helper()
	var l net.Listener
	var err error
	for range 100 { // the port of before may be busy for a moment
		if l, err = net.Listen("tcp", s.address); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.HasSuffix(s.address, ":0") {
		s.address = l.Addr().String()
	}
	g := grpc.NewServer()
	reportingv1.RegisterReportingServiceServer(g, s)
	s.mu.Lock()
	s.grpc = g
	s.mu.Unlock()
	go func() { _ = g.Serve(l) }()
}

// stop ends the service with all calls under way.
func (s *service) stop() {
	s.mu.Lock()
	g := s.grpc
	s.mu.Unlock()
	g.Stop()
}

// step is what the script says of the attempt that just came.
func (s *service) step(ctx context.Context, n int) error {
	s.mu.Lock()
	var f func(context.Context) error
	if n < len(s.script) {
		f = s.script[n]
	}
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx)
}

func (s *service) Submit(ctx context.Context, r *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	s.mu.Lock()
	s.ids = append(s.ids, r.GetRequestId())
	n := len(s.ids) - 1
	s.mu.Unlock()
	if err := s.step(ctx, n); err != nil {
		return nil, err
	}
	return &reportingv1.SubmitResponse{Receipt: &reportingv1.Receipt{Sequence: s.count(r.GetRequestId())}}, nil
}

// count gives a request id its one number.
func (s *service) count(id string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts[id] == 0 {
		s.counts[id] = uint64(len(s.counts) + 1)
	}
	return s.counts[id]
}

func (s *service) SubmitBatch(ctx context.Context, r *reportingv1.SubmitBatchRequest) (*reportingv1.SubmitBatchResponse, error) {
	s.mu.Lock()
	s.parts = append(s.parts, r)
	n := len(s.parts) - 1
	s.mu.Unlock()
	if err := s.step(ctx, n); err != nil {
		return nil, err
	}
	resp := &reportingv1.SubmitBatchResponse{}
	for _, item := range r.GetItems() {
		res := &reportingv1.BatchResult{}
		if s.items != nil {
			res.Error = s.items(n, item)
		}
		if res.Error == nil {
			res.Receipt = &reportingv1.Receipt{Sequence: s.count(item.GetRequestId())}
		}
		resp.Results = append(resp.Results, res)
	}
	return resp, nil
}

func (s *service) dial(o client.Options) *client.Client {
	s.t.Helper()
	c, err := client.Dial(s.t.Context(), s.address, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func says(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func report() *reportingv1.Submission {
	return &reportingv1.Submission{Unit: "79", Target: "chip-cards", Period: "2022-M07", Value: &reportingv1.Submission_Count{Count: 1}}
}

func TestSubmitMakesAnIDAndKeepsItOverAttempts(t *testing.T) {
	s := newService(t)
	s.script = []func(context.Context) error{
		says(status.Error(codes.Unavailable, "starting")),
		says(apierr.New(codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE, "", "stopping")),
		says(status.Error(codes.Internal, "stream terminated by RST_STREAM")),
		says(status.Error(codes.Canceled, "server stopped")),
		says(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "", "busy")),
	}
	r, err := s.dial(client.Options{}).Submit(t.Context(), "de-an-06", report())
	if err != nil || r.GetSequence() != 1 {
		t.Fatalf("Submit = %v, %v", r, err)
	}
	if len(s.ids) != 6 || len(slices.Compact(slices.Clone(s.ids))) != 1 {
		t.Errorf("attempts under %v", s.ids)
	}
	if u, err := uuid.Parse(s.ids[0]); err != nil || u.Version() != 7 {
		t.Errorf("id %s, %v", s.ids[0], err)
	}
}

func TestSubmitDoesNotRepeatWhatIsRefused(t *testing.T) {
	for _, e := range []error{
		apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, "submission.period", "bad"),
		apierr.New(codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH, "", "stale"),
		apierr.New(codes.AlreadyExists, errorv1.Reason_REASON_REQUEST_ID_REUSED, "", "reused"),
		apierr.New(codes.Internal, errorv1.Reason_REASON_INTERNAL, "", "a defect"),
		status.Error(codes.ResourceExhausted, "grpc: received message larger than max"),
		status.Error(codes.Unimplemented, "unknown service"),
	} {
		s := newService(t)
		s.script = []func(context.Context) error{says(e)}
		_, err := s.dial(client.Options{}).Submit(t.Context(), "p", report(), client.WithRequestID("r-1"))
		if status.Code(err) != status.Code(e) || apierr.ReasonOf(err) != apierr.ReasonOf(e) {
			t.Errorf("%v came as %v", e, err)
		}
		if !slices.Equal(s.ids, []string{"r-1"}) {
			t.Errorf("%v: attempts under %v", e, s.ids)
		}
	}
}

func TestSubmitWaitsAsLongAsTheServerAsks(t *testing.T) {
	s := newService(t)
	s.script = []func(context.Context) error{
		says(apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "", "busy"), 400*time.Millisecond)),
	}
	var told []time.Duration
	c := s.dial(client.Options{OnRetry: func(_ int, _ error, d time.Duration) { told = append(told, d) }})
	start := time.Now()
	if _, err := c.Submit(t.Context(), "p", report()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < 400*time.Millisecond || d > 2*time.Second || len(told) != 1 || told[0] != 400*time.Millisecond {
		t.Errorf("waited %v, told %v", d, told)
	}
}

func TestSubmitRepeatsAnAttemptThatHangs(t *testing.T) {
	s := newService(t)
	s.script = []func(context.Context) error{func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	r, err := s.dial(client.Options{Attempt: 100 * time.Millisecond}).Submit(t.Context(), "p", report())
	if err != nil || r.GetSequence() != 1 || len(s.ids) != 2 || s.ids[0] != s.ids[1] {
		t.Errorf("Submit = %v, %v; attempts %v", r, err, s.ids)
	}
}

func TestSubmitWhoseAnswerIsLostIsCountedOnce(t *testing.T) {
	s := newService(t)
	c := s.dial(client.Options{})
	s.script = []func(context.Context) error{func(context.Context) error {
		s.count(s.ids[0]) // durable, and then
		go s.stop()       // the process ends
		time.Sleep(50 * time.Millisecond)
		return nil
	}}
	go func() {
		time.Sleep(500 * time.Millisecond)
		s.start()
	}()
	r, err := c.Submit(t.Context(), "p", report())
	if err != nil || r.GetSequence() != 1 || len(s.counts) != 1 || len(s.ids) != 2 {
		t.Errorf("Submit = %v, %v; counted %v, attempts %v", r, err, s.counts, s.ids)
	}
}

func TestSubmitEndsWithItsContext(t *testing.T) {
	s := newService(t)
	c := s.dial(client.Options{})
	busy := apierr.New(codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE, "", "no room")
	s.script = slices.Repeat([]func(context.Context) error{says(busy)}, 1000)
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	req := &reportingv1.SubmitRequest{Programme: "p", Submission: report()}
	_, err := c.Send(ctx, req)
	if !errors.Is(err, context.DeadlineExceeded) || !apierr.Is(err, errorv1.Reason_REASON_UNAVAILABLE) {
		t.Errorf("Send = %v", err)
	}
	if n := len(s.ids); n < 2 || n > 10 {
		t.Errorf("%d attempts in 600 ms", n)
	}
	if req.GetRequestId() == "" || req.GetRequestId() != s.ids[0] {
		t.Errorf("the caller knows the id as %q", req.GetRequestId())
	}
}

func TestSubmitThatCannotBeEncodedFailsAtOnce(t *testing.T) {
	s := newService(t)
	bad := report()
	bad.Note = "\xff"
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	start := time.Now()
	if _, err := s.dial(client.Options{}).Submit(ctx, "p", bad); err == nil || time.Since(start) > time.Second || len(s.ids) != 0 {
		t.Errorf("Submit = %v after %v", err, time.Since(start))
	}
}

func items(n int) *reportingv1.SubmitBatchRequest {
	r := &reportingv1.SubmitBatchRequest{Programme: "p", Mode: reportingv1.BatchMode_BATCH_MODE_PER_ITEM}
	for i := range n {
		sub := report()
		sub.Unit = fmt.Sprint(i)
		r.Items = append(r.Items, &reportingv1.BatchItem{Submission: sub})
	}
	return r
}

func TestSubmitBatchSendsOnlyUnansweredItemsAgain(t *testing.T) {
	s := newService(t)
	s.script = []func(context.Context) error{says(status.Error(codes.Unavailable, "starting"))}
	s.items = func(part int, item *reportingv1.BatchItem) *reportingv1.ItemError {
		at := slices.IndexFunc(s.parts[part].GetItems(), func(i *reportingv1.BatchItem) bool { return i.GetRequestId() == item.GetRequestId() })
		e := &reportingv1.ItemError{Code: uint32(codes.ResourceExhausted), Reason: "BUSY"}
		switch unit := item.GetSubmission().GetUnit(); {
		case unit == "1" && part < 3, unit == "3" && part < 2:
			return e
		case unit == "3":
			return &reportingv1.ItemError{
				Code: uint32(codes.NotFound), Reason: "UNIT_NOT_FOUND", Field: fmt.Sprintf("items[%d].submission.unit", at),
			}
		}
		return nil
	}
	req := items(5)
	resp, err := s.dial(client.Options{}).SubmitBatch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, p := range s.parts {
		sizes = append(sizes, len(p.GetItems()))
		if p.GetMode() != req.GetMode() || p.GetProgramme() != "p" {
			t.Errorf("part %v", p)
		}
	}
	if !slices.Equal(sizes, []int{5, 5, 2, 1}) {
		t.Errorf("parts of %v items", sizes)
	}
	for i, r := range resp.GetResults() {
		id := req.GetItems()[i].GetRequestId()
		if i == 3 {
			if e := r.GetError(); e.GetReason() != "UNIT_NOT_FOUND" || e.GetField() != "items[3].submission.unit" {
				t.Errorf("item 3: %v", e)
			}
			continue
		}
		if r.GetError() != nil || r.GetReceipt().GetSequence() != s.counts[id] || s.counts[id] == 0 {
			t.Errorf("item %d: %v", i, r)
		}
	}
	if len(s.counts) != 4 {
		t.Errorf("counted %v", s.counts)
	}
}

func TestSubmitBatchNeverBreaksUpAllOrNothing(t *testing.T) {
	s := newService(t)
	s.items = func(int, *reportingv1.BatchItem) *reportingv1.ItemError {
		return &reportingv1.ItemError{Code: uint32(codes.Unavailable)}
	}
	req := items(2)
	req.Mode = reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING
	resp, err := s.dial(client.Options{}).SubmitBatch(t.Context(), req)
	if err != nil || len(s.parts) != 1 || len(resp.GetResults()) != 2 {
		t.Errorf("SubmitBatch = %v, %v in %d parts", resp, err, len(s.parts))
	}
}

func TestSubmitBatchGivesWhatItHasWhenItsContextEnds(t *testing.T) {
	s := newService(t)
	s.items = func(_ int, item *reportingv1.BatchItem) *reportingv1.ItemError {
		if item.GetSubmission().GetUnit() == "1" {
			return &reportingv1.ItemError{Code: uint32(codes.Unavailable), Reason: "UNAVAILABLE"}
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	resp, err := s.dial(client.Options{}).SubmitBatch(ctx, items(3))
	if !errors.Is(err, context.DeadlineExceeded) || len(resp.GetResults()) != 3 {
		t.Fatalf("SubmitBatch = %v, %v", resp, err)
	}
	if r := resp.GetResults(); r[0].GetReceipt() == nil || r[1].GetError() == nil || r[2].GetReceipt() == nil {
		t.Errorf("results %v", r)
	}
}

func TestDial(t *testing.T) {
	for _, address := range []string{"10.0.0.1:7060", "example.org:7060", "0.0.0.0:7060", ":7060", "127.0.0.1", "[::]:1"} {
		if _, err := client.Dial(t.Context(), address, client.Options{}); err == nil {
			t.Errorf("%s was dialled", address)
		}
	}
	s := newService(t)
	s.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := client.Dial(ctx, s.address, client.Options{}); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), s.address) {
		t.Errorf("nobody there: %v", err)
	}
	go func() {
		time.Sleep(300 * time.Millisecond)
		s.start()
	}()
	c := s.dial(client.Options{})
	if _, err := c.Submit(t.Context(), "p", report()); err != nil {
		t.Errorf("a service that came later: %v", err)
	}
}

func TestManyCallersOverRestartsAreEachCountedOnce(t *testing.T) {
	s := newService(t)
	c := s.dial(client.Options{Attempt: 2 * time.Second})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for range 8 {
		wg.Go(func() {
			for range 40 {
				r, err := c.Submit(t.Context(), "p", proto.CloneOf(report()))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[r.GetSequence()] {
					t.Errorf("the receipt %d was given twice", r.GetSequence())
				}
				seen[r.GetSequence()] = true
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for range 3 {
		time.Sleep(60 * time.Millisecond)
		s.stop()
		s.start()
	}
	wg.Wait()
	if len(seen) != 320 || len(s.counts) != 320 {
		t.Errorf("%d receipts, %d counted", len(seen), len(s.counts))
	}
}
