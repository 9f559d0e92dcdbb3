package rpc

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is what of a message type holds text.
type plan struct {
	texts    []textField
	messages []protoreflect.FieldDescriptor // fields whose messages hold text, at any depth
}

// textField is a string field, or a list of strings.
type textField struct {
	at    protoreflect.FieldDescriptor
	lines bool // it may hold line breaks
}

// text returns bad followed by what is wrong with the texts in m. path is where m
// stands in the request.
func (c *Checker) text(path string, m protoreflect.Message, except protoreflect.FullName, bad []apierr.Violation) []apierr.Violation {
	d := m.Descriptor()
	if d.FullName() == except {
		return bad
	}
	p := c.plan(d)
	for _, f := range p.texts {
		if !f.at.IsList() {
			bad = appendFault(bad, path, f, -1, m.Get(f.at).String())
			continue
		}
		list := m.Get(f.at).List()
		for i := range list.Len() {
			bad = appendFault(bad, path, f, i, list.Get(i).String())
		}
	}
	for _, f := range p.messages {
		if !m.Has(f) {
			continue
		}
		if !f.IsList() {
			bad = c.text(path1(path, f, -1), m.Get(f).Message(), except, bad)
			continue
		}
		list := m.Get(f).List()
		if list.Len() > 0 && f.Message().FullName() == except {
			continue
		}
		for i := range list.Len() {
			bad = c.element(path, f, i, list.Get(i).Message(), except, bad)
		}
	}
	return bad
}

// element is text for one of a list. Its path is made only when something is
// wrong, as a batch has a thousand.
func (c *Checker) element(path string, f protoreflect.FieldDescriptor, i int, m protoreflect.Message, except protoreflect.FullName, bad []apierr.Violation) []apierr.Violation {
	before := len(bad)
	bad = c.text("", m, except, bad)
	for n := before; n < len(bad); n++ {
		bad[n].Field = join(path1(path, f, i), bad[n].Field)
	}
	return bad
}

// appendFault adds what is wrong with a text, if anything.
func appendFault(bad []apierr.Violation, path string, f textField, i int, s string) []apierr.Violation {
	if why := fault(s, f.lines); why != "" {
		return append(bad, apierr.Violation{Field: path1(path, f.at, i), Description: why})
	}
	return bad
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
		switch {
		case f.IsMap():
			// The contract has no maps in requests; a test says so.
		case f.Kind() == protoreflect.StringKind:
			p.texts = append(p.texts, textField{at: f, lines: multiline(f)})
		case f.Message() != nil && holdsText(f.Message(), nil):
			p.messages = append(p.messages, f)
		}
	}
	c.plans.Store(d.FullName(), p)
	return p
}

// multiline reports whether a field is prose, in which line breaks are allowed.
func multiline(f protoreflect.FieldDescriptor) bool {
	return f.Name() == "note" || f.Name() == "reason"
}

// holdsText reports whether a message can hold a string at any depth.
func holdsText(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen == nil {
		seen = map[protoreflect.FullName]bool{}
	}
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.Kind() == protoreflect.StringKind || f.Message() != nil && holdsText(f.Message(), seen) {
			return true
		}
	}
	return false
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
