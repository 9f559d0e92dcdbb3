package book

import (
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestHistory plays the histories that go wrong, one by one.
func TestHistory(t *testing.T) {
	for name, play := range map[string]func(*rig){
		"correction moves every total above by the difference":      correction,
		"correction to an older period of a stock":                  olderStock,
		"late correction of a flow":                                 lateFlow,
		"withdrawal of the newest of a stock brings the one before": newestWithdrawn,
		"the only value withdrawn":                                  onlyWithdrawn,
		"parent and children both report their own":                 parentReports,
		"denominator zero or missing":                               denominatorZero,
		"numerator above denominator":                               numeratorAbove,
		"bare percentage among ratios":                              bareAmong,
		"range over its ceiling":                                    rangeOver,
		"goal raised after all was reached":                         goalRaised,
		"goal lowered so that it is met":                            goalLowered,
		"scope grown from 52 to 89 tasks":                           scopeGrown,
		"task reopened":                                             taskReopened,
		"one province not applicable in a fan-out task":             fanOut,
		"unit created in mid-period":                                unitCreated,
		"unit closed in mid-period":                                 unitClosed,
		"unit moved keeps the nation and carries its thresholds":    unitMoved,
		"rename makes one event":                                    renameOnly,
		"zero is not missing":                                       zeroNotMissing,
		"two corrections with one expected revision":                twoCorrections,
		"one request id, two payloads":                              oneRequest,
		"same cell twice in one block":                              sameCellTwice,
		"threshold crossed up and down in one block":                upAndDown,
		"jump over several thresholds":                              jump,
		"crossing again has the next ordinal":                       again,
		"same value again makes nothing":                            sameAgain,
		"ratio announced at a parent only when all have reported":   minReporting,
		"a new year starts the flow of the year again":              newYear,
		"milestones of periods":                                     periodMilestones,
		"absolute thresholds":                                       absolute,
		"derived target refused":                                    derivedRefused,
		"overflow refused":                                          overflowRefused,
		"qualifiers inherit the weakest and come back":              weakest,
		"a batch is taken whole or not at all":                      batchWhole,
		"goals of a count roll up only when all have one":           goalsRollUp,
		"registry change and submission crossing each other":        registryCrosses,
		"dates beyond the periods":                                  datesBeyond,
		"programme until the last month there is":                   lastMonth,
		"quorum and lead only":                                      taskRules,
		"refusals say where":                                        refusals,
		"a submission before the unit existed or after it closed":   outsideLife,
		"allocation equal to the target's goal hides the one above": equalAllocation,
		"place is another after each move":                          placeAnew,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "2022-07-31")
			r.tree()
			play(r)
			r.sound()
		})
	}
}

// tells checks the story of some events.
func (r *rig) tells(events []*eventv1.Event, want ...string) {
	r.t.Helper()
	if want == nil {
		want = []string{}
	}
	if d := cmp.Diff(want, story(events)); d != "" {
		r.t.Errorf("story (-want +got):\n%s", d)
	}
}

func kinds(k ...typev1.UnitKind) []typev1.UnitKind { return k }

func correction(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.want("vn", "cards", "", Tally{Expected: 3})
	r.report("26734", "cards", "2022-M06", number(30))
	r.report("00001", "cards", "2022-M06", number(5))
	r.want("vn", "cards", "2022-M06", Tally{Num: 35, Reporting: 2, Expected: 3})
	e := r.report("26734", "cards", "2022-M06", number(20))
	s := e[0].GetSubmissionAccepted()
	if s.GetRevision() != 2 || s.GetSupersedes() != e[0].GetSequence()-2 || e[0].GetPrevious() != e[0].GetSequence()-2 {
		r.t.Errorf("a correction that says %v", e[0])
	}
	r.want("26734", "cards", "2022-M06", Tally{Num: 20, Reporting: 1, Expected: 1})
	r.want("760", "cards", "2022-M06", Tally{Num: 20, Reporting: 1, Expected: 2})
	r.want("79", "cards", "", Tally{Num: 20, Reporting: 1, Expected: 2})
	r.want("vn", "cards", "", Tally{Num: 25, Reporting: 2, Expected: 3})
	r.want("bca", "cards", "", Tally{})
}

