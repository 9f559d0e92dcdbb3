package book

import (
	"errors"
	"slices"
	"testing"
	"time"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// TestHistory_time plays what time brings, one history after the other.
func TestHistory_time(t *testing.T) {
	for name, play := range map[string]func(*rig){
		"late first report, and late correction of one in time":           lateFirst,
		"deadline on a holiday that is decided later":                     dueOnHoliday,
		"one millisecond before midnight is in time":                      midnight,
		"one millisecond before midnight a month has not ended":           cutOff,
		"unit created or closed in mid-period owes by the last day":       midPeriodReports,
		"correction to an older period of a stock is held against later":  olderStockBeaten,
		"equality is not a beat":                                          equalityNoBeat,
		"the same month of the year before is beaten":                     lastYearBeaten,
		"ratios beat as fractions":                                        ratiosBeat,
		"growth from zero, and over a missing month":                      growthFromZero,
		"growth needs all who are expected in the month before":           growthNeedsAll,
		"compound growth counts the periods since the baseline":           compoundGrowth,
		"strict range over its ceiling breaks the row of months":          strictRange,
		"three months in a row, and a correction in the middle":           inARow,
		"reports that came are a milestone, and late ones none of time":   reportMilestones,
		"a unit that stood below another in the month before":             movedBetween,
		"a unit that is moved in an older month":                          movedInThePast,
		"a unit and the one above it change places on a day":              placesChanged,
		"current goals that grow are added by the tree of today":          grownToday,
		"totals of an earlier day that leave the range are refused":       earlierOverflow,
		"figures of an earlier day end with that day":                     yearAsOf,
		"zero reported for a report is a report":                          zeroReport,
		"a regime that begins in mid-month is owed by the month's end":    fromMidMonth,
		"target added to a regime on the day of a rung":                   targetOnRungDay,
		"a due date that moves and comes back on one day":                 dueMovesBack,
		"changes of calendars name the one before and no unit's":          calendarSubjects,
		"a completion waits, is returned, and waits again without an end": awaitsAgain,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "2022-07-31")
			r.tree()
			play(r)
			r.sound()
		})
	}
}

// monthly writes a regime whose reports are due on the 5th working day, in silence.
func (r *rig) monthly(edit ...func(*registryv1.Regime)) {
	r.t.Helper()
	r.duties("monthly", append([]func(*registryv1.Regime){func(g *registryv1.Regime) { g.Silent = true }}, edit...)...)
}

// eachPeriod watches the milestones of periods, with thresholds if any are given.
func eachPeriod(thresholds ...*registryv1.Threshold) func(*registryv1.Target) {
	return func(t *registryv1.Target) {
		t.Milestones = &registryv1.MilestoneRule{Scope: registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD, Thresholds: thresholds}
	}
}

func inRow(n uint32) *registryv1.Threshold {
	return &registryv1.Threshold{At: &registryv1.Threshold_Streak{Streak: n}}
}

func beat(against registryv1.BeatAgainst) func(*registryv1.Target) {
	return func(t *registryv1.Target) {
		t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_BEAT, Beat: against}
	}
}

func beatPrevious(t *registryv1.Target) { beat(0)(t) }

// growth is a goal of so many percent a period.
func growth(percent int64) func(*registryv1.Target) {
	return func(t *registryv1.Target) {
		t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_GROWTH, Growth: percent * 10_000}
	}
}

// late reports whether a submission was told to be late.
func late(events []*eventv1.Event) bool {
	return slices.ContainsFunc(events, func(e *eventv1.Event) bool { return e.GetSubmissionAccepted().GetLate() })
}

// reports checks how many of the reports of a period came in time, and came, of how many.
func (r *rig) reports(unit, period string, inTime int64, came, expected int32) {
	r.t.Helper()
	r.want(unit, "monthly", period, Tally{Num: inTime, Den: int64(expected), Reporting: came, Expected: expected})
}

