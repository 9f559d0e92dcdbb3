package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// PutProgramme writes a programme and returns its version from now on.
func (b *Book) PutProgramme(id name.Programme, given *registryv1.Programme, how How) (*registryv1.Programme, Outcome, error) {
	s := slot[*registryv1.Programme]{kind: "programme", name: id.Name(), missing: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND}
	s.present, s.exists = b.programmes.get(s.name)
	if id.Reserved() {
		return nil, 0, refuse(errorv1.Reason_REASON_INVALID_FIELD, s.nameField(how.Mode), fmt.Sprintf("id %s is reserved", id))
	}
	m, same, err := s.version(given, how)
	if err != nil {
		return nil, 0, err
	}
	if same {
		return s.present, Unchanged, nil
	}
	if err := checkProgramme(m); err != nil {
		return nil, 0, err
	}
	if err := b.checkRoot(m); err != nil {
		return nil, 0, err
	}
	if err := b.checkScorecards(id, m); err != nil {
		return nil, 0, err
	}
	if s.exists {
		if err := b.checkUses(s.present, m); err != nil {
			return nil, 0, err
		}
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Programme{Programme: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// checkProgramme checks what can be seen from the programme alone.
func checkProgramme(p *registryv1.Programme) error {
	var f faults
	f.text("programme.display_name", p.GetDisplayName())
	start, okS := f.date("programme.start_date", p.GetStartDate())
	end, okE := f.date("programme.end_date", p.GetEndDate())
	if okS && !calendar.EndOfMonth.Of(start, calendar.Monthly).Valid() {
		f.add("programme.start_date", "periods are months of the years 2000 to 2099")
	}
	if okE && !calendar.EndOfMonth.Of(end, calendar.Monthly).Valid() {
		f.add("programme.end_date", "periods are months of the years 2000 to 2099")
	}
	if okS && okE && start > end {
		f.add("programme.end_date", "%s is before start_date", p.GetEndDate())
	}
	f.uniqueLabels("programme.pillars", p.GetPillars())
	f.uniqueLabels("programme.groups", p.GetGroups())
	seen := map[string]bool{}
	for i, d := range p.GetInstruments() {
		field := fmt.Sprintf("programme.instruments[%d]", i)
		if seen[d.GetId()] {
			f.add(field+".id", "id %s is used twice", d.GetId())
		}
		seen[d.GetId()] = true
		f.text(field+".number", d.GetNumber())
		f.date(field+".date", d.GetDate())
	}
	for i, t := range p.GetTaskCountThresholds() {
		if i > 0 && t <= p.GetTaskCountThresholds()[i-1] {
			f.add(fmt.Sprintf("programme.task_count_thresholds[%d]", i), "%d is not above the one before it", t)
		}
	}
	f.statusRule(p.GetStatusRule())
	f.scorecards(p.GetScorecards())
	return f.err(errorv1.Reason_REASON_INVALID_FIELD)
}

// uniqueLabels blames labels that share an id, or say nothing.
func (f *faults) uniqueLabels(field string, labels []*registryv1.Label) {
	seen := map[string]bool{}
	for i, l := range labels {
		if seen[l.GetId()] {
			f.add(fmt.Sprintf("%s[%d].id", field, i), "id %s is used twice", l.GetId())
		}
		seen[l.GetId()] = true
		f.text(fmt.Sprintf("%s[%d].display_name", field, i), l.GetDisplayName())
	}
}

// checkRoot checks that the programme's root exists and stands below no unit.
func (b *Book) checkRoot(p *registryv1.Programme) error {
	u, ok := b.units.get(name.Unit(p.GetRootUnit()).Name())
	if !ok {
		return refuse(errorv1.Reason_REASON_BAD_REFERENCE, "programme.root_unit",
			fmt.Sprintf("there is no unit %s", p.GetRootUnit()))
	}
	for _, s := range u.stands {
		if s.parent != "" {
			return refuse(errorv1.Reason_REASON_BAD_REFERENCE, "programme.root_unit",
				fmt.Sprintf("unit %s stands below unit %s from %s: it is no root", u.id, s.parent, s.from))
		}
	}
	return nil
}

// checkUses checks that a new version keeps what tasks, targets and regimes refer
// to, the days that they name, and the root once there are tasks or targets; and
// that a new first day forbids no subtotals.
func (b *Book) checkUses(old, p *registryv1.Programme) error {
	id, err := name.ParseProgramme(p.GetName())
	if err != nil {
		return fmt.Errorf("own name: %w", err)
	}
	one := func(m issue, resource string) error {
		var f faults
		f.labels("programme", m, p)
		if old.GetRootUnit() != p.GetRootUnit() {
			return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "programme.root_unit",
				"the root cannot be changed once there are tasks or targets, such as "+resource)
		}
		if len(f.all) == 0 {
			return nil
		}
		return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, f.all[0].Field+"s",
			fmt.Sprintf("%s still refers to it: %s", resource, f.all[0].Message))
	}
	var bad error
	b.eachIssue(id, func(m issue, resource string) bool {
		bad = one(m, resource)
		return bad == nil
	})
	if bad == nil {
		bad = b.checkKept(id, p)
	}
	if bad != nil || old.GetStartDate() == p.GetStartDate() {
		return bad
	}
	rules, err := b.rulesUnder(p)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if programmeOf(r.target.GetName()) != p.GetName() {
			continue
		}
		if err := b.checkRule(r, "programme.start_date"); err != nil {
			return err
		}
	}
	return nil
}

// checkKept checks that a new version has the instruments of the regimes, and that
// the days that regimes and goals name stay within it.
func (b *Book) checkKept(id name.Programme, p *registryv1.Programme) error {
	within := func(resource, day string) error {
		if day == "" || p.GetStartDate() <= day && day <= p.GetEndDate() {
			return nil
		}
		field := "programme.end_date"
		if day < p.GetStartDate() {
			field = "programme.start_date"
		}
		return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, field, resource+" names "+day)
	}
	for n, r := range b.regimes.table.All() {
		if !under(n, id) {
			continue
		}
		var f faults
		if r.GetInstrument() != "" {
			f.instrument("programme.instruments", r.GetInstrument(), p)
		}
		if len(f.all) > 0 {
			return refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "programme.instruments",
				fmt.Sprintf("%s still refers to it: %s", n, f.all[0].Message))
		}
		if err := within(n, r.GetFromDate()); err != nil {
			return err
		}
	}
	for n, t := range b.targets.table.All() {
		for _, s := range t.GetGoal().GetSteps() {
			if !under(n, id) {
				break
			}
			if err := within(n, s.GetDate()); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachIssue calls visit for each task and target of a programme until it returns
// false, in no order.
func (b *Book) eachIssue(p name.Programme, visit func(m issue, resource string) bool) {
	for n, t := range b.tasks.table.All() {
		if under(n, p) && !visit(t, n) {
			return
		}
	}
	for n, t := range b.targets.table.All() {
		if under(n, p) && !visit(t, n) {
			return
		}
	}
}
