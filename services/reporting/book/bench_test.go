package book

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// nation is a rig with as many units as there were in 2022: 23 ministries, 63
// provinces, 705 districts, 10,599 communes, and 24 targets of all kinds.
type nation struct {
	*rig
	targets  []*Measure
	units    []*Unit // that report
	r        *rand.Rand
	requests int
}

func newNation(b *testing.B) *nation {
	b.Helper()
	n := &nation{rig: newRig(b, "2022-07-31"), r: rand.New(rand.NewPCG(1, 2))}
	n.grow()
	n.programme()
	all := []typev1.UnitKind{ministry, commune}
	for i := range 24 {
		id, edit := fmt.Sprint("target-", i), []func(*registryv1.Target){}
		kind, acc := count, last
		switch i % 4 {
		case 1:
			acc = sumAll
		case 2:
			kind = ratio
		case 3:
			kind = yesNo
		}
		value := int64(500_000)
		if kind == count {
			value = 11_000_000
		}
		if i%6 > 0 { // the rest announce at every unit
			edit = append(edit, func(t *registryv1.Target) {
				t.Milestones = &registryv1.MilestoneRule{Levels: []string{"country", "province", "ministry"}}
			})
		}
		n.target(id, kind, acc, all, append(edit, atLeast(value))...)
		if kind == count && i%8 == 0 {
			for p := range 63 { // provinces have goals of their own
				n.allocate(id, fmt.Sprint("p", p), 160_000)
			}
		}
		n.targets = append(n.targets, n.b.MeasureByID(prog, id))
	}
	return n
}

// grow makes the tree in one block.
func (n *nation) grow() {
	n.block(func(l *Book) {
		add := func(id, parent string, kind typev1.UnitKind) {
			n.revision++
			l.Registry(&registryv1.Change{Revision: n.revision, Resource: &registryv1.Change_Unit{Unit: &registryv1.Unit{
				Name: "units/" + id, DisplayName: id, Placements: []*registryv1.Placement{from("2010-01-01", parent, kind)}}}})
		}
		add("vn", "", country)
		for i := range 23 {
			add(fmt.Sprint("m", i), "vn", ministry)
		}
		for i := range 63 {
			add(fmt.Sprint("p", i), "vn", province)
		}
		for i := range 705 {
			add(fmt.Sprint("d", i), fmt.Sprint("p", i%63), district)
		}
		for i := range 10_599 {
			add(fmt.Sprint(10_000+i), fmt.Sprint("d", i%705), commune)
		}
	})
	for ix := unitIx(1); ix <= n.b.unitCount; ix++ {
		if u := n.b.unit(ix); u.placements[0].kind == commune || u.placements[0].kind == ministry {
			n.units = append(n.units, u)
		}
	}
}

// next is a submission of a random unit for a random target.
func (n *nation) next(l *Book, p calendar.Period) *Submission {
	m, u := n.targets[n.r.IntN(len(n.targets))], n.units[n.r.IntN(len(n.units))]
	n.requests++
	s := &Submission{Programme: prog, Target: m.key.id, Unit: u.id, Period: p, RequestID: "7c9e6679-7425-40de-944b-" + strconv.Itoa(n.requests)}
	s.ExpectedRevision, _ = l.Cell(m, u, p)
	switch m.kind {
	case count:
		s.Value = number(int64(n.r.IntN(2000)))
	case ratio:
		s.Value = part(int64(n.r.IntN(100)), 100)
	default:
		s.Value = yes()
	}
	return s
}

// decide makes one block of n submissions.
func (n *nation) decide(size int, p calendar.Period) []ledger.Entry {
	l := n.b.Fork(ledger.Stamp{Next: n.b.Head() + 1, Time: n.now, Epoch: 1})
	for range size {
		if _, err := l.Submit(n.next(l, p)); err != nil {
			n.t.Fatal(err)
		}
	}
	entries := l.Drafts()
	l.Merge()
	return entries
}

