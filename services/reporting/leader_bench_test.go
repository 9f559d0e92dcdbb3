package reporting

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

const (
	nationTargets = 24
)

// nation is a book of months of 2022: every one of 23 ministries, 63 provinces, 705
// districts and 10,599 communes has reported 24 targets each month: 273,360 cells a
// month, with a check of each value, and some of them late.
type nation struct {
	b        *book.Book
	r        *rand.Rand
	now      time.Time
	revision int64
	requests int
	units    []string
}

func newNation(b *testing.B, last string) *nation {
	b.Helper()
	n := &nation{b: book.New(), r: rand.New(rand.NewPCG(8, 3)), now: noon(b, "2022-01-01")}
	n.block(b, func(l *book.Book) {
		n.unit(l, "vn", "", aCountry, "country")
		n.units = nil // the nation itself reports nothing
		for i := range 23 {
			n.unit(l, fmt.Sprint("m", i), "vn", typev1.UnitKind_UNIT_KIND_MINISTRY, "ministry")
		}
		for i := range 63 {
			n.unit(l, fmt.Sprint("p", i), "vn", aProvince, "province")
		}
		for i := range 705 {
			n.unit(l, fmt.Sprint("d", i), fmt.Sprint("p", i%63), typev1.UnitKind_UNIT_KIND_DISTRICT, "district")
		}
		for i := range 10_599 {
			n.unit(l, fmt.Sprint(10_000+i), fmt.Sprint("d", i%705), aCommune, "commune")
		}
	})
	n.block(b, n.duties)
	for p := period(b, "2022-M01"); p <= period(b, last); p = p.Next() {
		n.month(b, p)
	}
	return n
}

func period(t testing.TB, name string) calendar.Period {
	t.Helper()
	p, err := calendar.EndOfMonth.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (n *nation) block(b *testing.B, do func(*book.Book)) {
	b.Helper()
	l := n.b.Fork(ledger.Stamp{Next: n.b.Head() + 1, Time: n.now, Epoch: 1})
	for l.Due(n.now) {
		if err := l.Tick(); err != nil {
			b.Fatal(err)
		}
	}
	do(l)
	l.Drafts()
	l.Merge()
}

func (n *nation) change(l *book.Book, c *registryv1.Change) {
	n.revision++
	c.Revision = n.revision
	l.Registry(c)
}

func (n *nation) unit(l *book.Book, id, parent string, kind typev1.UnitKind, level string) {
	n.change(l, unitChange(id, parent, kind, level))
	n.units = append(n.units, id)
}

// duties writes the programme, its regime, targets, goals and scorecards: one of
// the 24 targets alone, one with how their reports came and how good they are.
func (n *nation) duties(l *book.Book) {
	kinds := []typev1.UnitKind{typev1.UnitKind_UNIT_KIND_MINISTRY, aProvince, typev1.UnitKind_UNIT_KIND_DISTRICT, aCommune}
	plain := &registryv1.Scorecard{Id: "plain", Level: "province", Commend: 5, Slow: 5, MinCompleteness: 5_000}
	full := &registryv1.Scorecard{Id: "full", Level: "province", Commend: 5, Slow: 5, MinCompleteness: 5_000, Parts: []*registryv1.ScorecardPart{
		scored(partQuality, "monthly", 15), scored(partOnTime, "monthly", 13)}}
	for i := range nationTargets {
		weight := uint32(4)
		if i < 4 {
			weight = 5
		}
		plain.Parts = append(plain.Parts, scored(partProgress, fmt.Sprint("target-", i), weight))
		full.Parts = append(full.Parts, scored(partProgress, fmt.Sprint("target-", i), 3))
	}
	n.change(l, &registryv1.Change{Resource: &registryv1.Change_Programme{Programme: &registryv1.Programme{Name: "programmes/" + project,
		RootUnit: "vn", StartDate: "2022-01-01", EndDate: "2025-12-31", Scorecards: []*registryv1.Scorecard{plain, full}}}})
	n.change(l, &registryv1.Change{Resource: &registryv1.Change_Regime{Regime: &registryv1.Regime{
		Name: "programmes/" + project + "/regimes/monthly", DueWorkingDays: 5, Silent: true}}})
	for i := range nationTargets {
		t := &registryv1.Target{Name: fmt.Sprint("programmes/", project, "/targets/target-", i), Regime: "monthly",
			Applicability: &registryv1.Applicability{Kinds: kinds}, SubtotalPolicy: registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN,
			ValueKind: []typev1.ValueKind{asCount, asRatio, asYesNo}[i%3], Accumulation: typev1.Accumulation_ACCUMULATION_LAST,
			Goal: goalOf(goalAtLeast, 900_000), Due: &registryv1.DueWindow{LatestDate: "2023-12-31"},
			Milestones: &registryv1.MilestoneRule{Disabled: true},
			Checks:     []*registryv1.Check{{Kind: registryv1.CheckKind_CHECK_KIND_COPY}}}
		n.change(l, &registryv1.Change{Resource: &registryv1.Change_Target{Target: t}})
		for p := 0; p < 63 && i%3 == 0; p++ {
			n.change(l, &registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: &registryv1.Allocation{
				Name: fmt.Sprint(t.GetName(), "/allocations/p", p), Value: 160_000}}})
		}
	}
}

