package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestManyChangesAtOnce writes what brings about more events than one command may
// hold: many targets, for units that become another kind each month.
func TestManyChangesAtOnce(t *testing.T) {
	r := inProcess(t)
	writes := tree()
	for i := range 60 {
		u := &registryv1.Unit{Name: fmt.Sprintf("units/%s-%02d", strings.Repeat("x", 37), i), DisplayName: "Đơn vị"}
		for month := range 48 {
			kind := typev1.UnitKind_UNIT_KIND_COMMUNE
			if month%2 == 1 {
				kind = typev1.UnitKind_UNIT_KIND_DEPARTMENT
			}
			u.Placements = append(u.Placements, &registryv1.Placement{FromDate: fmt.Sprintf("%d-%02d-01", 2022+month/12, 1+month%12),
				Parent: "79", Kind: kind, Level: "commune"})
		}
		writes = append(writes, &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: u}})
	}
	r.owe(t, writes...)
	var targets []*registryv1.Write
	for i := range 400 {
		targets = append(targets, target(fmt.Sprintf("t-%d", i), typev1.ValueKind_VALUE_KIND_COUNT, nil))
	}
	r.owe(t, targets...)
	want := r.registryHead(t)
	for deadline := time.Now().Add(time.Minute); status(t, r).GetRegistryRevision() < want; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("reporting is at revision %d of the registry after a minute, not at %d", status(t, r).GetRegistryRevision(), want)
		}
	}
	verify(t, r)
}
