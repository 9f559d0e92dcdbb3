package book

import (
	"cmp"
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// periodic is what a target and a regime say alike of their periods.
type periodic interface {
	GetCalendar() string
	GetFrequency() typev1.Frequency
}

// frequencyOf is the length of the periods, where not set is MONTHLY.
func frequencyOf(m periodic) typev1.Frequency {
	return cmp.Or(m.GetFrequency(), typev1.Frequency_FREQUENCY_MONTHLY)
}

// periodsDiffer names the first field by which the periods of two differ, empty
// when they are the same.
func periodsDiffer(a, b periodic) string {
	switch {
	case calendarID(a.GetCalendar()) != calendarID(b.GetCalendar()):
		return "calendar"
	case frequencyOf(a) != frequencyOf(b):
		return "frequency"
	}
	return ""
}

// checkShared checks that no task, target or regime but the one called own has
// the id: they share their ids within a programme.
func (b *Book) checkShared(p name.Programme, id, own, field string) error {
	if err := checkTargetID(id, field); err != nil {
		return err
	}
	kind := ""
	switch {
	case own != "task" && b.Task(name.Task{Programme: p, ID: id}) != nil:
		kind = "task"
	case own != "target" && b.Target(name.Target{Programme: p, ID: id}) != nil:
		kind = "target"
	case own != "regime" && b.Regime(name.Regime{Programme: p, ID: id}) != nil:
		kind = "regime"
	default:
		return nil
	}
	return refuse(errorv1.Reason_REASON_RESOURCE_EXISTS, field,
		fmt.Sprintf("id %s is a %s's; tasks, targets and regimes share their ids", id, kind))
}

// PutRegime writes a regime and returns its version from now on.
func (b *Book) PutRegime(id name.Regime, given *registryv1.Regime, how How) (*registryv1.Regime, Outcome, error) {
	s := slot[*registryv1.Regime]{kind: "regime", name: id.Name(), missing: errorv1.Reason_REASON_REGIME_NOT_FOUND}
	s.present, s.exists = b.regimes.get(s.name)
	p, err := b.programmeFor(id.Programme, s.parentField(how.Mode))
	if err != nil {
		return nil, 0, err
	}
	if err := b.checkShared(id.Programme, id.ID, "regime", s.nameField(how.Mode)); err != nil {
		return nil, 0, err
	}
	m, same, err := s.version(given, how)
	if err != nil {
		return nil, 0, err
	}
	if same {
		return s.present, Unchanged, nil
	}
	if s.exists {
		if field := periodsDiffer(s.present, m); field != "" {
			return nil, 0, refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "regime."+field,
				field+" cannot be changed; make a new regime")
		}
	}
	if err := b.checkRegime(m, p); err != nil {
		return nil, 0, err
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Regime{Regime: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// checkRegime checks a regime of a programme.
func (b *Book) checkRegime(r *registryv1.Regime, p *registryv1.Programme) error {
	var f faults
	f.text("regime.display_name", r.GetDisplayName())
	levels := map[string]bool{}
	for i, o := range r.GetLevelOffsets() {
		if levels[o.GetLevel()] {
			f.add(fmt.Sprintf("regime.level_offsets[%d].level", i), "level %s is named twice", o.GetLevel())
		}
		levels[o.GetLevel()] = true
	}
	f.punctuality(r.GetMilestones())
	if d, ok := f.optionalDate("regime.from_date", r.GetFromDate()); ok {
		f.within("regime.from_date", d, p)
	}
	if err := f.err(errorv1.Reason_REASON_INVALID_FIELD); err != nil {
		return err
	}
	b.checkCalendar(&f, "regime.calendar", r.GetCalendar())
	if r.GetInstrument() != "" {
		f.instrument("regime.instrument", r.GetInstrument(), p)
	}
	return f.err(errorv1.Reason_REASON_BAD_REFERENCE)
}

// punctuality checks the milestones of a regime, which has no goal: progress is
// the share of reports that came in time.
func (f *faults) punctuality(m *registryv1.MilestoneRule) {
	var lines thresholds
	for i, th := range m.GetThresholds() {
		field := fmt.Sprintf("regime.milestones.thresholds[%d]", i)
		lines.next(f, field, th)
		switch at := th.GetAt().(type) {
		case *registryv1.Threshold_Progress:
			if at.Progress > hundredPercent {
				f.add(field+".progress", "%d is above the whole, %d", at.Progress, hundredPercent)
			}
		case *registryv1.Threshold_Value:
			f.add(field+".value", "a regime has no thresholds of values")
		case *registryv1.Threshold_Streak:
			f.add(field+".streak", "a regime has no thresholds of periods in a row")
		}
	}
	switch m.GetScope() {
	case registryv1.MilestoneScope_MILESTONE_SCOPE_UNSPECIFIED, registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD:
	default:
		f.add("regime.milestones.scope", "the milestones of a regime are those of each period")
	}
	if m != nil && m.MinReporting != nil {
		f.add("regime.milestones.min_reporting", "only a RATIO target has it")
	}
}
