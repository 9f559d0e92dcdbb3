package reporting

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// ResolveFinding settles a finding: its value is right, says the unit that has to
// settle it or one above.
func (s *Service) ResolveFinding(ctx context.Context, req *reportingv1.ResolveFindingRequest) (*reportingv1.ResolveFindingResponse, error) {
	if blank(req.GetComment()) {
		return nil, refuse(errorv1.Reason_REASON_REASON_REQUIRED, "comment", "say why the value is right")
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	annex, err := annexOf(&reportingv1.Submission{Reason: req.GetComment()}, auth.URI(ctx))
	if err != nil {
		return nil, err
	}
	word := &book.Confirmation{Programme: req.GetProgramme(), Finding: req.GetFinding(), By: req.GetResolvedBy(), Annex: annex}
	resp := &reportingv1.ResolveFindingResponse{}
	for try := 1; ; try++ {
		on, err := s.do(ctx, false, func(b *book.Book) (err error) {
			resp.Sequence, err = b.Confirm(word)
			return err
		})
		if err == nil {
			return resp, nil
		}
		if try == tries || !isUnknown(err) || !s.directory.CatchUp(ctx) {
			return nil, failAt(on, err)
		}
	}
}

// ListFindings lists values that look wrong, newest first.
func (s *Service) ListFindings(ctx context.Context, req *reportingv1.ListFindingsRequest) (*reportingv1.ListFindingsResponse, error) {
	before, err := numberToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	who, _ := auth.FromContext(ctx)
	resp := &reportingv1.ListFindingsResponse{}
	err = s.view(ctx, req.GetMinSequence(), func(b *book.Book) error {
		sel, err := findingFilter(b, req)
		if err != nil {
			return err
		}
		sel.Scope = who.Unit
		found, more := b.Findings(sel, before, pageSize(req.GetPageSize()))
		resp.Findings = nil
		for i := range found {
			resp.Findings = append(resp.Findings, findingOf(&found[i]))
		}
		resp.Findings, resp.NextPageToken = fitted(req, resp.Findings, more, 0,
			func(f *reportingv1.Finding) string { return strconv.FormatUint(f.GetId(), 10) })
		resp.Sequence = b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// numberToken reads the token of a list that goes from greater numbers to smaller ones:
// the last that was shown, 0 for none.
func numberToken(req proto.Message, token string) (before uint64, err error) {
	key, err := rpc.DecodePageToken(req, token)
	if err != nil || key == "" {
		return 0, err
	}
	if before, err = strconv.ParseUint(key, 10, 64); err != nil {
		return 0, refuse(errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token", "the page token is not of this request")
	}
	return before, nil
}

// findingFilter resolves which findings are asked for. Its errors are refusals of
// the book, so that view can tell an unknown id.
func findingFilter(b *book.Book, req *reportingv1.ListFindingsRequest) (book.FindingFilter, error) {
	sel := book.FindingFilter{Programme: req.GetProgramme(), Settled: req.GetIncludeResolved()}
	if b.ProgrammeByID(req.GetProgramme()) == nil {
		return sel, &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "programme",
			Message: "there is no programme " + req.GetProgramme()}
	}
	if id := req.GetTarget(); id != "" {
		if sel.Measure = b.MeasureByID(req.GetProgramme(), id); sel.Measure == nil {
			return sel, &book.Refusal{Reason: errorv1.Reason_REASON_TARGET_NOT_FOUND, Field: "target",
				Message: "programme " + req.GetProgramme() + " has no target " + id}
		}
	}
	if id := req.GetUnit(); id != "" {
		if sel.Top = b.UnitByID(id); sel.Top == nil {
			return sel, &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "unit", Message: "there is no unit " + id}
		}
	}
	return sel, nil
}

func findingOf(f *book.Finding) *reportingv1.Finding {
	return &reportingv1.Finding{Id: f.ID, Target: f.Measure.ID(), Unit: f.Unit.ID(), UnitDisplayName: f.Unit.Name(),
		Period: f.Period.String(), Check: f.Check, Value: f.Value, Against: f.Against, Owner: f.Unit.ID(),
		Resolution: f.Resolution, ResolvedBy: f.ResolvedBy, OpenTime: timestamppb.New(time.UnixMicro(f.TimeUnixMicros))}
}
