package reporting

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

const (
	partProgress = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_PROGRESS
	partShare    = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_SHARE
	partOnTime   = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_ON_TIME
	partComplete = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS
	partQuality  = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_QUALITY
	partTasks    = registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS
)

func scored(kind registryv1.ScorecardPartKind, target string, weight uint32) *registryv1.ScorecardPart {
	return &registryv1.ScorecardPart{Kind: kind, Target: target, Weight: weight}
}

// card gives the programme a scorecard of provinces named `provinces`.
func card(bar uint32, parts ...*registryv1.ScorecardPart) func(*registryv1.Programme) {
	return func(p *registryv1.Programme) {
		p.Scorecards = append(p.Scorecards, &registryv1.Scorecard{Id: "provinces", DisplayName: "Provinces", Level: "province",
			Parts: parts, MinCompleteness: bar, Commend: 1, Slow: 2})
	}
}

func (l *leader) rank(period, compare string, edit ...func(*reportingv1.RankRequest)) *reportingv1.RankResponse {
	l.t.Helper()
	req := &reportingv1.RankRequest{Programme: project, Scorecard: "provinces", Period: period, ComparePeriod: compare}
	for _, f := range edit {
		f(req)
	}
	resp, err := l.s.Rank(l.t.Context(), req)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp
}

// placesOf prints a ranking: rank, unit, score, each part's score and weight.
func placesOf(units []*reportingv1.RankedUnit) []string {
	out := []string{}
	for _, u := range units {
		line := fmt.Sprintf("%d %s %s", u.GetRank(), u.GetUnit(), u.GetScore())
		for _, p := range u.GetParts() {
			line += fmt.Sprintf(" [%s x %s]", p.GetScore(), p.GetWeight())
		}
		if u.GetNotRankedReason() != "" {
			line += " " + u.GetNotRankedReason()
		}
		out = append(out, line)
	}
	return out
}

func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: -want +got\n%s", what, d)
	}
}

// connected is six provinces with two targets in May and June.
func connected(t *testing.T) *leader {
	l := newLeader(t, "2022-06-30", 6, card(5_000, scored(partProgress, "cards", 60), scored(partShare, "connected", 40)))
	l.target("cards", asCount, goalOf(goalAtLeast, 1_000))
	l.target("connected", asYesNo, goalOf(goalAll, 0))
	for i := range 5 {
		l.allocate("cards", fmt.Sprint("p", i+1), 100)
	}
	for i, c := range []struct {
		may, june   int64
		mayOn, juOn bool
	}{{90, 100, true, true}, {10, 50, true, true}, {50, 50, true, true}, {25, 25, false, false}, {60, -1, true, true}, {7, 7, true, false}} {
		unit := fmt.Sprint("c", i+1)
		l.report(unit, "cards", "2022-M05", counted(c.may))
		l.report(unit, "connected", "2022-M05", said(c.mayOn))
		if c.june >= 0 {
			l.report(unit, "cards", "2022-M06", counted(c.june))
			l.report(unit, "connected", "2022-M06", said(c.juOn))
		}
	}
	return l
}

