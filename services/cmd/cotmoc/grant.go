package main

import (
	"context"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// grantCmd gives another due date, or excuses.
type grantCmd struct {
	target
	Programme string `arg:"" help:"Id of the programme."`
	Of        string `arg:"" name:"regime-or-task" help:"Id of the regime or task."`
	Unit      string `arg:"" help:"Id of the unit that owes it."`
	Until     day    `required:"" xor:"what" help:"Another due date, later than the one that holds." placeholder:"DATE"`
	Excuse    bool   `required:"" xor:"what" help:"It need not be done at all."`
	By        string `required:"" help:"Id of the unit that grants it, never the one that owes it." placeholder:"UNIT"`
	Reason    string `required:"" help:"Why; it is never published."`
	Period    period `help:"Period of the report, such as 2022-Q3; none for a task." placeholder:"PERIOD"`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*grantCmd) Help() string {
	return `The original due date is kept beside the new one. Granting what holds already changes
nothing.

Examples, on what cotmoc demo --dir leaves:
  cotmoc grant de-an-06 bao-cao-quy 79 --period 2023-Q2 --until 2023-07-31 --by vn \
    --reason "Mất kết nối do bão"
  cotmoc grant de-an-06 bao-cao-quy 40 --period 2023-Q2 --excuse --by vn --reason "Sáp nhập"
  cotmoc grant de-an-06 tw-48 bo-van-hoa-the-thao-va-du-lich --until 2023-12-31 --by vn \
    --reason "Chờ nghị định"`
}

// Run grants.
func (g *grantCmd) Run(ctx context.Context, c *console) error {
	s, err := g.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	req := &reportingv1.GrantExceptionRequest{Programme: g.Programme, Target: g.Of, Unit: g.Unit, Period: string(g.Period),
		GrantedBy: g.By, Reason: g.Reason}
	what := "is excused"
	if g.Excuse {
		req.Exception = &reportingv1.GrantExceptionRequest_Excused{Excused: true}
	} else {
		req.Exception = &reportingv1.GrantExceptionRequest_DueDate{DueDate: string(g.Until)}
		what = "has until " + string(g.Until)
	}
	resp, err := s.review().GrantException(ctx, req)
	if err != nil {
		return show.Refusal(err)
	}
	if g.JSON {
		return c.json(resp)
	}
	of := g.Of
	if g.Period != "" {
		of += " of " + string(g.Period)
	}
	c.printf("%s %s: %s, event %d\n", g.Unit, what, of, resp.GetSequence())
	return nil
}
