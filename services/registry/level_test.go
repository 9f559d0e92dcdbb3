package registry_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/registry"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// release opens a service of a release on the rig's store, beside the rig's own.
func (r *rig) release(level uint32) (*registry.Service, *ledger.Engine[*book.Book]) {
	r.t.Helper()
	return r.releaseOn(r.store, level)
}

// releaseOn is release by a way of its own to the rig's store.
func (r *rig) releaseOn(store ledger.Store, level uint32) (*registry.Service, *ledger.Engine[*book.Book]) {
	r.t.Helper()
	e, err := ledger.Open(r.t.Context(), ledger.Config[*book.Book]{Store: store, Empty: book.New, Follow: true, Level: level})
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := registry.New(registry.Config{Engine: e, Heartbeat: 50 * time.Millisecond})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		s.Stop()
		if err := e.Close(context.Background()); err != nil {
			r.t.Error(err)
		}
	})
	return s, e
}

func TestRaiseLevel(t *testing.T) {
	r := newRig(t)
	r.seed()
	old, oldEngine := r.release(1)
	next, nextEngine := r.release(2)
	raise := func(s *registry.Service, level uint32) (int64, error) {
		resp, err := s.RaiseLevel(t.Context(), &registryv1.RaiseLevelRequest{Level: level, Reason: "all run the new release"})
		return resp.GetRevision(), err
	}
	for _, c := range []struct {
		name   string
		s      *registry.Service
		level  uint32
		reason errorv1.Reason
	}{
		{"by a release that cannot write it", old, 2, errorv1.Reason_REASON_NOT_DECLARABLE},
		{"to what it is", next, 1, errorv1.Reason_REASON_EPOCH_MISMATCH},
		{"by two", next, 3, errorv1.Reason_REASON_EPOCH_MISMATCH},
	} {
		_, err := raise(c.s, c.level)
		if e, _ := apierr.Parse(err); e.Code != codes.FailedPrecondition || e.Reason != c.reason || e.Field != "level" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	head := nextEngine.Head()
	at, err := raise(next, 2)
	if err != nil || at != int64(head.Sequence)+1 || nextEngine.Head().Level != 2 {
		t.Fatalf("%d, %v, %+v", at, err, nextEngine.Head())
	}
	if _, err := raise(next, 2); err == nil {
		t.Error("raised twice")
	}
	for deadline := time.Now().Add(time.Minute); !errors.Is(oldEngine.Err(), ledger.ErrLevel); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the old release goes on")
		}
	}
	replayed, _, err := nextEngine.Replay(t.Context(), uint64(at))
	if err != nil || replayed == nil {
		t.Fatal(err)
	}
}

func TestReadThroughAnotherReplicaSeesAWrite(t *testing.T) {
	r := newRig(t)
	other, _ := r.release(1)
	r.seed()
	units, err := other.ListUnits(t.Context(), &registryv1.ListUnitsRequest{})
	if err != nil || len(units.GetUnits()) == 0 {
		t.Errorf("%d units, %v", len(units.GetUnits()), err)
	}
}

// sink is a watch that is served without a wire.
type sink struct {
	grpc.ServerStream
	ctx context.Context
}

func (s sink) Context() context.Context                     { return s.ctx }
func (s sink) Send(*registryv1.WatchRegistryResponse) error { return nil }

// cutOff is a store that can be out of reach.
type cutOff struct {
	ledger.Store
	away atomic.Bool
}

func (c *cutOff) Head(ctx context.Context) (ledger.Head, error) {
	if c.away.Load() {
		return ledger.Head{}, errors.New("no way to the database")
	}
	return c.Store.Head(ctx)
}

func TestWatchEndsAtAReplicaThatSeesNoMoreOfTheLog(t *testing.T) {
	for name, stop := range map[string]func(*rig, *cutOff){
		"level raised": func(r *rig, _ *cutOff) {
			next, _ := r.release(2)
			if _, err := next.RaiseLevel(t.Context(), &registryv1.RaiseLevelRequest{Level: 2, Reason: "all are new"}); err != nil {
				t.Fatal(err)
			}
		},
		"database out of reach": func(_ *rig, c *cutOff) { c.away.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.seed()
			c := &cutOff{Store: r.store}
			s, _ := r.releaseOn(c, 1)
			ended := make(chan error, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() { ended <- s.WatchRegistry(&registryv1.WatchRegistryRequest{}, sink{ctx: ctx}) }()
			time.Sleep(200 * time.Millisecond)
			stop(r, c)
			err := <-ended
			if e, _ := apierr.Parse(err); !errors.Is(err, ledger.ErrEnded) && e.Code != codes.Unavailable {
				t.Errorf("the watch goes on: %v", err)
			}
		})
	}
}