func olderStock(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M03", number(30))
	r.report("26734", "cards", "2022-M06", number(50))
	r.report("26734", "cards", "2022-M03", number(33)) // an older period
	r.want("vn", "cards", "2022-M03", Tally{Num: 33, Reporting: 1, Expected: 3})
	r.want("vn", "cards", "", Tally{Num: 50, Reporting: 1, Expected: 3})
	r.report("26734", "cards", "2022-M04", number(40)) // late, and older than the newest
	r.want("vn", "cards", "", Tally{Num: 50, Reporting: 1, Expected: 3})
	r.want("vn", "cards", "2022-M05", Tally{Expected: 3}) // nobody reported
	if f := r.figure("26734", "cards", ""); f.Own.Newest != "2022-M06" || f.Own.Revision != 1 {
		r.t.Errorf("own part is %+v", f.Own)
	}
	r.report("26734", "cards", "2022-M07", notHere()) // the newest says: not applicable
	r.want("vn", "cards", "", Tally{Expected: 2})
}

func lateFlow(r *rig) {
	r.target("issued", count, sumAll, kinds(commune))
	r.target("year", count, sumYear, kinds(commune))
	for _, target := range []string{"issued", "year"} {
		r.report("26734", target, "2022-M05", number(10))
		r.report("26734", target, "2022-M06", number(20))
		r.report("26734", target, "2022-M05", number(12))
		r.want("79", target, "", Tally{Num: 32, Reporting: 1, Expected: 2})
		r.report("26734", target, "2022-M06", withdraw())
		r.want("79", target, "", Tally{Num: 12, Reporting: 1, Expected: 2})
		r.want("79", target, "2022-M06", Tally{Expected: 2})
	}
}

func newestWithdrawn(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M03", number(30))
	r.report("26734", "cards", "2022-M06", number(50))
	r.tells(r.report("26734", "cards", "2022-M06", withdraw()), "withdrawn vn.79.760.26734")
	r.want("vn", "cards", "2022-M06", Tally{Expected: 3})
	r.want("vn", "cards", "", Tally{Num: 30, Reporting: 1, Expected: 3})
	r.report("26734", "cards", "2022-M06", number(51))
	r.want("vn", "cards", "", Tally{Num: 51, Reporting: 1, Expected: 3})
}

func onlyWithdrawn(r *rig) {
	r.target("plan", yesNo, last, kinds(ministry))
	r.target("plan", yesNo, last, kinds(ministry), goal(registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE, 0))
	r.tells(r.report("bca", "plan", "2022-M06", yes()), "accepted vn.bca",
		"reached 25.00% plan bca #1", "reached 50.00% plan bca #1", "reached 75.00% plan bca #1",
		"reached 90.00% plan bca #1", "reached 100.00% plan bca #1",
		"reached 25.00% plan vn #1", "reached 50.00% plan vn #1")
	e := r.report("bca", "plan", "2022-M06", withdraw())
	r.tells(e, "withdrawn vn.bca",
		"revoked 25.00% plan bca #1", "revoked 50.00% plan bca #1", "revoked 75.00% plan bca #1",
		"revoked 90.00% plan bca #1", "revoked 100.00% plan bca #1",
		"revoked 25.00% plan vn #1", "revoked 50.00% plan vn #1")
	gone := e[6].GetMilestoneRevoked()
	if e[6].GetCausation() != e[0].GetSequence() || TallyOf(gone.GetBefore()) != (Tally{1, 2, 1, 2, 0}) ||
		TallyOf(gone.GetAfter()) != (Tally{0, 2, 0, 2, 0}) {
		r.t.Errorf("a revocation that says %v", e[6])
	}
	r.want("vn", "plan", "", Tally{Den: 2, Expected: 2})
	r.wantRefusal(r.sub("bca", "plan", "2022-M06", withdraw()), errorv1.Reason_REASON_NOTHING_TO_WITHDRAW, "submission.withdrawal")
}

func parentReports(r *rig) {
	r.target("posts", count, last, kinds(province, commune), func(t *registryv1.Target) {
		t.SubtotalPolicy = registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN
	})
	r.report("26734", "posts", "2022-M06", number(3))
	r.report("79", "posts", "2022-M06", number(10))
	r.want("760", "posts", "", Tally{Num: 3, Reporting: 1, Expected: 2})
	r.want("79", "posts", "", Tally{Num: 13, Reporting: 2, Expected: 3})
	r.want("vn", "posts", "", Tally{Num: 13, Reporting: 2, Expected: 5})
	if own := r.figure("79", "posts", "").Own.Tally; own != (Tally{Num: 10, Reporting: 1, Expected: 1}) {
		r.t.Errorf("own part is %+v", own)
	}
}

