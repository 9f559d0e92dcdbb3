package book

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// duties writes a regime whose reports are due five working days after the month.
func (r *rig) duties(id string, edit ...func(*registryv1.Regime)) []*eventv1.Event {
	r.t.Helper()
	g := &registryv1.Regime{Name: "programmes/" + prog + "/regimes/" + id, DisplayName: id, DueWorkingDays: 5}
	for _, f := range edit {
		f(g)
	}
	return r.change(&registryv1.Change{Resource: &registryv1.Change_Regime{Regime: g}})
}

// within makes a target a part of a regime's reports.
func within(regime string) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.Regime = regime }
}

// newDuties is a rig on 2022-01-05 in which three communes owe a report of two
// values a month. That of January, which ends on a Monday, is due on 2022-02-07.
func newDuties(t testing.TB, edit ...func(*registryv1.Regime)) *rig {
	r := newRig(t, "2022-01-05")
	r.tree()
	r.duties("monthly", edit...)
	r.target("people", count, last, []typev1.UnitKind{commune}, within("monthly"))
	r.target("cards", count, last, []typev1.UnitKind{commune}, within("monthly"))
	return r
}

// untilDay lets the days pass up to one, each with a block of its own, and returns
// the deadlines that were told about a regime's period, or a task, of some units.
func (r *rig) untilDay(last, target, period string, units ...string) []string {
	r.t.Helper()
	var told []string
	for calendar.DateOf(r.now) < date(r.t, last) {
		r.now = r.now.Add(24 * time.Hour)
		told = append(told, r.told(r.block(func(*Book) {}), target, period, units...)...)
	}
	return told
}

// told tells the deadlines among events in short words.
func (r *rig) told(events []*eventv1.Event, target, period string, units ...string) []string {
	r.t.Helper()
	out := []string{}
	for _, e := range events {
		d := e.GetDeadlineDue()
		if d == nil {
			d = e.GetDeadlineOverdue()
		}
		if d == nil || d.GetTarget() != target || d.GetPeriod() != period || len(units) > 0 && !slices.Contains(units, lastOf(d.GetPath())) {
			continue
		}
		if (d.GetDays() > 0) != (e.GetDeadlineOverdue() != nil) {
			r.t.Errorf("a rung of %d days is told as %T", d.GetDays(), e.GetPayload())
		}
		s := fmt.Sprintf("%s T%+d %s due %s to %s %s", calendar.DateOf(r.now), d.GetDays(), lastOf(d.GetPath()), d.GetDueDate(),
			strings.TrimPrefix(d.GetAddressee().String(), "ADDRESSEE_"), d.GetAddresseeUnit())
		if d.GetLate() {
			s += " late"
		}
		out = append(out, s)
	}
	return out
}

func (r *rig) wantTold(got, want []string) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("told (-want +got):\n%s", diff)
	}
}

// grant grants an exception, which must be taken; until "" excuses.
func (r *rig) grant(target, unit, period, until string) []*eventv1.Event {
	r.t.Helper()
	g := &Grant{Programme: prog, Target: target, Unit: unit, Period: period, By: "vn"}
	if until != "" {
		g.Until = date(r.t, until)
	}
	return r.block(func(l *Book) {
		if _, err := l.Grant(g); err != nil {
			r.t.Fatalf("grant %s of %s: %v", target, unit, err)
		}
	})
}