// cpuTime is the processor time that this process has used, which a busy machine
// does not lengthen as it does the time on the wall.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func cpu(b *testing.B, before time.Duration, n int, unit string) {
	b.Helper()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(n), unit)
}

// BenchmarkSubmit decides and merges blocks of submissions of random units.
func BenchmarkSubmit(b *testing.B) {
	for _, size := range []int{1, 256, 500} {
		b.Run(fmt.Sprint("block=", size), func(b *testing.B) {
			n := newNation(b)
			p := month(b, "2022-M06")
			for range 100 { // not the first of everything
				n.decide(500, p)
			}
			b.ReportAllocs()
			b.ResetTimer()
			events, before := 0, cpuTime(b)
			for b.Loop() {
				events += len(n.decide(size, p))
			}
			cpu(b, before, b.N*size, "cpu-ns/submission")
			b.ReportMetric(float64(events)/float64(b.N*size), "events/submission")
		})
	}
}

// BenchmarkWave is every unit reporting every target once, by batches of one unit.
func BenchmarkWave(b *testing.B) {
	n := newNation(b)
	at, p := 0, month(b, "2022-M07")
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for b.Loop() {
		if at == len(n.units) {
			at, p = 0, p-1
		}
		u := n.units[at]
		at++
		l := n.b.Fork(ledger.Stamp{Next: n.b.Head() + 1, Time: n.now, Epoch: 1})
		for i, m := range n.targets {
			n.requests++
			s := &Submission{Programme: prog, Target: m.key.id, Unit: u.id, Period: p, RequestID: strconv.Itoa(n.requests), Value: number(int64(i))}
			if m.kind == ratio {
				s.Value = part(int64(i), 100)
			} else if m.kind == yesNo {
				s.Value = yes()
			}
			if _, err := l.Submit(s); err != nil {
				b.Fatal(err)
			}
		}
		l.Merge()
	}
	cpu(b, before, b.N*len(n.targets), "cpu-ns/submission")
}

// BenchmarkApply replays a log into a book that nobody else reads.
func BenchmarkApply(b *testing.B) {
	n := newNation(b)
	p := month(b, "2022-M06")
	log := append([]ledger.Entry(nil), n.log...)
	for range 400 {
		log = append(log, n.decide(500, p)...)
	}
	start := replayed(b, New(), n.log)
	at := start.Head()
	events := make([]eventv1.Event, 10_000)
	before := cpuTime(b)
	for i := range events {
		if err := proto.Unmarshal(log[at+uint64(i)].Event, &events[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("decoding alone takes %s an event", (cpuTime(b)-before)/10_000)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if at == uint64(len(log)) {
			b.StopTimer()
			start = replayed(b, New(), n.log)
			at = start.Head()
			b.StartTimer()
		}
		if err := start.Apply(at+1, log[at]); err != nil {
			b.Fatal(err)
		}
		at++
	}
}

// BenchmarkFigure reads a total, of a commune and of the nation.
func BenchmarkFigure(b *testing.B) {
	n := newNation(b)
	for range 100 {
		n.decide(500, month(b, "2022-M06"))
	}
	for _, id := range []string{"10001", "p7", "vn"} {
		b.Run(id, func(b *testing.B) {
			u := n.b.UnitByID(id)
			b.ReportAllocs()
			for b.Loop() {
				f := n.b.View(n.targets[0], Current).Figure(u)
				_, _ = f.Progress()
			}
		})
	}
	b.Run("children of vn", func(b *testing.B) {
		u := n.b.UnitByID("vn")
		b.ReportAllocs()
		for b.Loop() {
			if list, _ := n.b.View(n.targets[0], Current).Figures(u, Selection{}, "", 1000); len(list) != 86 {
				b.Fatal(len(list))
			}
		}
	})
}

// BenchmarkFreeze makes the cut for an image.
func BenchmarkFreeze(b *testing.B) {
	n := newNation(b)
	for range 100 {
		n.decide(500, month(b, "2022-M06"))
	}
	b.ReportAllocs()
	for b.Loop() {
		n.b.Freeze()
	}
}