func denominatorZero(r *rig) {
	r.target("simplified", ratio, last, kinds(commune), func(t *registryv1.Target) { t.MayExceed = true })
	if got, why := new(Figure{Measure: r.b.MeasureByID(prog, "simplified")}).Percent(); got != "" || why != ZeroDenominator {
		r.t.Errorf("a missing denominator shows %q, %v", got, why)
	}
	r.wantRefusal(r.sub("26734", "simplified", "2022-M06", part(1, 0)), errorv1.Reason_REASON_ZERO_DENOMINATOR, "submission.ratio.denominator")
	r.report("26734", "simplified", "2022-M06", part(0, 0))
	f := r.figure("26734", "simplified", "")
	if got, why := f.Percent(); f.Total != (Tally{Reporting: 1, Expected: 1}) || got != "" || why != ZeroDenominator {
		r.t.Errorf("0 of 0 is %+v, shown %q, %v", f.Total, got, why)
	}
}

func numeratorAbove(r *rig) {
	r.target("share", ratio, last, kinds(commune), atLeast(whole))
	r.target("visits", ratio, last, kinds(commune), atLeast(whole), func(t *registryv1.Target) { t.MayExceed = true })
	r.wantRefusal(r.sub("26734", "share", "2022-M06", part(12, 10)), errorv1.Reason_REASON_NUMERATOR_ABOVE_DENOMINATOR, "submission.ratio.numerator")
	r.report("26734", "visits", "2022-M06", part(12, 10))
	f := r.figure("26734", "visits", "")
	if got, _ := f.Percent(); got != "120.00" {
		r.t.Errorf("12 of 10 shows %s", got)
	}
}

func bareAmong(r *rig) {
	r.target("exams", ratio, last, kinds(commune), atLeast(whole))
	r.report("26734", "exams", "2022-M06", part(388, 1146))
	r.tells(r.report("26737", "exams", "2022-M06", bare(931, 1)), "accepted vn.79.760.26737",
		"reached 25.00% exams 760 #1", "reached 25.00% exams 79 #1") // both of the district have reported
	f := r.figure("760", "exams", "")
	if got, _ := f.Percent(); f.Total != (Tally{388, 1146, 2, 2, 1}) || got != "33.86" {
		r.t.Errorf("the parent is %+v, %s", f.Total, got)
	}
	own := r.figure("26737", "exams", "").Own
	if !own.HasPercent || Fixed(own.BareValue, own.BareScale) != "93.1" || own.Tally != (Tally{0, 0, 1, 1, 1}) {
		r.t.Errorf("own part is %+v", own)
	}
	r.target("cards", count, last, kinds(commune))
	r.wantRefusal(r.sub("26734", "cards", "2022-M06", bare(931, 1)), errorv1.Reason_REASON_WRONG_VALUE_KIND, "submission.bare_percentage")
	r.report("26737", "exams", "2022-M06", part(12, 54)) // the denominator comes later
	r.want("760", "exams", "", Tally{400, 1200, 2, 2, 0})
}

func rangeOver(r *rig) {
	r.target("temperature", count, last, kinds(commune), func(t *registryv1.Target) {
		t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_RANGE, Low: 40, High: 60}
		t.Milestones = &registryv1.MilestoneRule{Levels: []string{"country"}}
	})
	r.tells(r.report("26734", "temperature", "2022-M06", number(20)), "accepted vn.79.760.26734",
		"reached 25.00% temperature vn #1", "reached 50.00% temperature vn #1")
	f := r.figure("vn", "temperature", "")
	if p, _ := f.Progress(); p != "50.00" || f.GoalMet() {
		r.t.Errorf("20 of 40..60 is %s, met %t", p, f.GoalMet())
	}
	r.report("26734", "temperature", "2022-M06", number(70))
	f = r.figure("vn", "temperature", "")
	if p, _ := f.Progress(); p != "175.00" || !f.GoalMet() { // runs to the floor; over the ceiling is achieved
		r.t.Errorf("70 of 40..60 is %s, met %t", p, f.GoalMet())
	}
}

