package book

import (
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/layer"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// Book is the state of a reporting service. It implements ledger.State: many
// readers or one writer at a time.
type Book struct {
	parent *Book
	stamp  ledger.Stamp
	drafts []ledger.Entry

	head             uint64 // number of the last event applied
	registryRevision int64
	today            calendar.Date // as the last turn of the clock said; 0 before the first
	handSet          bool          // its clock was set by hand at least once
	told             calendar.Date // up to here all deadlines have been told
	moves            uint32        // how often units moved in today's tree

	units      *layer.Column[*Unit]
	unitCount  int32
	unitIDs    *layer.Table[string, unitIx]
	kin        *layer.Table[unitIx, *kin] // who stands below a unit
	measures   *layer.Column[*Measure]
	measureN   int32
	measureIDs *layer.Table[measureKey, measureIx]
	programmes *layer.Table[string, *Programme]
	calendars  *layer.Table[string, *Calendar]
	goals      *layer.Table[goalKey, allocation]
	goalCounts *layer.Table[measureIx, int]
	closings   *layer.Table[closingKey, Closing]
	findings   *layer.Table[uint64, finding]        // by the number of the event that opened it
	flagged    *layer.Table[cellAt, []uint64]       // the newest finding of each check of a cell
	totals     *layer.Table[measureIx, []measureIx] // checked against an average: an index
	agenda     *layer.Table[calendar.Date, *agenda] // what may fall due on a day: an index
	entered    *layer.Table[entry, bool]            // what is in it

	sheets   map[sheetKey]*sheet
	opened   *layer.Table[measureIx, []calendar.Period]
	complete *layer.Table[measureIx, bool]
	subjects *layer.Table[subjectKey, uint64]
	requests *requests

	pool    *sheetPool // shared with all layers
	touched *touched   // of a book that is not a layer
	fetched uint64     // of no meaning: it keeps reads from being left out
	here    *spot      // of the submission in hand
	room    []byte     // what is left of the buffer that events are encoded into
	effort  *Effort    // of a read; nil where nobody counts
}

var _ ledger.State[*Book] = (*Book)(nil)

// New returns the book of an empty log.
func New() *Book {
	return &Book{
		units: &layer.Column[*Unit]{}, unitIDs: layer.New[string, unitIx](), kin: layer.New[unitIx, *kin](),
		measures: &layer.Column[*Measure]{}, measureIDs: layer.New[measureKey, measureIx](),
		programmes: layer.New[string, *Programme](), calendars: shipped(),
		goals: layer.New[goalKey, allocation](), goalCounts: layer.New[measureIx, int](),
		agenda: layer.New[calendar.Date, *agenda](), entered: layer.New[entry, bool](), closings: layer.New[closingKey, Closing](),
		findings: layer.New[uint64, finding](), flagged: layer.New[cellAt, []uint64](), totals: layer.New[measureIx, []measureIx](),
		sheets: make(map[sheetKey]*sheet), opened: layer.New[measureIx, []calendar.Period](),
		complete: layer.New[measureIx, bool](), subjects: layer.New[subjectKey, uint64](),
		requests: newRequests(), touched: newTouched(), pool: new(sheetPool),
	}
}

// Fork opens a layer; see ledger.State.
func (b *Book) Fork(at ledger.Stamp) *Book {
	return &Book{
		parent: b, stamp: at,
		head: b.head, registryRevision: b.registryRevision, today: b.today, handSet: b.handSet, told: b.told, moves: b.moves,
		units: b.units.Fork(), unitCount: b.unitCount, unitIDs: b.unitIDs.Fork(), kin: b.kin.Fork(),
		measures: b.measures.Fork(), measureN: b.measureN, measureIDs: b.measureIDs.Fork(),
		programmes: b.programmes.Fork(), calendars: b.calendars.Fork(), goals: b.goals.Fork(), goalCounts: b.goalCounts.Fork(), agenda: b.agenda.Fork(), entered: b.entered.Fork(), closings: b.closings.Fork(),
		findings: b.findings.Fork(), flagged: b.flagged.Fork(), totals: b.totals.Fork(),
		sheets: make(map[sheetKey]*sheet), opened: b.opened.Fork(),
		complete: b.complete.Fork(), subjects: b.subjects.Fork(),
		requests: b.requests.fork(), pool: b.pool,
	}
}

// Sub opens a layer over one in which events are being decided, for a batch that
// is taken whole or not at all.
func (b *Book) Sub() *Book { return b.Fork(b.stamp) }

// Merge makes the layer part of its parent; see ledger.State.
func (b *Book) Merge() {
	p := b.parent
	p.head, p.registryRevision, p.today, p.told, p.moves, p.handSet = b.head, b.registryRevision, b.today, b.told, b.moves, b.handSet
	p.unitCount, p.measureN = b.unitCount, b.measureN
	b.units.Merge(nil)
	b.unitIDs.Merge()
	b.kin.Merge()
	b.measures.Merge(nil)
	b.measureIDs.Merge()
	b.programmes.Merge()
	b.calendars.Merge()
	b.goals.Merge()
	b.goalCounts.Merge()
	b.agenda.Merge()
	b.entered.Merge()
	b.closings.Merge()
	b.findings.Merge()
	b.flagged.Merge()
	b.totals.Merge()
	for k, s := range b.sheets {
		moved := p.touched
		if k.period != Current || p.measure(k.measure).regime != nil {
			moved = nil // nobody is shown the current reports: they are of a period
		}
		if _, there := p.sheets[k]; there && s.forked() {
			s.merge(k.measure, moved)
			b.pool.done(s)
			continue
		}
		p.sheets[k] = s
		if moved != nil { // the sheet is new
			s.nodes.All(func(unit int32, n *node) bool {
				moved.differ(k.measure, unit, &node{}, n)
				return true
			})
		}
	}
	clear(b.sheets)
	b.opened.Merge()
	b.complete.Merge()
	b.subjects.Merge()
	b.requests.merge()
	if p.parent != nil {
		p.drafts = append(p.drafts, b.drafts...)
		p.stamp.Next = b.stamp.Next
	}
	b.drafts, b.here = nil, nil
}

// Drafts returns the entries decided in this layer, in order.
func (b *Book) Drafts() []ledger.Entry { return b.drafts }

// Freeze returns a cut that later merges into b do not change.
func (b *Book) Freeze() *Book {
	f := *b
	f.units, f.measures = b.units.Freeze(), b.measures.Freeze()
	f.unitIDs, f.kin = b.unitIDs.Clone(), b.kin.Clone()
	f.measureIDs, f.programmes, f.calendars = b.measureIDs.Clone(), b.programmes.Clone(), b.calendars.Clone()
	f.goals, f.goalCounts = b.goals.Clone(), b.goalCounts.Clone()
	f.agenda, f.entered = layer.New[calendar.Date, *agenda](), layer.New[entry, bool]() // a cut tells nobody anything
	f.closings = b.closings.Clone()
	f.findings, f.flagged, f.totals = b.findings.Clone(), b.flagged.Clone(), b.totals.Clone()
	f.sheets = make(map[sheetKey]*sheet, len(b.sheets))
	for k, s := range b.sheets {
		f.sheets[k] = s.freeze()
	}
	f.opened, f.complete, f.subjects = b.opened.Clone(), b.complete.Clone(), b.subjects.Clone()
	f.requests = b.requests.freeze()
	f.touched, f.effort = newTouched(), nil
	return &f
}

// Now is the time of the block that is being decided.
func (b *Book) Now() time.Time { return b.stamp.Time }

// Head is the number of the last event applied.
func (b *Book) Head() uint64 { return b.head }

// RegistryRevision is the newest registry revision in the book.
func (b *Book) RegistryRevision() int64 { return b.registryRevision }

// Units counts the units known.
func (b *Book) Units() int { return int(b.unitCount) }

// emit numbers an event, applies it to the layer and adds it to the drafts. What
// apply cannot digest is a defect of the rule that decided it: emit panics, and
// the engine drops the layer with all that was half done.
func (b *Book) emit(e *eventv1.Event, annex []byte) {
	b.number(e, annex)
	e.Previous = b.previousOn(b.subjectOf(e), e)
	b.done(e, annex, b.apply(e))
}

// emitAt is emit for a submission whose place is known.
func (b *Book) emitAt(at *spot, e *eventv1.Event, s *eventv1.SubmissionRecorded, kind subjectKind, annex []byte) {
	b.number(e, annex)
	e.Previous = b.previousOn(at.subject(kind), e)
	b.done(e, annex, b.applyAt(at, e, s, kind))
}

// number gives an event its number and what else follows from the layer.
func (b *Book) number(e *eventv1.Event, annex []byte) {
	e.Sequence = b.stamp.Next
	e.TimeUnixMicros = b.stamp.Time.UnixMicro()
	e.Epoch = b.stamp.Epoch
	e.RegistryRevision = b.registryRevision
	if annex != nil {
		digest := sha256.Sum256(annex)
		e.AnnexDigest = digest[:16]
	}
}

// done adds an applied event to the drafts.
func (b *Book) done(e *eventv1.Event, annex []byte, applied error) {
	if applied != nil {
		panic(fmt.Errorf("event %d cannot be applied: %w", e.Sequence, applied))
	}
	options := proto.MarshalOptions{Deterministic: true}
	if size := options.Size(e); size > cap(b.room)-len(b.room) {
		b.room = make([]byte, 0, max(size, roomBytes))
	}
	begin := len(b.room)
	data, err := proto.MarshalOptions{Deterministic: true, UseCachedSize: true}.MarshalAppend(b.room, e)
	if err != nil {
		panic(fmt.Errorf("event %d cannot be encoded: %w", e.Sequence, err))
	}
	b.room = data
	b.stamp.Next++
	b.drafts = append(b.drafts, ledger.Entry{Event: data[begin:len(data):len(data)], Annex: annex})
}

// roomBytes is how much is taken at once for the bytes of events.
const roomBytes = 8 << 10

// Apply folds in an entry of the log; see ledger.State.
func (b *Book) Apply(sequence uint64, entry ledger.Entry) error {
	e := new(eventv1.Event)
	if err := proto.Unmarshal(entry.Event, e); err != nil {
		return fmt.Errorf("event %d is no event of this release: %w", sequence, err)
	}
	if e.GetSequence() != sequence || sequence != b.head+1 {
		return fmt.Errorf("event numbered %d stands at %d after %d", e.GetSequence(), sequence, b.head)
	}
	return b.apply(e)
}
