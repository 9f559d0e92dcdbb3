package rpc

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is what of a message type is looked at.
type plan struct {
	texts    []textField
	messages []messageField
	numbers  []numberList
}

// textField is a string field, or a list of strings.
type textField struct {
	at    protoreflect.FieldDescriptor
	lines bool // it may hold line breaks
	most  int  // bytes; 0 for any number
	items int  // of a list
}

// messageField is a field of messages.
type messageField struct {
	at    protoreflect.FieldDescriptor
	items int // of a list
}

// numberList is a list of numbers.
type numberList struct {
	at    protoreflect.FieldDescriptor
	items int
}

// Bounds of a walk: beyond the first it is over, and beyond the second the contract's rules
// are not all asked of a request, which is refused for the first that it breaks.
const (
	maxFaults    = 20
	manyElements = 2000
	maxUnknown   = 4 << 10 // bytes of unknown fields, of a request that writes nothing
)

// walk looks at all of a message before the contract's rules do, at a cost that the message's
// size bounds: nothing is asked of the elements of a list that has too many, nor of a text
// that is too long. The shape of what it walks was counted on the wire before.
type walk struct {
	c        *Checker
	except   protoreflect.FullName // type of messages that are passed over
	strict   bool                  // no field may be unknown
	bounds   []apierr.Violation    // too many or too long: nothing else is asked
	bad      []apierr.Violation    // texts that are none
	elements int
	unknown  int // bytes
}

// enough reports whether the walk is over.
func (w *walk) enough() bool { return len(w.bounds) > 0 || len(w.bad) >= maxFaults }

// message walks a message, whose path in the request is path.
func (w *walk) message(path string, m protoreflect.Message) {
	d := m.Descriptor()
	if d.FullName() == w.except {
		return
	}
	w.elements++
	if raw := m.GetUnknown(); len(raw) > 0 {
		w.fields(path, raw)
	}
	p := w.c.plan(d)
	for _, f := range p.numbers {
		w.list(path, f.at, m.Get(f.at).List().Len(), f.items)
	}
	for _, f := range p.texts {
		w.texts(path, f, m)
	}
	for _, f := range p.messages {
		if w.enough() {
			return
		}
		if !m.Has(f.at) {
			continue
		}
		if !f.at.IsList() {
			w.message(path1(path, f.at, -1), m.Get(f.at).Message())
			continue
		}
		list := m.Get(f.at).List()
		if !w.list(path, f.at, list.Len(), f.items) || f.at.Message().FullName() == w.except {
			continue
		}
		for i := 0; i < list.Len() && !w.enough(); i++ {
			w.element(path, f.at, i, list.Get(i).Message())
		}
	}
}

// fields looks at fields that this release does not know. What a newer caller meant by them
// must not be lost in silence where something is written; elsewhere they are bounded.
func (w *walk) fields(path string, raw []byte) {
	n, _, _ := protowire.ConsumeTag(raw)
	at := join(path, strconv.Itoa(max(int(n), 1)))
	if w.strict {
		w.bounds = append(w.bounds, apierr.Violation{Field: at, Description: fmt.Sprintf("field number %d is not known to this release", max(int(n), 1))})
		return
	}
	if w.unknown += len(raw); w.unknown > maxUnknown {
		w.bounds = append(w.bounds, apierr.Violation{Field: at,
			Description: fmt.Sprintf("more than %d bytes are of fields that this release does not know", maxUnknown)})
	}
}

// list reports whether a list has no more elements than it may.
func (w *walk) list(path string, f protoreflect.FieldDescriptor, n, most int) bool {
	if n <= most {
		return true
	}
	w.bounds = append(w.bounds, apierr.Violation{Field: path1(path, f, -1), Description: tooMany(most)})
	return false
}

func tooMany(most int) string { return fmt.Sprintf("must contain no more than %d item(s)", most) }

// texts looks at a string, or a list of them.
func (w *walk) texts(path string, f textField, m protoreflect.Message) {
	if !f.at.IsList() {
		w.text(path, f, -1, m.Get(f.at).String())
		return
	}
	list := m.Get(f.at).List()
	if !w.list(path, f.at, list.Len(), f.items) {
		return
	}
	for i := 0; i < list.Len() && !w.enough(); i++ {
		w.text(path, f, i, list.Get(i).String())
	}
}

func (w *walk) text(path string, f textField, i int, s string) {
	if f.most > 0 && len(s) > f.most {
		w.bounds = append(w.bounds, apierr.Violation{Field: path1(path, f.at, i), Description: fmt.Sprintf("must be at most %d characters", f.most/4)})
		return
	}
	if why := fault(s, f.lines); why != "" {
		w.bad = append(w.bad, apierr.Violation{Field: path1(path, f.at, i), Description: why})
	}
}

// element is message for one of a list. Its path is made only when something is
// wrong, as a batch has a thousand.
func (w *walk) element(path string, f protoreflect.FieldDescriptor, i int, m protoreflect.Message) {
	bad, bounds := len(w.bad), len(w.bounds)
	w.message("", m)
	for _, v := range [][]apierr.Violation{w.bad[bad:], w.bounds[bounds:]} {
		for n := range v {
			v[n].Field = join(path1(path, f, i), v[n].Field)
		}
	}
}

// path1 is the path of a field, or of one of its elements when i is not negative.
func path1(path string, f protoreflect.FieldDescriptor, i int) string {
	name := string(f.Name())
	if i >= 0 {
		name += "[" + strconv.Itoa(i) + "]"
	}
	return join(path, name)
}

// plan finds or makes the plan of a message type.
func (c *Checker) plan(d protoreflect.MessageDescriptor) *plan {
	if p, ok := c.plans.Load(d.FullName()); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		items := 0
		if f.IsList() {
			items = mostItems(f)
		}
		switch {
		case f.IsMap():
			// The contract has no maps in requests; a test says so.
		case f.Kind() == protoreflect.StringKind:
			// A character of UTF-8 has at most four bytes.
			p.texts = append(p.texts, textField{at: f, lines: multiline(f), most: 4 * mostRunes(f), items: items})
		case f.Message() != nil:
			p.messages = append(p.messages, messageField{f, items})
		case f.IsList():
			p.numbers = append(p.numbers, numberList{f, items})
		}
	}
	c.plans.Store(d.FullName(), p)
	return p
}

// multiline reports whether a field is prose, in which line breaks are allowed.
func multiline(f protoreflect.FieldDescriptor) bool {
	return f.Name() == "note" || f.Name() == "reason"
}

// fault says what is wrong with a text, nothing when it is right: composed (NFC),
// without control characters and without those that change its direction.
func fault(s string, lines bool) string {
	for i := range len(s) {
		if s[i] < ' ' && !(lines && s[i] == '\n') || s[i] >= 0x7F {
			return slowFault(s, lines)
		}
	}
	return ""
}

// slowFault is fault for what is not plain ASCII.
func slowFault(s string, lines bool) string {
	for at, r := range s {
		switch {
		case r == '\n' && lines:
		case r == utf8.RuneError:
			return fmt.Sprintf("is not text at byte %d", at)
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\uFEFF':
			return fmt.Sprintf("has the control character U+%04X at byte %d", r, at)
		case unicode.Is(unicode.Bidi_Control, r):
			return fmt.Sprintf("has the direction character U+%04X at byte %d", r, at)
		}
	}
	if !norm.NFC.IsNormalString(s) {
		return "is not in normal form C (composed characters)"
	}
	return ""
}
