package auth

import (
	"sync"
	"time"
)

// An allowance is in units: one is a plain call, and what costs more counts more.
const (
	defaultRate  = 2000 // of a system, in a second
	defaultBurst = 4000
	// All systems of a unit together may do so many times what one may: others of its
	// systems keep a share beside a noisy one.
	unitShares  = 2
	longestDebt = 10 * time.Second
)

// BytesPerUnit is how many bytes of a request cost a unit.
const BytesPerUnit = 4 << 10

// maxAllowances bounds the identities whose allowances are remembered.
const maxAllowances = 100_000

// allowance fills up by itself, and can be overdrawn by what a call turned out to cost.
type allowance struct {
	mu    sync.Mutex
	rate  float64 // units a second
	burst float64
	left  float64
	at    time.Time
}

// fill adds what has come since. mu is held.
func (a *allowance) fill(now time.Time) {
	a.left = min(a.burst, a.left+now.Sub(a.at).Seconds()*a.rate)
	a.at = now
}

// take takes units; wait is how long until there are enough, when there are not.
func (a *allowance) take(now time.Time, units int) (wait time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fill(now)
	if a.left >= float64(units) {
		a.left -= float64(units)
		return 0, true
	}
	return time.Duration((float64(units) - a.left) / a.rate * float64(time.Second)), false
}

// charge takes units whether they are there or not.
func (a *allowance) charge(now time.Time, units int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fill(now)
	a.left = max(a.left-float64(units), -a.rate*longestDebt.Seconds())
}

// full reports whether its caller was quiet.
func (a *allowance) full(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fill(now)
	return a.left >= a.burst
}

// shares are the allowances that a caller draws on: its own, and that of all systems of
// its unit in its role.
type shares struct{ system, unit *allowance }

// take takes units from both, or from neither.
func (s *shares) take(units int) (wait time.Duration, ok bool) {
	now := time.Now()
	if wait, ok = s.system.take(now, units); !ok {
		return wait, false
	}
	if wait, ok = s.unit.take(now, units); !ok {
		s.system.charge(now, -units)
	}
	return wait, ok
}

func (s *shares) charge(units int) {
	now := time.Now()
	s.system.charge(now, units)
	s.unit.charge(now, units)
}

// allowances are those of all callers.
type allowances struct {
	rate  float64
	burst int

	mu  sync.Mutex
	all map[string]*allowance
}

// of returns the allowances of an identity.
func (a *allowances) of(who Identity) *shares {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &shares{system: a.find("system "+who.URI, 1), unit: a.find("unit "+who.Key(), unitShares)}
}

// find returns one. When there are too many, those that are full, which says that their
// callers were quiet, are forgotten. mu is held.
func (a *allowances) find(key string, shares float64) *allowance {
	one := a.all[key]
	if one != nil {
		return one
	}
	now := time.Now()
	if len(a.all) >= maxAllowances {
		for k, old := range a.all {
			if old.full(now) {
				delete(a.all, k)
			}
		}
	}
	burst := shares * float64(a.burst)
	one = &allowance{rate: shares * a.rate, burst: burst, left: burst, at: now}
	a.all[key] = one
	return one
}
