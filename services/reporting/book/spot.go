package book

import (
	"fmt"
	"strings"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// spot is where a submission falls. It is looked up once for all that is decided
// and applied about the submission, because to look up is most of the work.
type spot struct {
	m      *Measure
	unit   unitIx
	period calendar.Period
	hash   uint64 // of the submitter's request id
	own    *line  // the unit and those above it by the tree of the period
	today  line   // the same by the tree of today
	other  line   // what own is where the two differ

	cells  ladder   // of the period
	now    ladder   // of the current figures
	regime *Measure // under which it is a part of a report; nil for none
	report ladder   // of the reports of the period
	late   bool     // it comes after the report's due date

	control  bool      // it is a control total: shown, never added
	verdicts []verdict // what the checks found, of its own cell first
	seen     uint32

	periodWas, currentWas, reportWas []Tally // their totals before the submission
	known                            dues
	event                            recording
}

// recording is the message of an accepted submission, used again and again: it is
// gone as soon as it is applied and encoded.
type recording struct {
	event     eventv1.Event
	recorded  eventv1.SubmissionRecorded
	accepted  eventv1.Event_SubmissionAccepted
	withdrawn eventv1.Event_SubmissionWithdrawn
	approved  eventv1.Event_SubmissionApproved
	returned  eventv1.Event_SubmissionReturned
}

// dress makes the message the event that tells of a submission, and says on what
// kind of subject.
func (r *recording) dress(s *Submission) subjectKind {
	m := &r.recorded
	switch {
	case s.Review != nil && s.Review.Code == 0:
		r.approved.SubmissionApproved, r.event.Payload = m, &r.approved
		return onApproved
	case s.Review != nil:
		r.returned.SubmissionReturned, r.event.Payload = m, &r.returned
		return onReturned
	case s.Value.State == Withdrawn:
		r.withdrawn.SubmissionWithdrawn, r.event.Payload = m, &r.withdrawn
		return onWithdrawn
	}
	r.accepted.SubmissionAccepted, r.event.Payload = m, &r.accepted
	return onAccepted
}

// place is another one whenever the unit's current path changes: the number of the
// last move of the unit or of one above it.
func (s *spot) place() uint32 { return s.today.moved() }

// subject is the subject of an event about the submission.
func (s *spot) subject(kind subjectKind) subjectKey {
	return subjectKey{kind: kind, measure: s.m.ix, unit: s.unit, place: s.place()}
}

// line is a unit and those above it, up to the root.
type line struct {
	n  int
	at [maxDepth]*Unit
}

// units are the line's, from the unit to the root.
func (l *line) units() []*Unit { return l.at[:l.n] }

// trace makes l the line of a unit by the tree of a period (or Current).
func (b *Book) trace(l *line, unit unitIx, p calendar.Period) {
	l.n = 0
	for ix := unit; ix != 0 && l.n < maxDepth; {
		u := b.unit(ix)
		if u == nil {
			return
		}
		l.at[l.n] = u
		l.n++
		ix = u.parentIn(p)
	}
}

// same reports whether the line is the same by the tree of a period.
func (l *line) same(p calendar.Period) bool {
	for _, u := range l.units() {
		if u.parentIn(p) != u.parent {
			return false
		}
	}
	return true
}

func (l *line) moved() uint32 {
	var v uint32
	for _, u := range l.units() {
		v = max(v, u.moved)
	}
	return v
}

// path returns the ids from the root to the unit, joined by dots.
func (l *line) path() string {
	size := l.n
	for _, u := range l.units() {
		size += len(u.id)
	}
	var out strings.Builder
	out.Grow(size)
	for i := l.n - 1; i >= 0; i-- {
		out.WriteString(l.at[i].id)
		if i > 0 {
			out.WriteByte('.')
		}
	}
	return out.String()
}

// spotAt makes the layer's spot that of a measure, a unit and a period. It is good
// until the next submission.
func (b *Book) spotAt(m *Measure, unit unitIx, p calendar.Period, hash uint64) *spot {
	if b.here == nil {
		b.here = new(spot)
	}
	at := b.here
	at.m, at.unit, at.period, at.hash, at.regime, at.late = m, unit, p, hash, nil, false
	at.control, at.verdicts = false, nil
	b.trace(&at.today, unit, Current)
	if at.own = &at.today; !at.today.same(p) {
		b.trace(&at.other, unit, p)
		at.own = &at.other
	}
	b.read(&at.cells, sheetKey{m.ix, p}, at.own)
	b.read(&at.now, sheetKey{m.ix, Current}, &at.today)
	at.seen = at.cells.fetch() | at.now.fetch()
	return at
}

// spotOf finds what an event of the log is about.
func (b *Book) spotOf(e *eventv1.Event, s *eventv1.SubmissionRecorded) (*spot, error) {
	m, unit, err := b.look(e, s.GetTarget(), s.GetPath())
	if err != nil {
		return nil, err
	}
	period, err := m.cut.Parse(s.GetPeriod())
	if err != nil {
		return nil, err
	}
	submitter := lastOf(s.GetPath())
	if s.GetReviewer() != "" {
		submitter = s.GetReviewer()
	}
	at := b.spotAt(m, unit, period, requestHash(submitter, s.GetRequestId()))
	if s.GetRegime() == "" {
		return at, nil
	}
	if at.regime = b.MeasureByID(e.GetProgramme(), s.GetRegime()); at.regime == nil {
		return nil, fmt.Errorf("no regime %s of %s", s.GetRegime(), e.GetProgramme())
	}
	return at, nil
}
