package show

import (
	"context"
	"fmt"
	"sync"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Names looks up what people call units, and how targets are counted, and keeps
// it. Without an answer of the registry it makes do with ids. It is safe for
// concurrent use.
type Names struct {
	registry registryv1.RegistryServiceClient

	mu       sync.Mutex
	units    map[string]string
	measures map[string]measure
}

// measure is how a target's values are to be read.
type measure struct {
	kind                      typev1.ValueKind
	decimals, percentDecimals uint32
}

// NewNames returns one that asks a registry; nil asks nobody.
func NewNames(registry registryv1.RegistryServiceClient) *Names {
	return &Names{registry: registry, units: make(map[string]string), measures: make(map[string]measure)}
}

// Unit is what people call the unit at the end of a path, with its id.
func (n *Names) Unit(ctx context.Context, path string) string {
	id := string(name.Path(path).Unit())
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.units[id]; ok {
		return known
	}
	text := id
	if n.registry != nil {
		resp, err := n.registry.GetUnit(ctx, &registryv1.GetUnitRequest{Name: name.Unit(id).Name()})
		if err != nil {
			return id // asked again the next time
		}
		text = resp.GetUnit().GetDisplayName() + " (" + id + ")"
	}
	n.units[id] = text
	return text
}

// measure is how a target's values are to be read. Tasks and derived counts are
// counted as yes or no.
func (n *Names) measure(ctx context.Context, programme, target string) measure {
	key := programme + "/" + target
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.measures[key]; ok {
		return known
	}
	m := measure{kind: typev1.ValueKind_VALUE_KIND_YES_NO, percentDecimals: 2}
	if n.registry != nil && !name.ReservedTarget(target) {
		of := name.Target{Programme: name.Programme(programme), ID: target}
		resp, err := n.registry.GetTarget(ctx, &registryv1.GetTargetRequest{Name: of.Name()})
		if err != nil && apierr.ReasonOf(err) != errorv1.Reason_REASON_TARGET_NOT_FOUND {
			return m // asked again the next time
		}
		if t := resp.GetTarget(); t != nil {
			m = measure{kind: t.GetValueKind(), decimals: t.GetDecimals(), percentDecimals: 2}
			if t.PercentDecimals != nil {
				m.percentDecimals = t.GetPercentDecimals()
			}
		}
	}
	n.measures[key] = m
	return m
}

// Tally is a total in words: `21/25 = 84.00 %`, or an amount for a count, and what
// is missing in it.
func (n *Names) Tally(ctx context.Context, programme, target string, t *typev1.Tally) string {
	text := n.value(ctx, programme, target, t)
	if t.GetReporting() < t.GetExpected() {
		text += fmt.Sprintf(", %d of %d reporting", t.GetReporting(), t.GetExpected())
	}
	if t.GetExcluded() > 0 {
		text += fmt.Sprintf(", %d not added", t.GetExcluded())
	}
	return text
}

// value is a total without what is missing in it.
func (n *Names) value(ctx context.Context, programme, target string, t *typev1.Tally) string {
	m := n.measure(ctx, programme, target)
	numerator := Amount(t.GetNumerator(), m.decimals)
	switch {
	case m.kind == typev1.ValueKind_VALUE_KIND_COUNT:
		return numerator
	case t.GetDenominator() == 0:
		return numerator + "/0, undefined"
	}
	return fmt.Sprintf("%s/%s = %s %%", numerator, Amount(t.GetDenominator(), m.decimals),
		Percent(t.GetNumerator(), t.GetDenominator(), m.percentDecimals))
}

// threshold is the line that a milestone crossed.
func (n *Names) threshold(ctx context.Context, programme string, m *eventv1.MilestoneCrossed) string {
	switch {
	case m.GetProgressThreshold() > 0:
		return hundredths(m.GetProgressThreshold())
	case m.GetCompletenessThreshold() > 0:
		return hundredths(m.GetCompletenessThreshold()) + " came"
	case m.GetStreakThreshold() > 0:
		return fmt.Sprintf("%d in a row", m.GetStreakThreshold())
	}
	return Amount(m.GetValueThreshold(), n.measure(ctx, programme, m.GetTarget()).decimals)
}

// hundredths is hundredths of a percent: `90 %`, `33.3 %`.
func hundredths(n uint32) string { return trimZeros(Amount(int64(n), 2)) + " %" }
