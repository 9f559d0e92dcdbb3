package book

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// Short names of the contract's words, for tests to be read.
const (
	count = typev1.ValueKind_VALUE_KIND_COUNT
	ratio = typev1.ValueKind_VALUE_KIND_RATIO
	yesNo = typev1.ValueKind_VALUE_KIND_YES_NO

	last    = typev1.Accumulation_ACCUMULATION_LAST
	sumAll  = typev1.Accumulation_ACCUMULATION_SUM
	sumYear = typev1.Accumulation_ACCUMULATION_SUM_YEAR

	country  = typev1.UnitKind_UNIT_KIND_COUNTRY
	ministry = typev1.UnitKind_UNIT_KIND_MINISTRY
	province = typev1.UnitKind_UNIT_KIND_PROVINCE
	district = typev1.UnitKind_UNIT_KIND_DISTRICT
	commune  = typev1.UnitKind_UNIT_KIND_COMMUNE

	byTask       = typev1.CountingBasis_COUNTING_BASIS_TASK
	byAssignment = typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT
)

// prog is the programme of the tests.
const prog = "de-an-06"

// rig drives a book as the engine does: layers, blocks, one time a block.
type rig struct {
	t        testing.TB
	b        *Book
	now      time.Time
	revision int64
	log      []ledger.Entry
	requests int
}

// newRig returns a book on a day in which nothing happened yet.
func newRig(t testing.TB, day string) *rig {
	t.Helper()
	r := &rig{t: t, b: New()}
	r.day(day)
	return r
}

// day turns the clock to noon of a day.
func (r *rig) day(s string) {
	r.t.Helper()
	r.now = date(r.t, s).Start().Add(12 * time.Hour)
}

