package book

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// owed are the obligations of a regime in a period; of a task without one.
func (r *rig) owed(target, period string) *Obligations {
	r.t.Helper()
	m, p := r.b.MeasureByID(prog, target), Current
	if m == nil {
		r.t.Fatalf("no regime or task %s", target)
	}
	if period != "" {
		var err error
		if p, err = m.OwnPeriod(period); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.b.Obligations(m, p)
}

// owes is what one unit owes; the zero Obligation when it does not.
func (r *rig) owes(unit, target, period string) Obligation {
	r.t.Helper()
	list, _ := r.owed(target, period).List(r.b.UnitByID(unit), ObligationFilter{}, "", 1000)
	for _, o := range list {
		if o.Unit.id == unit {
			return o
		}
	}
	return Obligation{}
}

// states lists who at or below a unit owes what, such as `26734 DUE`.
func (r *rig) states(top, target, period string) []string {
	r.t.Helper()
	out := []string{}
	list, _ := r.owed(target, period).List(r.b.UnitByID(top), ObligationFilter{}, "", 1000)
	for _, o := range list {
		out = append(out, o.Unit.id+" "+stateName(o.State))
	}
	return out
}

func stateName(s ObligationState) string {
	return [...]string{"-", "DUE", "SUBMITTED", "ACCEPTED", "LATE", "MISSING", "EXCUSED", "SKIPPED"}[s]
}

func (r *rig) wantStates(top, target, period string, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.states(top, target, period)); diff != "" {
		r.t.Errorf("owed under %s in %q at %s on %s (-want +got):\n%s", target, period, top, r.b.today, diff)
	}
}

func TestReportIsAcceptedLateDueOrMissing(t *testing.T) {
	r := newDuties(t)
	r.wantStates("vn", "monthly", "2022-M01", "00001 DUE", "26734 DUE", "26737 DUE")
	r.untilDay("2022-02-07", "monthly", "")
	r.report("26734", "people", "2022-M01", number(3))
	r.wantStates("vn", "monthly", "2022-M01", "00001 DUE", "26734 ACCEPTED", "26737 DUE")
	r.untilDay("2022-02-08", "monthly", "")
	r.wantStates("vn", "monthly", "2022-M01", "00001 MISSING", "26734 ACCEPTED", "26737 MISSING")
	r.report("26737", "people", "2022-M01", number(3))
	r.wantStates("vn", "monthly", "2022-M01", "00001 MISSING", "26734 ACCEPTED", "26737 LATE")
	r.untilDay("2022-02-10", "monthly", "")
	got := r.owes("00001", "monthly", "2022-M01")
	got.Unit = nil
	want := Obligation{Level: "commune", Path: "vn.01.001.00001", State: ObligationMissing, Due: date(t, "2022-02-07"),
		Original: date(t, "2022-02-07"), Expected: 2, Overdue: 3}
	if got != want {
		t.Errorf("owed is %+v, want %+v", got, want)
	}
	got = r.owes("26737", "monthly", "2022-M01")
	if got.Came != date(t, "2022-02-08") || got.Present != 1 || got.Expected != 2 || got.Overdue != 0 {
		t.Errorf("the late one is %+v", got)
	}
	r.want("vn", "monthly", "2022-M01", Tally{Num: 1, Den: 3, Reporting: 2, Expected: 3})
	r.sound()
}

func TestCorrectionAfterTheDueDateKeepsAReportInTime(t *testing.T) {
	r := newDuties(t)
	r.report("26734", "people", "2022-M01", number(3))
	r.untilDay("2022-03-01", "monthly", "")
	r.report("26734", "people", "2022-M01", number(4))
	r.report("26734", "cards", "2022-M01", number(4)) // a value that was missing
	if o := r.owes("26734", "monthly", "2022-M01"); o.State != ObligationAccepted || o.Came != date(t, "2022-01-05") || o.Present != 2 {
		t.Errorf("owed is %+v", o)
	}
	r.sound()
}

