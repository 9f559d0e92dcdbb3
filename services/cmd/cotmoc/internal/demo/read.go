package demo

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/event"
	"github.com/cotmoc/cotmoc/pkg/name"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/bulk"
)

// read makes the call that an expectation names, and returns the part of the answer
// that it is about. A refusal comes back as it was.
func (p *Player) read(ctx context.Context, e files.Expectation) (any, error) {
	switch e.Read.Kind {
	case "milestones":
		return p.milestones(e.Read.Programme, e.Read.Target, e.Read.Path)
	case "figure":
		return ask(ctx, e, new(reportingv1.GetFigureRequest), p.figure)
	case "percent":
		return p.percent(ctx, e)
	case "count_tasks":
		return ask(ctx, e, new(reportingv1.CountTasksRequest), func(ctx context.Context, r *reportingv1.CountTasksRequest) (proto.Message, error) {
			return p.progress.CountTasks(ctx, r)
		})
	case "by_kind":
		return ask(ctx, e, new(reportingv1.CountByKindRequest), func(ctx context.Context, r *reportingv1.CountByKindRequest) (proto.Message, error) {
			return p.progress.CountByKind(ctx, r)
		})
	case "items":
		return ask(ctx, e, new(reportingv1.ListItemsRequest), func(ctx context.Context, r *reportingv1.ListItemsRequest) (proto.Message, error) {
			return p.progress.ListItems(ctx, r)
		})
	case "changes":
		return ask(ctx, e, new(reportingv1.CompareDatesRequest), func(ctx context.Context, r *reportingv1.CompareDatesRequest) (proto.Message, error) {
			return p.progress.CompareDates(ctx, r)
		})
	case "findings":
		return ask(ctx, e, new(reportingv1.ListFindingsRequest), func(ctx context.Context, r *reportingv1.ListFindingsRequest) (proto.Message, error) {
			return p.monitoring.ListFindings(ctx, r)
		})
	case "owing":
		return ask(ctx, e, new(reportingv1.CountObligationsRequest), func(ctx context.Context, r *reportingv1.CountObligationsRequest) (proto.Message, error) {
			return p.monitoring.CountObligations(ctx, r)
		})
	}
	return nil, fmt.Errorf("there is no read of kind %q", e.Read.Kind)
}

// ask reads the request of an expectation and makes a call with it.
func ask[R proto.Message](ctx context.Context, e files.Expectation, req R, call func(context.Context, R) (proto.Message, error)) (any, error) {
	if err := protojson.Unmarshal(e.Read.Request, req); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	answer, err := call(ctx, req)
	if err != nil {
		return nil, err
	}
	return plain(answer)
}

func (p *Player) figure(ctx context.Context, r *reportingv1.GetFigureRequest) (proto.Message, error) {
	resp, err := p.progress.GetFigure(ctx, r)
	return resp.GetFigure(), err
}

// percent reads a figure while its target is displayed with other decimals, and
// then puts the target's own back.
func (p *Player) percent(ctx context.Context, e files.Expectation) (any, error) {
	return ask(ctx, e, new(reportingv1.GetFigureRequest), func(ctx context.Context, r *reportingv1.GetFigureRequest) (_ proto.Message, err error) {
		of := name.Target{Programme: name.Programme(r.GetKey().GetProgramme()), ID: r.GetKey().GetTarget()}.Name()
		before, err := p.registry.GetTarget(ctx, &registryv1.GetTargetRequest{Name: of})
		if err != nil {
			return nil, err
		}
		if err := p.displayWith(ctx, of, proto.Uint32(uint32(e.Read.Decimals))); err != nil {
			return nil, err
		}
		figure, err := p.figure(ctx, r)
		if err != nil {
			return nil, err
		}
		return figure, p.displayWith(ctx, of, before.GetTarget().PercentDecimals)
	})
}

// displayWith changes with how many decimals a target's percentages are displayed.
func (p *Player) displayWith(ctx context.Context, target string, decimals *uint32) error {
	resp, err := p.writes.UpdateTarget(ctx, &registryv1.UpdateTargetRequest{
		Target:     &registryv1.Target{Name: target, PercentDecimals: decimals},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"percent_decimals"}},
	})
	if err != nil {
		return err
	}
	return bulk.AwaitCopy(ctx, p.admin, resp.GetTarget().GetRevision())
}

// milestones is what the listener has seen.
func (p *Player) milestones(programme, target, path string) (any, error) {
	list := []any{}
	for _, e := range p.Listener.Milestones(programme, target, path) {
		var crossed *eventv1.MilestoneCrossed
		if crossed = e.GetMilestoneReached(); crossed == nil {
			crossed = e.GetMilestoneRevoked()
		}
		fields, err := plain(crossed)
		if err != nil {
			return nil, err
		}
		fields.(map[string]any)["event"] = event.Name(e)
		list = append(list, fields)
	}
	return list, nil
}
