package book_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// history is a book with the log that made it, and a naive model of its tree.
type history struct {
	live *book.Book
	log  []ledger.Entry
	naive
	duties
}

// do decides in a layer of the live book, in a layer of that when deep, and merges
// it when nothing was refused.
func (h *history) do(deep bool, decide func(*book.Book) error) error {
	stamp := ledger.Stamp{Next: uint64(len(h.log)) + 1, Time: time.UnixMicro(int64(len(h.log)))}
	layer := h.live.Fork(stamp)
	in := layer
	if deep {
		in = layer.Fork(stamp)
	}
	if err := decide(in); err != nil {
		if len(in.Drafts()) > 0 {
			return fmt.Errorf("refused, yet drafted: %w", err)
		}
		return err
	}
	if deep {
		in.Merge()
	}
	h.log = append(h.log, layer.Drafts()...)
	layer.Merge()
	return nil
}

func image(t fatal, b *book.Book) []byte {
	var buf bytes.Buffer
	if err := b.WriteImage(&buf); err != nil {
		t.Fatalf("write image: %v", err)
	}
	return buf.Bytes()
}

type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

func replay(t fatal, b *book.Book, log []ledger.Entry, after int) *book.Book {
	t.Helper()
	for i, e := range log[after:] {
		if err := b.Apply(uint64(after+i+1), e); err != nil {
			t.Fatalf("replay: %v", err)
		}
	}
	return b
}

// naive holds units and targets, and looks at every day apart.
type naive struct {
	units   map[string]*registryv1.Unit
	targets map[string]*registryv1.Target
	start   string // of the programme
}

var days = []string{"2001-01-01", "2002-01-01", "2003-01-01", "2004-01-01", "2005-01-01", "2006-01-01"}

// on returns where a unit stands on a day, nil when it does not exist.
func (n naive) on(id, day string) *registryv1.Placement {
	u := n.units[id]
	if u == nil || u.ClosedDate != "" && u.ClosedDate <= day {
		return nil
	}
	var at *registryv1.Placement
	for _, p := range u.Placements {
		if p.FromDate <= day {
			at = p
		}
	}
	return at
}

// good reports whether the tree and the targets hold on every day.
func (n naive) good() bool {
	for _, day := range days {
		for id := range n.units {
			if n.on(id, day) == nil {
				continue
			}
			path := []string{id}
			for at := n.on(id, day); at.Parent != ""; at = n.on(at.Parent, day) {
				if slices.Contains(path, at.Parent) || n.on(at.Parent, day) == nil {
					return false
				}
				path = append(path, at.Parent)
			}
			for _, t := range n.targets {
				if t.SubtotalPolicy < registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN && n.applies(t, id, day) &&
					slices.ContainsFunc(path[1:], func(above string) bool { return n.applies(t, above, day) }) {
					return false
				}
			}
		}
	}
	return true
}

func (n naive) applies(t *registryv1.Target, id, day string) bool {
	a, at := t.Applicability, n.on(id, day)
	from := a.FromDate
	if from == "" {
		from = n.start
	}
	if at == nil || day < from || a.UntilDate != "" && day >= a.UntilDate || slices.Contains(a.ExceptUnits, id) {
		return false
	}
	if slices.Contains(a.Units, id) {
		return true
	}
	return len(a.Kinds)+len(a.Levels) > 0 && (len(a.Kinds) == 0 || slices.Contains(a.Kinds, at.Kind)) &&
		(len(a.Levels) == 0 || slices.Contains(a.Levels, at.Level))
}

func programme() *registryv1.Programme {
	return &registryv1.Programme{
		DisplayName: "p", RootUnit: "u0", StartDate: "2002-01-01", EndDate: "2006-12-31",
		Instruments: []*registryv1.Instrument{{Id: "i", Number: "1", Date: "2001-01-01"}},
	}
}

func ids(t *rapid.T, label string, most int) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"u0", "u1", "u2", "u3", "u4", "u5"}), 0, most, rapid.ID).Draw(t, label)
}

func day(t *rapid.T, label string) string { return rapid.SampledFrom(days).Draw(t, label) }

