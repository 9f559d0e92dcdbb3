package demo

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// wanted reads JSON as expected.yaml is read.
func wanted(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMatchComparesWhatIsNamed(t *testing.T) {
	figure, err := plain(&reportingv1.Figure{
		Target: "plan-adopted", Percent: "99.9",
		Tally: &typev1.Tally{Numerator: 11389, Denominator: 11390, Reporting: 11389, Expected: 11390},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want, differences string }{
		{"equal part", `{"tally": {"numerator": 11389, "denominator": 11390}, "percent": "99.9"}`, ""},
		{"number as text", `{"tally": {"numerator": "11389"}}`, ""},
		{"default written out", `{"goal_met": false, "tally": {"excluded": 0}, "progress_percent": ""}`, ""},
		{"other number", `{"tally": {"numerator": 11390, "denominator": 11390}}`, ".tally.numerator: expected 11390, got 11389"},
		{"two fields", `{"goal_met": true, "percent": "100.0"}`, ".goal_met: expected true, got false\n.percent: expected 100.0, got 99.9"},
		{"no such field", `{"percentage": "99.9"}`, ".percentage: expected 99.9, got nothing"},
		{"a list where there is none", `{"tally": []}`, `.tally: expected [], got {"denominator":"11390","excluded":0,"expected":11390,"numerator":"11389","reporting":11389}`},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			_, differences := match("", wanted(t, c.want), figure)
			if got := strings.Join(differences, "\n"); got != c.differences {
				t.Errorf("got\n%s\nwant\n%s", got, c.differences)
			}
		})
	}
}

func TestMatchOfLists(t *testing.T) {
	got := wanted(t, `[{"event": "reached", "ordinal": 1, "more": true}, {"event": "revoked", "ordinal": 1}]`)
	for want, equal := range map[string]bool{
		`[{"event": "reached"}, {"event": "revoked", "ordinal": 1}]`: true,
		`[{"event": "revoked"}, {"event": "reached"}]`:               false, // order counts
		`[{"event": "reached"}]`:                                     false, // length counts
		`[]`:                                                         false,
		`[{"event": "reached"}, {"event": "revoked", "ordinal": 2}]`: false,
	} {
		if _, differences := match("", wanted(t, want), got); (len(differences) == 0) != equal {
			t.Errorf("%s: %v", want, differences)
		}
	}
	if _, differences := match("", []any{}, []any{}); len(differences) != 0 {
		t.Errorf("none and none differ: %v", differences)
	}
}

func units() []*registryv1.Unit {
	at := func(id string, placements ...*registryv1.Placement) *registryv1.Unit {
		return &registryv1.Unit{Name: "units/" + id, Placements: placements}
	}
	from := func(date string, kind typev1.UnitKind) *registryv1.Placement {
		return &registryv1.Placement{FromDate: date, Kind: kind}
	}
	province, telecom, enterprise := typev1.UnitKind_UNIT_KIND_PROVINCE, typev1.UnitKind_UNIT_KIND_TELECOM, typev1.UnitKind_UNIT_KIND_STATE_ENTERPRISE
	closed := at("33", from("2022-01-01", province))
	closed.ClosedDate = "2022-07-31"
	return []*registryv1.Unit{
		at("79", from("2022-01-01", province)), at("01", from("2022-01-01", province)), at("04", from("2022-01-01", province)),
		closed, at("97", from("2022-08-01", province)),
		at("vnpt", from("2022-01-01", enterprise), from("2022-09-01", telecom)),
	}
}

