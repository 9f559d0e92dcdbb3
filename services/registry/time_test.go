package registry_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// calendars lists all calendars as `name@revision`.
func (r *rig) calendars() []string {
	r.t.Helper()
	resp, err := r.read.ListCalendars(context.Background(), &registryv1.ListCalendarsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	all := make([]string, len(resp.GetCalendars()))
	for i, c := range resp.GetCalendars() {
		all[i] = label(c)
	}
	return all
}

func TestTwoCalendarsAreThereFromTheStart(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	want := []string{"calendars/administrative@0", "calendars/statistical@0"}
	if diff := cmp.Diff(want, r.calendars()); diff != "" || r.head() != 0 {
		t.Fatalf("head %d, %s", r.head(), diff)
	}
	for id, cutOff := range map[string]uint32{"statistical": 0, "administrative": 14} {
		got, err := r.read.GetCalendar(ctx, &registryv1.GetCalendarRequest{Name: "calendars/" + id})
		if c := got.GetCalendar(); err != nil || c.GetCutOffDay() != cutOff || c.GetDisplayName() == "" || len(c.GetHolidays()) > 0 {
			t.Errorf("%s: %v %v", id, c, err)
		}
		old, err := r.read.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: "calendars/" + id})
		if err != nil || len(old.GetChanges()) != 0 {
			t.Errorf("%s has versions before it was changed: %v %v", id, old, err)
		}
	}
	present := r.calendar("statistical")
	resp := r.write(present)
	if res := resp.GetResults()[0]; res.GetOutcome() != registryv1.WriteOutcome_WRITE_OUTCOME_UNCHANGED || r.head() != 0 {
		t.Errorf("written as it is: %v, head %d", res, r.head())
	}
}

func (r *rig) calendar(id string) *registryv1.Calendar {
	r.t.Helper()
	got, err := r.read.GetCalendar(context.Background(), &registryv1.GetCalendarRequest{Name: "calendars/" + id})
	if err != nil {
		r.t.Fatal(err)
	}
	return got.GetCalendar()
}

func label(m interface {
	GetName() string
	GetRevision() int64
}) string {
	return fmt.Sprintf("%s@%d", m.GetName(), m.GetRevision())
}

func TestACalendarFromTheStartIsChangedAndKeepsItsVersions(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	c := r.calendar("statistical")
	for _, day := range []string{"2025-09-01", "2025-09-02"} {
		c.Holidays = append(c.Holidays, &registryv1.Holiday{Date: day})
		up, err := r.admin.UpdateCalendar(ctx, &registryv1.UpdateCalendarRequest{Calendar: c, UpdateMask: mask("holidays")})
		if err != nil {
			t.Fatal(err)
		}
		c = up.GetCalendar()
	}
	made, err := r.admin.CreateCalendar(ctx, &registryv1.CreateCalendarRequest{CalendarId: "fiscal", Calendar: newCalendar("")})
	if err != nil || made.GetCalendar().GetName() != "calendars/fiscal" || made.GetCalendar().GetRevision() != 3 {
		t.Fatalf("%v %v", made, err)
	}
	check := func() {
		t.Helper()
		want := []string{"calendars/administrative@0", "calendars/fiscal@3", "calendars/statistical@2"}
		if diff := cmp.Diff(want, r.calendars()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(c, r.calendar("statistical"), protocmp.Transform()); diff != "" || len(c.GetHolidays()) != 2 {
			t.Errorf("%v %s", c, diff)
		}
		old, err := r.read.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: "calendars/statistical"})
		if err != nil || len(old.GetChanges()) != 2 {
			t.Fatalf("%v %v", old, err)
		}
		first := old.GetChanges()[1]
		if first.GetRevision() != 1 || first.GetPreviousRevision() != 0 || len(first.GetCalendar().GetHolidays()) != 1 {
			t.Errorf("the first version: %v", first)
		}
	}
	check()
	changes := r.changesAfter(0, 3)
	if n := len(changes[1].GetCalendar().GetHolidays()); n != 2 || changes[2].GetCalendar().GetCutOffDay() != 25 {
		t.Errorf("watched: %v", changes)
	}
	r.restart()
	check()
	c.Revision = 1
	c.DisplayName = "x"
	_, err = r.admin.UpdateCalendar(ctx, &registryv1.UpdateCalendarRequest{Calendar: c})
	if !apierr.Is(err, errorv1.Reason_REASON_REVISION_MISMATCH) {
		t.Errorf("an old revision: %v", err)
	}
}

// changesAfter follows the registry until it has n changes after a revision.
func (r *rig) changesAfter(after int64, n int) (all []*registryv1.Change) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for w := r.watch(ctx, after); len(all) < n; {
		all = append(all, w.next().GetChanges()...)
	}
	return all
}

