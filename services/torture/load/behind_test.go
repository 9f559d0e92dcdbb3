package load_test

import (
	"context"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
	"github.com/cotmoc/cotmoc/services/torture/check"
	"github.com/cotmoc/cotmoc/services/torture/load"
)

// pair is two replicas over one log in PostgreSQL, each on a server of its own.
type pair struct {
	addresses string // with a comma between
	nation    load.Nation
}

// newPair starts replicas whose servers treat calls as an interceptor does.
func newPair(t *testing.T, treat grpc.UnaryServerInterceptor) *pair {
	t.Helper()
	d := pgtest.Fresh(t)
	p := &pair{nation: load.Nation{Communes: 2}}
	clock := reporting.NewClock(load.Start())
	var addresses []string
	for i := range 2 {
		store, err := postgres.Open(t.Context(), postgres.Config{URL: d.App, PasswordFile: d.PasswordFile})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		engine, err := ledger.Open(t.Context(), ledger.Config[*book.Book]{Store: store, Empty: book.New, Now: clock.Now, Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = engine.Close(context.Background()) })
		if i == 0 {
			p.owe(t, engine)
		}
		service, err := reporting.New(reporting.Config{Engine: engine, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := rpc.NewServer(rpc.Config{Deferred: reporting.Deferred}, grpc.ChainUnaryInterceptor(treat))
		service.Register(server)
		grpc_health_v1.RegisterHealthServer(server, health.NewServer())
		go func() { _ = server.Serve(l) }()
		t.Cleanup(server.Stop)
		addresses = append(addresses, l.Addr().String())
	}
	p.addresses = strings.Join(addresses, ",")
	return p
}

// owe makes what the nation owes known, as a registry would.
func (p *pair) owe(t *testing.T, engine *reporting.Engine) {
	t.Helper()
	_, err := engine.Do(t.Context(), func(b *book.Book) error {
		for i, w := range p.nation.Writes() {
			c := &registryv1.Change{Revision: int64(i + 1)}
			switch r := w.GetResource().(type) {
			case *registryv1.Write_Unit:
				c.Resource = &registryv1.Change_Unit{Unit: r.Unit}
			case *registryv1.Write_Programme:
				c.Resource = &registryv1.Change_Programme{Programme: r.Programme}
			case *registryv1.Write_Target:
				c.Resource = &registryv1.Change_Target{Target: r.Target}
			}
			b.Registry(c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// play lets a crowd fight over a few cells, other ones each moment so that none gets too
// many operations to be decided, until there is enough to see.
func (p *pair) play(t *testing.T, enough func(map[check.Cell][]check.Op) bool) {
	t.Helper()
	crowd, err := load.NewCrowd(p.nation, 7, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = crowd.Close() }()
	var clients []*client.Client
	for range 4 {
		c, err := client.Dial(t.Context(), p.addresses, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		clients = append(clients, c)
	}
	over := time.Now().Add(playMost)
	for round := uint64(1); !enough(crowd.Ops()); round++ {
		if time.Now().After(over) {
			t.Errorf("not seen in %v, %+v", playMost, crowd.Figures())
			break
		}
		ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
		crowd.Run(ctx, load.Plan{Round: round, Workers: 4, Shared: 2, Fights: 100, Answer: 20 * time.Second, Clients: clients})
		stop()
	}
	if r := crowd.Refused(); !r.Held() {
		t.Error(r)
	}
}

// playMost bounds a play; a busy machine may need most of it.
const playMost = time.Minute

// askLess makes a replica answer one event below what a read asks for.
func askLess(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if r, ok := req.(*reportingv1.GetFigureRequest); ok && r.GetMinSequence() > 0 {
		less := proto.CloneOf(r)
		less.MinSequence--
		req = less
	}
	return handle(ctx, req)
}

// late makes receipts late, so that others learn of a revision by refusals first.
func late(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	resp, err := handle(ctx, req)
	if _, ok := req.(*reportingv1.SubmitRequest); ok && err == nil {
		time.Sleep(15 * time.Millisecond)
	}
	return resp, err
}

// nameless is late, and makes refusals name no event.
func nameless(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	resp, err := late(ctx, req, info, handle)
	if e, ok := apierr.Parse(err); ok {
		e.Metadata = maps.Clone(e.Metadata)
		delete(e.Metadata, "sequence")
		err = &e
	}
	return resp, err
}

func TestLinear_holds_on_two_replicas(t *testing.T) {
	newPair(t, late).play(t, func(ops map[check.Cell][]check.Op) bool {
		linear, asked := check.Linear(ops), check.Asked(ops)
		for _, r := range []*check.Report{linear, asked} {
			if len(r.Breaches) > 0 {
				t.Error(r)
			}
		}
		return t.Failed() || asked.Looked > 100 && linear.Looked > 500
	})
}

func TestLinear_catches_a_replica_that_answers_one_event_below(t *testing.T) {
	newPair(t, askLess).play(t, func(ops map[check.Cell][]check.Op) bool {
		return caught(t, check.Linear(ops), "have no order") && caught(t, check.Asked(ops), "was answered as of")
	})
}

func TestLinear_catches_refusals_that_name_no_event(t *testing.T) {
	newPair(t, nameless).play(t, func(ops map[check.Cell][]check.Op) bool {
		return caught(t, check.Linear(ops), "have no order")
	})
}

// caught reports whether a checker is red, in these words, and logs what it says.
func caught(t *testing.T, r *check.Report, words string) bool {
	red := strings.Contains(strings.Join(r.Breaches, "\n"), words)
	if red {
		t.Log(r)
	}
	return red
}