// month lets every unit report every target: by the third day after the month, or,
// one in eight, on the 20th, which is late.
func (n *nation) month(b *testing.B, p calendar.Period) {
	b.Helper()
	for round, day := range []calendar.Date{p.LastDay() + 3, p.LastDay() + 20} {
		n.now = day.Start().Add(12 * time.Hour)
		for at := 0; at < len(n.units); at += 40 {
			n.block(b, func(l *book.Book) {
				for k, unit := range n.units[at:min(at+40, len(n.units))] {
					if late := (at+k)%8 == 0; late != (round == 1) {
						continue
					}
					for i := range nationTargets {
						n.submit(b, l, unit, i, p)
					}
				}
			})
		}
	}
}

func (n *nation) submit(b *testing.B, l *book.Book, unit string, target int, p calendar.Period) {
	n.requests++
	v := book.Value{State: book.Reported, Field: "value"}
	switch target % 3 {
	case 0:
		v.Kind, v.Num = asCount, int64(n.r.IntN(2_000))
	case 1:
		v.Kind, v.Num, v.Den = asRatio, int64(n.r.IntN(100)), 100
	default:
		v.Kind, v.Num, v.Den = asYesNo, int64(n.r.IntN(2)), 1
	}
	_, err := l.Submit(&book.Submission{Programme: project, Target: fmt.Sprint("target-", target), Unit: unit, Period: p, Value: v,
		RequestID: fmt.Sprint(n.requests)})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRanking63x24 ranks the 63 provinces by 24 targets: figures, quality,
// scores, words. It shall take 20 ms at most.
func BenchmarkRanking63x24(b *testing.B) {
	n := newNation(b, "2022-M12")
	for _, c := range []struct{ name, card, period, compare string }{
		{"current", "plain", "", ""},
		{"month", "plain", "2022-M12", ""},
		{"current, quality and on time", "full", "", ""},
		{"month, quality and on time", "full", "2022-M12", ""},
		{"month, quality, on time, improvement", "full", "2022-M12", "2022-M11"},
	} {
		b.Run(c.name, func(b *testing.B) {
			req := &reportingv1.RankRequest{Programme: project, Scorecard: c.card, Period: c.period, ComparePeriod: c.compare}
			b.ReportAllocs()
			before := usedCPU(b)
			for b.Loop() {
				r, err := rank(n.b, req)
				if err != nil {
					b.Fatal(err)
				}
				resp, err := r.page(req, "")
				if err != nil || len(resp.GetUnits()) != 63 || resp.GetUnits()[62].GetRank() == 0 {
					b.Fatal(err, resp)
				}
			}
			b.ReportMetric((usedCPU(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
	b.Run("GetQuality of the nation, a month", func(b *testing.B) { n.quality(b, "2022-M12", "2022-M12") })
	b.Run("GetQuality of the nation, a year", func(b *testing.B) { n.quality(b, "2022-M01", "2022-M12") })
}

// usedCPU is the processor time that this process has used, which a busy machine
// does not lengthen as it does the time on the wall.
func usedCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (n *nation) quality(b *testing.B, from, to string) {
	regime := n.b.MeasureByID(project, "monthly")
	targets, err := targetsOf(n.b, regime, nil)
	if err != nil {
		b.Fatal(err)
	}
	periods, err := periodsOf(n.b, regime, from, to)
	if err != nil {
		b.Fatal(err)
	}
	before := usedCPU(b)
	defer func() { b.ReportMetric((usedCPU(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op") }()
	for b.Loop() {
		total, below := n.b.Quality(n.b.UnitByID("vn"), regime, targets, periods)
		if total.Counts.Present != int64(len(n.units)*nationTargets*len(periods)) || len(below) != 86 {
			b.Fatal(total, len(below))
		}
	}
}
