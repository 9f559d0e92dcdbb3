package rpc

import (
	"strings"
	"sync"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxLogged is how many bytes of an id are logged: more than any has.
const maxLogged = 80

// subjects finds in requests what a log line names: the unit and the programme.
type subjects struct {
	known sync.Map // protoreflect.FullName → []subject
}

// subject is where a message type holds one of them.
type subject struct {
	outer protoreflect.FieldDescriptor // nil when the field is the message's own
	field protoreflect.FieldDescriptor
}

// newSubjects returns one that knows no type yet.
func newSubjects() *subjects { return &subjects{} }

// append adds the unit, the programme and the number of items of a request to the
// fields of a log line, those that it has.
func (s *subjects) append(fields []zap.Field, req any) []zap.Field {
	msg, ok := req.(proto.Message)
	if !ok {
		return fields
	}
	m := msg.ProtoReflect()
	for _, at := range s.of(m.Descriptor()) {
		in := m
		if at.outer != nil {
			in = m.Get(at.outer).Message()
		}
		v := in.Get(at.field)
		switch {
		case at.field.IsList():
			fields = append(fields, zap.Int(string(at.field.Name()), v.List().Len()))
		case v.String() != "":
			fields = append(fields, zap.String(string(at.field.Name()), cut(v.String())))
		}
	}
	return fields
}

// cut is a text as a log line has it: a message that was refused may hold anything.
func cut(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return strings.ToValidUTF8(s[:maxLogged], "") + "…"
}

// of finds the places in a message type, at most one message deep.
func (s *subjects) of(d protoreflect.MessageDescriptor) []subject {
	if p, ok := s.known.Load(d.FullName()); ok {
		return p.([]subject)
	}
	var all []subject
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		switch {
		case named(f):
			all = append(all, subject{field: f})
		case f.IsList() && (f.Name() == "items" || f.Name() == "writes"):
			all = append(all, subject{field: f})
		case f.Message() != nil && !f.IsList() && !f.IsMap():
			for j := range f.Message().Fields().Len() {
				if in := f.Message().Fields().Get(j); named(in) {
					all = append(all, subject{outer: f, field: in})
				}
			}
		}
	}
	s.known.Store(d.FullName(), all)
	return all
}

// named reports whether a field holds the id of a unit or programme.
func named(f protoreflect.FieldDescriptor) bool {
	return f.Kind() == protoreflect.StringKind && !f.IsList() && (f.Name() == "unit" || f.Name() == "programme")
}
