package book

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		num, den int64
		decimals int
		want     string
	}{
		{11390, 11390, 1, "100.0"},
		{11389, 11390, 1, "99.9"}, // 99.991
		{11389, 11390, 2, "99.99"},
		{11389, 11390, 0, "99"},
		{999_999_999, 1_000_000_000, 2, "99.99"},
		{1_000_000_001, 1_000_000_000, 2, "100.01"},
		{1, 11390, 1, "0.1"}, // 0.009
		{1, 11390, 2, "0.01"},
		{1, 1_000_000_000, 0, "1"},
		{0, 11390, 2, "0.00"},
		{0, 11390, 0, "0"},
		{21, 89, 2, "23.60"},
		{47, 89, 2, "52.81"},
		{187, 227, 2, "82.38"},
		{77, 83, 2, "92.77"},
		{388, 1146, 2, "33.86"},
		{388, 1146, 0, "34"},
		{14, 63, 2, "22.22"},
		{31, 63, 2, "49.21"},
		{101, 107, 2, "94.39"},
		{14068, 14068 + 223, 2, "98.44"},
		{1, 8, 0, "13"}, // 12.5, half up
		{1, 8, 2, "12.50"},
		{5, 1000, 0, "1"}, // 0.5, half up
		{12345, 1_000_000, 2, "1.23"},
		{12355, 1_000_000, 2, "1.24"},
		{1, 3, 6, "33.333333"},
		{-1, 8, 0, "-12"}, // half up is towards more
		{-1, 100_000, 1, "-0.1"},
		{1, -8, 1, "-12.5"},
		{3, 2, 2, "150.00"},
		{math.MaxInt64, math.MaxInt64, 6, "100.000000"},
		{math.MaxInt64 - 1, math.MaxInt64, 6, "99.999999"},
	} {
		num, den := big.NewInt(c.num), big.NewInt(c.den)
		if got := Percent(num, den, c.decimals); got != c.want {
			t.Errorf("%d of %d at %d is %s, want %s", c.num, c.den, c.decimals, got, c.want)
		}
		if num.Int64() != c.num || den.Int64() != c.den {
			t.Errorf("%d of %d was changed in the printing", c.num, c.den)
		}
	}
}

func TestFixed(t *testing.T) {
	for _, c := range []struct {
		v        int64
		decimals int
		want     string
	}{
		{931, 1, "93.1"}, {5, 2, "0.05"}, {0, 0, "0"}, {0, 3, "0.000"}, {-5, 2, "-0.05"}, {-1234, 2, "-12.34"}, {67, 0, "67"},
		{math.MinInt64, 0, "-9223372036854775808"},
	} {
		if got := Fixed(c.v, c.decimals); got != c.want {
			t.Errorf("%d with %d decimals is %s, want %s", c.v, c.decimals, got, c.want)
		}
	}
}

// TestTally_adds holds sums against those of big integers, at the edges of 64 bits.
func TestTally_adds(t *testing.T) {
	edges := []int64{0, 1, -1, 2, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, 1 << 62, -(1 << 62)}
	for _, a := range edges {
		for _, b := range edges {
			for name, op := range map[string]struct {
				got  func(Tally, Tally) (Tally, error)
				want *big.Int
			}{
				"+": {Tally.Add, new(big.Int).Add(big.NewInt(a), big.NewInt(b))},
				"-": {Tally.Sub, new(big.Int).Sub(big.NewInt(a), big.NewInt(b))},
			} {
				for _, pair := range [][2]Tally{{{Num: a}, {Num: b}}, {{Den: a}, {Den: b}}} {
					got, err := op.got(pair[0], pair[1])
					// The least number has no negative: taking it away is refused.
					if fits := op.want.IsInt64() && !(name == "-" && b == math.MinInt64); fits != (err == nil) {
						t.Errorf("%d %s %d: %v", a, name, b, err)
					} else if err == nil && got.Num+got.Den != op.want.Int64() {
						t.Errorf("%d %s %d is %d", a, name, b, got.Num+got.Den)
					} else if err != nil && !errors.Is(err, ErrOverflow) {
						t.Errorf("%d %s %d: %v", a, name, b, err)
					}
				}
			}
		}
	}
}

// TestReaches holds the comparison of thresholds against rational numbers.
func TestReaches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	numbers := func(most int64) int64 {
		switch r.IntN(4) {
		case 0:
			return r.Int64N(most)
		case 1:
			return most - r.Int64N(min(most, 3))
		case 2:
			return r.Int64N(min(most, 1000))
		}
		return r.Int64N(min(most, 1_000_000_000_000))
	}
	for range 200_000 {
		g := Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, hasBaseline: true, ratio: r.IntN(2) == 0}
		g.value, g.baseline = numbers(1_000_000_000_000_000_000), numbers(1_000_000_000_000_000_000)
		total := Tally{Num: numbers(math.MaxInt64), Reporting: 1, Expected: 1}
		if g.ratio {
			total.Den = numbers(math.MaxInt64)
			if r.IntN(3) > 0 {
				g.value, g.baseline = r.Int64N(whole+1), r.Int64N(whole+1)
			}
			if r.IntN(3) == 0 && total.Den > 0 { // exactly on the line
				total.Den = 1 + r.Int64N(1_000_000)*whole
				total.Num = total.Den / whole * g.value
			}
		}
		threshold := []int64{1, 2500, 5000, 10_000, 12_000, 1_000_000}[r.IntN(6)]
		if got, want := g.reaches(total, threshold), reachesByRat(g, total, threshold); got != want {
			t.Fatalf("%+v reaches %d of %+v: %t, want %t", total, threshold, g, got, want)
		}
	}
}

