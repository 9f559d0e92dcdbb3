package book

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// under reports whether a resource's name is below a programme.
func under(resource string, p name.Programme) bool { return strings.HasPrefix(resource, p.Name()+"/") }

// PutTask writes a task and returns its version from now on.
func (b *Book) PutTask(id name.Task, given *registryv1.Task, how How) (*registryv1.Task, Outcome, error) {
	s := slot[*registryv1.Task]{kind: "task", name: id.Name(), missing: errorv1.Reason_REASON_TASK_NOT_FOUND}
	s.present, s.exists = b.tasks.get(s.name)
	p, err := b.programmeFor(id.Programme, s.parentField(how.Mode))
	if err != nil {
		return nil, 0, err
	}
	if err := b.checkShared(id.Programme, id.ID, "task", s.nameField(how.Mode)); err != nil {
		return nil, 0, err
	}
	m, same, err := s.version(given, how)
	if err != nil {
		return nil, 0, err
	}
	if same {
		return s.present, Unchanged, nil
	}
	if err := b.checkTask(m, p); err != nil {
		return nil, 0, err
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Task{Task: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// checkTask checks a task of a programme.
func (b *Book) checkTask(t *registryv1.Task, p *registryv1.Programme) error {
	var f faults
	f.text("task.display_name", t.GetDisplayName())
	f.window("task", t.GetDue())
	lead := f.assignments(t.GetAssignments())
	f.completion(t.GetCompletionRule())
	if t.GetNeedsAcceptance() && !slices.ContainsFunc(t.GetAssignments(), monitors) {
		f.add("task.needs_acceptance", "there is no MONITORING unit that could accept")
	}
	if err := f.err(errorv1.Reason_REASON_INVALID_FIELD); err != nil {
		return err
	}
	if err := checkIssue("task", t, "task.assignments", lead); err != nil {
		return err
	}
	f.labels("task", t, p)
	for i, a := range t.GetAssignments() {
		b.checkUnit(&f, fmt.Sprintf("task.assignments[%d].unit", i), a.GetUnit())
	}
	return f.err(errorv1.Reason_REASON_BAD_REFERENCE)
}

// monitors reports whether a unit's part is to watch over the task.
func monitors(a *registryv1.Assignment) bool {
	return a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING
}

// assignments blames units that are named twice, and reports whether one leads.
func (f *faults) assignments(all []*registryv1.Assignment) (lead bool) {
	seen := make(map[string]bool, len(all))
	for i, a := range all {
		if seen[a.GetUnit()] {
			f.add(fmt.Sprintf("task.assignments[%d].unit", i), "unit %s is named twice", a.GetUnit())
		}
		seen[a.GetUnit()] = true
		lead = lead || a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD
	}
	return lead
}

// completion blames a quorum without a percentage, and a percentage without a quorum.
func (f *faults) completion(r *registryv1.CompletionRule) {
	const field = "task.completion_rule.quorum_percent"
	quorum := r.GetKind() == registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM
	switch {
	case quorum && (r.GetQuorumPercent() < 1 || r.GetQuorumPercent() > 100):
		f.add(field, "a quorum is of 1 to 100 percent")
	case !quorum && r.GetQuorumPercent() != 0:
		f.add(field, "only a QUORUM has a percentage")
	}
}
