package book

import (
	"fmt"
	"slices"
	"strings"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// measureIx numbers measures in the order in which they became known, from 1; 0 is none.
type measureIx = int32

// measureKey names a measure.
type measureKey struct{ programme, id string }

// Measure is what has cells and totals: a target, a task, a derived count of tasks,
// or a regime, whose cells are reports. It is replaced, never changed.
type Measure struct {
	ix           measureIx
	key          measureKey
	root         string
	kind         typev1.ValueKind
	accumulation typev1.Accumulation
	decimals     int
	percent      int                // decimals of percentages
	target       *registryv1.Target // of a target
	task         *registryv1.Task   // of a task
	regime       *registryv1.Regime // of a regime
	cut          calendar.Cut       // of its periods, with their length
	length       calendar.Length
	derived      *derivation // of a derived count
	watch        watching
	revision     int64     // registry revision of this version
	goalRevision int64     // registry revision that set its goal and thresholds
	assignments  measureIx // of a task: the derived count by ASSIGNMENT that it belongs to
	tasks        measureIx // of a task: the derived count by TASK that it belongs to
}

// derivation is what a derived count counts.
type derivation struct {
	form     typev1.TaskForm
	audience typev1.Audience
	basis    typev1.CountingBasis
}

// id of a derived count, such as tasks-task-central-by-assignment.
func (d derivation) id() string {
	return strings.ToLower(fmt.Sprintf("tasks-%s-%s-by-%s",
		strings.TrimPrefix(d.form.String(), "TASK_FORM_"),
		strings.TrimPrefix(d.audience.String(), "AUDIENCE_"),
		strings.TrimPrefix(d.basis.String(), "COUNTING_BASIS_")))
}

// derivations are the counts that every programme has: one for each form, audience and basis.
func derivations() []derivation {
	var all []derivation
	for _, form := range []typev1.TaskForm{typev1.TaskForm_TASK_FORM_TASK, typev1.TaskForm_TASK_FORM_GROUP} {
		for _, audience := range []typev1.Audience{typev1.Audience_AUDIENCE_CENTRAL, typev1.Audience_AUDIENCE_LOCAL} {
			for _, basis := range []typev1.CountingBasis{typev1.CountingBasis_COUNTING_BASIS_TASK, typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT} {
				all = append(all, derivation{form, audience, basis})
			}
		}
	}
	return all
}

// missingDen is the denominator that a unit carries while it has not reported.
func (m *Measure) missingDen() int64 {
	if m.kind == typev1.ValueKind_VALUE_KIND_YES_NO {
		return 1
	}
	return 0
}

// Derived reports whether the figures are counts of tasks, the system's own.
func (m *Measure) Derived() bool { return m.derived != nil }

// IsRegime reports whether its cells are reports under a regime.
func (m *Measure) IsRegime() bool { return m.regime != nil }

// Programme is a programme as the reporting service knows it, replaced and never changed.
type Programme struct {
	id  string
	res *registryv1.Programme
}

// FirstDay is the day on which the programme begins.
func (p *Programme) FirstDay() calendar.Date { return dateOr(p.res.GetStartDate(), 0) }

// Scorecards returns how the programme's units are ranked.
func (p *Programme) Scorecards() []*registryv1.Scorecard { return p.res.GetScorecards() }

// HasPillar reports whether the programme has a pillar.
func (p *Programme) HasPillar(id string) bool { return labelled(p.res.GetPillars(), id) }

// HasGroup reports whether the programme has a group.
func (p *Programme) HasGroup(id string) bool { return labelled(p.res.GetGroups(), id) }

func labelled(labels []*registryv1.Label, id string) bool {
	return slices.ContainsFunc(labels, func(l *registryv1.Label) bool { return l.GetId() == id })
}

// measureOfTarget reads a registry target whose calendar has a cut.
func measureOfTarget(p *Programme, id string, t *registryv1.Target, cut calendar.Cut) *Measure {
	m := &Measure{cut: cut, length: lengthOf(t.GetFrequency()),
		key: measureKey{p.id, id}, root: p.res.GetRootUnit(), kind: t.GetValueKind(),
		accumulation: t.GetAccumulation(), decimals: int(t.GetDecimals()), percent: 2, target: t,
		watch: watchTarget(t)}
	if t.PercentDecimals != nil {
		m.percent = int(t.GetPercentDecimals())
	}
	return m
}

// measureOfTask reads a registry task: a yes/no measure over its assigned units.
func measureOfTask(p *Programme, id string, t *registryv1.Task) *Measure {
	return &Measure{key: measureKey{p.id, id}, root: p.res.GetRootUnit(), kind: typev1.ValueKind_VALUE_KIND_YES_NO,
		accumulation: typev1.Accumulation_ACCUMULATION_LAST, percent: 2, task: t, cut: calendar.EndOfMonth}
}

// measureOfRegime reads a registry regime: a yes/no measure whose cells are
// reports, yes when they came on time.
func measureOfRegime(p *Programme, id string, r *registryv1.Regime, cut calendar.Cut) *Measure {
	m := &Measure{key: measureKey{p.id, id}, root: p.res.GetRootUnit(), kind: typev1.ValueKind_VALUE_KIND_YES_NO,
		accumulation: typev1.Accumulation_ACCUMULATION_LAST, percent: 2, regime: r, cut: cut, length: lengthOf(r.GetFrequency()),
		watch: watchRule(r.GetMilestones())}
	m.watch.current, m.watch.periods = false, true
	if len(r.GetMilestones().GetThresholds()) == 0 {
		m.watch.thresholds = nil
	}
	return m
}

func measureOfDerivation(p *Programme, d derivation) *Measure {
	return &Measure{key: measureKey{p.id, d.id()}, root: p.res.GetRootUnit(), kind: typev1.ValueKind_VALUE_KIND_YES_NO,
		accumulation: typev1.Accumulation_ACCUMULATION_LAST, percent: 2, derived: &d, cut: calendar.EndOfMonth,
		watch: watchCounts(p.res)}
}

func (b *Book) measure(ix measureIx) *Measure {
	if m := b.measures.Peek(ix); m != nil {
		return *m
	}
	return nil
}

// MeasureByID returns the target, task or derived count with an id, nil when there is none.
func (b *Book) MeasureByID(programme, id string) *Measure {
	return b.measure(b.measureIDs.Get(measureKey{programme, id}))
}

// ProgrammeByID returns the programme with an id, nil when there is none.
func (b *Book) ProgrammeByID(id string) *Programme { return b.programmes.Get(id) }

// givenTo reports whether a task is given to a unit that owes it.
func (m *Measure) givenTo(unit string) bool {
	return slices.ContainsFunc(m.task.GetAssignments(), func(a *registryv1.Assignment) bool {
		return a.GetUnit() == unit && owes(a.GetRole())
	})
}

// owes reports whether a role makes a unit report a task.
func owes(role registryv1.AssignmentRole) bool {
	return role == registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD ||
		role == registryv1.AssignmentRole_ASSIGNMENT_ROLE_COORDINATING
}
