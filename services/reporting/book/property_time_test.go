package book

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

var lengths = map[typev1.Frequency]calendar.Length{
	typev1.Frequency_FREQUENCY_UNSPECIFIED: calendar.Monthly,
	typev1.Frequency_FREQUENCY_MONTHLY:     calendar.Monthly,
	typev1.Frequency_FREQUENCY_QUARTERLY:   calendar.Quarterly,
	typev1.Frequency_FREQUENCY_HALF_YEARLY: calendar.HalfYearly,
	typev1.Frequency_FREQUENCY_YEARLY:      calendar.Yearly,
}

// periods makes up a calendar and a frequency, mostly months.
func (h *history) periods() (string, typev1.Frequency) {
	id := pick(h, []string{"", "statistical", "administrative", "administrative", "tenth"})
	if h.one(2) {
		return id, typev1.Frequency_FREQUENCY_MONTHLY
	}
	return id, typev1.Frequency(h.r.IntN(5))
}

// putCalendar writes a calendar.
func (h *history) putCalendar(c *mCalendar) error {
	res := &registryv1.Calendar{Name: "calendars/" + c.id, DisplayName: c.id, CutOffDay: uint32(c.cut)}
	if c.cut == calendar.EndOfMonth {
		res.CutOffDay = 0
	}
	for _, d := range c.off {
		res.Holidays = append(res.Holidays, &registryv1.Holiday{Date: d.String(), DisplayName: "off"})
	}
	for _, d := range c.worked {
		res.WorkingDates = append(res.WorkingDates, d.String())
	}
	want := h.w.changed(nil, func() { h.w.days[c.id] = c })
	h.w.toldTo = h.w.today - 1 // the next block tells what falls on today by that
	h.change(&registryv1.Change{Resource: &registryv1.Change_Calendar{Calendar: res}})
	return h.announced(want)
}

// changeCalendar gives a calendar other days off.
func (h *history) changeCalendar() error {
	old := h.w.days[pick(h, []string{"statistical", "administrative", "tenth"})]
	c := &mCalendar{id: old.id, cut: old.cut}
	for range h.r.IntN(6) {
		for d, n := h.near(), 1+h.r.IntN(9); n > 0; d, n = d+1, n-1 {
			c.off = append(c.off, d)
		}
	}
	for range h.r.IntN(4) {
		d := h.near()
		c.worked = append(c.worked, d+calendar.Date((6-(int(d)+6)%7)%7)) // the Saturday on it or after
	}
	slices.Sort(c.off)
	slices.Sort(c.worked)
	c.off, c.worked = slices.Compact(c.off), slices.Compact(c.worked)
	return h.putCalendar(c)
}

func (h *history) newRegime() error {
	m := &mMeasure{id: fmt.Sprint("regime-", len(h.w.regimes)), regime: &registryv1.Regime{}, goalRev: h.w.revision + 1}
	m.regime.Name = "programmes/" + prog + "/regimes/" + m.id
	m.regime.Calendar, m.regime.Frequency = h.periods()
	m.cut, m.length = h.w.calendarOf(m.regime.GetCalendar()).cut, lengths[m.regime.GetFrequency()]
	h.terms(m)
	want := h.w.changed(nil, func() { h.w.regimes = append(h.w.regimes, m) })
	h.w.tellToday(m, want.rungs)
	h.sendRegime(m)
	return h.announced(want)
}

// terms sets by when reports are owed, and what of them is a milestone.
func (h *history) terms(m *mMeasure) {
	r := m.regime
	r.DueWorkingDays, r.GraceWorkingDays, r.LevelOffsets = uint32(1+h.r.IntN(12)), uint32(max(0, h.r.IntN(7)-3)), nil
	for _, level := range []string{"l1", "l2"} {
		if h.one(3) {
			r.LevelOffsets = append(r.LevelOffsets, &registryv1.LevelOffset{Level: level, DueWorkingDays: uint32(1 + h.r.IntN(12))})
		}
	}
	if r.FromDate = ""; h.one(4) {
		r.FromDate = max(h.near(), h.w.start).String()
	}
	r.Silent = h.one(8)
	if r.Milestones = nil; h.one(2) {
		r.Milestones = &registryv1.MilestoneRule{Thresholds: h.lines(m, true), Disabled: h.one(12)}
		if h.one(3) {
			r.Milestones.Levels = []string{"l0", "l1"}
		}
	}
}

func (h *history) changeRegime() error {
	if len(h.w.regimes) == 0 {
		return nil
	}
	old := pick(h, h.w.regimes)
	m := *old
	m.regime = proto.Clone(old.regime).(*registryv1.Regime)
	h.terms(&m)
	if h.one(2) {
		m.regime.Milestones = old.regime.GetMilestones()
	}
	reset := map[string][]*registryv1.Threshold{}
	if !proto.Equal(m.regime.GetMilestones(), old.regime.GetMilestones()) {
		reset[m.id] = h.w.thresholds(&m)
		m.goalRev = h.w.revision + 1
	}
	want := h.w.changed(reset, func() { *old = m })
	h.w.tellToday(old, want.rungs)
	h.sendRegime(old)
	if err := h.announced(want); err != nil {
		return fmt.Errorf("regime %v: %w", m.regime, err)
	}
	return nil
}

