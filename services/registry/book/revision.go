package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Revision returns the revision of the present version of the resource with this
// name, 0 for a calendar that was there from the start and never changed. Where
// there is none, the reason says of what kind it would be; else the reason is 0.
// The error says that this is no resource's name.
func (b *Book) Revision(resource string) (int64, errorv1.Reason, error) {
	if _, err := name.ParseProgramme(resource); err == nil {
		return revisionOn(b.programmes, resource, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND)
	}
	if n, err := name.ParseUnit(resource); err == nil {
		if u := b.Unit(n); u != nil {
			return u.GetRevision(), 0, nil
		}
		return 0, errorv1.Reason_REASON_UNIT_NOT_FOUND, nil
	}
	if _, err := name.ParseTask(resource); err == nil {
		return revisionOn(b.tasks, resource, errorv1.Reason_REASON_TASK_NOT_FOUND)
	}
	if _, err := name.ParseTarget(resource); err == nil {
		return revisionOn(b.targets, resource, errorv1.Reason_REASON_TARGET_NOT_FOUND)
	}
	if _, err := name.ParseAllocation(resource); err == nil {
		return revisionOn(b.allocations, resource, errorv1.Reason_REASON_ALLOCATION_NOT_FOUND)
	}
	if _, err := name.ParseCalendar(resource); err == nil {
		return revisionOn(b.calendars, resource, errorv1.Reason_REASON_CALENDAR_NOT_FOUND)
	}
	if _, err := name.ParseRegime(resource); err == nil {
		return revisionOn(b.regimes, resource, errorv1.Reason_REASON_REGIME_NOT_FOUND)
	}
	return 0, 0, fmt.Errorf("%.80q is no name of a programme, unit, task, target, allocation, calendar or regime", resource)
}

// revisionOn is Revision for one shelf.
func revisionOn[M resource](s *shelf[M], of string, missing errorv1.Reason) (int64, errorv1.Reason, error) {
	if m, ok := s.get(of); ok {
		return m.GetRevision(), 0, nil
	}
	return 0, missing, nil
}
