package registry_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/registry"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// seeded is a service with the small tree, without a server.
func seeded(f *testing.F) *registry.Service {
	f.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(f.TempDir(), "registry.db"))
	if err != nil {
		f.Fatal(err)
	}
	engine, err := ledger.Open(ctx, ledger.Config[*book.Book]{Store: store, Empty: book.New})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := engine.Close(ctx); err != nil {
			f.Error(err)
		}
		store.Close()
	})
	s, err := registry.New(registry.Config{Engine: engine})
	if err != nil {
		f.Fatal(err)
	}
	_, err = s.BatchWrite(ctx, batch(
		newUnit("vn", "", country, "country"), newUnit("bca", "vn", ministry, "central"),
		newUnit("79", "vn", province, "province"), newUnit("760", "79", district, "district"),
		newProgramme(), newTask("n1"), newTarget("cards", typev1.ValueKind_VALUE_KIND_COUNT), newAllocation("cards", "79", 1),
	))
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// answered fails on an error that was not made for callers.
func answered(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := apierr.Parse(err)
	if !ok || e.Code == codes.Internal || e.Code == codes.Unknown || len(e.Violations) == 0 {
		t.Fatalf("not an answer: %v", err)
	}
}

func FuzzBatchWrite(f *testing.F) {
	s, check := seeded(f), rpc.NewChecker()
	for _, m := range []proto.Message{
		newUnit("79", "760", province, "province"), newProgramme(), newTask("n2"),
		newTarget("cards", typev1.ValueKind_VALUE_KIND_RATIO), newAllocation("cards", "vn", 3),
		newCalendar("statistical"), newRegime("month"), goodOnes()["growth that compounds from nothing"],
		goodOnes()["checks of all kinds, and two averages"],
	} {
		raw, err := proto.Marshal(batch(m, newUnit("02", "vn", province, "province")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &registryv1.BatchWriteRequest{}
		if proto.Unmarshal(raw, req) != nil || check.Check(req) != nil {
			return
		}
		req.ValidateOnly = true
		_, err := s.BatchWrite(context.Background(), req)
		answered(t, err)
	})
}

func FuzzUpdateMask(f *testing.F) {
	s := seeded(f)
	target := newTarget("cards", typev1.ValueKind_VALUE_KIND_COUNT)
	target.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 9}
	for _, path := range []string{"*", "goal", "goal.value", "due.latest_date", "milestones.thresholds", "name", "goal.", ".", "applicability.units.x"} {
		f.Add(path, "display_name")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		req := &registryv1.UpdateTargetRequest{Target: target, UpdateMask: mask(one, two), ValidateOnly: true}
		_, err := s.UpdateTarget(context.Background(), req)
		answered(t, err)
	})
}
