package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// The nation is as large as the real one of 2022: 11,390 units below the root.
const (
	provinces  = 63
	districts  = 705
	communes   = 10_599
	ministries = 23
	targets    = 24

	programme = "p"
	root      = "vn"
)

// cellsAPeriod is how many cells a period has: the wave.
const cellsAPeriod = (provinces + districts + communes + ministries) * targets

// firstPeriod is the month of the first wave; later ones follow it.
var firstPeriod = calendar.EndOfMonth.Of(firstDay, calendar.Monthly)

// firstDay is 2015-01-01, in days since 2000-01-01.
const firstDay calendar.Date = 15*365 + 4

// nation is who reports and what, in the order in which it comes in.
type nation struct {
	units   []*registryv1.Unit // parents first, the root included
	ids     []string           // of those that report
	targets []*registryv1.Target
	order   []int32 // a fixed random order of a period's cells
}

func newNation() *nation {
	n := &nation{}
	n.add(root, "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country")
	for i := range provinces {
		n.add(fmt.Sprintf("%02d", i+1), root, typev1.UnitKind_UNIT_KIND_PROVINCE, "province")
	}
	for i := range districts {
		n.add(fmt.Sprintf("%03d", i+100), fmt.Sprintf("%02d", i%provinces+1), typev1.UnitKind_UNIT_KIND_DISTRICT, "district")
	}
	for i := range communes {
		n.add(fmt.Sprintf("%05d", 3*i+1), fmt.Sprintf("%03d", i%districts+100), typev1.UnitKind_UNIT_KIND_COMMUNE, "commune")
	}
	for i := range ministries {
		n.add(fmt.Sprintf("bo-%02d", i+1), root, typev1.UnitKind_UNIT_KIND_MINISTRY, "ministry")
	}
	for _, u := range n.units[1:] {
		n.ids = append(n.ids, u.GetName()[len("units/"):])
	}
	for i := range targets {
		n.targets = append(n.targets, newTarget(i))
	}
	n.order = make([]int32, cellsAPeriod)
	for i, at := range rand.New(rand.NewPCG(2022, 6)).Perm(cellsAPeriod) {
		n.order[i] = int32(at)
	}
	return n
}

func (n *nation) add(id, parent string, kind typev1.UnitKind, level string) {
	n.units = append(n.units, &registryv1.Unit{Name: "units/" + id, DisplayName: "Đơn vị hành chính số " + id,
		Placements: []*registryv1.Placement{{FromDate: "2000-01-01", Parent: parent, Kind: kind, Level: level}}})
}

// newTarget makes the i-th target: 10 counts, 10 ratios, 4 of yes or no; of each
// kind but the last some are stocks and some are flows. Every unit reports them;
// milestones are announced for the country and for provinces.
func newTarget(i int) *registryv1.Target {
	t := &registryv1.Target{Name: "programmes/" + programme + "/targets/" + targetID(i), DisplayName: fmt.Sprintf("Chỉ tiêu số %d", i+1),
		ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
		SubtotalPolicy: registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN,
		Applicability: &registryv1.Applicability{Kinds: []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_PROVINCE, typev1.UnitKind_UNIT_KIND_DISTRICT,
			typev1.UnitKind_UNIT_KIND_COMMUNE, typev1.UnitKind_UNIT_KIND_MINISTRY}},
		Goal:       &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 10_000_000},
		Milestones: &registryv1.MilestoneRule{Levels: []string{"country", "province"}},
		Acceptance: "báo cáo", Owner: root, Instrument: "qd-06", Due: &registryv1.DueWindow{LatestDate: "2030-12-31"}}
	switch {
	case i >= 20:
		t.ValueKind = typev1.ValueKind_VALUE_KIND_YES_NO
		t.Goal = &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE}
	case i >= 10:
		t.ValueKind = typev1.ValueKind_VALUE_KIND_RATIO
		t.Goal.Value = 950_000
	}
	switch {
	case i%10 < 7:
	case i < 10:
		t.Accumulation = typev1.Accumulation_ACCUMULATION_SUM_YEAR
	default:
		t.Accumulation = typev1.Accumulation_ACCUMULATION_SUM // ratios are not summed by the year
	}
	return t
}

