package book

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

const central = typev1.Audience_AUDIENCE_CENTRAL

func needsAcceptance(t *registryv1.Task) { t.NeedsAcceptance = true }

// newReviews is a rig on 2022-01-05 with a task of bca and 79, due on 2022-02-10,
// whose completions btp accepts.
func newReviews(t *testing.T) *rig {
	r := newRig(t, "2022-01-05")
	r.tree()
	r.task("law", central, []string{"bca", "79"}, dueOn("2022-02-10"), watchedBy("btp"), needsAcceptance)
	return r
}

// decision is one about what a unit sent for a month; code 0 accepts.
func (r *rig) decision(unit, period, reviewer string, code eventv1.ReturnCode) *Submission {
	r.t.Helper()
	s := r.sub(unit, "law", period, Value{})
	s.Review = &Review{Reviewer: reviewer, Code: code}
	return s
}

// decide takes a decision of btp, which must be taken.
func (r *rig) decide(unit, period string, code eventv1.ReturnCode) []*eventv1.Event {
	r.t.Helper()
	s := r.decision(unit, period, "btp", code)
	return r.block(func(l *Book) {
		if _, err := l.Submit(s); err != nil {
			r.t.Fatalf("btp decides about %s: %v", unit, err)
		}
	})
}

// wantTimely checks the classes of the parts of tasks: completed on time, late,
// pending in time, overdue.
func (r *rig) wantTimely(basis typev1.CountingBasis, onTime, late, pending, overdue int64) {
	r.t.Helper()
	want := score.Timeliness{CompletedOnTime: onTime, CompletedLate: late, PendingInTime: pending, PendingOverdue: overdue}
	got := r.b.Timeliness(prog, TaskFilter{Basis: basis, Form: typev1.TaskForm_TASK_FORM_TASK}, nil, r.b.Today())
	if got != want {
		r.t.Errorf("by %s on %s: %+v, want %+v", basis, r.b.today, got, want)
	}
}

const inconsistent = eventv1.ReturnCode_RETURN_CODE_INCONSISTENT

func TestCompletionSentInTimeAndAcceptedLaterIsOnTime(t *testing.T) {
	r := newReviews(t)
	r.untilDay("2022-02-10", "law", "")
	r.report("bca", "law", "2022-M02", yes())
	r.wantStates("vn", "law", "", "79 DUE", "bca SUBMITTED")
	r.want("vn", "law", "", Tally{Den: 2, Reporting: 1, Expected: 2})
	told := r.untilDay("2022-03-01", "law", "", "bca") // nothing is outstanding while it waits
	r.wantTold(told, nil)
	r.wantTimely(byAssignment, 0, 0, 0, 2) // but nothing is completed before it is accepted
	r.decide("bca", "2022-M02", 0)
	r.wantStates("vn", "law", "", "79 MISSING", "bca ACCEPTED")
	r.want("vn", "law", "", Tally{Num: 1, Den: 2, Reporting: 1, Expected: 2})
	r.wantTimely(byAssignment, 1, 0, 0, 1)
	r.wantTimely(byTask, 0, 0, 0, 1)
	r.report("79", "law", "2022-M03", yes())
	r.decide("79", "2022-M03", 0)
	r.wantTimely(byAssignment, 1, 1, 0, 0)
	r.wantTimely(byTask, 0, 1, 0, 0)
	r.sound()
}

func TestCompletionReturnedAndSentAgainLateIsLate(t *testing.T) {
	r := newReviews(t)
	r.report("bca", "law", "2022-M01", yes())
	r.decide("bca", "2022-M01", inconsistent)
	r.wantStates("bca", "law", "", "bca DUE")
	r.want("vn", "law", "", Tally{Den: 2, Expected: 2})
	r.wantTold(r.untilDay("2022-02-11", "law", "", "bca"), []string{
		"2022-01-11 T-30 bca due 2022-02-10 to UNIT bca",
		"2022-02-03 T-7 bca due 2022-02-10 to UNIT bca",
		"2022-02-09 T-1 bca due 2022-02-10 to UNIT bca",
		"2022-02-10 T+0 bca due 2022-02-10 to UNIT bca",
		"2022-02-11 T+1 bca due 2022-02-10 to UNIT bca",
	})
	r.report("bca", "law", "2022-M01", yes())
	r.decide("bca", "2022-M01", 0)
	r.wantStates("bca", "law", "", "bca LATE")
	if o := r.owes("bca", "law", ""); o.Came != date(t, "2022-02-11") {
		t.Errorf("it came on %s", o.Came)
	}
	r.sound()
}

