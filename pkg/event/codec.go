package event

import (
	"errors"
	"fmt"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"google.golang.org/protobuf/proto"
)

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