func lateFirst(r *rig) {
	r.monthly(func(g *registryv1.Regime) { g.GraceWorkingDays = 1 })
	r.target("cards", count, last, kinds(commune), within("monthly"))
	r.day("2022-08-05") // Friday, the 5th working day
	if late(r.report("26734", "cards", "2022-M07", number(1))) {
		r.t.Error("late on the due date")
	}
	r.day("2022-08-08") // Monday, the day of grace
	if late(r.report("26737", "cards", "2022-M07", number(1))) {
		r.t.Error("late on the last day of grace")
	}
	r.day("2022-08-09")
	if !late(r.report("00001", "cards", "2022-M07", number(1))) || !late(r.report("00001", "cards", "2022-M07", number(3))) {
		r.t.Error("in time after the grace")
	}
	if late(r.report("26734", "cards", "2022-M07", number(2))) {
		r.t.Error("a correction made a value late that had come in time")
	}
	r.reports("vn", "2022-M07", 2, 3, 3) // the correction leaves its report in time
	r.reports("01", "2022-M07", 0, 1, 1)
	r.report("26734", "cards", "2022-M07", withdraw())
	r.reports("vn", "2022-M07", 1, 2, 3)
	if !late(r.report("26734", "cards", "2022-M07", number(3))) {
		r.t.Error("in time after it was taken back")
	}
	r.reports("vn", "2022-M07", 1, 3, 3)
}

func dueOnHoliday(r *rig) {
	r.monthly()
	r.target("cards", count, last, kinds(commune), within("monthly"))
	r.day("2022-09-07") // the 5th working day of September
	r.change(&registryv1.Change{Resource: &registryv1.Change_Calendar{Calendar: &registryv1.Calendar{Name: "calendars/statistical",
		Holidays: []*registryv1.Holiday{{Date: "2022-09-01"}, {Date: "2022-09-02"}}}}})
	r.day("2022-09-09")
	if late(r.report("26734", "cards", "2022-M08", number(1))) {
		r.t.Error("late though two days were off")
	}
	r.day("2022-09-10")
	if !late(r.report("26737", "cards", "2022-M08", number(1))) {
		r.t.Error("in time a day after")
	}
	r.reports("vn", "2022-M08", 1, 2, 3)
}

func midnight(r *rig) {
	r.monthly()
	r.target("cards", count, last, kinds(commune), within("monthly"))
	end := date(r.t, "2022-08-05").End()
	r.now = end.Add(-time.Millisecond)
	if late(r.report("26734", "cards", "2022-M07", number(1))) {
		r.t.Error("late before midnight")
	}
	r.now = end
	if !late(r.report("26737", "cards", "2022-M07", number(1))) {
		r.t.Error("in time after midnight")
	}
}

func cutOff(r *rig) {
	r.target("monthly-of-15th", count, last, kinds(commune), func(t *registryv1.Target) { t.Calendar = calendar.Administrative })
	end := date(r.t, "2022-08-14").End() // of 2022-M08
	r.now = end.Add(-time.Millisecond)
	r.block(func(*Book) {})
	if err := r.refused(r.sub("26734", "monthly-of-15th", "2022-M09", number(1))); err == nil {
		r.t.Error("a month that has not begun is reported")
	}
	r.now = end
	r.report("26734", "monthly-of-15th", "2022-M09", number(1))
}

func midPeriodReports(r *rig) {
	r.monthly()
	r.target("cards", count, last, kinds(commune), within("monthly"))
	r.unit("26740", "760", commune, placed(from("2022-08-31", "760", commune)))
	r.unit("26737", "760", commune, closed("2022-08-31"))
	r.day("2022-09-01")
	r.report("26734", "cards", "2022-M07", number(1))
	r.report("26734", "cards", "2022-M08", number(1))
	r.reports("760", "2022-M07", 0, 1, 2) // 26734 and 26737
	r.reports("760", "2022-M08", 1, 1, 2) // 26734 and 26740
	r.report("26740", "cards", "2022-M08", number(1))
	r.reports("760", "2022-M08", 2, 2, 2)
}

