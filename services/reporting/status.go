package reporting

import (
	"math/big"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/reporting/book"
	"github.com/cotmoc/cotmoc/services/reporting/score"
)

// setStatus tells where a figure stands on the way to its goal. Without a goal, for
// derived counts and for regimes there is nothing to tell, and nothing is computed.
func setStatus(out *reportingv1.Figure, f *book.Figure, progress *big.Rat) {
	if f.Outlook == nil {
		return
	}
	in := score.Input{Met: out.GetGoalMet(), PastDue: f.PastDue(), Stale: f.Stale(), Progress: progress, Expected: expected(f)}
	in.AboveRange, in.Strict = f.AboveRange()
	out.AboveRange = in.AboveRange
	out.Status = statusOf(score.Judge(in, settingsOf(f.Outlook.Rule)).State)
	out.ExpectedPercent = f.Display(in.Expected)
}

// expected is what part of the way is expected by the figure's day; nil without a path.
func expected(f *book.Figure) *big.Rat {
	o := f.Outlook
	switch {
	case !o.HasPath():
		return nil
	case o.Whole:
		return big.NewRat(1, 1)
	}
	path := score.Path{Linear: len(o.Steps) == 0, From: int32(o.From), Until: int32(o.Due)}
	for _, s := range o.Steps {
		path.Steps = append(path.Steps, score.Step{Day: int32(s.Day), Progress: s.Progress})
	}
	return path.Expected(int32(f.Day))
}

// settingsOf reads a programme's cut-offs: what is set holds, even where it is 0.
func settingsOf(r *registryv1.StatusRule) score.Settings {
	s := score.DefaultSettings()
	if r == nil {
		return s
	}
	for _, at := range []struct {
		set *uint32
		to  *int64
	}{{r.OnTrack, &s.OnTrack}, {r.AtRisk, &s.AtRisk}, {r.NotStarted, &s.NotStarted}} {
		if at.set != nil {
			*at.to = int64(*at.set)
		}
	}
	return s
}

// statusOf is a state as the contract has it.
func statusOf(s score.State) reportingv1.Status {
	switch s {
	case score.Undefined:
		return reportingv1.Status_STATUS_UNDEFINED
	case score.Achieved:
		return reportingv1.Status_STATUS_ACHIEVED
	case score.Overdue:
		return reportingv1.Status_STATUS_OVERDUE
	case score.NoData:
		return reportingv1.Status_STATUS_NO_DATA
	case score.NotStarted:
		return reportingv1.Status_STATUS_NOT_STARTED
	case score.OnTrack:
		return reportingv1.Status_STATUS_ON_TRACK
	case score.AtRisk:
		return reportingv1.Status_STATUS_AT_RISK
	case score.OffTrack:
		return reportingv1.Status_STATUS_OFF_TRACK
	case score.MovingAway:
		return reportingv1.Status_STATUS_MOVING_AWAY
	}
	return reportingv1.Status_STATUS_UNSPECIFIED
}
