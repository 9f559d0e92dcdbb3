package book

import (
	"cmp"
	"fmt"
	"slices"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// The ways in which a finding is settled.
const (
	corrected = eventv1.FindingResolution_FINDING_RESOLUTION_CORRECTED
	confirmed = eventv1.FindingResolution_FINDING_RESOLUTION_CONFIRMED
)

// finding is a value that looked wrong when the event that opened it came.
type finding struct {
	at             cellAt
	check          check
	value, against int64
	opened         int64                     // microseconds
	how            eventv1.FindingResolution // 0 while it is open
	by             unitIx                    // that confirmed it
	settled        uint64                    // number of the event that settled it
	num, den       int64                     // of what was confirmed
}

func (f *finding) open() bool { return f.how == 0 }

// settleFindings decides what becomes of findings after a submission was recorded:
// what passes now, or is no value any more, is settled; what looks wrong and was
// not confirmed is a finding.
func (b *Book) settleFindings(verdicts []verdict, cause uint64) {
	for i := range verdicts {
		v := &verdicts[i]
		for _, id := range b.flagged.Get(v.at) {
			if f := b.findings.Get(id); f.open() && !v.finds(f.check) {
				b.emitResolved(id, &f, corrected, "", nil, cause)
			}
		}
		for _, s := range v.found {
			if !b.isKnown(v.at, s.check) {
				b.emitOpened(v.at, s, cause)
			}
		}
	}
}

// isKnown reports whether a cell has a finding of a check that is open, or was
// confirmed of the value that it holds.
func (b *Book) isKnown(c cellAt, k check) bool {
	n := b.cell(sheetKey{c.measure, c.period}, c.unit)
	return slices.ContainsFunc(b.flagged.Get(c), func(id uint64) bool {
		f := b.findings.Get(id)
		return f.check == k && (f.open() || f.how == confirmed && f.num == n.num && f.den == n.den)
	})
}

func (b *Book) emitOpened(c cellAt, s suspicion, cause uint64) {
	m, u := b.measure(c.measure), b.unit(c.unit)
	o := &eventv1.FindingOpened{Target: m.key.id, Path: b.path(c.unit, Current), Period: c.period.String(), Check: s.kind,
		Revision: b.cell(sheetKey{c.measure, c.period}, c.unit).rev, Value: s.value, Against: s.against, Owner: u.id}
	if s.other != 0 {
		o.Other = b.measure(s.other).key.id
	}
	b.emit(&eventv1.Event{Programme: m.key.programme, Causation: cause, Payload: &eventv1.Event_FindingOpened{FindingOpened: o}}, nil)
}

func (b *Book) emitResolved(id uint64, f *finding, how eventv1.FindingResolution, by string, annex []byte, cause uint64) {
	m := b.measure(f.at.measure)
	b.emit(&eventv1.Event{Programme: m.key.programme, Causation: cause, Payload: &eventv1.Event_FindingResolved{
		FindingResolved: &eventv1.FindingResolved{Opened: id, Target: m.key.id, Path: b.path(f.at.unit, Current),
			Period: f.at.period.String(), Check: f.check.kind, Resolution: how, ResolvedBy: by}}}, annex)
}

func (b *Book) applyOpened(e *eventv1.Event, o *eventv1.FindingOpened) error {
	m, unit, err := b.look(e, o.GetTarget(), o.GetPath())
	if err != nil {
		return err
	}
	period, err := m.cut.Parse(o.GetPeriod())
	if err != nil {
		return err
	}
	c, k := cellAt{m.ix, unit, period}, check{kind: o.GetCheck()}
	if o.GetOther() != "" {
		k.other = b.measureIDs.Get(measureKey{e.GetProgramme(), o.GetOther()})
	}
	s := b.editSheet(sheetKey{m.ix, period})
	if s == nil {
		return fmt.Errorf("no sheet for the finding about %s in %s", o.GetTarget(), o.GetPeriod())
	}
	s.quality.Edit(unit).open++
	b.findings.Set(e.GetSequence(), finding{at: c, check: k, value: o.GetValue(), against: o.GetAgainst(), opened: e.GetTimeUnixMicros()})
	b.flag(c, k, e.GetSequence())
	return nil
}

// flag makes a finding the newest of its check at a cell.
func (b *Book) flag(c cellAt, k check, id uint64) {
	ids := slices.DeleteFunc(slices.Clone(b.flagged.Get(c)), func(old uint64) bool { return b.findings.Get(old).check == k })
	b.flagged.Set(c, append(ids, id))
}

func (b *Book) applyResolved(e *eventv1.Event, r *eventv1.FindingResolved) error {
	f, ok := b.findings.Lookup(r.GetOpened())
	if !ok || !f.open() || r.GetResolution() == 0 {
		return fmt.Errorf("no finding %d is open", r.GetOpened())
	}
	f.how, f.by, f.settled = r.GetResolution(), b.unitIDs.Get(r.GetResolvedBy()), e.GetSequence()
	if f.how == confirmed {
		n := b.cell(sheetKey{f.at.measure, f.at.period}, f.at.unit)
		f.num, f.den = n.num, n.den
	}
	b.findings.Set(r.GetOpened(), f)
	b.editSheet(sheetKey{f.at.measure, f.at.period}).quality.Edit(f.at.unit).open--
	return nil
}

// applyRechecked keeps what an event says of the checks of other cells.
func (b *Book) applyRechecked(e *eventv1.Event, s *eventv1.SubmissionRecorded) error {
	for _, c := range s.GetRechecked() {
		m, unit, err := b.look(e, c.GetTarget(), c.GetUnit())
		if err != nil {
			return err
		}
		period, err := m.cut.Parse(c.GetPeriod())
		if err != nil {
			return err
		}
		at := b.editSheet(sheetKey{m.ix, period})
		if at == nil {
			return fmt.Errorf("no sheet of %s in %s", c.GetTarget(), c.GetPeriod())
		}
		q := at.quality.Edit(unit)
		q.run, q.failed = uint8(c.GetChecksRun()), uint8(c.GetChecksFailed())
	}
	return nil
}

// Confirmation is a person's word that a value which looks wrong is right.
type Confirmation struct {
	Programme string
	Finding   uint64
	By        string // id of the unit that says so: the finding's owner, or one above it
	Annex     []byte // kept beside the event
}

// Confirm settles a finding and returns the number of the event that did: of the
// first, when the same unit confirmed it before. It refuses with a *Refusal.
func (b *Book) Confirm(c *Confirmation) (uint64, error) {
	f, ok := b.findings.Lookup(c.Finding)
	by := b.unitIDs.Get(c.By)
	switch {
	case b.programmes.Get(c.Programme) == nil:
		return 0, refuse(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme", "there is no programme %s", c.Programme)
	case !ok || b.measure(f.at.measure).key.programme != c.Programme:
		return 0, refuse(errorv1.Reason_REASON_FINDING_NOT_FOUND, "finding", "programme %s has no finding %d", c.Programme, c.Finding)
	case by == 0:
		return 0, refuse(errorv1.Reason_REASON_UNIT_NOT_FOUND, "resolved_by", "there is no unit %s", c.By)
	case f.how == confirmed && f.by == by:
		return f.settled, nil
	case !f.open():
		return 0, refuse(errorv1.Reason_REASON_FINDING_RESOLVED, "finding", "finding %d was settled by event %d", c.Finding, f.settled)
	case !b.isUnder(f.at.unit, by):
		return 0, refuse(errorv1.Reason_REASON_NOT_COMPETENT, "resolved_by",
			"unit %s is neither %s, which has to settle it, nor above it", c.By, b.unit(f.at.unit).id)
	}
	sequence := b.stamp.Next
	b.emitResolved(c.Finding, &f, confirmed, c.By, c.Annex, 0)
	return sequence, nil
}

// isUnder reports whether a unit is another or stands below it today.
func (b *Book) isUnder(unit, top unitIx) bool {
	found := false
	b.up(unit, Current, func(at unitIx) { found = found || at == top })
	return found
}

// Finding is a value that looks wrong.
type Finding struct {
	ID             uint64 // number of the event that opened it
	Measure        *Measure
	Unit           *Unit // which has to settle it, too
	Period         calendar.Period
	Check          registryv1.CheckKind
	Value, Against int64                     // in the measure's fixed point
	Resolution     eventv1.FindingResolution // 0 while it is open
	ResolvedBy     string                    // id of the unit that confirmed it; may be empty
	TimeUnixMicros int64                     // when it was opened
}

// FindingFilter says which findings are meant.
type FindingFilter struct {
	Programme string
	Measure   *Measure // nil: of all
	Top       *Unit    // of units at or below it today; nil: of all
	Settled   bool     // also those that are settled
	Scope     string   // of cells that a unit reached in their periods; empty: of all
}

// rowsAClimb is how many rows it takes to find out who stands above a unit.
const rowsAClimb = 4

// Findings returns up to limit findings, newest first, that were opened before an
// event (0: all), and whether there are more.
func (b *Book) Findings(sel FindingFilter, before uint64, limit int) ([]Finding, bool) {
	if sel.Scope != "" && b.ReachesAll(sel.Scope) {
		sel.Scope = ""
	}
	var ids []uint64
	for id, f := range b.findings.All() {
		if !b.Spend(1) {
			break
		}
		m := b.measure(f.at.measure)
		if before != 0 && id >= before || !sel.Settled && !f.open() || m.key.programme != sel.Programme || sel.Measure != nil && sel.Measure.ix != m.ix {
			continue
		}
		b.Spend(rowsAClimb)
		if (sel.Top == nil || b.isUnder(f.at.unit, sel.Top.ix)) && (sel.Scope == "" || b.Reaches(sel.Scope, b.unit(f.at.unit).id, f.at.period)) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(x, y uint64) int { return cmp.Compare(y, x) })
	more := len(ids) > limit
	out := make([]Finding, min(limit, len(ids)))
	for i := range out {
		f := b.findings.Get(ids[i])
		out[i] = Finding{ID: ids[i], Measure: b.measure(f.at.measure), Unit: b.unit(f.at.unit), Period: f.at.period,
			Check: f.check.kind, Value: f.value, Against: f.against, Resolution: f.how, TimeUnixMicros: f.opened}
		if f.by != 0 {
			out[i].ResolvedBy = b.unit(f.by).id
		}
	}
	return out, more
}

// recomputeFindings compares how many findings each cell says are open with those
// that are.
func (b *Book) recomputeFindings() error {
	open := make(map[cellAt]uint8)
	for _, f := range b.findings.All() {
		if f.open() {
			open[f.at]++
		}
	}
	for k, s := range b.sheets {
		for unit := unitIx(1); unit <= b.unitCount; unit++ {
			if got, want := s.quality.At(unit).open, open[cellAt{k.measure, unit, k.period}]; got != want {
				m := b.measure(k.measure)
				return fmt.Errorf("%s/%s at unit %s in %q has %d open findings, its cell says %d",
					m.key.programme, m.key.id, b.unit(unit).id, periodName(k.period), want, got)
			}
		}
	}
	return nil
}

func (b *Book) writeFindings(w *imageWriter) {
	w.uint(uint64(b.findings.Len()))
	for id, f := range b.findings.All() {
		w.uint(id)
		w.int(int64(f.at.measure))
		w.int(int64(f.at.unit))
		w.int(int64(f.at.period))
		w.int(int64(f.check.kind))
		w.int(int64(f.check.other))
		w.int(f.value)
		w.int(f.against)
		w.int(f.opened)
		w.int(int64(f.how))
		w.int(int64(f.by))
		w.uint(f.settled)
		w.int(f.num)
		w.int(f.den)
	}
	w.uint(uint64(b.flagged.Len()))
	for c, ids := range b.flagged.All() {
		w.int(int64(c.measure))
		w.int(int64(c.unit))
		w.int(int64(c.period))
		w.uint(uint64(len(ids)))
		for _, id := range ids {
			w.uint(id)
		}
	}
}

func (b *Book) readFindings(r *imageReader) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		id := r.uint()
		b.findings.Set(id, finding{at: cellAt{measureIx(r.int()), unitIx(r.int()), calendar.Period(r.int())},
			check: check{registryv1.CheckKind(r.int()), measureIx(r.int())}, value: r.int(), against: r.int(), opened: r.int(),
			how: eventv1.FindingResolution(r.int()), by: unitIx(r.int()), settled: r.uint(), num: r.int(), den: r.int()})
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := cellAt{measureIx(r.int()), unitIx(r.int()), calendar.Period(r.int())}
		var ids []uint64
		for k := r.count(); k > 0 && r.err == nil; k-- {
			ids = append(ids, r.uint())
		}
		b.flagged.Set(c, ids)
	}
}
