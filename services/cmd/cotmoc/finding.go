package main

import (
	"context"
	"fmt"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// findingCmd is about values that look wrong.
type findingCmd struct {
	List    findingListCmd    `cmd:"" help:"List values that look wrong, newest first."`
	Confirm findingConfirmCmd `cmd:"" help:"Say that a value which looks wrong is right."`
}

// findingListCmd lists findings.
type findingListCmd struct {
	target
	Programme string `arg:"" help:"Id of the programme."`
	Target    string `help:"Only of this target." placeholder:"ID"`
	Unit      string `help:"Only of units at or below this one." placeholder:"ID"`
	Settled   bool   `help:"Also those that are settled."`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*findingListCmd) Help() string {
	return `A finding is settled by a correction of the value, or by its owner's word that the
value is right (cotmoc finding confirm).

Examples:
  cotmoc finding list de-an-06
  cotmoc finding list de-an-06 --unit 79 --settled`
}

// Run lists.
func (f *findingListCmd) Run(ctx context.Context, c *console) error {
	s, err := f.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	all := &reportingv1.ListFindingsResponse{}
	err = pages(func(token string) (string, bool, error) {
		page, err := s.monitoring().ListFindings(ctx, &reportingv1.ListFindingsRequest{Programme: f.Programme, Target: f.Target,
			Unit: f.Unit, IncludeResolved: f.Settled, PageSize: pageSize, PageToken: token})
		all.Findings, all.Sequence = append(all.Findings, page.GetFindings()...), page.GetSequence()
		return page.GetNextPageToken(), true, err
	})
	if err != nil {
		return err
	}
	if f.JSON {
		return c.json(all)
	}
	if len(all.GetFindings()) == 0 {
		c.printf("nothing looks wrong\n")
		return nil
	}
	return c.table(findingTable(ctx, show.NewNames(s.registry()), f.Programme, all.GetFindings()))
}

// findingTable is a row for each finding.
func findingTable(ctx context.Context, names *show.Names, programme string, findings []*reportingv1.Finding) *show.Table {
	t := show.NewTable(show.Right("id"), show.Left("target"), show.Left("period"), show.Left("check"), show.Right("value"),
		show.Right("against"), show.Left("owner"), show.Left("settled"), show.Left("unit"))
	for _, f := range findings {
		settled := show.Word(f.GetResolution())
		if by := f.GetResolvedBy(); by != "" {
			settled += " by " + by
		}
		t.Add(fmt.Sprint(f.GetId()), f.GetTarget(), f.GetPeriod(), show.Word(f.GetCheck()),
			names.Amount(ctx, programme, f.GetTarget(), f.GetValue()), names.Amount(ctx, programme, f.GetTarget(), f.GetAgainst()),
			f.GetOwner(), settled, fmt.Sprintf("%s (%s)", f.GetUnitDisplayName(), f.GetUnit()))
	}
	return t
}

// findingConfirmCmd settles a finding.
type findingConfirmCmd struct {
	target
	Programme string `arg:"" help:"Id of the programme."`
	ID        uint64 `arg:"" help:"Id of the finding."`
	By        string `required:"" help:"Id of the unit that settles it: the owner, or a unit above it." placeholder:"UNIT"`
	Comment   string `required:"" help:"Why the value is right; it is never published."`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*findingConfirmCmd) Help() string {
	return `A value that is wrong is corrected instead (cotmoc submit --revision), which settles
its finding by itself.

Example, with an id from cotmoc finding list:
  cotmoc finding confirm de-an-06 812 --by 79 --comment "Đã đối chiếu với số gốc"`
}

// Run settles.
func (f *findingConfirmCmd) Run(ctx context.Context, c *console) error {
	s, err := f.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	resp, err := s.review().ResolveFinding(ctx, &reportingv1.ResolveFindingRequest{Programme: f.Programme, Finding: f.ID,
		Resolution: eventv1.FindingResolution_FINDING_RESOLUTION_CONFIRMED, ResolvedBy: f.By, Comment: f.Comment})
	if err != nil {
		return show.Refusal(err)
	}
	if f.JSON {
		return c.json(resp)
	}
	c.printf("finding %d is settled: confirmed by %s, event %d\n", f.ID, f.By, resp.GetSequence())
	return nil
}