func (h *history) sendRegime(m *mMeasure) {
	h.change(&registryv1.Change{Resource: &registryv1.Change_Regime{Regime: proto.Clone(m.regime).(*registryv1.Regime)}})
}

// goalInTime is a goal that is held against earlier periods, or grows.
func (h *history) goalInTime(m *mMeasure) *registryv1.Goal {
	if m.kind() == ratio || h.one(2) {
		return &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_BEAT, Beat: registryv1.BeatAgainst(h.r.IntN(3))}
	}
	g := &registryv1.Goal{Kind: registryv1.GoalKind_GOAL_KIND_GROWTH, Growth: 1 + int64(h.r.IntN(300_000)), GrowthMode: registryv1.GrowthMode(h.r.IntN(3))}
	if g.GrowthMode == registryv1.GrowthMode_GROWTH_MODE_COMPOUND {
		g.Baseline, g.BaselineDate = new(int64(h.r.IntN(60))), (h.near() - 60).String()
	}
	return g
}

// grant asks for an exception, mostly for something that is owed.
func (h *history) grant() error {
	var all []*mMeasure
	for _, m := range slices.Concat(h.w.measures, h.w.regimes, h.w.regimes) {
		if m.target == nil || h.one(20) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil
	}
	m, u, p := pick(h, all), pick(h, h.w.units), Current
	for range 10 {
		if m.regime != nil {
			p = h.period(m)
		}
		if m.target != nil || h.w.owed(m, u, p) {
			break
		}
		u = pick(h, h.w.units)
	}
	by := h.w.units[0]
	if u == by || h.one(20) {
		by = pick(h, h.w.units)
	}
	g := &Grant{Programme: prog, Target: m.id, Unit: u.id, Period: periodName(p), By: by.id}
	if due := calendar.Date(0); !h.one(4) {
		if m.target == nil {
			due, _ = h.w.deadline(m, u, p)
		}
		g.Until = due + calendar.Date(h.r.IntN(40)-3)
		if h.one(3) {
			g.Until = max(due+1, h.w.today+pick(h, []calendar.Date{0, 1, 7, 30})) // a rung falls on today
		}
		g.Until = max(1, g.Until)
	}
	return h.granted(g, m, u, p)
}

// granted sends a wish for an exception to book and model.
func (h *history) granted(g *Grant, m *mMeasure, u *mUnit, p calendar.Period) error {
	want := h.w.mayGrant(m, u, p, g.Until, g.By)
	sequence, err := h.layer.Grant(g)
	h.script = append(h.script, func(l *Book) { _, _ = l.Grant(g) })
	var no *Refusal
	if err != nil && !errors.As(err, &no) {
		return err
	}
	first := h.w.grantOf(m, u, p)
	if (no != nil) != (want == "refused") || want == "holds" && sequence != first || want == "" && sequence <= first {
		return fmt.Errorf("%+v is answered %d %v, want %q", g, sequence, err, want)
	}
	if want != "" {
		h.played.NoGrant++
		return h.announced(follows{})
	}
	h.played.Excused += intOf(g.Until == 0)
	h.played.Extended += intOf(g.Until != 0)
	original, _ := h.w.original(m, u, p)
	follow := h.w.changed(nil, func() { h.w.grants = append(h.w.grants, mGrant{m.id, u.id, p, g.Until, sequence}) })
	h.w.tellToday(m, follow.rungs)
	if e, err := decoded(h.layer.Drafts()[h.seen : h.seen+1]); err != nil || e[0].GetSequence() != sequence ||
		e[0].GetDeadlineExtended().GetOriginalDueDate() != original.String() || e[0].GetDeadlineExtended().GetGrantedBy() != g.By {
		return fmt.Errorf("%+v under %v is recorded as %v, %v; it was due on %s", g, m.regime, e, err, original)
	}
	if err := h.announced(follow); err != nil {
		return fmt.Errorf("%+v: %w", g, err)
	}
	return nil
}

// review decides about a completion, mostly one that waits for it.
func (h *history) review() error {
	var s *Submission
	for _, m := range h.w.measures {
		if m.task == nil {
			continue
		}
		all := h.w.cells(m)
		for _, u := range h.w.units {
			if len(all[u.id]) == 0 {
				continue
			}
			if f, unit := pick(h, all[u.id]), u.id; f.value.State == Awaiting && h.one(2) || h.one(40) {
				s = &Submission{Programme: prog, Target: m.id, Unit: unit, Period: f.period, RequestID: fmt.Sprint(len(h.sent), "-", len(h.w.facts)),
					ExpectedRevision: h.w.revisionOf(m.id, unit, f.period), Value: yes(), Review: &Review{Reviewer: pick(h, h.w.units).id}}
			}
		}
	}
	if s == nil {
		return nil
	}
	for _, a := range h.w.measure(s.Target).task.GetAssignments() {
		if a.GetRole() == registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING && !h.one(8) {
			s.Review.Reviewer = a.GetUnit()
		}
	}
	if h.one(3) {
		s.Review.Code = eventv1.ReturnCode_RETURN_CODE_MISSING_EVIDENCE
	}
	h.script = append(h.script, func(l *Book) { _, _ = l.Submit(s) })
	n := h.played.Accepted
	err := h.submit(s)
	if h.played.Accepted > n {
		h.played.Approved += intOf(s.Review.Code == 0)
		h.played.Returned += intOf(s.Review.Code != 0)
	}
	return err
}