func olderStockBeaten(r *rig) {
	r.target("cards", count, last, kinds(commune), func(t *registryv1.Target) { t.Applicability.Units, t.Applicability.Kinds = []string{"26734"}, nil },
		beatPrevious, eachPeriod())
	r.report("26734", "cards", "2022-M04", number(30))
	r.tells(r.report("26734", "cards", "2022-M05", number(40)), "accepted vn.79.760.26734",
		"reached 100.00% cards 26734 #1 2022-M05", "reached 100.00% cards 760 #1 2022-M05",
		"reached 100.00% cards 79 #1 2022-M05", "reached 100.00% cards vn #1 2022-M05")
	r.tells(r.report("26734", "cards", "2022-M04", number(40)), "accepted vn.79.760.26734", // equal now
		"revoked 100.00% cards 26734 #1 2022-M05", "revoked 100.00% cards 760 #1 2022-M05",
		"revoked 100.00% cards 79 #1 2022-M05", "revoked 100.00% cards vn #1 2022-M05")
	r.tells(r.report("26734", "cards", "2022-M03", number(5)), "accepted vn.79.760.26734",
		"reached 100.00% cards 26734 #1 2022-M04", "reached 100.00% cards 760 #1 2022-M04",
		"reached 100.00% cards 79 #1 2022-M04", "reached 100.00% cards vn #1 2022-M04")
	r.want("vn", "cards", "", Tally{Num: 40, Reporting: 1, Expected: 1})
}

// ofOne makes a target apply to one unit alone.
func ofOne(unit string) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.Applicability = &registryv1.Applicability{Units: []string{unit}} }
}

func equalityNoBeat(r *rig) {
	r.target("cards", count, last, nil, ofOne("vn"), beatPrevious, eachPeriod())
	r.report("vn", "cards", "2022-M04", number(30))
	r.tells(r.report("vn", "cards", "2022-M05", number(30)), "accepted vn")
	r.tells(r.report("vn", "cards", "2022-M06", number(31)), "accepted vn", "reached 100.00% cards vn #1 2022-M06")
	r.tells(r.report("vn", "cards", "2022-M07", number(0)), "accepted vn")
}

func lastYearBeaten(r *rig) {
	r.day("2023-05-31")
	r.target("cards", count, last, nil, ofOne("vn"), beat(registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR), eachPeriod())
	r.report("vn", "cards", "2023-M04", number(90))
	r.tells(r.report("vn", "cards", "2023-M05", number(31)), "accepted vn")
	r.tells(r.report("vn", "cards", "2022-M05", number(30)), "accepted vn", "reached 100.00% cards vn #1 2023-M05")
	r.tells(r.report("vn", "cards", "2022-M05", number(31)), "accepted vn", "revoked 100.00% cards vn #1 2023-M05")
}

func ratiosBeat(r *rig) {
	r.target("online", ratio, last, nil, ofOne("vn"), beatPrevious, eachPeriod())
	r.report("vn", "online", "2022-M04", part(1, 3))
	r.tells(r.report("vn", "online", "2022-M05", part(333_333, 999_999)), "accepted vn") // the same
	r.tells(r.report("vn", "online", "2022-M06", part(333_334, 999_999)), "accepted vn", "reached 100.00% online vn #1 2022-M06")
	r.tells(r.report("vn", "online", "2022-M05", part(0, 0)), "accepted vn", "revoked 100.00% online vn #1 2022-M06")
}

