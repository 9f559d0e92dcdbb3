package reporting

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

func checked(kinds ...registryv1.CheckKind) func(*registryv1.Target) {
	return func(t *registryv1.Target) {
		for _, k := range kinds {
			t.Checks = append(t.Checks, &registryv1.Check{Kind: k})
		}
	}
}

func (l *leader) quality(unit, from, to string, edit ...func(*reportingv1.GetQualityRequest)) *reportingv1.GetQualityResponse {
	l.t.Helper()
	req := &reportingv1.GetQualityRequest{Programme: project, Unit: unit, Regime: "monthly", FromPeriod: from, ToPeriod: to}
	for _, f := range edit {
		f(req)
	}
	resp, err := l.s.GetQuality(l.t.Context(), req)
	if err != nil {
		l.t.Fatal(err)
	}
	resp.Sequence = 0
	return resp
}

// example lets 24 units report 10 values: 22 reports come, 20 on time, with 215
// values, of which 200 come on time. Of two checks a value 10 find something, in 6
// values.
func example(t *testing.T) *leader {
	l := newLeader(t, "2022-02-01", 24)
	l.regime("monthly", 10)
	for i := range 10 {
		l.target(fmt.Sprint("t", i), asCount, nil, under("monthly"),
			checked(registryv1.CheckKind_CHECK_KIND_MAGNITUDE, registryv1.CheckKind_CHECK_KIND_FALLING_STOCK))
	}
	for c := range 24 { // what the checks of February hold against
		for i := range 10 {
			l.report(fmt.Sprint("c", c+1), fmt.Sprint("t", i), "2022-M01", counted(1_000))
		}
	}
	send := func(unit, target int) {
		value := int64(1_001 + unit)
		switch {
		case unit < 4 && target == 0:
			value = 90 // falls, and to less than a tenth: both checks fail
		case unit < 6 && target == 0:
			value = 999 // falls
		}
		l.report(fmt.Sprint("c", unit+1), fmt.Sprint("t", target), "2022-M02", counted(value))
	}
	l.day("2022-03-14") // due: the tenth working day after February
	for unit := range 20 {
		for target := range 10 {
			send(unit, target)
		}
	}
	l.day("2022-03-15")
	for target := range 8 {
		send(20, target)
	}
	for target := range 7 {
		send(21, target)
	}
	return l
}

