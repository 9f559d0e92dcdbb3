package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// PutTarget writes a target and returns its version from now on.
func (b *Book) PutTarget(id name.Target, given *registryv1.Target, how How) (*registryv1.Target, Outcome, error) {
	s := slot[*registryv1.Target]{kind: "target", name: id.Name(), missing: errorv1.Reason_REASON_TARGET_NOT_FOUND}
	s.present, s.exists = b.targets.get(s.name)
	p, err := b.programmeFor(id.Programme, s.parentField(how.Mode))
	if err != nil {
		return nil, 0, err
	}
	if err := b.checkShared(id.Programme, id.ID, "target", s.nameField(how.Mode)); err != nil {
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
		if err := b.checkFixed(s.present, m); err != nil {
			return nil, 0, err
		}
	}
	if err := b.checkTarget(id, m, p); err != nil {
		return nil, 0, err
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Target{Target: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// checkFixed checks that a new version keeps what cannot be changed.
func (b *Book) checkFixed(old, t *registryv1.Target) error {
	fixed := func(field string) error {
		return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "target."+field,
			field+" cannot be changed; make a new target")
	}
	switch {
	case old.GetValueKind() != t.GetValueKind():
		return fixed("value_kind")
	case old.GetAccumulation() != t.GetAccumulation():
		return fixed("accumulation")
	case old.GetDecimals() != t.GetDecimals():
		return fixed("decimals")
	}
	if field := periodsDiffer(old, t); field != "" {
		return fixed(field)
	}
	if old.GetRegime() != t.GetRegime() {
		return fixed("regime") // its reports are counted from the first value on
	}
	if wholeOnly(t) && !wholeOnly(old) {
		for _, a := range b.allocations.table.All() {
			if allocates(a, t) && max(a.GetValue(), a.GetBaseline()) > whole && !a.GetRevoked() {
				return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "target.may_exceed",
					a.GetName()+" is above the whole")
			}
		}
	}
	return nil
}

// checkTarget checks a target of a programme.
func (b *Book) checkTarget(id name.Target, t *registryv1.Target, p *registryv1.Programme) error {
	var f faults
	f.text("target.display_name", t.GetDisplayName())
	f.measure(t)
	f.applicability(t.GetApplicability(), p)
	f.goal(t, p)
	f.milestones(t)
	f.checks(id, t)
	f.window("target", t.GetDue())
	if err := f.err(errorv1.Reason_REASON_INVALID_FIELD); err != nil {
		return err
	}
	if err := checkIssue("target", t, "target.owner", t.GetOwner() != ""); err != nil {
		return err
	}
	if err := b.checkReferences(id.Programme, t, p); err != nil {
		return err
	}
	if !forbids(t) {
		return nil
	}
	r, err := readRule(t, p)
	if err != nil {
		return err
	}
	return b.checkRule(r, "target.applicability")
}

// checkReferences checks that what a target refers to is there, and that the
// regime is about the same periods.
func (b *Book) checkReferences(in name.Programme, t *registryv1.Target, p *registryv1.Programme) error {
	var f faults
	f.labels("target", t, p)
	b.checkUnit(&f, "target.owner", t.GetOwner())
	for i, id := range t.GetApplicability().GetUnits() {
		b.checkUnit(&f, fmt.Sprintf("target.applicability.units[%d]", i), id)
	}
	for i, id := range t.GetApplicability().GetExceptUnits() {
		b.checkUnit(&f, fmt.Sprintf("target.applicability.except_units[%d]", i), id)
	}
	b.checkCalendar(&f, "target.calendar", t.GetCalendar())
	b.checkAverages(&f, in, t)
	regime := b.Regime(name.Regime{Programme: in, ID: t.GetRegime()})
	if t.GetRegime() != "" && regime == nil {
		f.add("target.regime", "%s has no regime %s", p.GetName(), t.GetRegime())
	}
	if err := f.err(errorv1.Reason_REASON_BAD_REFERENCE); err != nil || regime == nil {
		return err
	}
	if field := periodsDiffer(regime, t); field != "" {
		return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "target.regime",
			fmt.Sprintf("regime %s has another %s than the target", t.GetRegime(), field))
	}
	return nil
}

// measure checks what a unit reports and how it accumulates.
func (f *faults) measure(t *registryv1.Target) {
	kind, acc := t.GetValueKind(), t.GetAccumulation()
	last := acc == typev1.Accumulation_ACCUMULATION_LAST
	switch {
	case kind == typev1.ValueKind_VALUE_KIND_YES_NO && !last:
		f.add("target.accumulation", "a YES_NO target takes LAST")
	case kind == typev1.ValueKind_VALUE_KIND_RATIO && !last && acc != typev1.Accumulation_ACCUMULATION_SUM:
		f.add("target.accumulation", "a RATIO target takes LAST or SUM")
	}
	if kind == typev1.ValueKind_VALUE_KIND_YES_NO && t.GetDecimals() != 0 {
		f.add("target.decimals", "a YES_NO target has no decimals")
	}
	if kind != typev1.ValueKind_VALUE_KIND_RATIO && t.GetMayExceed() {
		f.add("target.may_exceed", "only a RATIO target may exceed")
	}
}

// applicability checks that the rule selects units, for some time.
func (f *faults) applicability(a *registryv1.Applicability, p *registryv1.Programme) {
	if len(a.GetKinds()) == 0 && len(a.GetLevels()) == 0 && len(a.GetUnits()) == 0 {
		f.add("target.applicability", "kinds, levels or units must be given")
	}
	from, okF := f.optionalDate("target.applicability.from_date", a.GetFromDate())
	if a.GetFromDate() == "" {
		var err error
		from, err = calendar.ParseDate(p.GetStartDate())
		okF = err == nil
	}
	until, okU := f.optionalDate("target.applicability.until_date", a.GetUntilDate())
	if okF && okU && until <= from {
		f.add("target.applicability.until_date", "%s is not after the first day, %s", a.GetUntilDate(), from)
	}
	listed := set(a.GetUnits())
	for i, id := range a.GetExceptUnits() {
		if listed[id] {
			f.add(fmt.Sprintf("target.applicability.except_units[%d]", i), "unit %s is in units too", id)
		}
	}
}
