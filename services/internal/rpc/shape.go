package rpc

import (
	"fmt"
	"sync"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds of what a request may be made of, whatever its contract says of single fields.
const (
	maxElements  = 100_000 // messages and elements of lists, at any depth
	maxNesting   = 32
	maxListItems = 1000 // of a list for which the contract gives no number
	// About what a message costs in memory beside its own bytes.
	bytesPerElement = 128
)

// shapes knows what requests are made of, so that their elements can be counted on the
// wire: before anything is made of them.
type shapes struct {
	mu    sync.Mutex
	known map[protoreflect.FullName]*shape
}

// shape is what a message type is made of: what is not in fields is no list or message.
type shape struct {
	fields []shapeField // by number
	items  int          // number of the list of that name, whose elements cost one each
}

// shapeField is a field that holds elements.
type shapeField struct {
	inner *shape // of its messages; nil for numbers and strings
	name  string
	most  int // of a list; 0 for a single message
}

// of returns the shape of a message type.
func (s *shapes) of(d protoreflect.MessageDescriptor) *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[protoreflect.FullName]*shape)
	}
	return s.find(d)
}

func (s *shapes) find(d protoreflect.MessageDescriptor) *shape {
	if known := s.known[d.FullName()]; known != nil {
		return known
	}
	one := &shape{}
	s.known[d.FullName()] = one // before its fields: a type may hold itself
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		number := int(f.Number())
		if f.Message() == nil && !f.IsList() || number >= 1<<10 {
			continue
		}
		for len(one.fields) <= number {
			one.fields = append(one.fields, shapeField{})
		}
		at := shapeField{name: string(f.Name())}
		if f.IsList() {
			at.most = mostItems(f)
			if f.Name() == "items" {
				one.items = number
			}
		}
		if f.Message() != nil {
			at.inner = s.find(f.Message())
		}
		one.fields[number] = at
	}
	return one
}

// mostItems is how many elements the contract gives a list.
func mostItems(f protoreflect.FieldDescriptor) int {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	if n := rules.GetRepeated().GetMaxItems(); n > 0 {
		return int(n)
	}
	return maxListItems
}

// mostRunes is how long the contract lets a text be; 0 where it does not say.
func mostRunes(f protoreflect.FieldDescriptor) int {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	if f.IsList() {
		rules = rules.GetRepeated().GetItems()
	}
	return int(max(rules.GetString().GetMaxLen(), rules.GetString().GetMaxBytes()))
}

// wireFault is what is wrong with a request before it was read.
type wireFault struct{ field, what string }

// scan counts the elements of a message on the wire, and those of its list named items. It
// returns early with a fault when it is no message, or one of its own lists, or all
// together, have more than they may.
func (s *shape) scan(raw []byte) (elements, items int, _ *wireFault) {
	var room [64]int
	counts := append(room[:0], make([]int, len(s.fields))...)
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return elements, items, malformed
		}
		raw = raw[n:]
		if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
			return elements, items, malformed
		}
		value := raw[:n]
		raw = raw[n:]
		if int(number) >= len(s.fields) {
			continue
		}
		f := &s.fields[number]
		if f.inner == nil && f.most == 0 {
			continue
		}
		if f.most > 0 {
			counts[number]++
			if counts[number] > f.most {
				return elements, items, &wireFault{f.name, tooMany(f.most)}
			}
		}
		elements++
		if f.inner != nil && kind == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(value)
			more, ok := f.inner.count(inner, maxNesting, maxElements-elements)
			if !ok {
				return elements, items, malformed
			}
			elements += more
		}
		if elements > maxElements {
			return elements, items, &wireFault{"", fmt.Sprintf("the request has more than %d elements; send it in parts", maxElements)}
		}
	}
	if s.items > 0 {
		items = counts[s.items]
	}
	return elements, items, nil
}

var malformed = &wireFault{"", "the bytes are not a message of this method"}

// count counts the elements below a message, up to one more than most; false when it is no
// message or too deep.
func (s *shape) count(raw []byte, depth, most int) (elements int, ok bool) {
	if depth == 0 {
		return 0, false
	}
	for len(raw) > 0 && elements <= most {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return elements, false
		}
		raw = raw[n:]
		if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
			return elements, false
		}
		if int(number) < len(s.fields) {
			if f := &s.fields[number]; f.inner != nil || f.most > 0 {
				elements++
				if f.inner != nil && kind == protowire.BytesType {
					inner, _ := protowire.ConsumeBytes(raw[:n])
					more, ok := f.inner.count(inner, depth-1, most-elements)
					if !ok {
						return elements, false
					}
					elements += more
				}
			}
		}
		raw = raw[n:]
	}
	return elements, true
}