func national(t *registryv1.Target) {
	t.Milestones = &registryv1.MilestoneRule{Levels: []string{"country"}}
}

func goalRaised(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	r.report("26734", "cards", "2022-M06", number(100))
	first := r.figure("vn", "cards", "").Measure.goalRevision
	e := r.target("cards", count, last, kinds(commune), atLeast(150), national)
	r.tells(e, "registry", "carried cards")
	c := e[1].GetMilestoneCarried()
	if !c.GetReset_() || c.GetGoalRevision() != r.revision || len(c.GetUnits()) != 1 ||
		!cmp.Equal(c.GetUnits()[0].GetMarks(), []uint32{3, 3, 0, 0, 0}) { // 100 of 150: 25 and 50 %
		r.t.Errorf("carried %v", c)
	}
	e = r.report("26734", "cards", "2022-M06", number(120))
	r.tells(e, "accepted vn.79.760.26734", "reached 75.00% cards vn #1")
	if got := e[1].GetMilestoneReached().GetGoalRevision(); got != r.revision || got == first {
		r.t.Errorf("reached under goal revision %d", got)
	}
}

func goalLowered(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	r.report("26734", "cards", "2022-M06", number(60))
	e := r.target("cards", count, last, kinds(commune), atLeast(60), national)
	r.tells(e, "registry", "carried cards", "reached 75.00% cards vn #1", "reached 90.00% cards vn #1", "reached 100.00% cards vn #1")
	for _, at := range e[2:] {
		if m := at.GetMilestoneReached(); m.GetGoalRevision() != r.revision || m.GetGoal() != 60 || at.GetCausation() != e[0].GetSequence() {
			r.t.Errorf("reached, says %v", at)
		}
	}
	r.tells(r.report("26734", "cards", "2022-M06", number(61)), "accepted vn.79.760.26734")
}

