package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// submitCmd sends one submission.
type submitCmd struct {
	target
	Programme string `required:"" help:"Id of the programme." placeholder:"ID"`
	Target    string `required:"" help:"Id of the target or task." placeholder:"ID"`
	Unit      string `required:"" help:"Id of the unit." placeholder:"ID"`
	Period    period `required:"" help:"Period such as 2022-M07."`

	Count         string `xor:"value" group:"value" help:"The number, of a COUNT target." placeholder:"N"`
	Ratio         string `xor:"value" group:"value" help:"Numerator and denominator, of a RATIO target." placeholder:"N/D"`
	Yes           bool   `xor:"value" group:"value" help:"Yes, of a YES_NO target or a task."`
	No            bool   `xor:"value" group:"value" help:"No, of a YES_NO target or a task."`
	Percent       string `xor:"value" group:"value" help:"A percentage without its denominator: shown, never added." placeholder:"P"`
	NotApplicable string `xor:"value" group:"value" help:"Nothing to report here, for this reason." placeholder:"REASON"`
	Withdraw      bool   `xor:"value" group:"value" help:"Take back what was reported."`

	Locale    string `help:"How the text of --count or --percent is to be read: ${enum}." enum:",vi-VN,en-US" default:"" placeholder:"LOCALE"`
	Revision  uint32 `help:"Revision of the cell that this one follows, for corrections and withdrawals." placeholder:"N"`
	Reason    string `help:"Why it is corrected or withdrawn."`
	Qualifier string `help:"How exact the value is: ${enum}." enum:"exact,at-least,nearly,about" default:"exact"`
	Note      string `help:"Free text beside the value, never published."`
	RequestID string `help:"Id of the request; the same id and content give the first receipt again. Made up when not given." placeholder:"ID"`
	DryRun    bool   `help:"Check only, and change nothing."`
	Figures   bool   `help:"Also print the new totals, from the unit up to the root."`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`

	MaxTime time.Duration `help:"Send it again for so long while the service is away or cannot take it, as when its disk is full." default:"1m"`
}

// Help shows how the command is used.
func (*submitCmd) Help() string {
	return `Exactly one of --count, --ratio, --yes, --no, --percent, --not-applicable and
--withdraw says what is reported. Numbers are written with a decimal point: 1.146 in a
spreadsheet may be one and a bit or, in Viet Nam, a thousand and more, so that three
digits behind a point or comma are refused unless --locale says what they are.

Examples, on what cotmoc demo --dir leaves:
  cotmoc submit --programme de-an-06 --target tw-48 --unit bo-van-hoa-the-thao-va-du-lich \
    --period 2023-M06 --yes
  cotmoc submit --programme de-an-06 --target police-service-groups --unit bo-cong-an \
    --period 2023-M06 --ratio 227/227 --figures
  cotmoc submit --programme de-an-06 --target chip-cards --unit bo-cong-an --period 2023-M06 \
    --count 78.000.000 --locale vi-VN --qualifier at-least
  cotmoc submit --programme de-an-06 --target plan-adopted --unit 26734 --period 2022-M07 \
    --withdraw --revision 3 --reason "Kế hoạch bị thu hồi"`
}

// Run submits and prints the receipt.
func (u *submitCmd) Run(ctx context.Context, c *console) error {
	u.patience = newPatience(c.Err)
	s, err := u.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	submission, err := u.submission(ctx, s)
	if err != nil {
		return err
	}
	req := &reportingv1.SubmitRequest{Programme: u.Programme, Submission: submission, RequestId: u.RequestID,
		ValidateOnly: u.DryRun, IncludeFigures: u.Figures}
	if req.RequestId == "" {
		req.RequestId = uuid.NewString()
	}
	limited, cancel := context.WithTimeout(ctx, u.MaxTime)
	defer cancel()
	resp, err := s.unit.Send(limited, req)
	switch {
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return fmt.Errorf("given up after %s: %w\nto go on: --request-id %s, with all else as it was",
			u.MaxTime, show.Refusal(err), req.GetRequestId())
	case err != nil:
		return fmt.Errorf("request %s: %w", req.GetRequestId(), show.Refusal(err))
	}
	if u.JSON {
		return c.json(resp)
	}
	u.print(ctx, c, s, req, resp)
	return nil
}

// print tells the receipt and the figures.
func (u *submitCmd) print(ctx context.Context, c *console, s *services, req *reportingv1.SubmitRequest, resp *reportingv1.SubmitResponse) {
	r := resp.GetReceipt()
	if u.DryRun {
		c.printf("would be accepted: %s %s %s, revision %d, by registry revision %d\n",
			u.Target, u.Unit, u.Period, r.GetRevision(), r.GetRegistryRevision())
	} else {
		c.printf("%s: %s %s %s, revision %d, event %d, by registry revision %d, at %s (request %s)\n",
			u.outcome(ctx, s, r), u.Target, u.Unit, u.Period, r.GetRevision(), r.GetSequence(), r.GetRegistryRevision(),
			show.Time(r.GetAcceptTime().AsTime()), req.GetRequestId())
	}
	names := show.NewNames(s.registry())
	for _, f := range resp.GetFigures() {
		period := f.GetPeriod()
		if period == "" {
			period = "current"
		}
		c.printf("  %-9s %s: %s\n", period, names.Unit(ctx, f.GetUnit()), names.Tally(ctx, u.Programme, u.Target, f.GetTally()))
	}
}

// outcome is what became of what was sent. A completion that another unit accepts is
// only received; when that cannot be read, no more than that is told.
func (u *submitCmd) outcome(ctx context.Context, s *services, r *reportingv1.Receipt) string {
	if !u.Yes {
		return "accepted"
	}
	found, err := s.progress().GetReceipt(ctx, &reportingv1.GetReceiptRequest{Sequence: r.GetSequence()})
	switch {
	case err != nil:
		return "received"
	case found.GetRecord().GetState() == eventv1.CellState_CELL_STATE_AWAITING:
		return "received, waits to be accepted"
	}
	return "accepted"
}

// submission is what the flags say.
func (u *submitCmd) submission(ctx context.Context, s *services) (*reportingv1.Submission, error) {
	m := &reportingv1.Submission{Unit: u.Unit, Target: u.Target, Period: string(u.Period), Note: u.Note,
		ExpectedRevision: u.Revision, Reason: u.Reason, Qualifier: qualifier(u.Qualifier)}
	switch {
	case u.Locale != "":
		text := u.Count + strings.TrimSuffix(u.Percent, "%")
		if text == "" {
			return nil, errors.New("--locale goes with --count or --percent")
		}
		if u.Percent != "" {
			text += " %"
		}
		m.Value = &reportingv1.Submission_Text{Text: &reportingv1.LocalizedText{Text: text, Locale: u.Locale}}
	case u.Count != "":
		decimals, err := u.decimals(ctx, s)
		if err != nil {
			return nil, err
		}
		n, err := fixed(u.Count, decimals)
		m.Value = &reportingv1.Submission_Count{Count: n}
		return m, flagError("--count", err)
	case u.Ratio != "":
		decimals, err := u.decimals(ctx, s)
		if err != nil {
			return nil, err
		}
		r, err := ratio(u.Ratio, decimals)
		m.Value = &reportingv1.Submission_Ratio{Ratio: r}
		return m, flagError("--ratio", err)
	case u.Percent != "":
		n, decimals, err := decimal(strings.TrimSuffix(u.Percent, "%"))
		m.Value = &reportingv1.Submission_BarePercentage{BarePercentage: &reportingv1.BarePercentage{Value: n, Decimals: decimals}}
		return m, flagError("--percent", err)
	case u.Yes, u.No:
		m.Value = &reportingv1.Submission_YesNo{YesNo: u.Yes}
	case u.NotApplicable != "":
		m.Value = &reportingv1.Submission_NotApplicable{NotApplicable: &reportingv1.NotApplicable{Reason: u.NotApplicable}}
	case u.Withdraw:
		m.Value = &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}
	default:
		return nil, fmt.Errorf("one of --count, --ratio, --yes, --no, --percent, --not-applicable and --withdraw is required")
	}
	return m, nil
}

// decimals asks how many decimals the target's values have. What is no target is
// for the service to judge.
func (u *submitCmd) decimals(ctx context.Context, s *services) (uint32, error) {
	of := name.Target{Programme: name.Programme(u.Programme), ID: u.Target}
	resp, err := s.registry().GetTarget(ctx, &registryv1.GetTargetRequest{Name: of.Name()})
	if err != nil && !apierr.Is(err, errorv1.Reason_REASON_TARGET_NOT_FOUND) {
		return 0, fmt.Errorf("how many decimals target %s has: %w", u.Target, show.Refusal(err))
	}
	return resp.GetTarget().GetDecimals(), nil
}

func flagError(flag string, err error) error {
	switch {
	case errors.Is(err, errAmbiguous) && flag != "--ratio":
		return fmt.Errorf("%s: %w, or give --locale vi-VN or en-US", flag, err)
	case err != nil:
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}

// qualifier is the contract's word for a flag's.
func qualifier(word string) typev1.Qualifier {
	return typev1.Qualifier(typev1.Qualifier_value["QUALIFIER_"+strings.ToUpper(strings.ReplaceAll(word, "-", "_"))])
}