func growthFromZero(r *rig) {
	r.target("cards", count, last, nil, ofOne("vn"), growth(10), eachPeriod())
	r.report("vn", "cards", "2022-M02", number(0))
	r.tells(r.report("vn", "cards", "2022-M03", number(100)), "accepted vn")
	if f := r.figure("vn", "cards", "2022-M03"); f.GoalMet() || f.Goal.why != PreviousZero {
		r.t.Errorf("growth from zero is %+v", f.Goal)
	}
	r.tells(r.report("vn", "cards", "2022-M05", number(200)), "accepted vn") // over the missing April
	if f := r.figure("vn", "cards", "2022-M05"); f.GoalMet() || f.Goal.why != PreviousMissing {
		r.t.Errorf("growth over a missing month is %+v", f.Goal)
	}
	r.tells(r.report("vn", "cards", "2022-M04", number(109)), "accepted vn", "reached 100.00% cards vn #1 2022-M05") // 9 % on March
	r.tells(r.report("vn", "cards", "2022-M04", number(110)), "accepted vn", "reached 100.00% cards vn #1 2022-M04")
}

func growthNeedsAll(r *rig) {
	r.target("cards", count, last, kinds(commune), growth(10), eachPeriod())
	r.report("26734", "cards", "2022-M05", number(100))
	r.report("26737", "cards", "2022-M05", number(100))
	r.tells(r.report("26734", "cards", "2022-M06", number(900)), "accepted vn.79.760.26734", "reached 100.00% cards 26734 #1 2022-M06",
		"reached 100.00% cards 760 #1 2022-M06", "reached 100.00% cards 79 #1 2022-M06") // the nation's May is not known yet
	r.tells(r.report("00001", "cards", "2022-M05", number(1)), "accepted vn.01.001.00001", "reached 100.00% cards vn #1 2022-M06")
}

func compoundGrowth(r *rig) {
	r.target("cards", count, last, nil, ofOne("vn"), eachPeriod(), func(t *registryv1.Target) {
		t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_GROWTH, Growth: 100_000, Baseline: new(int64(1000)),
			GrowthMode: registryv1.GrowthMode_GROWTH_MODE_COMPOUND, BaselineDate: "2022-03-31"}
	})
	for period, want := range map[string]int64{"2022-M04": 1100, "2022-M05": 1210, "2022-M06": 1331, "2022-M07": 1465} { // 1,464.1
		if f := r.figure("vn", "cards", period); f.Goal.value != want {
			r.t.Errorf("the goal of %s is %d, want %d", period, f.Goal.value, want)
		}
	}
	r.tells(r.report("vn", "cards", "2022-M07", number(1464)), "accepted vn")
	r.tells(r.report("vn", "cards", "2022-M07", number(1465)), "accepted vn", "reached 100.00% cards vn #1 2022-M07")
	r.tells(r.report("vn", "cards", "2022-M05", number(1210)), "accepted vn", "reached 100.00% cards vn #1 2022-M05")
}

func strictRange(r *rig) {
	for id, strict := range map[string]bool{"loose": false, "strict": true} {
		r.target(id, count, last, nil, ofOne("vn"), eachPeriod(inRow(2)), func(t *registryv1.Target) {
			t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_RANGE, Low: 10, High: 20, Strict: strict}
		})
		r.report("vn", id, "2022-M05", number(20))
	}
	r.tells(r.report("vn", "loose", "2022-M06", number(21)), "accepted vn", "reached 2 in a row loose vn #1 2022-M06")
	r.tells(r.report("vn", "strict", "2022-M06", number(21)), "accepted vn")
	r.tells(r.report("vn", "strict", "2022-M06", number(20)), "accepted vn", "reached 2 in a row strict vn #1 2022-M06")
}

func inARow(r *rig) {
	r.target("cards", count, last, nil, ofOne("vn"), atLeast(10), eachPeriod(inRow(3)))
	r.report("vn", "cards", "2022-M03", number(10))
	r.report("vn", "cards", "2022-M04", number(10))
	r.tells(r.report("vn", "cards", "2022-M06", number(10)), "accepted vn") // May is missing
	r.report("vn", "cards", "2022-M07", number(10))
	r.tells(r.report("vn", "cards", "2022-M05", number(10)), "accepted vn", "reached 3 in a row cards vn #1 2022-M05",
		"reached 3 in a row cards vn #1 2022-M06", "reached 3 in a row cards vn #1 2022-M07")
	r.tells(r.report("vn", "cards", "2022-M04", number(9)), "accepted vn", "revoked 3 in a row cards vn #1 2022-M05",
		"revoked 3 in a row cards vn #1 2022-M06") // May to July stand
}