func date(t testing.TB, s string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func month(t testing.TB, s string) calendar.Period {
	t.Helper()
	m, err := calendar.EndOfMonth.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// block decides one block and commits it.
func (r *rig) block(do func(l *Book)) []*eventv1.Event {
	r.t.Helper()
	l := r.b.Fork(ledger.Stamp{Next: uint64(len(r.log)) + 1, Time: r.now, Epoch: 1})
	if l.Due(r.now) {
		if err := l.Tick(); err != nil {
			r.t.Fatal(err)
		}
	}
	do(l)
	entries := l.Drafts()
	l.Merge()
	r.log = append(r.log, entries...)
	return decode(r.t, entries)
}

func decode(t testing.TB, entries []ledger.Entry) []*eventv1.Event {
	t.Helper()
	out := make([]*eventv1.Event, len(entries))
	for i, en := range entries {
		out[i] = new(eventv1.Event)
		if err := proto.Unmarshal(en.Event, out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// change takes in a change of the registry, in a block of its own.
func (r *rig) change(c *registryv1.Change) []*eventv1.Event {
	r.t.Helper()
	r.revision++
	c.Revision = r.revision
	return r.block(func(l *Book) { l.Registry(c) })
}

func (r *rig) unit(id, parent string, kind typev1.UnitKind, edit ...func(*registryv1.Unit)) []*eventv1.Event {
	r.t.Helper()
	u := &registryv1.Unit{Name: "units/" + id, DisplayName: id, Placements: []*registryv1.Placement{
		{FromDate: "2010-01-01", Parent: parent, Kind: kind, Level: levelOf(kind)}}}
	for _, f := range edit {
		f(u)
	}
	return r.change(&registryv1.Change{Resource: &registryv1.Change_Unit{Unit: u}})
}

func levelOf(kind typev1.UnitKind) string {
	return strings.ToLower(strings.TrimPrefix(kind.String(), "UNIT_KIND_"))
}

// placed gives a unit its places.
func placed(places ...*registryv1.Placement) func(*registryv1.Unit) {
	return func(u *registryv1.Unit) { u.Placements = places }
}

func from(day, parent string, kind typev1.UnitKind) *registryv1.Placement {
	return &registryv1.Placement{FromDate: day, Parent: parent, Kind: kind, Level: levelOf(kind)}
}

func closed(day string) func(*registryv1.Unit) {
	return func(u *registryv1.Unit) { u.ClosedDate = day }
}

// programme writes the programme of the tests, 2022 to 2025.
func (r *rig) programme(edit ...func(*registryv1.Programme)) []*eventv1.Event {
	r.t.Helper()
	p := &registryv1.Programme{Name: "programmes/" + prog, DisplayName: "Project 06", RootUnit: "vn",
		StartDate: "2022-01-01", EndDate: "2025-12-31"}
	for _, f := range edit {
		f(p)
	}
	return r.change(&registryv1.Change{Resource: &registryv1.Change_Programme{Programme: p}})
}

// target writes a target that applies to the units of some kinds.
func (r *rig) target(id string, kind typev1.ValueKind, acc typev1.Accumulation, kinds []typev1.UnitKind, edit ...func(*registryv1.Target)) []*eventv1.Event {
	r.t.Helper()
	t := &registryv1.Target{Name: "programmes/" + prog + "/targets/" + id, DisplayName: id, ValueKind: kind, Accumulation: acc,
		Applicability: &registryv1.Applicability{Kinds: kinds}}
	for _, f := range edit {
		f(t)
	}
	return r.change(&registryv1.Change{Resource: &registryv1.Change_Target{Target: t}})
}

func goal(kind registryv1.GoalKind, value int64) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.Goal = &registryv1.Goal{Kind: kind, Value: value} }
}

func atLeast(value int64) func(*registryv1.Target) {
	return goal(registryv1.GoalKind_GOAL_KIND_AT_LEAST, value)
}

// task writes a task given to some units, the first of which leads.
func (r *rig) task(id string, audience typev1.Audience, units []string, edit ...func(*registryv1.Task)) []*eventv1.Event {
	r.t.Helper()
	t := &registryv1.Task{Name: "programmes/" + prog + "/tasks/" + id, DisplayName: id,
		Form: typev1.TaskForm_TASK_FORM_TASK, Audience: audience}
	for i, u := range units {
		role := registryv1.AssignmentRole_ASSIGNMENT_ROLE_COORDINATING
		if i == 0 {
			role = registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD
		}
		t.Assignments = append(t.Assignments, &registryv1.Assignment{Unit: u, Role: role})
	}
	for _, f := range edit {
		f(t)
	}
	return r.change(&registryv1.Change{Resource: &registryv1.Change_Task{Task: t}})
}

func (r *rig) allocate(target, unit string, value int64) []*eventv1.Event {
	r.t.Helper()
	return r.change(&registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: &registryv1.Allocation{
		Name: "programmes/" + prog + "/targets/" + target + "/allocations/" + unit, Value: value}}})
}

// tree is vn with two provinces, a district and communes, and two ministries.
func (r *rig) tree() {
	r.t.Helper()
	r.unit("vn", "", country)
	r.unit("79", "vn", province)
	r.unit("760", "79", district)
	r.unit("26734", "760", commune)
	r.unit("26737", "760", commune)
	r.unit("01", "vn", province)
	r.unit("001", "01", district)
	r.unit("00001", "001", commune)
	r.unit("bca", "vn", ministry)
	r.unit("btp", "vn", ministry)
	r.programme()
}

// sub is a submission of a unit for a period; the cell's revision is filled in.
func (r *rig) sub(unit, target, period string, v Value) *Submission {
	r.t.Helper()
	r.requests++
	s := &Submission{Programme: prog, Target: target, Unit: unit, Period: month(r.t, period), Value: v,
		RequestID: "request-" + string(rune('a'+r.requests%26)) + time.Duration(r.requests).String()}
	if m, u := r.b.MeasureByID(prog, target), r.b.UnitByID(unit); m != nil && u != nil {
		s.ExpectedRevision, _ = r.b.Cell(m, u, s.Period)
	}
	return s
}

// report submits a value in a block of its own; it must be accepted.
func (r *rig) report(unit, target, period string, v Value) []*eventv1.Event {
	r.t.Helper()
	s := r.sub(unit, target, period, v)
	return r.block(func(l *Book) {
		if _, err := l.Submit(s); err != nil {
			r.t.Fatalf("%s reports %s for %s: %v", unit, target, period, err)
		}
	})
}

// refused submits what must be refused, and checks that nothing changed.
func (r *rig) refused(s *Submission) error {
	r.t.Helper()
	before := r.b.Freeze()
	var err error
	events := r.block(func(l *Book) { _, err = l.Submit(s) })
	if err == nil {
		r.t.Fatalf("%s reports %s for %s: accepted", s.Unit, s.Target, s.Period)
	}
	if len(events) > 0 {
		r.t.Fatalf("refused with %v, and %d events", err, len(events))
	}
	if differ := Compare(before, r.b); differ != nil {
		r.t.Fatalf("refused, and yet: %v", differ)
	}
	return err
}

// wantRefusal checks why a submission is refused.
func (r *rig) wantRefusal(s *Submission, reason errorv1.Reason, field string) {
	r.t.Helper()
	err := r.refused(s)
	var no *Refusal
	if !errors.As(err, &no) || no.Reason != reason || no.Field != field {
		r.t.Fatalf("refused with %#v, want %v at %s", err, reason, field)
	}
}

// Values as units send them.
func number(n int64) Value { return Value{State: Reported, Kind: count, Num: n, Field: "count"} }
func part(num, den int64) Value {
	return Value{State: Reported, Kind: ratio, Num: num, Den: den, Field: "ratio"}
}
func bare(value int64, scale uint8) Value {
	return Value{State: Bare, Num: value, Scale: scale, Field: "bare_percentage"}
}
func yes() Value      { return Value{State: Reported, Kind: yesNo, Num: 1, Den: 1, Field: "yes_no"} }
func no() Value       { return Value{State: Reported, Kind: yesNo, Den: 1, Field: "yes_no"} }
func notHere() Value  { return Value{State: NotApplicable, Field: "not_applicable"} }
func withdraw() Value { return Value{State: Withdrawn, Field: "withdrawal"} }

// figure returns a total; period "" is the current one.
func (r *rig) figure(unit, target, period string) Figure {
	r.t.Helper()
	p := Current
	if period != "" {
		p = month(r.t, period)
	}
	m, u := r.b.MeasureByID(prog, target), r.b.UnitByID(unit)
	if m == nil || u == nil {
		r.t.Fatalf("no target %s or unit %s", target, unit)
	}
	return r.b.View(m, p).Figure(u)
}

// want checks a total.
func (r *rig) want(unit, target, period string, want Tally) {
	r.t.Helper()
	if got := r.figure(unit, target, period).Total; got != want {
		r.t.Errorf("%s of %s in %q is %+v, want %+v", target, unit, period, got, want)
	}
}

// sound checks everything that must hold at any time.
func (r *rig) sound() {
	r.t.Helper()
	if _, err := r.b.Recompute(); err != nil {
		r.t.Error(err)
	}
	if err := Compare(replayed(r.t, New(), r.log), r.b); err != nil {
		r.t.Errorf("the log does not lead to the book: %v", err)
	}
}

// replayed applies entries to a book that nobody else reads.
func replayed(t testing.TB, b *Book, log []ledger.Entry) *Book {
	t.Helper()
	for _, en := range log[b.Head():] {
		if err := b.Apply(b.Head()+1, en); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// story tells what events happened, in short words.
func story(events []*eventv1.Event) []string {
	out := []string{}
	for _, e := range events {
		switch p := e.GetPayload().(type) {
		case *eventv1.Event_SubmissionAccepted:
			out = append(out, "accepted "+p.SubmissionAccepted.GetPath())
		case *eventv1.Event_SubmissionWithdrawn:
			out = append(out, "withdrawn "+p.SubmissionWithdrawn.GetPath())
		case *eventv1.Event_MilestoneReached:
			out = append(out, crossing("reached", p.MilestoneReached))
		case *eventv1.Event_MilestoneRevoked:
			out = append(out, crossing("revoked", p.MilestoneRevoked))
		case *eventv1.Event_MilestoneCarried:
			out = append(out, "carried "+p.MilestoneCarried.GetTarget())
		case *eventv1.Event_TaskCompleted:
			out = append(out, "completed "+p.TaskCompleted.GetTask())
		case *eventv1.Event_TaskReopened:
			out = append(out, "reopened "+p.TaskReopened.GetTask())
		case *eventv1.Event_RegistryChanged:
			out = append(out, "registry")
		case *eventv1.Event_ScopeChanged:
			out = append(out, "scope "+p.ScopeChanged.GetTarget())
		case *eventv1.Event_UnitMoved:
			out = append(out, "moved "+p.UnitMoved.GetUnit())
		case *eventv1.Event_ClockTurned:
		default:
			out = append(out, "?")
		}
	}
	return out
}

func crossing(what string, c *eventv1.MilestoneCrossed) string {
	at := Fixed(int64(c.GetProgressThreshold()), 2) + "%"
	switch {
	case c.GetValueThreshold() > 0:
		at = Fixed(c.GetValueThreshold(), 0)
	case c.GetStreakThreshold() > 0:
		at = Fixed(int64(c.GetStreakThreshold()), 0) + " in a row"
	case c.GetCompletenessThreshold() > 0:
		at = Fixed(int64(c.GetCompletenessThreshold()), 2) + "% complete"
	}
	s := what + " " + at + " " + c.GetTarget() + " " + lastOf(c.GetPath()) + " #" + Fixed(int64(c.GetOrdinal()), 0)
	if c.GetPeriod() != "" {
		s += " " + c.GetPeriod()
	}
	return s
}
