package book

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

func unmarshal(data []byte, m proto.Message) error { return proto.Unmarshal(data, m) }

var unitKinds = []typev1.UnitKind{ministry, province, commune}

// setUp makes a tree, a programme, targets and tasks.
func (h *history) setUp() error {
	levels := 2 + h.r.IntN(3)
	old := calendar.Date(4000) // 2010-12-14
	h.w.units = []*mUnit{{id: mRoot, places: []mPlace{{old, "", country, "l0"}}}}
	h.w.byID[mRoot] = h.w.units[0]
	if err := h.sendUnit(h.w.units[0]); err != nil {
		return err
	}
	most := 22
	if h.deep {
		most = 5
	}
	for range 2 + h.r.IntN(1+h.r.IntN(most)) {
		if err := h.newUnit(levels); err != nil {
			return err
		}
	}
	h.w.start, h.w.end = calendar.Date(8036), calendar.Date(8036+365*3)
	if err := h.sendProgramme(true); err != nil {
		return err
	}
	if err := h.putCalendar(&mCalendar{id: "tenth", cut: 10}); err != nil {
		return err
	}
	for range h.r.IntN(3) {
		if err := h.newRegime(); err != nil {
			return err
		}
	}
	for range 1 + h.r.IntN(3-intOf(h.deep)) {
		if err := h.newTarget(); err != nil {
			return err
		}
	}
	for range h.r.IntN(4 - 2*intOf(h.deep)) {
		if err := h.newTask(); err != nil {
			return err
		}
	}
	for range h.r.IntN(6) {
		if err := h.allocation(); err != nil {
			return err
		}
	}
	return nil
}

// registry makes one change of the registry.
func (h *history) registry() error {
	switch n := h.r.IntN(100); {
	case n < 12:
		return h.newUnit(4)
	case n < 40:
		return h.changeUnit()
	case n < 55:
		return h.changeTarget()
	case n < 68:
		return h.allocation()
	case n < 80:
		return h.changeTask()
	case n < 84:
		return h.newTarget()
	case n < 88:
		return h.newTask()
	case n < 92:
		return h.changeRegime()
	case n < 93:
		return h.newRegime()
	case n < 96:
		return h.changeCalendar()
	case n < 99:
		return h.changeProgramme()
	}
	stray := &registryv1.Change{Revision: h.w.revision + int64(h.r.IntN(3)) - 1}
	if stray.Revision == h.w.revision+1 {
		stray.Revision = 0
	}
	h.layer.Registry(stray) // not the next one: nothing follows
	return h.announced(follows{})
}

// near is a day around today.
func (h *history) near() calendar.Date {
	return h.w.today + calendar.Date(h.r.IntN(160)-100)
}

func (h *history) newUnit(levels int) error {
	parent := pick(h, h.w.units)
	depth := len(h.w.chain(parent, h.w.today))
	if depth >= levels {
		parent, depth = h.w.units[0], 1
	}
	from := parent.places[0].from
	if h.one(6) {
		from = max(from, h.near())
	}
	u := &mUnit{ix: len(h.w.units), id: fmt.Sprint("u", len(h.w.units)), places: []mPlace{{from, parent.id, pick(h, unitKinds), fmt.Sprint("l", depth)}}}
	if h.one(15) {
		u.closed = from + 200 + calendar.Date(h.r.IntN(4000))
	}
	return h.putUnit(u)
}