func reportMilestones(r *rig) {
	r.monthly(func(g *registryv1.Regime) {
		g.Milestones = &registryv1.MilestoneRule{Levels: []string{"country"}, Thresholds: []*registryv1.Threshold{
			{At: &registryv1.Threshold_Progress{Progress: 5000}}, {At: &registryv1.Threshold_Completeness{Completeness: 10000}}}}
	})
	r.target("cards", count, last, kinds(commune), within("monthly"), func(t *registryv1.Target) { t.Milestones = &registryv1.MilestoneRule{Disabled: true} })
	r.day("2022-08-01")
	r.tells(r.report("26734", "cards", "2022-M07", number(1)), "accepted vn.79.760.26734")
	r.tells(r.report("26737", "cards", "2022-M07", number(1)), "accepted vn.79.760.26737", "reached 50.00% monthly vn #1 2022-M07")
	r.day("2022-10-01")
	r.tells(r.report("00001", "cards", "2022-M07", number(1)), "accepted vn.01.001.00001", "reached 100.00% complete monthly vn #1 2022-M07")
	r.tells(r.report("26734", "cards", "2022-M07", withdraw()), "withdrawn vn.79.760.26734",
		"revoked 50.00% monthly vn #1 2022-M07", "revoked 100.00% complete monthly vn #1 2022-M07")
}

// twoInJuly is 79 with two communes, of which 26734 is elsewhere from July on.
func twoInJuly(r *rig) {
	r.unit("26734", "", commune, placed(from("2010-01-01", "760", commune), from("2022-07-01", "001", commune)))
	r.target("cards", count, last, kinds(commune), beatPrevious, eachPeriod())
	r.report("26737", "cards", "2022-M07", number(50))
	r.report("26737", "cards", "2022-M06", number(40))
}

func movedBetween(r *rig) {
	twoInJuly(r)
	r.tells(r.report("26734", "cards", "2022-M06", number(9)), "accepted vn.01.001.26734",
		"reached 100.00% cards 760 #1 2022-M07", "reached 100.00% cards 79 #1 2022-M07") // 50 of July beats 49, and 01 has no July
	r.tells(r.report("26734", "cards", "2022-M06", number(10)), "accepted vn.01.001.26734",
		"revoked 100.00% cards 760 #1 2022-M07", "revoked 100.00% cards 79 #1 2022-M07")
}

func movedInThePast(r *rig) {
	r.unit("760", "", district, placed(from("2010-01-01", "79", district), from("2022-07-01", "01", district)))
	r.unit("761", "79", district)
	r.unit("26800", "761", commune)
	r.target("cards", count, last, kinds(commune), beatPrevious, eachPeriod())
	for unit, n := range map[string]int64{"26734": 30, "26737": 1, "26800": 20} {
		r.report(unit, "cards", "2022-M06", number(n))
	}
	r.report("26800", "cards", "2022-M07", number(30)) // 79 had 51 in June
	e := r.unit("26734", "", commune, placed(from("2010-01-01", "760", commune), from("2022-06-01", "001", commune), from("2022-07-01", "760", commune)))
	// 79 has 21 in June now, and so it beats that in July, in which 26734 was and is elsewhere.
	got := story(e)
	if len(got) == 0 || got[len(got)-1] != "reached 100.00% cards 79 #1 2022-M07" {
		r.t.Errorf("the story of a move in June is %v", got)
	}
}

