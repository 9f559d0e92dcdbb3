package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

const (
	crowdBatch = 500  // reports of a crowd that go in one call
	bigCrowd   = 1000 // a crowd of this many is timed
)

// report sends a report and returns how many submissions it was.
func (p *Player) report(ctx context.Context, at time.Time, r files.Report) (int, error) {
	if r.Crowd == nil {
		for _, s := range r.Submissions {
			if err := p.submit(ctx, r.Programme, s); err != nil {
				return 0, err
			}
		}
		return len(r.Submissions), nil
	}
	ids, err := crowd(r.Crowd, p.units, day(at))
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for some := range slices.Chunk(ids, crowdBatch) {
		if err := p.submitAll(ctx, r.Programme, r.Crowd.Value, some); err != nil {
			return 0, err
		}
	}
	if len(ids) >= bigCrowd {
		p.timings = append(p.timings, Timing{"wave of " + r.Crowd.Value.GetTarget(), len(ids), time.Since(began)})
	}
	return len(ids), nil
}

// submit sends one submission.
func (p *Player) submit(ctx context.Context, programme string, s *reportingv1.Submission) error {
	_, err := p.Services.Units.Submit(ctx, programme, s, client.WithRequestID(p.requestID()))
	if err != nil {
		return fmt.Errorf("%s of unit %s for %s: %w", s.GetTarget(), s.GetUnit(), s.GetPeriod(), show.Refusal(err))
	}
	return nil
}

// submitAll sends the same for many units, all or nothing.
func (p *Player) submitAll(ctx context.Context, programme string, value *reportingv1.Submission, ids []string) error {
	req := &reportingv1.SubmitBatchRequest{Programme: programme, Mode: reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING}
	for _, id := range ids {
		s := proto.CloneOf(value)
		s.Unit = id
		req.Items = append(req.Items, &reportingv1.BatchItem{Submission: s, RequestId: p.requestID()})
	}
	resp, err := p.Services.Units.SubmitBatch(ctx, req)
	if err != nil {
		return fmt.Errorf("%s of %d units for %s: %w", value.GetTarget(), len(ids), value.GetPeriod(), show.Refusal(err))
	}
	for i, r := range resp.GetResults() {
		if r.GetReceipt().GetSequence() == 0 {
			return fmt.Errorf("%s of unit %s: no receipt: %s", value.GetTarget(), ids[i], r.GetError().GetMessage())
		}
	}
	return nil
}

// requestID is the next id; the player's own, one for each submission.
func (p *Player) requestID() string {
	p.requests++
	return fmt.Sprintf("demo-%d", p.requests)
}

// crowd lists the ids of those who report.
func crowd(c *files.Crowd, units []*registryv1.Unit, today string) ([]string, error) {
	ids := slices.Clone(c.Units)
	if len(c.Kinds) > 0 {
		for _, u := range units {
			if slices.Contains(c.Kinds, kindOn(u, today)) {
				ids = append(ids, strings.TrimPrefix(u.GetName(), "units/"))
			}
		}
	}
	slices.Sort(ids)
	if c.Skip > len(ids) || c.First > len(ids)-c.Skip {
		return nil, fmt.Errorf("%d units are too few to leave out %d and take %d", len(ids), c.Skip, c.First)
	}
	ids = ids[c.Skip:]
	if c.First > 0 {
		ids = ids[:c.First]
	}
	if len(ids) == 0 {
		return nil, errors.New("nobody is in the crowd")
	}
	return ids, nil
}

// kindOn is a unit's kind on a day; UNSPECIFIED before it existed or after it closed.
func kindOn(u *registryv1.Unit, today string) typev1.UnitKind {
	kind := typev1.UnitKind_UNIT_KIND_UNSPECIFIED
	if closed := u.GetClosedDate(); closed != "" && closed <= today {
		return kind
	}
	for _, p := range u.GetPlacements() {
		if p.GetFromDate() <= today {
			kind = p.GetKind()
		}
	}
	return kind
}

// day is the day at +07:00.
func day(t time.Time) string { return show.Time(t)[:len(time.DateOnly)] }

// listUnits lists all units.
func listUnits(ctx context.Context, registry registryv1.RegistryServiceClient) ([]*registryv1.Unit, error) {
	var all []*registryv1.Unit
	for token := ""; ; {
		page, err := registry.ListUnits(ctx, &registryv1.ListUnitsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, fmt.Errorf("list units: %w", show.Refusal(err))
		}
		all = append(all, page.GetUnits()...)
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}
