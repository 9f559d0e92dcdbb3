package score

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// card makes a scorecard of parts a, b, c … with weights.
func card(weights ...int64) Scorecard {
	var c Scorecard
	for i, w := range weights {
		c.Parts = append(c.Parts, Part{ID: string(rune('a' + i)), Weight: w})
	}
	return c
}

// candidate reads one; a score "-" does not apply.
func candidate(t testing.TB, group, id string, scores ...string) Candidate {
	t.Helper()
	k := Candidate{ID: id, Group: group}
	for _, s := range scores {
		k.Scores = append(k.Scores, rat(t, strings.TrimPrefix(s, "-")))
	}
	return k
}

func mustRank(t testing.TB, c Scorecard, ks ...Candidate) []Placing {
	t.Helper()
	ps, err := c.Rank(ks)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// lines prints placings: group/id, rank or reason, score.
func lines(ps []Placing) []string {
	var out []string
	for _, p := range ps {
		out = append(out, line(p.Group, p.ID, p.Rank, p.Why, p.Score))
	}
	return out
}

func line(group, id string, rank int, why Reason, score *big.Rat) string {
	s := "-"
	if score != nil {
		s = score.RatString()
	}
	if why != Ranked {
		return fmt.Sprintf("%s/%s %s %s rank %d", group, id, why, s, rank)
	}
	return fmt.Sprintf("%s/%s %d %s", group, id, rank, s)
}

func TestRankTiesShareARank(t *testing.T) {
	got := lines(mustRank(t, card(40, 60),
		candidate(t, "p", "d", "0", "0"),
		candidate(t, "p", "c", "1/2", "1/2"),
		candidate(t, "p", "a", "1", "1"),
		candidate(t, "p", "b", "1", "1/6"), // 40 + 10 = 50, another way
		candidate(t, "m", "z", "1/3", "1/3"),
		candidate(t, "m", "y", "1/3", "333333333333/1000000000000"), // shown as the same
	))
	want := []string{"m/y 1 4999999999997/15000000000000", "m/z 1 1/3", "p/a 1 1", "p/b 2 1/2", "p/c 2 1/2", "p/d 4 0"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWeightsOfPartsThatDoNotApplyAreHandedOn(t *testing.T) {
	ps := mustRank(t, card(20, 30, 50), candidate(t, "", "k", "1/2", "-", "1/4"))
	var got []string
	for _, s := range ps[0].Shares {
		got = append(got, fmt.Sprintf("%d %d/%d %s earned %s lost %s", s.Part, s.Weight, s.Of, s.Score.RatString(),
			s.Earned().RatString(), s.Lost().RatString()))
	}
	want := []string{"0 20/70 1/2 earned 1/7 lost 1/7", "2 50/70 1/4 earned 5/28 lost 15/28"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if ps[0].Score.RatString() != "9/28" {
		t.Errorf("score %s, want 9/28", ps[0].Score.RatString())
	}
}

func TestScoresBeyondTheScaleAreClamped(t *testing.T) {
	k := candidate(t, "", "k", "3", "-1/2")
	k.Scores[1] = big.NewRat(-1, 2)
	ps := mustRank(t, card(50, 50), k)
	if got := ps[0].Score.RatString(); got != "1/2" {
		t.Errorf("score %s, want 1/2", got)
	}
	if k.Scores[0].RatString() != "3" || k.Scores[1].RatString() != "-1/2" {
		t.Errorf("the candidate's own scores became %s", k.Scores)
	}
}

func TestNotRankedComeLastWithTheReason(t *testing.T) {
	c := card(100)
	c.Bar = big.NewRat(8, 10)
	below, at, none, nothing := candidate(t, "", "b", "1"), candidate(t, "", "c", "1/2"), candidate(t, "", "d", "1/3"), candidate(t, "", "a", "-")
	below.Complete, at.Complete, nothing.Complete = rat(t, "799/1000"), rat(t, "4/5"), rat(t, "0")
	got := lines(mustRank(t, c, below, at, none, nothing))
	want := []string{"/c 1 1/2", "/d 2 1/3", "/a NOTHING_APPLIES - rank 0", "/b BELOW_COMPLETENESS_BAR 1 rank 0"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRankRefuses(t *testing.T) {
	two := card(50, 50)
	twice := Scorecard{Parts: []Part{{"a", 50}, {"a", 50}}}
	for _, c := range []struct {
		card Scorecard
		ks   []Candidate
		want string
	}{
		{card(), nil, "scorecard: weights sum to 0, not 100"},
		{card(50, 49), nil, "scorecard: weights sum to 99, not 100"},
		{card(50, 51), nil, "scorecard: weights exceed 100 at part b"},
		{card(100, 0), nil, "scorecard: part b has weight 0, at least 1 is needed"},
		{card(110, -10), nil, "scorecard: weights exceed 100 at part a"},
		{card(1, 1<<62, 1<<62, 1<<62), nil, "scorecard: weights exceed 100 at part b"},
		{twice, nil, "scorecard: part a is there twice"},
		{Scorecard{Parts: []Part{{"", 100}}}, nil, "scorecard: part 1 has no id"},
		{two, []Candidate{candidate(t, "", "k", "1")}, "candidate k has 1 scores for 2 parts"},
		{two, []Candidate{candidate(t, "x", "k", "1", "1"), candidate(t, "y", "k", "1", "1")}, "candidate k is there twice"},
	} {
		ps, err := c.card.Rank(c.ks)
		if err == nil || err.Error() != c.want || ps != nil {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if ps, err := two.Rank(nil); err != nil || len(ps) != 0 {
		t.Errorf("no candidates: %v, %v", ps, err)
	}
}

func TestImprovement(t *testing.T) {
	c := card(100)
	c.Bar = big.NewRat(1, 2)
	poor := func(k Candidate) Candidate { k.Complete = new(big.Rat); return k }
	before := mustRank(t, c, candidate(t, "g", "a", "9/10"), candidate(t, "old", "b", "1/10"), candidate(t, "g", "c", "2/10"),
		poor(candidate(t, "g", "d", "0")), candidate(t, "g", "e", "0"), candidate(t, "g", "gone", "1"))
	now := mustRank(t, c, candidate(t, "g", "a", "8/10"), candidate(t, "g", "b", "4/10"), candidate(t, "g", "c", "5/10"),
		candidate(t, "g", "d", "1"), poor(candidate(t, "g", "e", "1")), candidate(t, "g", "new", "1"), candidate(t, "h", "x", "-"))
	var got []string
	for _, m := range Improvement(now, before) {
		got = append(got, line(m.Group, m.ID, m.Rank, m.Why, m.Delta))
	}
	want := []string{
		"g/b 1 3/10", "g/c 1 3/10", "g/a 3 -1/10",
		"g/d NOT_RANKED_BEFORE - rank 0", "g/e BELOW_COMPLETENESS_BAR - rank 0", "g/new NOT_RANKED_BEFORE - rank 0",
		"h/x NOTHING_APPLIES - rank 0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(now) != 7 || now[0].Rank != 1 {
		t.Errorf("the ranking was changed: %v", lines(now))
	}
}

// printList prints who is on a list and the parts that are the reasons, and how many
// were left out.
func printList(list []Listed, leftOut int) []string {
	var out []string
	for _, l := range list {
		s := l.Group + "/" + l.ID
		for _, r := range l.Reasons {
			s += " " + string(rune('a'+r.Part))
		}
		out = append(out, s)
	}
	if leftOut > 0 {
		out = append(out, fmt.Sprint(leftOut, " left out"))
	}
	return out
}

func TestLists(t *testing.T) {
	c := card(10, 30, 60)
	c.Bar = big.NewRat(1, 2)
	hidden := candidate(t, "p", "hidden", "0", "0", "0")
	hidden.Complete = new(big.Rat)
	ranking := mustRank(t, c,
		candidate(t, "p", "best", "1", "1", "1"),
		candidate(t, "p", "good", "1", "9/10", "9/10"),      // 91
		candidate(t, "p", "good2", "-", "91/100", "91/100"), // 91
		candidate(t, "p", "fair", "0", "1/2", "3/4"),        // 60; lost 10, 15, 15
		candidate(t, "p", "none", "0", "0", "0"),
		candidate(t, "q", "only", "1/2", "1/2", "1/2"),
		hidden,
	)
	for _, l := range []struct {
		name string
		got  []string
		want []string
	}{
		{"first", printList(Commend(ranking, Pick{N: 1})), []string{"p/best c b a", "q/only c b a"}},
		{"a tie for which there is no room", printList(Commend(ranking, Pick{N: 2, Reasons: 1})), []string{"p/best c", "q/only c", "2 left out"}},
		{"a bar that is reached", printList(Commend(ranking, Pick{Bar: big.NewRat(91, 100)})), []string{"p/best c b a", "p/good a c b", "p/good2 c b"}},
		{"by place or by bar", printList(Commend(ranking, Pick{N: 1, Bar: big.NewRat(60, 100), Reasons: 1})), []string{"p/best c", "p/good a", "p/good2 c", "p/fair c", "q/only c"}},
		{"no score is no reason to commend", printList(Commend(ranking, Pick{N: 9, Reasons: 2})), []string{"p/best c b", "p/good a c", "p/good2 c b", "p/fair c b", "q/only c b"}},
		{"nobody", printList(Commend(ranking, Pick{})), nil},
		{"last", printList(Slow(ranking, Pick{N: 1})), []string{"p/none c b a", "q/only c b a"}},
		{"equal drags stand in the scorecard's order", printList(Slow(ranking, Pick{N: 2, Reasons: 2})), []string{"p/none c b", "p/fair b c", "q/only c b"}},
		{"a tie for which there is no room among the slow", printList(Slow(ranking, Pick{N: 3, Reasons: 1})), []string{"p/none c", "p/fair b", "q/only c", "2 left out"}},
		{"a tie for which there is room, by id", printList(Slow(ranking, Pick{N: 4, Reasons: 1})), []string{"p/none c", "p/fair b", "p/good c", "p/good2 c", "q/only c"}},
		{"of a tie without room whoever reaches the bar", printList(Commend(ranking, Pick{N: 2, Bar: big.NewRat(91, 100), Reasons: 1})), []string{"p/best c", "p/good a", "p/good2 c", "q/only c"}},
		{"a bar that is not reached", printList(Slow(ranking, Pick{Bar: big.NewRat(60, 100), Reasons: 1})), []string{"p/none c", "q/only c"}},
		{"full marks are never slow", printList(Slow(ranking, Pick{N: 9, Reasons: 1})), []string{"p/none c", "p/fair b", "p/good c", "p/good2 c", "q/only c"}},
		{"nobody is slow", printList(Slow(ranking, Pick{})), nil},
	} {
		if d := cmp.Diff(l.want, l.got); d != "" {
			t.Errorf("%s: %s", l.name, d)
		}
	}
	if ranking[0].ID != "best" || ranking[0].Shares[0].Part != 0 {
		t.Error("the ranking was changed")
	}
}

func TestEqualReasonsStandInTheOrderOfTheScorecard(t *testing.T) {
	var c Scorecard
	k := Candidate{ID: "k"}
	for i := range 20 {
		c.Parts = append(c.Parts, Part{ID: fmt.Sprint(i), Weight: 5})
		k.Scores = append(k.Scores, big.NewRat(1+int64(i%3), 4))
	}
	ranking := mustRank(t, c, k)
	commended, _ := Commend(ranking, Pick{N: 1})
	lagging, _ := Slow(ranking, Pick{N: 1})
	best, drags := commended[0].Reasons, lagging[0].Reasons
	if len(best) != 20 || len(drags) != 20 {
		t.Fatalf("%d and %d reasons, want 20", len(best), len(drags))
	}
	for i := 1; i < 20; i++ {
		if a, b := best[i-1], best[i]; a.Score.Cmp(b.Score) < 0 || a.Score.Cmp(b.Score) == 0 && a.Part > b.Part {
			t.Errorf("best: part %d stands before %d", a.Part, b.Part)
		}
		if a, b := drags[i-1], drags[i]; a.Score.Cmp(b.Score) > 0 || a.Score.Cmp(b.Score) == 0 && a.Part > b.Part {
			t.Errorf("drags: part %d stands before %d", a.Part, b.Part)
		}
	}
}

// randomCandidates have few different scores, so that they tie often.
func randomCandidates(rng *rand.Rand, n, parts int) []Candidate {
	ks := make([]Candidate, n)
	for i := range ks {
		ks[i] = Candidate{ID: fmt.Sprintf("u%02d", i), Group: string(rune('A' + rng.IntN(3)))}
		for range parts {
			var s *big.Rat
			if rng.IntN(4) > 0 {
				s = big.NewRat(rng.Int64N(7)-1, 1+rng.Int64N(4))
			}
			ks[i].Scores = append(ks[i].Scores, s)
		}
		if rng.IntN(3) > 0 {
			ks[i].Complete = big.NewRat(rng.Int64N(11), 10)
		}
	}
	return ks
}

func randomCard(rng *rand.Rand, parts int) Scorecard {
	weights := make([]int64, parts)
	for range 100 - parts {
		weights[rng.IntN(parts)]++
	}
	for i := range weights {
		weights[i]++
	}
	c := card(weights...)
	if rng.IntN(2) == 0 {
		c.Bar = big.NewRat(rng.Int64N(8), 10)
	}
	return c
}

// naive scores a candidate as the rule is told: nil when nothing applies.
func naive(c Scorecard, k Candidate) *big.Rat {
	weights, sum := new(big.Rat), new(big.Rat)
	for i, s := range k.Scores {
		if s == nil {
			continue
		}
		w := big.NewRat(c.Parts[i].Weight, 100)
		weights.Add(weights, w)
		switch {
		case s.Cmp(big.NewRat(1, 1)) >= 0:
			sum.Add(sum, w)
		case s.Sign() > 0:
			sum.Add(sum, new(big.Rat).Mul(w, s))
		}
	}
	if weights.Sign() == 0 {
		return nil
	}
	return sum.Quo(sum, weights)
}

func TestRankAgainstNaiveRecomputation(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 4))
	ties, unranked := 0, 0
	for range 300 {
		parts := 1 + rng.IntN(5)
		c, ks := randomCard(rng, parts), randomCandidates(rng, 1+rng.IntN(20), parts)
		ps := mustRank(t, c, ks...)
		if len(ps) != len(ks) {
			t.Fatalf("%d placings of %d candidates", len(ps), len(ks))
		}
		byID := map[string]Candidate{}
		scores := map[string]*big.Rat{}
		ranked := map[string]bool{}
		for _, k := range ks {
			byID[k.ID], scores[k.ID] = k, naive(c, k)
			ranked[k.ID] = scores[k.ID] != nil && !(c.Bar != nil && k.Complete != nil && k.Complete.Cmp(c.Bar) < 0)
		}
		for _, p := range ps {
			want := 0 // 1 + those of its group that are better
			if ranked[p.ID] {
				want = 1
				for id, s := range scores {
					if byID[id].Group != p.Group || !ranked[id] || id == p.ID {
						continue
					}
					switch shown(s).Cmp(shown(scores[p.ID])) {
					case 1:
						want++
					case 0:
						ties++
					}
				}
			} else {
				unranked++
			}
			if p.Rank != want || (p.Why == Ranked) != ranked[p.ID] || p.Group != byID[p.ID].Group {
				t.Fatalf("%s: rank %d %s, want %d", p.ID, p.Rank, p.Why, want)
			}
			checkShares(t, p, scores[p.ID])
		}
		if !slices.IsSortedFunc(ps, inOrder) {
			t.Fatalf("out of order: %v", lines(ps))
		}
		rng.Shuffle(len(ks), func(i, j int) { ks[i], ks[j] = ks[j], ks[i] })
		if d := cmp.Diff(lines(ps), lines(mustRank(t, c, ks...))); d != "" {
			t.Fatalf("the order of candidates matters: %s", d)
		}
	}
	if ties < 100 || unranked < 100 {
		t.Errorf("%d ties and %d not ranked are too few to show anything", ties, unranked)
	}
}

// shown is a score as it is shown, with two decimals of a percent.
func shown(score *big.Rat) *big.Rat {
	text := new(big.Rat).Mul(score, big.NewRat(100, 1)).FloatString(2)
	r, _ := new(big.Rat).SetString(text)
	switch {
	case r.Sign() == 0 && score.Sign() > 0:
		r.SetFrac64(1, 100)
	case r.Cmp(big.NewRat(100, 1)) == 0 && score.Cmp(big.NewRat(1, 1)) < 0:
		r.SetFrac64(9999, 100)
	}
	return r
}

// checkShares holds score and effective weights against the naive score.
func checkShares(t *testing.T, p Placing, want *big.Rat) {
	t.Helper()
	if want == nil {
		if p.Score != nil || len(p.Shares) != 0 || p.Why != NothingApplies {
			t.Fatalf("%s has score %s though nothing applies", p.ID, p.Score)
		}
		return
	}
	weights, earned, lost := new(big.Rat), new(big.Rat), new(big.Rat)
	for _, s := range p.Shares {
		weights.Add(weights, big.NewRat(s.Weight, s.Of))
		earned.Add(earned, s.Earned())
		lost.Add(lost, s.Lost())
	}
	one := big.NewRat(1, 1)
	if p.Score.Cmp(want) != 0 || earned.Cmp(want) != 0 || weights.Cmp(one) != 0 || lost.Add(lost, earned).Cmp(one) != 0 {
		t.Fatalf("%s: score %s, earned %s, weights %s, want %s", p.ID, p.Score, earned, weights, want)
	}
}

// inOrder is the order of a ranking, by what it shows.
func inOrder(a, b Placing) int {
	rank := func(p Placing) int {
		if p.Rank == 0 {
			return 1 << 30
		}
		return p.Rank
	}
	if a.Group != b.Group {
		return strings.Compare(a.Group, b.Group)
	}
	if rank(a) != rank(b) {
		return rank(a) - rank(b)
	}
	return strings.Compare(a.ID, b.ID)
}

func TestListsAgainstNaiveRecomputation(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 5))
	listed := 0
	for range 300 {
		parts := 1 + rng.IntN(4)
		c := randomCard(rng, parts)
		ps := mustRank(t, c, randomCandidates(rng, 1+rng.IntN(15), parts)...)
		p := Pick{N: rng.IntN(5)}
		if rng.IntN(2) == 0 {
			p.Bar = big.NewRat(rng.Int64N(11), 10)
		}
		good, slow := on(Commend(ps, p)), on(Slow(ps, p))
		for _, k := range ps {
			better, worse, equal := 0, 0, 0
			for _, o := range ps {
				if k.Why == Ranked && o.Why == Ranked && o.Group == k.Group {
					better += max(shown(o.Score).Cmp(shown(k.Score)), 0)
					worse += max(shown(k.Score).Cmp(shown(o.Score)), 0)
					if o.ID != k.ID && shown(k.Score).Cmp(shown(o.Score)) == 0 {
						equal++
					}
				}
			}
			full := k.Score != nil && k.Score.Cmp(big.NewRat(1, 1)) == 0
			nothing := k.Score == nil || k.Score.Sign() == 0
			wantGood := k.Why == Ranked && !nothing && (better+equal < p.N || p.Bar != nil && k.Score.Cmp(p.Bar) >= 0)
			wantSlow := k.Why == Ranked && (better > 0 || worse+equal == 0) && !full && (worse+equal < p.N || p.Bar != nil && k.Score.Cmp(p.Bar) < 0)
			if good[k.ID] != wantGood || slow[k.ID] != wantSlow {
				t.Fatalf("%s with %d better, %d worse, %s: commended %t, slow %t", k.ID, better, worse, percent(k.Score), good[k.ID], slow[k.ID])
			}
			listed += len(good) + len(slow)
		}
	}
	if listed < 1_000 {
		t.Errorf("only %d were listed", listed)
	}
}

func on(list []Listed, _ int) map[string]bool {
	ids := map[string]bool{}
	for _, l := range list {
		ids[l.ID] = len(l.Reasons) > 0
	}
	return ids
}

// BenchmarkRank ranks 63 provinces by 24 parts: with small denominators, as of tasks,
// and with some as large as counts of people.
func BenchmarkRank(b *testing.B) {
	for _, denominators := range []int64{100, 100_000_000} {
		b.Run(fmt.Sprintf("denominators to %d", denominators), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(6, 3))
			c := randomCard(rng, 24)
			c.Bar = nil
			ks := make([]Candidate, 63)
			for i := range ks {
				ks[i] = Candidate{ID: fmt.Sprint(i)}
				for range c.Parts {
					d := 1 + rng.Int64N(denominators)
					ks[i].Scores = append(ks[i].Scores, big.NewRat(rng.Int64N(d+1), d))
				}
			}
			for b.Loop() {
				if _, err := c.Rank(ks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
