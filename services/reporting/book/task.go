package book

import (
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// countsTotals are the totals at the root of the derived counts of a task.
type countsTotals struct{ tasks, assignments []Tally }

// countsBefore returns the totals of the derived counts that a task belongs to;
// nothing for what is no task.
func (b *Book) countsBefore(m *Measure) countsTotals {
	if m.task == nil {
		return countsTotals{}
	}
	return countsTotals{b.atRoot(m, m.tasks).sums(nil), b.atRoot(m, m.assignments).sums(nil)}
}

// settleTask decides whether a task was completed or is open again after its
// figures moved, and which milestones its derived counts crossed.
func (b *Book) settleTask(m *Measure, before countsTotals, cause uint64) {
	if m.task == nil {
		return
	}
	b.settleCompletion(m, cause)
	b.announce(b.measure(m.tasks), b.atRoot(m, m.tasks), before.tasks, cause)
	b.announce(b.measure(m.assignments), b.atRoot(m, m.assignments), before.assignments, cause)
}

// atRoot reads the current totals of a derived count from a task's root on.
func (b *Book) atRoot(m *Measure, count measureIx) *ladder {
	l, d := new(line), new(ladder)
	b.trace(l, b.unitIDs.Get(m.root), Current)
	b.read(d, sheetKey{count, Current}, l)
	return d
}

// settleCompletion emits the task's completion or reopening, if it changed.
func (b *Book) settleCompletion(m *Measure, cause uint64) {
	complete := b.isComplete(m)
	if complete == b.complete.Get(m.ix) {
		return
	}
	changed := &eventv1.TaskChanged{Task: m.key.id, Path: b.path(b.unitIDs.Get(m.root), Current),
		DerivedTargets: []string{b.measure(m.tasks).key.id}}
	e := &eventv1.Event{Programme: m.key.programme, Causation: cause,
		Payload: &eventv1.Event_TaskReopened{TaskReopened: changed}}
	if complete {
		e.Payload = &eventv1.Event_TaskCompleted{TaskCompleted: changed}
	}
	b.emit(e, nil)
}

// isComplete judges a task by its rule over the units that owe it.
func (b *Book) isComplete(m *Measure) bool {
	return b.isCompleteIn(m, b.sheet(sheetKey{m.ix, Current}))
}

// isCompleteIn is isComplete by the figures of a sheet.
func (b *Book) isCompleteIn(m *Measure, s *sheet) bool {
	total := s.sum(b.unitIDs.Get(m.root))
	if total.Expected == 0 {
		return false
	}
	switch rule := m.task.GetCompletionRule(); rule.GetKind() {
	case registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM:
		return total.Num*100 >= int64(rule.GetQuorumPercent())*total.Den
	case registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_LEAD_ONLY:
		return b.leadsDone(m, s)
	}
	return total.Num == total.Den
}

// leadsDone reports whether every LEAD unit that is expected has said yes.
func (b *Book) leadsDone(m *Measure, s *sheet) bool {
	some := false
	for _, a := range m.task.GetAssignments() {
		if a.GetRole() != registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD {
			continue
		}
		n := s.nodes.At(b.unitIDs.Get(a.GetUnit()))
		if !n.scoped || n.state == NotApplicable {
			continue
		}
		if n.state != Reported || n.num != 1 {
			return false
		}
		some = true
	}
	return some
}
