package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// dueShown is how many obligations are listed unless all are asked for.
const dueShown = 50

// dueCmd tells who owes what.
type dueCmd struct {
	target
	Programme string   `arg:"" help:"Id of the programme."`
	Of        string   `arg:"" name:"regime-or-task" help:"Id of the regime or task."`
	Period    period   `help:"Period of the reports, such as 2022-Q3; of a regime the one that ended last when not given." placeholder:"PERIOD"`
	Unit      string   `help:"Id of the unit at the top; the programme's root when not given." placeholder:"ID"`
	State     []string `help:"List those in these states: ${enum}; ${default} when not given." enum:"due,submitted,accepted,late,missing,excused,skipped" default:"due,missing" placeholder:"STATE"`
	All       bool     `help:"List all, and not the first 50 only."`
	KnownAt   instant  `help:"What was known at this time, or by the end of this day." placeholder:"TIME"`
	JSON      bool     `name:"json" help:"Print the answer, with all that are in the states, as JSON."`
}

// Help shows how the command is used.
func (*dueCmd) Help() string {
	return `Counts by state for the unit and each one directly below it, and then, by name, those
who have not reported. A report is due until its day and grace are over and missing
from then on; late came late, skipped said that there was nothing to report.

Examples:
  cotmoc due de-an-06 bao-cao-quy
  cotmoc due de-an-06 bao-cao-quy --period 2022-Q3 --unit 79 --all
  cotmoc due de-an-06 bao-cao-quy --period 2022-Q3 --state late,excused
  cotmoc due de-an-06 tw-89 --state submitted    (what cotmoc review wants to know)
  cotmoc due de-an-06 tw-01 --json`
}

// Run prints who owes what.
func (d *dueCmd) Run(ctx context.Context, c *console) error {
	s, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if d.Period == "" {
		newest, err := s.newestPeriodOf(ctx, d.Programme, d.Of, d.KnownAt.Time)
		if err != nil {
			return err
		}
		d.Period = period(newest)
	}
	counts, err := d.count(ctx, s)
	if err != nil {
		return err
	}
	list, err := d.list(ctx, s, counts.GetSequence())
	if err != nil {
		return err
	}
	if d.JSON {
		return d.json(c, counts, list)
	}
	return d.print(ctx, c, s, counts, list)
}

// count asks how many there are in each state, page by page.
func (d *dueCmd) count(ctx context.Context, s *services) (all *reportingv1.CountObligationsResponse, err error) {
	err = pages(func(token string) (string, bool, error) {
		page, err := s.monitoring().CountObligations(ctx, &reportingv1.CountObligationsRequest{Programme: d.Programme, Target: d.Of,
			Period: string(d.Period), Unit: d.Unit, KnownAt: d.KnownAt.proto(), PageSize: pageSize, PageToken: token, MinSequence: all.GetSequence()})
		if err != nil {
			return "", false, err
		}
		next := page.GetNextPageToken()
		if page.NextPageToken = ""; all == nil {
			all = page
		} else {
			all.Children = append(all.Children, page.GetChildren()...)
		}
		return next, true, nil
	})
	return all, err
}

// list asks for those in the states, as many as are printed.
func (d *dueCmd) list(ctx context.Context, s *services, minSequence uint64) ([]*reportingv1.Obligation, error) {
	most := pageSize
	if !d.All && !d.JSON {
		most = dueShown
	}
	var all []*reportingv1.Obligation
	err := pages(func(token string) (string, bool, error) {
		page, err := s.monitoring().ListObligations(ctx, &reportingv1.ListObligationsRequest{Programme: d.Programme, Target: d.Of,
			Period: string(d.Period), Unit: d.Unit, States: d.states(), PageSize: int32(most), PageToken: token,
			MinSequence: minSequence, KnownAt: d.KnownAt.proto()})
		all = append(all, page.GetObligations()...)
		return page.GetNextPageToken(), most == pageSize, err
	})
	return all, err
}

// states is what the flag says.
func (d *dueCmd) states() []reportingv1.ObligationState {
	var states []reportingv1.ObligationState
	for _, word := range d.State {
		states = append(states, enumOf[reportingv1.ObligationState](reportingv1.ObligationState_value, "OBLIGATION_STATE_", word))
	}
	return states
}

