package book

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

func newYear(r *rig) {
	r.target("issued", count, sumYear, kinds(commune), atLeast(100), national)
	r.report("26734", "issued", "2022-M06", number(60))
	r.day("2023-01-01")
	r.tells(r.block(func(*Book) {}), "carried issued") // the year's thresholds begin again, in silence
	r.want("vn", "issued", "", Tally{Expected: 3})
	r.want("vn", "issued", "2022-M06", Tally{Num: 60, Reporting: 1, Expected: 3})
	r.report("26734", "issued", "2022-M12", number(40)) // late, of last year
	r.want("vn", "issued", "", Tally{Expected: 3})
	r.tells(r.report("26734", "issued", "2023-M01", number(30)), "accepted vn.79.760.26734", "reached 25.00% issued vn #2")
	r.want("vn", "issued", "", Tally{Num: 30, Reporting: 1, Expected: 3})
}

func periodMilestones(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), func(t *registryv1.Target) {
		t.Milestones = &registryv1.MilestoneRule{Levels: []string{"country"}, Scope: registryv1.MilestoneScope_MILESTONE_SCOPE_BOTH}
	})
	r.tells(r.report("26734", "cards", "2022-M06", number(30)), "accepted vn.79.760.26734",
		"reached 25.00% cards vn #1 2022-M06", "reached 25.00% cards vn #1")
	r.tells(r.report("26734", "cards", "2022-M05", number(50)), "accepted vn.79.760.26734",
		"reached 25.00% cards vn #1 2022-M05", "reached 50.00% cards vn #1 2022-M05")
	r.tells(r.report("26734", "cards", "2022-M05", number(49)), "accepted vn.79.760.26734",
		"revoked 50.00% cards vn #1 2022-M05")
}

func absolute(r *rig) {
	r.target("cards", count, last, kinds(commune), func(t *registryv1.Target) {
		t.Milestones = &registryv1.MilestoneRule{Levels: []string{"country"}, Thresholds: []*registryv1.Threshold{
			{At: &registryv1.Threshold_Value{Value: 50}}, {At: &registryv1.Threshold_Value{Value: 67}}}}
	})
	r.tells(r.report("26734", "cards", "2022-M06", number(67)), "accepted vn.79.760.26734", "reached 50 cards vn #1", "reached 67 cards vn #1")
}

func derivedRefused(r *rig) {
	r.central(0, 1)
	r.wantRefusal(r.sub("bca", "tasks-task-central-by-task", "2022-M06", number(5)), errorv1.Reason_REASON_DERIVED_TARGET, "submission.target")
}

func overflowRefused(r *rig) {
	const most = math.MaxInt64 - 1
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2022-M06", number(most))
	r.report("26737", "cards", "2022-M06", number(1))
	r.wantRefusal(r.sub("00001", "cards", "2022-M06", number(1)), errorv1.Reason_REASON_OVERFLOW, "submission")
	r.wantRefusal(r.sub("26737", "cards", "2022-M06", number(2)), errorv1.Reason_REASON_OVERFLOW, "submission")
	r.want("vn", "cards", "", Tally{Num: math.MaxInt64, Reporting: 2, Expected: 3})
	r.target("issued", count, sumAll, kinds(commune))
	r.report("26734", "issued", "2022-M06", number(most))
	r.report("26734", "issued", "2022-M07", number(1))
	// The sum over the periods overflows in the middle, and more is added after.
	r.wantRefusal(r.sub("26734", "issued", "2022-M05", number(100)), errorv1.Reason_REASON_OVERFLOW, "submission")
	r.target("share", ratio, sumAll, kinds(commune))
	r.report("26734", "share", "2022-M06", part(0, most))
	r.report("26734", "share", "2022-M07", part(0, 1))
	r.wantRefusal(r.sub("26734", "share", "2022-M05", part(5, 100)), errorv1.Reason_REASON_OVERFLOW, "submission")
}

func weakest(r *rig) {
	r.target("cards", count, last, kinds(commune))
	send := func(unit string, n int64, q Qualifier) {
		s := r.sub(unit, "cards", "2022-M06", number(n))
		s.Qualifier = q
		r.block(func(l *Book) {
			if _, err := l.Submit(s); err != nil {
				r.t.Fatal(err)
			}
		})
	}
	want := func(q Qualifier) {
		r.t.Helper()
		for _, p := range []string{"", "2022-M06"} {
			if got := r.figure("vn", "cards", p).Qualifier; got != q {
				r.t.Errorf("the sum in %q is qualified %d, want %d", p, got, q)
			}
		}
	}
	send("26734", 1, AtLeast)
	want(AtLeast)
	send("26737", 1, About)
	send("00001", 1, Exact)
	want(About)
	send("26737", 1, Nearly)
	want(Nearly)
	send("26737", 1, Exact)
	want(AtLeast)
	r.report("26734", "cards", "2022-M06", withdraw())
	want(Exact)
}

