package book

import (
	"google.golang.org/protobuf/encoding/protowire"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// wire writes a message field by field, as the protobuf library does it and several
// times faster, for the one event that there are millions of. A test holds the two
// against each other, so that a field that is new in the contract cannot be missed.
// Texts are UTF-8 already: they come out of other messages.
type wire struct{ b []byte }

func (w *wire) uint(field protowire.Number, v uint64) {
	if v != 0 {
		w.b = protowire.AppendVarint(protowire.AppendTag(w.b, field, protowire.VarintType), v)
	}
}

func (w *wire) bool(field protowire.Number, v bool) {
	if v {
		w.uint(field, 1)
	}
}

func (w *wire) string(field protowire.Number, v string) {
	if v != "" {
		w.b = protowire.AppendString(protowire.AppendTag(w.b, field, protowire.BytesType), v)
	}
}

func (w *wire) bytes(field protowire.Number, v []byte) {
	w.b = protowire.AppendBytes(protowire.AppendTag(w.b, field, protowire.BytesType), v)
}

// appendRecorded appends the bytes of an event of an accepted submission. inside is
// a buffer for what is in it, which is returned to be used again.
func appendRecorded(to []byte, e *eventv1.Event, r *eventv1.SubmissionRecorded, kind subjectKind, inside []byte) (event, used []byte) {
	inside = appendSubmission(inside[:0], r)
	w := wire{to}
	w.uint(1, e.GetSequence())
	w.uint(2, uint64(e.GetTimeUnixMicros()))
	w.uint(3, uint64(e.GetEpoch()))
	w.string(4, e.GetProgramme())
	w.uint(5, e.GetPrevious())
	w.uint(6, e.GetCausation())
	w.uint(7, uint64(e.GetRegistryRevision()))
	if len(e.GetAnnexDigest()) > 0 {
		w.bytes(8, e.GetAnnexDigest())
	}
	if kind == onAccepted {
		w.bytes(16, inside)
	} else {
		w.bytes(17, inside)
	}
	return w.b, inside
}

func appendSubmission(to []byte, r *eventv1.SubmissionRecorded) []byte {
	w := wire{to}
	w.string(1, r.GetTarget())
	w.string(2, r.GetPath())
	w.string(3, r.GetPeriod())
	w.string(4, r.GetPeriodPath())
	w.uint(5, uint64(r.GetRevision()))
	w.uint(6, uint64(r.GetState()))
	w.tally(7, r.GetTally())
	w.uint(8, uint64(r.GetQualifier()))
	w.uint(9, uint64(r.GetCurrent()))
	w.tally(10, r.GetCurrentTally())
	w.uint(11, uint64(r.GetCurrentQualifier()))
	w.uint(12, uint64(r.GetBarePercentage()))
	w.uint(13, uint64(r.GetBareDecimals()))
	w.uint(14, r.GetSupersedes())
	w.string(15, r.GetRequestId())
	w.bool(16, r.GetItemised())
	w.uint(17, uint64(r.GetCurrentState()))
	w.string(18, r.GetCurrentPeriod())
	w.uint(19, uint64(r.GetValueKind()))
	return w.b
}

// tally writes a tally; nil is none. It is at most two numbers of 64 and three of
// 32 bits that are not below 0, so that its length takes one byte.
func (w *wire) tally(field protowire.Number, t *typev1.Tally) {
	if t == nil {
		return
	}
	w.b = append(protowire.AppendTag(w.b, field, protowire.BytesType), 0)
	begin := len(w.b)
	w.uint(1, uint64(t.GetNumerator()))
	w.uint(2, uint64(t.GetDenominator()))
	w.uint(3, uint64(t.GetReporting()))
	w.uint(4, uint64(t.GetExpected()))
	w.uint(5, uint64(t.GetExcluded()))
	w.b[begin-1] = byte(len(w.b) - begin)
}