func placesChanged(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M07", number(30))
	r.report("26737", "cards", "2022-M07", number(7))
	r.unit("26734", "", commune, placed(from("2010-01-01", "760", commune), from("2022-08-20", "79", commune)))
	r.unit("760", "", district, placed(from("2010-01-01", "79", district), from("2022-08-20", "26734", district)))
	r.day("2022-08-20")
	r.block(func(*Book) {})
	r.want("vn", "cards", "", Tally{Num: 37, Reporting: 2, Expected: 3})
	r.want("760", "cards", "", Tally{Num: 7, Reporting: 1, Expected: 1})
	r.want("26734", "cards", "", Tally{Num: 37, Reporting: 2, Expected: 2})
}

func grownToday(r *rig) {
	r.target("cards", count, last, kinds(commune), eachPeriod(), func(t *registryv1.Target) {
		t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_GROWTH, Growth: 100_000, Baseline: new(int64(1000)),
			GrowthMode: registryv1.GrowthMode_GROWTH_MODE_COMPOUND, BaselineDate: "2022-08-31"}
	})
	for unit, base := range map[string]int64{"26734": 10, "26737": 20, "00001": 40} {
		r.change(&registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: &registryv1.Allocation{
			Name: "programmes/" + prog + "/targets/cards/allocations/" + unit, Baseline: new(base)}}})
	}
	r.unit("26737", "", commune, placed(from("2010-01-01", "760", commune), from("2022-08-20", "001", commune)))
	r.day("2022-08-10") // it moves later this month
	r.block(func(*Book) {})
	for unit, want := range map[string]int64{"760": 30, "001": 40} {
		if f := r.figure(unit, "cards", ""); f.Goal.value != want {
			r.t.Errorf("today's goal of %s is %d, want %d", unit, f.Goal.value, want)
		}
	}
	for unit, want := range map[string]int64{"760": 10, "001": 60} {
		if f := r.figure(unit, "cards", "2022-M08"); f.Goal.value != want {
			r.t.Errorf("August's goal of %s is %d, want %d", unit, f.Goal.value, want)
		}
	}
}

func earlierOverflow(r *rig) {
	const most = 1 << 62
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M05", number(most))
	r.report("26734", "cards", "2022-M07", number(1)) // no total that is kept is too large
	r.report("26737", "cards", "2022-M06", number(most))
	m := r.b.MeasureByID(prog, "cards")
	if err := r.b.View(m, Current).Err(); err != nil {
		r.t.Errorf("today: %v", err)
	}
	var refused *Refusal
	if err := r.b.ViewAsOf(m, date(r.t, "2022-06-30")).Err(); !errors.As(err, &refused) || refused.Reason != errorv1.Reason_REASON_OVERFLOW {
		r.t.Errorf("as of June: %v", err)
	}
	if err := r.b.View(m, month(r.t, "2022-Q2")).Err(); !errors.As(err, &refused) {
		r.t.Errorf("the second quarter: %v", err)
	}
}

func yearAsOf(r *rig) {
	r.target("issued", count, sumYear, nil, ofOne("vn"))
	for period, n := range map[string]int64{"2022-M02": 1, "2022-M04": 10, "2022-M06": 100} {
		r.report("vn", "issued", period, number(n))
	}
	for day, want := range map[string]int64{"2022-01-31": 0, "2022-02-01": 1, "2022-05-31": 11, "2022-06-01": 111} {
		f := r.b.ViewAsOf(r.b.MeasureByID(prog, "issued"), date(r.t, day)).Figure(r.b.UnitByID("vn"))
		if f.Total.Num != want {
			r.t.Errorf("as of %s it is %d, want %d", day, f.Total.Num, want)
		}
	}
}

func zeroReport(r *rig) {
	r.monthly()
	r.target("cards", count, last, kinds(commune), within("monthly"))
	r.report("26734", "cards", "2022-M07", number(0))
	r.reports("760", "2022-M07", 1, 1, 2)
	r.want("760", "cards", "2022-M07", Tally{Reporting: 1, Expected: 2})
}

