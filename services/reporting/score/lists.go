package score

import (
	"cmp"
	"math/big"
	"slices"
)

// Change is how much a candidate's score moved between two rankings, and its place
// by that.
type Change struct {
	ID, Group string
	Rank      int      // within the group by improvement, from 1; 0 when not ranked
	Why       Reason   // Ranked, or why not
	Delta     *big.Rat // score now − score before, nil when not ranked
}

// Improvement ranks those of a ranking by how much their score moved since an earlier
// one, the greatest gain first, in the groups of today and in the order of Rank.
// Ranked is who was ranked both times: a score of too little data proves no gain.
// Whether both were made by the same scorecard is for the caller to know.
func Improvement(now, before []Placing) []Change {
	earlier := make(map[string]Placing, len(before))
	for _, p := range before {
		earlier[p.ID] = p
	}
	moves := make([]Placing, len(now))
	for i, p := range now {
		moves[i] = Placing{ID: p.ID, Group: p.Group, Why: p.Why}
		was, ok := earlier[p.ID]
		switch {
		case p.Why != Ranked:
		case !ok || was.Why != Ranked:
			moves[i].Why = NotRankedBefore
		default:
			moves[i].Score = new(big.Rat).Sub(p.Score, was.Score)
			moves[i].points = points(moves[i].Score)
		}
	}
	number(moves)
	changes := make([]Change, len(moves))
	for i, p := range moves {
		changes[i] = Change{ID: p.ID, Group: p.Group, Rank: p.Rank, Why: p.Why, Delta: p.Score}
	}
	return changes
}

// Pick says who of each group comes on a list: who is among the N at that end, or whose
// score is beyond the bar.
type Pick struct {
	N       int      // 0 picks nobody by place
	Bar     *big.Rat // nil picks nobody by score
	Reasons int      // at most so many reasons for each; 0 gives all
}

// Listed is somebody on a list, and why.
type Listed struct {
	Placing
	Reasons []Share // never empty
}

// Commend lists the best of each group of a ranking: the first N, and whoever scores
// at least the bar, best first. Of those who tie for the last of the N places all come
// on the list or, where there is not room for them, none: leftOut counts those. The
// reasons are their best parts: the highest score first, of equal ones the heavier part,
// then the scorecard's order; parts without any score are no reason. Who is not ranked
// is never on it.
func Commend(ranking []Placing, p Pick) (list []Listed, leftOut int) {
	ranked := slices.DeleteFunc(slices.Clone(ranking), func(k Placing) bool { return k.Why != Ranked })
	return p.list(ranked, func(k Placing) bool { return p.Bar != nil && k.Score.Cmp(p.Bar) >= 0 }, lister{
		reasons: func(s Share) bool { return s.Score.Sign() > 0 },
		order:   func(a, b Share) int { return cmp.Or(b.Score.Cmp(a.Score), cmp.Compare(b.Weight, a.Weight)) },
	})
}

// Slow lists the worst of each group of a ranking: the last N, and whoever scores less
// than the bar, worst first, of equal ones by id; of those who tie for the last of the N
// places all or none, as in Commend. The reasons are the parts that drag most: weight ×
// (1 − score), the largest first, then the scorecard's order. Who has full marks is
// never on it, nor who is first of several, be it with all of them, nor who is not
// ranked: the ranking itself names those.
func Slow(ranking []Placing, p Pick) (list []Listed, leftOut int) {
	peers := make(map[string]int)
	for _, k := range ranking {
		if k.Why == Ranked {
			peers[k.Group]++
		}
	}
	worstFirst := slices.DeleteFunc(slices.Clone(ranking), func(k Placing) bool {
		return k.Why != Ranked || k.Rank == 1 && peers[k.Group] > 1
	})
	slices.SortFunc(worstFirst, func(a, b Placing) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(b.Rank, a.Rank), cmp.Compare(a.ID, b.ID))
	})
	return p.list(worstFirst, func(k Placing) bool { return p.Bar != nil && k.Score.Cmp(p.Bar) < 0 }, lister{
		reasons: func(s Share) bool { return s.Lost().Sign() > 0 },
		order:   func(a, b Share) int { return b.Lost().Cmp(a.Lost()) },
	})
}

// lister says which parts are reasons to be on a list, and which come first.
type lister struct {
	reasons func(Share) bool
	order   func(a, b Share) int
}

// list goes through placings in the order of the list, those that tie at a time.
func (p Pick) list(placings []Placing, beyond func(Placing) bool, l lister) (list []Listed, leftOut int) {
	place := 0 // how many of the group came before
	for from := 0; from < len(placings); {
		k := placings[from]
		if from > 0 && placings[from-1].Group != k.Group {
			place = 0
		}
		to := from + 1
		for to < len(placings) && placings[to].Group == k.Group && placings[to].Rank == k.Rank {
			to++
		}
		for _, k := range placings[from:to] {
			switch fits := place+to-from <= p.N || beyond(k); {
			case !fits && place >= p.N || !slices.ContainsFunc(k.Shares, l.reasons):
			case fits:
				list = append(list, Listed{Placing: k, Reasons: p.reasons(k, l)})
			default:
				leftOut++
			}
		}
		place += to - from
		from = to
	}
	return list, leftOut
}

// reasons are the parts that count, in their order.
func (p Pick) reasons(k Placing, l lister) []Share {
	reasons := slices.DeleteFunc(slices.Clone(k.Shares), func(s Share) bool { return !l.reasons(s) })
	slices.SortStableFunc(reasons, l.order)
	if p.Reasons > 0 && len(reasons) > p.Reasons {
		reasons = reasons[:p.Reasons]
	}
	return reasons
}