func TestRanking(t *testing.T) {
	got := connected(t).rank("2022-M06", "2022-M05")
	wantLines(t, "ranking", placesOf(got.GetUnits()),
		"1 p1 100.00 [100.00 x 60.00] [100.00 x 40.00]",
		"2 p2 70.00 [50.00 x 60.00] [100.00 x 40.00]",
		"2 p3 70.00 [50.00 x 60.00] [100.00 x 40.00]",
		"4 p4 15.00 [25.00 x 60.00] [0.00 x 40.00]",
		"5 p6 0.00 [ x ] [0.00 x 100.00]", // no goal of its own: that weight is handed on
		"0 p5  [0.00 x 60.00] [0.00 x 40.00] 0 of 2 expected values have come (0.00 %), at least 50.00 % are needed")
	var moves []string
	for _, u := range got.GetUnits() {
		moves = append(moves, fmt.Sprintf("%s %d %s", u.GetUnit(), u.GetImprovementRank(), u.GetImprovement()))
	}
	wantLines(t, "improvement", moves, "p1 2 6.00", "p2 1 24.00", "p3 3 0.00", "p4 3 0.00", "p6 5 -100.00", "p5 0 ")
	reasons := func(units []*reportingv1.RankedUnit) (out []string) {
		for _, u := range units {
			out = append(out, fmt.Sprintf("%s %s: %s", u.GetUnit(), u.GetUnitDisplayName(), strings.Join(u.GetReasons(), "; ")))
		}
		return out
	}
	wantLines(t, "commended", reasons(got.GetCommended()),
		"p1 Unit p1: progress of cards 100.00 of 100, weight 60.00; share of connected 100.00 of 100, weight 40.00")
	wantLines(t, "slow", reasons(got.GetSlow()),
		"p6 Unit p6: share of connected 0.00 of 100, weight 100.00",
		"p4 Unit p4: progress of cards 25.00 of 100, weight 60.00; share of connected 0.00 of 100, weight 40.00")
}

func TestRankingOfCurrentFiguresAndItsImprovementSinceADay(t *testing.T) {
	got := connected(t).rank("", "2022-M05") // the stocks of p5 are those of May
	wantLines(t, "ranking", placesOf(got.GetUnits()),
		"1 p1 100.00 [100.00 x 60.00] [100.00 x 40.00]",
		"2 p5 76.00 [60.00 x 60.00] [100.00 x 40.00]",
		"3 p2 70.00 [50.00 x 60.00] [100.00 x 40.00]",
		"3 p3 70.00 [50.00 x 60.00] [100.00 x 40.00]",
		"5 p4 15.00 [25.00 x 60.00] [0.00 x 40.00]",
		"6 p6 0.00 [ x ] [0.00 x 100.00]")
	if u := got.GetUnits()[1]; u.GetImprovement() != "0.00" || u.GetImprovementRank() != 3 {
		t.Errorf("p5 moved by %q to %d, want 0.00 to 3", u.GetImprovement(), u.GetImprovementRank())
	}
}

func TestRankingBelowAUnit(t *testing.T) {
	l := connected(t)
	l.change(&registryv1.Change{Resource: &registryv1.Change_Unit{Unit: &registryv1.Unit{Name: "units/p7", DisplayName: "Unit p7",
		Placements: []*registryv1.Placement{{FromDate: "2022-06-15", Parent: "vn", Kind: aProvince, Level: "province"}}}}})
	if n := len(l.rank("2022-M05", "").GetUnits()); n != 6 {
		t.Errorf("%d provinces in May, want 6: the seventh is of June", n)
	}
	units := placesOf(l.rank("2022-M06", "").GetUnits())
	if want := "0 p7  [ x ] [ x ] no part of the scorecard applies to it"; len(units) != 7 || units[6] != want {
		t.Errorf("got %v, want %s last", units, want)
	}
	if n := len(l.rank("2022-M06", "", func(r *reportingv1.RankRequest) { r.Unit = "p1" }).GetUnits()); n != 0 {
		t.Errorf("%d provinces below p1", n)
	}
}