func fromMidMonth(r *rig) {
	r.monthly(func(g *registryv1.Regime) { g.FromDate = "2022-06-15" })
	r.target("cards", count, last, kinds(commune), within("monthly"))
	r.reports("vn", "2022-M05", 0, 0, 0)
	r.reports("vn", "2022-M06", 0, 0, 3)
}

func targetOnRungDay(r *rig) {
	r.monthly(func(g *registryv1.Regime) { g.Silent = false })
	r.day("2022-08-12") // a week after July's reports were due
	due, told := 0, 0
	for _, e := range r.target("cards", count, last, kinds(commune), within("monthly")) {
		due += intOf(e.GetDeadlineDue() != nil)
		if o := e.GetDeadlineOverdue(); o.GetDays() == 7 && o.GetPeriod() == "2022-M07" && !o.GetLate() {
			told++
		}
	}
	if due != 0 || told != 3 {
		r.t.Errorf("%d rungs before and %d a week after the due date, want 0 and 3", due, told)
	}
}

func dueMovesBack(r *rig) {
	r.day("2022-08-05")
	r.duties("monthly")
	told := map[string]int{}
	note := func(events []*eventv1.Event) {
		for _, e := range events {
			for _, d := range []*eventv1.DeadlineReached{e.GetDeadlineDue(), e.GetDeadlineOverdue()} {
				if d.GetPeriod() == "2022-M07" {
					told[d.GetDueDate()]++
				}
			}
		}
	}
	note(r.target("cards", count, last, nil, ofOne("26734"), within("monthly")))
	for _, days := range []uint32{4, 5, 4, 5} { // due yesterday or today: each has a rung today
		note(r.duties("monthly", func(g *registryv1.Regime) { g.DueWorkingDays = days }))
	}
	if told["2022-08-05"] != 1 || told["2022-08-04"] != 1 {
		r.t.Errorf("rungs told are %v, want one of each due date", told)
	}
}

func calendarSubjects(r *rig) {
	send := func() *eventv1.Event {
		events := r.change(&registryv1.Change{Resource: &registryv1.Change_Calendar{Calendar: &registryv1.Calendar{Name: "calendars/statistical"}}})
		return events[slices.IndexFunc(events, func(e *eventv1.Event) bool { return e.GetRegistryChanged() != nil })]
	}
	first := send()
	if second := send(); first.GetPrevious() != 0 || second.GetPrevious() != first.GetSequence() {
		r.t.Errorf("previous ones are %d and %d, want 0 and %d", first.GetPrevious(), second.GetPrevious(), first.GetSequence())
	}
}

func awaitsAgain(r *rig) {
	r.task("plan", 1, []string{"79"}, func(t *registryv1.Task) {
		t.NeedsAcceptance = true
		t.Assignments = append(t.Assignments, &registryv1.Assignment{Unit: "bca", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING})
	})
	decide := func(code eventv1.ReturnCode) {
		r.t.Helper()
		s := r.sub("79", "plan", "2022-M07", yes())
		s.Review = &Review{Reviewer: "bca", Code: code}
		r.block(func(l *Book) {
			if _, err := l.Submit(s); err != nil {
				r.t.Fatal(err)
			}
		})
	}
	r.report("79", "plan", "2022-M07", yes())
	r.want("vn", "plan", "", Tally{Den: 1, Reporting: 1, Expected: 1})
	decide(eventv1.ReturnCode_RETURN_CODE_INCONSISTENT)
	r.want("vn", "plan", "", Tally{Den: 1, Expected: 1})
	r.report("79", "plan", "2022-M07", yes())
	decide(0)
	r.want("vn", "plan", "", Tally{Num: 1, Den: 1, Reporting: 1, Expected: 1})
	r.report("79", "plan", "2022-M07", yes()) // sent anew: it waits anew
	r.want("vn", "plan", "", Tally{Den: 1, Reporting: 1, Expected: 1})
}