func reachesByRat(g Goal, t Tally, threshold int64) bool {
	if g.value == g.baseline || g.ratio && t.Den == 0 {
		return false
	}
	actual := new(big.Rat).SetInt64(t.Num)
	if g.ratio {
		actual.SetFrac64(t.Num, t.Den)
		actual.Mul(actual, big.NewRat(whole, 1))
	}
	base := new(big.Rat).SetInt64(g.baseline)
	p := actual.Sub(actual, base)
	p.Quo(p, new(big.Rat).Sub(new(big.Rat).SetInt64(g.value), base))
	return p.Cmp(big.NewRat(threshold, 10_000)) >= 0
}

func TestReaches_nothing(t *testing.T) {
	half := Tally{Num: 1, Den: 2, Reporting: 1, Expected: 1}
	for name, c := range map[string]struct {
		g Goal
		t Tally
	}{
		"without a baseline":      {Goal{value: 1}, half},
		"where baseline is goal":  {Goal{value: 5, baseline: 5, hasBaseline: true}, Tally{Num: 7, Reporting: 1}},
		"where nobody reported":   {Goal{value: 0, baseline: 5, hasBaseline: true}, Tally{Expected: 1}},
		"of a zero denominator":   {Goal{value: whole, hasBaseline: true, ratio: true}, Tally{Reporting: 1}},
		"above a falling's start": {Goal{value: 1, baseline: 5, hasBaseline: true}, Tally{Num: 6, Reporting: 1}},
		"below a rising's start":  {Goal{value: 9, baseline: 5, hasBaseline: true}, Tally{Num: 4, Reporting: 1}},
	} {
		if c.g.reaches(c.t, 1) {
			t.Errorf("something is reached %s", name)
		}
	}
}

func TestGoal_met(t *testing.T) {
	all := Tally{Num: 10, Den: 20, Reporting: 2, Expected: 2}
	some := Tally{Num: 10, Den: 20, Reporting: 1, Expected: 2}
	for _, c := range []struct {
		name string
		g    Goal
		t    Tally
		want bool
	}{
		{"at least, met", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, value: 10}, some, true},
		{"at least, missed by one", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, value: 11}, some, false},
		{"at most, met", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_MOST, value: 10}, all, true},
		{"at most, but not all have reported", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_MOST, value: 10}, some, false},
		{"at most, above", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_MOST, value: 9}, all, false},
		{"none left", Goal{kind: registryv1.GoalKind_GOAL_KIND_ZERO}, Tally{Reporting: 1, Expected: 1}, true},
		{"one left", Goal{kind: registryv1.GoalKind_GOAL_KIND_ZERO}, Tally{Num: 1, Reporting: 1, Expected: 1}, false},
		{"a missing zero", Goal{kind: registryv1.GoalKind_GOAL_KIND_ZERO}, Tally{}, false},
		{"half of a half", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, value: whole / 2, ratio: true}, some, true},
		{"a little more than half", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_LEAST, value: whole/2 + 1, ratio: true}, some, false},
		{"all applicable", Goal{kind: registryv1.GoalKind_GOAL_KIND_ALL_APPLICABLE, value: whole, ratio: true}, Tally{2, 2, 2, 2, 0}, true},
		{"a zero denominator", Goal{kind: registryv1.GoalKind_GOAL_KIND_AT_MOST, value: whole, ratio: true}, Tally{Reporting: 1, Expected: 1}, false},
		{"no goal", Goal{}, all, false},
	} {
		if got := c.g.met(c.t); got != c.want {
			t.Errorf("%s: met %t", c.name, got)
		}
	}
}

func TestQualifier_contract(t *testing.T) {
	for q, want := range map[Qualifier]typev1.Qualifier{Exact: typev1.Qualifier_QUALIFIER_EXACT, AtLeast: typev1.Qualifier_QUALIFIER_AT_LEAST,
		Nearly: typev1.Qualifier_QUALIFIER_NEARLY, About: typev1.Qualifier_QUALIFIER_ABOUT} {
		if q.Proto() != want || QualifierOf(want) != q {
			t.Errorf("%d is %v, and that is %d", q, q.Proto(), QualifierOf(want))
		}
	}
	if QualifierOf(typev1.Qualifier_QUALIFIER_UNSPECIFIED) != Exact {
		t.Error("not set is not exact")
	}
}
