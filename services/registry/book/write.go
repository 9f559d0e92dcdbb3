package book

import (
	"fmt"
	"strconv"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/protobuf/proto"
)

// Mode says what a write may find in its place.
type Mode int

// The modes of a write.
const (
	Create Mode = iota // nothing may be there
	Update             // something must be there
	Put                // either
)

// How says in what way a resource is written. The zero How creates.
type How struct {
	Mode Mode
	// Mask names the fields to take from what is given, on top of the present
	// version; empty means all.
	Mask []string
	// Check is asked about the whole new version when there is a mask, because
	// what was given need not be whole. Nil asks nothing.
	Check func(proto.Message) error
}

// Outcome is what a write did.
type Outcome int

// The outcomes of a write that was accepted.
const (
	Unchanged Outcome = iota
	Created
	Updated
)

// maxBytes bounds a resource, so that the event that tells of it is well below the
// 1 MiB that a NATS server takes by default: one that it does not take would hold
// up all events after it.
const maxBytes = 512 << 10

// resource is what all kinds have in common.
type resource interface {
	proto.Message
	GetName() string
	GetRevision() int64
}

// slot is the place of a resource in the book: its kind as the contract's fields
// call it, its full name, and what is there.
type slot[M resource] struct {
	kind    string
	name    string
	missing errorv1.Reason
	present M
	exists  bool
}

// nameField is the field that names the resource in a request of this mode.
func (s *slot[M]) nameField(m Mode) string {
	if m == Create {
		if s.kind == "allocation" {
			return "unit"
		}
		return s.kind + "_id"
	}
	return s.kind + ".name"
}

// parentField is the field that names what the resource is under.
func (s *slot[M]) parentField(m Mode) string {
	if m == Create {
		return "parent"
	}
	return s.kind + ".name"
}

// open checks that the slot is as the write expects it to be.
func (s *slot[M]) open(given M, how How) error {
	switch {
	case how.Mode == Create && s.exists:
		return refuse(errorv1.Reason_REASON_RESOURCE_EXISTS, s.nameField(how.Mode),
			fmt.Sprintf("%s exists, at revision %d", s.name, s.present.GetRevision()))
	case how.Mode == Update && !s.exists:
		return refuse(s.missing, s.nameField(how.Mode), s.name+" does not exist")
	}
	var at int64
	if s.exists {
		at = s.present.GetRevision()
	}
	if want := given.GetRevision(); how.Mode != Create && want != 0 && want != at {
		return refuse(errorv1.Reason_REASON_REVISION_MISMATCH, s.kind+".revision",
			fmt.Sprintf("%s is at revision %d, not %d", s.name, at, want),
			"expected", strconv.FormatInt(want, 10), "actual", strconv.FormatInt(at, 10))
	}
	return nil
}

// version makes the new version out of what is given: a message of its own, with
// the slot's name and no revision. same says that it equals the present one.
func (s *slot[M]) version(given M, how How) (m M, same bool, err error) {
	if err := s.open(given, how); err != nil {
		return m, false, err
	}
	m = proto.Clone(given).(M)
	if s.exists && len(how.Mask) > 0 {
		if m, err = merged(s.present, given, how.Mask); err != nil {
			return m, false, err
		}
	}
	setHead(m, s.name, 0)
	if n := proto.Size(m); n > maxBytes {
		return m, false, refuse(errorv1.Reason_REASON_INVALID_FIELD, s.kind,
			fmt.Sprintf("%s takes %d bytes, more than the %d that one may take: shorten its texts or lists", s.name, n, maxBytes))
	}
	if len(how.Mask) > 0 && how.Check != nil {
		if err := how.Check(m); err != nil {
			return m, false, err
		}
	}
	if !s.exists {
		return m, false, nil
	}
	setHead(m, s.name, s.present.GetRevision())
	same = proto.Equal(m, s.present)
	setHead(m, s.name, 0)
	return m, same, nil
}

// outcome of a write that changed something.
func (s *slot[M]) outcome() Outcome {
	if s.exists {
		return Updated
	}
	return Created
}

// revision of the present version, 0 when there is none.
func (s *slot[M]) revision() int64 {
	if s.exists {
		return s.present.GetRevision()
	}
	return 0
}

// setHead sets the name and revision of a resource.
func setHead(m proto.Message, name string, revision int64) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	r.Set(fields.ByName("name"), value(name))
	r.Set(fields.ByName("revision"), value(revision))
}
