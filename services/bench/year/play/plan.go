package play

import (
	"fmt"
	"slices"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// first is the first day that is played, and of the programme.
var first = dayOf(2022, 1, 1)

// never is later than all days.
const never = day(1 << 30)

// plan is who reports what and when. It is the same each time.
type plan struct {
	units   []unit
	months  int
	last    day      // that is played
	reports []report // of each unit in turn, by month
	days    [][]item // what is sent, by days after the first; of one report after the other
}

// report is what a unit owes for a month.
type report struct {
	due    day
	onTime day // the last day on which it is
	came   day // on which its first values are sent; may be after the last day that is played
}

// item is a value that is sent.
type item struct {
	unit          int32
	month, target int8
	again         bool // it is a correction
}

// newPlan plans the first months of 2022. It goes on for two more, until the last
// deadlines are long over.
func newPlan(units []unit, w workdays, months int) *plan {
	p := &plan{units: units, months: months}
	p.last = p.firstDay(months+2) - 1
	p.days = make([][]item, p.last-first+1)
	for u := range units {
		n, own := dueOf()[units[u].level]
		if !own {
			n = dueOthers
		}
		for m := range months {
			end := p.firstDay(m+1) - 1
			r := report{due: w.after(end, n)}
			r.onTime = w.after(r.due, grace)
			random := scatter(uint64(u), uint64(m), 1)
			r.came = comes(random, end, r.due)
			p.reports = append(p.reports, r)
			p.send(random/1_000_000_007, item{unit: int32(u), month: int8(m)}, r.came)
		}
	}
	return p
}

// firstDay is the first day of the m-th month; later months run on.
func (p *plan) firstDay(m int) day { return dayOf(2022, m+1, 1) }

// comes is the day on which a report comes: of 1,000 reports 5 never, 10 more than a
// week after they are due, some of them more than a month; 30 up to five days late;
// the others on the days until they are due.
func comes(random uint64, end, due day) day {
	some := int(random / 1000 % 1_000_000)
	switch n := random % 1000; {
	case n < 5:
		return never
	case n < 15:
		return due + 8 + day(some%28)
	case n < 45:
		return due + 1 + day(some%5)
	default:
		return end + 1 + day(some)%(due-end)
	}
}

// send plans to send all values of a report: of one report in 50 two a day later
// than the others, of one in 30 a correction of one value after that.
func (p *plan) send(random uint64, of item, came day) {
	parts := random%50 == 0
	for t := range targets {
		of.target = int8(t)
		at := came
		if parts && t >= countLast+3 {
			at++
		}
		p.put(at, of)
	}
	if random /= 50; random%30 == 0 {
		random /= 30
		of.target, of.again = int8(random%targets), true
		p.put(came+2+day(random/targets%40), of)
	}
}

func (p *plan) put(at day, it item) {
	if at <= p.last {
		p.days[at-first] = append(p.days[at-first], it)
	}
}

func (p *plan) report(unit, month int) *report { return &p.reports[unit*p.months+month] }

// period is the name of a month.
func period(month int) string { return fmt.Sprintf("2022-M%02d", month+1) }

// periods is the names of all months.
func (p *plan) periods() []string {
	names := make([]string, p.months)
	for m := range names {
		names[m] = period(m)
	}
	return names
}

// batches cuts what is sent on a day.
func (p *plan) batches(d day, size int) [][]item {
	return slices.Collect(slices.Chunk(p.days[d-first], size))
}

// value is what an item says: the numerator of a ratio, 1 for a yes.
func (it item) value() int64 {
	random := scatter(uint64(it.unit), uint64(it.month)<<8|uint64(it.target), uint64(intOf(it.again))+2)
	switch it.target {
	case ratio:
		return int64(random % (denominator + 1))
	case yesNo:
		return int64(min(random%8, 1))
	}
	return int64(1 + random%1000)
}

// denominator is that of all ratios.
const denominator = 1000

// submission is what is sent for an item, always under the same request id.
func (p *plan) submission(it item) *reportingv1.BatchItem {
	s := &reportingv1.Submission{Unit: p.units[it.unit].id, Target: targetID(int(it.target)), Period: period(int(it.month))}
	switch v := it.value(); it.target {
	case ratio:
		s.Value = &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: v, Denominator: denominator}}
	case yesNo:
		s.Value = &reportingv1.Submission_YesNo{YesNo: v == 1}
	default:
		s.Value = &reportingv1.Submission_Count{Count: v}
	}
	if it.again {
		s.ExpectedRevision, s.Reason = 1, "rà soát lại"
	}
	return &reportingv1.BatchItem{Submission: s,
		RequestId: fmt.Sprintf("%s-%d-%d-%d", p.units[it.unit].id, it.month+1, it.target+1, intOf(it.again))}
}

func intOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// scatter makes a number of three that looks random.
func scatter(a, b, c uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b*0xc2b2ae3d27d4eb4f + c*0x165667b19e3779f9
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