func TestCompletionReturnedAndSentAgainInTimeIsOnTime(t *testing.T) {
	r := newReviews(t)
	r.report("bca", "law", "2022-M01", yes())
	r.decide("bca", "2022-M01", inconsistent)
	r.untilDay("2022-02-10", "law", "")
	r.report("bca", "law", "2022-M01", yes())
	r.untilDay("2022-02-20", "law", "")
	r.decide("bca", "2022-M01", 0)
	r.wantStates("bca", "law", "", "bca ACCEPTED")
	r.sound()
}

func TestDecisionIsAnEventOfItsOwn(t *testing.T) {
	r := newReviews(t)
	r.report("bca", "law", "2022-M01", yes())
	e := r.decide("bca", "2022-M01", inconsistent)[0]
	got := e.GetSubmissionReturned()
	if got.GetState() != eventv1.CellState_CELL_STATE_RETURNED || got.GetReturnCode() != inconsistent || got.GetReviewer() != "btp" ||
		got.GetRevision() != 2 || got.GetSupersedes() == 0 || got.GetPath() != "vn.bca" {
		t.Errorf("the return is %v", e)
	}
	r.report("bca", "law", "2022-M01", yes())
	e = r.decide("bca", "2022-M01", 0)[0]
	if got = e.GetSubmissionApproved(); got.GetState() != eventv1.CellState_CELL_STATE_REPORTED || got.GetTally().GetNumerator() != 1 ||
		got.GetReviewer() != "btp" || got.GetRevision() != 4 || got.GetReturnCode() != 0 {
		t.Errorf("the acceptance is %v", e)
	}
}

func TestRefusedDecisions(t *testing.T) {
	r := newReviews(t)
	r.task("own", central, []string{"bca"}, dueOn("2022-02-10"), watchedBy("bca"), watchedBy("btp"), needsAcceptance)
	r.report("bca", "law", "2022-M01", yes())
	r.report("bca", "own", "2022-M01", yes())

	r.wantRefusal(r.decision("bca", "2022-M01", "79", 0), errorv1.Reason_REASON_NOT_COMPETENT, "reviewer")
	r.wantRefusal(r.decision("bca", "2022-M01", "vn", inconsistent), errorv1.Reason_REASON_NOT_COMPETENT, "reviewer")
	own := r.decision("bca", "2022-M01", "bca", 0)
	own.Target = "own"
	r.wantRefusal(own, errorv1.Reason_REASON_NOT_COMPETENT, "reviewer") // it watches, but who submits never decides
	r.wantRefusal(r.decision("79", "2022-M01", "btp", 0), errorv1.Reason_REASON_NOTHING_TO_REVIEW, "task")
	stale := r.decision("bca", "2022-M01", "btp", 0)
	stale.ExpectedRevision = 7
	if _, ok := r.refused(stale).(*Stale); !ok {
		t.Error("a decision about another revision is not stale")
	}
	first := r.decision("bca", "2022-M01", "btp", 0)
	r.block(func(l *Book) {
		if _, err := l.Submit(first); err != nil {
			t.Fatal(err)
		}
	})
	r.wantRefusal(r.decision("bca", "2022-M01", "btp", inconsistent), errorv1.Reason_REASON_NOTHING_TO_REVIEW, "task")
	r.report("79", "law", "2022-M01", yes())
	again := r.decision("79", "2022-M01", "btp", 0)
	again.RequestID = first.RequestID
	if _, ok := r.refused(again).(*Reused); !ok {
		t.Error("a reviewer's request id can be used twice")
	}
	r.sound()
}

func TestReopenedTaskIsPendingAgain(t *testing.T) {
	r := newReviews(t)
	for _, unit := range []string{"bca", "79"} {
		r.report(unit, "law", "2022-M01", yes())
	}
	r.decide("bca", "2022-M01", 0)
	if got := story(r.decide("79", "2022-M01", 0)); !cmp.Equal(got[1:2], []string{"completed law"}) {
		t.Errorf("the last acceptance makes %q", got)
	}
	r.wantTimely(byTask, 1, 0, 0, 0)
	if got := story(r.report("79", "law", "2022-M01", withdraw())); !cmp.Equal(got[1:2], []string{"reopened law"}) {
		t.Errorf("the withdrawal makes %q", got)
	}
	r.wantTimely(byTask, 0, 0, 1, 0)
	r.wantTimely(byAssignment, 1, 0, 1, 0)
	r.untilDay("2022-02-11", "law", "")
	r.wantTimely(byTask, 0, 0, 0, 1)
	r.report("79", "law", "2022-M01", yes())
	r.decide("79", "2022-M01", 0)
	r.wantTimely(byTask, 0, 1, 0, 0)
	r.sound()
}

