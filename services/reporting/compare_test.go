package reporting

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// wantRefused checks the reason and the field of a refusal.
func wantRefused(t *testing.T, err error, reason errorv1.Reason, field string) {
	t.Helper()
	e, ok := apierr.Parse(err)
	if !ok || e.Reason != reason || e.Field != field {
		t.Errorf("got %v, want %s of %s", err, reason, field)
	}
}

func (l *leader) compare(target string, dates ...string) (*reportingv1.CompareDatesResponse, error) {
	return l.s.CompareDates(l.t.Context(), &reportingv1.CompareDatesRequest{Key: figureKey("vn", target, ""), Dates: dates})
}

// changes prints what came in each stretch.
func changes(resp *reportingv1.CompareDatesResponse) []string {
	var out []string
	for _, c := range resp.GetChanges() {
		beats := "-"
		if c.BeatsPrevious != nil {
			beats = fmt.Sprint(c.GetBeatsPrevious())
		}
		out = append(out, fmt.Sprintf("%s %s %d %s", c.GetFromDate(), c.GetToDate(), c.GetIncrease(), beats))
	}
	return out
}

// Chip cards: 50, 67 and 76 million on three days of 2022: the second half did not
// beat the first.
func TestCompareDates(t *testing.T) {
	l := newLeader(t, "2022-12-25", 1)
	l.target("cards", asCount, nil)
	l.report("c1", "cards", "2022-M01", counted(50_000_000))
	l.report("c1", "cards", "2022-M07", counted(67_000_000))
	l.report("c1", "cards", "2022-M12", counted(76_000_000))
	resp, err := l.compare("cards", "2022-01-18", "2022-07-31", "2022-12-25")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2022-01-18 2022-07-31 17000000 -", "2022-07-31 2022-12-25 9000000 false"}
	if d := cmp.Diff(want, changes(resp)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if n := len(resp.GetFigures()); n != 3 || resp.GetFigures()[1].GetTally().GetNumerator() != 67_000_000 {
		t.Errorf("%d figures: %v", n, resp.GetFigures())
	}
	l.report("c1", "cards", "2022-M12", counted(84_000_000)) // as much as in the first half
	for _, c := range []struct {
		value int64
		want  string
	}{{84_000_000, "2022-07-31 2022-12-25 17000000 false"}, {84_000_001, "2022-07-31 2022-12-25 17000001 true"}, {60_000_000, "2022-07-31 2022-12-25 -7000000 false"}} {
		l.report("c1", "cards", "2022-M12", counted(c.value))
		if resp, err = l.compare("cards", "2022-01-18", "2022-07-31", "2022-12-25"); err != nil || changes(resp)[1] != c.want {
			t.Errorf("%v %v, want %s", err, changes(resp), c.want)
		}
	}
}

func TestCompareDatesWhereAFigureIsMissing(t *testing.T) {
	l := newLeader(t, "2022-12-25", 1)
	l.target("cards", asCount, nil)
	l.report("c1", "cards", "2022-M07", counted(67))
	l.report("c1", "cards", "2022-M12", counted(200))
	resp, err := l.compare("cards", "2022-01-18", "2022-07-31", "2022-12-25")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2022-01-18 2022-07-31 67 -", "2022-07-31 2022-12-25 133 -"}
	if d := cmp.Diff(want, changes(resp)); d != "" {
		t.Errorf("missing is not 0\n-want +got\n%s", d)
	}
}

func TestCompareDatesOfARatioTellsNoIncrease(t *testing.T) {
	l := newLeader(t, "2022-12-25", 1)
	l.target("share", asRatio, nil)
	l.report("c1", "share", "2022-M01", partOf(1, 10))
	resp, err := l.compare("share", "2022-01-18", "2022-07-31")
	if err != nil || len(resp.GetFigures()) != 2 || len(resp.GetChanges()) != 0 {
		t.Errorf("%v %v", resp, err)
	}
}

func TestCompareDatesRefuses(t *testing.T) {
	l := newLeader(t, "2022-12-25", 1)
	l.target("cards", asCount, nil)
	l.regime("monthly", 10)
	for _, c := range []struct {
		target string
		dates  []string
		reason errorv1.Reason
		field  string
	}{
		{"cards", []string{"2022-07-31", "2022-07-31"}, errorv1.Reason_REASON_INVALID_FIELD, "dates"},
		{"cards", []string{"2022-07-31", "2022-02-30"}, errorv1.Reason_REASON_INVALID_FIELD, "dates"},
		{"cards", []string{"2022-07-31", "2022-12-26"}, errorv1.Reason_REASON_DATE_IN_FUTURE, "dates"},
		{"monthly", []string{"2022-07-31", "2022-12-25"}, errorv1.Reason_REASON_INVALID_FIELD, "key.period"},
		{"tasks-task-local-by-task", []string{"2022-07-31", "2022-12-25"}, errorv1.Reason_REASON_INVALID_FIELD, "key.target"},
		{"card", []string{"2022-07-31", "2022-12-25"}, errorv1.Reason_REASON_TARGET_NOT_FOUND, "key.target"},
	} {
		_, err := l.compare(c.target, c.dates...)
		wantRefused(t, err, c.reason, c.field)
	}
	_, err := l.s.CompareDates(t.Context(), &reportingv1.CompareDatesRequest{Key: figureKey("vn", "cards", "2022-M07"), Dates: []string{"2022-07-31", "2022-12-25"}})
	wantRefused(t, err, errorv1.Reason_REASON_INVALID_FIELD, "key")
}

func item(name string, done bool) *reportingv1.Item { return &reportingv1.Item{Name: name, Done: done} }

func TestUnionOfItemLists(t *testing.T) {
	l := newLeader(t, "2022-07-31", 1)
	for _, id := range []string{"services", "portal", "plain", "silent", "taken-back"} {
		l.target(id, asRatio, nil)
	}
	l.report("c1", "services", "2022-M06", listed(item("Old", true)))
	l.report("c1", "services", "2022-M07", listed(item("Passport", true), item("Marriage", false), item("Birth", false)))
	l.report("c1", "portal", "2022-M06", listed(item("Birth", true), item("Land", false), item("Passport", false)))
	l.report("c1", "plain", "2022-M07", partOf(3, 4))
	l.report("c1", "taken-back", "2022-M07", listed(item("Ghost", true)))
	l.report("c1", "taken-back", "2022-M07", withdrawn())
	union := func(period string, targets ...string) (*reportingv1.UnionItemsResponse, error) {
		return l.s.UnionItems(t.Context(), &reportingv1.UnionItemsRequest{Programme: project, Unit: "c1", Period: period, Targets: targets})
	}
	for _, c := range []struct {
		period  string
		targets []string
		want    *reportingv1.UnionItemsResponse
	}{
		{"", []string{"services", "portal", "plain", "silent", "taken-back"}, &reportingv1.UnionItemsResponse{
			Items:   []*reportingv1.Item{item("Birth", true), item("Land", false), item("Marriage", false), item("Passport", true)},
			Tally:   &typev1.Tally{Numerator: 2, Denominator: 4, Reporting: 2, Expected: 5},
			Percent: "50.00", MissingTargets: []string{"plain", "silent", "taken-back"}}},
		{"2022-M06", []string{"services", "portal"}, &reportingv1.UnionItemsResponse{
			Items: []*reportingv1.Item{item("Birth", true), item("Land", false), item("Old", true), item("Passport", false)},
			Tally: &typev1.Tally{Numerator: 2, Denominator: 4, Reporting: 2, Expected: 2}, Percent: "50.00"}},
		{"2022-M07", []string{"portal"}, &reportingv1.UnionItemsResponse{
			Tally: &typev1.Tally{Expected: 1}, MissingTargets: []string{"portal"}}},
	} {
		got, err := union(c.period, c.targets...)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got, protocmp.Transform()); d != "" {
			t.Errorf("%q %v: -want +got\n%s", c.period, c.targets, d)
		}
	}
	for _, c := range []struct {
		period, target string
		reason         errorv1.Reason
		field          string
	}{
		{"", "service", errorv1.Reason_REASON_TARGET_NOT_FOUND, "targets"},
		{"2022-Q3", "services", errorv1.Reason_REASON_WRONG_PERIOD, "period"},
	} {
		_, err := union(c.period, c.target)
		wantRefused(t, err, c.reason, c.field)
	}
	_, err := l.s.UnionItems(t.Context(), &reportingv1.UnionItemsRequest{Programme: project, Unit: "c9", Targets: []string{"portal"}})
	wantRefused(t, err, errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit")
	_, err = l.s.UnionItems(t.Context(), &reportingv1.UnionItemsRequest{Programme: "p", Unit: "c1", Targets: []string{"portal"}})
	wantRefused(t, err, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme")
}
