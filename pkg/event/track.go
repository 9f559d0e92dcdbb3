package event

import (
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
)

// verdict is what to do with an event that came from the stream.
type verdict int

const (
	next verdict = iota // hand it over
	old                 // handled already
	gap                 // events between the position and it are missing
	late                // an earlier event on its subject is missing, others after that were handled
)

// maxSubjects bounds the memory of a filtered subscriber, to some 30 MB.
const maxSubjects = 1 << 18

// track knows what was handled. Everything up to floor was; above it, up to the
// position, all that came.
type track struct {
	at       Position
	filtered bool
	floor    uint64
	last     map[string]uint64 // newest handled number above floor, by subject; only when filtered
}

// newTrack begins at a position.
func newTrack(p Position, filtered bool) *track {
	return &track{at: p, filtered: filtered, floor: p.Sequence, last: map[string]uint64{}}
}

// judge says what to do with the event that stands on subject.
func (t *track) judge(subject string, e *eventv1.Event) verdict {
	switch {
	case e.GetSequence() <= t.at.Sequence:
		return old
	case !t.filtered && e.GetSequence() != t.at.Sequence+1:
		return gap
	case !t.filtered:
		return next
	case e.GetPrevious() > t.at.Sequence:
		return gap
	case e.GetPrevious() > t.newest(subject):
		return late
	default:
		return next
	}
}

// newest is the number up to which nothing is missing on a subject.
func (t *track) newest(subject string) uint64 { return max(t.floor, t.last[subject]) }

// handled notes an event.
func (t *track) handled(subject string, e *eventv1.Event) {
	if e.GetSequence() > t.at.Sequence {
		t.at.Sequence = e.GetSequence() // the epoch is the log's, not that of which the event was
	}
	if !t.filtered {
		return
	}
	if len(t.last) >= maxSubjects {
		clear(t.last)
		t.floor = t.at.Sequence
	}
	t.last[subject] = e.GetSequence()
}