// TestTaskIsCompletedWithTheLastPartThatItsRuleNeeds: of four units with a quorum of
// half, the second to come; of a lead and others, the lead.
func TestTaskThatWasCompletedLateStaysSoAsOfThenWhenItIsReopened(t *testing.T) {
	r := newRig(t, "2022-01-05")
	r.tree()
	r.task("law", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"}, func(t *registryv1.Task) {
		t.Due = &registryv1.DueWindow{LatestDate: "2022-02-10"}
	})
	r.day("2022-02-05")
	r.report("bca", "law", "2022-M02", yes()) // in time, and taken back
	r.day("2022-03-05")
	r.report("bca", "law", "2022-M02", no())
	r.report("bca", "law", "2022-M03", yes())
	r.day("2022-04-05")
	r.report("bca", "law", "2022-M04", yes()) // says so again
	r.day("2022-05-05")
	r.report("bca", "law", "2022-M05", no())
	for _, basis := range []typev1.CountingBasis{typev1.CountingBasis_COUNTING_BASIS_TASK, typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT} {
		f := TaskFilter{Basis: basis, Form: typev1.TaskForm_TASK_FORM_TASK}
		for day, want := range map[string]score.Timeliness{"2022-01-31": {PendingInTime: 1}, "2022-02-28": {PendingOverdue: 1},
			"2022-03-31": {CompletedLate: 1}, "2022-04-30": {CompletedLate: 1}, "2022-05-05": {PendingOverdue: 1}} {
			if got := r.b.Timeliness(prog, f, nil, date(t, day)); got != want {
				t.Errorf("by %s as of %s: %+v, want %+v", basis, day, got, want)
			}
		}
	}
	r.sound()
}

func TestTaskIsCompletedWithTheLastPartThatItsRuleNeeds(t *testing.T) {
	rule := func(kind registryv1.CompletionRuleKind, percent uint32) func(*registryv1.Task) {
		return func(t *registryv1.Task) {
			t.CompletionRule = &registryv1.CompletionRule{Kind: kind, QuorumPercent: percent}
		}
	}
	all := rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_ALL, 0)
	lead := rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_LEAD_ONLY, 0)
	quorum := func(n uint32) func(*registryv1.Task) {
		return rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM, n)
	}
	for _, c := range []struct {
		name         string
		rule         func(*registryv1.Task)
		late         []string // who is late; the others come in time
		onTime, past int64
	}{
		{"all in time", all, nil, 1, 0},
		{"one of all late", all, []string{"01"}, 0, 1},
		{"two of four needed, two late", quorum(50), []string{"01", "bca"}, 1, 0},
		{"two of four needed, three late", quorum(50), []string{"01", "bca", "79"}, 0, 1},
		{"51 of 100 are three of four", quorum(51), []string{"01", "bca"}, 0, 1},
		{"lead in time", lead, []string{"01", "btp", "79"}, 1, 0},
		{"lead late", lead, []string{"bca"}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "2022-02-05")
			r.tree()
			units := []string{"bca", "btp", "79", "01"}
			r.task("law", central, units, dueOn("2022-02-10"), c.rule)
			late := make(map[string]bool)
			for _, unit := range c.late {
				late[unit] = true
			}
			for _, unit := range units {
				if !late[unit] {
					r.report(unit, "law", "2022-M02", yes())
				}
			}
			r.untilDay("2022-02-20", "law", "")
			for _, unit := range c.late {
				r.report(unit, "law", "2022-M02", yes())
			}
			r.wantTimely(byTask, c.onTime, c.past, 0, 0)
			r.wantTimely(byAssignment, int64(4-len(late)), int64(len(late)), 0, 0)
		})
	}
}

func TestTaskIsDueOnTheLatestDayGrantedToOneOfItsUnits(t *testing.T) {
	r := newRig(t, "2022-02-05")
	r.tree()
	r.task("law", central, []string{"bca", "79"}, dueOn("2022-02-10"))
	r.grant("law", "bca", "", "2022-02-15") // the first of them
	r.untilDay("2022-02-15", "law", "")
	r.wantTimely(byTask, 0, 0, 1, 0)
	r.wantTimely(byAssignment, 0, 0, 1, 1)
	r.untilDay("2022-02-16", "law", "")
	r.wantTimely(byTask, 0, 0, 0, 1)
	r.wantTimely(byAssignment, 0, 0, 0, 2)
}

