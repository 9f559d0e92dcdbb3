package reporting

import (
	"fmt"
	"math/big"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// ranked is a ranking that can be told.
type ranked struct {
	*ranking
	marks    marks
	placings []score.Placing
	rises    map[string]score.Change // by unit, where improvement is asked for
	at       map[string]int          // by unit: its place in units and marks
	weights  map[weight]string       // that were printed: there are few different ones
}

// weight is an effective weight, part of all that apply.
type weight struct{ part, of int64 }

// page tells the part of the ranking after a place; the first says who is commended and
// who is slow.
func (o *ranked) page(req *reportingv1.RankRequest, after string) (*reportingv1.RankResponse, error) {
	resp, rest := &reportingv1.RankResponse{Sequence: o.b.Head()}, o.placings
	if after == "" {
		o.lists(resp)
	} else {
		var err error
		if rest, err = score.After(o.placings, after); err != nil {
			return nil, refuse(errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token", "the page token is not of this request")
		}
	}
	shown := rest[:min(len(rest), pageSize(req.GetPageSize()))]
	units := o.told(shown)
	resp.Units = units[:rpc.Fit(units, proto.Size(resp))]
	if n := len(resp.Units); n < len(rest) && n > 0 {
		resp.NextPageToken = rpc.EncodePageToken(req, rest[n-1].Key())
	}
	return resp, nil
}

// whole tells all of the ranking, for a closing.
func (o *ranked) whole() *reportingv1.RankResponse {
	resp := &reportingv1.RankResponse{Units: o.told(o.placings)}
	o.lists(resp)
	return resp
}

// lists says who is commended and who is slow.
func (o *ranked) lists(resp *reportingv1.RankResponse) {
	pick := func(n uint32) score.Pick { return score.Pick{N: int(min(n, mostListed)), Reasons: mostReasons} }
	commended, left := score.Commend(o.placings, pick(o.card.GetCommend()))
	resp.Commended, resp.CommendedLeftOut = o.listed(commended), int32(left)
	slow, left := score.Slow(o.placings, pick(o.card.GetSlow()))
	resp.Slow, resp.SlowLeftOut = o.listed(slow), int32(left)
}

// told tells the places of units and what made them.
func (o *ranked) told(placings []score.Placing) []*reportingv1.RankedUnit {
	out := make([]*reportingv1.RankedUnit, 0, len(placings))
	for i := range placings {
		if !o.b.Spend(rowsAUnitRanked + 2*len(o.card.GetParts())) {
			break
		}
		out = append(out, o.unit(&placings[i]))
	}
	return out
}

// rowsAUnitRanked is how many rows it takes to tell a unit's place.
const rowsAUnitRanked = 20

// unit tells the place of one.
func (o *ranked) unit(p *score.Placing) *reportingv1.RankedUnit {
	i := o.at[p.ID]
	u := &reportingv1.RankedUnit{Unit: p.ID, UnitDisplayName: o.units[i].Name(), Rank: int32(p.Rank), Parts: o.parts(p.Shares)}
	if rise, ok := o.rises[p.ID]; ok {
		u.ImprovementRank, u.Improvement = int32(rise.Rank), percentOf(rise.Delta)
	}
	switch p.Why {
	case score.Ranked:
		u.Score = percentOf(p.Score)
	case score.NothingApplies:
		u.NotRankedReason = "no part of the scorecard applies to it"
	case score.BelowCompletenessBar:
		come, due := o.marks.come[i], o.marks.due[i]
		u.NotRankedReason = fmt.Sprintf("%d of %d expected values have come (%s %%), at least %s %% are needed",
			come, due, percentOf(big.NewRat(come, due)), hundredths(o.card.GetMinCompleteness()))
	}
	return u
}

// parts tells what each part of the scorecard adds.
func (o *ranked) parts(shares []score.Share) []*reportingv1.PartScore {
	parts := make([]*reportingv1.PartScore, len(o.card.GetParts()))
	for i, p := range o.card.GetParts() {
		parts[i] = &reportingv1.PartScore{Kind: p.GetKind(), Target: p.GetTarget()}
	}
	for _, s := range shares {
		parts[s.Part].Score, parts[s.Part].Weight = percentOf(s.Score), o.weight(s)
	}
	return parts
}

// listed is a list with its reasons.
func (o *ranked) listed(list []score.Listed) []*reportingv1.RankedUnit {
	out := make([]*reportingv1.RankedUnit, len(list))
	for i := range list {
		out[i] = o.unit(&list[i].Placing)
		for _, s := range list[i].Reasons {
			out[i].Reasons = append(out[i].Reasons, fmt.Sprintf("%s %s of 100, weight %s",
				partName(o.card.GetParts()[s.Part]), percentOf(s.Score), o.weight(s)))
		}
	}
	return out
}

// weight prints a part's effective weight.
func (o *ranked) weight(s score.Share) string {
	w := weight{s.Weight, s.Of}
	if o.weights[w] == "" {
		o.weights[w] = percentOf(big.NewRat(w.part, w.of))
	}
	return o.weights[w]
}

func hundredths(n uint32) string { return percentOf(big.NewRat(int64(n), 10_000)) }

// partName says in words what a part is about.
func partName(p *registryv1.ScorecardPart) string {
	switch p.GetKind() {
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_PROGRESS:
		return "progress of " + p.GetTarget()
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_SHARE:
		return "share of " + p.GetTarget()
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_ON_TIME:
		return "reports on time under " + p.GetTarget()
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS:
		return "completeness of " + p.GetTarget()
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_QUALITY:
		return "quality of the data under " + p.GetTarget()
	}
	return "tasks completed of those due"
}
