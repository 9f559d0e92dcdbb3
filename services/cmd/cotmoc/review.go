package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// reviewCmd decides about a completion.
type reviewCmd struct {
	target
	Programme string  `arg:"" help:"Id of the programme."`
	Task      string  `arg:"" help:"Id of the task."`
	Unit      string  `arg:"" help:"Id of the unit whose completion it is."`
	Period    period  `required:"" help:"Period that it was sent for, such as 2022-M07." placeholder:"PERIOD"`
	Revision  uint32  `required:"" help:"Revision of the completion that was looked at." placeholder:"N"`
	By        string  `required:"" help:"Id of the unit that decides: one that monitors the task." placeholder:"UNIT"`
	Accept    bool    `required:"" xor:"what" help:"It is done."`
	Return    *string `required:"" xor:"what" help:"It is returned: ${enum}." enum:"wrong-period,unit-error,missing-evidence,inconsistent,duplicate,not-competent,other" placeholder:"CODE"`
	Comment   string  `help:"In words, never published; required with --return other."`
	RequestID string  `help:"Id of the request; the same id and content give the first receipt again. Made up when not given." placeholder:"ID"`
	JSON      bool    `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*reviewCmd) Help() string {
	return `Accepts or returns a completion that waits for it. A completion that is accepted counts
from the day on which it was sent. The period and revision that wait come
from cotmoc due --state submitted.

Examples, on what cotmoc demo --dir leaves, each but the first after the one before it:
  cotmoc submit --programme de-an-06 --target tw-89 --unit bo-cong-an --period 2023-M06 --yes
  cotmoc review de-an-06 tw-89 bo-cong-an --period 2023-M06 --revision 1 \
    --by van-phong-chinh-phu --return missing-evidence --comment "Thiếu biên bản nghiệm thu"
  cotmoc submit --programme de-an-06 --target tw-89 --unit bo-cong-an --period 2023-M06 --yes \
    --revision 2 --reason "Đã bổ sung"
  cotmoc review de-an-06 tw-89 bo-cong-an --period 2023-M06 --revision 3 \
    --by van-phong-chinh-phu --accept`
}

// Run decides and prints the receipt.
func (r *reviewCmd) Run(ctx context.Context, c *console) error {
	word, code := "accepted", eventv1.ReturnCode_RETURN_CODE_UNSPECIFIED
	if r.Return != nil {
		word = "returned (" + *r.Return + ")"
		code = enumOf[eventv1.ReturnCode](eventv1.ReturnCode_value, "RETURN_CODE_", *r.Return)
	}
	if code == eventv1.ReturnCode_RETURN_CODE_OTHER && r.Comment == "" {
		return errors.New("--return other wants --comment: say why it is returned")
	}
	if r.RequestID == "" {
		r.RequestID = uuid.NewString()
	}
	s, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	resp, err := s.review().ReviewCompletion(ctx, &reportingv1.ReviewCompletionRequest{Programme: r.Programme, Task: r.Task,
		Unit: r.Unit, Period: string(r.Period), ExpectedRevision: r.Revision, Reviewer: r.By, Comment: r.Comment, RequestId: r.RequestID,
		ReturnCode: code})
	if err != nil {
		return fmt.Errorf("request %s: %w", r.RequestID, show.Refusal(err))
	}
	if r.JSON {
		return c.json(resp)
	}
	receipt := resp.GetReceipt()
	c.printf("%s: %s %s %s, revision %d, event %d, at %s (request %s)\n", word, r.Task, r.Unit, r.Period,
		receipt.GetRevision(), receipt.GetSequence(), show.Time(receipt.GetAcceptTime().AsTime()), r.RequestID)
	return nil
}
