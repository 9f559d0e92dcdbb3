package book

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
)

// TestAppendRecorded_is_what_the_library_writes fills every field that the contract
// has, by reflection, with values and with nothing.
func TestAppendRecorded_is_what_the_library_writes(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 2022))
	for range 20_000 {
		e, s := new(eventv1.Event), new(eventv1.SubmissionRecorded)
		fill(r, e.ProtoReflect())
		fill(r, s.ProtoReflect())
		kind := onAccepted
		if e.Payload = (&eventv1.Event_SubmissionAccepted{SubmissionAccepted: s}); r.IntN(2) == 0 {
			kind, e.Payload = onWithdrawn, &eventv1.Event_SubmissionWithdrawn{SubmissionWithdrawn: s}
		}
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := appendRecorded(nil, e, s, kind, nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%v (-library +ours):\n%s", e, diff)
		}
	}
}

// fill gives each field outside of a oneof a value of any size, or none.
func fill(r *rand.Rand, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.ContainingOneof() != nil || r.IntN(3) == 0 {
			continue
		}
		n := r.Uint64() >> r.IntN(64) // of any length
		switch f.Kind() {
		case protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString([]string{"", "vn", "đề-án-06", "vn.79.760.26734"}[r.IntN(4)]))
		case protoreflect.BytesKind:
			m.Set(f, protoreflect.ValueOfBytes([]byte("0123456789abcdef")[:r.IntN(17)]))
		case protoreflect.Uint64Kind:
			m.Set(f, protoreflect.ValueOfUint64(n))
		case protoreflect.Int64Kind:
			m.Set(f, protoreflect.ValueOfInt64(int64(n>>1)))
		case protoreflect.Uint32Kind:
			m.Set(f, protoreflect.ValueOfUint32(uint32(n)))
		case protoreflect.Int32Kind:
			m.Set(f, protoreflect.ValueOfInt32(int32(n>>33)))
		case protoreflect.BoolKind:
			m.Set(f, protoreflect.ValueOfBool(n%2 == 0))
		case protoreflect.EnumKind:
			m.Set(f, protoreflect.ValueOfEnum(protoreflect.EnumNumber(n%5)))
		case protoreflect.MessageKind:
			fill(r, m.Mutable(f).Message())
		default:
			panic("a field of a kind that is new: " + f.Kind().String())
		}
	}
}
