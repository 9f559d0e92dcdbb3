package book

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

func subtotals(p registryv1.SubtotalPolicy) func(*registryv1.Target) {
	return func(t *registryv1.Target) { t.SubtotalPolicy = p }
}

const withControl = registryv1.SubtotalPolicy_SUBTOTAL_POLICY_CONTROL_TOTAL

// TestControlTotalOff is a province that says another sum than its communes: it is
// shown beside them, never added, and a finding until they agree.
func TestControlTotalOff(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.target("x", count, last, kinds(province, commune), subtotals(withControl))
	r.want("vn", "x", "", Tally{0, 0, 0, 3, 0}) // the communes alone
	r.want("vn", "x", "2022-M06", Tally{0, 0, 0, 3, 0})
	report := r.report("79", "x", "2022-M06", number(50))
	wantLooked(t, report, "0 of 0 failed") // nobody below has reported yet
	if s := report[0].GetSubmissionAccepted(); !s.GetControl() || s.GetTally().GetNumerator() != 50 {
		t.Errorf("recorded as %v", s)
	}
	wantLooked(t, r.report("26734", "x", "2022-M06", number(30)), "0 of 0 failed") // nor all
	wantLooked(t, r.report("26737", "x", "2022-M06", number(10)), "0 of 0 failed",
		"again x 79 2022-M06: 1 of 1 failed", "opened 79 2022-M06 CONTROL_TOTAL: 50 against 40")
	for _, period := range []string{"2022-M06", ""} {
		r.want("79", "x", period, Tally{40, 0, 2, 2, 0})
		r.want("vn", "x", period, Tally{40, 0, 2, 3, 0})
		if own := r.figure("79", "x", period).Own; own.Tally.Num != 50 || own.Expected {
			t.Errorf("79 itself shows %+v in %q", own, period)
		}
	}
	wantLooked(t, r.report("26737", "x", "2022-M06", number(15)), "0 of 0 failed") // still off
	wantLooked(t, r.report("26737", "x", "2022-M06", number(20)), "0 of 0 failed",
		"again x 79 2022-M06: 0 of 1 failed", "resolved 79 2022-M06 CONTROL_TOTAL: CORRECTED")
	wantLooked(t, r.report("79", "x", "2022-M06", number(51)), "1 of 1 failed", "opened 79 2022-M06 CONTROL_TOTAL: 51 against 50")
	wantLooked(t, r.report("79", "x", "2022-M06", number(50)), "0 of 1 failed", "resolved 79 2022-M06 CONTROL_TOTAL: CORRECTED")
	wantLooked(t, r.report("26737", "x", "2022-M06", withdraw()), "0 of 0 failed", "again x 79 2022-M06: 0 of 0 failed")
	// A commune to which it does not apply is not waited for.
	wantLooked(t, r.report("26737", "x", "2022-M06", notHere()), "0 of 0 failed",
		"again x 79 2022-M06: 1 of 1 failed", "opened 79 2022-M06 CONTROL_TOTAL: 50 against 30")
	r.report("79", "x", "2022-M06", withdraw())
	r.want("79", "x", "", Tally{30, 0, 1, 1, 0})
	r.wantRefusal(r.sub("760", "x", "2022-M06", number(1)), errorv1.Reason_REASON_NOT_APPLICABLE, "submission.target")
	r.sound()
	r.imaged()
}

// TestParentAndChildrenBothReport is the same reports under the policies that take
// them; the registry refuses such a target where subtotals are forbidden.
func TestParentAndChildrenBothReport(t *testing.T) {
	for _, c := range []struct {
		policy registryv1.SubtotalPolicy
		total  Tally
		parts  []string
	}{
		{registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN, Tally{90, 0, 3, 5, 0}, []string{"26734", "26737", "79"}},
		{withControl, Tally{40, 0, 2, 3, 0}, []string{"26734", "26737"}},
	} {
		t.Run(c.policy.String(), func(t *testing.T) {
			r := newRig(t, "2022-12-31")
			r.tree()
			r.target("x", count, sumAll, kinds(province, commune), subtotals(c.policy))
			r.report("79", "x", "2022-M06", number(50))
			r.report("26734", "x", "2022-M06", number(30))
			r.report("26737", "x", "2022-M06", number(10))
			r.want("vn", "x", "2022-M06", c.total)
			r.want("vn", "x", "", c.total)
			parts, _ := r.b.View(r.b.MeasureByID(prog, "x"), month(t, "2022-M06")).Contributions(r.b.UnitByID("vn"), "", 10)
			var named []string
			for _, p := range parts {
				if p.Own.Tally.Reporting > 0 {
					named = append(named, p.Unit.ID())
				}
			}
			if diff := cmp.Diff(c.parts, named); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			r.sound()
			r.imaged()
		})
	}
}

