package bulk

import (
	"context"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// WithoutDetours returns the writes without those that a later one of the same
// resource undoes for nothing: of a resource that is written several times, such as
// a programme before and after the targets that its scorecards are about, only the
// last stays when the registry holds exactly that already.
func WithoutDetours(ctx context.Context, registry registryv1.RegistryServiceClient, writes []*registryv1.Write) ([]*registryv1.Write, error) {
	last, times := make(map[string]int), make(map[string]int)
	for i, w := range writes {
		last[Name(w)] = i
		times[Name(w)]++
	}
	reached := make(map[string]bool)
	for of, n := range times {
		if n == 1 {
			continue
		}
		change, err := Compare(ctx, registry, writes[last[of]])
		if err != nil {
			return nil, err
		}
		reached[of] = !change.New && len(change.Differences) == 0
	}
	var needed []*registryv1.Write
	for i, w := range writes {
		if of := Name(w); i == last[of] || !reached[of] {
			needed = append(needed, w)
		}
	}
	return needed, nil
}

// Between is what a write would change of an earlier one of the same resource.
func Between(earlier, w *registryv1.Write) Change {
	return Change{Name: Name(w), Kind: Kind(w), Differences: Diff(resource(earlier), resource(w))}
}
