package book

import (
	"slices"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// taskPart is a unit's part of a task.
type taskPart struct {
	done bool
	lead bool
	came calendar.Date // when it was sent, of what is done
	due  calendar.Date // extensions included
}

// Timeliness counts the tasks of a programme that a filter keeps, or with the basis
// ASSIGNMENT the units' parts of them, as they stood on a day, by the four classes of
// a deadline. Where top
// is not nil, only parts of units at or below it count, by today's tree, and only
// tasks that such a unit leads. What a unit says does not apply to it counts not at
// all, as in CountTasks.
//
// A task as a whole is completed by its rule, on the day on which the last part came
// that the rule needs; it is due on its own due date, or on the latest that was
// granted to one of its units.
func (b *Book) Timeliness(programme string, f TaskFilter, top *Unit, day calendar.Date) score.Timeliness {
	var t score.Timeliness
	below := b.atOrBelow(top)
	for _, m := range b.measuresOf(programme) {
		if m.task == nil || m.task.GetForm() != f.Form || f.Audience != 0 && m.task.GetAudience() != f.Audience ||
			f.Pillar != "" && m.task.GetPillar() != f.Pillar || f.Group != "" && m.task.GetGroup() != f.Group {
			continue
		}
		s := b.ViewAsOf(m, day).s
		if !b.Spend(1 + 5*len(m.task.GetAssignments())) {
			break
		}
		if f.Basis == typev1.CountingBasis_COUNTING_BASIS_TASK {
			if parts := b.partsOf(m, nil, s, day); len(parts) > 0 && b.ledBelow(m, below) {
				t = t.Count(classOf(m, parts, b.isCompleteIn(m, s), day))
			}
			continue
		}
		for _, p := range b.partsOf(m, below, s, day) {
			t = t.Count(score.Classify(p.done, int32(p.came), int32(p.due), int32(day)))
		}
	}
	return t
}

// atOrBelow marks the units at or below one by today's tree; nil when top is.
func (b *Book) atOrBelow(top *Unit) []bool {
	if top == nil {
		return nil
	}
	below := make([]bool, b.unitCount+1)
	below[top.ix] = true
	for ix := range b.under(top.ix, Current) {
		below[ix] = true
	}
	return below
}

// ledBelow reports whether a unit leads a task that is among the marked ones; nil
// marks all.
func (b *Book) ledBelow(m *Measure, below []bool) bool {
	return below == nil || slices.ContainsFunc(m.task.GetAssignments(), func(a *registryv1.Assignment) bool {
		return a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD && below[b.unitIDs.Get(a.GetUnit())]
	})
}

// partsOf lists the parts of a task that are owed by the figures of a sheet, those of
// a day, of the marked units; nil marks all.
func (b *Book) partsOf(m *Measure, below []bool, s *sheet, day calendar.Date) []taskPart {
	var parts []taskPart
	for _, a := range m.task.GetAssignments() {
		unit := b.unitIDs.Get(a.GetUnit())
		if n := s.nodes.At(unit); owes(a.GetRole()) && n.scoped && n.state != NotApplicable && (below == nil || below[unit]) {
			d := b.duty(sheetKey{m.ix, Current}, unit)
			due, _ := b.deadline(m, b.unit(unit), Current, d, nil)
			if day < b.today {
				d.came = b.cameUpTo(m, unit, n.newest())
			}
			parts = append(parts, taskPart{n.state == Reported && n.num == 1,
				a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD, d.came, due})
		}
	}
	return parts
}

// cameUpTo is the day on which a completion came that a unit's cells up to a period
// make, whatever came of it since: the first of those that were not taken back.
func (b *Book) cameUpTo(m *Measure, unit unitIx, last calendar.Period) (first calendar.Date) {
	for _, p := range slices.Backward(b.periods(m.ix)) {
		k := sheetKey{m.ix, p}
		if n := b.cell(k, unit); p > last || !n.state.held() {
			continue
		}
		came := b.duty(k, unit).came
		if came == 0 {
			break
		}
		if first == 0 || came < first {
			first = came
		}
	}
	return first
}

// classOf is the class of a task as a whole.
func classOf(m *Measure, parts []taskPart, complete bool, day calendar.Date) score.Class {
	var due, completed calendar.Date
	var came []calendar.Date // of the parts that its rule looks at, those that are done
	rule := m.task.GetCompletionRule()
	leadOnly := rule.GetKind() == registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_LEAD_ONLY
	for _, p := range parts {
		due = max(due, p.due)
		if p.done && (p.lead || !leadOnly) {
			came = append(came, p.came)
		}
	}
	if complete {
		slices.Sort(came)
		needed := len(came)
		if rule.GetKind() == registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM {
			needed = max(1, (len(parts)*int(rule.GetQuorumPercent())+99)/100)
		}
		completed = came[needed-1]
	}
	return score.Classify(complete, int32(completed), int32(due), int32(day))
}
