package book

import (
	"strings"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// spot is where a submission falls. It is looked up once for all that is decided
// and applied about the submission, because to look up is most of the work.
type spot struct {
	m      *Measure
	unit   unitIx
	period calendar.Month
	hash   uint64 // of the submitter's request id
	own    *line  // the unit and those above it by the tree of the period
	today  line   // the same by the tree of today
	other  line   // what own is where the two differ

	cells ladder // of the period
	now   ladder // of the current figures
	seen  uint32

	periodWas, currentWas []Tally // their totals before the submission
	event                 recording
}

// recording is the message of an accepted submission, used again and again: it is
// gone as soon as it is applied and encoded.
type recording struct {
	event     eventv1.Event
	recorded  eventv1.SubmissionRecorded
	accepted  eventv1.Event_SubmissionAccepted
	withdrawn eventv1.Event_SubmissionWithdrawn
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
func (b *Book) trace(l *line, unit unitIx, p calendar.Month) {
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
func (l *line) same(p calendar.Month) bool {
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
func (b *Book) spotAt(m *Measure, unit unitIx, p calendar.Month, hash uint64) *spot {
	if b.here == nil {
		b.here = new(spot)
	}
	at := b.here
	at.m, at.unit, at.period, at.hash = m, unit, p, hash
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
	period, err := calendar.ParseMonth(s.GetPeriod())
	if err != nil {
		return nil, err
	}
	return b.spotAt(m, unit, period, requestHash(lastOf(s.GetPath()), s.GetRequestId())), nil
}
