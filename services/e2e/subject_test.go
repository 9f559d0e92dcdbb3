package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestLongestSubject lists by the subject of a unit as deep down, and with ids as
// long, as the contract allows: so does a subscriber that lost an event.
func TestLongestSubject(t *testing.T) {
	r := inProcess(t)
	writes, path := tree(), []string{"vn"}
	for level := 1; level < name.MaxDepth; level++ {
		id := fmt.Sprintf("%s%02d", strings.Repeat("x", name.MaxUnit-2), level)
		kind := typev1.UnitKind_UNIT_KIND_DEPARTMENT
		if level == name.MaxDepth-1 {
			kind = typev1.UnitKind_UNIT_KIND_COMMUNE
		}
		writes = append(writes, unit(id, path[level-1], kind, "level"))
		path = append(path, id)
	}
	id := strings.Repeat("t", name.MaxID)
	r.owe(t, append(writes, target(id, typev1.ValueKind_VALUE_KIND_COUNT, func(g *registryv1.Target) { g.Milestones = &registryv1.MilestoneRule{Disabled: true} }))...)
	receipt := r.submit(t, "1", count(path[len(path)-1], id, "2022-M01", 1))
	subject := "cotmoc.p.submission.accepted." + id + "." + strings.Join(path, ".")
	resp, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{Subjects: []string{subject}})
	if err != nil {
		t.Fatalf("by a subject of %d letters: %v", len(subject), err)
	}
	if len(resp.GetEvents()) != 1 || resp.GetEvents()[0].GetSequence() != receipt.GetSequence() {
		t.Errorf("got %v, want event %d", resp, receipt.GetSequence())
	}
	verify(t, r)
}
