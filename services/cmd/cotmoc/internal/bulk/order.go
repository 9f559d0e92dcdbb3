package bulk

import (
	"errors"
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// order puts each unit behind the one above it, a whole branch at a time, and keeps
// the order of the rows otherwise. A parent outside the list counts as there already.
func order(rows []UnitRow) ([]UnitRow, error) {
	line := make(map[string]int, len(rows))
	below := make(map[string][]int)
	var bad []error
	for _, r := range rows {
		if first, twice := line[r.ID]; twice {
			bad = append(bad, &RowError{r.Line, fmt.Sprintf("code %s stands on line %d already", r.ID, first)})
			continue
		}
		line[r.ID] = r.Line
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad[:min(len(bad), maxComplaints)]...)
	}
	var tops []int
	for i, r := range rows {
		if line[r.Parent] == 0 {
			tops = append(tops, i)
			continue
		}
		below[r.Parent] = append(below[r.Parent], i)
	}
	sorted := make([]UnitRow, 0, len(rows))
	placed := make(map[string]bool, len(rows))
	var place func(i, depth int) error
	place = func(i, depth int) error {
		if depth > name.MaxDepth {
			return &RowError{rows[i].Line, fmt.Sprintf("unit %s stands below %d others, at most %d levels are possible",
				rows[i].ID, depth-1, name.MaxDepth)}
		}
		sorted, placed[rows[i].ID] = append(sorted, rows[i]), true
		for _, child := range below[rows[i].ID] {
			if err := place(child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	for _, top := range tops {
		if err := place(top, 1); err != nil {
			return nil, err
		}
	}
	// Whoever was not reached hangs in a circle, or below one.
	for _, r := range rows {
		if !placed[r.ID] {
			return nil, &RowError{r.Line, fmt.Sprintf("unit %s stands above itself, by way of %s", r.ID, r.Parent)}
		}
	}
	return sorted, nil
}

// UnitBatches makes batches of writes of units in the order of ReadUnits. With
// alone, each batch also holds the units of earlier batches that its own stand
// below, so that it can be checked while nothing is written; Own tells where its
// own begin.
func UnitBatches(rows []UnitRow, alone bool) []Batch {
	size := BatchSize
	if alone {
		size -= name.MaxDepth
	}
	at := make(map[string]int, len(rows))
	for i, r := range rows {
		at[r.ID] = i
	}
	var batches []Batch
	for from := 0; from < len(rows); from += size {
		own := rows[from:min(from+size, len(rows))]
		var b Batch
		if alone {
			// A whole branch comes at a time, so only what is above the first can be missing.
			for parent, ok := at[own[0].Parent]; ok; parent, ok = at[rows[parent].Parent] {
				b.Writes = append([]*registryv1.Write{unitWrite(rows[parent])}, b.Writes...)
				b.Lines = append([]int{rows[parent].Line}, b.Lines...)
			}
			b.Own = len(b.Writes)
		}
		for _, r := range own {
			b.Writes, b.Lines = append(b.Writes, unitWrite(r)), append(b.Lines, r.Line)
		}
		batches = append(batches, b)
	}
	return batches
}

func unitWrite(r UnitRow) *registryv1.Write {
	return &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: r.Unit}}
}