func batchWhole(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100), national)
	good, bad := r.sub("26734", "cards", "2022-M06", number(30)), r.sub("26737", "cards", "2022-M09", number(1))
	more := r.sub("00001", "cards", "2022-M06", number(70))
	e := r.block(func(l *Book) {
		sub := l.Sub()
		if _, err := sub.Submit(good); err != nil {
			r.t.Error(err)
		}
		if _, err := sub.Submit(bad); err == nil {
			r.t.Error("a period that has not begun is accepted")
		}
		// dropped, and then another one, whole, with one of its own inside
		sub = l.Sub()
		if _, err := sub.Submit(more); err != nil {
			r.t.Error(err)
		}
		inner := sub.Sub()
		if _, err := inner.Submit(good); err != nil {
			r.t.Error(err)
		}
		inner.Merge()
		sub.Merge()
	})
	r.tells(e, "accepted vn.01.001.00001", "reached 25.00% cards vn #1", "reached 50.00% cards vn #1",
		"accepted vn.79.760.26734", "reached 75.00% cards vn #1", "reached 90.00% cards vn #1", "reached 100.00% cards vn #1")
	r.want("vn", "cards", "", Tally{Num: 100, Reporting: 2, Expected: 3})
}

func goalsRollUp(r *rig) {
	r.target("cards", count, last, kinds(commune), atLeast(100))
	goalAt := func(unit string) (int64, bool) {
		f := r.figure(unit, "cards", "")
		return f.Goal.Value(), f.HasGoal
	}
	want := func(unit string, value int64, ok bool) {
		r.t.Helper()
		if got, has := goalAt(unit); has != ok || ok && got != value {
			r.t.Errorf("the goal at %s is %d, %t", unit, got, has)
		}
	}
	want("vn", 100, true)
	want("79", 0, false)
	r.allocate("cards", "26734", 30)
	want("760", 0, false) // 26737 has none
	r.allocate("cards", "26737", 40)
	want("760", 70, true)
	want("79", 70, true)
	want("vn", 100, true)
	r.allocate("cards", "79", 80)
	want("79", 80, true)
	r.report("26737", "cards", "2022-M06", notHere())
	want("760", 30, true) // not applicable there
	if _, why := new(r.figure("01", "cards", "")).Progress(); why != NoGoal {
		r.t.Errorf("without a goal: %v", why)
	}
}

func registryCrosses(r *rig) {
	e := r.target("cards", count, last, kinds(commune))
	stale := e[0].GetRegistryChanged().GetChange()
	r.tells(r.block(func(l *Book) { l.Registry(stale) }))                            // twice
	r.tells(r.block(func(l *Book) { l.Registry(&registryv1.Change{Revision: 99}) })) // out of turn
	s := r.sub("26734", "cards", "2022-M06", number(3))
	r.block(func(l *Book) {
		got, err := l.Submit(s)
		if err != nil || got.RegistryRevision != r.revision {
			r.t.Errorf("judged by %d, %v", got.RegistryRevision, err)
		}
	})
}

func datesBeyond(r *rig) {
	r.target("cards", count, last, kinds(commune), func(t *registryv1.Target) { t.Applicability.UntilDate = "2150-01-01" })
	r.unit("26740", "760", commune, placed(from("1950-01-01", "760", commune), from("1976-07-02", "001", commune),
		from("1997-01-06", "760", commune), from("2150-01-01", "001", commune)), closed("2199-12-31"))
	r.report("26740", "cards", "2022-M06", number(7))
	r.want("79", "cards", "2022-M06", Tally{Num: 7, Reporting: 1, Expected: 3})
	r.unit("26740", "760", commune, placed(from("1950-01-01", "001", commune), from("1997-01-06", "001", commune)), closed("2199-12-31"))
	r.want("01", "cards", "2022-M06", Tally{Num: 7, Reporting: 1, Expected: 2})
}

