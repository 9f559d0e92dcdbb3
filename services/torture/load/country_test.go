package load

import (
	"testing"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

func TestCountry_is_that_of_2022(t *testing.T) {
	c, err := NewCountry(11_390)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[typev1.UnitKind]int)
	for i, m := range c.members {
		kinds[m.kind]++
		if m.above >= i {
			t.Errorf("%s comes before what stands above it", m.id)
		}
	}
	if kinds[typev1.UnitKind_UNIT_KIND_PROVINCE] != 63 || kinds[typev1.UnitKind_UNIT_KIND_DISTRICT] != 705 ||
		kinds[typev1.UnitKind_UNIT_KIND_COMMUNE] != 10_599 || kinds[typev1.UnitKind_UNIT_KIND_MINISTRY] != 23 {
		t.Errorf("%v", kinds)
	}
	if m := c.members[3]; m.id != "00001" || c.members[m.above].id != "001" || c.members[c.members[m.above].above].id != "01" {
		t.Errorf("the third is %+v", m)
	}
	if _, err := NewCountry(11_391); err == nil {
		t.Error("it has more units than there are")
	}
}

// What a sheet says of a unit is what the batches of it and of all below it say.
func TestSheets_are_what_batches_add_up_to(t *testing.T) {
	c, err := NewCountry(200)
	if err != nil {
		t.Fatal(err)
	}
	type at struct{ unit, target, period string }
	sums := make(map[at][3]int64)
	for i := range c.Units() {
		batch := c.Batch(i)
		if len(batch.GetItems()) != CellsAUnit {
			t.Fatalf("a batch of %d", len(batch.GetItems()))
		}
		for _, item := range batch.GetItems() {
			s := item.GetSubmission()
			num, den := s.GetCount(), int64(0)
			switch v := s.GetValue().(type) {
			case *reportingv1.Submission_Ratio:
				num, den = v.Ratio.GetNumerator(), v.Ratio.GetDenominator()
			case *reportingv1.Submission_YesNo:
				if den = 1; v.YesNo {
					num = 1
				}
			}
			for up := i + 1; up >= 0; up = c.members[up].above {
				k := at{c.members[up].id, s.GetTarget(), s.GetPeriod()}
				sums[k] = [3]int64{sums[k][0] + num, sums[k][1] + den, sums[k][2] + 1}
			}
		}
	}
	for n := range waveTargets {
		var sheets [wavePeriods + 1]map[string]*typev1.Tally
		for p := range sheets {
			sheets[p] = c.sheetOf(n, p)
		}
		for unit, now := range sheets[wavePeriods] {
			var all [3]int64
			for p := range wavePeriods {
				got, want := sheets[p][unit], sums[at{unit, waveTarget(n), wavePeriod(p)}]
				if got.GetNumerator() != want[0] || got.GetDenominator() != want[1] || int64(got.GetReporting()) != want[2] || got.GetExpected() != got.GetReporting() {
					t.Fatalf("%s at %s in %s: %v, want %v", waveTarget(n), unit, wavePeriod(p), got, want)
				}
				all = [3]int64{all[0] + want[0], all[1] + want[1], want[2]}
				if n%5 != 1 {
					all = want
				}
			}
			if now.GetNumerator() != all[0] || now.GetDenominator() != all[1] || int64(now.GetReporting()) != all[2] {
				t.Fatalf("%s at %s now: %v, want %v", waveTarget(n), unit, now, all)
			}
		}
	}
}

func TestSheets_are_compared_whole(t *testing.T) {
	figure := func(unit string, num int64) *reportingv1.Figure {
		return &reportingv1.Figure{Unit: unit, Tally: &typev1.Tally{Numerator: num, Reporting: 1, Expected: 1}}
	}
	for name, figures := range map[string][]*reportingv1.Figure{
		"wrong":   {figure("a", 1), figure("b", 3)},
		"missing": {figure("a", 1)},
		"twice":   {figure("a", 1), figure("b", 2), figure("b", 2)},
		"unknown": {figure("a", 1), figure("b", 2), figure("c", 2)},
		"":        {figure("b", 2), figure("a", 1)},
	} {
		want := map[string]*typev1.Tally{"a": figure("", 1).GetTally(), "b": figure("", 2).GetTally()}
		r := &check.Report{Name: name}
		compare(r, want, figures)
		if r.Held() != (name == "") {
			t.Errorf("%q: %v", name, r)
		}
	}
}