func TestWithdrawnOnlyValueMakesAReportOutstandingAgain(t *testing.T) {
	r := newDuties(t)
	r.untilDay("2022-02-03", "monthly", "2022-M01")
	r.report("26734", "people", "2022-M01", number(3))
	r.untilDay("2022-02-10", "monthly", "2022-M01")
	r.report("26734", "people", "2022-M01", withdraw())
	r.wantStates("26734", "monthly", "2022-M01", "26734 MISSING")
	r.want("vn", "monthly", "2022-M01", Tally{Den: 3, Expected: 3})
	r.wantTold(r.untilDay("2022-02-20", "monthly", "2022-M01", "26734"), []string{
		"2022-02-14 T+7 26734 due 2022-02-07 to PARENT 760"})
	r.report("26734", "people", "2022-M01", number(3))
	r.wantStates("26734", "monthly", "2022-M01", "26734 LATE")
	r.wantTold(r.untilDay("2022-03-31", "monthly", "2022-M01", "26734"), nil)
	r.sound()
}

func TestReportOfNothingButNotApplicableIsSkipped(t *testing.T) {
	r := newDuties(t)
	r.report("26734", "people", "2022-M01", notHere())
	r.report("26734", "cards", "2022-M01", notHere())
	r.report("26737", "people", "2022-M01", notHere())
	r.report("26737", "cards", "2022-M01", number(1))
	r.wantStates("79", "monthly", "2022-M01", "26734 SKIPPED", "26737 ACCEPTED")
	r.sound()
}

func TestExcusedReportIsOwedByNobody(t *testing.T) {
	r := newDuties(t)
	r.grant("monthly", "26734", "2022-M01", "")
	r.want("vn", "monthly", "2022-M01", Tally{Den: 2, Expected: 2})
	r.untilDay("2022-02-06", "monthly", "")
	o := r.owes("26734", "monthly", "2022-M01")
	if o.State != ObligationExcused || o.Due != 0 || o.Original != date(t, "2022-02-07") {
		t.Errorf("owed is %+v", o)
	}
	r.report("26734", "people", "2022-M01", number(3)) // and yet it came
	r.wantStates("26734", "monthly", "2022-M01", "26734 ACCEPTED")
	r.want("vn", "monthly", "2022-M01", Tally{Num: 1, Den: 3, Reporting: 1, Expected: 3})
	r.report("26734", "people", "2022-M01", withdraw())
	r.untilDay("2022-03-31", "monthly", "")
	r.wantStates("26734", "monthly", "2022-M01", "26734 EXCUSED")
	r.want("vn", "monthly", "2022-M01", Tally{Den: 2, Expected: 2})
	r.sound()
}

func TestUnitOwesThePeriodsOnWhoseLastDayItExists(t *testing.T) {
	r := newDuties(t)
	r.unit("new", "760", commune, placed(from("2022-01-31", "760", commune)))
	r.unit("later", "760", commune, placed(from("2022-02-01", "760", commune)))
	r.unit("old", "760", commune, closed("2022-01-31"))
	r.unit("older", "760", commune, closed("2022-02-01"))
	r.wantStates("760", "monthly", "2022-M01", "26734 DUE", "26737 DUE", "new DUE", "older DUE")
	r.wantStates("760", "monthly", "2022-M02", "26734 DUE", "26737 DUE", "later DUE", "new DUE")
	told := r.untilDay("2022-02-08", "monthly", "2022-M01", "old", "older", "new", "later")
	slices.Sort(told)
	var units []string
	for _, s := range told {
		units = append(units, strings.Fields(s)[2])
	}
	slices.Sort(units)
	if want := []string{"new", "older"}; !slices.Equal(slices.Compact(units), want) || len(told) != 10 {
		t.Errorf("told %q", told)
	}
	r.sound()
}

