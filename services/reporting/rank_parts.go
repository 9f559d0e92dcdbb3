package reporting

import (
	"math/big"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// marks are what the parts of a scorecard give each unit.
type marks struct {
	candidates []score.Candidate
	come, due  []int64 // by unit: values that came, of those expected
}

// judging is the work of one ranking at a moment.
type judging struct {
	*ranking
	at      moment
	marks   marks
	counted map[*book.Measure][]score.Counts // by regime
	seen    map[*book.Measure]bool           // targets whose values are in marks.due
}

// judge gives each unit its marks at a moment.
func (r *ranking) judge(at moment) marks {
	j := &judging{ranking: r, at: at, counted: make(map[*book.Measure][]score.Counts), seen: make(map[*book.Measure]bool)}
	j.marks = marks{make([]score.Candidate, len(r.units)), make([]int64, len(r.units)), make([]int64, len(r.units))}
	for i, u := range r.units {
		j.marks.candidates[i] = score.Candidate{ID: u.ID(), Group: r.card.GetLevel(), Scores: make([]*big.Rat, len(r.card.GetParts()))}
	}
	for _, part := range r.card.GetParts() { // first, so that their targets' values are counted once
		if m := r.measure(part); m != nil && m.IsRegime() {
			j.reports(m)
		}
	}
	for k, part := range r.card.GetParts() {
		if !r.b.Spend(len(r.units)) {
			break
		}
		for i, s := range j.part(part) {
			j.marks.candidates[i].Scores[k] = s
		}
	}
	for i := range r.units {
		if j.marks.due[i] > 0 {
			j.marks.candidates[i].Complete = big.NewRat(j.marks.come[i], j.marks.due[i])
		}
	}
	return j.marks
}

// measure is what a part is about; nil for TASKS.
func (r *ranking) measure(part *registryv1.ScorecardPart) *book.Measure {
	if part.GetTarget() == "" {
		return nil
	}
	return r.b.MeasureByID(r.programme, part.GetTarget())
}

// part gives each unit its score by one part; nil where it does not apply.
func (j *judging) part(part *registryv1.ScorecardPart) []*big.Rat {
	if part.GetKind() == registryv1.ScorecardPartKind_SCORECARD_PART_KIND_TASKS {
		scores := make([]*big.Rat, len(j.units))
		for i, t := range j.b.AssignmentsOf(j.programme, j.units, j.at.day) {
			scores[i] = t.CompletionRateDue()
		}
		return scores
	}
	switch m := j.measure(part); {
	case m == nil:
		return nil
	case m.IsRegime():
		return j.regimePart(part.GetKind(), m)
	default:
		return j.targetPart(part.GetKind(), m)
	}
}

// regimePart scores by the reports under a regime, and the values in them.
func (j *judging) regimePart(kind registryv1.ScorecardPartKind, regime *book.Measure) []*big.Rat {
	scores := make([]*big.Rat, len(j.units))
	for i, c := range j.reports(regime) {
		switch kind {
		case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_ON_TIME:
			if c.ReportsExpected > 0 {
				scores[i] = big.NewRat(c.ReportsOnTime, c.ReportsExpected)
			}
		case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS:
			scores[i] = c.Quality().Complete
		case registryv1.ScorecardPartKind_SCORECARD_PART_KIND_QUALITY:
			scores[i] = c.Quality().Overall
		}
	}
	return scores
}

// reports counts what came under a regime, once.
func (j *judging) reports(regime *book.Measure) []score.Counts {
	if c, ok := j.counted[regime]; ok {
		return c
	}
	targets := j.b.TargetsUnder(regime)
	var counts []score.Counts
	if periods := j.periods(regime); len(periods) > 0 {
		counts = j.b.QualityOf(j.units, regime, targets, periods)
	}
	j.counted[regime] = counts
	for i, c := range counts {
		j.marks.come[i] += c.Present
		j.marks.due[i] += c.Expected
	}
	for _, m := range targets {
		j.seen[m] = j.at.period != "" // the current figures are not those of the period
	}
	return counts
}

// periods are the periods of a regime that are judged: those in the period asked
// for that have begun; for current figures the newest that is over.
func (j *judging) periods(regime *book.Measure) []calendar.Period {
	if j.at.period == "" {
		day := j.at.day
		if day == j.b.Today() {
			day-- // today is not over
		}
		return []calendar.Period{regime.LastEnded(day)}
	}
	p, err := regime.PeriodAround(j.at.period)
	if err != nil {
		return nil // read before in another calendar: there is no such period in this one
	}
	return regime.OwnPeriods(p, j.b.Today())
}

// view returns the figures of a target; nil when there are none of the kind asked for.
func (j *judging) view(m *book.Measure) *book.View {
	if j.at.period == "" {
		return j.b.ViewAsOf(m, j.at.day)
	}
	p, err := m.PeriodAround(j.at.period)
	if err != nil {
		return nil
	}
	return j.b.View(m, p)
}

// targetPart scores by the figures of a target.
func (j *judging) targetPart(kind registryv1.ScorecardPartKind, m *book.Measure) []*big.Rat {
	v := j.view(m)
	if v == nil {
		return nil
	}
	if v.Err() != nil {
		j.err = v.Err()
	}
	scores := make([]*big.Rat, len(j.units))
	for i, u := range j.units {
		f := v.Figure(u)
		if !j.seen[m] {
			j.marks.come[i] += int64(f.Total.Reporting)
			j.marks.due[i] += int64(f.Total.Expected)
		}
		scores[i] = figureScore(kind, &f)
	}
	j.seen[m] = true
	return scores
}

// figureScore scores a figure; nil where the part does not apply. Missing is not
// "does not apply": where a value was expected and none has come, it scores 0.
func figureScore(kind registryv1.ScorecardPartKind, f *book.Figure) *big.Rat {
	t := f.Total
	switch {
	case t.Expected == 0:
		return nil
	case kind == registryv1.ScorecardPartKind_SCORECARD_PART_KIND_COMPLETENESS:
		return big.NewRat(int64(t.Reporting), int64(t.Expected))
	case kind == registryv1.ScorecardPartKind_SCORECARD_PART_KIND_PROGRESS:
		return progressScore(f)
	case t.Reporting == 0:
		return new(big.Rat)
	case t.Den == 0:
		return nil
	}
	return big.NewRat(t.Num, t.Den)
}

// progressScore scores progress towards the goal. A goal without a baseline is met
// or not: all or nothing.
func progressScore(f *book.Figure) *big.Rat {
	if f.GoalMet() {
		return big.NewRat(1, 1)
	}
	p, why := f.Fraction()
	switch {
	case !f.HasGoal || why == book.NoGoal || why == book.GoalByPeriod:
		return nil
	case f.Total.Reporting == 0 || why == book.NoBaseline:
		return new(big.Rat)
	}
	return p
}
