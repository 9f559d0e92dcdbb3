package book

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Recompute sums every roll-up afresh from the cells and compares it with the
// stored one. It returns how many totals were compared, and the first that differs
// as an error.
func (b *Book) Recompute() (int, error) {
	compared := 0
	for _, k := range b.sheetKeys() {
		m := b.measure(k.measure)
		if m.Derived() {
			n, err := b.recomputeDerived(m)
			if compared += n; err != nil {
				return compared, err
			}
			continue
		}
		if m.task != nil && k.period == Current && b.complete.Get(m.ix) != b.isComplete(m) {
			return compared, fmt.Errorf("task %s/%s is kept as complete=%t, which its rule does not say", m.key.programme, m.key.id, b.complete.Get(m.ix))
		}
		n, err := b.recomputeSheet(m, k)
		if compared += n; err != nil {
			return compared, err
		}
	}
	return compared, b.recomputeFindings()
}

func (b *Book) recomputeSheet(m *Measure, k sheetKey) (int, error) {
	sums := make([]Tally, b.unitCount+1)
	quals := make([]qualifiers, b.unitCount+1)
	var targets []*Measure // of a regime: looked for once, not for each unit
	if m.regime != nil {
		targets = b.targetsUnder(m)
	}
	s := b.sheets[k]
	for unit := unitIx(1); unit <= b.unitCount; unit++ {
		n := s.nodes.At(unit)
		part := n.part(m.kind)
		b.up(unit, k.period, func(at unitIx) {
			sums[at], _ = sums[at].Add(part)
			if n.counts() {
				quals[at].add(n.qual, 1)
			}
		})
		if err := b.recomputeOwn(m, targets, k, unit, &n); err != nil {
			return 0, err
		}
	}
	for unit := unitIx(1); unit <= b.unitCount; unit++ {
		n := s.nodes.At(unit)
		if n.sum != sums[unit] || s.quals.At(unit) != quals[unit] {
			return 0, fmt.Errorf("total of %s/%s at unit %s in %q is %+v, the cells add up to %+v",
				m.key.programme, m.key.id, b.unit(unit).id, periodName(k.period), n.sum, sums[unit])
		}
	}
	return int(b.unitCount), nil
}

// recomputeOwn compares what is kept for a unit itself with its cells.
func (b *Book) recomputeOwn(m *Measure, targets []*Measure, k sheetKey, unit unitIx, n *node) error {
	if m.regime != nil {
		return b.recomputeReport(m, targets, k, unit, n)
	}
	return b.recomputeCurrent(m, k, unit, n)
}

// recomputeReport compares how many values a report holds with its cells.
func (b *Book) recomputeReport(m *Measure, targets []*Measure, k sheetKey, unit unitIx, n *node) error {
	if k.period == Current {
		return nil
	}
	var values, nothing uint16
	for _, t := range targets {
		state := b.cell(sheetKey{t.ix, k.period}, unit).state
		values += uint16(intOf(state.held()))
		nothing += uint16(intOf(state == NotApplicable))
	}
	d := b.duty(k, unit)
	if d.values != values || d.nothing != nothing || (d.came != 0) != (values > 0) || (n.state == Reported) != (values > 0) {
		return fmt.Errorf("report of unit %s under %s/%s in %s holds %+v, its cells %d values, %d of them not applicable",
			b.unit(unit).id, m.key.programme, m.key.id, k.period, d, values, nothing)
	}
	return nil
}

// recomputeCurrent compares a unit's current value with its cells.
func (b *Book) recomputeCurrent(m *Measure, k sheetKey, unit unitIx, n *node) error {
	if k.period != Current {
		return nil
	}
	want := b.valueIn(m, unit, m.spanOn(b.today), 0, nil)
	want.node.scoped = n.scoped
	if want.node.part(m.kind) != n.part(m.kind) || want.node.newest() != n.newest() {
		return fmt.Errorf("current value of %s/%s at unit %s is %+v, its cells make %+v",
			m.key.programme, m.key.id, b.unit(unit).id, n.part(m.kind), want.node.part(m.kind))
	}
	return nil
}