// reporters is three provinces with two targets under a regime, and three tasks.
func reporters(t *testing.T, bar uint32, parts ...*registryv1.ScorecardPart) *leader {
	l := newLeader(t, "2022-06-30", 3, card(bar, parts...))
	l.regime("monthly", 10)
	l.target("cards", asCount, nil, under("monthly"))
	l.target("share", asRatio, nil, under("monthly"))
	for i, due := range []string{"2022-06-30", "2022-06-30", "2022-12-31"} {
		l.task(fmt.Sprint("task-", i), due, "p1", "c2", "p3")
	}
	l.report("c1", "cards", "2022-M06", counted(5))
	l.report("c1", "share", "2022-M06", partOf(1, 4))
	l.report("c2", "cards", "2022-M06", counted(5))
	l.report("p1", "task-0", "2022-M06", said(true))
	l.report("p1", "task-1", "2022-M06", said(true))
	l.report("c2", "task-0", "2022-M06", said(true))
	l.day("2022-07-20")
	l.report("c3", "cards", "2022-M06", counted(5)) // late, as is all of the report
	l.report("c3", "share", "2022-M06", partOf(3, 4))
	l.report("p3", "task-2", "2022-M07", said(true))
	return l
}

func TestRankingByReportsQualityAndTasks(t *testing.T) {
	l := reporters(t, 0, scored(partOnTime, "monthly", 20), scored(partComplete, "monthly", 20),
		scored(partComplete, "cards", 20), scored(partQuality, "monthly", 20), scored(partTasks, "", 20))
	// p2: one of two values: complete 50, clean 100, live (100 + 50) / 2. p3: 100, 100 and 0: all is late.
	wantLines(t, "of the month, on whose last day no task is overdue", placesOf(l.rank("2022-M06", "").GetUnits()),
		"1 p1 100.00 [100.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00]",
		"2 p2 85.00 [100.00 x 20.00] [50.00 x 20.00] [100.00 x 20.00] [75.00 x 20.00] [100.00 x 20.00]",
		"3 p3 66.67 [0.00 x 25.00] [100.00 x 25.00] [100.00 x 25.00] [66.67 x 25.00] [ x ]")
	// Today June is the newest month that is over; p2 owes one task, p3 two.
	wantLines(t, "of today", placesOf(l.rank("", "").GetUnits()),
		"1 p1 100.00 [100.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00]",
		"2 p2 75.00 [100.00 x 20.00] [50.00 x 20.00] [100.00 x 20.00] [75.00 x 20.00] [50.00 x 20.00]",
		"3 p3 60.00 [0.00 x 20.00] [100.00 x 20.00] [100.00 x 20.00] [66.67 x 20.00] [33.33 x 20.00]")
}

func TestRankingCountsAValueOnceForTheBar(t *testing.T) {
	l := reporters(t, 7_500, scored(partOnTime, "monthly", 50), scored(partComplete, "cards", 50))
	units := placesOf(l.rank("2022-M06", "").GetUnits())
	want := "0 p2  [100.00 x 50.00] [100.00 x 50.00] 1 of 2 expected values have come (50.00 %), at least 75.00 % are needed"
	if units[2] != want {
		t.Errorf("got %s, want %s", units[2], want)
	}
}

func TestRankingByLongerPeriods(t *testing.T) {
	l := reporters(t, 0, scored(partOnTime, "monthly", 50), scored(partShare, "share", 50))
	// Of the reports of April to June those of one month have come.
	wantLines(t, "second quarter", placesOf(l.rank("2022-Q2", "").GetUnits()),
		"1 p3 37.50 [0.00 x 50.00] [75.00 x 50.00]",
		"2 p1 29.17 [33.33 x 50.00] [25.00 x 50.00]",
		"3 p2 16.67 [33.33 x 50.00] [0.00 x 50.00]")
	// Of the third quarter July alone has begun: for August and September nothing is owed yet.
	wantLines(t, "third quarter", placesOf(l.rank("2022-Q3", "").GetUnits()),
		"1 p1 0.00 [0.00 x 50.00] [0.00 x 50.00]", "1 p2 0.00 [0.00 x 50.00] [0.00 x 50.00]", "1 p3 0.00 [0.00 x 50.00] [0.00 x 50.00]")
}