func drawUnit(t *rapid.T) *registryv1.Unit {
	u := &registryv1.Unit{DisplayName: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "display")}
	from := rapid.SliceOfNDistinct(rapid.SampledFrom(days), 1, 3, rapid.ID).Draw(t, "from")
	slices.Sort(from)
	if rapid.IntRange(0, 3).Draw(t, "old") > 0 {
		from[0] = days[0]
	}
	for _, d := range from {
		u.Placements = append(u.Placements, &registryv1.Placement{
			FromDate: d, Parent: rapid.SampledFrom([]string{"", "u0", "u1", "u2", "u3", "u4"}).Draw(t, "parent"),
			Kind:  typev1.UnitKind(rapid.IntRange(1, 3).Draw(t, "kind")),
			Level: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "level"),
		})
	}
	if rapid.IntRange(0, 7).Draw(t, "closes") == 0 {
		u.ClosedDate = day(t, "closed")
	}
	return u
}

func drawTarget(t *rapid.T) *registryv1.Target {
	m := &registryv1.Target{
		DisplayName: "t", ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
		SubtotalPolicy: registryv1.SubtotalPolicy(rapid.IntRange(0, 3).Draw(t, "policy")),
		Acceptance:     "a", Owner: "u0", Instrument: "i", Due: &registryv1.DueWindow{LatestDate: "2005-01-01"},
		Applicability: &registryv1.Applicability{Units: ids(t, "units", 2)},
	}
	a := m.Applicability
	if rapid.Bool().Draw(t, "byKind") {
		a.Kinds = []typev1.UnitKind{typev1.UnitKind(rapid.IntRange(1, 3).Draw(t, "kind"))}
	}
	if rapid.Bool().Draw(t, "byLevel") {
		a.Levels = []string{rapid.SampledFrom([]string{"x", "y"}).Draw(t, "level")}
	}
	for _, id := range ids(t, "except", 2) {
		if !slices.Contains(a.Units, id) {
			a.ExceptUnits = append(a.ExceptUnits, id)
		}
	}
	if rapid.Bool().Draw(t, "dated") {
		a.FromDate = day(t, "from")
	}
	if rapid.Bool().Draw(t, "ends") {
		a.UntilDate = day(t, "until")
	}
	if rapid.IntRange(0, 3).Draw(t, "periodic") == 0 {
		m.Calendar, m.Frequency = drawPeriods(t)
		m.Regime = rapid.SampledFrom([]string{"", "r0", "r1"}).Draw(t, "regime")
	}
	return m
}

// writeUnit writes a unit to the book and the model, and compares what they say.
func (h *history) writeUnit(t *rapid.T) {
	id := rapid.SampledFrom([]string{"u0", "u1", "u2", "u3", "u4", "u5"}).Draw(t, "unit")
	u := drawUnit(t)
	err := h.do(rapid.Bool().Draw(t, "deep"), func(b *book.Book) error {
		_, _, err := b.PutUnit(name.Unit(id), u, book.How{Mode: book.Put})
		return err
	})
	var e *book.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v", err)
	}
	with := naive{units: map[string]*registryv1.Unit{}, targets: h.targets, start: h.start}
	for k, v := range h.units {
		with.units[k] = v
	}
	with.units[id] = u
	want := (u.ClosedDate == "" || u.ClosedDate > u.Placements[len(u.Placements)-1].FromDate) && with.good()
	if rooted := h.live.Programme("p") != nil && id == "u0"; rooted && want {
		want = !slices.ContainsFunc(u.Placements, func(p *registryv1.Placement) bool { return p.Parent != "" })
	}
	if want != (err == nil) {
		t.Fatalf("unit %s %v: the model says %v, the book %v", id, u, want, err)
	}
	if err == nil {
		h.naive = with
	}
}

