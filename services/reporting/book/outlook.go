package book

import (
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Outlook is by when a goal is due, what is expected on the way to it, and by what
// cut-offs a figure is judged. It is shared between figures and never changed.
type Outlook struct {
	Due   calendar.Date          // the latest day; 0 for none
	From  calendar.Date          // where the even path to Due begins
	Steps []PathStep             // of a path in steps; nil where it is even
	Whole bool                   // all of the goal is expected on any day: it grows by itself
	Rule  *registryv1.StatusRule // of the programme; may be nil
	stale calendar.Date          // days after which a value is too old; 0 for never
}

// PathStep is the progress, in hundredths of a percent, that is expected from a day on.
type PathStep struct {
	Day      calendar.Date
	Progress int64
}

// HasPath reports whether anything is known about what to expect by when.
func (o *Outlook) HasPath() bool { return o.Whole || len(o.Steps) > 0 || o.Due != 0 }

// outlookOf is the outlook of a target or task; nil for what has no due date of its
// own: derived counts and regimes.
func (b *Book) outlookOf(m *Measure) *Outlook {
	p := b.programmes.Get(m.key.programme)
	if p == nil || m.target == nil && m.task == nil {
		return nil
	}
	o := &Outlook{From: dateOr(p.res.GetStartDate(), 0), Rule: p.res.GetStatusRule()}
	if m.task != nil {
		o.Due = dateOr(m.task.GetDue().GetLatestDate(), 0)
		return o
	}
	t, g := m.target, m.target.GetGoal()
	o.Due = dateOr(t.GetDue().GetLatestDate(), 0)
	o.From = dateOr(g.GetBaselineDate(), max(o.From, dateOr(t.GetApplicability().GetFromDate(), 0)))
	o.stale = calendar.Date(t.GetStaleAfterDays())
	for _, s := range g.GetSteps() {
		o.Steps = append(o.Steps, PathStep{dateOr(s.GetDate(), 0), int64(s.GetProgress())})
	}
	// What is held against another period is wanted in full at each period's end.
	o.Whole = byPeriod(m) && len(o.Steps) == 0
	return o
}

// outlook is the outlook of a unit's figure; nil where there is none. A unit to
// which a later day was granted is judged by that.
func (v *View) outlook(unit unitIx) *Outlook {
	if !v.looked {
		v.shared, v.looked = v.b.outlookOf(v.m), true
	}
	if v.m.task == nil || v.shared == nil {
		return v.shared
	}
	if d := v.b.duty(sheetKey{v.m.ix, Current}, unit); d.until > v.shared.Due {
		own := *v.shared
		own.Due = d.until
		return &own
	}
	return v.shared
}

// PastDue reports whether the latest due date is over on the figure's day.
func (f *Figure) PastDue() bool {
	return f.Outlook != nil && f.Outlook.Due != 0 && f.Day > f.Outlook.Due
}

// Stale reports whether nothing was reported, or the newest value is older than the
// target allows. What nobody has reported of a task is not done: that is known.
func (f *Figure) Stale() bool {
	if f.Measure.task != nil {
		return false
	}
	if f.Total.Reporting == 0 || f.Newest == 0 {
		return true
	}
	allowed := f.Outlook.stale
	return allowed > 0 && f.Newest.LastDay()+allowed < f.Day
}

// AboveRange reports whether the figure is above the range of its goal, and whether
// that range may not be exceeded.
func (f *Figure) AboveRange() (above, strict bool) {
	return f.HasGoal && f.Goal.above(f.Total), f.Goal.strict
}
