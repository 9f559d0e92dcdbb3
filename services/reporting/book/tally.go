// Package book is what a reporting ledger adds up to: the cells that units
// reported, their roll-ups up the tree, the milestones reached and the rules by
// which all of these come about. It is pure: no clock, no database, no network.
//
// Rules decide on events (submit.go, registry.go, clock.go); apply.go does the
// arithmetic of events and knows no rule.
package book

import (
	"errors"
	"math"

	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// ErrOverflow says that a total would leave the range of 64 bits.
var ErrOverflow = errors.New("total would overflow")

// Tally is the element that everything that rolls up is made of. Tallies form a
// commutative group under Add; the zero Tally is its neutral element.
type Tally struct {
	Num, Den                      int64
	Reporting, Expected, Excluded int32
}

// Add returns t + u, or ErrOverflow.
func (t Tally) Add(u Tally) (Tally, error) {
	num, ok1 := addInt(t.Num, u.Num)
	den, ok2 := addInt(t.Den, u.Den)
	if !ok1 || !ok2 {
		return t, ErrOverflow
	}
	return Tally{num, den, t.Reporting + u.Reporting, t.Expected + u.Expected, t.Excluded + u.Excluded}, nil
}

// Sub returns t − u, or ErrOverflow.
func (t Tally) Sub(u Tally) (Tally, error) {
	if u.Num == math.MinInt64 || u.Den == math.MinInt64 {
		return t, ErrOverflow
	}
	return t.Add(Tally{-u.Num, -u.Den, -u.Reporting, -u.Expected, -u.Excluded})
}

func addInt(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

// Proto returns t as the contract has it.
func (t Tally) Proto() *typev1.Tally {
	p := new(typev1.Tally)
	t.into(p)
	return p
}

// into writes t into a message of the contract.
func (t Tally) into(p *typev1.Tally) {
	p.Numerator, p.Denominator = t.Num, t.Den
	p.Reporting, p.Expected, p.Excluded = t.Reporting, t.Expected, t.Excluded
}

// TallyOf reads a tally of the contract; nil is the zero tally.
func TallyOf(p *typev1.Tally) Tally {
	return Tally{p.GetNumerator(), p.GetDenominator(), p.GetReporting(), p.GetExpected(), p.GetExcluded()}
}

// Qualifier says how exact a value is, from exact to the weakest.
type Qualifier uint8

// The qualifiers, in the order of the contract's numbers less one.
const (
	Exact Qualifier = iota
	AtLeast
	Nearly
	About
)

// QualifierOf reads the contract's qualifier; not set is Exact.
func QualifierOf(q typev1.Qualifier) Qualifier {
	if q <= typev1.Qualifier_QUALIFIER_EXACT {
		return Exact
	}
	return Qualifier(q - 1)
}

// Proto returns q as the contract has it.
func (q Qualifier) Proto() typev1.Qualifier { return typev1.Qualifier(q + 1) }

// qualifiers counts, for a roll-up, the values below it that are not exact. The
// weakest of a sum cannot be kept by itself: taking a value away must bring the
// next weakest back.
type qualifiers [3]int32

func (c *qualifiers) add(q Qualifier, n int32) {
	if q != Exact {
		c[q-1] += n
	}
}

func (c qualifiers) weakest() Qualifier {
	for q := About; q > Exact; q-- {
		if c[q-1] > 0 {
			return q
		}
	}
	return Exact
}
