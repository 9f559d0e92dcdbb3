// Package load plays a wave of reports, as on the last evening before a deadline,
// and measures it: every unit reports every target of a scratch programme.
package load

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Plan is who reports what.
type Plan struct {
	Programme string
	Root      string   // unit at the top of the tree
	Units     []string // those that report
	Targets   int      // how many, each a COUNT
	Period    string
	Run       string // begins the ids of the requests, so that two runs do not share any
}

// Kinds is which units the targets apply to: all that are part of the
// administration, below the country.
func Kinds() []typev1.UnitKind {
	return []typev1.UnitKind{
		typev1.UnitKind_UNIT_KIND_MINISTRY, typev1.UnitKind_UNIT_KIND_AGENCY, typev1.UnitKind_UNIT_KIND_PROVINCE,
		typev1.UnitKind_UNIT_KIND_DISTRICT, typev1.UnitKind_UNIT_KIND_COMMUNE, typev1.UnitKind_UNIT_KIND_DEPARTMENT,
	}
}

// Units lists the ids of the units of these kinds, at most limit of them; 0 means all.
func Units(ctx context.Context, registry registryv1.RegistryServiceClient, limit int) ([]string, error) {
	var ids []string
	for token := ""; ; {
		page, err := registry.ListUnits(ctx, &registryv1.ListUnitsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, u := range page.GetUnits() {
			last := u.GetPlacements()[len(u.GetPlacements())-1]
			if u.GetClosedDate() != "" || !slices.Contains(Kinds(), last.GetKind()) {
				continue
			}
			if ids = append(ids, strings.TrimPrefix(u.GetName(), "units/")); len(ids) == limit {
				return ids, nil
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			return ids, nil
		}
	}
}

// Resources is the scratch programme with its targets. Every unit reports its own
// part, also those that stand above others.
func (p *Plan) Resources() []*registryv1.Write {
	of := name.Programme(p.Programme)
	writes := []*registryv1.Write{{Resource: &registryv1.Write_Programme{Programme: &registryv1.Programme{
		Name: of.Name(), DisplayName: "Load", RootUnit: p.Root, StartDate: "2000-01-01", EndDate: "2099-12-31",
		Instruments: []*registryv1.Instrument{{Id: "load", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_NOTICE, Number: "1", Date: "2000-01-01"}},
	}}}}
	for i := range p.Targets {
		writes = append(writes, &registryv1.Write{Resource: &registryv1.Write_Target{Target: &registryv1.Target{
			Name: name.Target{Programme: of, ID: p.target(i)}.Name(), DisplayName: fmt.Sprintf("Load %d", i+1),
			ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
			Applicability:  &registryv1.Applicability{Kinds: Kinds()},
			SubtotalPolicy: registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN,
			Goal:           &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 1_000_000},
			Milestones:     &registryv1.MilestoneRule{Levels: []string{"country", "province"}},
			Acceptance:     "sent", Owner: p.Root, Instrument: "load", Due: &registryv1.DueWindow{LatestDate: "2099-12-31"},
		}}})
	}
	return writes
}

func (p *Plan) target(i int) string { return fmt.Sprintf("load-%02d", i+1) }

// Cells is how many reports there are.
func (p *Plan) Cells() int { return len(p.Units) * p.Targets }

// item is report i: a unit sends all its targets before the next one does.
func (p *Plan) item(i int) *reportingv1.BatchItem {
	unit, target := i/p.Targets, i%p.Targets
	return &reportingv1.BatchItem{
		RequestId: fmt.Sprintf("%s-%d", p.Run, i),
		Submission: &reportingv1.Submission{
			Unit: p.Units[unit], Target: p.target(target), Period: p.Period,
			Value: &reportingv1.Submission_Count{Count: value(unit, target)},
		},
	}
}

// value is what a unit reports for a target.
func value(unit, target int) int64 { return int64(1 + (unit*31+target*7)%100) }

// Sum is what the values of a target add up to.
func (p *Plan) Sum(target int) int64 {
	var sum int64
	for unit := range p.Units {
		sum += value(unit, target)
	}
	return sum
}

// Reported is the root's total of one target in the period.
func (p *Plan) Reported(ctx context.Context, progress reportingv1.ProgressServiceClient, target int) (*typev1.Tally, error) {
	resp, err := progress.GetFigure(ctx, &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{
		Programme: p.Programme, Target: p.target(target), Unit: p.Root, Period: p.Period, Basis: typev1.Basis_BASIS_REPORTED,
	}})
	return resp.GetFigure().GetTally(), err
}
