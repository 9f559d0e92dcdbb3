package check

import eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"

// Ack is what a client sent and was told.
type Ack struct {
	Cell      Cell
	RequestID string
	Withdrawn bool  // it took the value back
	Num, Den  int64 // the value that was sent
	Sequence  uint64
	Revision  uint32
}

// Acked sees that everything that was acknowledged is in the log, once, as it was
// sent and as the client was told.
func Acked(l *Log, acks []Ack) *Report {
	r := &Report{Name: "acked", Looked: len(acks)}
	for _, a := range acks {
		got, ok := l.requests[[2]string{a.Cell.Unit, a.RequestID}]
		switch {
		case !ok:
			r.breach("request %s of %v was acknowledged as %d and is lost", a.RequestID, a.Cell, a.Sequence)
		case got.cell != a.Cell || got.sequence != a.Sequence || got.revision != a.Revision:
			r.breach("request %s of %v was acknowledged as %d, revision %d, and is stored for %v as %d, revision %d",
				a.RequestID, a.Cell, a.Sequence, a.Revision, got.cell, got.sequence, got.revision)
		case a.Withdrawn != (got.state == eventv1.CellState_CELL_STATE_WITHDRAWN),
			!a.Withdrawn && (got.num != a.Num || got.den != a.Den):
			r.breach("request %s of %v sent %d/%d and is stored as %d/%d, %v", a.RequestID, a.Cell, a.Num, a.Den, got.num, got.den, got.state)
		}
	}
	return r
}

// Answered sees that what was never acknowledged and never left unknown is not in
// the log: sent are the request ids that clients wrote down before they sent them.
func Answered(l *Log, sent map[string]bool) *Report {
	r := &Report{Name: "sent", Looked: len(sent)}
	for id, got := range l.requests {
		if !sent[id[1]] {
			r.breach("request %s of %s is in the log as %d, and nobody sent it", id[1], id[0], got.sequence)
		}
	}
	return r
}