func TestRegimesAreWrittenListedAndFollowed(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx := context.Background()
	m := newRegime("")
	m.FromDate, m.Milestones = "2022-02-01", &registryv1.MilestoneRule{
		Thresholds: []*registryv1.Threshold{progressLine(9000), completeLine(5000), progressLine(10_000), completeLine(10_000)},
	}
	made, err := r.admin.CreateRegime(ctx, &registryv1.CreateRegimeRequest{Parent: "programmes/p", RegimeId: "month", Regime: m})
	if err != nil || made.GetRegime().GetRevision() != 14 {
		t.Fatal(made, err)
	}
	// What is not set may be said, and the other way round: it is the same.
	said := made.GetRegime()
	said.Calendar, said.Frequency, said.Milestones.Scope = "statistical", typev1.Frequency_FREQUENCY_MONTHLY, byPeriod
	up, err := r.admin.UpdateRegime(ctx, &registryv1.UpdateRegimeRequest{Regime: said})
	if err != nil || up.GetRegime().GetRevision() != 15 {
		t.Fatal(up, err)
	}
	r.write(newRegime("annual"))
	list, err := r.read.ListRegimes(ctx, &registryv1.ListRegimesRequest{Parent: "programmes/p", PageSize: 1})
	if err != nil || len(list.GetRegimes()) != 1 || list.GetRegimes()[0].GetName() != "programmes/p/regimes/annual" {
		t.Fatal(list, err)
	}
	list, err = r.read.ListRegimes(ctx, &registryv1.ListRegimesRequest{Parent: "programmes/p", PageSize: 1, PageToken: list.GetNextPageToken()})
	if err != nil || len(list.GetRegimes()) != 1 || list.GetNextPageToken() != "" {
		t.Fatal(list, err)
	}
	if diff := cmp.Diff(up.GetRegime(), list.GetRegimes()[0], protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	old, err := r.read.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: "programmes/p/regimes/month"})
	if err != nil || len(old.GetChanges()) != 2 || old.GetChanges()[0].GetPreviousRevision() != 14 {
		t.Error(old, err)
	}
	if changes := r.changesAfter(13, 3); changes[2].GetRegime().GetName() != "programmes/p/regimes/annual" {
		t.Errorf("watched: %v", changes)
	}
	r.restart()
	got, err := r.read.GetRegime(ctx, &registryv1.GetRegimeRequest{Name: "programmes/p/regimes/month"})
	if diff := cmp.Diff(up.GetRegime(), got.GetRegime(), protocmp.Transform()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// goodOnes are resources at the edge of the rules.
func goodOnes() map[string]proto.Message {
	target := func(id string, kind typev1.ValueKind, f func(*registryv1.Target)) *registryv1.Target {
		return change(newTarget(id, kind), f)
	}
	goal := func(id string, kind typev1.ValueKind, g *registryv1.Goal, m *registryv1.MilestoneRule) *registryv1.Target {
		return target(id, kind, func(t *registryv1.Target) { t.Goal, t.Milestones = g, m })
	}
	rule := func(scope registryv1.MilestoneScope, ts ...*registryv1.Threshold) *registryv1.MilestoneRule {
		return &registryv1.MilestoneRule{Scope: scope, Thresholds: ts}
	}
	const atLeast, average = registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.CheckKind_CHECK_KIND_AVERAGE_TIMES_DAYS
	monitored := newTask("g1")
	monitored.NeedsAcceptance = true
	monitored.Assignments = append(monitored.Assignments,
		&registryv1.Assignment{Unit: "vn", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING})
	total := target("g2", countKind, func(t *registryv1.Target) {
		t.SubtotalPolicy = registryv1.SubtotalPolicy_SUBTOTAL_POLICY_CONTROL_TOTAL
		t.Applicability.Levels = []string{"province", "district"}
	})
	checked := target("g3", countKind, func(t *registryv1.Target) {
		t.StaleAfterDays = 3660
		t.Checks = []*registryv1.Check{
			{Kind: registryv1.CheckKind_CHECK_KIND_MAGNITUDE}, {Kind: registryv1.CheckKind_CHECK_KIND_COPY},
			{Kind: registryv1.CheckKind_CHECK_KIND_FALLING_STOCK}, {Kind: average, Other: "cards"},
			{Kind: average, Other: "fees", Tolerance: proto.Uint32(0)},
		}
	})
	return map[string]proto.Message{
		"a task with somebody to accept it":     monitored,
		"a control total above others":          total,
		"checks of all kinds, and two averages": checked,
		"a copy check of yes/no": target("g4", yesNoKind, func(t *registryv1.Target) {
			t.Checks = []*registryv1.Check{{Kind: registryv1.CheckKind_CHECK_KIND_COPY}}
		}),
		"growth by period": goal("g5", countKind, &registryv1.Goal{Kind: growth, Growth: 1}, rule(byPeriod)),
		"growth that compounds from nothing": goal("g6", countKind, &registryv1.Goal{Kind: growth, Growth: 1e9, GrowthMode: compound,
			Baseline: proto.Int64(0), BaselineDate: "2021-12-31"}, rule(byPeriod, progressLine(10_000), valueLine(5), completeLine(1), streakLine(2))),
		"a ratio that beats, unannounced": goal("g7", ratioKind, &registryv1.Goal{Kind: beat, Beat: lastYear}, &registryv1.MilestoneRule{Disabled: true}),
		"a strict range":                  goal("g8", countKind, &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_RANGE, Low: 1, High: 1, Strict: true}, nil),
		"steps from the first day to the last": goal("g9", countKind, &registryv1.Goal{Kind: atLeast, Value: 5, Steps: []*registryv1.PathStep{
			{Date: "2022-01-06"}, {Date: "2023-01-01", Progress: 1}, {Date: "2025-12-31", Progress: 10_000}}}, rule(3, streakLine(2), streakLine(120))),
		"a regime from the last day":     change(newRegime("g10"), func(m *registryv1.Regime) { m.FromDate, m.Instrument = "2025-12-31", "" }),
		"a target of a quarter":          target("g11", ratioKind, func(t *registryv1.Target) { t.Calendar, t.Frequency, t.Regime = "administrative", quarterly, "quarter" }),
		"a target that says the usual":   target("g12", ratioKind, func(t *registryv1.Target) { t.Calendar, t.Frequency, t.Regime = "statistical", 1, "month" }),
		"a calendar with a Saturday off": change(newCalendar("g13"), func(c *registryv1.Calendar) { c.Holidays[0].Date = "2024-04-27"; c.CutOffDay = 28 }),
	}
}

