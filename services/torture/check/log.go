package check

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// Digest stands for the bytes of an event.
type Digest [16]byte

// DigestOf is the digest of an event's bytes.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(sum[:16])
}

// Cell names a cell of the only programme.
type Cell struct{ Target, Unit, Period string }

// logged is what is remembered of an event.
type logged struct {
	digest   Digest
	subject  string
	previous uint64
}

// recorded is an accepted submission in the log.
type recorded struct {
	cell     Cell
	sequence uint64
	revision uint32
	state    eventv1.CellState
	num, den int64
}

// Log takes in the log's events one after the other, as ListEvents gives them, and
// sees that they are whole: numbers without gaps, time that does not go back, each
// event's predecessor on its subject, each cell's revisions in a chain, each request
// once. Trees whose units move are beyond it. Facts go on to a Fold.
type Log struct {
	events   []logged
	requests map[[2]string]recorded // by unit and request id
	subjects map[string]uint64      // last number on each
	cells    map[Cell]recorded
	time     int64
	epoch    uint32
	fold     *Fold
	whole    Report
}

// NewLog returns a log of which nothing was seen.
func NewLog() *Log {
	return &Log{requests: make(map[[2]string]recorded), subjects: make(map[string]uint64), cells: make(map[Cell]recorded),
		fold: newFold(), whole: Report{Name: "log"}}
}

// Head is the number of the last event that was taken in.
func (l *Log) Head() uint64 { return uint64(len(l.events)) }

// Accepted is how many submissions the log holds.
func (l *Log) Accepted() int { return len(l.requests) }

// Fold is what the events add up to.
func (l *Log) Fold() *Fold { return l.fold }

// Whole says whether the log is whole so far.
func (l *Log) Whole() *Report {
	l.whole.Looked = len(l.events)
	return &l.whole
}

// Take takes in the next event. An event that is not the next is refused: what
// follows it could not be judged.
func (l *Log) Take(s *reportingv1.StoredEvent) error {
	n := l.Head() + 1
	e := new(eventv1.Event)
	if err := proto.Unmarshal(s.GetEvent(), e); err != nil {
		return fmt.Errorf("event %d cannot be read: %w", s.GetSequence(), err)
	}
	if s.GetSequence() != n || e.GetSequence() != n {
		return fmt.Errorf("event %d, listed as %d, came where %d was due", e.GetSequence(), s.GetSequence(), n)
	}
	l.ordered(n, s, e)
	for _, r := range []*eventv1.SubmissionRecorded{e.GetSubmissionAccepted(), e.GetSubmissionWithdrawn()} {
		if r != nil {
			l.record(n, r)
		}
	}
	l.events = append(l.events, logged{DigestOf(s.GetEvent()), s.GetSubject(), e.GetPrevious()})
	l.fold.take(e)
	return nil
}

func (l *Log) ordered(n uint64, s *reportingv1.StoredEvent, e *eventv1.Event) {
	if e.GetTimeUnixMicros() < l.time || e.GetEpoch() < l.epoch {
		l.whole.breach("event %d goes back in time or epoch", n)
	}
	l.time, l.epoch = e.GetTimeUnixMicros(), e.GetEpoch()
	if subject, err := event.Subject(e); err != nil || subject != s.GetSubject() {
		l.whole.breach("event %d is listed on %s, but belongs on %s, %v", n, s.GetSubject(), subject, err)
	}
	if was := l.subjects[s.GetSubject()]; e.GetPrevious() != was {
		l.whole.breach("event %d names %d as the one before it on %s, which is %d", n, e.GetPrevious(), s.GetSubject(), was)
	}
	l.subjects[s.GetSubject()] = n
	if e.GetCausation() >= n {
		l.whole.breach("event %d is caused by %d", n, e.GetCausation())
	}
}

func (l *Log) record(n uint64, r *eventv1.SubmissionRecorded) {
	c := Cell{r.GetTarget(), lastOf(r.GetPath()), r.GetPeriod()}
	now := recorded{c, n, r.GetRevision(), r.GetState(), r.GetTally().GetNumerator(), r.GetTally().GetDenominator()}
	before := l.cells[c]
	if now.revision != before.revision+1 || r.GetSupersedes() != before.sequence {
		l.whole.breach("event %d makes revision %d of %v after %d, and supersedes %d after %d",
			n, now.revision, c, before.revision, r.GetSupersedes(), before.sequence)
	}
	l.cells[c] = now
	id := [2]string{c.Unit, r.GetRequestId()}
	if was, ok := l.requests[id]; ok {
		l.whole.breach("request %s of %s was accepted as %d and as %d", id[1], id[0], was.sequence, n)
	}
	l.requests[id] = now
}