func TestDueDatesFollowCalendarLevelAndGrace(t *testing.T) {
	tet := func(r *rig) {
		c := &registryv1.Calendar{Name: "calendars/statistical", DisplayName: "statistical", WorkingDates: []string{"2022-02-12"}}
		for _, d := range []string{"2022-01-31", "2022-02-01", "2022-02-02", "2022-02-03", "2022-02-04"} {
			c.Holidays = append(c.Holidays, &registryv1.Holiday{Date: d})
		}
		r.change(&registryv1.Change{Resource: &registryv1.Change_Calendar{Calendar: c}})
	}
	for _, c := range []struct {
		name     string
		regime   func(*registryv1.Regime)
		days     func(*rig)
		due      string
		lastDay  string // on which it is in time
		province string
	}{
		{"weekends", nil, nil, "2022-02-07", "2022-02-07", "2022-02-07"},
		{"holidays", nil, tet, "2022-02-11", "2022-02-11", "2022-02-11"},
		{"a Saturday that is worked", func(g *registryv1.Regime) { g.DueWorkingDays = 6 }, tet, "2022-02-12", "2022-02-12", "2022-02-12"},
		{"level", func(g *registryv1.Regime) {
			g.LevelOffsets = []*registryv1.LevelOffset{{Level: "province", DueWorkingDays: 8}}
		}, nil, "2022-02-07", "2022-02-07", "2022-02-10"},
		{"grace", func(g *registryv1.Regime) { g.GraceWorkingDays = 5 }, nil, "2022-02-07", "2022-02-14", "2022-02-07"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var edit []func(*registryv1.Regime)
			if c.regime != nil {
				edit = append(edit, c.regime)
			}
			r := newDuties(t, edit...)
			r.target("people", count, last, []typev1.UnitKind{commune, province}, within("monthly"))
			if c.days != nil {
				c.days(r)
			}
			for unit, due := range map[string]string{"26734": c.due, "79": c.province} {
				if o := r.owes(unit, "monthly", "2022-M01"); o.Due.String() != due {
					t.Errorf("unit %s owes it by %s, want %s", unit, o.Due, due)
				}
			}
			told := r.untilDay(c.lastDay, "monthly", "2022-M01", "26734")
			if want := c.due + " T+0 26734 due " + c.due + " to UNIT 26734"; !slices.Contains(told, want) {
				t.Errorf("told %q, not %q", told, want)
			}
			o := r.owes("26734", "monthly", "2022-M01")
			if o.State != ObligationDue || o.Overdue != int(date(t, c.lastDay)-o.Due) {
				t.Errorf("on its last day it is %+v", o)
			}
			r.report("26734", "people", "2022-M01", number(1))
			r.untilDay((date(t, c.lastDay) + 1).String(), "monthly", "2022-M01")
			r.report("26737", "people", "2022-M01", number(1))
			r.wantStates("760", "monthly", "2022-M01", "26734 ACCEPTED", "26737 LATE")
			r.sound()
		})
	}
}

func TestAdministrativeMonthIsOwedAfterItsOwnEnd(t *testing.T) {
	r := newRig(t, "2022-01-05")
	r.tree()
	administrative := func(g *registryv1.Regime) { g.Calendar = calendar.Administrative }
	r.duties("monthly", administrative)
	r.target("people", count, last, []typev1.UnitKind{commune}, within("monthly"),
		func(t *registryv1.Target) { t.Calendar = calendar.Administrative })
	told := r.untilDay("2022-01-21", "monthly", "2022-M01", "26734") // the month ended on Friday, the 14th
	if len(told) != 3 || told[2] != "2022-01-21 T+0 26734 due 2022-01-21 to UNIT 26734" {
		t.Errorf("told %q", told)
	}
	r.report("26734", "people", "2022-M01", number(1))
	r.untilDay("2022-01-22", "monthly", "")
	r.report("26737", "people", "2022-M01", number(1))
	r.wantStates("760", "monthly", "2022-M01", "26734 ACCEPTED", "26737 LATE")
	if _, err := r.b.MeasureByID(prog, "monthly").OwnPeriod("2022-Q1"); err == nil {
		t.Error("a quarter is read as a period of a monthly regime")
	}
	r.sound()
}