func TestWhatTheRulesAllowIsTaken(t *testing.T) {
	r := newRig(t)
	r.seed()
	r.seedTime()
	for what, m := range goodOnes() {
		if resp, err := r.admin.BatchWrite(context.Background(), batch(m)); err != nil || resp.GetResults()[0].GetOutcome() != registryv1.WriteOutcome_WRITE_OUTCOME_CREATED {
			t.Errorf("%s: %v %v", what, resp, err)
		}
	}
}

func TestScorecardsComeAfterWhatTheyAreAbout(t *testing.T) {
	r := newRig(t)
	r.seed()
	p := newProgramme()
	p.StatusRule = &registryv1.StatusRule{OnTrack: proto.Uint32(6000), NotStarted: proto.Uint32(0)}
	p.Scorecards = []*registryv1.Scorecard{{Id: "provinces", DisplayName: "63 tỉnh", Level: "province", Parts: []*registryv1.ScorecardPart{
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_PROGRESS, Target: "later", Weight: 30},
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_SHARE, Target: "plan", Weight: 20},
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_ON_TIME, Target: "month", Weight: 10},
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS, Target: "month", Weight: 10},
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS, Target: "cards", Weight: 10},
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_QUALITY, Target: "month", Weight: 10},
		{Kind: registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS, Weight: 10},
	}}}
	resp := r.write(newRegime("month"), newTarget("later", countKind), p)
	if got := resp.GetResults()[2]; got.GetOutcome() != registryv1.WriteOutcome_WRITE_OUTCOME_UPDATED || got.GetRevision() != 16 {
		t.Fatal(resp)
	}
	r.restart()
	got, err := r.read.GetProgramme(context.Background(), &registryv1.GetProgrammeRequest{Name: "programmes/p"})
	p.Revision = 16
	if diff := cmp.Diff(p, got.GetProgramme(), protocmp.Transform()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestTheCalendarsOfVietNamAreTaken(t *testing.T) {
	text, err := os.ReadFile("../../deploy/calendars/viet-nam.yaml")
	if err != nil {
		t.Fatal(err)
	}
	writes, err := demo.Resources(text)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	resp, err := r.admin.BatchWrite(context.Background(), &registryv1.BatchWriteRequest{Writes: writes})
	if err != nil || resp.GetRevision() != 2 {
		t.Fatal(resp, err)
	}
	statistical, administrative := r.calendar("statistical"), r.calendar("administrative")
	if diff := cmp.Diff(statistical.GetHolidays(), administrative.GetHolidays(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	years := map[string]int{}
	var off, worked []calendar.Date
	week := calendar.New(calendar.EndOfMonth, nil, nil)
	for _, h := range statistical.GetHolidays() {
		years[h.GetDate()[:4]]++
		off = append(off, day(t, h.GetDate()))
		if !week.Working(day(t, h.GetDate())) {
			t.Errorf("%s is no working day anyway", h.GetDate())
		}
	}
	for _, s := range statistical.GetWorkingDates() {
		worked = append(worked, day(t, s))
	}
	if diff := cmp.Diff(map[string]int{"2022": 11, "2023": 11, "2024": 12, "2025": 12}, years); diff != "" || len(worked) != 2 {
		t.Errorf("%d worked, %s", len(worked), diff)
	}
	c := calendar.New(calendar.EndOfMonth, off, worked)
	for d, want := range map[string]bool{
		"2022-01-31": false, "2022-02-04": false, "2022-02-07": true, "2024-04-29": false, "2024-05-04": true,
		"2024-05-05": false, "2025-04-26": true, "2025-05-02": false, "2025-05-05": true,
	} {
		if c.Working(day(t, d)) != want {
			t.Errorf("%s worked: %v", d, !want)
		}
	}
}

func day(t *testing.T, s string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
