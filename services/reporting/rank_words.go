package reporting

import (
	"fmt"
	"math/big"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// ranked is a ranking as callers see it, by unit.
type ranked struct {
	card    *registryv1.Scorecard
	units   map[string]*reportingv1.RankedUnit
	weights map[weight]string // that were printed: there are few different ones
}

// weight is an effective weight, part of all that apply.
type weight struct{ part, of int64 }

// describe tells the place of each unit and what made it.
func (r *ranking) describe(placings []score.Placing, m marks) ranked {
	out := ranked{r.card, make(map[string]*reportingv1.RankedUnit, len(placings)), make(map[weight]string)}
	for i, u := range r.units {
		k := &reportingv1.RankedUnit{Unit: u.ID(), UnitDisplayName: u.Name()}
		if m.due[i] > 0 { // the reason, should it turn out to be one
			k.NotRankedReason = fmt.Sprintf("%d of %d expected values have come (%s %%), at least %s %% are needed",
				m.come[i], m.due[i], percentOf(big.NewRat(m.come[i], m.due[i])), hundredths(r.card.GetMinCompleteness()))
		}
		out.units[u.ID()] = k
	}
	for _, p := range placings {
		k := out.units[p.ID]
		k.Rank, k.Parts = int32(p.Rank), out.parts(p.Shares)
		switch p.Why {
		case score.Ranked:
			k.Score, k.NotRankedReason = percentOf(p.Score), ""
		case score.NothingApplies:
			k.NotRankedReason = "no part of the scorecard applies to it"
		}
	}
	return out
}

// parts tells what each part of the scorecard adds.
func (o ranked) parts(shares []score.Share) []*reportingv1.PartScore {
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
func (o ranked) listed(list []score.Listed) []*reportingv1.RankedUnit {
	out := make([]*reportingv1.RankedUnit, len(list))
	for i, l := range list {
		u := o.units[l.ID]
		out[i] = &reportingv1.RankedUnit{Unit: u.GetUnit(), UnitDisplayName: u.GetUnitDisplayName(), Rank: u.GetRank(),
			ImprovementRank: u.GetImprovementRank(), Score: u.GetScore(), Improvement: u.GetImprovement(), Parts: u.GetParts()}
		for _, s := range l.Reasons {
			out[i].Reasons = append(out[i].Reasons, fmt.Sprintf("%s %s of 100, weight %s",
				partName(o.card.GetParts()[s.Part]), percentOf(s.Score), o.weight(s)))
		}
	}
	return out
}

// weight prints a part's effective weight.
func (o ranked) weight(s score.Share) string {
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
