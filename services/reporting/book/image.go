package book

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Fold names the version of the image and of what Apply means; see ledger.State.
// Change it whenever either changes.
func (b *Book) Fold() string { return "reporting-8" }

// WriteImage writes a frozen cut; see ledger.State.
func (b *Book) WriteImage(to io.Writer) error {
	w := &imageWriter{w: bufio.NewWriterSize(to, 1<<16)}
	w.uint(b.head)
	w.int(b.registryRevision)
	w.int(int64(b.today))
	w.int(int64(b.told))
	w.bool(b.handSet)
	w.uint(uint64(b.moves))
	b.writeUnits(w)
	b.writeMeasures(w)
	b.writeGoals(w)
	w.uint(uint64(len(b.sheets)))
	for _, k := range b.sheetKeys() {
		writeSheet(w, k, b.sheets[k])
	}
	b.writeClosings(w)
	b.writeFindings(w)
	w.uint(uint64(b.subjects.Len()))
	for k, n := range b.subjects.All() {
		w.uint(uint64(k.kind))
		w.int(int64(k.measure))
		w.int(int64(k.unit))
		w.uint(uint64(k.place))
		w.string(k.path)
		w.uint(n)
	}
	w.uint(uint64(len(b.requests.order)))
	for _, q := range b.requests.order {
		w.uint(q.hash)
		w.uint(q.sequence)
	}
	if w.err != nil {
		return fmt.Errorf("write image: %w", w.err)
	}
	return w.w.Flush()
}

// ReadImage fills an empty book; see ledger.State.
func (b *Book) ReadImage(from io.Reader) error {
	r := &imageReader{r: bufio.NewReaderSize(from, 1<<16)}
	b.head = r.uint()
	b.registryRevision = r.int()
	b.today = calendar.Date(r.int())
	b.told = calendar.Date(r.int())
	b.handSet = r.bool()
	b.moves = uint32(r.uint())
	b.readUnits(r)
	b.readMeasures(r)
	b.readGoals(r)
	for n := r.count(); n > 0 && r.err == nil; n-- {
		k := sheetKey{measureIx(r.int()), calendar.Period(r.int())}
		b.sheets[k] = readSheet(r)
		if k.period != Current {
			b.opened.Set(k.measure, append(slices.Clone(b.opened.Get(k.measure)), k.period))
		}
	}
	b.readClosings(r)
	b.readFindings(r)
	for n := r.count(); n > 0 && r.err == nil; n-- {
		k := subjectKey{subjectKind(r.uint()), measureIx(r.int()), unitIx(r.int()), uint32(r.uint()), r.string()}
		b.subjects.Set(k, r.uint())
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		b.requests.add(request{r.uint(), r.uint()})
	}
	if r.err != nil {
		return fmt.Errorf("read image: %w", r.err)
	}
	b.scheduleAll()
	b.scheduleGranted()
	for _, m := range b.measuresOf("") {
		b.indexChecks(m)
	}
	return nil
}

// sheetKeys lists the sheets by measure and period.
func (b *Book) sheetKeys() []sheetKey {
	var keys []sheetKey
	for ix := measureIx(1); ix <= b.measureN; ix++ {
		for _, p := range append([]calendar.Period{Current}, b.periods(ix)...) {
			keys = append(keys, sheetKey{ix, p})
		}
	}
	return keys
}

func (b *Book) writeUnits(w *imageWriter) {
	w.uint(uint64(b.unitCount))
	for ix := unitIx(1); ix <= b.unitCount; ix++ {
		u := b.unit(ix)
		w.string(u.id)
		w.string(u.name)
		w.uint(uint64(len(u.placements)))
		for _, p := range u.placements {
			w.int(int64(p.from))
			w.string(p.parent)
			w.int(int64(p.kind))
			w.string(p.level)
		}
		w.int(int64(u.closed))
		w.uint(uint64(len(u.parents)))
		for _, p := range u.parents {
			w.int(int64(p.from))
			w.int(int64(p.since))
			w.int(int64(p.parent))
		}
		w.int(int64(u.parent))
		w.uint(uint64(u.moved))
	}
}

func (b *Book) readUnits(r *imageReader) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		u := &Unit{id: r.string(), name: r.string()}
		for k := r.count(); k > 0 && r.err == nil; k-- {
			u.place(placement{calendar.Date(r.int()), r.string(), typev1.UnitKind(r.int()), r.string()})
		}
		u.closed = calendar.Date(r.int())
		for k := r.count(); k > 0 && r.err == nil; k-- {
			u.parents = append(u.parents, parentFrom{calendar.Date(r.int()), calendar.Period(r.int()), unitIx(r.int())})
		}
		u.parent, u.moved = unitIx(r.int()), uint32(r.uint())
		b.unitCount++
		u.ix = b.unitCount
		b.unitIDs.Set(u.id, u.ix)
		b.keep(u)
		b.join(u, true)
	}
}