// print tells the counts and the list.
func (d *dueCmd) print(ctx context.Context, c *console, s *services, counts *reportingv1.CountObligationsResponse, list []*reportingv1.Obligation) error {
	heading := d.Of
	if d.Period != "" {
		heading += ", period " + string(d.Period)
	}
	c.printf("%s, at %s (%s)\n\n", heading, counts.GetTotal().GetUnitDisplayName(), counts.GetTotal().GetUnit())
	if len(counts.GetTotal().GetCounts()) == 0 {
		c.printf("nobody at or below it owes anything\n")
		return nil
	}
	if err := c.table(countTable(counts)); err != nil {
		return err
	}
	c.printf("\n")
	if len(list) == 0 {
		c.printf("nobody is %s\n", words(d.State))
		return nil
	}
	names := show.NewNames(s.registry())
	columns := []show.Column{show.Left("unit"), show.Left("state"), show.Left("due"), show.Right("overdue"), show.Left("came"),
		show.Right("values"), show.Left("name")}
	reviews := slices.ContainsFunc(list, waits)
	if reviews {
		columns = slices.Insert(columns, len(columns)-1, show.Left("to review"))
	}
	t := show.NewTable(columns...)
	for _, o := range list {
		cells := obligationCells(o, names.Place(ctx, o.GetUnitDisplayName(), o.GetPath()))
		if reviews {
			sent, err := d.sent(ctx, s, o)
			if err != nil {
				return err
			}
			cells = slices.Insert(cells, len(cells)-1, sent)
		}
		t.Add(cells...)
	}
	if err := c.table(t); err != nil {
		return err
	}
	if of := inStates(counts.GetTotal(), d.states()); of > int64(len(list)) {
		c.printf("the first %s of %s; --all lists them all\n", show.Amount(int64(len(list)), 0), show.Amount(of, 0))
	}
	return nil
}

// waits reports whether a completion waits to be accepted.
func waits(o *reportingv1.Obligation) bool {
	return o.GetState() == reportingv1.ObligationState_OBLIGATION_STATE_SUBMITTED && o.GetPeriod() == ""
}

// sent is the period and revision of a completion that waits, which cotmoc review
// wants to know; nothing of another obligation.
func (d *dueCmd) sent(ctx context.Context, s *services, o *reportingv1.Obligation) (string, error) {
	if !waits(o) {
		return "", nil
	}
	figure, err := s.progress().GetFigure(ctx, &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{Programme: d.Programme,
		Target: d.Of, Unit: o.GetUnit(), Basis: typev1.Basis_BASIS_REPORTED, KnownAt: d.KnownAt.proto()}})
	if err != nil {
		return "", show.Refusal(err)
	}
	found, err := s.progress().GetReceipt(ctx, &reportingv1.GetReceiptRequest{Sequence: figure.GetFigure().GetOwn().GetSequence()})
	if err != nil {
		return "", show.Refusal(err)
	}
	record := found.GetRecord()
	return fmt.Sprintf("%s, revision %d", record.GetSubmission().GetPeriod(), record.GetReceipt().GetRevision()), nil
}

// obligationCells is a row of the list.
func obligationCells(o *reportingv1.Obligation, place string) []string {
	due, overdue, values := o.GetDueDate(), "", ""
	if o.GetOriginalDueDate() != due && due != "" {
		due += " (was " + o.GetOriginalDueDate() + ")"
	}
	if n := o.GetDaysOverdue(); n == 1 {
		overdue = "1 day"
	} else if n > 1 {
		overdue = fmt.Sprintf("%d days", n)
	}
	if o.GetPeriod() != "" {
		values = show.Fraction(int64(o.GetValuesPresent()), int64(o.GetValuesExpected()), 0)
	}
	return []string{o.GetUnit(), show.Word(o.GetState()), due, overdue, o.GetCameDate(), values, place}
}

// countTable is the counts by state, a column for each state that occurs.
func countTable(counts *reportingv1.CountObligationsResponse) *show.Table {
	var states []reportingv1.ObligationState
	columns := []show.Column{show.Left("unit")}
	for _, n := range counts.GetTotal().GetCounts() {
		states = append(states, n.GetState())
	}
	slices.Sort(states)
	for _, state := range states {
		columns = append(columns, show.Right(show.Word(state)))
	}
	t := show.NewTable(append(columns, show.Right("all"), show.Left("name"))...)
	for _, u := range append([]*reportingv1.UnitObligations{counts.GetTotal()}, counts.GetChildren()...) {
		if len(u.GetCounts()) == 0 {
			continue // owes nothing
		}
		cells := []string{u.GetUnit()}
		for _, state := range states {
			cells = append(cells, show.Amount(inStates(u, []reportingv1.ObligationState{state}), 0))
		}
		t.Add(append(cells, show.Amount(inStates(u, states), 0), u.GetUnitDisplayName())...)
	}
	return t
}

// inStates is how many are in one of some states.
func inStates(u *reportingv1.UnitObligations, states []reportingv1.ObligationState) int64 {
	var n int64
	for _, count := range u.GetCounts() {
		if slices.Contains(states, count.GetState()) {
			n += count.GetCount()
		}
	}
	return n
}

// json prints both answers on one line.
func (d *dueCmd) json(c *console, counts *reportingv1.CountObligationsResponse, list []*reportingv1.Obligation) error {
	o := protojson.MarshalOptions{UseProtoNames: true}
	first, err := o.Marshal(counts)
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	second, err := o.Marshal(&reportingv1.ListObligationsResponse{Obligations: list, Sequence: counts.GetSequence()})
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	text, err := json.Marshal(map[string]json.RawMessage{"count": first, "list": second})
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	return c.line(text)
}