// changeUnit moves, re-kinds, closes, opens or renames a unit.
func (h *history) changeUnit() error {
	old := pick(h, h.w.units)
	u := &mUnit{old.ix, old.id, slices.Clone(old.places), old.closed}
	end := len(u.places) - 1
	switch n := h.r.IntN(10); {
	case n < 5: // another place from some day on
		p := u.places[end]
		p.from = max(p.from+1, h.near())
		if u.id != mRoot {
			p.parent = pick(h, h.w.units).id
			if h.one(40) {
				p.parent = ""
			}
		}
		if h.one(2) {
			p.kind = pick(h, unitKinds)
		}
		if h.one(3) {
			p.level = fmt.Sprint("l", h.r.IntN(3))
		}
		if h.one(2) {
			p.from = max(p.from, h.w.today)
		}
		u.places = append(u.places, p)
	case n == 5 && end > 0: // the last place was an error
		u.places = u.places[:end]
	case n == 6 && end > 0: // it began on another day
		u.places[end].from = max(u.places[end-1].from+1, h.near())
	case n < 9 && u.id != mRoot:
		if u.closed = 0; old.closed == 0 {
			u.closed = max(u.places[end].from+1, h.near())
		}
	}
	return h.putUnit(u)
}

// putUnit writes a unit if the registry would take it.
func (h *history) putUnit(u *mUnit) error {
	trial := *h.w
	trial.byID = clone(h.w.byID)
	trial.byID[u.id] = u
	at := slices.IndexFunc(h.w.units, func(v *mUnit) bool { return v.id == u.id })
	trial.units = slices.Clone(h.w.units)
	if at < 0 {
		trial.units = append(trial.units, u)
	} else {
		trial.units[at] = u
	}
	if !trial.sound() {
		return nil
	}
	want := h.w.changed(nil, func() { h.w.units, h.w.byID = trial.units, trial.byID })
	if err := h.sendUnit(u); err != nil {
		return err
	}
	if err := h.announced(want); err != nil {
		return fmt.Errorf("unit %+v: %w", u, err)
	}
	return nil
}

// sound reports whether the tree is one on every day: no unit stands below one
// that does not exist, nor below itself.
func (w *world) sound() bool {
	for _, u := range w.units {
		for i, p := range u.places {
			if p.parent == "" {
				continue
			}
			end := u.closed
			if i+1 < len(u.places) {
				end = u.places[i+1].from
			}
			above := w.byID[p.parent]
			if u.closed != 0 && p.from >= u.closed || p.from < above.places[0].from || above.closed != 0 && (end == 0 || end > above.closed) {
				return false
			}
			for _, v := range w.units {
				for _, q := range v.places {
					if q.from >= p.from && !w.tops(u, q.from) {
						return false
					}
				}
			}
			if !w.tops(u, p.from) {
				return false
			}
		}
	}
	return true
}

// tops reports whether one comes to an end when going up from a unit.
func (w *world) tops(u *mUnit, d calendar.Date) bool {
	for range 10 {
		if u = w.byID[u.stands(d).parent]; u == nil {
			return true
		}
	}
	return false
}

func (h *history) sendUnit(u *mUnit) error {
	res := &registryv1.Unit{Name: "units/" + u.id, DisplayName: fmt.Sprint("unit ", h.r.IntN(1000))}
	for _, p := range u.places {
		res.Placements = append(res.Placements, &registryv1.Placement{FromDate: p.from.String(), Parent: p.parent, Kind: p.kind, Level: p.level})
	}
	if u.closed != 0 {
		res.ClosedDate = u.closed.String()
	}
	h.change(&registryv1.Change{Resource: &registryv1.Change_Unit{Unit: res}})
	if len(h.w.measures) > 0 {
		return nil // the caller looks at what follows
	}
	_, err := h.take()
	return err
}

func (h *history) changeProgramme() error {
	reset := map[string][]*registryv1.Threshold{}
	counts, end, derived := h.w.counts, h.w.end, h.w.derived
	if h.one(2) {
		counts = pick(h, [][]uint32{nil, {3000, 6000}, {5000}})
	}
	if h.one(2) {
		end = h.near()
	}
	if !slices.Equal(counts, h.w.counts) {
		trial := &world{counts: counts}
		derived = h.w.revision + 1
		for _, m := range allCounts() {
			reset[m.id] = trial.thresholds(m)
		}
	}
	want := h.w.changed(reset, func() { h.w.counts, h.w.end, h.w.derived = counts, end, derived })
	if err := h.sendProgramme(false); err != nil {
		return err
	}
	return h.announced(want)
}