func (b *Book) recomputeDerived(m *Measure) (int, error) {
	want := b.addTasks(m.key.programme, *m.derived, TaskFilter{}, b.today)
	if got := b.derivedTotal(m.key.programme, *m.derived); got != want {
		return 0, fmt.Errorf("count %s/%s is %+v, its tasks add up to %+v", m.key.programme, m.key.id, got, want)
	}
	return 1, nil
}

// Compare returns the first fact in which two books differ, as an error.
func Compare(x, y *Book) error {
	if x.head != y.head || x.registryRevision != y.registryRevision || x.today != y.today || x.told != y.told || x.handSet != y.handSet || x.moves != y.moves {
		return fmt.Errorf("heads differ: event %d, revision %d, %s against event %d, revision %d, %s",
			x.head, x.registryRevision, x.today, y.head, y.registryRevision, y.today)
	}
	if x.unitCount != y.unitCount || x.measureN != y.measureN {
		return fmt.Errorf("%d units and %d measures against %d and %d", x.unitCount, x.measureN, y.unitCount, y.measureN)
	}
	for ix := unitIx(1); ix <= x.unitCount; ix++ {
		if err := compareUnits(x.unit(ix), y.unit(ix)); err != nil {
			return err
		}
	}
	for ix := measureIx(1); ix <= x.measureN; ix++ {
		if err := compareMeasures(x, y, ix); err != nil {
			return err
		}
	}
	if !maps.Equal(maps.Collect(x.subjects.All()), maps.Collect(y.subjects.All())) {
		return fmt.Errorf("the last numbers on subjects differ")
	}
	if !maps.Equal(maps.Collect(x.goals.All()), maps.Collect(y.goals.All())) {
		return fmt.Errorf("allocations differ")
	}
	if !maps.Equal(maps.Collect(x.findings.All()), maps.Collect(y.findings.All())) ||
		!maps.EqualFunc(maps.Collect(x.flagged.All()), maps.Collect(y.flagged.All()), slices.Equal[[]uint64]) {
		return fmt.Errorf("findings differ")
	}
	if !maps.Equal(maps.Collect(x.closings.All()), maps.Collect(y.closings.All())) {
		return fmt.Errorf("closings differ")
	}
	if !slices.Equal(x.requests.freeze().order, y.requests.freeze().order) {
		return fmt.Errorf("the request ids remembered differ")
	}
	return nil
}

func compareUnits(u, v *Unit) error {
	if u.id != v.id || u.name != v.name || u.closed != v.closed || u.parent != v.parent || u.moved != v.moved ||
		!slices.Equal(u.placements, v.placements) || !slices.Equal(u.parents, v.parents) {
		return fmt.Errorf("unit %s differs: %+v against %+v", u.id, *u, *v)
	}
	return nil
}

func compareMeasures(x, y *Book, ix measureIx) error {
	m, n := x.measure(ix), y.measure(ix)
	if m.key != n.key || m.revision != n.revision || m.goalRevision != n.goalRevision || x.complete.Get(ix) != y.complete.Get(ix) ||
		!proto.Equal(m.target, n.target) || !proto.Equal(m.task, n.task) || !proto.Equal(m.regime, n.regime) {
		return fmt.Errorf("measure %s/%s differs", m.key.programme, m.key.id)
	}
	if !slices.Equal(x.periods(ix), y.periods(ix)) {
		return fmt.Errorf("measure %s/%s has the periods %v against %v", m.key.programme, m.key.id, x.periods(ix), y.periods(ix))
	}
	for _, p := range append([]calendar.Period{Current}, x.periods(ix)...) {
		s, t := x.sheet(sheetKey{ix, p}), y.sheet(sheetKey{ix, p})
		for unit := unitIx(1); unit <= x.unitCount; unit++ {
			a, b := s.nodes.At(unit), t.nodes.At(unit)
			if a != b || s.quals.At(unit) != t.quals.At(unit) || s.marks.At(unit) != t.marks.At(unit) || !slices.Equal(s.scope.At(unit), t.scope.At(unit)) ||
				s.duties.At(unit) != t.duties.At(unit) || s.quality.At(unit) != t.quality.At(unit) {
				return fmt.Errorf("%s/%s at unit %s in %q: %+v against %+v", m.key.programme, m.key.id,
					x.unit(unit).id, periodName(p), a, b)
			}
		}
	}
	return nil
}