// writeMeasures writes programmes and measures with the registry's own words, from
// which everything else about them follows.
func (b *Book) writeMeasures(w *imageWriter) {
	w.uint(uint64(b.programmes.Len()))
	for _, p := range b.programmes.All() {
		writeProto(w, p.res)
	}
	b.writeCalendars(w)
	w.uint(uint64(b.measureN))
	for ix := measureIx(1); ix <= b.measureN; ix++ {
		m := b.measure(ix)
		w.string(m.key.programme)
		w.string(m.key.id)
		switch {
		case m.target != nil:
			w.uint(1)
			writeProto(w, m.target)
		case m.task != nil:
			w.uint(2)
			writeProto(w, m.task)
		case m.regime != nil:
			w.uint(4)
			writeProto(w, m.regime)
		default:
			w.uint(3)
		}
		w.int(m.revision)
		w.int(m.goalRevision)
		w.bool(b.complete.Get(ix))
	}
}

func (b *Book) readMeasures(r *imageReader) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		res := new(registryv1.Programme)
		readProto(r, res)
		b.programmes.Set(idOf(res.GetName()), &Programme{id: idOf(res.GetName()), res: res})
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		b.readCalendar(r)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		m := b.readMeasure(r)
		if m == nil {
			r.err = errImage
			return
		}
		m.revision, m.goalRevision = r.int(), r.int()
		b.measureN++
		m.ix = b.measureN
		b.measureIDs.Set(m.key, m.ix)
		*b.measures.Edit(m.ix) = m
		if r.bool() {
			b.complete.Set(m.ix, true)
		}
	}
}

// writeCalendars writes the calendars that are not as they shipped.
func (b *Book) writeCalendars(w *imageWriter) {
	var changed []*registryv1.Calendar
	for _, c := range b.calendars.All() {
		if c.res != nil {
			changed = append(changed, c.res)
		}
	}
	w.uint(uint64(len(changed)))
	for _, res := range changed {
		writeProto(w, res)
	}
}

func (b *Book) readCalendar(r *imageReader) {
	res := new(registryv1.Calendar)
	readProto(r, res)
	c, err := readCalendar(res)
	if err != nil {
		r.err = err
		return
	}
	b.calendars.Set(idOf(res.GetName()), c)
}

func (b *Book) readMeasure(r *imageReader) *Measure {
	p, id := b.programmes.Get(r.string()), r.string()
	source := r.uint()
	if p == nil {
		return nil
	}
	switch source {
	case 1:
		t := new(registryv1.Target)
		readProto(r, t)
		if days := b.calendarOf(t.GetCalendar()); days != nil {
			return measureOfTarget(p, id, t, days.Cut())
		}
	case 2:
		t := new(registryv1.Task)
		readProto(r, t)
		m := measureOfTask(p, id, t)
		b.joinCounts(m)
		return m
	case 4:
		g := new(registryv1.Regime)
		readProto(r, g)
		if days := b.calendarOf(g.GetCalendar()); days != nil {
			return measureOfRegime(p, id, g, days.Cut())
		}
	case 3:
		for _, d := range derivations() {
			if d.id() == id {
				return measureOfDerivation(p, d)
			}
		}
	}
	return nil
}

func writeProto(w *imageWriter, m proto.Message) {
	data, err := proto.Marshal(m)
	if err != nil {
		w.err = err
		return
	}
	w.string(string(data))
}

func readProto(r *imageReader, m proto.Message) {
	if err := proto.Unmarshal([]byte(r.string()), m); err != nil && r.err == nil {
		r.err = err
	}
}

func (b *Book) writeGoals(w *imageWriter) {
	w.uint(uint64(b.goals.Len()))
	for k, a := range b.goals.All() {
		w.int(int64(k.measure))
		w.int(int64(k.unit))
		w.bool(a.set)
		w.int(a.value)
		w.int(a.baseline)
		w.bool(a.hasBaseline)
	}
}

func (b *Book) readGoals(r *imageReader) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		k := goalKey{measureIx(r.int()), unitIx(r.int())}
		a := allocation{r.bool(), r.int(), r.int(), r.bool()}
		b.goals.Set(k, a)
		if a.set {
			b.goalCounts.Set(k.measure, b.goalCounts.Get(k.measure)+1)
		}
	}
}
