package book

import (
	"math"
	"math/big"
	"math/bits"
	"slices"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Short names of the contract's kinds of checks.
const (
	magnitude    = registryv1.CheckKind_CHECK_KIND_MAGNITUDE
	sameAsLast   = registryv1.CheckKind_CHECK_KIND_COPY
	fallingStock = registryv1.CheckKind_CHECK_KIND_FALLING_STOCK
	averageDays  = registryv1.CheckKind_CHECK_KIND_AVERAGE_TIMES_DAYS
	controlTotal = registryv1.CheckKind_CHECK_KIND_CONTROL_TOTAL
)

// lookBack is for how many periods a value says something about the magnitude of
// the next one.
const lookBack = 12

// usualTolerance is how far a total may be from its average times the days, in
// hundredths of a percent, where a check does not say.
const usualTolerance = 100

// cellAt names a cell.
type cellAt struct {
	measure measureIx
	unit    unitIx
	period  calendar.Period
}

// check is one thing that is looked for in a cell.
type check struct {
	kind  registryv1.CheckKind
	other measureIx // averageDays: the measure that holds the average
}

// outcome is what one check of a value found.
type outcome struct {
	ran, failed bool // a check that has nothing to compare with does not run
	against     int64
}

// suspicion is a check that failed.
type suspicion struct {
	check
	value, against int64
}

// verdict is what all checks of a cell found.
type verdict struct {
	at    cellAt
	run   int
	found []suspicion
}

func (v *verdict) note(k check, value int64, o outcome) {
	if o.ran {
		v.run++
	}
	if o.failed {
		v.found = append(v.found, suspicion{k, value, o.against})
	}
}

// finds reports whether a check failed.
func (v *verdict) finds(k check) bool {
	return slices.ContainsFunc(v.found, func(s suspicion) bool { return s.check == k })
}

// inspection looks at cells as they will be when a submission has been recorded.
type inspection struct {
	b         *Book
	submitted cellAt
	next      *node // what the submitted cell will hold
	diff      Tally // what its period's totals will gain
}

// inspect runs the checks of the cell that a submission changes, and then those of
// all cells that are compared with it. It returns nil for a target of which nobody
// wants to know.
func (b *Book) inspect(at *spot, next *node) []verdict {
	m, own := at.m, cellAt{at.m.ix, at.unit, at.period}
	totals := b.totals.Get(m.ix)
	if len(m.target.GetChecks()) == 0 && len(totals) == 0 && !m.controlled() && b.qualityOf(own).open == 0 {
		return nil
	}
	in := inspection{b: b, submitted: own, next: next}
	if old := at.cells.at(0); !at.control {
		in.diff, _ = next.part(m.kind).Sub(old.part(m.kind)) // which fits, or it was refused
	}
	verdicts := []verdict{in.judge(own)}
	if later, ok := in.later(own); ok {
		verdicts = append(verdicts, in.judge(later))
	}
	for _, ix := range totals {
		verdicts = append(verdicts, in.judge(cellAt{ix, at.unit, at.period}))
	}
	if m.controlled() {
		for i, u := range at.own.units()[1:] {
			if n := at.cells.at(i + 1); !n.scoped && n.state == Reported {
				verdicts = append(verdicts, in.judge(cellAt{m.ix, u.ix, at.period}))
			}
		}
	}
	return verdicts
}

// judge runs the checks of a cell. A cell without a value passes unseen.
func (in *inspection) judge(c cellAt) verdict {
	v := verdict{at: c}
	n := in.node(c)
	if n.state != Reported {
		return v
	}
	m := in.b.measure(c.measure)
	for _, declared := range m.target.GetChecks() {
		k := check{kind: declared.GetKind()}
		var o outcome
		switch k.kind {
		case magnitude:
			o = in.magnitude(c, &n)
		case sameAsLast:
			o = in.copied(c, &n)
		case fallingStock:
			o = in.falling(c, &n)
		case averageDays:
			k.other = in.b.measureIDs.Get(measureKey{m.key.programme, declared.GetOther()})
			o = in.average(m, c, &n, k.other, declared)
		}
		v.note(k, n.num, o)
	}
	if m.controlled() && !in.b.cell(sheetKey{c.measure, c.period}, c.unit).scoped {
		v.note(check{kind: controlTotal}, n.num, in.control(m, c, &n))
	}
	return v
}

// node is what a cell will hold.
func (in *inspection) node(c cellAt) node {
	if c == in.submitted {
		return *in.next
	}
	return in.b.cell(sheetKey{c.measure, c.period}, c.unit)
}

// earlier returns the newest value of the unit before a cell's period.
func (in *inspection) earlier(c cellAt) (node, calendar.Period, bool) {
	for _, p := range slices.Backward(in.b.periods(c.measure)) {
		if p >= c.period {
			continue
		}
		if n := in.node(cellAt{c.measure, c.unit, p}); n.state == Reported {
			return n, p, true
		}
	}
	return node{}, 0, false
}

// later returns the cell of the unit's next value, which is compared with this one.
func (in *inspection) later(c cellAt) (cellAt, bool) {
	for _, p := range in.b.periods(c.measure) {
		next := cellAt{c.measure, c.unit, p}
		if p > c.period && in.node(next).state == Reported {
			return next, true
		}
	}
	return cellAt{}, false
}

// magnitude finds a value ten times the last one or more, or a tenth or less.
func (in *inspection) magnitude(c cellAt, n *node) outcome {
	was, p, ok := in.earlier(c)
	if !ok || was.num == 0 || c.period.Since(p) > lookBack {
		return outcome{}
	}
	return outcome{true, tenfold(n.num, was.num) || tenfold(was.num, n.num), was.num}
}

// tenfold reports whether x is ten times y or more; neither is below 0.
func tenfold(x, y int64) bool {
	high, low := bits.Mul64(uint64(y), 10)
	return high == 0 && uint64(x) >= low
}

// copied finds what the period directly before had, to the last digit.
func (in *inspection) copied(c cellAt, n *node) outcome {
	was := in.node(cellAt{c.measure, c.unit, c.period.Prev()})
	if was.state != Reported || was.num == 0 {
		return outcome{}
	}
	return outcome{true, was.num == n.num && was.den == n.den, was.num}
}

// falling finds a stock that is less than the last one.
func (in *inspection) falling(c cellAt, n *node) outcome {
	was, _, ok := in.earlier(c)
	return outcome{ok, ok && n.num < was.num, was.num}
}

// average finds a total that is not what an average a day makes in the days of the
// period. The two may have different decimals; nothing is rounded to compare them.
func (in *inspection) average(m *Measure, c cellAt, n *node, other measureIx, declared *registryv1.Check) outcome {
	mean := in.node(cellAt{other, c.unit, c.period})
	if mean.state != Reported {
		return outcome{}
	}
	tolerance := int64(usualTolerance)
	if declared.Tolerance != nil {
		tolerance = int64(declared.GetTolerance())
	}
	scale, meanScale := tens(m.decimals), tens(in.b.measure(other).decimals)
	made := new(big.Int).Mul(big.NewInt(mean.num), big.NewInt(int64(c.period.Days())))
	made.Mul(made, scale)
	total := new(big.Int).Mul(big.NewInt(n.num), meanScale)
	larger := total
	if made.Cmp(total) > 0 {
		larger = made
	}
	gap := new(big.Int).Sub(total, made)
	gap.Mul(gap.Abs(gap), big.NewInt(10_000))
	against := new(big.Int).Quo(made, meanScale)
	if !against.IsInt64() {
		against.SetInt64(math.MaxInt64)
	}
	return outcome{true, gap.Cmp(new(big.Int).Mul(larger, big.NewInt(tolerance))) > 0, against.Int64()}
}

// tens is 10 to the power of n.
func tens(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// control finds a control total that is not what those below add up to. While one
// of them has not reported, or gave what cannot be added, there is no telling.
func (in *inspection) control(m *Measure, c cellAt, n *node) outcome {
	below := in.b.sum(sheetKey{c.measure, c.period}, c.unit)
	if c.measure == in.submitted.measure && c.period == in.submitted.period {
		below, _ = below.Add(in.diff) // which fits, or it was refused
	}
	if below.Expected == 0 || below.Reporting < below.Expected || below.Excluded > 0 || m.kind == typev1.ValueKind_VALUE_KIND_YES_NO {
		return outcome{}
	}
	return outcome{true, below.Num != n.num || below.Den != n.den, below.Num}
}

// indexChecks enters a target with those that hold the averages it is checked
// against. What is entered is looked at when they change, and no more: an entry
// that does not hold any longer does no harm.
func (b *Book) indexChecks(m *Measure) {
	for _, c := range m.target.GetChecks() {
		other := b.measureIDs.Get(measureKey{m.key.programme, c.GetOther()})
		if old := b.totals.Get(other); c.GetKind() == averageDays && !slices.Contains(old, m.ix) {
			b.totals.Set(other, append(slices.Clone(old), m.ix))
		}
	}
}

// qualityOf returns what is known of a cell's value beside it.
func (b *Book) qualityOf(c cellAt) quality {
	if s := b.sheet(sheetKey{c.measure, c.period}); s != nil {
		return s.quality.At(c.unit)
	}
	return quality{}
}

// recordChecks writes into the event of a submission what the checks found: of its
// own cell, and of others where that is something else than before.
func (b *Book) recordChecks(r *eventv1.SubmissionRecorded, verdicts []verdict) {
	for i, v := range verdicts {
		run, failed := uint32(v.run), uint32(len(v.found))
		if i == 0 {
			r.ChecksRun, r.ChecksFailed = run, failed
			continue
		}
		if was := b.qualityOf(v.at); uint32(was.run) != run || uint32(was.failed) != failed {
			r.Rechecked = append(r.Rechecked, &eventv1.CellChecked{Target: b.measure(v.at.measure).key.id,
				Unit: b.unit(v.at.unit).id, Period: v.at.period.String(), ChecksRun: run, ChecksFailed: failed})
		}
	}
}