func (h *history) sendProgramme(first bool) error {
	h.change(&registryv1.Change{Resource: &registryv1.Change_Programme{Programme: &registryv1.Programme{
		Name: "programmes/" + prog, RootUnit: mRoot, StartDate: h.w.start.String(), EndDate: h.w.end.String(), TaskCountThresholds: h.w.counts}}})
	if !first {
		return nil
	}
	h.w.derived = h.w.revision
	return h.announced(follows{})
}

func (h *history) newTarget() error {
	m := &mMeasure{id: fmt.Sprint("target-", len(h.w.measures))}
	kind := pick(h, []typev1.ValueKind{count, count, ratio, yesNo})
	acc := last
	switch kind {
	case count:
		acc = pick(h, []typev1.Accumulation{last, sumAll, sumYear})
	case ratio:
		acc = pick(h, []typev1.Accumulation{last, sumAll})
	}
	m.target = &registryv1.Target{Name: "programmes/" + prog + "/targets/" + m.id, ValueKind: kind, Accumulation: acc}
	h.times(m)
	m.target.MayExceed = kind == ratio && h.one(4)
	h.applicability(m)
	m.target.Goal, m.target.Milestones = h.goal(m), nil
	m.target.Milestones = h.rule(m)
	m.goalRev = h.w.revision + 1
	want := h.w.changed(nil, func() { h.w.measures = append(h.w.measures, m) })
	if r := h.w.regimeOf(m); r != nil {
		h.w.tellToday(r, want.rungs)
	}
	h.sendTarget(m)
	return h.announced(want)
}

// times gives a target its periods: those of a regime, or of any calendar.
func (h *history) times(m *mMeasure) {
	if len(h.w.regimes) > 0 && !h.one(3) {
		r := pick(h, h.w.regimes)
		m.target.Regime, m.target.Calendar, m.target.Frequency = r.id, r.regime.GetCalendar(), r.regime.GetFrequency()
	} else {
		m.target.Calendar, m.target.Frequency = h.periods()
	}
	m.cut, m.length = h.w.calendarOf(m.target.GetCalendar()).cut, lengths[m.target.GetFrequency()]
}

func (h *history) applicability(m *mMeasure) {
	a := &registryv1.Applicability{}
	switch h.r.IntN(3) {
	case 0:
		a.Kinds = []typev1.UnitKind{pick(h, unitKinds), country}
	case 1:
		a.Levels = []string{pick(h, []string{"l1", "l2", "l3"}), pick(h, []string{"l1", "l2"})}
	case 2:
		a.Kinds = unitKinds
	}
	for range h.r.IntN(3) {
		a.Units = append(a.Units, pick(h, h.w.units).id)
	}
	if h.one(4) {
		a.ExceptUnits = []string{pick(h, h.w.units).id}
	}
	m.from, m.until = 0, 0
	if h.one(6) {
		m.from = h.near()
		a.FromDate = m.from.String()
	}
	if h.one(6) {
		m.until = max(m.from, h.w.start, h.near()) + 1
		a.UntilDate = m.until.String()
	}
	m.target.Applicability = a
}

func (h *history) goal(m *mMeasure) *registryv1.Goal {
	if h.one(10) {
		return nil
	}
	if m.kind() != yesNo && (h.one(4) || h.deep && h.one(2)) {
		return h.goalInTime(m)
	}
	kind := pick(h, []registryv1.GoalKind{registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.GoalKind_GOAL_KIND_AT_LEAST,
		registryv1.GoalKind_GOAL_KIND_AT_MOST, registryv1.GoalKind_GOAL_KIND_RANGE, registryv1.GoalKind_GOAL_KIND_ZERO})
	if m.kind() == yesNo && h.one(2) {
		kind = registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE
	}
	g := &registryv1.Goal{Kind: kind}
	switch kind {
	case registryv1.GoalKind_GOAL_KIND_AT_LEAST, registryv1.GoalKind_GOAL_KIND_AT_MOST:
		g.Value = h.aim(m)
	case registryv1.GoalKind_GOAL_KIND_RANGE:
		g.Low = h.aim(m)
		g.High = g.Low + 10
		if g.Strict = h.one(2); g.Strict {
			g.High = g.Low + h.aim(m)/4
		}
	}
	if h.one(2) {
		g.Baseline = new(h.aim(m))
	}
	return g
}

