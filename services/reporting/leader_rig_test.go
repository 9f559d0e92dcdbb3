package reporting

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Short names of the contract's words, for tests to be read.
const (
	asCount = typev1.ValueKind_VALUE_KIND_COUNT
	asRatio = typev1.ValueKind_VALUE_KIND_RATIO
	asYesNo = typev1.ValueKind_VALUE_KIND_YES_NO

	aCountry  = typev1.UnitKind_UNIT_KIND_COUNTRY
	aProvince = typev1.UnitKind_UNIT_KIND_PROVINCE
	aCommune  = typev1.UnitKind_UNIT_KIND_COMMUNE
)

// project is the programme of the tests.
const project = "de-an-06"

// leader is a service on a ledger in a file, whose clock stands until it is set.
type leader struct {
	t        testing.TB
	s        *Service
	clock    *Clock
	revision int64
	requests int
}

// newLeader returns a service on a day, with vn, provinces p1 to p<n> and a commune
// c1 to c<n> in each, and a programme from 2022 to 2025.
func newLeader(t testing.TB, day string, provinces int, edit ...func(*registryv1.Programme)) *leader {
	t.Helper()
	l := &leader{t: t, clock: NewClock(noon(t, day))}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "reporting.db"))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := ledger.Open(t.Context(), ledger.Config[*book.Book]{Store: store, Empty: book.New, Now: l.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = engine.Close(context.Background())
		_ = store.Close()
	})
	if l.s, err = New(Config{Engine: engine, Clock: l.clock}); err != nil {
		t.Fatal(err)
	}
	l.change(unitChange("vn", "", aCountry, "country"))
	for i := range provinces {
		l.change(unitChange(fmt.Sprint("p", i+1), "vn", aProvince, "province"))
		l.change(unitChange(fmt.Sprint("c", i+1), fmt.Sprint("p", i+1), aCommune, "commune"))
	}
	p := &registryv1.Programme{Name: "programmes/" + project, DisplayName: "Project 06", RootUnit: "vn",
		StartDate: "2022-01-01", EndDate: "2025-12-31"}
	for _, f := range edit {
		f(p)
	}
	l.change(&registryv1.Change{Resource: &registryv1.Change_Programme{Programme: p}})
	return l
}

func noon(t testing.TB, day string) time.Time {
	t.Helper()
	d, err := calendar.ParseDate(day)
	if err != nil {
		t.Fatal(err)
	}
	return d.Start().Add(12 * time.Hour)
}

// day turns the clock to noon of a day.
func (l *leader) day(day string) {
	l.t.Helper()
	if !l.clock.Set(noon(l.t, day)) {
		l.t.Fatalf("%s is over", day)
	}
	l.do(func(*book.Book) {})
}

// do runs a command; the clock's tick, if it is due, comes first.
func (l *leader) do(run func(*book.Book)) {
	l.t.Helper()
	if _, err := l.s.engine.Do(l.t.Context(), func(b *book.Book) error { run(b); return nil }); err != nil {
		l.t.Fatal(err)
	}
}

func (l *leader) change(c *registryv1.Change) {
	l.t.Helper()
	l.revision++
	c.Revision = l.revision
	l.do(func(b *book.Book) { b.Registry(c) })
}

func unitChange(id, parent string, kind typev1.UnitKind, level string) *registryv1.Change {
	return &registryv1.Change{Resource: &registryv1.Change_Unit{Unit: &registryv1.Unit{Name: "units/" + id, DisplayName: "Unit " + id,
		Placements: []*registryv1.Placement{{FromDate: "2010-01-01", Parent: parent, Kind: kind, Level: level}}}}}
}

// target writes a target of communes, a stock due on 2023-12-31.
func (l *leader) target(id string, kind typev1.ValueKind, g *registryv1.Goal, edit ...func(*registryv1.Target)) {
	l.t.Helper()
	t := &registryv1.Target{Name: "programmes/" + project + "/targets/" + id, DisplayName: id, ValueKind: kind, Goal: g,
		Accumulation:  typev1.Accumulation_ACCUMULATION_LAST,
		Applicability: &registryv1.Applicability{Kinds: []typev1.UnitKind{aCommune}},
		Due:           &registryv1.DueWindow{LatestDate: "2023-12-31"}}
	for _, f := range edit {
		f(t)
	}
	l.change(&registryv1.Change{Resource: &registryv1.Change_Target{Target: t}})
}

func (l *leader) regime(id string, dueDays uint32) {
	l.t.Helper()
	l.change(&registryv1.Change{Resource: &registryv1.Change_Regime{Regime: &registryv1.Regime{
		Name: "programmes/" + project + "/regimes/" + id, DisplayName: id, DueWorkingDays: dueDays}}})
}

func under(regime string) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.Regime = regime }
}

func (l *leader) allocate(target, unit string, value int64) {
	l.t.Helper()
	l.change(&registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: &registryv1.Allocation{
		Name: "programmes/" + project + "/targets/" + target + "/allocations/" + unit, Value: value}}})
}

// report submits a value, as the newest revision of its cell; it must be accepted.
func (l *leader) report(unit, target, period string, value *reportingv1.Submission) {
	l.t.Helper()
	l.requests++
	sub := proto.Clone(value).(*reportingv1.Submission)
	sub.Unit, sub.Target, sub.Period = unit, target, period
	last, err := l.s.newest(l.t.Context(), &reportingv1.CellKey{Programme: project, Target: target, Unit: unit, Period: period}, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	if last > 0 {
		rec, err := l.s.record(l.t.Context(), last)
		if err != nil {
			l.t.Fatal(err)
		}
		sub.ExpectedRevision, sub.Reason = rec.GetReceipt().GetRevision(), "counted again"
	}
	if _, err := l.s.Submit(l.t.Context(), &reportingv1.SubmitRequest{Programme: project, RequestId: fmt.Sprint("request-", l.requests), Submission: sub}); err != nil {
		l.t.Fatalf("%s reports %s for %s: %v", unit, target, period, err)
	}
}

func counted(n int64) *reportingv1.Submission {
	return &reportingv1.Submission{Value: &reportingv1.Submission_Count{Count: n}}
}

func partOf(num, den int64) *reportingv1.Submission {
	return &reportingv1.Submission{Value: &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: num, Denominator: den}}}
}

func said(yes bool) *reportingv1.Submission {
	return &reportingv1.Submission{Value: &reportingv1.Submission_YesNo{YesNo: yes}}
}

func listed(items ...*reportingv1.Item) *reportingv1.Submission {
	return &reportingv1.Submission{Value: &reportingv1.Submission_Items{Items: &reportingv1.ItemList{Items: items}}}
}

func withdrawn() *reportingv1.Submission {
	return &reportingv1.Submission{Value: &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}}
}

// figure returns a total; period "" is the current one.
func (l *leader) figure(unit, target, period string) *reportingv1.Figure {
	l.t.Helper()
	resp, err := l.s.GetFigure(l.t.Context(), &reportingv1.GetFigureRequest{Key: figureKey(unit, target, period)})
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.GetFigure()
}

func figureKey(unit, target, period string) *reportingv1.FigureKey {
	return &reportingv1.FigureKey{Programme: project, Target: target, Unit: unit, Period: period, Basis: typev1.Basis_BASIS_REPORTED}
}
