package book

import (
	"fmt"
	"strings"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Error is why a write was refused. Nothing of the write is kept.
type Error struct {
	Reason errorv1.Reason
	// Message says for people what is wrong.
	Message string
	// Violations are all fields to blame, at least one, as paths from the resource
	// down, such as `task.assignments[2].unit`.
	Violations []Violation
	// Meta is what else the reason's documentation promises, keys and values in turn.
	Meta []string
}

// Violation is a field to blame and what is wrong with it.
type Violation struct{ Field, Message string }

// Error gives the reason, the first field and the message.
func (e *Error) Error() string {
	word := strings.TrimPrefix(e.Reason.String(), "REASON_")
	if len(e.Violations) == 0 {
		return word + ": " + e.Message
	}
	return word + " " + e.Violations[0].Field + ": " + e.Message
}

// refuse returns an error that blames one field.
func refuse(reason errorv1.Reason, field, message string, meta ...string) *Error {
	return &Error{
		Reason: reason, Message: message, Meta: meta,
		Violations: []Violation{{Field: field, Message: message}},
	}
}

// faults gathers all that is wrong for one reason, so that the caller learns it at once.
type faults struct{ all []Violation }

// add blames a field.
func (f *faults) add(field, format string, args ...any) {
	f.all = append(f.all, Violation{Field: field, Message: fmt.Sprintf(format, args...)})
}

// err returns nil when nothing was blamed. The message is the first fault's.
func (f *faults) err(reason errorv1.Reason) error {
	if len(f.all) == 0 {
		return nil
	}
	first := f.all[0]
	return &Error{Reason: reason, Message: first.Field + ": " + first.Message, Violations: f.all}
}
