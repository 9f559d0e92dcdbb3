// Package apierr makes and reads the errors that Cotmoc answers with: a gRPC
// status whose google.rpc.ErrorInfo detail names the reason, a value of
// cotmoc.error.v1.Reason, and whose google.rpc.BadRequest detail names each bad
// field. It serves servers and clients alike.
package apierr

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/grpc/codes"
)

// Domain is the domain of every ErrorInfo that Cotmoc sends.
const Domain = "cotmoc"

// Bounds that keep a status well within the 8 KiB of headers that gRPC clients in
// other languages accept by default.
const (
	maxViolations  = 16
	maxMessage     = 1000
	maxDescription = 200
)

// Error is why a call was refused. It is an error whose status gRPC sends.
type Error struct {
	Code    codes.Code
	Reason  errorv1.Reason // UNSPECIFIED when this release does not know the word
	Message string         // for people: what is wrong and what to do
	// Field is the first bad field as a path from the request down, such as
	// `items[3].submission.unit`; empty when no field is to blame.
	Field string
	// Violations are all bad fields, at most 16; the message says when there were more.
	Violations []Violation
	// Metadata is what else the reason's documentation promises, `field` included.
	Metadata map[string]string
	// Retry is when to send the same again; 0 when the server did not say.
	Retry time.Duration
}

// Violation is one bad field.
type Violation struct {
	Field       string // path from the request down
	Description string // what is wrong with it
}

// New returns an error that names at most one field; field may be empty.
// Metadata are keys and values in turn; a last key without a value has an empty one.
func New(code codes.Code, reason errorv1.Reason, field, message string, metadata ...string) error {
	e := &Error{Code: code, Reason: reason, Message: clip(message, maxMessage), Field: field}
	if field != "" {
		e.Violations = []Violation{{Field: field, Description: clip(message, maxDescription)}}
	}
	e.Metadata = pairs(field, metadata)
	return e
}

// NewViolations returns an error that names many fields. The first is its Field.
func NewViolations(code codes.Code, reason errorv1.Reason, message string, violations []Violation) error {
	e := &Error{Code: code, Reason: reason, Message: clip(message, maxMessage)}
	if len(violations) > 0 {
		e.Field = violations[0].Field
	}
	if more := len(violations) - maxViolations; more > 0 {
		e.Message += " (and " + strconv.Itoa(more) + " more fields)"
		violations = violations[:maxViolations]
	}
	e.Violations = slices.Clone(violations)
	for i := range e.Violations {
		e.Violations[i].Description = clip(e.Violations[i].Description, maxDescription)
	}
	e.Metadata = pairs(e.Field, nil)
	return e
}

// WithRetry returns err with the advice to send the same request again after d.
// An error that is none of Cotmoc's is returned as it is.
func WithRetry(err error, d time.Duration) error {
	e, ok := Parse(err)
	if !ok {
		return err
	}
	e.Retry = d
	return &e
}

// sequenceKey is the key of an event's number in a refusal's metadata.
const sequenceKey = "sequence"

// WithSequence returns err with the newest event that the refusal takes into account.
// One that names an event already keeps it, and 0 adds nothing. An error that is none
// of Cotmoc's is returned as it is.
func WithSequence(err error, sequence uint64) error {
	e, ok := Parse(err)
	if _, named := e.Metadata[sequenceKey]; !ok || named || sequence == 0 {
		return err
	}
	e.Metadata = maps.Clone(e.Metadata)
	if e.Metadata == nil {
		e.Metadata = make(map[string]string, 1)
	}
	e.Metadata[sequenceKey] = strconv.FormatUint(sequence, 10)
	return &e
}

// Sequence is the event that the refusal names, in the log of the service that
// answered: a read of reporting with it as `min_sequence` sees what the refusal tells
// of. It is 0 when the refusal names none.
func (e *Error) Sequence() uint64 {
	n, _ := strconv.ParseUint(e.Metadata[sequenceKey], 10, 64)
	return n
}

// Error gives the reason, the field and the message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(word(e.Reason))
	if e.Field != "" {
		b.WriteByte(' ')
		b.WriteString(e.Field)
	}
	b.WriteString(": ")
	b.WriteString(e.Message)
	return b.String()
}

// word is a reason as it stands in an ErrorInfo.
func word(r errorv1.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }

// pairs makes metadata of keys and values in turn.
func pairs(field string, kv []string) map[string]string {
	if field == "" && len(kv) == 0 {
		return nil
	}
	m := make(map[string]string, len(kv)/2+1)
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = ""
		if i+1 < len(kv) {
			m[kv[i]] = clip(kv[i+1], maxDescription)
		}
	}
	if field != "" {
		m["field"] = field
	}
	return m
}

// clip shortens a text to n bytes of whole characters. What is not UTF-8 is
// replaced: gRPC could not send it.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const mark = "…"
	cut := n - len(mark)
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + mark
}
