package book

import (
	"fmt"
	"strings"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// merged returns the present version with the fields that mask names taken from
// given. A field that given does not set is cleared. Paths go through single
// messages, such as `goal.value`; `*` names all fields.
func merged[M resource](present, given M, mask []string) (M, error) {
	if len(mask) == 1 && mask[0] == "*" {
		return proto.Clone(given).(M), nil
	}
	m := proto.Clone(present).(M)
	from := proto.Clone(given).(M)
	for _, path := range mask {
		if err := take(m.ProtoReflect(), from.ProtoReflect(), path); err != nil {
			return m, refuse(errorv1.Reason_REASON_INVALID_FIELD, "update_mask", err.Error())
		}
	}
	return m, nil
}

// take sets the field at path in to as it is in from.
func take(to, from protoreflect.Message, path string) error {
	whole := path
	for {
		head, rest, nested := strings.Cut(path, ".")
		f := to.Descriptor().Fields().ByName(protoreflect.Name(head))
		if f == nil {
			return fmt.Errorf("there is no field %.80q", whole)
		}
		if !nested {
			if from.Has(f) {
				to.Set(f, from.Get(f))
			} else {
				to.Clear(f)
			}
			return nil
		}
		if f.Message() == nil || f.IsList() || f.IsMap() {
			return fmt.Errorf("field %.80q: %s has no fields of its own to name", whole, head)
		}
		if !from.Has(f) && !to.Has(f) {
			return nil
		}
		to, from, path = to.Mutable(f).Message(), from.Get(f).Message(), rest
	}
}

// value wraps a Go value for reflection.
func value(v any) protoreflect.Value { return protoreflect.ValueOf(v) }
