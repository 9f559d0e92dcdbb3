package book

import (
	"slices"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// world is the naive model that the book is held against: the resources as the
// registry has them, the full list of accepted facts, and nothing that is added up.
// Every figure is worked out afresh from these.
type world struct {
	today    calendar.Date
	units    []*mUnit // in the order in which they became known
	byID     map[string]*mUnit
	start    calendar.Date
	end      calendar.Date // last day
	counts   []uint32      // thresholds of the counts of tasks; empty means the usual ones
	measures []*mMeasure   // targets and tasks
	regimes  []*mMeasure
	days     map[string]*mCalendar
	goals    map[[2]string]*registryv1.Allocation
	facts    []fact
	grants   []mGrant
	told     map[rungAt]bool // rungs of deadlines
	toldTo   calendar.Date
	requests map[[2]string]bool
	revision int64
	derived  int64 // revision of the thresholds of the counts
	complete map[string]bool
	marks    map[markAt]markState
	memo     map[placeAt][]mTotal // totals that were worked out since anything changed
	reports  map[string]map[calendar.Period]map[string]mReport
}

type mUnit struct {
	ix     int
	id     string
	places []mPlace
	closed calendar.Date // 0 for never
}

type mPlace struct {
	from   calendar.Date
	parent string
	kind   typev1.UnitKind
	level  string
}

// mMeasure is a target, a task, a regime or, with none of them, a count of tasks.
type mMeasure struct {
	id      string
	target  *registryv1.Target
	task    *registryv1.Task
	regime  *registryv1.Regime
	cut     calendar.Cut // of its periods
	length  calendar.Length
	from    calendar.Date // of a target's applicability; 0 for the programme's
	until   calendar.Date // first day after; 0 for the programme's end
	goalRev int64
}

// fact is an accepted submission.
type fact struct {
	target, unit string
	period       calendar.Period
	value        Value
	qual         Qualifier
	day          calendar.Date // on which it was accepted
	late         bool          // after the report's deadline
}

// markAt names a threshold of a total, markState is what became of it.
type markAt struct {
	target, unit string
	period       calendar.Period
	index        int
}

type markState struct {
	ordinal uint32
	reached bool
}

const mRoot = "u0"

func newWorld() *world {
	return &world{byID: map[string]*mUnit{}, goals: map[[2]string]*registryv1.Allocation{}, requests: map[[2]string]bool{},
		complete: map[string]bool{}, marks: map[markAt]markState{}, told: map[rungAt]bool{}, days: shippedDays()}
}

func (w *world) measure(id string) *mMeasure {
	for _, m := range append(slices.Clone(w.measures), w.regimes...) {
		if m.id == id {
			return m
		}
	}
	return nil
}

// derived reports whether it is a count of tasks.
func (m *mMeasure) derived() bool { return m.target == nil && m.task == nil && m.regime == nil }

func (m *mMeasure) kind() typev1.ValueKind {
	if m.target == nil {
		return yesNo
	}
	return m.target.GetValueKind()
}

// on is the measure's period that holds a day.
func (m *mMeasure) on(d calendar.Date) calendar.Period { return m.cut.Of(d, m.length) }

// flow reports whether its periods add up.
func (m *mMeasure) flow() bool { return m.target != nil && m.target.GetAccumulation() != last }

// exists reports whether a unit exists on a day.
func (u *mUnit) exists(d calendar.Date) bool {
	return d >= u.places[0].from && (u.closed == 0 || d < u.closed)
}

// stands is the unit's place on a day, the nearest one when it does not exist then.
func (u *mUnit) stands(d calendar.Date) mPlace {
	at := u.places[0]
	for _, p := range u.places {
		if p.from <= d {
			at = p
		}
	}
	return at
}

// chain lists a unit and those above it on a day.
func (w *world) chain(u *mUnit, d calendar.Date) []*mUnit {
	var out []*mUnit
	for u != nil {
		out = append(out, u)
		u = w.byID[u.stands(d).parent]
	}
	return out
}

// applies reports whether a measure applies to a unit on a day.
func (w *world) applies(m *mMeasure, u *mUnit, d calendar.Date) bool {
	if !u.exists(d) || d < w.start || d > w.end {
		return false
	}
	if m.regime != nil {
		return d >= dateOr(m.regime.GetFromDate(), 0) && slices.ContainsFunc(w.under(m), func(t *mMeasure) bool { return w.applies(t, u, d) })
	}
	if m.task != nil {
		return slices.ContainsFunc(m.task.GetAssignments(), func(a *registryv1.Assignment) bool {
			return a.GetUnit() == u.id && a.GetRole() != registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING
		})
	}
	a, at := m.target.GetApplicability(), u.stands(d)
	switch {
	case m.from != 0 && d < m.from || m.until != 0 && d >= m.until || slices.Contains(a.GetExceptUnits(), u.id):
		return false
	case slices.Contains(a.GetUnits(), u.id):
		return true
	case len(a.GetKinds()) == 0 && len(a.GetLevels()) == 0:
		return false
	}
	return (len(a.GetKinds()) == 0 || slices.Contains(a.GetKinds(), at.kind)) &&
		(len(a.GetLevels()) == 0 || slices.Contains(a.GetLevels(), at.level))
}

// day is the day by which a period is judged.
func (w *world) day(p calendar.Period) calendar.Date {
	if p == Current {
		return w.today
	}
	return p.LastDay()
}

// expected reports whether a unit is expected in the figures of a period, or in the
// current ones, which stay as they were on the programme's last day once it is over.
func (w *world) expected(m *mMeasure, u *mUnit, p calendar.Period) bool {
	if p == Current {
		return w.applies(m, u, min(w.today, w.end))
	}
	if p.Length() > m.length { // a view of several periods: of a programme that is over, as it was in the end
		return w.applies(m, u, min(p.LastDay(), w.end))
	}
	return w.applies(m, u, p.LastDay())
}

// cells are the latest facts of a measure's cells by unit, in the order of periods.
func (w *world) cells(m *mMeasure) map[string][]fact {
	out := map[string][]fact{}
	for _, f := range w.facts {
		if f.target != m.id {
			continue
		}
		list := out[f.unit]
		at, found := slices.BinarySearchFunc(list, f.period, func(f fact, p calendar.Period) int { return int(f.period - p) })
		if found {
			list[at] = f
		} else {
			out[f.unit] = slices.Insert(list, at, f)
		}
	}
	return out
}

// mPart is what one unit adds.
type mPart struct {
	Tally
	qual Qualifier
	over bool // it leaves the range of 64 bits
}

// plus adds what is never negative.
func (p *mPart) plus(num, den int64) {
	p.Num, p.Den = p.Num+num, p.Den+den
	p.over = p.over || p.Num < 0 || p.Den < 0
}

// missing is the part of a unit that is expected and has nothing.
func missing(kind typev1.ValueKind) mPart {
	p := mPart{Tally: Tally{Expected: 1}}
	if kind == yesNo {
		p.Den = 1
	}
	return p
}

// part works out what a unit adds to the totals of a period, or to the current ones.
func (w *world) part(m *mMeasure, u *mUnit, p calendar.Period, cells []fact) mPart {
	if !w.expected(m, u, p) {
		return mPart{}
	}
	return added(m.kind(), w.held(m, p, cells))
}

// held lists the cells with something in them that make a figure.
func (w *world) held(m *mMeasure, p calendar.Period, cells []fact) []fact {
	of := []calendar.Period{p}
	if p != Current {
		of = p.Split(m.length)
	}
	var held []fact
	for _, f := range cells {
		counts := slices.Contains(of, f.period)
		if p == Current {
			counts = m.target.GetAccumulation() != sumYear || f.period.Year() == m.on(w.today).Year()
		}
		if counts && f.value.State != Withdrawn && f.value.State != Returned {
			held = append(held, f)
		}
	}
	if len(held) > 1 && !m.flow() {
		held = held[len(held)-1:]
	}
	return held
}

// added is the part that some cells make together.
func added(kind typev1.ValueKind, held []fact) mPart {
	if len(held) == 0 {
		return missing(kind)
	}
	var t mPart
	for _, f := range held {
		switch f.value.State {
		case Reported:
			t.Reporting, t.Expected = 1, 1
			t.plus(f.value.Num, f.value.Den)
			t.qual = max(t.qual, f.qual)
		case Bare:
			t.Reporting, t.Expected, t.Excluded = 1, 1, 1
		case Awaiting: // it has come, and is not done
			t.Den, t.Reporting, t.Expected = 1, 1, 1
		}
	}
	return t
}

// mTotal is a total as the model has it.
type mTotal struct {
	mPart
	alone bool // nobody below is expected
}

// totals works out the totals of all units, by the unit's number.
func (w *world) totals(m *mMeasure, p calendar.Period) []mTotal {
	k := placeAt{target: m.id, period: p}
	if w.memo == nil {
		w.memo = map[placeAt][]mTotal{}
	}
	if w.memo[k] == nil {
		w.memo[k] = w.addUp(m, p)
	}
	return w.memo[k]
}

// moved forgets what was worked out, after anything changed.
func (w *world) moved() { w.memo, w.reports = nil, nil }

func (w *world) addUp(m *mMeasure, p calendar.Period) []mTotal {
	out := make([]mTotal, len(w.units))
	for i := range out {
		out[i].alone = true
	}
	if m.derived() {
		out[0].Tally = w.derivedTotal(m.id)
		return out
	}
	cells := w.cells(m)
	for _, u := range w.units {
		part := w.part(m, u, p, cells[u.id])
		if m.regime != nil {
			part = w.reportPart(m, u, p)
		}
		if part == (mPart{}) {
			continue
		}
		for at := u; at != nil; at = w.byID[at.stands(w.day(p)).parent] {
			t := &out[at.ix]
			t.plus(part.Num, part.Den)
			t.Reporting += part.Reporting
			t.Expected += part.Expected
			t.Excluded += part.Excluded
			t.qual = max(t.qual, part.qual)
			t.alone = t.alone && (at == u || part.Expected == 0)
		}
	}
	return out
}

// derivedTotal counts tasks for a derived target.
func (w *world) derivedTotal(id string) Tally {
	var t Tally
	for _, m := range w.measures {
		if m.task == nil || !slices.Contains(countIDs(m.task), id) {
			continue
		}
		own := w.totals(m, Current)[0].Tally
		if id == countIDs(m.task)[1] {
			t = Tally{t.Num + own.Num, t.Den + own.Den, t.Reporting + own.Reporting, t.Expected + own.Expected, 0}
			continue
		}
		if own.Expected > 0 {
			t.Den++
			t.Expected++
		}
		if own.Reporting > 0 {
			t.Reporting++
		}
		if w.done(m) {
			t.Num++
		}
	}
	return t
}

// countIDs are the counts by TASK and by ASSIGNMENT that a task belongs to.
func countIDs(t *registryv1.Task) []string {
	form := map[typev1.TaskForm]string{typev1.TaskForm_TASK_FORM_TASK: "task", typev1.TaskForm_TASK_FORM_GROUP: "group"}[t.GetForm()]
	audience := map[typev1.Audience]string{typev1.Audience_AUDIENCE_CENTRAL: "central", typev1.Audience_AUDIENCE_LOCAL: "local"}[t.GetAudience()]
	return []string{"tasks-" + form + "-" + audience + "-by-task", "tasks-" + form + "-" + audience + "-by-assignment"}
}

// allCounts are the eight derived targets.
func allCounts() []*mMeasure {
	var out []*mMeasure
	for _, form := range []string{"task", "group"} {
		for _, audience := range []string{"central", "local"} {
			for _, basis := range []string{"task", "assignment"} {
				out = append(out, &mMeasure{cut: calendar.EndOfMonth, id: "tasks-" + form + "-" + audience + "-by-" + basis})
			}
		}
	}
	return out
}

// done judges a task by its rule.
func (w *world) done(m *mMeasure) bool {
	total := w.totals(m, Current)[0]
	if total.Expected == 0 {
		return false
	}
	rule := m.task.GetCompletionRule()
	switch rule.GetKind() {
	case registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM:
		return total.Num*100 >= int64(rule.GetQuorumPercent())*total.Den
	case registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_LEAD_ONLY:
		cells, leads, doneLeads := w.cells(m), 0, 0
		for _, a := range m.task.GetAssignments() {
			if a.GetRole() != registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD {
				continue
			}
			part := w.part(m, w.byID[a.GetUnit()], Current, cells[a.GetUnit()])
			leads += int(part.Expected)
			doneLeads += int(part.Num)
		}
		return leads > 0 && leads == doneLeads
	}
	return total.Num == total.Den
}

// periods lists the periods in which anything was ever reported for a measure.
func (w *world) periods(m *mMeasure) []calendar.Period {
	var out []calendar.Period
	if m.regime != nil {
		return w.reportPeriods(m)
	}
	for _, f := range w.facts {
		if f.target == m.id && !slices.Contains(out, f.period) {
			out = append(out, f.period)
		}
	}
	slices.Sort(out)
	return out
}

// revisionOf counts the facts of a cell.
func (w *world) revisionOf(target, unit string, p calendar.Period) uint32 {
	var n uint32
	for _, f := range w.facts {
		if f.target == target && f.unit == unit && f.period == p {
			n++
		}
	}
	return n
}

// verdict is what a submission should be answered: "" when it is accepted.
func (w *world) verdict(s *Submission) string {
	u, m := w.byID[s.Unit], w.measure(s.Target)
	if u == nil || m == nil || m.regime != nil || s.Period.Length() != m.length {
		return "refused"
	}
	f := w.factOf(s)
	switch {
	case w.revisionOf(s.Target, s.Unit, f.period) != s.ExpectedRevision:
		return "stale"
	case w.requests[sender(s)]:
		return "reused"
	case f.period > m.on(w.today), !w.applies(m, u, f.period.LastDay()), !w.takes(m, s, f.period):
		return "refused"
	}
	after := *w
	after.facts = append(slices.Clone(w.facts), f)
	after.moved()
	for _, p := range []calendar.Period{f.period, Current} {
		if added(m.kind(), after.held(m, p, after.cells(m)[u.id])).over {
			return "refused"
		}
		for _, t := range after.totals(m, p) {
			if t.over {
				return "refused"
			}
		}
	}
	return ""
}

// takes judges the value itself.
func (w *world) takes(m *mMeasure, s *Submission, p calendar.Period) bool {
	v, state := s.Value, Missing
	for _, f := range w.cells(m)[s.Unit] {
		if f.period == p {
			state = f.value.State
		}
	}
	if s.Review != nil {
		return state == Awaiting && s.Review.Reviewer != s.Unit && slices.ContainsFunc(m.task.GetAssignments(), func(a *registryv1.Assignment) bool {
			return a.GetUnit() == s.Review.Reviewer && a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING
		})
	}
	switch v.State {
	case NotApplicable:
		return true
	case Withdrawn:
		return state != Missing && state != Withdrawn && state != Returned
	case Bare:
		return m.kind() == ratio
	}
	if v.Kind != m.kind() {
		return false
	}
	return m.kind() != ratio || (v.Den > 0 || v.Num == 0) && (v.Num <= v.Den || m.target.GetMayExceed())
}

// sender names a request: ids are the own ones of whoever sends it.
func sender(s *Submission) [2]string {
	if s.Review != nil {
		return [2]string{s.Review.Reviewer, s.RequestID}
	}
	return [2]string{s.Unit, s.RequestID}
}

// factOf is what a submission would be when it was accepted today.
func (w *world) factOf(s *Submission) fact {
	m := w.measure(s.Target)
	f := fact{target: s.Target, unit: s.Unit, period: s.Period.With(m.cut), value: s.Value, qual: s.Qualifier, day: w.today}
	switch {
	case s.Review != nil && s.Review.Code != 0:
		f.value = Value{State: Returned}
	case s.Review != nil:
		f.value = yes()
	case m.task.GetNeedsAcceptance() && s.Value.State == Reported && s.Value.Num == 1:
		f.value.State = Awaiting
	}
	if r := w.regimeOf(m); r != nil {
		_, onTime := w.deadline(r, w.byID[s.Unit], f.period)
		f.late = w.today > onTime && !w.excused(r, s.Unit, f.period)
		for _, before := range slices.Backward(w.facts) {
			if before.target == f.target && before.unit == f.unit && before.period == f.period {
				if before.value.State != Withdrawn { // a correction of a value that came when it came
					f.late = before.late
				}
				break
			}
		}
	}
	return f
}
