package event

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
)

// Headers of an event's message: CloudEvents 1.0 in binary mode, and our numbers.
const (
	HeaderSpecVersion = "ce-specversion"
	HeaderID          = "ce-id"      // <epoch>-<sequence>: the same however often it is delivered
	HeaderSource      = "ce-source"  // cotmoc/reporting
	HeaderType        = "ce-type"    // cotmoc.event.v1.milestone.reached
	HeaderTime        = "ce-time"    // RFC 3339
	HeaderSubject     = "ce-subject" // the unit path, absent where there is none
	HeaderContentType = "content-type"
	HeaderSequence    = "Cotmoc-Sequence"
	HeaderPrevious    = "Cotmoc-Previous"
)

// Header is the headers of the message that carries an event. The body is the
// event's bytes as they were committed.
func Header(e *eventv1.Event) nats.Header {
	entity, name := kind(e)
	sequence := strconv.FormatUint(e.GetSequence(), 10)
	h := nats.Header{
		HeaderSpecVersion: {"1.0"},
		HeaderID:          {strconv.FormatUint(uint64(e.GetEpoch()), 10) + "-" + sequence},
		HeaderSource:      {"cotmoc/reporting"},
		HeaderType:        {"cotmoc.event.v1." + entity + "." + name},
		HeaderTime:        {Time(e).Format(time.RFC3339Nano)},
		HeaderContentType: {"application/protobuf"},
		HeaderSequence:    {sequence},
		HeaderPrevious:    {strconv.FormatUint(e.GetPrevious(), 10)},
	}
	if path := Path(e); path != "" {
		h[HeaderSubject] = []string{path}
	}
	return h
}

// Time is when an event was accepted, in UTC.
func Time(e *eventv1.Event) time.Time { return time.UnixMicro(e.GetTimeUnixMicros()).UTC() }

// Decode reads an event from the body of a message or of a StoredEvent. The
// payload of a kind that this release does not know is nil.
func Decode(data []byte) (*eventv1.Event, error) {
	e := &eventv1.Event{}
	if err := proto.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	if e.GetSequence() == 0 {
		return nil, errors.New("decode event: it has no sequence number")
	}
	if e.GetPrevious() >= e.GetSequence() {
		return nil, fmt.Errorf("decode event %d: its previous number is %d", e.GetSequence(), e.GetPrevious())
	}
	return e, nil
}
