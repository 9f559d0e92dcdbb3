package reporting

import (
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// TestWhereATotalLeavesTheRangeNothingIsShown: what was accepted fits, month by month;
// an earlier day, or a quarter, can hold more than any month did.
func TestWhereATotalLeavesTheRangeNothingIsShown(t *testing.T) {
	const most = 1 << 62
	l := newLeader(t, "2022-08-31", 2, card(0, scored(partProgress, "cards", 100)))
	l.target("cards", asCount, goalOf(goalAtLeast, 1_000))
	l.report("c1", "cards", "2022-M05", counted(most))
	l.report("c1", "cards", "2022-M07", counted(1))
	l.report("c2", "cards", "2022-M06", counted(most))
	for what, ask := range map[string]func() error{
		"figure of a quarter": func() error {
			_, err := l.s.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: figureKey("vn", "cards", "2022-Q2")})
			return err
		},
		"ranking by a quarter": func() error {
			_, err := l.s.Rank(t.Context(), &reportingv1.RankRequest{Programme: project, Scorecard: "provinces", Period: "2022-Q2"})
			return err
		},
		"ranking by what a quarter improved": func() error {
			_, err := l.s.Rank(t.Context(), &reportingv1.RankRequest{Programme: project, Scorecard: "provinces", Period: "2022-Q3", ComparePeriod: "2022-Q2"})
			return err
		},
		"closing of an earlier day": func() error {
			_, err := l.s.PublishClosing(t.Context(), &reportingv1.PublishClosingRequest{Programme: project, Closing: "half", DisplayName: "Half", AsOfDate: "2022-06-30"})
			return err
		},
	} {
		if e, _ := apierr.Parse(ask()); e.Reason != errorv1.Reason_REASON_OVERFLOW {
			t.Errorf("%s: %v", what, e)
		}
	}
	l.rank("2022-M06", "2022-M05") // each of them fits
	if _, err := l.s.GetClosing(t.Context(), &reportingv1.GetClosingRequest{Programme: project, Closing: "half"}); err == nil {
		t.Error("the refused closing is there")
	}
}