// central writes tasks of one ministry, n in all, of which the first done are done.
func (r *rig) central(first, n int) {
	for i := first; i < n; i++ {
		r.task("t-"+strconv.Itoa(i), typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"})
	}
}

func scopeGrown(r *rig) {
	r.central(0, 52)
	var all []string
	for i := range 47 {
		all = append(all, story(r.report("bca", "t-"+strconv.Itoa(i), "2022-M07", yes()))...)
	}
	reached := 0
	for _, s := range all {
		if s == "reached 90.00% tasks-task-central-by-task vn #1" {
			reached++
		}
	}
	if reached != 1 { // 47 of 52 is 90.38 %
		r.t.Errorf("90 %% reached %d times", reached)
	}
	r.central(52, 89)
	f := r.figure("vn", "tasks-task-central-by-task", "")
	if p, _ := f.Percent(); f.Total != (Tally{47, 89, 47, 89, 0}) || p != "52.81" {
		r.t.Errorf("47 of 89 is %+v, %s", f.Total, p)
	}
	var again []string
	for i := 47; i < 81; i++ { // 81 of 89 is 91.01 %
		again = append(again, story(r.report("bca", "t-"+strconv.Itoa(i), "2022-M07", yes()))...)
	}
	want := map[string]int{"reached 75.00% tasks-task-central-by-task vn #2": 1, "reached 90.00% tasks-task-central-by-task vn #2": 1}
	for _, s := range again {
		if want[s]--; want[s] == 0 {
			delete(want, s)
		}
	}
	if want["reached 75.00% tasks-task-central-by-task vn #2"] != 0 || want["reached 90.00% tasks-task-central-by-task vn #2"] != 0 {
		r.t.Errorf("not announced again: %v", want)
	}
}

func taskReopened(r *rig) {
	r.central(0, 2)
	r.tells(r.report("bca", "t-0", "2022-M07", yes()), "accepted vn.bca", "completed t-0",
		"reached 25.00% tasks-task-central-by-task vn #1", "reached 50.00% tasks-task-central-by-task vn #1",
		"reached 25.00% tasks-task-central-by-assignment vn #1", "reached 50.00% tasks-task-central-by-assignment vn #1")
	r.tells(r.report("bca", "t-0", "2022-M07", no()), "accepted vn.bca", "reopened t-0",
		"revoked 25.00% tasks-task-central-by-task vn #1", "revoked 50.00% tasks-task-central-by-task vn #1",
		"revoked 25.00% tasks-task-central-by-assignment vn #1", "revoked 50.00% tasks-task-central-by-assignment vn #1")
	r.want("vn", "tasks-task-central-by-task", "", Tally{0, 2, 1, 2, 0})
	r.tells(r.report("bca", "t-0", "2022-M07", yes())[:3], "accepted vn.bca", "completed t-0",
		"reached 25.00% tasks-task-central-by-task vn #2")
}

func fanOut(r *rig) {
	r.task("portals", typev1.Audience_AUDIENCE_LOCAL, []string{"79", "01", "bca"})
	r.want("vn", "portals", "", Tally{0, 3, 0, 3, 0})
	r.report("79", "portals", "2022-M07", yes())
	r.report("01", "portals", "2022-M07", yes())
	e := r.report("bca", "portals", "2022-M07", notHere())
	r.tells(e[:2], "accepted vn.bca", "completed portals")
	r.want("vn", "portals", "", Tally{2, 2, 2, 2, 0})
	for basis, want := range map[typev1.CountingBasis]Tally{byTask: {1, 1, 1, 1, 0}, byAssignment: {2, 2, 2, 2, 0}} {
		got, err := r.b.CountTasks(prog, TaskFilter{Basis: basis, Form: typev1.TaskForm_TASK_FORM_TASK}, r.b.Today())
		if err != nil || got != want {
			r.t.Errorf("by %v: %+v, %v", basis, got, err)
		}
	}
}

func unitCreated(r *rig) {
	r.target("plan", yesNo, last, kinds(commune))
	r.report("26734", "plan", "2022-M05", yes())
	r.report("26734", "plan", "2022-M06", yes())
	r.unit("26740", "760", commune, placed(from("2022-06-16", "760", commune)))
	r.want("760", "plan", "2022-M05", Tally{1, 2, 1, 2, 0})
	r.want("760", "plan", "2022-M06", Tally{1, 3, 1, 3, 0}) // it exists on the last day
	r.want("760", "plan", "", Tally{1, 3, 1, 3, 0})
	r.wantRefusal(r.sub("26740", "plan", "2022-M05", yes()), errorv1.Reason_REASON_UNIT_NOT_ACTIVE, "submission.unit")
	r.report("26740", "plan", "2022-M06", yes())
	r.want("vn", "plan", "2022-M06", Tally{2, 4, 2, 4, 0})
}

func unitClosed(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M06", number(30))
	r.report("26734", "cards", "2022-M07", number(40))
	r.unit("26734", "760", commune, closed("2022-08-15"))
	r.want("vn", "cards", "", Tally{Num: 40, Reporting: 1, Expected: 3})
	r.day("2022-08-20")
	r.tells(r.block(func(*Book) {}), "scope cards")
	r.want("vn", "cards", "", Tally{Expected: 2}) // current is judged by today's tree
	r.want("vn", "cards", "2022-M07", Tally{Num: 40, Reporting: 1, Expected: 3})
	r.want("vn", "cards", "2022-M08", Tally{Expected: 2})
	r.wantRefusal(r.sub("26734", "cards", "2022-M08", number(1)), errorv1.Reason_REASON_UNIT_NOT_ACTIVE, "submission.unit")
	r.report("26734", "cards", "2022-M07", number(45)) // late, for a period in which it existed
	r.want("vn", "cards", "2022-M07", Tally{Num: 45, Reporting: 1, Expected: 3})
	r.want("vn", "cards", "", Tally{Expected: 2})
}

func unitMoved(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100))
	r.allocate("cards", "01", 40)
	r.allocate("cards", "79", 40)
	r.report("26734", "cards", "2022-M06", number(30))
	r.report("26734", "cards", "2022-M07", number(40))
	e := r.unit("26734", "760", commune, placed(from("2010-01-01", "760", commune), from("2022-07-15", "001", commune)))
	r.tells(e, "registry", "moved 26734", "moved 26734", "carried cards",
		"reached 25.00% cards 01 #1", "reached 50.00% cards 01 #1", "reached 75.00% cards 01 #1",
		"reached 90.00% cards 01 #1", "reached 100.00% cards 01 #1")
	r.want("vn", "cards", "", Tally{Num: 40, Reporting: 1, Expected: 3})
	r.want("79", "cards", "", Tally{Expected: 1})
	r.want("01", "cards", "", Tally{Num: 40, Reporting: 1, Expected: 2})
	r.want("79", "cards", "2022-M06", Tally{Num: 30, Reporting: 1, Expected: 2})
	r.want("01", "cards", "2022-M07", Tally{Num: 40, Reporting: 1, Expected: 2})
	e = r.report("26737", "cards", "2022-M07", number(1)) // of 79: nothing is revoked in its name
	r.tells(e, "accepted vn.79.760.26737")
	e = r.report("26734", "cards", "2022-M06", number(31))
	if s := e[0].GetSubmissionAccepted(); s.GetPath() != "vn.01.001.26734" || s.GetPeriodPath() != "vn.79.760.26734" || e[0].GetPrevious() != 0 {
		r.t.Errorf("after the move: %v", e[0])
	}
	r.want("79", "cards", "2022-M06", Tally{Num: 31, Reporting: 1, Expected: 2})
}