func TestTimelinessIsFiltered(t *testing.T) {
	r := newRig(t, "2022-02-05")
	r.tree()
	r.task("a", central, []string{"bca", "79"}, dueOn("2022-02-10"), func(t *registryv1.Task) { t.Pillar, t.Group = "data", "g1" })
	r.task("b", typev1.Audience_AUDIENCE_LOCAL, []string{"760", "01"}, dueOn("2022-02-10"), func(t *registryv1.Task) { t.Pillar = "law" })
	r.task("c", central, []string{"01"}, dueOn("2022-02-10"), func(t *registryv1.Task) { t.Form = typev1.TaskForm_TASK_FORM_GROUP })
	r.task("d", central, []string{"btp"}, dueOn("2022-02-10"))
	r.report("btp", "d", "2022-M02", notHere()) // counts not at all
	task, group := typev1.TaskForm_TASK_FORM_TASK, typev1.TaskForm_TASK_FORM_GROUP
	for _, c := range []struct {
		f    TaskFilter
		top  string
		want int64
	}{
		{TaskFilter{Basis: byAssignment, Form: task}, "", 4},
		{TaskFilter{Basis: byTask, Form: task}, "", 2},
		{TaskFilter{Basis: byAssignment, Form: group}, "", 1},
		{TaskFilter{Basis: byAssignment, Form: task, Audience: central}, "", 2},
		{TaskFilter{Basis: byTask, Form: task, Pillar: "law"}, "", 1},
		{TaskFilter{Basis: byAssignment, Form: task, Group: "g1"}, "", 2},
		{TaskFilter{Basis: byAssignment, Form: task}, "79", 2}, // its own, and that of 760
		{TaskFilter{Basis: byTask, Form: task}, "79", 1},       // that which 760 leads
		{TaskFilter{Basis: byTask, Form: task}, "760", 1},
		{TaskFilter{Basis: byTask, Form: task}, "01", 0}, // it leads none of this form
		{TaskFilter{Basis: byTask, Form: task}, "vn", 2},
	} {
		var top *Unit
		if c.top != "" {
			top = r.b.UnitByID(c.top)
		}
		if got := r.b.Timeliness(prog, c.f, top, r.b.Today()).All(); got != c.want {
			t.Errorf("%+v at %q: %d, want %d", c.f, c.top, got, c.want)
		}
	}
}

// TestPublishedTimelinessComesOut is the published count of 21,914 tasks, each an
// assignment of one of 220 tasks.
func TestPublishedTimelinessComesOut(t *testing.T) {
	const onTime, late, overdue, pending = 14_068, 1_983, 223, 5_640
	const units = 100
	r := newRig(t, "2022-01-05")
	r.tree()
	ids := make([]string, units)
	for i := range ids {
		ids[i] = fmt.Sprint("u", i)
		r.unit(ids[i], "79", commune)
	}
	type slot struct{ task, unit string }
	var slots []slot // those on time, then the late, the overdue, those that are not due
	issue := func(n int, due string) {
		for first := 0; first < n; first += units {
			id, given := fmt.Sprint("t", len(slots)), ids[:min(units, n-first)]
			r.task(id, typev1.Audience_AUDIENCE_LOCAL, given, dueOn(due), func(t *registryv1.Task) { t.Silent = true })
			for _, unit := range given {
				slots = append(slots, slot{id, unit})
			}
		}
	}
	issue(onTime+late+overdue, "2022-06-30")
	issue(pending, "2022-12-31")
	complete := func(day string, slots []slot) {
		r.day(day)
		r.block(func(l *Book) {
			for _, at := range slots {
				if _, err := l.Submit(r.sub(at.unit, at.task, "2022-M06", yes())); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	complete("2022-06-30", slots[:onTime])
	complete("2022-07-01", slots[onTime:onTime+late])
	r.day("2022-08-01")
	r.block(func(*Book) {})
	r.wantTimely(byAssignment, onTime, late, pending, overdue)
	got := r.b.Timeliness(prog, TaskFilter{Basis: byAssignment, Form: typev1.TaskForm_TASK_FORM_TASK}, nil, r.b.Today())
	for _, c := range []struct {
		name, want, got string
	}{
		{"of due", "98.63", Percent(got.CompletionRateDue().Num(), got.CompletionRateDue().Denom(), 2)},
		{"of all", "73.25", Percent(got.CompletionRateAll().Num(), got.CompletionRateAll().Denom(), 2)},
	} {
		if c.got != c.want {
			t.Errorf("completed %s: %s %%, want %s %%", c.name, c.got, c.want)
		}
	}
	if total := got.All(); total != 21_914 {
		t.Errorf("%d in all", total)
	}
}