// recorded compares what an event says of a submission beside its value.
func (h *history) recorded(s *Submission, e *eventv1.Event) error {
	r := e.GetSubmissionAccepted()
	for _, other := range []*eventv1.SubmissionRecorded{e.GetSubmissionWithdrawn(), e.GetSubmissionApproved(), e.GetSubmissionReturned()} {
		if other != nil {
			r = other
		}
	}
	f, regime := h.w.factOf(s), h.w.measure(s.Target).target.GetRegime()
	if r.GetLate() != f.late || r.GetRegime() != regime || State(r.GetState()) != f.value.State || r.GetPeriod() != f.period.String() {
		return fmt.Errorf("%+v is recorded as %v, want late=%t under %q, state %d", s, r, f.late, regime, f.value.State)
	}
	h.played.LateValues += intOf(f.late)
	h.played.Awaited += intOf(f.value.State == Awaiting)
	return nil
}

// sameDuties compares what is kept of reports and of parts of tasks.
func (h *history) sameDuties(m *mMeasure, p calendar.Period, s *sheet) error {
	if m.regime == nil && (m.task == nil || p != Current) || m.regime != nil && p == Current {
		return nil
	}
	for _, u := range h.w.units {
		d := s.duties.At(h.b.UnitByID(u.id).ix)
		if d.came != h.w.came(m, u.id, p) || d.excused != h.w.excused(m, u.id, p) || d.until != h.w.granted(m, u.id, p) {
			return fmt.Errorf("what %s owes of %s in %q is %+v, want %s, excused %t, until %s", u.id, m.id, periodName(p), d,
				h.w.came(m, u.id, p), h.w.excused(m, u.id, p), h.w.granted(m, u.id, p))
		}
	}
	return nil
}

// readTime holds figures of longer periods, and those of an earlier day, against
// the model.
func (h *history) readTime() error {
	m := pick(h, h.w.measures)
	own := h.b.MeasureByID(prog, m.id)
	if l := pick(h, []calendar.Length{calendar.Quarterly, calendar.HalfYearly, calendar.Yearly}); l > m.length && m.target != nil {
		p := m.on(h.w.today - calendar.Date(h.r.IntN(400))).In(l)
		h.played.Spans++
		if err := h.sameFigures(m, h.b.View(own, p), h.w.totals(m, p), p.String()); err != nil {
			return err
		}
	}
	if h.one(4) {
		m = pick(h, allCounts())
		own = h.b.MeasureByID(prog, m.id)
	}
	then := h.asOf(h.w.today - calendar.Date(h.r.IntN(300)))
	h.played.AsOf++
	return h.sameFigures(m, h.b.ViewAsOf(own, then.today), then.totals(m, Current), "as of "+then.today.String())
}

func (h *history) sameFigures(m *mMeasure, v *View, totals []mTotal, when string) error {
	if over := slices.ContainsFunc(totals, func(t mTotal) bool { return t.over }); over || v.Err() != nil {
		if (v.Err() != nil) != over {
			return fmt.Errorf("%s %s: %v, and a total leaves the range: %t", m.id, when, v.Err(), over)
		}
		return nil
	}
	for _, u := range h.w.units {
		if f := v.Figure(h.b.UnitByID(u.id)); (!m.derived() || u.id == mRoot) && (f.Total != totals[u.ix].Tally || f.Qualifier != totals[u.ix].qual) {
			return fmt.Errorf("%s at %s %s is %+v %d, want %+v", m.id, u.id, when, f.Total, f.Qualifier, totals[u.ix])
		}
	}
	return nil
}

// asOf is the world of an earlier day, of what is reported by now: of periods that
// had begun by then.
func (h *history) asOf(day calendar.Date) *world {
	then := *h.w
	then.today, then.facts = day, nil
	for _, f := range h.w.facts {
		if f.period <= h.w.measure(f.target).on(day) {
			then.facts = append(then.facts, f)
		}
	}
	then.moved()
	return &then
}

// grantOf is the event that recorded the last exception; 0 for none.
func (w *world) grantOf(m *mMeasure, u *mUnit, p calendar.Period) uint64 {
	var sequence uint64
	for _, g := range w.grants {
		if g.target == m.id && g.unit == u.id && g.period == p {
			sequence = g.sequence
		}
	}
	return sequence
}
