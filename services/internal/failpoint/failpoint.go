// Package failpoint makes a process fail at chosen steps of its work, for the
// torture rig. Only a build with the tag failpoint can: in any other, Hit is empty
// and costs nothing.
//
// Such a build takes what to do from COTMOC_FAILPOINTS, a list such as
//
//	ledger.after-append=exit@37,stream.sent=sleep:20ms%50
//
// of a point, an action and when: at the nth hit (@n), at each nth (%n), or at every
// hit. Actions are exit (at once, as kill -9 does), sleep, error and panic.
package failpoint

// Env is the environment variable that a build with the tag reads.
const Env = "COTMOC_FAILPOINTS"

// Point is a step of the work.
type Point string

// The points that are in the code.
const (
	// LedgerMidBatch is after a command was decided, before its block is made.
	LedgerMidBatch Point = "ledger.mid-batch"
	// LedgerBeforeAppend is before a block goes to the store.
	LedgerBeforeAppend Point = "ledger.before-append"
	// LedgerAfterAppend is after the store committed a block, before anybody is told.
	LedgerAfterAppend Point = "ledger.after-append"
	// LedgerBeforeAnswer is after the state has a block, before its callers are answered.
	LedgerBeforeAnswer Point = "ledger.before-answer"
	// StreamSent is after a message was given to NATS, before the next.
	StreamSent Point = "stream.sent"
	// StreamBeforeAck is when NATS has answered, before the relay knows it.
	StreamBeforeAck Point = "stream.before-ack"
	// SubmitBeforeReply is in the handler, when all is done but the reply.
	SubmitBeforeReply Point = "submit.before-reply"
)

// Points are all points that are in the code.
func Points() []Point {
	return []Point{LedgerMidBatch, LedgerBeforeAppend, LedgerAfterAppend, LedgerBeforeAnswer, StreamSent, StreamBeforeAck, SubmitBeforeReply}
}