func TestEachRungOfAReportIsToldOnceWhileItIsOutstanding(t *testing.T) {
	r := newDuties(t)
	told := r.untilDay("2022-01-20", "monthly", "2022-M01")
	r.grant("monthly", "00001", "2022-M01", "")
	told = append(told, r.untilDay("2022-02-06", "monthly", "2022-M01")...)
	r.report("26737", "cards", "2022-M01", number(4))
	told = append(told, r.untilDay("2022-03-31", "monthly", "2022-M01")...)
	slices.Sort(told)
	r.wantTold(told, []string{
		"2022-01-08 T-30 00001 due 2022-02-07 to UNIT 00001",
		"2022-01-08 T-30 26734 due 2022-02-07 to UNIT 26734",
		"2022-01-08 T-30 26737 due 2022-02-07 to UNIT 26737",
		"2022-01-31 T-7 26734 due 2022-02-07 to UNIT 26734",
		"2022-01-31 T-7 26737 due 2022-02-07 to UNIT 26737",
		"2022-02-06 T-1 26734 due 2022-02-07 to UNIT 26734",
		"2022-02-06 T-1 26737 due 2022-02-07 to UNIT 26737",
		"2022-02-07 T+0 26734 due 2022-02-07 to UNIT 26734",
		"2022-02-08 T+1 26734 due 2022-02-07 to UNIT 26734",
		"2022-02-14 T+7 26734 due 2022-02-07 to PARENT 760",
		"2022-03-09 T+30 26734 due 2022-02-07 to CENTRE vn",
	})
	r.sound()
}

func TestRungsOfADowntimeAreToldLateAndOnce(t *testing.T) {
	r := newDuties(t)
	r.untilDay("2022-02-05", "monthly", "2022-M01")
	r.day("2022-02-15") // ten days later
	told := r.told(r.block(func(*Book) {}), "monthly", "2022-M01", "26734")
	r.wantTold(told, []string{
		"2022-02-15 T-1 26734 due 2022-02-07 to UNIT 26734 late",
		"2022-02-15 T+0 26734 due 2022-02-07 to UNIT 26734 late",
		"2022-02-15 T+1 26734 due 2022-02-07 to UNIT 26734 late",
		"2022-02-15 T+7 26734 due 2022-02-07 to PARENT 760 late",
	})
	r.wantTold(r.told(r.block(func(*Book) {}), "monthly", "2022-M01"), []string{})
	r.wantTold(r.untilDay("2022-03-31", "monthly", "2022-M01", "26734"), []string{
		"2022-03-09 T+30 26734 due 2022-02-07 to CENTRE vn"})
	r.sound()
}

// TestRungOfTheDayOnWhichOneComesBackIsNotLate: only what fell on days before is.
func TestRungOfTheDayOnWhichOneComesBackIsNotLate(t *testing.T) {
	r := newDuties(t)
	r.untilDay("2022-02-07", "monthly", "2022-M01")
	r.day("2022-02-14")
	r.wantTold(r.told(r.block(func(*Book) {}), "monthly", "2022-M01", "26734"), []string{
		"2022-02-14 T+1 26734 due 2022-02-07 to UNIT 26734 late",
		"2022-02-14 T+7 26734 due 2022-02-07 to PARENT 760",
	})
}

// newCrowd is a rig on 2022-01-05 in which more units owe a report a month, from
// January on due on 2022-02-07, than are told of in one tick: 13 more.
func newCrowd(t *testing.T) *rig {
	r := newRig(t, "2022-01-05")
	r.tree()
	r.block(func(l *Book) {
		for i := range tellMost + 10 {
			r.revision++
			id := fmt.Sprint("c", i)
			l.Registry(&registryv1.Change{Revision: r.revision, Resource: &registryv1.Change_Unit{Unit: &registryv1.Unit{
				Name: "units/" + id, DisplayName: id, Placements: []*registryv1.Placement{from("2010-01-01", "760", commune)}}}})
		}
	})
	r.duties("monthly")
	r.target("people", count, last, []typev1.UnitKind{commune}, within("monthly"))
	return r
}

