package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Lines between states where a status rule does not set them, in hundredths of a
// percent.
const (
	defaultOnTrack = 9500
	defaultAtRisk  = 6000
)

// statusRule checks the order of the lines between the states.
func (f *faults) statusRule(r *registryv1.StatusRule) {
	onTrack, atRisk := uint32(defaultOnTrack), uint32(defaultAtRisk)
	if r != nil && r.OnTrack != nil {
		onTrack = r.GetOnTrack()
	}
	if r != nil && r.AtRisk != nil {
		atRisk = r.GetAtRisk()
	}
	if atRisk > onTrack {
		f.add("programme.status_rule.at_risk", "%d is above on_track, %d", atRisk, onTrack)
	}
}

// scorecards checks what can be seen from the scorecards alone.
func (f *faults) scorecards(all []*registryv1.Scorecard) {
	seen := map[string]bool{}
	for i, s := range all {
		field := fmt.Sprintf("programme.scorecards[%d]", i)
		if seen[s.GetId()] {
			f.add(field+".id", "id %s is used twice", s.GetId())
		}
		seen[s.GetId()] = true
		f.text(field+".display_name", s.GetDisplayName())
		var sum uint32
		for j, part := range s.GetParts() {
			sum += part.GetWeight()
			about := fmt.Sprintf("%s.parts[%d].target", field, j)
			tasks := part.GetKind() == registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS
			switch {
			case tasks && part.GetTarget() != "":
				f.add(about, "TASKS is about all tasks")
			case !tasks && part.GetTarget() == "":
				f.add(about, "what it is about is missing")
			}
		}
		if sum != 100 {
			f.add(field+".parts", "the weights sum to %d, not to 100", sum)
		}
	}
}

// checkScorecards checks that the parts are about targets and regimes that exist.
func (b *Book) checkScorecards(id name.Programme, p *registryv1.Programme) error {
	var f faults
	for i, s := range p.GetScorecards() {
		for j, part := range s.GetParts() {
			b.checkPart(&f, fmt.Sprintf("programme.scorecards[%d].parts[%d].target", i, j), id, part)
		}
	}
	return f.err(errorv1.Reason_REASON_BAD_REFERENCE)
}

// checkPart blames the field of a part that is about nothing of its kind.
func (b *Book) checkPart(f *faults, field string, id name.Programme, part *registryv1.ScorecardPart) {
	target := b.Target(name.Target{Programme: id, ID: part.GetTarget()})
	regime := b.Regime(name.Regime{Programme: id, ID: part.GetTarget()})
	switch part.GetKind() {
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS:
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_ON_TIME, registryv1.ScorecardPartKind_SCORECARD_PART_KIND_QUALITY:
		if regime == nil {
			f.add(field, "%s has no regime %s", id.Name(), part.GetTarget())
		}
	case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS:
		if target == nil && regime == nil {
			f.add(field, "%s has no target or regime %s", id.Name(), part.GetTarget())
		}
	default: // PROGRESS and SHARE
		switch {
		case target == nil:
			f.add(field, "%s has no target %s", id.Name(), part.GetTarget())
		case part.GetKind() == registryv1.ScorecardPartKind_SCORECARD_PART_KIND_SHARE &&
			target.GetValueKind() == typev1.ValueKind_VALUE_KIND_COUNT:
			f.add(field, "target %s is a COUNT, which has no share", part.GetTarget())
		}
	}
}
