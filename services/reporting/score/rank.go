package score

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Part is one measure of a scorecard.
type Part struct {
	ID     string
	Weight int64 // in percent
}

// Scorecard is what candidates are ranked by.
type Scorecard struct {
	Parts []Part
	Bar   *big.Rat // least completeness that is ranked, nil when all are
}

// Check returns an error that names the first thing wrong with the scorecard: every
// part has an id of its own and a weight of at least 1, and the weights sum to 100.
func (c Scorecard) Check() error {
	left := int64(100)
	ids := make(map[string]bool, len(c.Parts))
	for i, p := range c.Parts {
		switch {
		case p.ID == "":
			return fmt.Errorf("scorecard: part %d has no id", i+1)
		case ids[p.ID]:
			return fmt.Errorf("scorecard: part %s is there twice", p.ID)
		case p.Weight < 1:
			return fmt.Errorf("scorecard: part %s has weight %d, at least 1 is needed", p.ID, p.Weight)
		case p.Weight > left:
			return fmt.Errorf("scorecard: weights exceed 100 at part %s", p.ID)
		}
		ids[p.ID] = true
		left -= p.Weight
	}
	if left != 0 {
		return fmt.Errorf("scorecard: weights sum to %d, not 100", 100-left)
	}
	return nil
}

// Candidate is who is ranked.
type Candidate struct {
	ID    string
	Group string // of peers; groups are ranked apart
	// Scores has one for each part of the scorecard, in its order, nil where the part
	// does not apply. Below 0 counts as 0, above 1 as 1: progress beyond the goal
	// earns no more than full marks.
	Scores []*big.Rat
	// Complete is the completeness of the candidate's data, nil when none was due,
	// which is below no bar.
	Complete *big.Rat
}

// Reason is why a candidate has no rank.
type Reason int

// The reasons. Ranked is none.
const (
	Ranked               Reason = iota
	NothingApplies              // no part of the scorecard applies
	BelowCompletenessBar        // too little of the data has come
	NotRankedBefore             // by improvement: there is no earlier score to compare with
)

// String returns the reason's name, such as BELOW_COMPLETENESS_BAR.
func (r Reason) String() string {
	switch r {
	case Ranked:
		return "RANKED"
	case NothingApplies:
		return "NOTHING_APPLIES"
	case BelowCompletenessBar:
		return "BELOW_COMPLETENESS_BAR"
	case NotRankedBefore:
		return "NOT_RANKED_BEFORE"
	}
	return "UNSPECIFIED"
}

// Share is a part that applies to a candidate, with its effective weight: parts that
// do not apply hand theirs on to the others in proportion.
type Share struct {
	Part       int   // index in the scorecard
	Weight, Of int64 // the effective weight is Weight/Of; those of a candidate sum to 1
	Score      *big.Rat
}

// Earned returns effective weight × score.
func (s Share) Earned() *big.Rat {
	w := big.NewRat(s.Weight, s.Of)
	return w.Mul(w, s.Score)
}

// Lost returns effective weight × (1 − score): how much the part drags.
func (s Share) Lost() *big.Rat { return new(big.Rat).Sub(big.NewRat(s.Weight, s.Of), s.Earned()) }

// Placing is a candidate's place in a ranking.
type Placing struct {
	ID, Group string
	Rank      int      // within the group, from 1; 0 when not ranked
	Why       Reason   // Ranked, or why not
	Score     *big.Rat // sum of what the shares earned, also of who is not ranked; nil when nothing applies
	Shares    []Share  // the parts that apply, in the scorecard's order
	points    int64    // the score in hundredths of a percent, as it is shown
}

// Rank returns the placings, ordered by group, in it by rank, then by id; those that
// are not ranked come last in their group. Candidates that show the same score, with two
// decimals of a percent, share a rank (1-2-2-4). The order of the candidates does not matter. It fails on a bad scorecard,
// an id that is there twice, or not one score for each part.
func (c Scorecard) Rank(candidates []Candidate) ([]Placing, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	ids := make(map[string]bool, len(candidates))
	placings := make([]Placing, len(candidates))
	for i, k := range candidates {
		if ids[k.ID] {
			return nil, fmt.Errorf("candidate %s is there twice", k.ID)
		}
		if len(k.Scores) != len(c.Parts) {
			return nil, fmt.Errorf("candidate %s has %d scores for %d parts", k.ID, len(k.Scores), len(c.Parts))
		}
		ids[k.ID] = true
		placings[i] = c.place(k)
	}
	number(placings)
	return placings, nil
}

