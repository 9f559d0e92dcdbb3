package reporting

import (
	"context"
	"fmt"
	"math/big"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// mostReasons is how many reasons are given for each unit on a list.
const mostReasons = 5

// mostListed bounds the lists of those commended and of the slow, whatever a scorecard
// says that was written when more were allowed.
const mostListed = 100

// Rank ranks the units of a scorecard's level among each other.
func (s *Service) Rank(ctx context.Context, req *reportingv1.RankRequest) (*reportingv1.RankResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	var resp *reportingv1.RankResponse
	err = s.viewAt(ctx, req.GetKnownAt(), req.GetMinSequence(), func(b *book.Book) error {
		r, err := rank(b, req)
		if err == nil {
			resp, err = r.page(req, after)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// rank answers a request from a book.
func rank(b *book.Book, req *reportingv1.RankRequest) (*ranked, error) {
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
	out, err := r.answer(now, before)
	if r.err != nil {
		return nil, r.err
	}
	return out, err
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

// answer ranks the units.
func (r *ranking) answer(now moment, before *moment) (*ranked, error) {
	card := r.scorecard()
	out := &ranked{ranking: r, marks: r.judge(now), at: make(map[string]int, len(r.units)), weights: make(map[weight]string)}
	for i, u := range r.units {
		out.at[u.ID()] = i
	}
	var err error
	if out.placings, err = r.place(card, out.marks); err != nil {
		return nil, fmt.Errorf("rank by scorecard %s: %w", r.card.GetId(), err)
	}
	if before != nil {
		was, err := r.place(card, r.judge(*before))
		if err != nil {
			return nil, fmt.Errorf("rank by scorecard %s as of %s: %w", r.card.GetId(), before.day, err)
		}
		out.rises = make(map[string]score.Change, len(was))
		for _, c := range score.Improvement(out.placings, was) {
			out.rises[c.ID] = c
		}
	}
	return out, nil
}

// rowsAScore is how many rows it takes to weigh one part of one unit.
const rowsAScore = 3

// place orders the units by their marks; none where nobody waits for it any more.
func (r *ranking) place(card score.Scorecard, m marks) ([]score.Placing, error) {
	if !r.b.Spend(rowsAScore * len(r.units) * len(card.Parts)) {
		return nil, nil
	}
	return card.Rank(m.candidates)
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
