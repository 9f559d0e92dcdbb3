package load

import (
	"context"
	"encoding/csv"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/deploy/demo"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

// Wave is the id of the programme that a Country reports to.
const Wave = "dot-bao-cao"

// What each unit of a country owes: 25 targets of four months, 100 cells.
const (
	waveTargets = 25
	wavePeriods = 4

	// CellsAUnit is how many cells each unit of a country reports.
	CellsAUnit = waveTargets * wavePeriods
)

// member is a unit of a country.
type member struct {
	id    string
	above int // place of the unit above it, which comes before it; -1 for the root
	kind  typev1.UnitKind
	level string
}

// Country is Việt Nam of 2022: provinces, districts, communes and ministries, all of
// which report.
type Country struct{ members []member }

// NewCountry takes the first so many units, of 11,390, that report.
func NewCountry(units int) (*Country, error) {
	c := &Country{members: []member{{Root, -1, typev1.UnitKind_UNIT_KIND_COUNTRY, "country"}}}
	at := map[string]int{"": 0}
	for _, name := range []string{"units-2022.csv", "agencies.csv"} {
		f, err := demo.Files().Open(name)
		if err != nil {
			return nil, err
		}
		rows, err := csv.NewReader(f).ReadAll()
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, row := range rows[1:] {
			kind, level := placeOf(row[1])
			above, known := at[row[2]]
			if kind == 0 || c.Units() == units {
				continue
			}
			if !known && row[2] != Root {
				return nil, fmt.Errorf("%s: %s comes before %s, which stands above it", name, row[0], row[2])
			}
			at[row[0]] = len(c.members)
			c.members = append(c.members, member{row[0], above, kind, level})
		}
	}
	if c.Units() != units {
		return nil, fmt.Errorf("there are %d units, not %d", c.Units(), units)
	}
	return c, nil
}

// placeOf is what a list calls a level; 0 for units that do not report here.
func placeOf(level string) (typev1.UnitKind, string) {
	switch level {
	case "PROVINCE":
		return typev1.UnitKind_UNIT_KIND_PROVINCE, "province"
	case "DISTRICT":
		return typev1.UnitKind_UNIT_KIND_DISTRICT, "district"
	case "COMMUNE":
		return typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"
	case "MINISTRY":
		return typev1.UnitKind_UNIT_KIND_MINISTRY, "central"
	}
	return 0, ""
}

// Units is how many report.
func (c *Country) Units() int { return len(c.members) - 1 }

func waveTarget(t int) string { return fmt.Sprintf("chi-tieu-%02d", t+1) }

func wavePeriod(p int) string { return fmt.Sprintf("2022-M%02d", p+1) }

// Writes is what the registry has to hold, in an order in which each finds what it needs.
func (c *Country) Writes() []*registryv1.Write {
	w := []*registryv1.Write{unit(Root, "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country")}
	for _, m := range c.members[1:] {
		w = append(w, unit(m.id, c.members[m.above].id, m.kind, m.level))
	}
	w = append(w, programme(Wave))
	for t := range waveTargets {
		w = append(w, c.target(t))
	}
	return w
}

// target is a count that stands or adds up, a ratio, or a yes; milestones are told of
// the country and of provinces, most of them on the way to what all report together.
func (c *Country) target(t int) *registryv1.Write {
	rule := &registryv1.MilestoneRule{Levels: []string{"country", "province"}}
	kind, accumulation, goal := typev1.ValueKind_VALUE_KIND_COUNT, typev1.Accumulation_ACCUMULATION_LAST, int64(c.Units())*700
	switch t % 5 {
	case 1:
		accumulation, goal = typev1.Accumulation_ACCUMULATION_SUM, wavePeriods*goal
	case 2, 3:
		kind, goal = typev1.ValueKind_VALUE_KIND_RATIO, scale/2
	case 4:
		kind, goal = typev1.ValueKind_VALUE_KIND_YES_NO, scale
	}
	w := target(waveTarget(t), kind, accumulation, goal, rule)
	x := w.GetTarget()
	x.Name = "programmes/" + Wave + "/targets/" + waveTarget(t)
	x.SubtotalPolicy = registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN
	x.Applicability.Kinds = []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_PROVINCE, typev1.UnitKind_UNIT_KIND_DISTRICT,
		typev1.UnitKind_UNIT_KIND_COMMUNE, typev1.UnitKind_UNIT_KIND_MINISTRY}
	return w
}