func lastMonth(r *rig) {
	r.programme(func(p *registryv1.Programme) { p.StartDate, p.EndDate = "2000-01-01", "2099-12-31" })
	r.target("cards", count, last, kinds(commune))
	r.report("26734", "cards", "2010-M06", number(7))
	r.want("vn", "cards", "", Tally{Num: 7, Reporting: 1, Expected: 3})
	r.programme(func(p *registryv1.Programme) { p.StartDate, p.EndDate = "2000-01-01", "2020-12-31" })
	r.want("vn", "cards", "", Tally{Num: 7, Reporting: 1, Expected: 3}) // as on its last day
	r.want("vn", "cards", "2022-M06", Tally{})
	r.want("vn", "cards", "2010-M06", Tally{Num: 7, Reporting: 1, Expected: 3})
}

func taskRules(r *rig) {
	rule := func(kind registryv1.CompletionRuleKind, percent uint32) func(*registryv1.Task) {
		return func(t *registryv1.Task) {
			t.CompletionRule = &registryv1.CompletionRule{Kind: kind, QuorumPercent: percent}
		}
	}
	units := []string{"79", "01", "bca"}
	local := typev1.Audience_AUDIENCE_LOCAL
	r.task("quorum", local, units, rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM, 66))
	r.task("lead", local, units, rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_LEAD_ONLY, 0))
	done := func(e []*eventv1.Event) bool {
		for _, s := range story(e) {
			if s == "completed quorum" || s == "completed lead" {
				return true
			}
		}
		return false
	}
	if done(r.report("01", "quorum", "2022-M06", yes())) || done(r.report("01", "lead", "2022-M06", yes())) {
		r.t.Error("complete too early")
	}
	if !done(r.report("bca", "quorum", "2022-M06", yes())) { // 2 of 3 is 66.7 %
		r.t.Error("a quorum of 66 % is not enough")
	}
	if !done(r.report("79", "lead", "2022-M06", yes())) {
		r.t.Error("the lead is done, the task is not")
	}
	e := r.task("quorum", local, units, rule(registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM, 67))
	r.tells(e[:2], "registry", "reopened quorum")
	r.want("vn", "tasks-task-local-by-task", "", Tally{1, 2, 2, 2, 0})
	r.want("vn", "tasks-task-local-by-assignment", "", Tally{4, 6, 4, 6, 0})
	r.task("quorum", typev1.Audience_AUDIENCE_CENTRAL, units)
	r.want("vn", "tasks-task-local-by-task", "", Tally{1, 1, 1, 1, 0})
	r.want("vn", "tasks-task-central-by-assignment", "", Tally{2, 3, 2, 3, 0})
}

