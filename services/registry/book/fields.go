package book

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Years in which dates may lie.
const (
	firstYear = 1900
	lastYear  = 2199
)

// date reads a day and blames the field when there is no such day.
func (f *faults) date(field, s string) (d calendar.Date, ok bool) {
	d, err := calendar.ParseDate(s)
	if err != nil {
		f.add(field, "%s", err.Error())
		return 0, false
	}
	if y := calendar.EndOfMonth.Of(d, calendar.Yearly).Year(); y < firstYear || y > lastYear {
		f.add(field, "%s: the year must be from %d to %d", s, firstYear, lastYear)
		return 0, false
	}
	return d, true
}

// optionalDate reads a day that may be left out.
func (f *faults) optionalDate(field, s string) (d calendar.Date, ok bool) {
	if s == "" {
		return 0, false
	}
	return f.date(field, s)
}

// text blames a field that says nothing.
func (f *faults) text(field, s string) {
	if blank(s) {
		f.add(field, "it must not be blank")
	}
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// window checks the order of a due window's days, as far as they are given.
func (f *faults) window(kind string, w *registryv1.DueWindow) {
	earliest, okE := f.optionalDate(kind+".due.earliest_date", w.GetEarliestDate())
	latest, okL := f.optionalDate(kind+".due.latest_date", w.GetLatestDate())
	if okE && okL && earliest > latest {
		f.add(kind+".due.earliest_date", "%s is after latest_date", w.GetEarliestDate())
	}
}

// issue is what a task and a target need alike to be issued.
type issue interface {
	GetAcceptance() string
	GetInstrument() string
	GetDue() *registryv1.DueWindow
	GetPillar() string
	GetGroup() string
}

// checkIssue checks that nothing is missing that a task or target needs to be
// issued; owner is the field that names its owner.
func checkIssue(kind string, m issue, owner string, owned bool) error {
	var f faults
	if blank(m.GetAcceptance()) {
		f.add(kind+".acceptance", "how one sees that it is done is missing")
	}
	if !owned {
		f.add(owner, "the owner is missing")
	}
	if m.GetDue().GetLatestDate() == "" {
		f.add(kind+".due.latest_date", "the deadline is missing")
	}
	if m.GetInstrument() == "" {
		f.add(kind+".instrument", "the document that assigned it is missing")
	}
	if len(f.all) == 0 {
		return nil
	}
	missing := make([]string, len(f.all))
	for i, v := range f.all {
		missing[i] = v.Field
	}
	return &Error{
		Reason:     errorv1.Reason_REASON_NOT_ISSUABLE,
		Message:    fmt.Sprintf("the %s cannot be issued without %s", kind, strings.Join(missing, ", ")),
		Violations: f.all,
	}
}

// labels checks that the programme has what a task or target refers to.
func (f *faults) labels(kind string, m issue, p *registryv1.Programme) {
	has := func(field, id string, in []*registryv1.Label) {
		for _, l := range in {
			if l.GetId() == id {
				return
			}
		}
		if id != "" {
			f.add(kind+"."+field, "%s has no %s %s", p.GetName(), field, id)
		}
	}
	has("pillar", m.GetPillar(), p.GetPillars())
	has("group", m.GetGroup(), p.GetGroups())
	f.instrument(kind+".instrument", m.GetInstrument(), p)
}

// instrument blames a field that names a document that the programme does not have.
func (f *faults) instrument(field, id string, p *registryv1.Programme) {
	for _, i := range p.GetInstruments() {
		if i.GetId() == id {
			return
		}
	}
	f.add(field, "%s has no instrument %s", p.GetName(), id)
}

// within blames a field whose day does not lie in the programme.
func (f *faults) within(field string, d calendar.Date, p *registryv1.Programme) {
	if day := d.String(); day < p.GetStartDate() || day > p.GetEndDate() {
		f.add(field, "%s is not within the programme, %s to %s", day, p.GetStartDate(), p.GetEndDate())
	}
}

// ascending is what came last in a list in which each is above the one before it.
type ascending[V cmp.Ordered] struct {
	last V
	any  bool
}

// next blames a field that is not above the one before it.
func (a *ascending[V]) next(f *faults, field string, v V) {
	if a.any && v <= a.last {
		f.add(field, "%v is not above the one before it", v)
	}
	a.last, a.any = v, true
}

// checkUnit blames a field that names a unit that does not exist.
func (b *Book) checkUnit(f *faults, field, id string) {
	if _, ok := b.units.get(name.Unit(id).Name()); !ok {
		f.add(field, "there is no unit %s", id)
	}
}

// programmeFor returns the programme that a resource is to be under.
func (b *Book) programmeFor(p name.Programme, field string) (*registryv1.Programme, error) {
	m, ok := b.programmes.get(p.Name())
	if !ok {
		return nil, refuse(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, field, p.Name()+" does not exist")
	}
	return m, nil
}

// checkTargetID refuses an id that stands for something else.
func checkTargetID(id, field string) error {
	if !name.ReservedTarget(id) {
		return nil
	}
	return refuse(errorv1.Reason_REASON_INVALID_FIELD, field, fmt.Sprintf("id %s is reserved", id))
}
