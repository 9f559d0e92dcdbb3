package book

import (
	"maps"
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// place is a total that is watched.
type place struct {
	period calendar.Period
	unit   unitIx
}

// judged is what a total's thresholds were before a goal or a scope changed.
type judged struct {
	place
	total Tally
	was   marks
	met   [maxThresholds]bool
	mute  [maxThresholds]bool // too few units have reported to judge
}

// placesAround lists the totals of a measure, as far as they may have milestones, of
// the given units and of those above them: in any period, where one can depend on
// another, in which a unit stood elsewhere.
func (b *Book) placesAround(m *Measure, units []unitIx) []place {
	var out []place
	periods := append([]calendar.Period{Current}, b.periods(m.ix)...)
	if m.looksBack() {
		for _, p := range periods {
			units = b.withAllAbove(units, p)
		}
	}
	for _, p := range periods {
		if !m.watched(p) {
			continue
		}
		for _, at := range b.withAllAbove(units, p) {
			out = append(out, place{p, at})
		}
	}
	return out
}

// withAllAbove lists units and all above them in a period, each once.
func (b *Book) withAllAbove(units []unitIx, p calendar.Period) []unitIx {
	var out []unitIx
	seen := make([]bool, b.unitCount+1)
	for _, unit := range units {
		for at := unit; at != 0 && !seen[at]; at = b.unit(at).parentIn(p) {
			seen[at] = true
			out = append(out, at)
		}
	}
	return out
}

// judgeAround judges, before the tree, the scope or the day changes at some units,
// the thresholds of all totals that this can move. affected names the units.
func (b *Book) judgeAround(affected func(*Measure) []unitIx) map[measureIx][]judged {
	out := make(map[measureIx][]judged)
	for _, m := range b.measuresOf("") {
		units := affected(m)
		switch {
		case len(units) == 0 || m.task != nil:
		case m.Derived():
			out[m.ix] = b.judgeAll(m, m.watch.thresholds, []place{{Current, b.unitIDs.Get(m.root)}})
		case !b.quiet(m):
			if m.kind != typev1.ValueKind_VALUE_KIND_COUNT && b.goalCounts.Get(m.ix) > 0 {
				units = b.allUnits() // whose goal is that of the nearest above
			}
			out[m.ix] = b.judgeAll(m, m.watch.thresholds, b.placesAround(m, units))
		}
	}
	return out
}

// allUnits lists every unit.
func (b *Book) allUnits() []unitIx {
	out := make([]unitIx, b.unitCount)
	for i := range out {
		out[i] = unitIx(i + 1)
	}
	return out
}

// quiet reports whether a target has nothing that could be carried.
func (b *Book) quiet(m *Measure) bool { return len(b.periods(m.ix)) == 0 }

// judgeAll judges thresholds at places by a measure's goal as it is now.
func (b *Book) judgeAll(m *Measure, thresholds []threshold, places []place) []judged {
	out := make([]judged, len(places))
	for i, at := range places {
		s := b.sheet(sheetKey{m.ix, at.period})
		n := s.nodes.At(at.unit)
		out[i] = judged{place: at, total: n.sum, was: s.marks.At(at.unit)}
		g, ok := b.goalOf(m, at.unit, at.period, s)
		judgeable := m.judgeable(&n, g)
		for k, t := range thresholds {
			if out[i].mute[k] = !judgeable && t.completeness == 0; !out[i].mute[k] {
				out[i].met[k] = b.met(m, t, at, g, ok, n.sum)
			}
		}
	}
	return out
}

// judgeCounts judges derived counts at the root.
func (b *Book) judgeCounts(counts []measureIx) map[measureIx][]judged {
	out := make(map[measureIx][]judged, len(counts))
	for _, ix := range counts {
		d := b.measure(ix)
		out[ix] = b.judgeAll(d, d.watch.thresholds, []place{{Current, b.unitIDs.Get(d.root)}})
	}
	return out
}

// carryAll carries over the milestones of several measures, in the order of their indexes.
func (b *Book) carryAll(before map[measureIx][]judged, reset func(*Measure) bool, cause uint64) {
	for _, ix := range slices.Sorted(maps.Keys(before)) {
		m := b.measure(ix)
		b.carry(m, before[ix], reset(m), cause)
	}
}

// never is for carryAll when no measure begins afresh.
func never(*Measure) bool { return false }

// carry settles thresholds at the places where they are watched now after a goal or a scope changed: what was reached and
// still is stays in silence, what is newly reached is announced, and what is not
// reached any more is forgotten in silence, to be announced when it is again. With
// reset all begins afresh under the measure's new revision.
func (b *Book) carry(m *Measure, before []judged, reset bool, cause uint64) {
	var silent []*eventv1.CarriedMarks
	before = slices.DeleteFunc(before, func(j judged) bool { return !m.watched(j.period) || !b.watches(m, b.unit(j.unit), j.period) })
	now := make([]judged, len(before))
	for i, j := range before {
		now[i] = b.judgeAll(m, m.watch.thresholds, []place{j.place})[0]
		if c := carried(m, &before[i], &now[i], reset); c != nil {
			c.Unit, c.Period = b.unit(j.unit).id, periodName(j.period)
			silent = append(silent, c)
		}
	}
	b.emitCarried(m, silent, reset, cause)
	m = b.measure(m.ix) // a reset gave it another goal revision
	for i, j := range before {
		g, _ := b.goalOf(m, j.unit, j.period, b.sheet(sheetKey{m.ix, j.period}))
		for k, t := range m.watch.thresholds {
			if now[i].met[k] && !j.met[k] && !(j.was.reached(k) && !reset) {
				b.cross(m, sheetKey{m.ix, j.period}, j.unit, k, t, g, true, j.total, now[i].total, cause)
			}
		}
	}
}

// carried says which marks of a total change in silence; nil when none does. A
// total of which too little is known keeps its marks.
func carried(m *Measure, old, now *judged, reset bool) *eventv1.CarriedMarks {
	next := make([]uint32, len(m.watch.thresholds))
	same := true
	for k := range next {
		ordinal := uint32(0)
		if !reset {
			ordinal = old.was.ordinal(k)
		}
		stays := now.met[k] && (old.met[k] || !reset && old.was.reached(k))
		if stays && ordinal == 0 {
			ordinal = 1
		}
		if next[k] = mark(ordinal, stays); now.mute[k] && !reset {
			next[k] = old.was[k]
		}
		same = same && next[k] == old.was[k]
	}
	if same && !reset || reset && !slices.ContainsFunc(next, func(n uint32) bool { return n != 0 }) {
		return nil
	}
	return &eventv1.CarriedMarks{Marks: next}
}

func (b *Book) emitCarried(m *Measure, silent []*eventv1.CarriedMarks, reset bool, cause uint64) {
	if len(silent) == 0 && !reset {
		return
	}
	path := b.path(b.unitIDs.Get(m.root), Current)
	revision := m.goalRevision
	if reset {
		revision = m.revision
	}
	for first := true; first || len(silent) > 0; first = false {
		n := min(len(silent), maxUnitsAnEvent)
		b.emit(&eventv1.Event{Programme: m.key.programme, Causation: cause,
			Payload: &eventv1.Event_MilestoneCarried{MilestoneCarried: &eventv1.MilestonesCarried{
				Target: m.key.id, Path: path, GoalRevision: revision, Reset_: reset && first, Units: silent[:n]}}}, nil)
		silent = silent[n:]
	}
}
