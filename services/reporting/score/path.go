package score

import "math/big"

// full is 100 % in hundredths of a percent.
const full = 10_000

// Path says how much progress is expected by a day. The zero value is a STEP path
// without steps, which never expects anything.
type Path struct {
	// Linear makes progress expected evenly from From, when none is, until Until,
	// the latest due day, when all is; Steps do not matter.
	Linear      bool
	From, Until int32
	Steps       []Step // of a path that is not linear, in any order
}

// Step is the progress, in hundredths of a percent, that is expected from a day on.
type Step struct {
	Day      int32
	Progress int64
}

// Expected returns the progress expected at the end of a day, from 0 to 1, never nil.
//
// LINEAR: (day − from) / (until − from); from the due day on it is 1, also where the
// path begins on its due day or after it. STEP: that of the last step reached, 0
// before the first; of two on the same day the later in the list counts.
func (p Path) Expected(day int32) *big.Rat {
	if !p.Linear {
		return p.step(day)
	}
	switch {
	case day >= p.Until:
		return big.NewRat(1, 1)
	case day <= p.From:
		return new(big.Rat)
	}
	// Days may lie further apart than an int32 reaches.
	return big.NewRat(int64(day)-int64(p.From), int64(p.Until)-int64(p.From))
}

func (p Path) step(day int32) *big.Rat {
	var last Step
	reached := false
	for _, s := range p.Steps {
		if s.Day <= day && (!reached || s.Day >= last.Day) {
			last, reached = s, true
		}
	}
	return big.NewRat(min(max(last.Progress, 0), full), full)
}
