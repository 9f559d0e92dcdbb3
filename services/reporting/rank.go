package reporting

import (
	"context"
	"fmt"
	"math/big"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// mostReasons is how many reasons are given for each unit on a list.
const mostReasons = 5

// Rank ranks the units of a scorecard's level among each other.
func (s *Service) Rank(ctx context.Context, req *reportingv1.RankRequest) (*reportingv1.RankResponse, error) {
	var resp *reportingv1.RankResponse
	err := s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) (err error) {
		resp, err = rank(b, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// rank answers a request from a book.
func rank(b *book.Book, req *reportingv1.RankRequest) (*reportingv1.RankResponse, error) {
	p, err := knownProgramme(b, req.GetProgramme())
	if err != nil {
		return nil, err
	}
	r := &ranking{b: b, programme: req.GetProgramme(), card: p.Scorecard(req.GetScorecard())}
	if r.card == nil {
		return nil, refuse(errorv1.Reason_REASON_SCORECARD_NOT_FOUND, "scorecard",
			"programme %s has no scorecard %s", req.GetProgramme(), req.GetScorecard())
	}
	now, before, err := r.moments(req)
	if err != nil {
		return nil, err
	}
	top := req.GetUnit()
	if top == "" {
		top = p.Root()
	}
	u := b.UnitByID(top)
	if u == nil {
		return nil, &book.Refusal{Reason: errorv1.Reason_REASON_UNIT_NOT_FOUND, Field: "unit", Message: "there is no unit " + top}
	}
	r.units = b.UnitsOf(r.card.GetLevel(), u, now.day)
	resp, err := r.answer(now, before)
	if r.err != nil {
		return nil, r.err
	}
	return resp, err
}

// ranking judges units by a scorecard.
type ranking struct {
	b         *book.Book
	programme string
	card      *registryv1.Scorecard
	units     []*book.Unit
	err       error // a figure that cannot be told
}

// moment is what a ranking is about: a period, or the current figures of a day.
type moment struct {
	period string
	day    calendar.Date // of a period its last
}

// moments reads when to judge, and since when to measure improvement; the latter is
// nil when that is not asked for.
func (r *ranking) moments(req *reportingv1.RankRequest) (now moment, before *moment, err error) {
	now = moment{day: r.b.Today()}
	var length calendar.Length
	if name := req.GetPeriod(); name != "" {
		p, err := r.cut().Parse(name)
		if err != nil {
			return now, nil, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "period", "%v", err)
		}
		if p.FirstDay() > r.b.Today() {
			return now, nil, refuse(errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "period", "%s begins on %s", p, p.FirstDay())
		}
		now, length = moment{name, p.LastDay()}, p.Length()
	}
	name := req.GetComparePeriod()
	if name == "" {
		return now, nil, nil
	}
	p, err := r.cut().Parse(name)
	switch {
	case err != nil:
		return now, nil, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "compare_period", "%v", err)
	case p.LastDay() >= now.day:
		return now, nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "compare_period", "%s does not end before what is ranked", p)
	case now.period != "" && p.Length() != length:
		return now, nil, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "compare_period", "%s is not as long as %s", name, now.period)
	}
	before = &moment{day: p.LastDay()} // the current figures are held against those of that day
	if now.period != "" {
		before.period = name
	}
	return now, before, nil
}

// cut is where the months end of the calendar by which days are told: that of the
// first part that is about a target or regime.
func (r *ranking) cut() calendar.Cut {
	for _, part := range r.card.GetParts() {
		if m := r.b.MeasureByID(r.programme, part.GetTarget()); m != nil {
			return m.Cut()
		}
	}
	return calendar.EndOfMonth
}

// answer ranks the units, and tells what has made it.
func (r *ranking) answer(now moment, before *moment) (*reportingv1.RankResponse, error) {
	card := r.scorecard()
	marks := r.judge(now)
	placings, err := card.Rank(marks.candidates)
	if err != nil {
		return nil, fmt.Errorf("rank by scorecard %s: %w", r.card.GetId(), err)
	}
	out := r.describe(placings, marks)
	if before != nil {
		was, err := card.Rank(r.judge(*before).candidates)
		if err != nil {
			return nil, fmt.Errorf("rank by scorecard %s as of %s: %w", r.card.GetId(), before.day, err)
		}
		for _, c := range score.Improvement(placings, was) {
			u := out.units[c.ID]
			u.ImprovementRank, u.Improvement = int32(c.Rank), percentOf(c.Delta)
		}
	}
	resp := &reportingv1.RankResponse{Sequence: r.b.Head(),
		Commended: out.listed(score.Commend(placings, score.Pick{N: int(r.card.GetCommend()), Reasons: mostReasons})),
		Slow:      out.listed(score.Slow(placings, score.Pick{N: int(r.card.GetSlow()), Reasons: mostReasons}))}
	for _, p := range placings {
		resp.Units = append(resp.Units, out.units[p.ID])
	}
	return resp, nil
}

// scorecard is the scorecard as the arithmetic has it. Its parts are named by their place.
func (r *ranking) scorecard() score.Scorecard {
	c := score.Scorecard{}
	if bar := r.card.GetMinCompleteness(); bar > 0 {
		c.Bar = big.NewRat(int64(bar), 10_000)
	}
	for i, p := range r.card.GetParts() {
		c.Parts = append(c.Parts, score.Part{ID: fmt.Sprint(i), Weight: int64(p.GetWeight())})
	}
	return c
}
