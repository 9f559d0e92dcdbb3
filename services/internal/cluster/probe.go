package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Probe makes the unit vn and a programme `probe` and sends one report, as a unit's
// system would: the first that is accepted shows that everything works together. It
// is for clusters that hold nothing yet.
func (k *Cluster) Probe(ctx context.Context) (*reportingv1.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	admin, err := k.Options(operator)
	if err != nil {
		return nil, err
	}
	writes, err := client.Open(k.RegistryAdmins(), admin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = writes.Close() }()
	if _, err := writes.RegistryAdmin().BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: probeWrites()}); err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	unit, err := k.Options(country)
	if err != nil {
		return nil, err
	}
	reports, err := client.Open(k.ReportingAddrs(), unit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reports.Close() }()
	return reports.Submit(ctx, "probe", &reportingv1.Submission{Unit: "vn", Target: "answers", Period: "2025-M01",
		Value: &reportingv1.Submission_Count{Count: 1}})
}

// probeWrites is one unit that owes one figure.
func probeWrites() []*registryv1.Write {
	return []*registryv1.Write{
		{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{Name: "units/vn", DisplayName: "Việt Nam",
			Placements: []*registryv1.Placement{{FromDate: "2020-01-01", Kind: typev1.UnitKind_UNIT_KIND_COUNTRY, Level: "country"}}}}},
		{Resource: &registryv1.Write_Programme{Programme: &registryv1.Programme{Name: "programmes/probe", DisplayName: "Probe",
			RootUnit: "vn", StartDate: "2025-01-01", EndDate: "2025-12-31",
			Instruments: []*registryv1.Instrument{{Id: "probe", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_DECISION,
				Number: "0", Date: "2025-01-01"}}}}},
		{Resource: &registryv1.Write_Target{Target: &registryv1.Target{Name: "programmes/probe/targets/answers", DisplayName: "Answers",
			ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
			Applicability: &registryv1.Applicability{Kinds: []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_COUNTRY}},
			Goal:          &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: 1},
			Acceptance:    "báo cáo", Owner: "vn", Instrument: "probe", Due: &registryv1.DueWindow{LatestDate: "2025-12-31"}}}},
	}
}