// writeTarget does so with a target.
func (h *history) writeTarget(t *rapid.T) {
	id := rapid.SampledFrom([]string{"t0", "t0", "t1", "t1", "r1"}).Draw(t, "target")
	m := drawTarget(t)
	err := h.do(rapid.Bool().Draw(t, "deep"), func(b *book.Book) error {
		_, _, err := b.PutTarget(name.Target{Programme: "p", ID: id}, m, book.How{Mode: book.Put})
		return err
	})
	var e *book.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v", err)
	}
	// Rules that are no matter of the tree come first.
	got, want := errorv1.Reason_REASON_UNSPECIFIED, h.refusesTarget(id, m, h.targets[id])
	if err != nil && e.Reason != errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN {
		got = e.Reason
	}
	if other := got == errorv1.Reason_REASON_INVALID_FIELD || h.live.Programme("p") == nil || e != nil && foreign(e); !other && got != want {
		t.Fatalf("target %s %v: want %v, got %v", id, m, want, err)
	}
	if got != 0 {
		return // the table of bad inputs is for those
	}
	with := naive{units: h.units, targets: map[string]*registryv1.Target{}, start: h.start}
	for k, v := range h.targets {
		with.targets[k] = v
	}
	with.targets[id] = m
	if with.good() != (err == nil) {
		t.Fatalf("target %s %v: the model says %v, the book %v", id, m, with.good(), err)
	}
	if err == nil {
		h.naive = with
	}
}

// writeProgramme moves the programme's first day, where targets without one of
// their own begin.
func (h *history) writeProgramme(t *rapid.T) {
	p := programme()
	p.StartDate = day(t, "start")
	err := h.do(false, func(b *book.Book) error {
		_, _, err := b.PutProgramme("p", p, book.How{Mode: book.Put})
		return err
	})
	var e *book.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v", err)
	}
	if kept := e != nil && e.Reason == errorv1.Reason_REASON_CHANGE_NOT_ALLOWED; kept != h.owedBefore(p.StartDate) && h.live.Programme("p") != nil {
		t.Fatalf("programme from %s: %v", p.StartDate, err)
	}
	if err != nil && e.Reason != errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN {
		return // it has no root, or a regime begins before
	}
	with := naive{units: h.units, targets: h.targets, start: p.StartDate}
	if with.good() != (err == nil) {
		t.Fatalf("programme from %s: the model says %v, the book %v", p.StartDate, with.good(), err)
	}
	if err == nil {
		h.naive = with
	}
}

// writeOther writes what is not in the model.
func (h *history) writeOther(t *rapid.T) {
	err := h.do(false, func(b *book.Book) error {
		var err error
		switch rapid.IntRange(0, 1).Draw(t, "what") {
		case 0:
			id := rapid.SampledFrom([]string{"n", "r0"}).Draw(t, "task")
			_, _, err = b.PutTask(name.Task{Programme: "p", ID: id}, &registryv1.Task{
				DisplayName: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "display"), Acceptance: "a", Instrument: "i",
				Due: &registryv1.DueWindow{LatestDate: "2005-01-01"},
				Assignments: []*registryv1.Assignment{{
					Unit: "u0", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD,
				}},
			}, book.How{Mode: book.Put})
		case 1:
			id := name.Allocation{Target: name.Target{Programme: "p", ID: "t0"}, Unit: "u1"}
			_, _, err = b.PutAllocation(id, &registryv1.Allocation{
				Value: int64(rapid.IntRange(0, 3).Draw(t, "value")),
			}, book.How{Mode: book.Put})
		}
		return err
	})
	var e *book.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v", err)
	}
}

