package score

import "math/big"

// State is where a figure stands against its goal.
type State int

// The states; the rules are those of Judge.
const (
	Undefined State = iota + 1
	Achieved
	Overdue
	NoData
	NotStarted
	OnTrack
	AtRisk
	OffTrack
	MovingAway
)

// String returns the state's name as the contract spells it, such as ON_TRACK.
func (s State) String() string {
	switch s {
	case Undefined:
		return "UNDEFINED"
	case Achieved:
		return "ACHIEVED"
	case Overdue:
		return "OVERDUE"
	case NoData:
		return "NO_DATA"
	case NotStarted:
		return "NOT_STARTED"
	case OnTrack:
		return "ON_TRACK"
	case AtRisk:
		return "AT_RISK"
	case OffTrack:
		return "OFF_TRACK"
	case MovingAway:
		return "MOVING_AWAY"
	}
	return "UNSPECIFIED"
}

// Input is what a figure is judged by. All of it is taken at the same day: the day
// as of which one asks, for a period its last.
type Input struct {
	// Met says that the goal is met; in a range, that lo is reached.
	Met bool
	// AboveRange says that the figure is above the hi of a RANGE, and Strict that the
	// range allows no such thing.
	AboveRange, Strict bool
	// PastDue says that the latest due date is over.
	PastDue bool
	// Stale says that the last accepted value is older than the target allows, or
	// that a value should have come by now and none ever has.
	Stale bool
	// Progress is p = (actual − baseline) / (goal − baseline), nil when there is none;
	// the one who found none knows the reason.
	Progress *big.Rat
	// Expected is e, nil when the goal has no path.
	Expected *big.Rat
}

// Settings are the cut-offs of Judge in hundredths of a percent. AtRisk should not
// exceed OnTrack. The zero value is a rule like any other: DefaultSettings has the
// usual ones.
type Settings struct {
	OnTrack    int64 // p/e from which a figure is on track
	AtRisk     int64 // p/e from which it is at risk
	NotStarted int64 // e below which p = 0 is not started
}

// DefaultSettings are 95 %, 60 % and 5 %.
func DefaultSettings() Settings { return Settings{OnTrack: 9_500, AtRisk: 6_000, NotStarted: 500} }

// Status is the judgement of a figure.
type Status struct {
	State State
	// AboveRange marks what lies above its range: ACHIEVED, or OFF_TRACK when strict.
	AboveRange bool
}

// Judge returns the status of a figure, by the first rule that holds:
//
//  1. ACHIEVED: the goal is met, even after the due date and on an old value. Above
//     a range it is marked; above a strict range the goal is not met.
//  2. OVERDUE: the latest due date is over. It precedes NO_DATA, so that silence
//     does not hide a missed deadline.
//  3. NO_DATA: the last accepted value is older than allowed. It precedes everything
//     that would need that value.
//  4. OFF_TRACK, marked: above a strict range, where p, which runs to lo, says nothing.
//  5. UNDEFINED: no p. The reason is the caller's.
//  6. MOVING_AWAY: p < 0. It needs no path.
//  7. UNDEFINED: no path, so no e.
//  8. NOT_STARTED: p = 0 and e is 0 or below its cut-off.
//  9. ON_TRACK: e = 0 and p > 0, or p/e is at least the first cut-off.
//  10. AT_RISK: p/e is at least the second. OFF_TRACK: all else, as p = 0 later on.
func Judge(in Input, s Settings) Status {
	tooHigh := in.AboveRange && in.Strict
	switch {
	case in.Met && !tooHigh:
		return Status{State: Achieved, AboveRange: in.AboveRange}
	case in.PastDue:
		return Status{State: Overdue}
	case in.Stale:
		return Status{State: NoData}
	case tooHigh:
		return Status{State: OffTrack, AboveRange: true}
	case in.Progress == nil:
		return Status{State: Undefined}
	case in.Progress.Sign() < 0:
		return Status{State: MovingAway}
	case in.Expected == nil:
		return Status{State: Undefined}
	}
	return Status{State: pace(in.Progress, in.Expected, s)}
}

// pace holds progress, which is not negative, against what is expected.
func pace(p, e *big.Rat, s Settings) State {
	switch {
	case p.Sign() == 0 && (e.Sign() <= 0 || e.Cmp(big.NewRat(s.NotStarted, full)) < 0):
		return NotStarted
	case reaches(p, e, s.OnTrack): // also e = 0
		return OnTrack
	case reaches(p, e, s.AtRisk):
		return AtRisk
	}
	return OffTrack
}

// reaches reports p ≥ e · hundredths of a percent.
func reaches(p, e *big.Rat, hundredths int64) bool {
	line := big.NewRat(hundredths, full)
	return p.Cmp(line.Mul(line, e)) >= 0
}
