package book

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// checked gives a target checks.
func checked(all ...*registryv1.Check) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.Checks = all }
}

func looksFor(k registryv1.CheckKind) *registryv1.Check { return &registryv1.Check{Kind: k} }

// made is the check that a total is an average a day times the days.
func made(other string, tolerance uint32) *registryv1.Check {
	return &registryv1.Check{Kind: averageDays, Other: other, Tolerance: &tolerance}
}

func decimals(n uint32) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.Decimals = n }
}

func yearly(t *registryv1.Target) { t.Frequency = typev1.Frequency_FREQUENCY_YEARLY }

// looked tells what the checks made of the submission that some events begin with,
// and which findings follow.
func looked(t *testing.T, events []*eventv1.Event) []string {
	t.Helper()
	var out []string
	for _, e := range events {
		var s *eventv1.SubmissionRecorded
		switch p := e.GetPayload().(type) {
		case *eventv1.Event_SubmissionAccepted:
			s = p.SubmissionAccepted
		case *eventv1.Event_SubmissionWithdrawn:
			s = p.SubmissionWithdrawn
		case *eventv1.Event_FindingOpened:
			f := p.FindingOpened
			out = append(out, fmt.Sprintf("opened %s %s %s: %d against %d", lastOf(f.GetPath()), f.GetPeriod(), word(f.GetCheck()), f.GetValue(), f.GetAgainst()))
		case *eventv1.Event_FindingResolved:
			f := p.FindingResolved
			out = append(out, fmt.Sprintf("resolved %s %s %s: %s", lastOf(f.GetPath()), f.GetPeriod(), word(f.GetCheck()),
				f.GetResolution().String()[len("FINDING_RESOLUTION_"):]))
		}
		if s != nil {
			out = append(out, fmt.Sprintf("%d of %d failed", s.GetChecksFailed(), s.GetChecksRun()))
			for _, c := range s.GetRechecked() {
				out = append(out, fmt.Sprintf("again %s %s %s: %d of %d failed", c.GetTarget(), c.GetUnit(), c.GetPeriod(), c.GetChecksFailed(), c.GetChecksRun()))
			}
		}
	}
	return out
}

func word(k registryv1.CheckKind) string { return k.String()[len("CHECK_KIND_"):] }

func wantLooked(t *testing.T, events []*eventv1.Event, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, looked(t, events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestChecks is each check with its edges, by the last of some values of a unit.
func TestChecks(t *testing.T) {
	type cell struct {
		period string
		value  Value
	}
	const million, most = 1_000_000, 1_000_000_000_000_000_000
	cases := map[string]struct {
		check *registryv1.Check
		kind  typev1.ValueKind
		cells []cell
		want  string
	}{
		"ten times exactly":              {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(70)}}, "1 of 1"},
		"one below ten times":            {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(69)}}, "0 of 1"},
		"a thousand times":               {looksFor(magnitude), count, []cell{{"2022-M01", number(860)}, {"2022-M02", number(860_000)}}, "1 of 1"},
		"a tenth exactly":                {looksFor(magnitude), count, []cell{{"2022-M01", number(70)}, {"2022-M02", number(7)}}, "1 of 1"},
		"one above a tenth":              {looksFor(magnitude), count, []cell{{"2022-M01", number(70)}, {"2022-M02", number(8)}}, "0 of 1"},
		"nothing after something":        {looksFor(magnitude), count, []cell{{"2022-M01", number(70)}, {"2022-M02", number(0)}}, "1 of 1"},
		"something after nothing":        {looksFor(magnitude), count, []cell{{"2022-M01", number(0)}, {"2022-M02", number(7)}}, "0 of 0"},
		"no history":                     {looksFor(magnitude), count, []cell{{"2022-M02", number(7)}}, "0 of 0"},
		"a missing month between":        {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2022-M03", number(70)}}, "1 of 1"},
		"twelve months before":           {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2023-M01", number(70)}}, "1 of 1"},
		"thirteen months before":         {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2023-M02", number(70)}}, "0 of 0"},
		"the newest earlier value":       {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(50)}, {"2022-M03", number(70)}}, "0 of 1"},
		"not applicable is no value":     {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2022-M02", notHere()}, {"2022-M03", number(70)}}, "1 of 1"},
		"a withdrawn value is none":      {looksFor(magnitude), count, []cell{{"2022-M01", number(7)}, {"2022-M01", withdraw()}, {"2022-M03", number(70)}}, "0 of 0"},
		"more than 64 bits":              {looksFor(magnitude), count, []cell{{"2022-M01", number(math.MaxInt64)}, {"2022-M02", number(2 * most)}}, "0 of 1"},
		"a tenth of more than 64 bits":   {looksFor(magnitude), count, []cell{{"2022-M01", number(most)}, {"2022-M02", number(most / 10)}}, "1 of 1"},
		"a copy":                         {looksFor(sameAsLast), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(7)}}, "1 of 1"},
		"no copy":                        {looksFor(sameAsLast), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(8)}}, "0 of 1"},
		"nothing twice":                  {looksFor(sameAsLast), count, []cell{{"2022-M01", number(0)}, {"2022-M02", number(0)}}, "0 of 0"},
		"a copy over a missing month":    {looksFor(sameAsLast), count, []cell{{"2022-M01", number(7)}, {"2022-M03", number(7)}}, "0 of 0"},
		"a copied ratio":                 {looksFor(sameAsLast), ratio, []cell{{"2022-M01", part(3, 4)}, {"2022-M02", part(3, 4)}}, "1 of 1"},
		"the same part of another whole": {looksFor(sameAsLast), ratio, []cell{{"2022-M01", part(3, 4)}, {"2022-M02", part(3, 5)}}, "0 of 1"},
		"a percentage alone is no copy":  {looksFor(sameAsLast), ratio, []cell{{"2022-M01", bare(931, 1)}, {"2022-M02", part(3, 5)}}, "0 of 0"},
		"a stock falls":                  {looksFor(fallingStock), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(6)}}, "1 of 1"},
		"a stock stays":                  {looksFor(fallingStock), count, []cell{{"2022-M01", number(7)}, {"2022-M02", number(7)}}, "0 of 1"},
		"a stock falls after a gap":      {looksFor(fallingStock), count, []cell{{"2022-M01", number(7 * million)}, {"2023-M06", number(6)}}, "1 of 1"},
		"a stock begins":                 {looksFor(fallingStock), count, []cell{{"2022-M01", number(7)}}, "0 of 0"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "2023-12-31")
			r.tree()
			r.target("x", c.kind, last, kinds(commune), checked(c.check))
			var events []*eventv1.Event
			for _, cell := range c.cells {
				events = r.report("26734", "x", cell.period, cell.value)
			}
			if got := looked(t, events)[0]; got != c.want+" failed" {
				t.Errorf("%s, want %s failed", got, c.want)
			}
			r.sound()
		})
	}
}