// plant begins with a small tree and a programme.
func (h *history) plant(t *rapid.T) {
	parent := ""
	for _, id := range []string{"u0", "u1", "u2"} {
		u := unitAt(parent, days[0])
		err := h.do(false, func(b *book.Book) error {
			_, _, err := b.PutUnit(name.Unit(id), u, book.How{})
			return err
		})
		if err != nil {
			t.Fatalf("%v", err)
		}
		h.units[id], parent = u, id
	}
	err := h.do(false, func(b *book.Book) error {
		_, _, err := b.PutProgramme("p", programme(), book.How{})
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	h.start = programme().StartDate
}

func TestReplayedLogIsTheLiveBookIsImageAndTail(t *testing.T) {
	refused, accepted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		h := &history{live: book.New(), naive: naive{units: map[string]*registryv1.Unit{}}}
		if rapid.IntRange(0, 9).Draw(t, "planted") > 0 {
			h.plant(t)
		}
		var cut *book.Book
		var cutImage []byte
		var cutAt int
		for range rapid.IntRange(1, 40).Draw(t, "writes") {
			before := len(h.log)
			switch rapid.IntRange(0, 8).Draw(t, "kind") {
			case 0, 1, 2:
				h.writeUnit(t)
			case 3, 4:
				h.writeTarget(t)
			case 5:
				h.writeProgramme(t)
			case 6:
				h.writeOther(t)
			case 7:
				h.writeCalendar(t)
			case 8:
				h.writeRegime(t)
			}
			accepted += len(h.log) - before
			refused += 1 - (len(h.log) - before)
			if cut == nil && rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
				cut, cutImage, cutAt = h.live.Freeze(), image(t, h.live), len(h.log)
			}
		}
		want := image(t, h.live)
		if got := image(t, replay(t, book.New(), h.log, 0)); !bytes.Equal(got, want) {
			t.Fatalf("the replayed log is not the live book")
		}
		if cut == nil {
			return
		}
		if got := image(t, cut); !bytes.Equal(got, cutImage) {
			t.Fatalf("a frozen cut changed")
		}
		loaded := book.New()
		if err := loaded.ReadImage(bytes.NewReader(cutImage)); err != nil {
			t.Fatalf("read image: %v", err)
		}
		if got := image(t, replay(t, loaded, h.log, cutAt)); !bytes.Equal(got, want) {
			t.Fatalf("image and tail are not the live book")
		}
		// What was rebuilt must also judge as the live book does.
		rebuilt := &history{live: loaded, log: h.log, naive: h.naive, duties: h.duties}
		rebuilt.writeUnit(t)
		rebuilt.writeTarget(t)
		rebuilt.writeCalendar(t)
		rebuilt.writeRegime(t)
	})
	t.Logf("%d writes accepted, %d refused or without effect", accepted, refused)
}

func TestAnImageThatIsCutOrLongerIsRefused(t *testing.T) {
	h := &history{live: book.New()}
	for _, id := range []string{"u0", "u1"} {
		err := h.do(false, func(b *book.Book) error {
			_, _, err := b.PutUnit(name.Unit(id), unitAt("", "2001-01-01"), book.How{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := image(t, h.live)
	for n := range len(whole) {
		if err := book.New().ReadImage(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(whole))
		}
	}
	if err := book.New().ReadImage(bytes.NewReader(append(whole, 0))); err == nil {
		t.Error("a longer image was read")
	}
}

func TestApplyRefusesWhatItCannotDigest(t *testing.T) {
	h := &history{live: book.New()}
	err := h.do(false, func(b *book.Book) error {
		_, _, err := b.PutUnit("u0", unitAt("", "2001-01-01"), book.How{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	unit := func(c *registryv1.Change, id, from string) []byte {
		u := unitAt("", from)
		u.Name = "units/" + id
		c.Resource = &registryv1.Change_Unit{Unit: u}
		raw, err := proto.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for what, event := range map[string][]byte{
		"no message":             {0xff},
		"no resource":            {},
		"another number":         unit(&registryv1.Change{Revision: 3}, "u1", "2001-01-01"),
		"a version of before":    unit(&registryv1.Change{Revision: 2}, "u0", "2001-01-01"),
		"a version of none":      unit(&registryv1.Change{Revision: 2, PreviousRevision: 1}, "u1", "2001-01-01"),
		"no name":                unit(&registryv1.Change{Revision: 2}, "U 1", "2001-01-01"),
		"a day that there isn't": unit(&registryv1.Change{Revision: 2}, "u1", "2001-02-30"),
	} {
		layer := h.live.Fork(ledger.Stamp{})
		if err := layer.Apply(2, ledger.Entry{Event: event}); err == nil {
			t.Errorf("%s was applied", what)
		}
	}
	if err := h.live.Apply(2, ledger.Entry{Event: unit(&registryv1.Change{Revision: 2}, "u1", "2001-01-01")}); err != nil {
		t.Error(err)
	}
}

func unitAt(parent, from string) *registryv1.Unit {
	return &registryv1.Unit{DisplayName: "u", Placements: []*registryv1.Placement{{
		FromDate: from, Parent: parent, Kind: typev1.UnitKind_UNIT_KIND_PROVINCE, Level: "x",
	}}}
}
