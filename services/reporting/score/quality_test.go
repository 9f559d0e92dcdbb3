package score

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// percent prints a fraction in percent with two decimals, "-" when there is none.
func percent(r *big.Rat) string {
	if r == nil {
		return "-"
	}
	return new(big.Rat).Mul(r, big.NewRat(100, 1)).FloatString(2)
}

func (q Quality) print() [5]string {
	return [5]string{percent(q.Complete), percent(q.Correct), percent(q.Clean), percent(q.Live), percent(q.Overall)}
}

// example is the one of domain 8: 24 reports of 10 values.
var example = Counts{
	Expected: 240, Present: 215, Fresh: 200, OpenFindings: 6,
	ChecksRun: 430, ChecksFailed: 10, ReportsExpected: 24, ReportsOnTime: 20,
}

func TestQuality(t *testing.T) {
	verified := example
	verified.VerifiedNum, verified.VerifiedDen = 9, 10
	for _, c := range []struct {
		name     string
		counts   Counts
		want     [5]string
		verified bool
	}{
		{"example", example, [5]string{"89.58", "97.67", "97.21", "83.33", "91.95"}, false},
		// (420/430 + 9/10) / 2 = 93.8372…
		{"verification is half of correct", verified, [5]string{"89.58", "93.84", "97.21", "83.33", "90.99"}, true},
		{"nothing was due", Counts{}, [5]string{"-", "-", "-", "-", "-"}, false},
		{"nothing came", Counts{Expected: 10, ReportsExpected: 1}, [5]string{"0.00", "-", "-", "0.00", "0.00"}, false},
		{"live without values due", Counts{ReportsExpected: 4, ReportsOnTime: 3}, [5]string{"-", "-", "-", "75.00", "75.00"}, false},
		{"live without reports due", Counts{Expected: 4, Present: 4, Fresh: 1}, [5]string{"100.00", "-", "100.00", "25.00", "75.00"}, false},
		{"verified without checks", Counts{VerifiedNum: 1, VerifiedDen: 4}, [5]string{"-", "25.00", "-", "-", "25.00"}, true},
		{"verification that found nothing right", Counts{ChecksRun: 2, VerifiedDen: 4}, [5]string{"-", "50.00", "-", "-", "50.00"}, true},
		{"all checks failed", Counts{ChecksRun: 3, ChecksFailed: 3}, [5]string{"-", "0.00", "-", "-", "0.00"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.counts.Quality()
			if got.print() != c.want || got.Verified != c.verified {
				t.Errorf("got %v verified %t, want %v %t", got.print(), got.Verified, c.want, c.verified)
			}
		})
	}
}

func TestQualityIsExact(t *testing.T) {
	q := example.Quality()
	for _, c := range []struct {
		name string
		got  *big.Rat
		want *big.Rat
	}{
		{"complete", q.Complete, big.NewRat(215, 240)},
		{"correct", q.Correct, big.NewRat(420, 430)},
		{"clean", q.Clean, big.NewRat(209, 215)},
		{"live", q.Live, big.NewRat(5, 6)},
		// the least common denominator of the four is 10,320
		{"overall", q.Overall, big.NewRat(9_245+10_080+10_032+8_600, 4*10_320)},
	} {
		if c.got.Cmp(c.want) != 0 {
			t.Errorf("%s = %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestQualityOfAParentIsTheRatioOfSums(t *testing.T) {
	big9 := Counts{Expected: 90, Present: 90}
	small := Counts{Expected: 10}
	if got := percent(big9.Add(small).Quality().Complete); got != "90.00" {
		t.Errorf("complete = %s, want 90.00, not the mean 50.00", got)
	}
}

// fields names every field of Counts, so that a test can go through them.
func (c *Counts) fields() []*int64 {
	return []*int64{
		&c.Expected, &c.Present, &c.Fresh, &c.OpenFindings, &c.ChecksRun, &c.ChecksFailed,
		&c.ReportsExpected, &c.ReportsOnTime, &c.VerifiedNum, &c.VerifiedDen,
	}
}

func TestCountsAddUpInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	for range 200 {
		parts := make([]Counts, 1+rng.IntN(8))
		var want Counts
		for i := range parts {
			for f, v := range parts[i].fields() {
				*v = rng.Int64N(1_000)
				*want.fields()[f] += *v
			}
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var got Counts
		for _, p := range parts {
			got = got.Add(p)
		}
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}
