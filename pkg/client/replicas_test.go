package client_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// replica counts calls, and what reads ask it to have seen.
type replica struct {
	reportingv1.UnimplementedReportingServiceServer
	reportingv1.UnimplementedProgressServiceServer
	address string
	health  *health.Server
	calls   atomic.Int64
	away    atomic.Int64 // so many reads are answered by UNAVAILABLE

	mu    sync.Mutex
	asked []uint64
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{address: l.Addr().String(), health: health.NewServer()}
	g := grpc.NewServer()
	reportingv1.RegisterReportingServiceServer(g, r)
	reportingv1.RegisterProgressServiceServer(g, r)
	grpc_health_v1.RegisterHealthServer(g, r.health)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	return r
}

func (r *replica) Submit(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	return &reportingv1.SubmitResponse{Receipt: &reportingv1.Receipt{Sequence: uint64(100 * r.calls.Add(1))}}, nil
}

func (r *replica) GetFigure(_ context.Context, req *reportingv1.GetFigureRequest) (*reportingv1.GetFigureResponse, error) {
	r.calls.Add(1)
	if r.away.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "going away")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, req.GetMinSequence())
	return &reportingv1.GetFigureResponse{Figure: &reportingv1.Figure{Sequence: 50}}, nil
}

func open(t *testing.T, addresses string, o client.Options) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, addresses, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// eventually calls until a replica has a call more than it had.
func eventually(t *testing.T, c *client.Client, r *replica) {
	t.Helper()
	before := r.calls.Load()
	for began := time.Now(); r.calls.Load() == before; time.Sleep(time.Millisecond) {
		if _, err := c.Submit(t.Context(), "p", report()); err != nil || time.Since(began) > time.Minute {
			t.Fatalf("%s is not called: %v", r.address, err)
		}
	}
}

func TestCallsGoInTurnToReplicasThatServe(t *testing.T) {
	a, b := newReplica(t), newReplica(t)
	c := open(t, a.address+", "+b.address, client.Options{})
	eventually(t, c, a)
	eventually(t, c, b)
	b.health.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	time.Sleep(100 * time.Millisecond) // it is told by a stream
	before := b.calls.Load()
	for range 50 {
		if _, err := c.Submit(t.Context(), "p", report()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.calls.Load() - before; n != 0 {
		t.Errorf("a replica that does not serve got %d calls", n)
	}
	any := open(t, a.address+","+b.address, client.Options{Unready: true})
	eventually(t, any, b)
	b.health.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	eventually(t, c, b)
}

func TestReadsAskForWhatTheCallerHasSeen(t *testing.T) {
	r := newReplica(t)
	session := &client.Session{}
	writer := open(t, r.address, client.Options{Session: session})
	reader := open(t, r.address, client.Options{Session: session})
	stale := open(t, r.address, client.Options{Session: session, StaleReads: true})
	other := open(t, r.address, client.Options{})
	read := func(c *client.Client, req *reportingv1.GetFigureRequest) uint64 {
		t.Helper()
		before := proto.CloneOf(req)
		if _, err := c.Progress().GetFigure(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(before, req) {
			t.Errorf("the caller's request was changed to %v", req)
		}
		return r.asked[len(r.asked)-1]
	}
	if got := read(reader, &reportingv1.GetFigureRequest{}); got != 0 {
		t.Errorf("nothing was seen, and %d is asked for", got)
	}
	if got := read(reader, &reportingv1.GetFigureRequest{}); got != 50 {
		t.Errorf("after an answer of event 50, %d is asked for", got)
	}
	receipt, err := writer.Submit(t.Context(), "p", report())
	if err != nil {
		t.Fatal(err)
	}
	if got := read(reader, &reportingv1.GetFigureRequest{}); got != receipt.GetSequence() || got != session.Sequence() {
		t.Errorf("after receipt %d, %d is asked for", receipt.GetSequence(), got)
	}
	if got := read(reader, &reportingv1.GetFigureRequest{MinSequence: 7}); got != 7 {
		t.Errorf("what the caller asks for itself is %d, not 7", got)
	}
	if got := read(stale, &reportingv1.GetFigureRequest{}); got != 0 {
		t.Errorf("a client that takes stale reads asks for %d", got)
	}
	if got := read(other, &reportingv1.GetFigureRequest{}); got != 0 {
		t.Errorf("a client that has seen nothing asks for %d", got)
	}
}

func TestReadsAreMadeAgain(t *testing.T) {
	r := newReplica(t)
	c := open(t, r.address, client.Options{})
	r.away.Store(3)
	if _, err := c.Progress().GetFigure(t.Context(), &reportingv1.GetFigureRequest{}); err != nil {
		t.Errorf("a read that was refused three times in passing: %v", err)
	}
}

func TestTLSNeedsItsFiles(t *testing.T) {
	for _, o := range []*client.TLS{{}, {CA: "client.go"}, {CA: "nowhere"}} {
		if c, err := client.Open("example.org:7600", client.Options{TLS: o}); err == nil {
			_ = c.Close()
			t.Errorf("%+v was taken", o)
		}
	}
}