// place scores a candidate.
func (c Scorecard) place(k Candidate) Placing {
	p := Placing{ID: k.ID, Group: k.Group, Shares: c.shares(k.Scores)}
	if len(p.Shares) == 0 {
		p.Why = NothingApplies
		return p
	}
	p.Score = total(p.Shares)
	p.points = points(p.Score)
	if c.Bar != nil && k.Complete != nil && k.Complete.Cmp(c.Bar) < 0 {
		p.Why = BelowCompletenessBar
	}
	return p
}

// points is a score, or how much one rose, in hundredths of a percent, rounded half up
// as it is shown: 0 and 100 % only when exact.
func points(score *big.Rat) int64 {
	const whole = 10_000
	n := new(big.Int).Mul(score.Num(), big.NewInt(2*whole))
	n.Add(n, score.Denom())
	// DivMod is Euclidean: the floor, for a positive divisor.
	floor, _ := n.DivMod(n, new(big.Int).Lsh(score.Denom(), 1), new(big.Int))
	q := floor.Int64()
	switch {
	case q == 0 && score.Sign() != 0:
		return int64(score.Sign())
	case q == whole && score.Num().Cmp(score.Denom()) < 0:
		return whole - 1
	}
	return q
}

// shares returns the parts that apply.
func (c Scorecard) shares(scores []*big.Rat) []Share {
	shares := make([]Share, 0, len(scores))
	var of int64
	for i, s := range scores {
		if s != nil {
			shares = append(shares, Share{Part: i, Weight: c.Parts[i].Weight, Score: clamp(s)})
			of += c.Parts[i].Weight
		}
	}
	for i := range shares {
		shares[i].Of = of
	}
	return shares
}

// clamp returns s, or the nearest of 0 and 1.
func clamp(s *big.Rat) *big.Rat {
	if s.Sign() < 0 {
		return new(big.Rat)
	}
	if s.Num().Cmp(s.Denom()) > 0 {
		return big.NewRat(1, 1)
	}
	return s
}

// total sums what the shares earned. It reduces the fraction once, at the end:
// adding with big.Rat would at every step.
func total(shares []Share) *big.Rat {
	num, den := new(big.Int), big.NewInt(1) // the sum of weight × score so far
	var term, weight big.Int
	for _, s := range shares {
		d := s.Score.Denom()
		term.Mul(den, weight.SetInt64(s.Weight))
		term.Mul(&term, s.Score.Num())
		num.Add(num.Mul(num, d), &term)
		den.Mul(den, d)
	}
	return new(big.Rat).SetFrac(num, den.Mul(den, big.NewInt(shares[0].Of)))
}

// number sorts placings and gives those that have no reason against it their ranks.
func number(ps []Placing) {
	slices.SortFunc(ps, compareOrder)
	first := 0 // where the group begins
	for i := range ps {
		if i > 0 && ps[i].Group != ps[first].Group {
			first = i
		}
		switch {
		case ps[i].Why != Ranked:
		case i > first && ps[i].points == ps[i-1].points:
			ps[i].Rank = ps[i-1].Rank
		default:
			ps[i].Rank = i - first + 1
		}
	}
}

// compareOrder compares by group, then by score, then by id.
func compareOrder(a, b Placing) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), byScore(b, a), cmp.Compare(a.ID, b.ID))
}

// Key names a place in a ranking of one group, by which After finds it again, or where
// it would be, when the ranking has moved on.
func (p Placing) Key() string {
	if p.Why != Ranked {
		return "/" + p.ID
	}
	return strconv.FormatInt(p.points, 10) + "/" + p.ID
}

// After returns what follows a key in a ranking of one group.
func After(ranking []Placing, key string) ([]Placing, error) {
	points, id, ok := strings.Cut(key, "/")
	at := Placing{ID: id, Why: NothingApplies}
	if len(ranking) > 0 {
		at.Group = ranking[0].Group
	}
	if points != "" {
		var err error
		if at.points, err = strconv.ParseInt(points, 10, 64); err != nil {
			return nil, fmt.Errorf("key of a place: %w", err)
		}
		at.Why = Ranked
	}
	if !ok {
		return nil, fmt.Errorf("key of a place: %q", key)
	}
	n := sort.Search(len(ranking), func(i int) bool { return compareOrder(ranking[i], at) > 0 })
	return ranking[n:], nil
}

// byScore compares scores; whoever is not ranked is below all who are, and equal to
// all others who are not.
func byScore(a, b Placing) int {
	switch {
	case a.Why == Ranked && b.Why == Ranked:
		return cmp.Compare(a.points, b.points)
	case a.Why == Ranked:
		return 1
	case b.Why == Ranked:
		return -1
	}
	return 0
}
