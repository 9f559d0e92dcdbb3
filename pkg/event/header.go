package event

import (
	"context"
	"strconv"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/nats-io/nats.go"
)

// Headers of a message: the attributes of a CloudEvent 1.0 in binary content mode, as
// the NATS protocol binding names them. The package comment of cotmoc.event.v1 says what
// each of them holds.
const (
	HeaderSpecVersion     = "ce-specversion"
	HeaderID              = "ce-id"
	HeaderSource          = "ce-source"
	HeaderType            = "ce-type"
	HeaderTime            = "ce-time"
	HeaderSubject         = "ce-subject" // absent where there is no unit
	HeaderDataContentType = "ce-datacontenttype"
	HeaderDataSchema      = "ce-dataschema"

	// Extension attributes.
	HeaderSequence  = "ce-sequence"
	HeaderPrevious  = "ce-previous"  // of facts only; absent where there is none
	HeaderCausation = "ce-causation" // of facts only; absent where a caller was the cause
	HeaderEpoch     = "ce-epoch"
)

const (
	typePrefix  = "vn.cotmoc."
	typeVersion = ".v1"
	contentType = "application/protobuf"
	schemas     = "https://github.com/cotmoc/cotmoc/blob/main/proto/cotmoc/event/v1/"

	eventSchema    = schemas + "event.proto#cotmoc.event.v1.Event"
	progressSchema = schemas + "progress.proto#cotmoc.event.v1.ProgressChanged"
)

// Identity tells a message from all others: no two messages have the same Source and
// ID. The ID of a fact is its own for ever: no other fact of any installation has it, and
// the streams of later epochs carry the fact with the same ID under another Source.
type Identity struct {
	Source string // of the stream: the installation and the epoch of its log
	Epoch  uint32 // number of that epoch
	ID     string
}

// identityKey is the key of an Identity in a context.
type identityKey struct{}

// IdentityOf returns the identity of the event that a Handler is called with, from the
// Handler's context. It is zero in any other context. With it the event can be sent on as a
// CloudEvent that is recognised as the same.
func IdentityOf(ctx context.Context) Identity {
	of, _ := ctx.Value(identityKey{}).(Identity)
	return of
}

func withIdentity(ctx context.Context, of Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, of)
}

// identityOf reads the identity of a message.
func identityOf(h nats.Header) Identity {
	epoch, _ := strconv.ParseUint(h.Get(HeaderEpoch), 10, 32)
	return Identity{Source: h.Get(HeaderSource), Epoch: uint32(epoch), ID: h.Get(HeaderID)}
}

// storedIdentity is the identity of an event of a page of the log.
func storedIdentity(page *reportingv1.ListEventsResponse, s *reportingv1.StoredEvent) Identity {
	return Identity{Source: page.GetSource(), Epoch: page.GetEpoch(), ID: s.GetId()}
}

// Header returns the headers of the message that carries an event. The body is the
// event's bytes as they were committed.
func Header(e *eventv1.Event, of Identity) nats.Header {
	entity, name := kind(e)
	h := header(of, entity, name, eventSchema, e.GetSequence(), Time(e), Path(e))
	if n := e.GetPrevious(); n > 0 {
		h[HeaderPrevious] = []string{number(n)}
	}
	if n := e.GetCausation(); n > 0 {
		h[HeaderCausation] = []string{number(n)}
	}
	return h
}

// ProgressHeader returns the headers of the message that carries a total, as it was at
// a time.
func ProgressHeader(p *eventv1.ProgressChanged, of Identity, at time.Time) nats.Header {
	return header(of, "progress", "changed", progressSchema, p.GetSequence(), at, p.GetPath())
}

// header makes all headers at once, as each event of a storm has them: their values share
// one array.
func header(of Identity, entity, name, schema string, sequence uint64, at time.Time, path string) nats.Header {
	values := [...]struct{ key, value string }{
		{HeaderSpecVersion, "1.0"},
		{HeaderID, of.ID},
		{HeaderSource, of.Source},
		{HeaderType, typePrefix + entity + "." + name + typeVersion},
		{HeaderTime, at.UTC().Format(time.RFC3339Nano)},
		{HeaderDataContentType, contentType},
		{HeaderDataSchema, schema},
		{HeaderSequence, number(sequence)},
		{HeaderEpoch, strconv.FormatUint(uint64(of.Epoch), 10)},
		{HeaderSubject, path},
	}
	h := make(nats.Header, len(values)+6) // and what a publisher adds
	room := make([]string, len(values))
	for i, v := range values {
		if v.value == "" && v.key == HeaderSubject {
			continue
		}
		room[i] = v.value
		h[v.key] = room[i : i+1 : i+1]
	}
	return h
}

// digits is how many the largest number has.
const digits = 20

// number is how an extension attribute names an event: with as many digits as the
// largest number has, because the attribute sequence must sort as text.
func number(n uint64) string {
	var text [digits]byte
	for i := digits - 1; i >= 0; i-- {
		text[i] = '0' + byte(n%10)
		n /= 10
	}
	return string(text[:])
}
