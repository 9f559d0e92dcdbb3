package play

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Names of what is played.
const (
	programme = "nam-2022"
	regime    = "bao-cao-thang"
	root      = "vn"
	calendar  = "calendars/statistical"
)

// Working days after the period's end by which a report is due, and those after
// that in which it still is on time.
const (
	dueOthers = 5
	grace     = 1
)

// renames is on how many days the regime gets another name: every second of the busiest.
const renames = 12

// dueOf is how many working days the units of some levels have.
func dueOf() map[string]int {
	return map[string]int{"commune": 2, "district": 4, "province": 6, "central": 10}
}

// Which kind of value each target asks for; they are numbered in this order.
const (
	countLast = iota
	countSum
	ratio
	yesNo
	countYear
	targets
)

func targetID(i int) string {
	return [...]string{"dan-so", "ho-so", "truc-tuyen", "phan-mem", "chi-phi"}[i]
}

// setUp writes units, days off and the programme, and plans the year.
func (p *player) setUp(ctx context.Context) error {
	for i, file := range p.config.Lists {
		if p.config.Rows > 0 && i > 0 {
			var err error
			if file, err = truncated(file, p.config.Dir, p.config.Rows); err != nil {
				return err
			}
		}
		if err := p.command(ctx, "import", "units", file, "--registry", p.server.addr, "--reporting", p.server.addr); err != nil {
			return err
		}
	}
	if err := p.command(ctx, "apply", "-f", p.config.Calendar, "--registry", p.server.addr, "--reporting", p.server.addr); err != nil {
		return err
	}
	registry := p.lines[0].Registry()
	days, err := readWorkdays(ctx, registry, calendar)
	if err != nil {
		return err
	}
	units, err := readUnits(ctx, registry)
	if err != nil {
		return err
	}
	p.plan = newPlan(units, days, p.config.Months)
	p.kills = p.plan.moments(p.config.Kills, p.config.Batch, p.config.Seed)
	for i, d := range p.plan.busiest() {
		if i < 2*renames && i%2 == 1 { // the others go by undisturbed
			p.renamed = append(p.renamed, d)
		}
	}
	return p.write(ctx, p.plan.resources())
}

// write writes resources and waits until the service that takes in reports knows them.
func (p *player) write(ctx context.Context, writes []*registryv1.Write) error {
	var revision int64
	err := again(ctx, func() error {
		done, err := p.lines[0].RegistryAdmin().BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: writes})
		revision = done.GetRevision()
		return err
	})
	if err != nil {
		return fmt.Errorf("write to the registry: %w", err)
	}
	for {
		status, err := p.status(ctx)
		if err != nil || status.GetRegistryRevision() >= revision {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// command runs the program that is watched, as an administrator does.
func (p *player) command(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, p.config.Binary, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cotmoc %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// kinds is who reports.
func kinds() []typev1.UnitKind {
	return []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_MINISTRY, typev1.UnitKind_UNIT_KIND_PROVINCE,
		typev1.UnitKind_UNIT_KIND_DISTRICT, typev1.UnitKind_UNIT_KIND_COMMUNE}
}

// resources is the programme, its regime and its targets. Milestones are announced
// for the country and for provinces.
func (p *plan) resources() []*registryv1.Write {
	of := "programmes/" + programme
	end := p.firstDay(p.months) - 1
	writes := []*registryv1.Write{
		{Resource: &registryv1.Write_Programme{Programme: &registryv1.Programme{Name: of, DisplayName: "Năm 2022", RootUnit: root,
			StartDate: first.String(), EndDate: end.String(),
			Instruments: []*registryv1.Instrument{{Id: "qd-06", Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_DECISION,
				Number: "06/QĐ-TTg", Date: "2022-01-06"}}}}},
		regimeNamed("Báo cáo tháng"),
	}
	for i := range targets {
		t := &registryv1.Target{Name: of + "/targets/" + targetID(i), DisplayName: fmt.Sprintf("Chỉ tiêu số %d", i+1),
			ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
			SubtotalPolicy: registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN,
			Applicability:  &registryv1.Applicability{Kinds: kinds()},
			Goal:           &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, Value: int64(len(p.units)) * 500},
			Milestones:     &registryv1.MilestoneRule{Levels: []string{"country", "province"}},
			Acceptance:     "báo cáo", Owner: root, Instrument: "qd-06", Due: &registryv1.DueWindow{LatestDate: end.String()}, Regime: regime}
		switch i {
		case countSum:
			t.Accumulation = typev1.Accumulation_ACCUMULATION_SUM
		case countYear:
			t.Accumulation = typev1.Accumulation_ACCUMULATION_SUM_YEAR
		case ratio:
			t.ValueKind, t.Goal.Value = typev1.ValueKind_VALUE_KIND_RATIO, 950_000
		case yesNo:
			t.ValueKind, t.Goal = typev1.ValueKind_VALUE_KIND_YES_NO, &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE}
		}
		writes = append(writes, &registryv1.Write{Resource: &registryv1.Write_Target{Target: t}})
	}
	return writes
}

// regimeNamed is the regime under a display name.
func regimeNamed(display string) *registryv1.Write {
	var offsets []*registryv1.LevelOffset
	for level, n := range dueOf() {
		offsets = append(offsets, &registryv1.LevelOffset{Level: level, DueWorkingDays: uint32(n)})
	}
	slices.SortFunc(offsets, func(a, b *registryv1.LevelOffset) int { return strings.Compare(a.GetLevel(), b.GetLevel()) })
	return &registryv1.Write{Resource: &registryv1.Write_Regime{Regime: &registryv1.Regime{
		Name: "programmes/" + programme + "/regimes/" + regime, DisplayName: display,
		DueWorkingDays: dueOthers, LevelOffsets: offsets, GraceWorkingDays: grace}}}
}