func TestTaskIsOwedByEachUnitByItsOwnDay(t *testing.T) {
	r := newRig(t, "2022-01-05")
	r.tree()
	r.task("law", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca", "btp", "79", "01"}, dueOn("2022-02-10"), watchedBy("760"))
	r.grant("law", "79", "", "2022-02-20")
	r.wantStates("vn", "law", "", "01 DUE", "79 DUE", "bca DUE", "btp DUE")
	r.untilDay("2022-02-10", "law", "")
	r.report("bca", "law", "2022-M02", yes())
	r.report("01", "law", "2022-M02", notHere())
	r.untilDay("2022-02-11", "law", "")
	r.wantStates("vn", "law", "", "01 SKIPPED", "79 DUE", "bca ACCEPTED", "btp MISSING")
	r.untilDay("2022-02-20", "law", "")
	r.report("79", "law", "2022-M02", yes())
	r.report("btp", "law", "2022-M02", yes())
	r.wantStates("vn", "law", "", "01 SKIPPED", "79 ACCEPTED", "bca ACCEPTED", "btp LATE")
	r.wantStates("79", "law", "", "79 ACCEPTED")
	if o := r.owes("79", "law", ""); o.Due != date(t, "2022-02-20") || o.Original != date(t, "2022-02-10") || o.Expected != 0 || o.Level != "province" {
		t.Errorf("owed is %+v", o)
	}
	r.sound()
}

func dueOn(day string) func(*registryv1.Task) {
	return func(t *registryv1.Task) { t.Due = &registryv1.DueWindow{LatestDate: day} }
}

func watchedBy(unit string) func(*registryv1.Task) {
	return func(t *registryv1.Task) {
		t.Assignments = append(t.Assignments, &registryv1.Assignment{Unit: unit, Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING})
	}
}

func TestObligationsAreListedInPagesByStateAndLevel(t *testing.T) {
	r := newDuties(t)
	r.target("people", count, last, []typev1.UnitKind{commune, province, ministry}, within("monthly"))
	r.report("26737", "people", "2022-M01", number(1))
	r.report("bca", "people", "2022-M01", number(1))
	o, top := r.owed("monthly", "2022-M01"), r.b.UnitByID("vn")
	page := func(f ObligationFilter, after string, limit int) string {
		list, more := o.List(top, f, after, limit)
		var ids []string
		for _, o := range list {
			ids = append(ids, o.Unit.id)
		}
		return fmt.Sprint(strings.Join(ids, " "), " ", more)
	}
	outstanding := ObligationFilter{States: []ObligationState{ObligationDue, ObligationMissing}}
	for _, c := range []struct {
		f     ObligationFilter
		after string
		limit int
		want  string
	}{
		{ObligationFilter{}, "", 100, "00001 01 26734 26737 79 bca btp false"},
		{ObligationFilter{}, "", 7, "00001 01 26734 26737 79 bca btp false"},
		{ObligationFilter{}, "", 3, "00001 01 26734 true"},
		{ObligationFilter{}, "26734", 3, "26737 79 bca true"},
		{ObligationFilter{}, "bca", 3, "btp false"},
		{outstanding, "", 100, "00001 01 26734 79 btp false"},
		{ObligationFilter{Levels: []string{"commune"}}, "", 100, "00001 26734 26737 false"},
		{ObligationFilter{States: outstanding.States, Levels: []string{"ministry", "province"}}, "01", 1, "79 true"},
		{ObligationFilter{States: []ObligationState{ObligationExcused}}, "", 100, " false"},
	} {
		if got := page(c.f, c.after, c.limit); got != c.want {
			t.Errorf("%+v after %q, %d at most: %s, want %s", c.f, c.after, c.limit, got, c.want)
		}
	}
}

// TestObligationsGoByTheTreeOfTheirPeriod: a commune that moved owes January where it
// stood then.
func TestObligationsGoByTheTreeOfTheirPeriod(t *testing.T) {
	r := newDuties(t)
	r.unit("26737", "760", commune, placed(from("2010-01-01", "760", commune), from("2022-02-01", "001", commune)))
	r.untilDay("2022-02-20", "monthly", "")
	r.wantStates("79", "monthly", "2022-M01", "26734 MISSING", "26737 MISSING")
	r.wantStates("01", "monthly", "2022-M02", "00001 DUE", "26737 DUE")
	if o := r.owes("26737", "monthly", "2022-M01"); o.Path != "vn.79.760.26737" {
		t.Errorf("in January its path was %s", o.Path)
	}
	if o := r.owes("26737", "monthly", "2022-M02"); o.Path != "vn.01.001.26737" {
		t.Errorf("in February its path was %s", o.Path)
	}
}

func TestObligationsAreCountedForEachChild(t *testing.T) {
	r := newDuties(t)
	r.target("people", count, last, []typev1.UnitKind{commune, country, ministry}, within("monthly"))
	r.unit("gone", "vn", province, closed("2022-01-20"))
	r.report("26737", "people", "2022-M01", number(1))
	r.report("vn", "people", "2022-M01", number(1))
	r.grant("monthly", "btp", "2022-M01", "")
	total, children := r.owed("monthly", "2022-M01").Count(r.b.UnitByID("vn"))
	var got []string
	for _, u := range append([]UnitObligations{total}, children...) {
		s := u.Unit.id
		for state, n := range u.Counts {
			if n > 0 {
				s += fmt.Sprintf(" %d %s", n, stateName(ObligationState(state)))
			}
		}
		got = append(got, s)
	}
	want := []string{"vn 3 DUE 2 ACCEPTED 1 EXCUSED", "01 1 DUE", "79 1 DUE 1 ACCEPTED", "bca 1 DUE", "btp 1 EXCUSED"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// newSchedule is the nation with one regime for its 24 targets, under which all units
// but the root have reported for June, but for one of ten.
func newSchedule(b *testing.B) *nation {
	n := newNation(b)
	n.duties("monthly")
	for _, m := range n.targets {
		res := proto.Clone(m.target).(*registryv1.Target)
		res.Name, res.Regime = "programmes/"+prog+"/targets/"+m.key.id, "monthly"
		res.Applicability.Kinds = []typev1.UnitKind{ministry, province, district, commune}
		res.Milestones = &registryv1.MilestoneRule{Disabled: true}
		n.change(&registryv1.Change{Resource: &registryv1.Change_Target{Target: res}})
	}
	p := month(b, "2022-M06")
	for ix := unitIx(2); ix <= n.b.unitCount; ix++ {
		if ix%10 == 0 {
			continue
		}
		l := n.b.Fork(ledger.Stamp{Next: n.b.Head() + 1, Time: n.now, Epoch: 1})
		for i, m := range n.targets {
			s := &Submission{Programme: prog, Target: m.key.id, Unit: n.b.unit(ix).id, Period: p, RequestID: fmt.Sprint(i), Value: number(int64(i))}
			switch m.kind {
			case ratio:
				s.Value = part(int64(i), 100)
			case yesNo:
				s.Value = yes()
			}
			if _, err := l.Submit(s); err != nil {
				b.Fatal(err)
			}
		}
		l.Merge()
	}
	return n
}

// BenchmarkWhoHasNotReported asks of the whole nation, of 11,390 units and 24
// targets, who owes a report: a page of those that have not come, all pages one
// after the other, the counts, and the same of a period of which nothing is kept.
func BenchmarkWhoHasNotReported(b *testing.B) {
	n := newSchedule(b)
	m, top := n.b.MeasureByID(prog, "monthly"), n.b.UnitByID("vn")
	june, may := month(b, "2022-M06"), month(b, "2022-M05")
	f := ObligationFilter{States: []ObligationState{ObligationDue, ObligationMissing}}
	b.Run("page of 100", func(b *testing.B) {
		for b.Loop() {
			if list, _ := n.b.Obligations(m, june).List(top, f, "12", 100); len(list) != 100 {
				b.Fatal(len(list))
			}
		}
	})
	b.Run("page of 1000, all states", func(b *testing.B) {
		for b.Loop() {
			if list, _ := n.b.Obligations(m, june).List(top, ObligationFilter{}, "", 1000); len(list) != 1000 {
				b.Fatal(len(list))
			}
		}
	})
	b.Run("all in pages of 1000", func(b *testing.B) {
		for b.Loop() {
			total, after := 0, ""
			for more := true; more; {
				var list []Obligation
				list, more = n.b.Obligations(m, june).List(top, f, after, 1000)
				total, after = total+len(list), list[len(list)-1].Unit.id
			}
			if total != 1139 {
				b.Fatal(total)
			}
		}
	})
	for _, p := range []calendar.Period{june, may} {
		b.Run("count "+p.String(), func(b *testing.B) {
			for b.Loop() {
				if _, children := n.b.Obligations(m, p).Count(top); len(children) != 86 {
					b.Fatal(len(children))
				}
			}
		})
	}
}
