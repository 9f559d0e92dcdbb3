package book

import (
	"cmp"
	"fmt"
	"slices"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Closing is what is known of a review's frozen document; the document itself is
// beside the event.
type Closing struct {
	Programme, ID, Name string
	AsOf                calendar.Date
	KnownSequence       uint64 // number of the last event that it takes into account
	Sequence            uint64 // number of the event that published it
	TimeUnixMicros      int64
	SHA256              string // 32 bytes
	Size                int64
}

// closingKey names a closing.
type closingKey struct{ programme, id string }

// Publish records a closing with its document, and returns what is known of it: of
// the one that was published under its id before, if that has the same name and date.
func (b *Book) Publish(c Closing, document []byte) (Closing, error) {
	p := b.programmes.Get(c.Programme)
	if p == nil {
		return Closing{}, refuse(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme", "there is no programme %s", c.Programme)
	}
	if there, ok := b.ClosingByID(c.Programme, c.ID); ok {
		return there, there.same(c)
	}
	b.emit(&eventv1.Event{Programme: c.Programme, Payload: &eventv1.Event_ClosingPublished{ClosingPublished: &eventv1.ClosingPublished{
		Closing: c.ID, Path: b.path(b.unitIDs.Get(p.res.GetRootUnit()), Current), AsOfDate: c.AsOf.String(),
		KnownSequence: c.KnownSequence, Sha256: []byte(c.SHA256), SizeBytes: c.Size, DisplayName: c.Name}}}, document)
	there, _ := b.ClosingByID(c.Programme, c.ID)
	return there, nil
}

// same refuses another closing under the same id.
func (c Closing) same(other Closing) error {
	if c.Name == other.Name && c.AsOf == other.AsOf {
		return nil
	}
	return refuse(errorv1.Reason_REASON_RESOURCE_EXISTS, "closing",
		"closing %s was published as %q, as of %s: take another id", c.ID, c.Name, c.AsOf)
}

// ClosingByID returns a closing, and whether there is one.
func (b *Book) ClosingByID(programme, id string) (Closing, bool) {
	c := b.closings.Get(closingKey{programme, id})
	return c, c.Sequence != 0
}

// Closings lists the closings of a programme, newest first.
func (b *Book) Closings(programme string) []Closing {
	var out []Closing
	for k, c := range b.closings.All() {
		if k.programme == programme {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(x, y Closing) int { return cmp.Compare(y.Sequence, x.Sequence) })
	return out
}

func (b *Book) applyClosing(e *eventv1.Event, c *eventv1.ClosingPublished) error {
	day, err := calendar.ParseDate(c.GetAsOfDate())
	if err != nil {
		return fmt.Errorf("closing %s: %w", c.GetClosing(), err)
	}
	b.closings.Set(closingKey{e.GetProgramme(), c.GetClosing()}, Closing{Programme: e.GetProgramme(), ID: c.GetClosing(),
		Name: c.GetDisplayName(), AsOf: day, KnownSequence: c.GetKnownSequence(), Sequence: e.GetSequence(),
		TimeUnixMicros: e.GetTimeUnixMicros(), SHA256: string(c.GetSha256()), Size: c.GetSizeBytes()})
	return nil
}

func (b *Book) writeClosings(w *imageWriter) {
	w.uint(uint64(b.closings.Len()))
	for _, c := range b.closings.All() {
		for _, s := range []string{c.Programme, c.ID, c.Name, c.SHA256} {
			w.string(s)
		}
		w.int(int64(c.AsOf))
		w.uint(c.KnownSequence)
		w.uint(c.Sequence)
		w.int(c.TimeUnixMicros)
		w.int(c.Size)
	}
}

func (b *Book) readClosings(r *imageReader) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := Closing{Programme: r.string(), ID: r.string(), Name: r.string(), SHA256: r.string()}
		c.AsOf, c.KnownSequence, c.Sequence = calendar.Date(r.int()), r.uint(), r.uint()
		c.TimeUnixMicros, c.Size = r.int(), r.int()
		b.closings.Set(closingKey{c.Programme, c.ID}, c)
	}
}
