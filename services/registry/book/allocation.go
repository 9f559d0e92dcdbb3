package book

import (
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// PutAllocation writes an allocation and returns its version from now on.
func (b *Book) PutAllocation(id name.Allocation, given *registryv1.Allocation, how How) (*registryv1.Allocation, Outcome, error) {
	s := slot[*registryv1.Allocation]{kind: "allocation", name: id.Name(), missing: errorv1.Reason_REASON_ALLOCATION_NOT_FOUND}
	s.present, s.exists = b.allocations.get(s.name)
	if _, err := b.programmeFor(id.Target.Programme, s.parentField(how.Mode)); err != nil {
		return nil, 0, err
	}
	t := b.Target(id.Target)
	if t == nil {
		return nil, 0, refuse(errorv1.Reason_REASON_TARGET_NOT_FOUND, s.parentField(how.Mode), id.Target.Name()+" does not exist")
	}
	m, same, err := s.version(given, how)
	if err != nil {
		return nil, 0, err
	}
	if same {
		return s.present, Unchanged, nil
	}
	if err := checkAllocation(m, t); err != nil {
		return nil, 0, err
	}
	var f faults
	b.checkUnit(&f, s.nameField(how.Mode), string(id.Unit))
	if err := f.err(errorv1.Reason_REASON_BAD_REFERENCE); err != nil {
		return nil, 0, err
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// checkAllocation checks an allocation of a target.
func checkAllocation(a *registryv1.Allocation, t *registryv1.Target) error {
	if !wholeOnly(t) {
		return nil
	}
	var f faults
	if a.GetValue() > whole {
		f.add("allocation.value", "%d is above the whole, %d", a.GetValue(), whole)
	}
	if a.GetBaseline() > whole {
		f.add("allocation.baseline", "%d is above the whole, %d", a.GetBaseline(), whole)
	}
	return f.err(errorv1.Reason_REASON_INVALID_FIELD)
}

// allocates reports whether an allocation is one of the target's.
func allocates(a *registryv1.Allocation, t *registryv1.Target) bool {
	return strings.HasPrefix(a.GetName(), t.GetName()+"/allocations/")
}