func TestWhereManyRungsFallOnEachDayOfADowntimeAllAreToldOnce(t *testing.T) {
	r := newCrowd(t)
	r.day("2022-02-05")
	for range 4 {
		r.block(func(*Book) {})
	}
	r.day("2022-02-09") // T-1, T+0 and T+1 were missed
	times := make(map[string]int)
	for ticks := 0; r.b.Due(r.now); ticks++ {
		if ticks == 6 {
			t.Fatalf("told up to %s after %d ticks", r.b.Told(), ticks)
		}
		events := r.block(func(*Book) {})
		events = append(events, r.target("people", count, last, []typev1.UnitKind{commune}, within("monthly"))...)
		for _, rung := range r.told(events, "monthly", "2022-M01") {
			times[rung]++
		}
	}
	for rung, n := range times {
		if n != 1 {
			t.Fatalf("%s: told %d times", rung, n)
		}
	}
	if len(times) != 3*(tellMost+13) {
		t.Errorf("told %d rungs", len(times))
	}
}

func TestWhereManyRungsFallOnADayAllAreToldOnceInSeveralTicks(t *testing.T) {
	r := newCrowd(t)
	r.untilDay("2022-01-07", "monthly", "2022-M01")
	r.day("2022-01-08")
	first := r.told(r.block(func(*Book) {}), "monthly", "2022-M01")
	second := r.told(r.block(func(*Book) {}), "monthly", "2022-M01")
	third := r.told(r.block(func(*Book) {}), "monthly", "2022-M01")
	all := slices.Concat(first, second)
	slices.Sort(all)
	if len(first) != tellMost || len(second) != 13 || len(third) != 0 || len(slices.Compact(all)) != tellMost+13 {
		t.Errorf("told %d, %d and %d rungs", len(first), len(second), len(third))
	}
	if r.b.Told() != r.b.Today() {
		t.Errorf("told up to %s on %s", r.b.Told(), r.b.Today())
	}
}