// value is what the ith unit reports.
func value(i, t, p int) (num, den int64) {
	n := int64(i)*7919 + int64(t)*104_729 + int64(p)*1_299_709
	switch t % 5 {
	case 2, 3:
		return n % 900, 1000
	case 4:
		return min(n%8, 1), 1
	}
	return n % 1500, 0
}

// Batch is all that the ith unit owes, from 0.
func (c *Country) Batch(i int) *reportingv1.SubmitBatchRequest {
	req := &reportingv1.SubmitBatchRequest{Programme: Wave, Mode: reportingv1.BatchMode_BATCH_MODE_PER_ITEM}
	for t := range waveTargets {
		for p := range wavePeriods {
			s := &reportingv1.Submission{Unit: c.members[i+1].id, Target: waveTarget(t), Period: wavePeriod(p)}
			switch num, den := value(i+1, t, p); t % 5 {
			case 2, 3:
				s.Value = &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: num, Denominator: den}}
			case 4:
				s.Value = &reportingv1.Submission_YesNo{YesNo: num == 1}
			default:
				s.Value = &reportingv1.Submission_Count{Count: num}
			}
			req.Items = append(req.Items, &reportingv1.BatchItem{RequestId: fmt.Sprintf("storm-%02d-%d", t, p), Submission: s})
		}
	}
	return req
}

// sheetOf is what each unit comes to when all have reported, by id; period
// wavePeriods stands for the current figures.
func (c *Country) sheetOf(t, p int) map[string]*typev1.Tally {
	all := make([]typev1.Tally, len(c.members))
	out := make(map[string]*typev1.Tally, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		sum, m := &all[i], c.members[i]
		if i > 0 {
			sum.Reporting, sum.Expected = sum.Reporting+1, sum.Expected+1
			for q := range wavePeriods {
				// The current figure of a target that adds up is of all periods, of others of the last.
				if q == p || p == wavePeriods && (t%5 == 1 || q == wavePeriods-1) {
					num, den := value(i, t, q)
					sum.Numerator, sum.Denominator = sum.Numerator+num, sum.Denominator+den
				}
			}
			above := &all[m.above]
			above.Numerator, above.Denominator = above.Numerator+sum.Numerator, above.Denominator+sum.Denominator
			above.Reporting, above.Expected = above.Reporting+sum.Reporting, above.Expected+sum.Expected
		}
		out[m.id] = sum
	}
	return out
}

// Totals compares every figure of the API, of a replica at a sequence or later, with
// what was sent, when all have reported.
func (c *Country) Totals(ctx context.Context, progress reportingv1.ProgressServiceClient, sequence uint64) (*check.Report, error) {
	r := &check.Report{Name: "totals"}
	for t := range waveTargets {
		for p := range wavePeriods + 1 {
			k := key(waveTarget(t), Root, "")
			k.Programme = Wave
			if p < wavePeriods {
				k.Period = wavePeriod(p)
			}
			figures, err := allFigures(ctx, progress, k, sequence)
			if err != nil {
				return nil, err
			}
			compare(r, c.sheetOf(t, p), figures)
		}
	}
	return r, nil
}

// compare holds the figures of a sheet against what they should be.
func compare(r *check.Report, want map[string]*typev1.Tally, figures []*reportingv1.Figure) {
	for _, f := range figures {
		r.Looked++
		w, g := want[f.GetUnit()], f.GetTally()
		if w == nil || g.GetNumerator() != w.GetNumerator() || g.GetDenominator() != w.GetDenominator() ||
			g.GetReporting() != w.GetReporting() || g.GetExpected() != w.GetExpected() || g.GetExcluded() != 0 {
			r.Fail(fmt.Errorf("%s at %s, period %q, is %v by the API and %v by what was sent", f.GetTarget(), f.GetUnit(), f.GetPeriod(), g, w))
		}
		delete(want, f.GetUnit())
	}
	for id := range want {
		r.Fail(fmt.Errorf("a sheet has no figure of %s", id))
	}
}

// Known waits until a replica expects all units of the country to report.
func (c *Country) Known(ctx context.Context, progress reportingv1.ProgressServiceClient) error {
	k := key(waveTarget(waveTargets-1), Root, wavePeriod(0))
	k.Programme = Wave
	for {
		resp, err := progress.GetFigure(ctx, &reportingv1.GetFigureRequest{Key: k})
		if err == nil && int(resp.GetFigure().GetTally().GetExpected()) == c.Units() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a replica does not know the country: %v expected, %v", resp.GetFigure().GetTally().GetExpected(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
