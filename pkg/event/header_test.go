package event_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
)

var someone = event.Identity{Source: "cotmoc://17af/reporting/epochs/3-c0de", Epoch: 3, ID: "812-beef"}

func TestHeader(t *testing.T) {
	e := &eventv1.Event{
		Sequence: 812, Previous: 800, Causation: 811, Epoch: 2, TimeUnixMicros: 1659286799999999, Programme: "p",
		Payload: &eventv1.Event_MilestoneReached{MilestoneReached: &eventv1.MilestoneCrossed{Target: "x", Path: "vn.79"}},
	}
	want := nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {"812-beef"}, "ce-source": {"cotmoc://17af/reporting/epochs/3-c0de"},
		"ce-type": {"vn.cotmoc.milestone.reached.v1"}, "ce-time": {"2022-07-31T16:59:59.999999Z"},
		"ce-subject": {"vn.79"}, "ce-datacontenttype": {"application/protobuf"},
		"ce-dataschema": {"https://github.com/cotmoc/cotmoc/blob/main/proto/cotmoc/event/v1/event.proto#cotmoc.event.v1.Event"},
		"ce-sequence":   {"00000000000000000812"}, "ce-previous": {"00000000000000000800"},
		"ce-causation": {"00000000000000000811"}, "ce-epoch": {"3"}, // the stream's, not the event's own
	}
	if diff := cmp.Diff(want, event.Header(e, someone)); diff != "" {
		t.Error(diff)
	}

	clock := &eventv1.Event{Sequence: 1, Epoch: 1, Payload: &eventv1.Event_ClockSet{ClockSet: &eventv1.ClockSet{}}}
	got := event.Header(clock, someone)
	for _, none := range []string{"ce-subject", "ce-previous", "ce-causation"} {
		if v, ok := got[none]; ok {
			t.Errorf("%s: %q where there is none", none, v)
		}
	}
}

func TestProgressHeader(t *testing.T) {
	p := &eventv1.ProgressChanged{Programme: "p", Target: "x", Path: "vn.79", Sequence: 812, Epoch: 3}
	want := nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {"812-beef"}, "ce-source": {"cotmoc://17af/reporting/epochs/3-c0de"},
		"ce-type": {"vn.cotmoc.progress.changed.v1"}, "ce-time": {"2022-07-31T17:00:00Z"},
		"ce-subject": {"vn.79"}, "ce-datacontenttype": {"application/protobuf"},
		"ce-dataschema": {"https://github.com/cotmoc/cotmoc/blob/main/proto/cotmoc/event/v1/progress.proto#cotmoc.event.v1.ProgressChanged"},
		"ce-sequence":   {"00000000000000000812"}, "ce-epoch": {"3"},
	}
	at := time.Date(2022, 8, 1, 0, 0, 0, 0, time.FixedZone("", 7*60*60))
	if diff := cmp.Diff(want, event.ProgressHeader(p, someone, at)); diff != "" {
		t.Error(diff)
	}
}

// The binding wants a name of lower-case letters and digits after ce-, at most 20 of
// them by its advice, and a value that needs no percent-encoding: printable ASCII
// without space, double quote and per cent.
func TestHeadersNeedNoEncoding(t *testing.T) {
	name, value := regexp.MustCompile(`^ce-[a-z0-9]{1,20}$`), regexp.MustCompile(`^[!#$&-~]+$`)
	payload := (&eventv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("payload").Fields()
	for i := range payload.Len() {
		e := &eventv1.Event{Sequence: ^uint64(0), Previous: 3, Causation: 2}
		e.ProtoReflect().Set(payload.Get(i), protoreflect.ValueOfMessage(e.ProtoReflect().NewField(payload.Get(i)).Message()))
		for k, v := range event.Header(e, someone) {
			if !name.MatchString(k) || len(v) != 1 || !value.MatchString(v[0]) {
				t.Errorf("%s: header %q: %q", payload.Get(i).Name(), k, v)
			}
		}
	}
}
