package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// movedRig has 26737 go from 79 to 01 on 2022-07-01, with lists of items of June.
func movedRig(t *testing.T) *locked {
	t.Helper()
	l := newLocked(t, 0)
	l.furnish(t)
	commune := typev1.UnitKind_UNIT_KIND_COMMUNE
	moved := unit("26737", "79", commune, "commune")
	moved.GetUnit().Placements = append(moved.GetUnit().Placements,
		&registryv1.Placement{FromDate: "2022-07-01", Parent: "01", Kind: commune, Level: "commune"})
	l.owe(t, moved, target("share", typev1.ValueKind_VALUE_KIND_RATIO, nil), target("forms", typev1.ValueKind_VALUE_KIND_RATIO, nil))
	l.at(t, time.Date(2022, 6, 30, 9, 0, 0, 0, start.Location()))
	l.submit(t, "share-june", sentFor("share", byUnit("26737"), inPeriod("2022-M06"), itemsOf("cư trú", "hộ chiếu")))
	l.submit(t, "forms-june", sentFor("forms", byUnit("26737"), inPeriod("2022-M06"), itemsOf("khai sinh")))
	l.submit(t, "cards-june", count("26737", "cards", "2022-M06", 5))
	l.at(t, time.Date(2022, 8, 15, 9, 0, 0, 0, start.Location()))
	return l
}

// TestItemsOfAnotherTimeAreNotTold: a union of the newest lists is for those whose the
// unit was when each was sent, and now.
func TestItemsOfAnotherTimeAreNotTold(t *testing.T) {
	l := movedRig(t)
	check := func(when, period string, want map[string]string) {
		t.Helper()
		for who, names := range want {
			resp, err := reportingv1.NewProgressServiceClient(l.as(t, "reader/"+who)).UnionItems(t.Context(), &reportingv1.UnionItemsRequest{
				Programme: "p", Targets: []string{"share", "forms"}, Unit: "26737", Period: period})
			var got []string
			for _, item := range resp.GetItems() {
				got = append(got, item.GetName())
			}
			slices.Sort(got)
			said := strings.Join(got, ", ")
			if r := refusalOf(err); err != nil {
				said = r.code.String() + " " + r.fields
			}
			if said != names {
				t.Errorf("%s: reader/%s of %q sees %q, want %q", when, who, period, said, names)
			}
		}
	}
	const june, no = "cư trú, hộ chiếu, khai sinh", "PermissionDenied unit"
	check("after the move", "", map[string]string{"01": no, "79": no, "vn": june, "26737": june, "26734": no})
	check("after the move", "2022-M06", map[string]string{"01": no, "79": june, "vn": june, "26737": june, "26734": no})
	l.submit(t, "share-july", sentFor("share", byUnit("26737"), inPeriod("2022-M07"), itemsOf("căn cước")))
	check("when one list is new", "", map[string]string{"01": no, "79": no, "vn": "căn cước, khai sinh"})
	l.submit(t, "forms-july", sentFor("forms", byUnit("26737"), inPeriod("2022-M07"), itemsOf("kết hôn")))
	check("when both are new", "", map[string]string{"01": "căn cước, kết hôn", "79": no, "vn": "căn cước, kết hôn"})
}

// TestWhatWasKnownThenIsJudgedThen: a figure without a period, as it was known at a time,
// is for those whose the unit was on that day.
func TestWhatWasKnownThenIsJudgedThen(t *testing.T) {
	l := movedRig(t)
	june, august := timestamppb.New(time.Date(2022, 6, 30, 9, 0, 1, 0, start.Location())), timestamppb.New(time.Date(2022, 8, 15, 9, 0, 0, 0, start.Location()))
	requests := func(at *timestamppb.Timestamp) map[string]proto.Message {
		key := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "26737", Basis: typev1.Basis_BASIS_REPORTED, KnownAt: at}
		return map[string]proto.Message{
			"ProgressService/GetFigure":          &reportingv1.GetFigureRequest{Key: key},
			"ProgressService/ListFigures":        &reportingv1.ListFiguresRequest{Key: key},
			"ProgressService/CountByKind":        &reportingv1.CountByKindRequest{Key: key},
			"ProgressService/Explain":            &reportingv1.ExplainRequest{Key: key},
			"MonitoringService/ListObligations":  &reportingv1.ListObligationsRequest{Programme: "p", Target: "plan", Unit: "26737", KnownAt: at},
			"MonitoringService/CountObligations": &reportingv1.CountObligationsRequest{Programme: "p", Target: "plan", Unit: "26737", KnownAt: at},
			"MonitoringService/GetTimeliness":    &reportingv1.GetTimelinessRequest{Programme: "p", Unit: "26737", KnownAt: at, CountingBasis: typev1.CountingBasis_COUNTING_BASIS_TASK, Form: typev1.TaskForm_TASK_FORM_TASK},
		}
	}
	for _, c := range []struct {
		who  string
		at   *timestamppb.Timestamp
		want rune
	}{{"79", june, passed}, {"01", june, denied}, {"26737", june, passed}, {"vn", june, passed},
		{"79", august, denied}, {"01", august, passed}, {"26737", august, passed}, {"26734", june, denied}} {
		for method, req := range requests(c.at) {
			if got, err := attempt(t, l.as(t, "reader/"+c.who), reportingPackage+method, req); got != c.want {
				t.Errorf("%s known at %v by reader/%s: %c, %v", method, c.at.AsTime(), c.who, got, err)
			}
		}
	}
	// Where a period is named, it is the tree of the period that counts.
	key := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "26737", Basis: typev1.Basis_BASIS_REPORTED, KnownAt: august, Period: "2022-M06"}
	if got, err := attempt(t, l.as(t, "reader/01"), reportingPackage+"ProgressService/GetFigure", &reportingv1.GetFigureRequest{Key: key}); got != denied {
		t.Errorf("June, as known in August, by reader/01: %c, %v", got, err)
	}
}