func renameOnly(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100))
	r.central(0, 3)
	r.report("26734", "cards", "2022-M06", number(30))
	r.tells(r.unit("760", "79", district, func(u *registryv1.Unit) { u.DisplayName = "Thủ Đức" }), "registry")
	if got := r.figure("760", "cards", "").Unit.Name(); got != "Thủ Đức" {
		r.t.Errorf("it is called %s", got)
	}
}

func zeroNotMissing(r *rig) {
	r.target("cards", count, last, kinds(commune), goal(registryv1.GoalKind_GOAL_KIND_ZERO, 0), func(t *registryv1.Target) {
		t.Goal.Baseline = new(int64(200))
	})
	f := r.figure("vn", "cards", "")
	if p, why := f.Progress(); p != "" || why != NothingReported || f.GoalMet() {
		r.t.Errorf("nothing reported shows %q, %v, met %t", p, why, f.GoalMet())
	}
	r.tells(r.report("26734", "cards", "2022-M06", number(0)), "accepted vn.79.760.26734")
	r.report("26737", "cards", "2022-M06", number(0))
	r.want("vn", "cards", "", Tally{Reporting: 2, Expected: 3})
	if f := r.figure("26734", "cards", ""); f.Own.State != Reported {
		r.t.Errorf("own part is %+v", f.Own)
	}
	if f := r.figure("00001", "cards", ""); f.Own.State != Missing {
		r.t.Errorf("own part is %+v", f.Own)
	}
	r.tells(r.report("00001", "cards", "2022-M06", number(50)), "accepted vn.01.001.00001",
		"reached 25.00% cards vn #1", "reached 50.00% cards vn #1", "reached 75.00% cards vn #1") // now that all have reported
}

func twoCorrections(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M06", number(30))
	one, two := r.sub("26734", "cards", "2022-M06", number(31)), r.sub("26734", "cards", "2022-M06", number(32))
	r.block(func(l *Book) {
		if _, err := l.Submit(one); err != nil {
			r.t.Fatal(err)
		}
		_, err := l.Submit(two)
		var stale *Stale
		if !errors.As(err, &stale) || stale.Expected != 1 || stale.Actual != 2 || stale.Last != l.Head() {
			r.t.Errorf("the second is answered %v", err)
		}
	})
	r.want("vn", "cards", "", Tally{Num: 31, Reporting: 1, Expected: 3})
}

func oneRequest(r *rig) {
	r.target("cards", count, last, kinds(commune))
	first := r.sub("26734", "cards", "2022-M06", number(30))
	r.block(func(l *Book) {
		if _, err := l.Submit(first); err != nil {
			r.t.Fatal(err)
		}
	})
	at := r.b.Head()
	other := r.sub("26734", "cards", "2022-M07", number(99))
	other.RequestID = first.RequestID
	var reused *Reused
	if err := r.refused(other); !errors.As(err, &reused) || reused.Sequence != at {
		r.t.Errorf("another payload is answered %v", err)
	}
	var stale *Stale // the same again: the cell's events in the log tell that it is the same
	if err := r.refused(first); !errors.As(err, &stale) || stale.Last != at {
		r.t.Errorf("the same again is answered %v", err)
	}
	other.NotReused = at // the log says that the hash deceives
	r.block(func(l *Book) {
		if _, err := l.Submit(other); err != nil {
			r.t.Error(err)
		}
	})
	foreign := r.sub("26737", "cards", "2022-M07", number(1)) // ids are per submitter
	foreign.RequestID = first.RequestID
	r.block(func(l *Book) {
		if _, err := l.Submit(foreign); err != nil {
			r.t.Error(err)
		}
	})
}