func TestQualityOfTheDomainsExample(t *testing.T) {
	l := example(t)
	want := &reportingv1.Quality{Unit: "vn", UnitDisplayName: "Unit vn", ValuesExpected: 240, ValuesPresent: 215, ValuesFresh: 200,
		ChecksRun: 430, ChecksFailed: 10, ValuesInQuestion: 6, ReportsExpected: 24, ReportsOnTime: 20,
		CompletePercent: "89.58", CorrectPercent: "97.67", CleanPercent: "97.21", LivePercent: "83.33", OverallPercent: "91.95"}
	got := l.quality("", "2022-M02", "2022-M02")
	if d := cmp.Diff(want, got.GetTotal(), protocmp.Transform()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	t.Logf("complete %s, correct %s, clean %s, live %s, overall %s", got.GetTotal().GetCompletePercent(), got.GetTotal().GetCorrectPercent(),
		got.GetTotal().GetCleanPercent(), got.GetTotal().GetLivePercent(), got.GetTotal().GetOverallPercent())
	if n := len(got.GetChildren()); n != 24 {
		t.Fatalf("%d units below, want 24", n)
	}
	for _, c := range []*reportingv1.Quality{
		{Unit: "p1", UnitDisplayName: "Unit p1", ValuesExpected: 10, ValuesPresent: 10, ValuesFresh: 10, ChecksRun: 20, ChecksFailed: 2,
			ValuesInQuestion: 1, ReportsExpected: 1, ReportsOnTime: 1,
			CompletePercent: "100.00", CorrectPercent: "90.00", CleanPercent: "90.00", LivePercent: "100.00", OverallPercent: "95.00"},
		{Unit: "p21", UnitDisplayName: "Unit p21", ValuesExpected: 10, ValuesPresent: 8, ChecksRun: 16, ReportsExpected: 1,
			CompletePercent: "80.00", CorrectPercent: "100.00", CleanPercent: "100.00", LivePercent: "0.00", OverallPercent: "70.00"},
		{Unit: "p24", UnitDisplayName: "Unit p24", ValuesExpected: 10, ReportsExpected: 1,
			CompletePercent: "0.00", LivePercent: "0.00", OverallPercent: "0.00"},
	} {
		if d := cmp.Diff(c, child(got, c.GetUnit()), protocmp.Transform()); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
	alone := l.quality("c1", "2022-M02", "2022-M02").GetTotal()
	if alone.GetValuesPresent() != 10 || alone.GetChecksFailed() != 2 || alone.GetReportsOnTime() != 1 {
		t.Errorf("a commune alone: %v", alone)
	}
}

func child(resp *reportingv1.GetQualityResponse, unit string) *reportingv1.Quality {
	for _, q := range resp.GetChildren() {
		if q.GetUnit() == unit {
			return q
		}
	}
	return nil
}

func TestQualityAddsPeriodsAndTargets(t *testing.T) {
	l := example(t)
	both := l.quality("vn", "2022-M01", "2022-M02").GetTotal()
	if both.GetValuesExpected() != 480 || both.GetValuesPresent() != 455 || both.GetValuesFresh() != 440 ||
		both.GetReportsExpected() != 48 || both.GetReportsOnTime() != 44 || both.GetChecksRun() != 430 {
		t.Errorf("two months: %v", both)
	}
	some := l.quality("vn", "2022-M02", "2022-M02", func(r *reportingv1.GetQualityRequest) { r.Targets = []string{"t0", "t9"} }).GetTotal()
	// t9 came from the 20 who sent all
	if some.GetValuesExpected() != 48 || some.GetValuesPresent() != 42 || some.GetChecksFailed() != 10 || some.GetReportsExpected() != 24 {
		t.Errorf("two targets: %v", some)
	}
	none := l.quality("vn", "2022-M03", "2022-M03").GetTotal() // a month for which nobody has reported
	if none.GetValuesExpected() != 240 || none.GetValuesPresent() != 0 || none.GetReportsExpected() != 24 || none.GetCorrectPercent() != "" {
		t.Errorf("a silent month: %v", none)
	}
	early := l.quality("vn", "2021-M12", "2021-M12").GetTotal() // before the programme
	if early.GetValuesExpected() != 0 || early.GetReportsExpected() != 0 || early.GetOverallPercent() != "" {
		t.Errorf("before the programme: %v", early)
	}
}

func TestQualityOfWhatWasWithdrawnOrCorrected(t *testing.T) {
	l := example(t)
	l.report("c1", "t0", "2022-M02", withdrawn())  // with two failed checks
	l.report("c6", "t0", "2022-M02", counted(999)) // as it was
	l.report("c5", "t0", "2022-M02", counted(1_500))
	got := l.quality("vn", "2022-M02", "2022-M02").GetTotal()
	if got.GetValuesPresent() != 214 || got.GetValuesFresh() != 199 || got.GetChecksRun() != 428 || got.GetChecksFailed() != 7 || got.GetValuesInQuestion() != 4 {
		t.Errorf("got %v", got)
	}
}

func TestQualityAsKnownAtATime(t *testing.T) {
	l := example(t)
	before := l.quality("vn", "2022-M02", "2022-M02")
	l.day("2022-03-20")
	l.report("c24", "t0", "2022-M02", counted(1_100))
	got := l.quality("vn", "2022-M02", "2022-M02", func(r *reportingv1.GetQualityRequest) {
		r.KnownAt = timestamppb.New(noon(t, "2022-03-19"))
	})
	if d := cmp.Diff(before, got, protocmp.Transform()); d != "" {
		t.Errorf("-before +known then\n%s", d)
	}
	if now := l.quality("vn", "2022-M02", "2022-M02"); now.GetTotal().GetValuesPresent() != 216 {
		t.Errorf("now %v", now.GetTotal())
	}
}

func TestQualityRefuses(t *testing.T) {
	l := newLeader(t, "2022-06-30", 1)
	l.regime("monthly", 10)
	l.target("cards", asCount, nil, under("monthly"))
	l.target("other", asCount, nil)
	good := func() *reportingv1.GetQualityRequest {
		return &reportingv1.GetQualityRequest{Programme: project, Regime: "monthly", FromPeriod: "2022-M01", ToPeriod: "2022-M06"}
	}
	if _, err := l.s.GetQuality(t.Context(), good()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		edit   func(*reportingv1.GetQualityRequest)
		reason errorv1.Reason
		field  string
	}{
		{func(r *reportingv1.GetQualityRequest) { r.Programme = "p" }, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme"},
		{func(r *reportingv1.GetQualityRequest) { r.Regime = "cards" }, errorv1.Reason_REASON_REGIME_NOT_FOUND, "regime"},
		{func(r *reportingv1.GetQualityRequest) { r.Unit = "p9" }, errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit"},
		{func(r *reportingv1.GetQualityRequest) { r.Targets = []string{"card"} }, errorv1.Reason_REASON_TARGET_NOT_FOUND, "targets"},
		{func(r *reportingv1.GetQualityRequest) { r.Targets = []string{"other"} }, errorv1.Reason_REASON_INVALID_FIELD, "targets"},
		{func(r *reportingv1.GetQualityRequest) { r.FromPeriod = "2022-Q1" }, errorv1.Reason_REASON_WRONG_PERIOD, "from_period"},
		{func(r *reportingv1.GetQualityRequest) { r.ToPeriod = "2022" }, errorv1.Reason_REASON_WRONG_PERIOD, "to_period"},
		{func(r *reportingv1.GetQualityRequest) { r.ToPeriod = "2021-M12" }, errorv1.Reason_REASON_INVALID_FIELD, "to_period"},
		{func(r *reportingv1.GetQualityRequest) { r.FromPeriod = "2017-M06" }, errorv1.Reason_REASON_INVALID_FIELD, "to_period"},
		{func(r *reportingv1.GetQualityRequest) { r.ToPeriod = "2022-M07" }, errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "to_period"},
	} {
		req := good()
		c.edit(req)
		_, err := l.s.GetQuality(t.Context(), req)
		wantRefused(t, err, c.reason, c.field)
	}
	most := good()
	most.FromPeriod = "2017-M07" // 60 months
	if _, err := l.s.GetQuality(t.Context(), most); err != nil {
		t.Error(err)
	}
}