func targetID(i int) string { return fmt.Sprintf("chi-tieu-%02d", i+1) }

// writes is the whole of the registry, in an order in which each finds what it needs.
func (n *nation) writes() []*registryv1.Write {
	var out []*registryv1.Write
	for _, u := range n.units {
		out = append(out, &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: u}})
	}
	out = append(out, &registryv1.Write{Resource: &registryv1.Write_Programme{Programme: &registryv1.Programme{
		Name: "programmes/" + programme, DisplayName: "Đề án", RootUnit: root, StartDate: "2015-01-01", EndDate: "2030-12-31",
		Instruments: []*registryv1.Instrument{{Id: "qd-06", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_DECISION,
			Number: "06/QĐ-TTg", Date: "2014-12-31"}}}}})
	for _, t := range n.targets {
		out = append(out, &registryv1.Write{Resource: &registryv1.Write_Target{Target: t}})
	}
	return out
}

// changes is what a registry that was written so tells those who follow it.
func (n *nation) changes() []*registryv1.Change {
	var out []*registryv1.Change
	for _, w := range n.writes() {
		c := &registryv1.Change{Revision: int64(len(out) + 1)}
		switch r := w.GetResource().(type) {
		case *registryv1.Write_Unit:
			c.Resource = &registryv1.Change_Unit{Unit: r.Unit}
		case *registryv1.Write_Programme:
			c.Resource = &registryv1.Change_Programme{Programme: r.Programme}
		case *registryv1.Write_Target:
			c.Resource = &registryv1.Change_Target{Target: r.Target}
		}
		out = append(out, c)
	}
	return out
}

// cell is a place to report to.
type cell struct {
	unit   string
	target int
	period int // counted from firstPeriod
}

// random is the i-th cell in random order; each comes once, period by period.
func (n *nation) random(i int64) cell {
	at := int(n.order[i%cellsAPeriod])
	return cell{n.ids[at/targets], at % targets, int(i / cellsAPeriod)}
}

// submission is what is reported to a cell.
func (c cell) submission(i int64) *reportingv1.Submission {
	s := &reportingv1.Submission{Unit: c.unit, Target: names.target[c.target], Period: names.period[c.period]}
	switch {
	case c.target >= 20:
		s.Value = &reportingv1.Submission_YesNo{YesNo: i%8 != 0}
	case c.target >= 10:
		s.Value = &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: i % 900, Denominator: 1000}}
	default:
		s.Value = &reportingv1.Submission_Count{Count: i % 1500}
	}
	return s
}

// names are the texts of requests, made once: what a client has at hand.
var names = newNames()

type texts struct {
	target [targets]string
	period [120]string
}

func newNames() *texts {
	n := new(texts)
	for i := range n.target {
		n.target[i] = targetID(i)
	}
	for i := range n.period {
		n.period[i] = firstPeriod.Back(-i).String()
	}
	return n
}

// requestID is an id that no other request has: as random as those of clients are.
func requestID(i int64) string {
	x := uint64(i) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return strconv.FormatUint(x^x>>31, 36)
}

func (n *nation) unaryRequest(i int64) *reportingv1.SubmitRequest {
	return &reportingv1.SubmitRequest{Programme: programme, RequestId: requestID(i), Submission: n.random(i).submission(i)}
}

// batchRequest reports the k-th run of size cells.
func (n *nation) batchRequest(k int64, size int) *reportingv1.SubmitBatchRequest {
	req := &reportingv1.SubmitBatchRequest{Programme: programme, Items: make([]*reportingv1.BatchItem, size)}
	for j := range req.Items {
		i := k*int64(size) + int64(j)
		req.Items[j] = &reportingv1.BatchItem{RequestId: requestID(i), Submission: n.random(i).submission(i)}
	}
	return req
}

// unitRequest reports all targets of the k-th unit for the first period.
func (n *nation) unitRequest(k int64) *reportingv1.SubmitBatchRequest {
	req := &reportingv1.SubmitBatchRequest{Programme: programme, Items: make([]*reportingv1.BatchItem, targets)}
	for t := range req.Items {
		i := k*targets + int64(t)
		req.Items[t] = &reportingv1.BatchItem{RequestId: requestID(i), Submission: cell{n.ids[k], t, 0}.submission(i)}
	}
	return req
}
