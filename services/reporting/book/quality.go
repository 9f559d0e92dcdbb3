package book

import (
	"slices"
	"strings"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// TargetsUnder lists the targets that are reported under a regime.
func (b *Book) TargetsUnder(regime *Measure) []*Measure { return b.targetsUnder(regime) }

// UnitQuality is the quality of the data of a unit and all below it.
type UnitQuality struct {
	Unit   *Unit
	Counts score.Counts
}

// Quality counts the reports under a regime and the values of some of its targets
// in some of its periods: of a unit and all below it, and of each unit directly
// below, by id. Each period is added by its own tree; a unit is listed that stands
// there on the last period's last day, or has counts. Nothing is verified yet.
func (b *Book) Quality(top *Unit, regime *Measure, targets []*Measure, periods []calendar.Period) (total UnitQuality, below []UnitQuality) {
	p := &peers{b: b, units: b.everBelow(top)}
	p.units = append(p.units, top) // that counts alone, without those below
	p.alone = top.ix
	p.out = make([]score.Counts, len(p.units))
	for _, period := range periods {
		if !b.Spend(1) {
			break
		}
		p.stand(period, func(u *Unit) bool { return u.parentIn(period) == top.ix })
		p.count(regime, targets, period)
	}
	total.Unit = top
	for i, u := range p.units {
		total.Counts = total.Counts.Add(p.out[i])
		if _, exists := u.on(periods[len(periods)-1].LastDay()); u != top && (exists && u.parentIn(periods[len(periods)-1]) == top.ix || p.out[i] != (score.Counts{})) {
			below = append(below, UnitQuality{u, p.out[i]})
		}
	}
	slices.SortFunc(below, func(x, y UnitQuality) int { return strings.Compare(x.Unit.id, y.Unit.id) })
	return total, below
}

// everBelow lists the units that stand, or ever stood, directly below one.
func (b *Book) everBelow(top *Unit) []*Unit {
	var units []*Unit
	for at := b.kin.Get(top.ix); at != nil; at = at.next {
		units = append(units, b.unit(at.child))
	}
	return units
}

// QualityOf is Quality of several units, none of which stands below another.
func (b *Book) QualityOf(units []*Unit, regime *Measure, targets []*Measure, periods []calendar.Period) []score.Counts {
	p := &peers{b: b, units: units, out: make([]score.Counts, len(units))}
	for _, period := range periods {
		if !b.Spend(1) {
			break
		}
		p.stand(period, func(*Unit) bool { return true })
		p.count(regime, targets, period)
	}
	return p.out
}

// peers are units that are counted side by side, each with all below it.
type peers struct {
	b     *Book
	units []*Unit
	alone unitIx  // of units: is counted without those below it; 0 for none
	in    []bool  // by peer: counts in the period
	group []int32 // by unit: to which peer it belongs, from 1; 0 for none
	out   []score.Counts
}

// stand finds out who belongs to whom by the tree of a period.
func (p *peers) stand(tree calendar.Period, counts func(*Unit) bool) {
	p.in = make([]bool, len(p.units))
	p.group = make([]int32, p.b.unitCount+1)
	p.b.Spend(len(p.group)/64 + len(p.units))
	for i, u := range p.units {
		p.in[i] = u.ix == p.alone || counts(u)
		if !p.in[i] {
			continue
		}
		p.group[u.ix] = int32(i + 1)
		if u.ix != p.alone {
			for below := range p.b.under(u.ix, tree) {
				p.group[below] = int32(i + 1)
			}
		}
	}
}

// count adds what came in a period, and what is known of it.
func (p *peers) count(regime *Measure, targets []*Measure, period calendar.Period) {
	p.tallies(regime, period, func(c *score.Counts, t Tally) {
		c.ReportsExpected += int64(t.Expected)
		c.ReportsOnTime += t.Num
	})
	for _, m := range targets {
		if !p.b.Spend(1) {
			return
		}
		p.tallies(m, period, func(c *score.Counts, t Tally) {
			c.Expected += int64(t.Expected)
			c.Present += int64(t.Reporting)
			c.Fresh += int64(t.Reporting)
		})
		p.remarks(m, period)
	}
}

// tallies calls add with the total of each peer. Of a period for which nobody
// reported there is no sheet: all that is known is who is expected.
func (p *peers) tallies(m *Measure, period calendar.Period, add func(*score.Counts, Tally)) {
	s := p.b.sheet(sheetKey{m.ix, period})
	if s == nil {
		p.b.Spend(int(p.b.unitCount) / 4)
		scope := p.b.sheet(sheetKey{m.ix, Current}).scope
		for unit := unitIx(1); unit <= p.b.unitCount; unit++ {
			if turns := scope.Peek(unit); p.group[unit] > 0 && turns != nil && scopedIn(*turns, period) {
				add(&p.out[p.group[unit]-1], Tally{Expected: 1})
			}
		}
		return
	}
	p.b.Spend(len(p.units) / 2)
	for i, u := range p.units {
		switch n := s.nodes.At(u.ix); {
		case !p.in[i]:
		case u.ix == p.alone:
			add(&p.out[i], n.part(m.kind))
		default:
			add(&p.out[i], n.sum)
		}
	}
}

// remarks adds what is known of values beside them, of those that count.
func (p *peers) remarks(m *Measure, period calendar.Period) {
	s := p.b.sheet(sheetKey{m.ix, period})
	if s == nil {
		return
	}
	p.b.Spend(int(p.b.unitCount) / 4)
	for unit := unitIx(1); unit <= p.b.unitCount; unit++ {
		if p.group[unit] == 0 {
			continue
		}
		q := s.quality.Peek(unit)
		if q == nil || *q == (quality{}) {
			continue
		}
		if n := s.nodes.Peek(unit); n == nil || !n.scoped || !n.state.present() {
			continue
		}
		c := &p.out[p.group[unit]-1]
		c.Fresh -= int64(intOf(q.late))
		c.ChecksRun += int64(q.run)
		c.ChecksFailed += int64(q.failed)
		c.OpenFindings += int64(intOf(q.open > 0))
	}
}

// present reports whether a cell in this state counts as one that came.
func (s State) present() bool { return s == Reported || s == Bare || s == Awaiting }

// AssignmentsOf counts, as of the end of a day, today at the latest, the assignments
// of single tasks by class: of each of some units, none of which stands below another,
// with all below it by the tree of the day. Groups of tasks are never added to tasks. Of a part
// that was sent anew after it had been accepted, only the last day is known.
func (b *Book) AssignmentsOf(programme string, units []*Unit, day calendar.Date) []score.Timeliness {
	p := &peers{b: b, units: units}
	p.stand(b.treeOn(day), func(*Unit) bool { return true })
	day = min(day, b.today) // nothing is overdue that is due later in a period which has begun
	out := make([]score.Timeliness, len(units))
	for _, m := range b.measuresOf(programme) {
		if m.task == nil || m.task.GetForm() != typev1.TaskForm_TASK_FORM_TASK {
			continue
		}
		s := b.sheet(sheetKey{m.ix, Current})
		if !b.Spend(1 + 5*len(m.task.GetAssignments())) {
			break
		}
		for _, a := range m.task.GetAssignments() {
			unit := b.unitIDs.Get(a.GetUnit())
			n := s.nodes.At(unit)
			if p.group[unit] == 0 || !owes(a.GetRole()) || !n.scoped || n.state == NotApplicable {
				continue
			}
			d := s.duties.At(unit)
			due, _ := b.deadline(m, b.unit(unit), Current, d, nil)
			done := n.state == Reported && n.num == 1 && d.came <= day
			t := &out[p.group[unit]-1]
			*t = t.Count(score.Classify(done, int32(d.came), int32(due), int32(day)))
		}
	}
	return out
}

// treeOn is the period by whose tree the figures of a day are added.
func (b *Book) treeOn(day calendar.Date) calendar.Period {
	if day == b.today {
		return Current
	}
	return calendar.From(day)
}

// UnitsOf lists the units of a level that exist on a day below another, by id. None
// of them stands below another: what is below a unit of the level is part of it.
func (b *Book) UnitsOf(level string, top *Unit, day calendar.Date) []*Unit {
	var units []*Unit
	tree := b.treeOn(day)
	for left := []unitIx{top.ix}; len(left) > 0; {
		at := left[len(left)-1]
		left = left[:len(left)-1]
		for ix := range b.childrenIn(at, tree) {
			u := b.unit(ix)
			if at, exists := u.on(day); exists && at.level == level {
				units = append(units, u)
			} else {
				left = append(left, ix)
			}
		}
	}
	slices.SortFunc(units, func(x, y *Unit) int { return strings.Compare(x.id, y.id) })
	return units
}

// PeriodAround reads the name of a period in the measure's calendar: the period, or
// the measure's own that contains it.
func (m *Measure) PeriodAround(name string) (calendar.Period, error) {
	p, err := m.cut.Parse(name)
	if err != nil {
		return 0, err
	}
	return p.In(max(p.Length(), m.length)), nil
}

// OwnPeriods lists the measure's own periods in a period of its calendar that have
// begun by a day.
func (m *Measure) OwnPeriods(p calendar.Period, by calendar.Date) []calendar.Period {
	return slices.DeleteFunc(p.Split(m.length), func(own calendar.Period) bool { return own.FirstDay() > by })
}

// LastEnded is the measure's newest period that is over at the end of a day.
func (m *Measure) LastEnded(day calendar.Date) calendar.Period { return m.periodOn(day + 1).Prev() }

// Cut is where the months end of the measure's calendar.
func (m *Measure) Cut() calendar.Cut { return m.cut }

// Root returns the id of the unit at the top of the programme.
func (p *Programme) Root() string { return p.res.GetRootUnit() }

// Scorecard returns a scorecard by id, nil when there is none.
func (p *Programme) Scorecard(id string) *registryv1.Scorecard {
	for _, c := range p.res.GetScorecards() {
		if c.GetId() == id {
			return c
		}
	}
	return nil
}
