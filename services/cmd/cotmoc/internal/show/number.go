// Package show puts figures, milestones and refusals in words for people at a
// terminal. What it prints is for reading: programs take the JSON of the API.
package show

import (
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Percent is num of den in percent, rounded half up to the given decimals; 0 and
// 100 come out only when exact. It is empty when den is not above 0.
func Percent(num, den int64, decimals uint32) string {
	if den <= 0 || num < 0 {
		return ""
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	hundred := new(big.Int).Mul(big.NewInt(100), scale)
	whole, rest := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(num), hundred), big.NewInt(den), new(big.Int))
	if rest.Lsh(rest, 1).Cmp(big.NewInt(den)) >= 0 {
		whole.Add(whole, big.NewInt(1))
	}
	one := big.NewInt(1)
	switch {
	case num > 0 && whole.Sign() == 0, num > den && whole.Cmp(hundred) == 0:
		whole.Add(whole, one)
	case num < den && whole.Cmp(hundred) == 0:
		whole.Sub(whole, one)
	}
	return point(whole.String(), int(decimals))
}

// Amount is a fixed-point number with its decimals, in groups of three digits.
func Amount(n int64, decimals uint32) string {
	sign := ""
	text := strconv.FormatInt(n, 10)
	if n < 0 {
		sign, text = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(point(text, int(decimals)), ".")
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + group(whole) + fraction
}

// point puts the decimal point into a row of digits.
func point(digits string, decimals int) string {
	if decimals == 0 {
		return digits
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	at := len(digits) - decimals
	return digits[:at] + "." + digits[at:]
}

// group puts a comma before each three digits.
func group(digits string) string {
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// indochina is the time of the periods, which has known no summer time since 1975.
var indochina = time.FixedZone("", 7*60*60)

// Time is a time at +07:00, to the second.
func Time(t time.Time) string { return t.In(indochina).Format(time.RFC3339) }

// Month is the period of a time, such as `2022-M07`.
func Month(t time.Time) string { return t.In(indochina).Format("2006-M01") }
