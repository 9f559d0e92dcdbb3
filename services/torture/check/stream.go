package check

import "github.com/cotmoc/cotmoc/pkg/event"

// Delivered is an event that a subscriber was given.
type Delivered struct {
	Sequence uint64
	Digest   Digest
}

// Journal is what one subscriber was given, in order.
type Journal struct {
	Name    string
	Filters []string // none: everything
	Got     []Delivered
}

// Stream sees that a subscriber was given every event that its filters cover, each
// once, byte for byte, in order: by number, or with filters at least by subject, each
// event after the one that it names as the previous.
func Stream(l *Log, j Journal) *Report {
	r := &Report{Name: "stream " + j.Name, Looked: len(j.Got)}
	seen := make(map[uint64]bool, len(j.Got))
	at, last := uint64(0), make(map[string]uint64)
	for _, d := range j.Got {
		if d.Sequence == 0 || d.Sequence > l.Head() {
			r.breach("event %d was delivered, the log ends with %d", d.Sequence, l.Head())
			continue
		}
		e := l.events[d.Sequence-1]
		switch {
		case d.Digest != e.digest:
			r.breach("event %d was delivered with other bytes than the log's", d.Sequence)
		case seen[d.Sequence]:
			r.breach("event %d was delivered again", d.Sequence)
		case !event.MatchAny(j.Filters, e.subject):
			r.breach("event %d on %s was delivered, which nobody asked for", d.Sequence, e.subject)
		case len(j.Filters) == 0 && d.Sequence != at+1:
			r.breach("event %d was delivered after %d", d.Sequence, at)
		case e.previous != last[e.subject]:
			r.breach("event %d follows %d on %s, and was delivered after %d", d.Sequence, e.previous, e.subject, last[e.subject])
		}
		seen[d.Sequence], at, last[e.subject] = true, d.Sequence, d.Sequence
	}
	for i, e := range l.events {
		if n := uint64(i) + 1; !seen[n] && event.MatchAny(j.Filters, e.subject) {
			r.breach("event %d on %s was never delivered", n, e.subject)
		}
	}
	return r
}
