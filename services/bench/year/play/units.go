package play

import (
	"context"
	"fmt"
	"slices"
	"strings"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// unit is one that reports.
type unit struct {
	id     string
	parent string
	path   string // ids from the root to it, joined by dots
	level  string
}

// readUnits lists the units that report, ministries and provinces first, so that
// each comes after the one above it.
func readUnits(ctx context.Context, registry registryv1.RegistryServiceClient) ([]unit, error) {
	all, err := listUnits(ctx, registry)
	if err != nil {
		return nil, err
	}
	parent := make(map[string]string)
	for _, u := range all {
		parent[idOf(u)] = u.GetPlacements()[0].GetParent()
	}
	var units []unit
	for _, kind := range kinds() {
		for _, u := range all {
			at := u.GetPlacements()[0]
			if at.GetKind() != kind {
				continue
			}
			path := []string{idOf(u)}
			for up := at.GetParent(); up != ""; up = parent[up] {
				path = append(path, up)
			}
			slices.Reverse(path)
			if path[0] != root {
				return nil, fmt.Errorf("unit %s does not stand below %s", idOf(u), root)
			}
			units = append(units, unit{idOf(u), at.GetParent(), strings.Join(path, "."), at.GetLevel()})
		}
	}
	return units, nil
}

func idOf(u *registryv1.Unit) string { return strings.TrimPrefix(u.GetName(), "units/") }

// listUnits lists all units by id.
func listUnits(ctx context.Context, registry registryv1.RegistryServiceClient) (all []*registryv1.Unit, _ error) {
	for token := ""; ; {
		page, err := registry.ListUnits(ctx, &registryv1.ListUnitsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, fmt.Errorf("list units: %w", err)
		}
		all = append(all, page.GetUnits()...)
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}