func refusals(r *rig) {
	r.target("cards", count, last, kinds(commune))
	for _, c := range []struct {
		unit, target, period string
		v                    Value
		reason               errorv1.Reason
		field                string
	}{
		{"99999", "cards", "2022-M06", number(1), errorv1.Reason_REASON_UNIT_NOT_FOUND, "submission.unit"},
		{"26734", "none", "2022-M06", number(1), errorv1.Reason_REASON_TARGET_NOT_FOUND, "submission.target"},
		{"79", "cards", "2022-M06", number(1), errorv1.Reason_REASON_NOT_APPLICABLE, "submission.target"},
		{"26734", "cards", "2021-M12", number(1), errorv1.Reason_REASON_NOT_APPLICABLE, "submission.target"},
		{"26734", "cards", "2022-M08", number(1), errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "submission.period"},
		{"26734", "cards", "2022-M06", yes(), errorv1.Reason_REASON_WRONG_VALUE_KIND, "submission.yes_no"},
		{"26734", "cards", "2022-M06", part(1, 2), errorv1.Reason_REASON_WRONG_VALUE_KIND, "submission.ratio"},
	} {
		r.wantRefusal(r.sub(c.unit, c.target, c.period, c.v), c.reason, c.field)
	}
	s := r.sub("26734", "cards", "2022-M06", number(1))
	s.Programme = "de-an-07"
	r.wantRefusal(s, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme")
}

func outsideLife(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.unit("26740", "760", commune, placed(from("2022-03-10", "760", commune)), closed("2022-06-10"))
	for period, ok := range map[string]bool{"2022-M02": false, "2022-M03": true, "2022-M05": true, "2022-M06": false} {
		s := r.sub("26740", "cards", period, number(1))
		if ok {
			r.report("26740", "cards", period, number(1))
			continue
		}
		r.wantRefusal(s, errorv1.Reason_REASON_UNIT_NOT_ACTIVE, "submission.unit")
	}
}

func equalAllocation(r *rig) {
	r.target("share", ratio, last, kinds(commune), atLeast(500_000))
	r.allocate("share", "79", 900_000)
	r.allocate("share", "26734", 500_000)
	for unit, want := range map[string]int64{"26734": 500_000, "26737": 900_000, "00001": 500_000, "vn": 500_000} {
		if got := r.figure(unit, "share", "").Goal.Value(); got != want {
			r.t.Errorf("the goal at %s is %d, want %d", unit, got, want)
		}
	}
}

func placeAnew(r *rig) {
	r.target("cards", count, last, kinds(commune))
	r.unit("001", "01", district, placed(from("2010-01-01", "01", district), from("2022-07-01", "79", district)))
	if e := r.report("00001", "cards", "2022-M06", number(1)); e[0].GetPrevious() != 0 {
		r.t.Errorf("the first on its subject follows %d", e[0].GetPrevious())
	}
	// To a district that never moved: as many moves above it as before, and yet another path.
	r.unit("00001", "001", commune, placed(from("2010-01-01", "001", commune), from("2022-07-02", "760", commune)))
	if e := r.report("00001", "cards", "2022-M06", number(2)); e[0].GetPrevious() != 0 {
		r.t.Errorf("the first on its new subject follows %d", e[0].GetPrevious())
	}
}

// TestFreeze shows that a cut stays as it was while the book goes on.
func TestFreeze(t *testing.T) {
	r := newRig(t, "2022-07-31")
	r.tree()
	r.target("cards", count, last, kinds(commune), atLeast(100))
	r.report("26734", "cards", "2022-M06", number(30))
	cut, head := r.b.Freeze(), len(r.log)
	r.report("26734", "cards", "2022-M06", number(90))
	r.unit("26734", "760", commune, closed("2022-07-01"))
	if err := Compare(cut, replayed(t, New(), r.log[:head])); err != nil {
		t.Error(err)
	}
	if err := Compare(cut, r.b); err == nil {
		t.Error("Compare sees no difference")
	}
}

// TestRecompute_finds shows that the audit sees a total that does not hold.
func TestRecompute_finds(t *testing.T) {
	for name, spoil := range map[string]func(*rig){
		"a total":      func(r *rig) { r.node("vn", "cards", "2022-M06").sum.Num++ },
		"a current":    func(r *rig) { r.node("26734", "cards", "").num++ },
		"a qualifier":  func(r *rig) { r.sheet("cards", "").quals.Edit(r.b.UnitByID("79").ix)[0]++ },
		"a count":      func(r *rig) { r.node("vn", "tasks-task-central-by-task", "").sum.Num++ },
		"a completion": func(r *rig) { r.b.complete.Set(r.b.MeasureByID(prog, "t-0").ix, false) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "2022-07-31")
			r.tree()
			r.target("cards", count, last, kinds(commune))
			r.central(0, 2)
			r.report("26734", "cards", "2022-M06", number(30))
			r.report("bca", "t-0", "2022-M06", yes())
			if n, err := r.b.Recompute(); err != nil || n == 0 {
				t.Fatalf("%d totals, %v", n, err)
			}
			spoil(r)
			if _, err := r.b.Recompute(); err == nil {
				t.Error("nothing was found")
			}
		})
	}
}

// node is what is kept for a unit, to be spoiled.
func (r *rig) node(unit, target, period string) *node {
	return r.sheet(target, period).nodes.Edit(r.b.UnitByID(unit).ix)
}

func (r *rig) sheet(target, period string) *sheet {
	p := Current
	if period != "" {
		p = month(r.t, period)
	}
	return r.b.sheet(sheetKey{r.b.MeasureByID(prog, target).ix, p})
}

// TestApply_refuses shows that what does not follow is not folded in.
func TestApply_refuses(t *testing.T) {
	r := newRig(t, "2022-07-31")
	r.tree()
	b := New()
	for name, err := range map[string]error{
		"a number out of turn": b.Apply(2, r.log[1]),
		"another's number":     b.Apply(1, r.log[1]),
		"no event":             b.Apply(1, ledger.Entry{Event: []byte("no event")}),
		"an empty event":       b.Apply(1, ledger.Entry{}),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if d := cmp.Diff(uint64(0), b.Head()); d != "" {
		t.Error(d)
	}
}