func TestRankingOfTodayTakesTheNewestMonthThatIsOver(t *testing.T) {
	l := newLeader(t, "2022-05-31", 1, card(0, scored(partOnTime, "monthly", 100)))
	l.regime("monthly", 10)
	l.target("cards", asCount, nil, under("monthly"))
	l.report("c1", "cards", "2022-M05", counted(1))
	wantLines(t, "on the last day of May", placesOf(l.rank("", "").GetUnits()), "1 p1 0.00 [0.00 x 100.00]")
	l.day("2022-06-01")
	wantLines(t, "in June", placesOf(l.rank("", "").GetUnits()), "1 p1 100.00 [100.00 x 100.00]")
}

// TestRankingOfARunningMonthJudgesTasksByToday: what is due later in it is not overdue.
func TestRankingOfARunningMonthJudgesTasksByToday(t *testing.T) {
	l := newLeader(t, "2022-06-10", 2, card(0, scored(partTasks, "", 100)))
	l.task("law", "2022-06-05", "p1", "p2")
	l.task("plan", "2022-06-20", "p1")
	l.report("p1", "law", "2022-M06", said(true))
	want := []string{"1 p1 100.00 [100.00 x 100.00]", "2 p2 0.00 [0.00 x 100.00]"}
	wantLines(t, "of today", placesOf(l.rank("", "").GetUnits()), want...)
	wantLines(t, "of June, on the 10th", placesOf(l.rank("2022-M06", "").GetUnits()), want...)
	l.day("2022-07-01")
	wantLines(t, "of June, when it is over", placesOf(l.rank("2022-M06", "").GetUnits()),
		"1 p1 50.00 [50.00 x 100.00]", "2 p2 0.00 [0.00 x 100.00]")
}

func TestRankingByGoalsThatAreMetOrNot(t *testing.T) {
	l := newLeader(t, "2022-06-30", 4, card(0, scored(partProgress, "open-cases", 100)))
	l.target("open-cases", asRatio, goalOf(goalAtMost, 100_000))
	l.report("c1", "open-cases", "2022-M06", partOf(1, 10))
	l.report("c2", "open-cases", "2022-M06", partOf(2, 10))
	l.report("c3", "open-cases", "2022-M06", partOf(0, 0))
	wantLines(t, "ranking", placesOf(l.rank("2022-M06", "").GetUnits()),
		"1 p1 100.00 [100.00 x 100.00]", "2 p2 0.00 [0.00 x 100.00]", "2 p3 0.00 [0.00 x 100.00]",
		"2 p4 0.00 [0.00 x 100.00]") // who stays silent gains nothing by it
}

func TestRankRefuses(t *testing.T) {
	l := connected(t)
	for _, c := range []struct {
		edit   func(*reportingv1.RankRequest)
		reason errorv1.Reason
		field  string
	}{
		{func(r *reportingv1.RankRequest) { r.Programme = "p" }, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme"},
		{func(r *reportingv1.RankRequest) { r.Scorecard = "p" }, errorv1.Reason_REASON_SCORECARD_NOT_FOUND, "scorecard"},
		{func(r *reportingv1.RankRequest) { r.Unit = "p99" }, errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit"},
		{func(r *reportingv1.RankRequest) { r.Period = "2022-M07" }, errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "period"},
		{func(r *reportingv1.RankRequest) { r.ComparePeriod = "2022-M06" }, errorv1.Reason_REASON_INVALID_FIELD, "compare_period"},
		{func(r *reportingv1.RankRequest) { r.ComparePeriod = "2022-Q1" }, errorv1.Reason_REASON_WRONG_PERIOD, "compare_period"},
		{func(r *reportingv1.RankRequest) { r.Period, r.ComparePeriod = "2022-Q2", "2021-H2" }, errorv1.Reason_REASON_WRONG_PERIOD, "compare_period"},
	} {
		req := &reportingv1.RankRequest{Programme: project, Scorecard: "provinces", Period: "2022-M06"}
		c.edit(req)
		_, err := l.s.Rank(t.Context(), req)
		wantRefused(t, err, c.reason, c.field)
	}
}
