package book

import (
	"fmt"
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

// Revision returns the revision of the present version of the resource with this
// name. It is 0 and the reason says of what kind the resource would be when there
// is none; the error says that this is no resource's name.
func (b *Book) Revision(resource string) (int64, errorv1.Reason, error) {
	if n, err := name.ParseProgramme(resource); err == nil {
		return b.Programme(n).GetRevision(), errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, nil
	}
	if n, err := name.ParseUnit(resource); err == nil {
		return b.Unit(n).GetRevision(), errorv1.Reason_REASON_UNIT_NOT_FOUND, nil
	}
	if n, err := name.ParseTask(resource); err == nil {
		return b.Task(n).GetRevision(), errorv1.Reason_REASON_TASK_NOT_FOUND, nil
	}
	if n, err := name.ParseTarget(resource); err == nil {
		return b.Target(n).GetRevision(), errorv1.Reason_REASON_TARGET_NOT_FOUND, nil
	}
	if n, err := name.ParseAllocation(resource); err == nil {
		return b.Allocation(n).GetRevision(), errorv1.Reason_REASON_ALLOCATION_NOT_FOUND, nil
	}
	return 0, 0, fmt.Errorf("%.80q is no name of a programme, unit, task, target or allocation", resource)
}