func TestRungsOfATaskEndWithTheUnitsPartOfIt(t *testing.T) {
	r := newRig(t, "2022-01-05")
	r.tree()
	due := func(t *registryv1.Task) { t.Due = &registryv1.DueWindow{LatestDate: "2022-02-10"} }
	r.task("law", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca", "btp", "79"}, due)
	r.task("quiet", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"}, due) // and silent before its first rung
	r.task("quiet", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"}, due, func(t *registryv1.Task) { t.Silent = true })
	told := r.untilDay("2022-02-01", "law", "")
	r.report("btp", "law", "2022-M01", yes())
	r.report("79", "law", "2022-M01", notHere())
	r.report("bca", "law", "2022-M01", no()) // says that it is not done
	told = append(told, r.untilDay("2022-02-11", "law", "")...)
	r.report("btp", "law", "2022-M01", withdraw())
	told = append(told, r.untilDay("2022-03-31", "law", "")...)
	r.wantTold(told, []string{
		"2022-01-11 T-30 79 due 2022-02-10 to UNIT 79",
		"2022-01-11 T-30 bca due 2022-02-10 to UNIT bca",
		"2022-01-11 T-30 btp due 2022-02-10 to UNIT btp",
		"2022-02-03 T-7 bca due 2022-02-10 to UNIT bca",
		"2022-02-09 T-1 bca due 2022-02-10 to UNIT bca",
		"2022-02-10 T+0 bca due 2022-02-10 to UNIT bca",
		"2022-02-11 T+1 bca due 2022-02-10 to UNIT bca",
		"2022-02-17 T+7 bca due 2022-02-10 to PARENT vn",
		"2022-02-17 T+7 btp due 2022-02-10 to PARENT vn",
		"2022-03-12 T+30 bca due 2022-02-10 to CENTRE vn",
		"2022-03-12 T+30 btp due 2022-02-10 to CENTRE vn",
	})
	for _, e := range decode(t, r.log) {
		if e.GetDeadlineDue().GetTarget() == "quiet" || e.GetDeadlineOverdue().GetTarget() == "quiet" {
			t.Errorf("a rung of a silent task is told: %v", e)
		}
	}
	r.sound()
}

func TestSilentRegimeTellsNothing(t *testing.T) {
	r := newDuties(t, func(g *registryv1.Regime) { g.Silent = true })
	r.wantTold(r.untilDay("2022-04-30", "monthly", "2022-M01"), nil)
	r.duties("monthly") // not silent any more: what comes is told, what was is not
	r.wantTold(r.untilDay("2022-06-30", "monthly", "2022-M04", "26734"), []string{
		"2022-05-05 T-1 26734 due 2022-05-06 to UNIT 26734",
		"2022-05-06 T+0 26734 due 2022-05-06 to UNIT 26734",
		"2022-05-07 T+1 26734 due 2022-05-06 to UNIT 26734",
		"2022-05-13 T+7 26734 due 2022-05-06 to PARENT 760",
		"2022-06-05 T+30 26734 due 2022-05-06 to CENTRE vn",
	})
	r.duties("monthly", func(g *registryv1.Regime) { g.Silent = true })
	r.wantTold(r.untilDay("2022-08-31", "monthly", "2022-M06"), nil)
}

func TestRungThatFallsOnTheDayOfItsTaskIsTold(t *testing.T) {
	r := newRig(t, "2022-01-05")
	r.tree()
	events := r.task("law", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"},
		func(t *registryv1.Task) { t.Due = &registryv1.DueWindow{LatestDate: "2022-01-12"} })
	r.wantTold(r.told(events, "law", ""), []string{"2022-01-05 T-7 bca due 2022-01-12 to UNIT bca"})
	events = r.task("law", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"},
		func(t *registryv1.Task) {
			t.Due = &registryv1.DueWindow{LatestDate: "2022-01-12"}
			t.DisplayName = "again"
		})
	r.wantTold(r.told(events, "law", ""), []string{})
	r.sound()
}

func TestExtensionMovesTheLadderAndKeepsTheOriginal(t *testing.T) {
	r := newDuties(t)
	told := r.untilDay("2022-02-03", "monthly", "2022-M01", "26734")
	e := r.grant("monthly", "26734", "2022-M01", "2022-02-21")[0].GetDeadlineExtended()
	if e.GetOriginalDueDate() != "2022-02-07" || e.GetDueDate() != "2022-02-21" || e.GetGrantedBy() != "vn" || e.GetPath() != "vn.79.760.26734" {
		t.Errorf("the extension is %v", e)
	}
	told = append(told, r.untilDay("2022-02-21", "monthly", "2022-M01", "26734")...)
	if o := r.owes("26734", "monthly", "2022-M01"); o.State != ObligationDue || o.Original != date(t, "2022-02-07") || o.Due != date(t, "2022-02-21") {
		t.Errorf("owed is %+v", o)
	}
	e = r.grant("monthly", "26734", "2022-M01", "2022-02-28")[0].GetDeadlineExtended()
	if e.GetOriginalDueDate() != "2022-02-07" {
		t.Errorf("the second extension is %v", e)
	}
	told = append(told, r.untilDay("2022-02-28", "monthly", "2022-M01", "26734")...)
	r.wantTold(told, []string{
		"2022-01-08 T-30 26734 due 2022-02-07 to UNIT 26734",
		"2022-01-31 T-7 26734 due 2022-02-07 to UNIT 26734",
		"2022-02-14 T-7 26734 due 2022-02-21 to UNIT 26734",
		"2022-02-20 T-1 26734 due 2022-02-21 to UNIT 26734",
		"2022-02-21 T+0 26734 due 2022-02-21 to UNIT 26734",
		"2022-02-27 T-1 26734 due 2022-02-28 to UNIT 26734",
		"2022-02-28 T+0 26734 due 2022-02-28 to UNIT 26734",
	})
	r.report("26734", "people", "2022-M01", number(9)) // on the last day
	if o := r.owes("26734", "monthly", "2022-M01"); o.State != ObligationAccepted {
		t.Errorf("in time by its extension, and yet %+v", o)
	}
	r.want("vn", "monthly", "2022-M01", Tally{Num: 1, Den: 3, Reporting: 1, Expected: 3})
	r.sound()
}

func TestRungThatFallsOnTheDayOfTheExtensionIsTold(t *testing.T) {
	r := newDuties(t)
	r.untilDay("2022-02-04", "monthly", "2022-M01")
	r.wantTold(r.told(r.grant("monthly", "26734", "2022-M01", "2022-02-11"), "monthly", "2022-M01"), []string{
		"2022-02-04 T-7 26734 due 2022-02-11 to UNIT 26734"})
	r.sound()
}

func TestRungThatFallsOnTheDayOfANewHolidayIsTold(t *testing.T) {
	r := newDuties(t)
	r.untilDay("2022-02-02", "monthly", "2022-M01")
	// The report of January is not due on 2022-02-07 any more, but on the 9th.
	r.change(&registryv1.Change{Resource: &registryv1.Change_Calendar{Calendar: &registryv1.Calendar{
		Name: "calendars/statistical", DisplayName: "Statistical",
		Holidays: []*registryv1.Holiday{{Date: "2022-02-03", DisplayName: "Tết"}, {Date: "2022-02-04", DisplayName: "Tết"}}}}})
	r.wantTold(r.told(r.block(func(*Book) {}), "monthly", "2022-M01", "26734"), []string{"2022-02-02 T-7 26734 due 2022-02-09 to UNIT 26734"})
	r.wantTold(r.untilDay("2022-02-09", "monthly", "2022-M01", "26734"), []string{
		"2022-02-08 T-1 26734 due 2022-02-09 to UNIT 26734", "2022-02-09 T+0 26734 due 2022-02-09 to UNIT 26734"})
	r.sound()
}

func TestGrantingWhatHoldsAnswersTheEventThatGrantedIt(t *testing.T) {
	r := newDuties(t)
	again := func(unit, until string) (sequence uint64, events int) {
		g := &Grant{Programme: prog, Target: "monthly", Unit: unit, Period: "2022-M01", By: "vn"}
		if until != "" {
			g.Until = date(t, until)
		}
		out := r.block(func(l *Book) {
			var err error
			if sequence, err = l.Grant(g); err != nil {
				t.Fatal(err)
			}
		})
		return sequence, len(out)
	}
	for _, c := range []struct{ unit, until string }{{"26734", "2022-02-21"}, {"26737", ""}} {
		first, n := again(c.unit, c.until)
		if first != uint64(len(r.log)) || n != 1 {
			t.Errorf("granted as %d of %d, with %d events", first, len(r.log), n)
		}
		r.report("00001", "people", "2022-M01", number(1)) // something else in between
		if second, n := again(c.unit, c.until); second != first || n != 0 {
			t.Errorf("the second time %d, and %d events; the first was %d", second, n, first)
		}
	}
	r.sound()
}

func TestLadderAndExceptionsGoOnAfterARestart(t *testing.T) {
	r := newDuties(t)
	r.untilDay("2022-02-07", "monthly", "2022-M01")
	r.grant("monthly", "26734", "2022-M01", "2022-02-18")
	r.grant("monthly", "26737", "2022-M01", "")
	var image bytes.Buffer
	if err := r.b.Freeze().WriteImage(&image); err != nil {
		t.Fatal(err)
	}
	r.b = New()
	if err := r.b.ReadImage(&image); err != nil {
		t.Fatal(err)
	}
	told := r.untilDay("2022-02-28", "monthly", "2022-M01")
	r.wantTold(told, []string{
		"2022-02-08 T+1 00001 due 2022-02-07 to UNIT 00001",
		"2022-02-11 T-7 26734 due 2022-02-18 to UNIT 26734",
		"2022-02-14 T+7 00001 due 2022-02-07 to PARENT 001",
		"2022-02-17 T-1 26734 due 2022-02-18 to UNIT 26734",
		"2022-02-18 T+0 26734 due 2022-02-18 to UNIT 26734",
		"2022-02-19 T+1 26734 due 2022-02-18 to UNIT 26734",
		"2022-02-25 T+7 26734 due 2022-02-18 to PARENT 760",
	})
	if events := r.grant("monthly", "26734", "2022-M01", "2022-02-18"); len(events) > 0 {
		t.Errorf("granted again: %v", events)
	}
	r.sound()
}

func TestRefusedExceptions(t *testing.T) {
	r := newDuties(t)
	r.task("law", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca"},
		func(t *registryv1.Task) { t.Due = &registryv1.DueWindow{LatestDate: "2022-02-10"} })
	r.report("26737", "people", "2022-M01", number(1))
	r.grant("monthly", "00001", "2022-M01", "")
	ok := Grant{Programme: prog, Target: "monthly", Unit: "26734", Period: "2022-M01", Until: date(t, "2022-02-08"), By: "vn"}
	for _, c := range []struct {
		name   string
		edit   func(*Grant)
		reason errorv1.Reason
		field  string
	}{
		{"unknown programme", func(g *Grant) { g.Programme = "x" }, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme"},
		{"unknown target", func(g *Grant) { g.Target = "x" }, errorv1.Reason_REASON_TARGET_NOT_FOUND, "target"},
		{"a target", func(g *Grant) { g.Target = "people" }, errorv1.Reason_REASON_TARGET_NOT_FOUND, "target"},
		{"unknown unit", func(g *Grant) { g.Unit = "x" }, errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit"},
		{"unknown granter", func(g *Grant) { g.By = "x" }, errorv1.Reason_REASON_UNIT_NOT_FOUND, "granted_by"},
		{"by a unit below", func(g *Grant) { g.By = "26737" }, errorv1.Reason_REASON_NOT_COMPETENT, "granted_by"},
		{"by a ministry", func(g *Grant) { g.By = "bca" }, errorv1.Reason_REASON_NOT_COMPETENT, "granted_by"},
		{"to itself", func(g *Grant) { g.By = g.Unit }, errorv1.Reason_REASON_NOT_COMPETENT, "granted_by"},
		{"no period", func(g *Grant) { g.Period = "" }, errorv1.Reason_REASON_WRONG_PERIOD, "period"},
		{"a quarter", func(g *Grant) { g.Period = "2022-Q1" }, errorv1.Reason_REASON_WRONG_PERIOD, "period"},
		{"a task's period", func(g *Grant) { g.Target, g.Unit = "law", "bca" }, errorv1.Reason_REASON_WRONG_PERIOD, "period"},
		{"a unit that owes nothing", func(g *Grant) { g.Unit = "bca" }, errorv1.Reason_REASON_OBLIGATION_NOT_FOUND, "unit"},
		{"a period that nobody owes", func(g *Grant) { g.Period = "2021-M12" }, errorv1.Reason_REASON_OBLIGATION_NOT_FOUND, "unit"},
		{"what has come", func(g *Grant) { g.Unit = "26737" }, errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit"},
		{"what is excused", func(g *Grant) { g.Unit = "00001" }, errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit"},
		{"the due date itself", func(g *Grant) { g.Until = date(t, "2022-02-07") }, errorv1.Reason_REASON_NOT_LATER, "due_date"},
		{"an excuse from a task", func(g *Grant) { g.Target, g.Unit, g.Period, g.Until = "law", "bca", "", 0 }, errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "excused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := ok
			c.edit(&g)
			before := r.b.Freeze()
			var err error
			if events := r.block(func(l *Book) { _, err = l.Grant(&g) }); len(events) > 0 {
				t.Errorf("%d events", len(events))
			}
			var no *Refusal
			if !errors.As(err, &no) || no.Reason != c.reason || no.Field != c.field {
				t.Errorf("refused with %#v", err)
			}
			if err := Compare(before, r.b); err != nil {
				t.Errorf("refused, and yet: %v", err)
			}
		})
	}
	if _, err := r.b.Fork(ledger.Stamp{Next: r.b.Head() + 1, Time: r.now, Epoch: 1}).Grant(&ok); err != nil {
		t.Errorf("what all these are made of is refused too: %v", err)
	}
}