func TestCrowd(t *testing.T) {
	province := []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_PROVINCE}
	for _, c := range []struct {
		name  string
		crowd files.Crowd
		day   string
		want  string // ids, or the error
	}{
		{"of a kind on that day", files.Crowd{Kinds: province}, "2022-07-31", "01 04 79"},
		{"the day before one closes", files.Crowd{Kinds: province}, "2022-07-30", "01 04 33 79"},
		{"the day one begins", files.Crowd{Kinds: province}, "2022-08-01", "01 04 79 97"},
		{"kind of that day", files.Crowd{Kinds: []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_TELECOM}}, "2022-09-01", "vnpt"},
		{"first two", files.Crowd{Kinds: province, First: 2}, "2022-07-31", "01 04"},
		{"without the first two", files.Crowd{Kinds: province, Skip: 2}, "2022-07-31", "79"},
		{"one after the first", files.Crowd{Kinds: province, Skip: 1, First: 1}, "2022-07-31", "04"},
		{"listed", files.Crowd{Units: []string{"vnpt", "evn"}}, "2022-07-31", "evn vnpt"},
		{"too few", files.Crowd{Kinds: province, Skip: 2, First: 2}, "2022-07-31", "3 units are too few to leave out 2 and take 2"},
		{"nobody", files.Crowd{Kinds: province, Skip: 3}, "2022-07-31", "nobody is in the crowd"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			ids, err := crowd(&c.crowd, units(), c.day)
			got := strings.Join(ids, " ")
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDayIsThatOfThePeriods(t *testing.T) {
	if got := day(time.Date(2022, 8, 31, 17, 0, 0, 0, time.UTC)); got != "2022-09-01" {
		t.Errorf("day %s", got)
	}
}

func milestone(sequence uint64, target string, revoked bool) *eventv1.Event {
	e := &eventv1.Event{Sequence: sequence, Programme: "p"}
	m := &eventv1.MilestoneCrossed{Target: target, Path: "vn", ProgressThreshold: 2500, Ordinal: 1}
	if revoked {
		e.Payload = &eventv1.Event_MilestoneRevoked{MilestoneRevoked: m}
	} else {
		e.Payload = &eventv1.Event_MilestoneReached{MilestoneReached: m}
	}
	return e
}

func TestListener(t *testing.T) {
	ctx := context.Background()
	var out strings.Builder
	l := NewListener(&out, show.NewNames(nil))
	for i, e := range []*eventv1.Event{
		milestone(1, "a", false), {Sequence: 2, Payload: &eventv1.Event_ClockSet{ClockSet: &eventv1.ClockSet{}}},
		milestone(3, "b", false), milestone(4, "a", true),
	} {
		if err := l.Handle(ctx, e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	if err := l.Await(ctx, 4); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 3 {
		t.Errorf("%d lines printed, want one for each milestone:\n%s", got, out.String())
	}
	if events, milestones := l.Seen(); events != 4 || milestones != 3 {
		t.Errorf("seen %d events, %d milestones", events, milestones)
	}
	found := l.Milestones("p", "a", "vn")
	if len(found) != 2 || found[0].GetSequence() != 1 || found[1].GetSequence() != 4 {
		t.Errorf("milestones of a: %v", found)
	}
	t.Run("an_event_left_out_is_noticed", func(t *testing.T) {
		if err := l.Handle(ctx, milestone(6, "a", false)); err != nil {
			t.Fatal(err)
		}
		if err := l.Await(ctx, 6); err == nil || err.Error() != "event 6 came after event 4" {
			t.Errorf("error %v", err)
		}
	})
}

func TestMilestonesBelowTheCountryAreCounted(t *testing.T) {
	ctx := context.Background()
	var out strings.Builder
	l := NewListener(&out, show.NewNames(nil))
	for i, path := range []string{"vn.01", "vn.02", "vn.02.003", "vn.01"} {
		e := milestone(uint64(i+1), "a", i == 3)
		for _, m := range []*eventv1.MilestoneCrossed{e.GetMilestoneReached(), e.GetMilestoneRevoked()} {
			if m != nil {
				m.Path = path
			}
		}
		if i == 2 {
			e.GetMilestoneReached().ProgressThreshold = 9000
		}
		if err := l.Handle(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() > 0 {
		t.Errorf("printed at once:\n%s", out.String())
	}
	l.Below(ctx)
	l.Below(ctx) // each is counted once
	want := "below it    reached  a: 25 % at 2 units, 90 % at 1 unit\nbelow it    revoked  a: 25 % at 1 unit\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	want := wanted(t, `{"tally": {"numerator": 21, "denominator": 89}, "percent": "23.60"}`)
	got, differences := match("", want, wanted(t, `{"tally": {"numerator": 20, "denominator": 89}, "percent": "23.60"}`))
	milestones := wanted(t, `[{"event": "reached", "progress_threshold": 10000, "ordinal": 1},
		{"event": "revoked", "progress_threshold": 10000, "ordinal": 1}, {"event": "reached", "progress_threshold": 10000, "ordinal": 2}]`)
	items := wanted(t, `{"items": [{"name": "Đăng ký khai sinh", "done": false}, {"name": "Đăng ký kết hôn", "done": false}]}`)
	WriteTable(&out, []Result{
		{Figure: "11", After: "2022", What: "Items", Want: items, Got: items},
		{Figure: "2", After: "2022", What: "Tasks", Want: want, Got: got, Differences: differences},
		{Figure: "2", After: "2023", What: "Thresholds", Want: milestones, Got: milestones},
	})
	if got, want := out.String(), `figure  after  what        expected            got
--------------------------------------------------------------------------
2       2022   Tasks       21/89 23.60 %       20/89 23.60 %       DIFFERS
        ! .tally.numerator: expected 21, got 20
2       2023   Thresholds  100% -100% 100%(2)  100% -100% 100%(2)  OK
11      2022   Items       Đăng ký khai sinh   Đăng ký khai sinh   OK
                           Đăng ký kết hôn     Đăng ký kết hôn
`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrapBreaksBetweenWords(t *testing.T) {
	long := "Liên thông khai tử, xóa thường trú, trợ cấp mai táng"
	for line := range strings.Lines(wrap(long)) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > cellWidth {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if got := strings.Join(strings.Fields(wrap(long)), " "); got != long {
		t.Errorf("words changed: %s", got)
	}
}
