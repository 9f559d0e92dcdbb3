package play

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// checkFigures compares how many reports came, and came on time, for the nation and
// each unit directly below it, month by month.
func (p *player) checkFigures(ctx context.Context, d *differences) error {
	p.printf("month      expected     came  on time     late  missing\n")
	for m := range p.plan.months {
		want := p.plan.punctual(m)
		n := want[root]
		p.printf("%s   %8d %8d %8d %8d %8d\n", period(m), n.GetExpected(), n.GetReporting(), n.GetNumerator(),
			int64(n.GetReporting())-n.GetNumerator(), n.GetExpected()-n.GetReporting())
		whole, err := p.figure(ctx, regime, m)
		if err != nil {
			return err
		}
		below, err := p.list(ctx, m, reportingv1.UnitSelection_UNIT_SELECTION_CHILDREN, 0)
		if err != nil {
			return err
		}
		got := append(below, whole)
		for _, f := range got {
			w := want[f.GetUnit()]
			if w == nil {
				w = &typev1.Tally{} // it owes nothing
			}
			if delete(want, f.GetUnit()); !proto.Equal(f.GetTally(), w) {
				d.add("reports of %s for %s: %v, not %v", f.GetUnit(), period(m), f.GetTally(), w)
			}
		}
		for u := range want {
			d.add("no figure of %s for %s", u, period(m))
		}
	}
	p.printf("figures        those of the nation and of the units below it compared\n")
	return nil
}

// punctual is the figures of the reports for a month, of the nation and of the units
// directly below it: how many came, and the share of all expected that is on time.
func (p *plan) punctual(month int) map[string]*typev1.Tally {
	all := make(map[string]*typev1.Tally)
	top := make(map[string]string) // of a unit, the one directly below the nation
	for u := range p.units {
		of := &p.units[u]
		if top[of.id] = of.id; of.parent != root {
			top[of.id] = top[of.parent]
		}
		r := p.report(u, month)
		for _, at := range []string{root, top[of.id]} {
			if all[at] == nil {
				all[at] = &typev1.Tally{}
			}
			t := all[at]
			t.Expected++
			t.Denominator++
			if r.came <= p.last {
				t.Reporting++
				t.Numerator += int64(intOf(r.came <= r.onTime))
			}
		}
	}
	return all
}

// checkMissing compares by name who did not report.
func (p *player) checkMissing(ctx context.Context, d *differences) error {
	n := 0
	for m := range p.plan.months {
		var want, got []string
		for u := range p.plan.units {
			if p.plan.report(u, m).came > p.plan.last {
				want = append(want, p.plan.units[u].id)
			}
		}
		figures, err := p.list(ctx, m, reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS, reportingv1.ReportingFilter_REPORTING_FILTER_MISSING)
		if err != nil {
			return err
		}
		for _, f := range figures {
			got = append(got, f.GetUnit())
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			d.add("missing for %s: %v, not %v", period(m), got, want)
		}
		n += len(want)
	}
	p.printf("missing        %d reports, compared by name\n", n)
	return nil
}

// checkValues compares the nation's totals of what was reported.
func (p *player) checkValues(ctx context.Context, d *differences) error {
	now := make(map[[3]int]item) // by unit, month and target, the value that was sent last
	for _, day := range p.plan.days {
		for _, it := range day {
			now[[3]int{int(it.unit), int(it.month), int(it.target)}] = it
		}
	}
	sums := make([]typev1.Tally, p.plan.months*targets)
	for _, it := range now {
		t := &sums[int(it.month)*targets+int(it.target)]
		t.Numerator += it.value()
		t.Reporting++
		if it.target == ratio {
			t.Denominator += denominator
		}
	}
	for m := range p.plan.months {
		for t := range targets {
			want := &sums[m*targets+t]
			if want.Expected = int32(len(p.plan.units)); t == yesNo {
				want.Denominator = int64(len(p.plan.units)) // who does not answer has not done it
			}
			f, err := p.figure(ctx, targetID(t), m)
			if err != nil {
				return err
			}
			if !proto.Equal(f.GetTally(), want) {
				d.add("%s for %s: %v, not %v", targetID(t), period(m), f.GetTally(), want)
			}
		}
	}
	p.printf("values         %d totals of %d values compared\n", len(sums), len(now))
	return nil
}

// audit lets the service check itself: its log, its totals, its stream.
func (p *player) audit(ctx context.Context, d *differences) error {
	if p.config.SkipAudit {
		return nil
	}
	resp, err := p.lines[0].ReportingAdmin().Verify(ctx, &reportingv1.VerifyRequest{})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	for _, c := range resp.GetChecks() {
		p.printf("%-14s %s\n", c.GetName(), c.GetDetail())
		if !c.GetOk() {
			d.add("%s: %s", c.GetName(), c.GetDetail())
		}
	}
	return nil
}

func key(target string, month int) *reportingv1.FigureKey {
	return &reportingv1.FigureKey{Programme: programme, Target: target, Unit: root, Period: period(month), Basis: typev1.Basis_BASIS_REPORTED}
}

// figure reads a total of the nation.
func (p *player) figure(ctx context.Context, target string, month int) (*reportingv1.Figure, error) {
	resp, err := p.lines[0].Progress().GetFigure(ctx, &reportingv1.GetFigureRequest{Key: key(target, month)})
	if err != nil {
		return nil, fmt.Errorf("figure of %s for %s: %w", target, period(month), err)
	}
	return resp.GetFigure(), nil
}

// list reads the figures of reports below the nation.
func (p *player) list(ctx context.Context, month int, of reportingv1.UnitSelection, only reportingv1.ReportingFilter) (all []*reportingv1.Figure, _ error) {
	req := &reportingv1.ListFiguresRequest{Key: key(regime, month), Selection: of, Reporting: only, PageSize: 1000}
	for {
		page, err := p.lines[0].Progress().ListFigures(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("figures for %s: %w", req.GetKey().GetPeriod(), err)
		}
		all = append(all, page.GetFigures()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return all, nil
		}
	}
}
