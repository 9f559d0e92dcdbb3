package book

import (
	"fmt"
	"math/big"
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// mCalendar is a calendar: where months end, and which days are worked.
type mCalendar struct {
	id     string
	cut    calendar.Cut
	off    []calendar.Date
	worked []calendar.Date // Saturdays and Sundays
}

func shippedDays() map[string]*mCalendar {
	return map[string]*mCalendar{
		"statistical":    {id: "statistical", cut: calendar.EndOfMonth},
		"administrative": {id: "administrative", cut: calendar.MidMonth},
	}
}

// works reports whether a day is worked.
func (c *mCalendar) works(d calendar.Date) bool {
	weekday := (int(d) + 6) % 7 // 2000-01-01 was a Saturday
	if weekday == 0 || weekday == 6 {
		return slices.Contains(c.worked, d) && !slices.Contains(c.off, d)
	}
	return !slices.Contains(c.off, d)
}

// after is the n-th working day after a day.
func (c *mCalendar) after(d calendar.Date, n int) calendar.Date {
	for n > 0 {
		if d++; c.works(d) {
			n--
		}
	}
	return d
}

// mGrant is an exception: another due date, or none.
type mGrant struct {
	target, unit string
	period       calendar.Period // Current for a task
	until        calendar.Date   // 0 when it is excused
	sequence     uint64          // of the event that recorded it
}

// under lists the targets that are reported under a regime.
func (w *world) under(r *mMeasure) []*mMeasure {
	var out []*mMeasure
	for _, m := range w.measures {
		if m.target.GetRegime() == r.id {
			out = append(out, m)
		}
	}
	return out
}

// regimeOf is the regime under which a target is reported; nil for none.
func (w *world) regimeOf(m *mMeasure) *mMeasure {
	if m.target.GetRegime() == "" {
		return nil
	}
	return w.measure(m.target.GetRegime())
}

// mReport is what became of a report: it has come on the day of the first value that
// it holds, and is outstanding again when it holds none.
type mReport struct {
	values map[string]State
	came   calendar.Date
	late   bool
}

// report tells what became of a unit's report.
func (w *world) report(r *mMeasure, unit string, p calendar.Period) mReport {
	if w.reports == nil {
		w.reports = map[string]map[calendar.Period]map[string]mReport{}
	}
	if w.reports[r.id] == nil {
		w.reports[r.id] = w.allReports(r)
	}
	return w.reports[r.id][p][unit]
}

func (w *world) allReports(r *mMeasure) map[calendar.Period]map[string]mReport {
	out := map[calendar.Period]map[string]mReport{}
	for _, f := range w.facts {
		if w.measure(f.target).target.GetRegime() != r.id {
			continue
		}
		if out[f.period] == nil {
			out[f.period] = map[string]mReport{}
		}
		at := out[f.period][f.unit]
		if at.values == nil {
			at.values = map[string]State{}
		}
		delete(at.values, f.target)
		if f.value.State != Withdrawn {
			at.values[f.target] = f.value.State
		}
		switch {
		case len(at.values) == 0:
			at.came, at.late = 0, false
		case at.came == 0:
			at.came, at.late = f.day, f.late
		}
		out[f.period][f.unit] = at
	}
	return out
}

// reportPeriods lists the periods about whose reports anything is known.
func (w *world) reportPeriods(r *mMeasure) []calendar.Period {
	var out []calendar.Period
	for _, t := range w.under(r) {
		out = append(out, w.periods(t)...)
	}
	for _, g := range w.grants {
		if g.target == r.id {
			out = append(out, g.period)
		}
	}
	for k := range w.told {
		if k.target == r.id {
			out = append(out, k.period)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reportPart is what a unit's report adds: one of one when it came on time.
func (w *world) reportPart(r *mMeasure, u *mUnit, p calendar.Period) mPart {
	switch at := w.report(r, u.id, p); {
	case !w.expected(r, u, p):
		return mPart{}
	case at.came != 0:
		return mPart{Tally: Tally{Num: int64(intOf(!at.late)), Den: 1, Reporting: 1, Expected: 1}}
	case w.excused(r, u.id, p):
		return mPart{}
	}
	return missing(yesNo)
}

// excused reports whether a report need not be made.
func (w *world) excused(m *mMeasure, unit string, p calendar.Period) bool {
	return slices.ContainsFunc(w.grants, func(g mGrant) bool { return g.target == m.id && g.unit == unit && g.period == p && g.until == 0 })
}

// granted is the due date that was granted last; 0 for none.
func (w *world) granted(m *mMeasure, unit string, p calendar.Period) calendar.Date {
	var until calendar.Date
	for _, g := range w.grants {
		if g.target == m.id && g.unit == unit && g.period == p && g.until != 0 {
			until = g.until
		}
	}
	return until
}

// original is the due date before any exception, and the last day on time.
func (w *world) original(m *mMeasure, u *mUnit, p calendar.Period) (due, onTime calendar.Date) {
	if m.task != nil {
		due = dateOr(m.task.GetDue().GetLatestDate(), 0)
		return due, due
	}
	days, n := w.calendarOf(m.regime.GetCalendar()), m.regime.GetDueWorkingDays()
	for _, o := range m.regime.GetLevelOffsets() {
		if o.GetLevel() == u.stands(p.LastDay()).level {
			n = o.GetDueWorkingDays()
		}
	}
	due = days.after(p.LastDay(), int(n))
	return due, days.after(due, int(m.regime.GetGraceWorkingDays()))
}

// deadline is original with the exceptions.
func (w *world) deadline(m *mMeasure, u *mUnit, p calendar.Period) (due, onTime calendar.Date) {
	due, onTime = w.original(m, u, p)
	if until := w.granted(m, u.id, p); until != 0 {
		return until, max(onTime, until)
	}
	return due, onTime
}

func (w *world) calendarOf(id string) *mCalendar {
	if id == "" {
		id = "statistical"
	}
	return w.days[id]
}

// finished is the day on which a unit's part of a task came, to stay: 0 when it is
// to be done still.
func (w *world) finished(m *mMeasure, unit string) calendar.Date {
	var so []fact
	came := calendar.Date(0)
	for _, f := range w.facts {
		if f.target != m.id || f.unit != unit {
			continue
		}
		so = slices.DeleteFunc(so, func(g fact) bool { return g.period == f.period })
		so = append(so, f)
		slices.SortFunc(so, func(a, b fact) int { return int(a.period - b.period) })
		held := w.held(m, Current, so)
		switch {
		case len(held) == 0 || held[0].value.State != Awaiting && (held[0].value.State != Reported || held[0].value.Num == 0):
			came = 0
		case came == 0:
			came = f.day
		}
	}
	return came
}

// owed reports whether something is outstanding: expected, not excused, and not come.
func (w *world) owed(m *mMeasure, u *mUnit, p calendar.Period) bool {
	if !w.expected(m, u, p) || w.came(m, u.id, p) != 0 {
		return false
	}
	if m.regime != nil {
		return !w.excused(m, u.id, p)
	}
	held := w.held(m, Current, w.cells(m)[u.id])
	return len(held) == 0 || held[0].value.State != NotApplicable
}

func (w *world) came(m *mMeasure, unit string, p calendar.Period) calendar.Date {
	if m.regime != nil {
		return w.report(m, unit, p).came
	}
	return w.finished(m, unit)
}

// rungAt names a rung of the ladder of a deadline.
type rungAt struct {
	target, unit string
	period       calendar.Period
	due          calendar.Date
	days         int
}

// rung is a rung as it is told.
type rung struct {
	rungAt
	late      bool
	addressee eventv1.Addressee
	to        string
}

// mRungs are the days of the ladder, before and after the due date.
var mRungs = []int{-30, -7, -1, 0, 1, 7, 30}

// tell tells the rungs of a measure that fall on the days after one, up to another.
func (w *world) tell(m *mMeasure, after, until calendar.Date, out map[rung]bool) {
	if m.task.GetSilent() || m.regime.GetSilent() {
		return
	}
	periods := []calendar.Period{Current}
	if m.regime != nil {
		periods = nil
		for p := m.on(w.start); p.LastDay() <= w.end && p.LastDay() <= until+31; p = p.Next() {
			periods = append(periods, p)
		}
	}
	for _, p := range periods {
		for _, u := range w.units {
			due, _ := w.deadline(m, u, p)
			if due+30 <= after || due-30 > until || !w.owed(m, u, p) {
				continue
			}
			for _, days := range mRungs {
				k := rungAt{m.id, u.id, p, due, days}
				if day := due + calendar.Date(days); day > after && day <= until && !w.told[k] {
					out[w.address(k, u, day < w.today)] = true
					w.told[k] = true
				}
			}
		}
	}
}

// address tells a rung up to one day after to the unit, then to the one above, in
// the end to the root.
func (w *world) address(k rungAt, u *mUnit, late bool) rung {
	r := rung{k, late, eventv1.Addressee_ADDRESSEE_UNIT, u.id}
	switch parent := u.stands(w.today).parent; {
	case k.days == 30:
		r.addressee, r.to = eventv1.Addressee_ADDRESSEE_CENTRE, mRoot
	case k.days == 7 && parent != "":
		r.addressee, r.to = eventv1.Addressee_ADDRESSEE_PARENT, parent
	}
	return r
}

// tellAll tells what fell due up to today.
func (w *world) tellAll(out map[rung]bool) {
	for _, m := range slices.Concat(w.measures, w.regimes) {
		if m.target == nil {
			w.tell(m, w.toldTo, w.today, out)
		}
	}
	w.toldTo = w.today
	w.moved()
}

// tellToday tells the rungs of a measure that fall on the very day, unless the next
// block tells all of them.
func (w *world) tellToday(m *mMeasure, out map[rung]bool) {
	if w.toldTo == w.today {
		w.tell(m, w.today-1, w.today, out)
	}
	w.moved()
}

// mayGrant is what the wish for an exception should be answered: "" when it is
// granted, "holds" when it holds already.
func (w *world) mayGrant(m *mMeasure, u *mUnit, p calendar.Period, until calendar.Date, by string) string {
	switch {
	case m.task == nil && m.regime == nil || !w.competent(m, u, by):
		return "refused"
	case until == 0 && w.excused(m, u.id, p), until != 0 && until == w.granted(m, u.id, p) && !w.excused(m, u.id, p):
		return "holds"
	}
	due, _ := w.deadline(m, u, p)
	if !w.expected(m, u, p) || w.came(m, u.id, p) != 0 || w.excused(m, u.id, p) || until == 0 && m.task != nil || until != 0 && until <= due {
		return "refused"
	}
	return ""
}

// competent reports whether a unit may grant another an exception: one above it
// today, or one that watches over the task, never itself.
func (w *world) competent(m *mMeasure, u *mUnit, by string) bool {
	if by == u.id {
		return false
	}
	return slices.ContainsFunc(w.chain(u, w.today), func(at *mUnit) bool { return at.id == by }) ||
		slices.ContainsFunc(m.task.GetAssignments(), func(a *registryv1.Assignment) bool {
			return a.GetUnit() == by && a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING
		})
}

// overTime reports whether the goal is held against earlier periods, or grows.
func (m *mMeasure) overTime() bool {
	kind := m.target.GetGoal().GetKind()
	return kind == registryv1.GoalKind_GOAL_KIND_GROWTH || kind == registryv1.GoalKind_GOAL_KIND_BEAT
}

// goalOverTime is the goal of a period, made of an earlier total, or of the
// baseline; nil when there is nothing to go by.
func (w *world) goalOverTime(m *mMeasure, u *mUnit, p calendar.Period, totals []mTotal) *mGoal {
	t := m.target.GetGoal()
	rate := new(big.Rat).Add(big.NewRat(1, 1), big.NewRat(t.GetGrowth(), 1_000_000))
	if t.GetGrowthMode() == registryv1.GrowthMode_GROWTH_MODE_COMPOUND {
		g := w.countGoal(m, u, p, totals, &mGoal{value: new(big.Rat), base: big.NewRat(t.GetBaseline(), 1)})
		if g == nil || g.base == nil || g.base.Sign() == 0 {
			return nil
		}
		if p == Current {
			p = m.on(w.today)
		}
		value := new(big.Rat).Set(g.base)
		for q := m.on(dateOr(t.GetBaselineDate(), 0)); q < p; q = q.Next() {
			value.Mul(value, rate)
		}
		return wholeGoal(value, g.base)
	}
	if p == Current {
		return nil
	}
	before := p.Prev()
	if t.GetBeat() == registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR {
		before, _ = m.cut.Parse(fmt.Sprint(p.Year()-1) + p.String()[4:])
	}
	was := w.totals(m, before)[u.ix].Tally
	switch {
	case m.actual(was) == nil || int64(was.Reporting)*10_000 < m.minReporting()*int64(was.Expected):
		return nil
	case t.GetKind() == registryv1.GoalKind_GOAL_KIND_BEAT:
		return &mGoal{beat: &was}
	case was.Num == 0:
		return nil
	}
	base := new(big.Rat).SetInt64(was.Num)
	return wholeGoal(new(big.Rat).Mul(base, rate), base)
}

// wholeGoal is the least whole number that is enough: a goal is one.
func wholeGoal(value, base *big.Rat) *mGoal {
	up := new(big.Int).Add(value.Num(), value.Denom())
	up.Sub(up, big.NewInt(1)).Div(up, value.Denom())
	return &mGoal{value: new(big.Rat).SetInt(up), base: base}
}

// beats reports whether a total is strictly above what is to be beaten.
func (g *mGoal) beats(t Tally) bool {
	if t.Den == 0 && g.beat.Den == 0 {
		return t.Num > g.beat.Num
	}
	return t.Den > 0 && new(big.Rat).SetFrac64(t.Num, t.Den).Cmp(new(big.Rat).SetFrac64(g.beat.Num, g.beat.Den)) > 0
}

// row reports whether the goal was met in so many periods in a row, up to one.
func (w *world) row(m *mMeasure, u *mUnit, p calendar.Period, n uint32) bool {
	for ; n > 0; n, p = n-1, p.Prev() {
		totals := w.totals(m, p)
		t := totals[u.ix]
		if t.Reporting == 0 {
			return false
		}
		g := w.goal(m, u, p, totals)
		if w.mute(m, t, g) || !w.met(m, g, t.Tally) {
			return false
		}
	}
	return true
}

// met reports whether a total meets its goal.
func (w *world) met(m *mMeasure, g *mGoal, t Tally) bool {
	actual := m.actual(t)
	switch {
	case g == nil || actual == nil:
		return false
	case g.beat != nil:
		return g.beats(t)
	}
	goal := m.target.GetGoal()
	switch goal.GetKind() {
	case registryv1.GoalKind_GOAL_KIND_AT_MOST, registryv1.GoalKind_GOAL_KIND_ZERO: // silent ones may be above
		return actual.Cmp(g.value) <= 0 && t.Reporting == t.Expected
	case registryv1.GoalKind_GOAL_KIND_RANGE:
		high := big.NewRat(goal.GetHigh(), 1)
		if m.kind() != count {
			high.SetFrac64(goal.GetHigh(), 1_000_000)
		}
		if goal.GetStrict() && actual.Cmp(high) > 0 {
			return false
		}
	}
	return actual.Cmp(g.value) >= 0
}
