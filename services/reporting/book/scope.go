package book

import (
	"cmp"
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// maxUnitsAnEvent bounds an event's size well below a message's limit.
const maxUnitsAnEvent = 1000

// rule decides which units a measure applies to, made once for many units.
type rule struct {
	from, until calendar.Date // until: first day after it
	last        calendar.Date // of the programme
	kinds       map[int32]bool
	levels      map[string]bool
	units       map[string]bool
	except      map[string]bool
	listedOnly  bool
	cut         calendar.Cut
	length      calendar.Length
	any         []rule // of a regime: it applies where one of these does
	tree        *Book  // of a target whose units above others give control totals; else nil
}

// ruleOf reads a measure's applicability. A task applies to the units that owe it.
func (b *Book) ruleOf(m *Measure) rule {
	p := b.programmes.Get(m.key.programme).res
	r := rule{from: dateOr(p.GetStartDate(), 0), until: dateOr(p.GetEndDate(), 0) + 1, last: dateOr(p.GetEndDate(), 0), units: make(map[string]bool),
		cut: m.cut, length: m.length}
	if m.regime != nil {
		r.from = max(r.from, dateOr(m.regime.GetFromDate(), r.from))
		for _, t := range b.targetsUnder(m) {
			r.any = append(r.any, b.ruleOf(t))
		}
		r.listedOnly = len(r.any) == 0
		return r
	}
	if m.task != nil {
		for _, a := range m.task.GetAssignments() {
			if owes(a.GetRole()) {
				r.units[a.GetUnit()] = true
			}
		}
		r.listedOnly = true
		return r
	}
	if m.controlled() {
		r.tree = b
	}
	a := m.target.GetApplicability()
	r.from = max(r.from, dateOr(a.GetFromDate(), r.from))
	r.until = min(r.until, dateOr(a.GetUntilDate(), r.until))
	r.kinds, r.levels, r.except = make(map[int32]bool), make(map[string]bool), make(map[string]bool)
	for _, k := range a.GetKinds() {
		r.kinds[int32(k)] = true
	}
	for _, l := range a.GetLevels() {
		r.levels[l] = true
	}
	for _, u := range a.GetUnits() {
		r.units[u] = true
	}
	for _, u := range a.GetExceptUnits() {
		r.except[u] = true
	}
	r.listedOnly = len(a.GetKinds()) == 0 && len(a.GetLevels()) == 0
	return r
}

func dateOr(s string, otherwise calendar.Date) calendar.Date {
	if d, err := calendar.ParseDate(s); err == nil {
		return d
	}
	return otherwise
}

// current is the day by which the scope of current figures is judged: today, and
// the programme's last day once that has passed, so that what was reached stays to
// be read.
func (r *rule) current(today calendar.Date) calendar.Date { return min(today, r.last) }

// appliesOn reports whether a unit is expected to report the measure on a day.
func (r *rule) appliesOn(u *Unit, day calendar.Date) bool {
	return r.names(u, day) && !r.control(u, day)
}

// names reports whether the measure applies to a unit on a day.
func (r *rule) names(u *Unit, day calendar.Date) bool {
	if day < r.from || day >= r.until || r.except[u.id] {
		return false
	}
	p, exists := u.on(day)
	if !exists {
		return false
	}
	if len(r.any) > 0 {
		return slices.ContainsFunc(r.any, func(r rule) bool { return r.appliesOn(u, day) })
	}
	if r.units[u.id] {
		return true
	}
	return !r.listedOnly && (len(r.kinds) == 0 || r.kinds[int32(p.kind)]) && (len(r.levels) == 0 || r.levels[p.level])
}

// edges are the days on which it begins or ceases to apply at all.
func (r *rule) edges() []calendar.Date {
	days := []calendar.Date{r.from, r.until}
	for _, part := range r.any {
		days = append(days, part.from, part.until)
	}
	return days
}

// turns lists the periods at which a unit begins and ceases to be expected, in
// turn: each is judged by its last day.
func (r *rule) turns(u *Unit) []calendar.Period {
	if r.listedOnly && !r.units[u.id] {
		return nil
	}
	days := append(u.boundaries(), r.edges()...)
	if tree := r.controls(); tree != nil && r.everNames(u) {
		days = append(days, tree.boundariesBelow(u.ix)...)
	}
	periods := make([]calendar.Period, len(days))
	for i, d := range days {
		periods[i] = r.cut.Of(max(0, d), r.length)
	}
	slices.Sort(periods)
	var out []calendar.Period
	for _, p := range slices.Compact(periods) {
		if !p.Valid() {
			break
		}
		if r.appliesOn(u, p.LastDay()) != (len(out)%2 == 1) {
			out = append(out, p)
		}
	}
	return out
}

// turnAt is units that begin or cease at a period.
type turnAt struct {
	from calendar.Period
	on   bool
}

// scopeChange is what changes in the set of expected units of a measure.
type scopeChange struct {
	measure *Measure
	turns   []turnAt // ascending
	groups  map[turnAt][]unitIx
	current map[bool][]unitIx
}

// scopeChange compares who is expected with who should be, among the given units;
// nil when nothing changes.
func (b *Book) scopeChange(m *Measure, units []unitIx) *scopeChange {
	c := &scopeChange{measure: m, groups: make(map[turnAt][]unitIx), current: make(map[bool][]unitIx)}
	r := b.ruleOf(m)
	if r.controls() != nil {
		units = b.withAbove(units)
	}
	s := b.sheet(sheetKey{m.ix, Current})
	for _, unit := range units {
		u := b.unit(unit)
		for _, t := range differ(s.scope.At(unit), r.turns(u)) {
			if c.groups[t] == nil {
				c.turns = append(c.turns, t)
			}
			c.groups[t] = append(c.groups[t], unit)
		}
		if on := r.appliesOn(u, r.current(b.today)); on != s.nodes.At(unit).scoped {
			c.current[on] = append(c.current[on], unit)
		}
	}
	if len(c.groups) == 0 && len(c.current) == 0 {
		return nil
	}
	slices.SortFunc(c.turns, func(x, y turnAt) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(intOf(x.on), intOf(y.on)))
	})
	return c
}

