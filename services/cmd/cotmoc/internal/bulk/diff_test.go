package bulk

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

func TestDiffNamesEachField(t *testing.T) {
	before := &registryv1.Target{
		DisplayName: "Cards", ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Decimals: 2,
		Applicability: &registryv1.Applicability{Levels: []string{"province", "district"}},
		Goal:          &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 10, Baseline: proto.Int64(0)},
		Pillar:        "a",
	}
	after := proto.CloneOf(before)
	if d := Diff(before, after); len(d) != 0 {
		t.Fatalf("equal messages differ: %v", d)
	}
	after.DisplayName = "Cards issued"
	after.Decimals = 0
	after.PercentDecimals = proto.Uint32(0)
	after.Applicability.Levels = []string{"province", "commune", "district"}
	after.Goal.Value = 20
	after.Goal.Baseline = nil
	after.Due = &registryv1.DueWindow{LatestDate: "2022-12-31"}
	after.ValueKind = typev1.ValueKind_VALUE_KIND_RATIO
	var got []string
	for _, d := range Diff(before, after) {
		got = append(got, d.String())
	}
	want := `~ display_name: "Cards" → "Cards issued"
~ value_kind: VALUE_KIND_COUNT → VALUE_KIND_RATIO
~ decimals: 2 → 0
+ percent_decimals: 0
~ applicability.levels[1]: "district" → "commune"
+ applicability.levels[2]: "district"
~ goal.value: 10 → 20
- goal.baseline: 0
+ due: {"latest_date":"2022-12-31"}`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestDiffOfListsOfMessages(t *testing.T) {
	before := &registryv1.Unit{Placements: []*registryv1.Placement{{FromDate: "2022-01-01", Parent: "vn"}, {FromDate: "2022-09-01", Parent: "79"}}}
	after := &registryv1.Unit{Placements: []*registryv1.Placement{{FromDate: "2022-01-01", Parent: "01"}}}
	var got []string
	for _, d := range Diff(before, after) {
		got = append(got, d.String())
	}
	want := "~ placements[0].parent: \"vn\" → \"01\"\n- placements[1]: {\"from_date\":\"2022-09-01\",\"parent\":\"79\"}"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestSummaryCountsChanges(t *testing.T) {
	got := Summary([]Change{{New: true}, {}, {Differences: []Difference{{Path: "x"}}}, {}})
	if want := (Counts{Created: 1, Updated: 1, Unchanged: 2}); got != want {
		t.Errorf("got %v", got)
	}
}

func TestExplainPointsAtTheResource(t *testing.T) {
	b := Batch{Lines: []int{2, 7}, Writes: []*registryv1.Write{
		{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{Name: "units/a"}}},
		{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{Name: "units/b"}}},
	}}
	refused := apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_BAD_REFERENCE, "writes[1].unit.placements[0].parent", "there is no unit x")
	got := b.explain(refused).Error()
	if want := "line 7: units/b: BAD_REFERENCE: there is no unit x (writes[1].unit.placements[0].parent)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	b.Lines = nil
	if got := b.explain(refused).Error(); !strings.HasPrefix(got, "units/b: BAD_REFERENCE") {
		t.Errorf("got %s", got)
	}
	outside := apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, "writes", "too many")
	if got, want := b.explain(outside).Error(), "INVALID_FIELD: too many (writes)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
