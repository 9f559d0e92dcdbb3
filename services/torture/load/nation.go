// Package load plays units that report, correct, withdraw and read, through the
// public client, and writes down what they sent and what they were told.
package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

// Programme is the id of the only programme.
const Programme = "de-an-06"

// Root is the id of the root unit.
const Root = "vn"

// scale leaves room for a number of its own below each random value.
const scale = 1_000_000

// provinces is how many there are.
const provinces = 5

// Nation is a tree of three levels whose communes report four targets, each of
// another kind, for six months.
type Nation struct{ Communes int }

// Start is a time at which all periods of a nation are over.
func Start() time.Time {
	return time.Date(2022, 7, 10, 9, 0, 0, 0, time.FixedZone("+07", 7*3600))
}

// Targets are the ids of the targets.
func Targets() []string { return []string{"cards", "issued", "procedures", "adopted"} }

// Periods are those that are reported.
func Periods() []string {
	return []string{"2022-M01", "2022-M02", "2022-M03", "2022-M04", "2022-M05", "2022-M06"}
}

// Commune is the id of the ith commune.
func Commune(i int) string { return fmt.Sprintf("c%d", i) }

// Cells is how many cells there are.
func (n Nation) Cells() int { return n.Communes * len(Targets()) * len(Periods()) }

// Cell is the ith cell.
func (n Nation) Cell(i int) check.Cell {
	t, p := Targets(), Periods()
	return check.Cell{Target: t[i%len(t)], Period: p[i/len(t)%len(p)], Unit: Commune(i / len(t) / len(p) % n.Communes)}
}

// Writes is what the registry has to hold. Thresholds lie where random values cross
// them up and down all the time.
func (n Nation) Writes() []*registryv1.Write {
	w := []*registryv1.Write{unit(Root, "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country")}
	for i := range provinces {
		w = append(w, unit(fmt.Sprintf("p%d", i), Root, typev1.UnitKind_UNIT_KIND_PROVINCE, "province"))
	}
	for i := range n.Communes {
		w = append(w, unit(Commune(i), fmt.Sprintf("p%d", i%provinces), typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"))
	}
	w = append(w, programme(Programme))
	none := uint32(0)
	half := int64(n.Communes) * 500 * scale
	return append(w,
		target("cards", typev1.ValueKind_VALUE_KIND_COUNT, typev1.Accumulation_ACCUMULATION_LAST, half,
			&registryv1.MilestoneRule{Thresholds: progress(2500, 9000, 9700, 10_000, 10_300)}),
		target("issued", typev1.ValueKind_VALUE_KIND_COUNT, typev1.Accumulation_ACCUMULATION_SUM, 6*half,
			&registryv1.MilestoneRule{Thresholds: []*registryv1.Threshold{{At: &registryv1.Threshold_Value{Value: 800 * scale}}}}),
		target("procedures", typev1.ValueKind_VALUE_KIND_RATIO, typev1.Accumulation_ACCUMULATION_LAST, scale,
			&registryv1.MilestoneRule{Thresholds: progress(4900, 5000, 5100), MinReporting: &none, Levels: []string{"province", "country"}}),
		target("adopted", typev1.ValueKind_VALUE_KIND_YES_NO, typev1.Accumulation_ACCUMULATION_LAST, scale, nil))
}

func programme(id string) *registryv1.Write {
	return &registryv1.Write{Resource: &registryv1.Write_Programme{Programme: &registryv1.Programme{
		Name: "programmes/" + id, DisplayName: "Đề án", RootUnit: Root, StartDate: "2022-01-01", EndDate: "2030-12-31",
		Instruments: []*registryv1.Instrument{{Id: "qd-06", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_DECISION, Number: "06/QĐ-TTg", Date: "2022-01-06"}}}}}
}

func progress(at ...uint32) []*registryv1.Threshold {
	var all []*registryv1.Threshold
	for _, p := range at {
		all = append(all, &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: p}})
	}
	return all
}

func unit(id, parent string, kind typev1.UnitKind, level string) *registryv1.Write {
	return &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{
		Name: "units/" + id, DisplayName: "Đơn vị " + id,
		Placements: []*registryv1.Placement{{FromDate: "2020-01-01", Parent: parent, Kind: kind, Level: level}}}}}
}

func target(id string, kind typev1.ValueKind, a typev1.Accumulation, goal int64, rule *registryv1.MilestoneRule) *registryv1.Write {
	if rule != nil {
		rule.Scope = registryv1.MilestoneScope_MILESTONE_SCOPE_BOTH
	}
	return &registryv1.Write{Resource: &registryv1.Write_Target{Target: &registryv1.Target{
		Name: "programmes/" + Programme + "/targets/" + id, DisplayName: "Chỉ tiêu " + id, ValueKind: kind, Accumulation: a,
		Applicability: &registryv1.Applicability{Kinds: []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_COMMUNE}},
		Goal:          &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: goal},
		Acceptance:    "báo cáo", Owner: Root, Instrument: "qd-06", Due: &registryv1.DueWindow{LatestDate: "2022-12-31"}, Milestones: rule}}}
}

// submission makes a value that no other has, where the kind has room for it.
func submission(c check.Cell, random *rand.Rand, number int64) (s *reportingv1.Submission, num, den int64) {
	s = &reportingv1.Submission{Unit: c.Unit, Target: c.Target, Period: c.Period}
	num = int64(random.IntN(1000))*scale + number%scale
	switch c.Target {
	case "procedures":
		den = 1000 * scale
		s.Value = &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: num, Denominator: den}}
	case "adopted":
		num, den = num%2, 1
		s.Value = &reportingv1.Submission_YesNo{YesNo: num == 1}
	default:
		s.Value = &reportingv1.Submission_Count{Count: num}
	}
	return s, num, den
}
