package privacy

import (
	"strconv"
	"strings"
	"sync"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Check refuses a request that would keep or publish what gives a citizen away. It is
// asked at the door, never of what is in a log already.
func Check(req proto.Message) error {
	path, kind, id := walk(req.ProtoReflect())
	if kind == None {
		return nil
	}
	what := "the text seems to hold " + kind.String() + "; leave it out"
	if id {
		what = "the id seems to hold " + kind.String() + "; take one that tells nothing, such as a UUID"
	}
	return apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_PERSONAL_DATA, path, what)
}

// manner is how a string is looked at.
type manner uint8

const (
	asNothing manner = iota // the contract confines it, or it refers to what is there
	asText
	asID
	asNumber
)

// plan is what of a type of message is looked at.
type plan struct {
	strings  []stringField
	messages []protoreflect.FieldDescriptor
}

type stringField struct {
	at     protoreflect.FieldDescriptor
	manner manner
}

var plans sync.Map // protoreflect.FullName → *plan

// walk finds the first string that gives somebody away: its path, what it gives away,
// and whether it is an id.
func walk(m protoreflect.Message) (path string, kind Kind, id bool) {
	p := planOf(m.Descriptor())
	for _, f := range p.strings {
		if !f.at.IsList() {
			if kind := f.look(m.Get(f.at).String()); kind != None {
				return string(f.at.Name()), kind, f.manner == asID
			}
			continue
		}
		list := m.Get(f.at).List()
		for i := range list.Len() {
			if kind := f.look(list.Get(i).String()); kind != None {
				return element(f.at, i), kind, f.manner == asID
			}
		}
	}
	for _, f := range p.messages {
		if !m.Has(f) {
			continue
		}
		if !f.IsList() {
			if path, kind, id := walk(m.Get(f).Message()); kind != None {
				return string(f.Name()) + "." + path, kind, id
			}
			continue
		}
		list := m.Get(f).List()
		for i := range list.Len() {
			if path, kind, id := walk(list.Get(i).Message()); kind != None {
				return element(f, i) + "." + path, kind, id
			}
		}
	}
	return "", None, false
}

func element(f protoreflect.FieldDescriptor, i int) string {
	return string(f.Name()) + "[" + strconv.Itoa(i) + "]"
}

func (f stringField) look(s string) Kind {
	switch f.manner {
	case asID:
		return InID(s)
	case asNumber:
		return InNumber(s)
	}
	return InText(s)
}

func planOf(d protoreflect.MessageDescriptor) *plan {
	if p, ok := plans.Load(d.FullName()); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		switch {
		case f.Kind() == protoreflect.StringKind:
			if how := mannerOf(f); how != asNothing {
				p.strings = append(p.strings, stringField{f, how})
			}
		case f.Message() != nil && strings.HasPrefix(string(f.Message().FullName()), "cotmoc."):
			p.messages = append(p.messages, f)
		}
	}
	plans.Store(d.FullName(), p)
	return p
}

// mannerOf tells how a field is looked at. What the contract confines by a pattern is
// an id, a day or a period. Of ids only those count that a request gives something new:
// others refer to what is there, and are refused where it is not.
func mannerOf(f protoreflect.FieldDescriptor) manner {
	name := f.Name()
	switch {
	case name == "id", strings.HasSuffix(string(name), "_id"), name == "closing", name == "subscription", name == "subjects",
		name == "name" && f.Parent().(protoreflect.MessageDescriptor).Fields().ByName("display_name") != nil:
		return asID
	case f.Parent().Name() == "LocalizedText" && name == "text":
		return asNumber
	case pattern(f) != "" && name != "url":
		return asNothing
	}
	return asText
}

// pattern is what the contract confines a string by, if by anything.
func pattern(f protoreflect.FieldDescriptor) string {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	if f.IsList() {
		rules = rules.GetRepeated().GetItems()
	}
	return rules.GetString().GetPattern()
}