// aim is a value that a total may come to.
func (h *history) aim(m *mMeasure) int64 {
	if m.kind() == count {
		return int64(h.r.IntN(400))
	}
	if m.target.GetMayExceed() && h.one(4) {
		return int64(h.r.IntN(1000)) * 1_000_000_000_000_000 // so far beyond the whole that 128 bits are not enough
	}
	return int64(h.r.IntN(11)) * whole / 10
}

func (h *history) rule(m *mMeasure) *registryv1.MilestoneRule {
	if h.one(3) && !m.overTime() {
		return nil
	}
	r := &registryv1.MilestoneRule{Disabled: h.one(12), Scope: registryv1.MilestoneScope(h.r.IntN(4))}
	if m.overTime() {
		r.Scope = registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD
	}
	if h.one(3) {
		r.Levels = []string{"l0", pick(h, []string{"l1", "l2"})}
	}
	if h.one(2) {
		r.Thresholds = h.lines(m, r.Scope >= registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD)
	}
	if m.kind() == ratio && h.one(2) {
		r.MinReporting = new(uint32(h.r.IntN(4) * 3333))
	}
	return r
}

// lines makes thresholds of each kind that the measure may have.
func (h *history) lines(m *mMeasure, byPeriod bool) []*registryv1.Threshold {
	var out []*registryv1.Threshold
	for _, p := range []uint32{1000, 3333, 5000, 10000, 12000} {
		if h.one(2) && (p == 10000 || !m.overTime()) && (p <= 10000 || m.regime == nil) {
			out = append(out, &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: p}})
		}
	}
	for _, c := range []uint32{2500, 6667, 10000} {
		if h.one(4) {
			out = append(out, &registryv1.Threshold{At: &registryv1.Threshold_Completeness{Completeness: c}})
		}
	}
	for _, n := range []uint32{2, 3} {
		if h.one(2) && byPeriod && m.target != nil {
			out = append(out, &registryv1.Threshold{At: &registryv1.Threshold_Streak{Streak: n}})
		}
	}
	if m.target != nil && m.kind() == count && h.one(3) {
		out = append(out, &registryv1.Threshold{At: &registryv1.Threshold_Value{Value: 1 + int64(h.r.IntN(300))}})
	}
	return out
}

func (h *history) sendTarget(m *mMeasure) {
	h.change(&registryv1.Change{Resource: &registryv1.Change_Target{Target: proto.Clone(m.target).(*registryv1.Target)}})
}

// changeTarget changes a target's goal, thresholds, applicability, or several of them.
func (h *history) changeTarget() error {
	old := pick(h, h.w.measures)
	if old.target == nil {
		return nil
	}
	m := *old
	m.target = proto.Clone(old.target).(*registryv1.Target)
	if h.one(2) {
		m.target.Goal = h.goal(&m)
	}
	if h.one(3) || m.overTime() {
		m.target.Milestones = h.rule(&m)
	}
	if h.one(3) {
		h.applicability(&m)
	}
	reset := map[string][]*registryv1.Threshold{}
	if !proto.Equal(m.target.GetGoal(), old.target.GetGoal()) || !proto.Equal(m.target.GetMilestones(), old.target.GetMilestones()) {
		reset[m.id] = h.w.thresholds(&m)
		m.goalRev = h.w.revision + 1
	}
	want := h.w.changed(reset, func() { *old = m })
	if r := h.w.regimeOf(old); r != nil {
		h.w.tellToday(r, want.rungs)
	}
	h.sendTarget(old)
	if err := h.announced(want); err != nil {
		return fmt.Errorf("target %v: %w", m.target, err)
	}
	return nil
}

