package book

import (
	"math/big"
	"math/bits"
	"strings"
)

// productAtLeast reports a·b ≥ c·d for numbers that are not negative, exactly.
func productAtLeast(a, b, c, d int64) bool {
	hi1, lo1 := bits.Mul64(uint64(a), uint64(b))
	hi2, lo2 := bits.Mul64(uint64(c), uint64(d))
	return hi1 > hi2 || hi1 == hi2 && lo1 >= lo2
}

// Percent prints 100·num/den with the given decimals, rounded half up. It prints
// 0 and 100 only when the fraction is exactly that: what would round to them is
// moved to the nearest other figure. den must not be 0.
func Percent(num, den *big.Int, decimals int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	hundred := new(big.Int).Mul(big.NewInt(100), scale)
	n := new(big.Int).Mul(num, hundred)
	d := new(big.Int).Set(den)
	if d.Sign() < 0 {
		n.Neg(n)
		d.Neg(d)
	}
	q := floorHalfUp(n, d)
	switch {
	case q.Sign() == 0 && n.Sign() > 0:
		q.SetInt64(1)
	case q.Sign() == 0 && n.Sign() < 0:
		q.SetInt64(-1)
	case q.Cmp(hundred) == 0:
		q.Add(q, big.NewInt(int64(n.Cmp(new(big.Int).Mul(d, hundred)))))
	}
	return fixed(q, decimals)
}

// floorHalfUp returns n/d rounded half up, for d > 0.
func floorHalfUp(n, d *big.Int) *big.Int {
	twice := new(big.Int).Lsh(n, 1)
	twice.Add(twice, d)
	// DivMod is Euclidean: the floor, for a positive divisor.
	q, _ := new(big.Int).DivMod(twice, new(big.Int).Lsh(d, 1), new(big.Int))
	return q
}

// fixed prints a scaled integer with its decimals.
func fixed(q *big.Int, decimals int) string {
	s := new(big.Int).Abs(q).String()
	if len(s) <= decimals {
		s = strings.Repeat("0", decimals+1-len(s)) + s
	}
	if decimals > 0 {
		s = s[:len(s)-decimals] + "." + s[len(s)-decimals:]
	}
	if q.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// Fixed prints a fixed-point number with its decimals, such as 931 and 1 as 93.1.
func Fixed(v int64, decimals int) string { return fixed(big.NewInt(v), decimals) }
