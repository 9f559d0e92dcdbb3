package book_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// putUnit writes a unit to the live book.
func (h *history) putUnit(id string, u *registryv1.Unit) error {
	return h.do(false, func(b *book.Book) error {
		_, _, err := b.PutUnit(name.Unit(id), u, book.How{Mode: book.Put})
		return err
	})
}

func (h *history) putTarget(id string, m *registryv1.Target) error {
	return h.do(false, func(b *book.Book) error {
		_, _, err := b.PutTarget(name.Target{Programme: "p", ID: id}, m, book.How{Mode: book.Put})
		return err
	})
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func wantRefusal(t *testing.T, err error, reason errorv1.Reason, field string) {
	t.Helper()
	var e *book.Error
	if !errors.As(err, &e) || e.Reason != reason || e.Violations[0].Field != field {
		t.Errorf("got %v, want %v at %s", err, reason, field)
	}
}

// planted is a history with u0 (root) and u1 below it, and programme p.
func planted(t *testing.T) *history {
	t.Helper()
	h := &history{live: book.New()}
	must(t, h.putUnit("u0", unitAt("", "2001-01-01")), h.putUnit("u1", unitAt("u0", "2001-01-01")),
		h.do(false, func(b *book.Book) error {
			_, _, err := b.PutProgramme("p", programme(), book.How{})
			return err
		}))
	return h
}

func ratioTarget() *registryv1.Target {
	return &registryv1.Target{
		DisplayName: "t", ValueKind: typev1.ValueKind_VALUE_KIND_RATIO, Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
		Acceptance: "a", Owner: "u0", Instrument: "i", Due: &registryv1.DueWindow{LatestDate: "2005-01-01"},
		Applicability: &registryv1.Applicability{Units: []string{"u1"}}, MayExceed: true,
	}
}

func TestAProgrammesRootStaysOne(t *testing.T) {
	h := planted(t)
	must(t, h.putUnit("other", unitAt("", "2001-01-01")))
	below := unitAt("", "2001-01-01")
	below.Placements = append(below.Placements, &registryv1.Placement{FromDate: "2005-01-01", Parent: "other", Kind: 1, Level: "x"})
	wantRefusal(t, h.putUnit("u0", below), errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.placements[1].parent")
	must(t, h.putTarget("t", ratioTarget()))
	p := programme()
	p.RootUnit = "other"
	err := h.do(false, func(b *book.Book) error {
		_, _, err := b.PutProgramme("p", p, book.How{Mode: book.Update})
		return err
	})
	wantRefusal(t, err, errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "programme.root_unit")
}

func TestAProgrammeKeepsWhatRegimesAndGoalsName(t *testing.T) {
	h := planted(t)
	set := func(change func(*registryv1.Programme)) error {
		p := programme()
		change(p)
		return h.do(false, func(b *book.Book) error {
			_, _, err := b.PutProgramme("p", p, book.How{Mode: book.Update})
			return err
		})
	}
	kept := errorv1.Reason_REASON_CHANGE_NOT_ALLOWED
	second := &registryv1.Instrument{Id: "j", Number: "2", Date: "2002-01-01"}
	must(t, set(func(p *registryv1.Programme) { p.Instruments = append(p.Instruments, second) }), h.do(false, func(b *book.Book) error {
		m := &registryv1.Regime{DisplayName: "r", DueWorkingDays: 1, Instrument: "j", FromDate: "2002-06-01"}
		_, _, err := b.PutRegime(name.Regime{Programme: "p", ID: "r"}, m, book.How{})
		return err
	}))
	wantRefusal(t, set(func(*registryv1.Programme) {}), kept, "programme.instruments")
	with := func(start, end string) func(*registryv1.Programme) {
		return func(p *registryv1.Programme) {
			p.Instruments, p.StartDate, p.EndDate = append(p.Instruments, second), start, end
		}
	}
	wantRefusal(t, set(with("2002-06-02", "2006-12-31")), kept, "programme.start_date")
	wantRefusal(t, set(with("2002-01-01", "2002-05-31")), kept, "programme.end_date")
	must(t, set(with("2002-06-01", "2002-06-01")), set(with("2002-01-01", "2006-12-31")))

	m := ratioTarget()
	m.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 1,
		Steps: []*registryv1.PathStep{{Date: "2003-01-01", Progress: 1}, {Date: "2004-01-01", Progress: 2}}}
	must(t, h.putTarget("t", m))
	wantRefusal(t, set(with("2002-01-01", "2003-12-31")), kept, "programme.end_date")
	must(t, set(with("2002-01-01", "2004-01-01")))
}

func TestTheTreeIsAtMostSixteenDeep(t *testing.T) {
	h := &history{live: book.New()}
	parent := ""
	for i := range name.MaxDepth {
		id := fmt.Sprintf("d%d", i)
		must(t, h.putUnit(id, unitAt(parent, "2001-01-01")))
		parent = id
	}
	wantRefusal(t, h.putUnit("deeper", unitAt(parent, "2001-01-01")), errorv1.Reason_REASON_INVALID_FIELD, "unit.placements[0].parent")
	// Putting the whole chain below another makes its end too deep.
	must(t, h.putUnit("top", unitAt("", "2001-01-01")))
	wantRefusal(t, h.putUnit("d0", unitAt("top", "2001-01-01")), errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.placements")
}

func TestAllocationsAboveTheWholeKeepATargetFromForbiddingThem(t *testing.T) {
	h := planted(t)
	must(t, h.putTarget("t", ratioTarget()), h.do(false, func(b *book.Book) error {
		id := name.Allocation{Target: name.Target{Programme: "p", ID: "t"}, Unit: "u1"}
		_, _, err := b.PutAllocation(id, &registryv1.Allocation{Value: 1_200_000}, book.How{})
		return err
	}))
	m := ratioTarget()
	m.MayExceed = false
	wantRefusal(t, h.putTarget("t", m), errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "target.may_exceed")
}

func TestATargetThatNoLongerForbidsSubtotalsLetsUnitsIn(t *testing.T) {
	h := planted(t)
	m := ratioTarget()
	m.Applicability = &registryv1.Applicability{Levels: []string{"x"}, ExceptUnits: []string{"u0"}}
	must(t, h.putTarget("t", m), h.putTarget("s", m))
	wantRefusal(t, h.putUnit("u2", unitAt("u1", "2001-01-01")), errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN, "unit.placements")
	own := proto.Clone(m).(*registryv1.Target)
	own.SubtotalPolicy = registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN
	must(t, h.putTarget("t", own))
	wantRefusal(t, h.putUnit("u2", unitAt("u1", "2001-01-01")), errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN, "unit.placements")
	must(t, h.putTarget("s", own), h.putUnit("u2", unitAt("u1", "2001-01-01")))
	wantRefusal(t, h.putTarget("s", m), errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN, "target.applicability")
}

// The engine may decide a command again, in another layer.
func TestWhatIsGivenIsNotChangedByDecidingOnIt(t *testing.T) {
	h := planted(t)
	given := unitAt("u1", "2001-01-01")
	kept := proto.Clone(given)
	var first, second *registryv1.Unit
	decide := func(to **registryv1.Unit) error {
		layer := h.live.Fork(ledger.Stamp{Next: 4})
		var err error
		*to, _, err = layer.PutUnit("u2", given, book.How{Mode: book.Put})
		return err
	}
	must(t, decide(&first), decide(&second))
	if diff := cmp.Diff(kept, proto.Message(given), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" || first == second {
		t.Errorf("decided again: %s", diff)
	}
}

func TestAFrozenBookJudgesByWhatItHolds(t *testing.T) {
	h := planted(t)
	cut := &history{live: h.live.Freeze(), log: h.log}
	must(t, h.putUnit("u2", unitAt("u1", "2001-01-01")))
	closed := unitAt("u0", "2001-01-01")
	closed.ClosedDate = "2003-01-01"
	wantRefusal(t, h.putUnit("u1", closed), errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.closed_date")
	must(t, cut.putUnit("u1", closed))
	if h.live.Unit("u1").GetClosedDate() != "" {
		t.Error("a write to a cut is seen in the book")
	}
}

func TestAUnitMayMoveToAndFro(t *testing.T) {
	h := planted(t)
	must(t, h.putUnit("a", unitAt("u0", "2001-01-01")), h.putUnit("b", unitAt("u0", "2001-01-01")))
	for range 3 {
		must(t, h.putUnit("c", unitAt("a", "2001-01-01")), h.putUnit("c", unitAt("b", "2001-01-01")))
	}
	closed := unitAt("u0", "2001-01-01")
	closed.ClosedDate = "2003-01-01"
	must(t, h.putUnit("a", closed)) // nothing stands below it any more
	wantRefusal(t, h.putUnit("b", closed), errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "unit.closed_date")
}

func BenchmarkPutUnit(b *testing.B) {
	h := &history{live: book.New()}
	if err := h.putUnit("vn", unitAt("", "2001-01-01")); err != nil {
		b.Fatal(err)
	}
	i := 0
	layer := h.live.Fork(ledger.Stamp{Next: 2})
	for b.Loop() {
		i++
		if _, _, err := layer.PutUnit(name.Unit(fmt.Sprintf("u%d", i)), unitAt("vn", "2001-01-01"), book.How{Mode: book.Put}); err != nil {
			b.Fatal(err)
		}
	}
}