// TestControlTotal_tree shows that a unit is expected to report as long as nobody
// below it is, period by period, whatever the registry says later.
func TestControlTotal_tree(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.unit("48", "vn", province)
	r.target("x", count, sumAll, kinds(province, commune), subtotals(withControl))
	r.report("48", "x", "2022-M06", number(5))
	r.report("48", "x", "2022-M11", number(6))
	r.want("vn", "x", "2022-M06", Tally{5, 0, 1, 4, 0})
	r.want("vn", "x", "", Tally{11, 0, 1, 4, 0})

	// A district below changes nothing; a commune from October on does.
	r.unit("490", "48", district)
	r.want("48", "x", "2022-M11", Tally{6, 0, 1, 1, 0})
	r.unit("20194", "490", commune, placed(from("2022-10-01", "490", commune)))
	r.want("48", "x", "2022-M06", Tally{5, 0, 1, 1, 0})
	r.want("48", "x", "2022-M11", Tally{0, 0, 0, 1, 0})
	r.want("48", "x", "", Tally{0, 0, 0, 1, 0})
	wantLooked(t, r.report("20194", "x", "2022-M11", number(7)), "0 of 0 failed",
		"again x 48 2022-M11: 1 of 1 failed", "opened 48 2022-M11 CONTROL_TOTAL: 6 against 7")
	r.sound()

	// It moves to another province, in the past: 48 reports for itself again.
	r.unit("20194", "", commune, placed(from("2022-10-01", "001", commune)))
	r.want("48", "x", "2022-M11", Tally{6, 0, 1, 1, 0})
	r.want("01", "x", "2022-M11", Tally{7, 0, 1, 2, 0})
	r.want("48", "x", "", Tally{11, 0, 1, 1, 0})
	r.sound()

	// The registry knows today that it will stand below 48 again next year.
	r.unit("20194", "", commune, placed(from("2022-10-01", "001", commune), from("2023-01-01", "490", commune)))
	r.want("48", "x", "", Tally{11, 0, 1, 1, 0})
	r.day("2023-01-31")
	r.block(func(*Book) {})
	r.want("48", "x", "", Tally{7, 0, 1, 1, 0})
	r.want("48", "x", "2023-M01", Tally{0, 0, 0, 1, 0})
	r.want("48", "x", "2022-M12", Tally{0, 0, 0, 1, 0})
	r.unit("20194", "", commune, placed(from("2022-10-01", "001", commune), from("2023-01-01", "490", commune)), closed("2023-02-01"))
	r.day("2023-02-28")
	r.block(func(*Book) {})
	r.want("48", "x", "", Tally{11, 0, 1, 1, 0})
	r.want("48", "x", "2023-M02", Tally{0, 0, 0, 1, 0})
	r.sound()
	r.imaged()
}

// TestControlTotal_regime shows that a unit that gives control totals owes no report.
func TestControlTotal_regime(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.change(&registryv1.Change{Resource: &registryv1.Change_Regime{Regime: &registryv1.Regime{
		Name: "programmes/" + prog + "/regimes/monthly", DisplayName: "monthly", DueWorkingDays: 5, Silent: true}}})
	r.target("x", count, sumAll, kinds(province, commune), subtotals(withControl),
		func(t *registryv1.Target) { t.Regime = "monthly" })
	r.want("vn", "monthly", "2022-M06", Tally{0, 3, 0, 3, 0})
	r.report("79", "x", "2022-M06", number(50))
	r.report("26734", "x", "2022-M06", number(30))
	r.want("vn", "monthly", "2022-M06", Tally{0, 3, 1, 3, 0})
	r.unit("48", "vn", province)
	r.want("vn", "monthly", "2022-M06", Tally{0, 4, 1, 4, 0})
	r.unit("20194", "48", commune)
	r.unit("20195", "48", commune)
	r.want("vn", "monthly", "2022-M06", Tally{0, 5, 1, 5, 0})
	r.sound()
	r.imaged()
}