// emit emits the change, in one event where periods and current change alike.
func (c *scopeChange) emit(b *Book, cause uint64) {
	for _, t := range c.turns {
		both := slices.Equal(c.groups[t], c.current[t.on])
		if both {
			delete(c.current, t.on)
		}
		b.emitScope(c.measure, t, c.groups[t], true, both, cause)
	}
	for _, on := range []bool{false, true} {
		b.emitScope(c.measure, turnAt{c.measure.periodOn(b.today), on}, c.current[on], false, true, cause)
	}
}

// rescope emits what changes in the set of expected units of a measure, looking
// at the given units only, and whether a task is complete by that.
func (b *Book) rescope(m *Measure, units []unitIx, cause uint64) {
	if c := b.scopeChange(m, units); c != nil {
		c.emit(b, cause)
	}
	if m.task != nil {
		b.settleCompletion(m, cause)
	}
}

func intOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// differ lists the turns that lead from the old turns to the new ones: all new
// ones from the first difference on, each good until the next.
func differ(old, next []calendar.Period) []turnAt {
	if slices.Equal(old, next) {
		return nil
	}
	same := 0
	for same < len(old) && same < len(next) && old[same] == next[same] {
		same++
	}
	var out []turnAt
	if same < len(old) && (same == len(next) || old[same] < next[same]) {
		// What turned at old[same] does not turn any more: it stays as before.
		out = append(out, turnAt{old[same], same%2 == 1})
	}
	for i := same; i < len(next); i++ {
		out = append(out, turnAt{next[i], i%2 == 0})
	}
	return out
}

// emitScope emits a change of scope in as many events as its units need.
func (b *Book) emitScope(m *Measure, t turnAt, units []unitIx, periods, current bool, cause uint64) {
	for chunk := range slices.Chunk(units, maxUnitsAnEvent) {
		ids := make([]string, len(chunk))
		for i, unit := range chunk {
			ids[i] = b.unit(unit).id
		}
		s := &eventv1.ScopeChanged{Target: m.key.id, Path: b.path(b.unitIDs.Get(m.root), Current),
			FirstPeriod: t.from.String(), Periods: periods, Current: current, MissingDenominator: m.missingDen()}
		if t.on {
			s.Begins = ids
		} else {
			s.Ceases = ids
		}
		b.emit(&eventv1.Event{Programme: m.key.programme, Causation: cause,
			Payload: &eventv1.Event_ScopeChanged{ScopeChanged: s}}, nil)
	}
}