// TestChecks_averageTimesDays is a total beside its average a day, both with their
// decimals, in a month of 31 days.
func TestChecks_averageTimesDays(t *testing.T) {
	const most = 1_000_000_000_000_000_000
	cases := map[string]struct {
		total, mean                 int64
		totalDecimals, meanDecimals uint32
		tolerance                   uint32
		want                        string
		against                     int64
	}{
		"exactly":                       {3100, 100, 0, 0, 0, "0 of 1", 0},
		"one off, nothing tolerated":    {3101, 100, 0, 0, 0, "1 of 1", 3100},
		"tolerance met from below":      {3069, 100, 0, 0, 100, "0 of 1", 0},
		"tolerance missed from below":   {3068, 100, 0, 0, 100, "1 of 1", 3100},
		"of the larger, from above":     {3131, 100, 0, 0, 100, "0 of 1", 0}, // 31.31 of 3131
		"of the larger, missed":         {3132, 100, 0, 0, 100, "1 of 1", 3100},
		"the average has decimals":      {31, 10_000, 0, 4, 0, "0 of 1", 0},
		"less than the total can show":  {31, 10_001, 0, 4, 0, "1 of 1", 31},
		"the total has decimals":        {31_000_000, 1, 6, 0, 0, "0 of 1", 0},
		"the last decimal of the total": {31_000_001, 1, 6, 0, 0, "1 of 1", 31_000_000},
		"far beyond 64 bits":            {most, most, 0, 0, 9000, "1 of 1", math.MaxInt64},
		"nothing and nothing":           {0, 0, 0, 0, 0, "0 of 1", 0},
		"nothing of something":          {0, 1, 0, 0, 9999, "1 of 1", 31},
		"all is tolerated":              {0, 1, 0, 0, 10_000, "0 of 1", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "2022-12-31")
			r.tree()
			r.target("mean", count, last, kinds(commune), decimals(c.meanDecimals))
			r.target("total", count, sumAll, kinds(commune), decimals(c.totalDecimals), checked(made("mean", c.tolerance)))
			wantLooked(t, r.report("26734", "total", "2022-M07", number(c.total)), "0 of 0 failed")
			r.report("26737", "mean", "2022-M07", number(c.mean)) // another unit's says nothing
			r.report("26734", "mean", "2022-M06", number(c.mean)) // nor does another month's
			want := []string{"0 of 0 failed", "again total 26734 2022-M07: " + c.want + " failed"}
			if c.want == "1 of 1" {
				want = append(want, fmt.Sprintf("opened 26734 2022-M07 AVERAGE_TIMES_DAYS: %d against %d", c.total, c.against))
			}
			wantLooked(t, r.report("26734", "mean", "2022-M07", number(c.mean)), want...)
			r.sound()
		})
	}
}

// TestFigure12 is the portal that told of 860,000 transactions, on average 2.36
// million a day.
func TestFigure12(t *testing.T) {
	r := newRig(t, "2023-01-05")
	r.tree()
	r.target("mean", count, last, kinds(ministry), yearly, decimals(2))
	r.target("total", count, last, kinds(ministry), yearly, checked(&registryv1.Check{Kind: averageDays, Other: "mean"}))
	r.report("bca", "mean", "2022", number(2_360_000_00))
	wantLooked(t, r.report("bca", "total", "2022", number(860_000)), "1 of 1 failed",
		"opened bca 2022 AVERAGE_TIMES_DAYS: 860000 against 861400000")
	r.want("vn", "total", "2022", Tally{860_000, 0, 1, 2, 0}) // flagged, and taken
	wantLooked(t, r.report("bca", "total", "2022", number(860_000_000)), "0 of 1 failed",
		"resolved bca 2022 AVERAGE_TIMES_DAYS: CORRECTED")
	r.sound()
}