func (h *history) allocation() error {
	m, u := pick(h, h.w.measures), pick(h, h.w.units)
	if m.target == nil {
		return nil
	}
	a := &registryv1.Allocation{Name: m.target.GetName() + "/allocations/" + u.id, Value: h.aim(m), Revoked: h.one(4)}
	if m.kind() == count {
		a.Value /= 4
	}
	if h.one(3) {
		a.Baseline = new(h.aim(m) / 2)
	}
	want := h.w.changed(nil, func() { h.w.goals[[2]string{m.id, u.id}] = a })
	h.change(&registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: proto.Clone(a).(*registryv1.Allocation)}})
	if err := h.announced(want); err != nil {
		return fmt.Errorf("allocation %v: %w", a, err)
	}
	return nil
}

func (h *history) newTask() error {
	m := &mMeasure{id: fmt.Sprint("task-", len(h.w.measures)), task: &registryv1.Task{}, cut: calendar.EndOfMonth}
	h.assign(m)
	want := h.w.changed(nil, func() { h.w.measures = append(h.w.measures, m) })
	h.w.tellToday(m, want.rungs)
	h.sendTask(m)
	return h.announced(want)
}

// assign gives a task to units, by some rule, in some form.
func (h *history) assign(m *mMeasure) {
	m.task.Name = "programmes/" + prog + "/tasks/" + m.id
	m.task.Form = typev1.TaskForm(1 + h.r.IntN(2))
	m.task.Audience = typev1.Audience(1 + h.r.IntN(2))
	m.task.Group = pick(h, []string{"g1", "g2"})
	m.task.CompletionRule = &registryv1.CompletionRule{Kind: registryv1.CompletionRuleKind(h.r.IntN(4))}
	if m.task.CompletionRule.Kind == registryv1.CompletionRuleKind_COMPLETION_RULE_KIND_QUORUM {
		m.task.CompletionRule.QuorumPercent = uint32(1 + h.r.IntN(100))
	}
	m.task.Assignments = nil
	for i, at := range h.r.Perm(len(h.w.units))[:1+h.r.IntN(min(4, len(h.w.units)))] {
		role := registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD
		if i > 0 {
			role = registryv1.AssignmentRole(1 + h.r.IntN(3))
		}
		m.task.Assignments = append(m.task.Assignments, &registryv1.Assignment{Unit: h.w.units[at].id, Role: role})
	}
	m.task.NeedsAcceptance = h.one(2) && slices.ContainsFunc(m.task.Assignments, func(a *registryv1.Assignment) bool {
		return a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING
	})
	m.task.Silent, m.task.Due = h.one(6), nil
	if !h.one(4) {
		m.task.Due = &registryv1.DueWindow{LatestDate: h.near().String()}
	}
}

func (h *history) changeTask() error {
	old := pick(h, h.w.measures)
	if old.task == nil {
		return nil
	}
	m := *old
	m.task = proto.Clone(old.task).(*registryv1.Task)
	h.assign(&m)
	if h.one(2) { // the same units, by another rule
		m.task.Assignments, m.task.NeedsAcceptance = old.task.Assignments, old.task.GetNeedsAcceptance()
	}
	want := h.w.changed(nil, func() { *old = m })
	h.w.tellToday(old, want.rungs)
	h.sendTask(old)
	if err := h.announced(want); err != nil {
		return fmt.Errorf("task %v: %w", m.task, err)
	}
	return nil
}

func (h *history) sendTask(m *mMeasure) {
	h.change(&registryv1.Change{Resource: &registryv1.Change_Task{Task: proto.Clone(m.task).(*registryv1.Task)}})
}