func sameCellTwice(r *rig) {
	r.target("cards", count, last, kinds(commune))
	one, two := r.sub("26734", "cards", "2022-M06", number(30)), r.sub("26734", "cards", "2022-M06", number(50))
	two.ExpectedRevision = 1
	e := r.block(func(l *Book) {
		for i, s := range []*Submission{one, two} {
			got, err := l.Submit(s)
			if err != nil || got.Revision != uint32(i+1) || got.Sequence != l.Head() || got.RegistryRevision != r.revision {
				r.t.Errorf("receipt %+v, %v", got, err)
			}
		}
	})
	if e[1].GetSubmissionAccepted().GetSupersedes() != e[0].GetSequence() || e[1].GetPrevious() != e[0].GetSequence() {
		r.t.Errorf("the second says %v", e[1])
	}
	r.want("vn", "cards", "2022-M06", Tally{Num: 50, Reporting: 1, Expected: 3})
	r.want("vn", "cards", "", Tally{Num: 50, Reporting: 1, Expected: 3})
}

func upAndDown(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	one, two := r.sub("26734", "cards", "2022-M06", number(30)), r.sub("26734", "cards", "2022-M06", number(20))
	two.ExpectedRevision = 1
	r.tells(r.block(func(l *Book) {
		for _, s := range []*Submission{one, two} {
			if _, err := l.Submit(s); err != nil {
				r.t.Error(err)
			}
		}
	}), "accepted vn.79.760.26734", "reached 25.00% cards vn #1", "accepted vn.79.760.26734", "revoked 25.00% cards vn #1")
}

func jump(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	e := r.report("26734", "cards", "2022-M06", number(95))
	r.tells(e, "accepted vn.79.760.26734", "reached 25.00% cards vn #1", "reached 50.00% cards vn #1",
		"reached 75.00% cards vn #1", "reached 90.00% cards vn #1")
	for _, at := range e[1:] {
		if at.GetCausation() != e[0].GetSequence() {
			r.t.Errorf("caused by %d", at.GetCausation())
		}
	}
}

func again(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	r.report("26734", "cards", "2022-M06", number(30))
	r.report("26734", "cards", "2022-M06", number(20))
	r.tells(r.report("26734", "cards", "2022-M06", number(25)), "accepted vn.79.760.26734", "reached 25.00% cards vn #2")
	r.tells(r.report("26734", "cards", "2022-M06", number(24)), "accepted vn.79.760.26734", "revoked 25.00% cards vn #2")
}

func sameAgain(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	r.report("26734", "cards", "2022-M06", number(30))
	r.tells(r.report("26734", "cards", "2022-M06", number(30)), "accepted vn.79.760.26734")
	r.tells(r.report("26734", "cards", "2022-M07", number(30)), "accepted vn.79.760.26734")
}

func minReporting(r *rig) {
	r.target("share", ratio, last, kinds(commune), atLeast(whole), func(t *registryv1.Target) {
		t.Milestones = &registryv1.MilestoneRule{Thresholds: []*registryv1.Threshold{{At: &registryv1.Threshold_Progress{Progress: 5000}}}}
	})
	r.tells(r.report("26734", "share", "2022-M06", part(9, 10)), "accepted vn.79.760.26734", "reached 50.00% share 26734 #1")
	r.tells(r.report("26737", "share", "2022-M06", part(8, 10)), "accepted vn.79.760.26737", "reached 50.00% share 26737 #1",
		"reached 50.00% share 760 #1", "reached 50.00% share 79 #1")
	r.tells(r.report("00001", "share", "2022-M06", part(0, 0)), "accepted vn.01.001.00001", "reached 50.00% share vn #1")
	r.tells(r.report("26737", "share", "2022-M06", withdraw()), "withdrawn vn.79.760.26737", "revoked 50.00% share 26737 #1")
	r.tells(r.report("26737", "share", "2022-M06", part(10, 100)), "accepted vn.79.760.26737",
		"revoked 50.00% share 760 #1", "revoked 50.00% share 79 #1", "revoked 50.00% share vn #1")
}
