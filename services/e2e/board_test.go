package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// board reads the last values of a target until they are as wanted, by path.
func board(t *testing.T, r *rig, want map[string]*typev1.Tally) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := map[string]*typev1.Tally{}
	err := event.Progress(ctx, event.ProgressConfig{Conn: r.nats(t), Events: r.events, Subscription: "board", Subjects: []string{"cotmoc.p.progress.changed.cards.>"}},
		func(_ context.Context, p *eventv1.ProgressChanged) error {
			got[p.GetPath()] = p.GetCurrent()
			if cmp.Equal(want, got, protocmp.Transform()) {
				cancel()
			}
			return nil
		})
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Fatalf("the board: %v (-want +got):\n%s", err, diff)
	}
}

// TestBoardAfterAMove moves a district with its commune to another province, and
// then the commune back: no total stays where it no longer is.
func TestBoardAfterAMove(t *testing.T) {
	r := inProcess(t)
	country := unit("vn", "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country")
	r.owe(t, country, unit("79", "vn", typev1.UnitKind_UNIT_KIND_PROVINCE, "province"), unit("80", "vn", typev1.UnitKind_UNIT_KIND_PROVINCE, "province"),
		unit("760", "79", typev1.UnitKind_UNIT_KIND_DISTRICT, "district"), unit("1", "760", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"),
		programme(), target("cards", typev1.ValueKind_VALUE_KIND_COUNT, nil))
	r.submit(t, "1", count("1", "cards", "2022-M01", 7))
	seven, nothing := &typev1.Tally{Numerator: 7, Reporting: 1, Expected: 1}, &typev1.Tally{}
	board(t, r, map[string]*typev1.Tally{"vn": seven, "vn.79": seven, "vn.79.760": seven})

	move := func(w *registryv1.Write, to, from string) {
		u := w.GetUnit()
		u.Placements = append(u.Placements, &registryv1.Placement{FromDate: from, Parent: to,
			Kind: u.Placements[0].GetKind(), Level: u.Placements[0].GetLevel()})
		r.owe(t, w)
	}
	move(unit("760", "79", typev1.UnitKind_UNIT_KIND_DISTRICT, "district"), "80", "2022-01-02")
	board(t, r, map[string]*typev1.Tally{"vn": seven, "vn.79": nothing, "vn.79.760": nothing, "vn.80": seven, "vn.80.760": seven})

	move(unit("1", "760", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"), "79", "2022-01-03")
	board(t, r, map[string]*typev1.Tally{"vn": seven, "vn.79": seven, "vn.79.760": nothing, "vn.80": nothing, "vn.80.760": nothing})
	verify(t, r)
}
