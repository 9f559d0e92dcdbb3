package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// rankCmd ranks units.
type rankCmd struct {
	target
	Programme string  `arg:"" help:"Id of the programme."`
	Scorecard string  `arg:"" help:"Id of the programme's scorecard."`
	Period    period  `help:"The period that is judged, such as 2022-Q3; the current figures when not given." placeholder:"PERIOD"`
	Compare   period  `help:"The period to measure improvement from." placeholder:"PERIOD"`
	Unit      string  `help:"Only units below this one." placeholder:"ID"`
	KnownAt   instant `help:"What was known at this time, or by the end of this day." placeholder:"TIME"`
	JSON      bool    `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*rankCmd) Help() string {
	return `Ranks the units of the scorecard's level, equals sharing a rank (1-2-2-4), and tells
who is commended and who is slow, with reasons, and who is not ranked, and why. Each
part's score is from 0 to 100; an empty one does not apply to the unit, and its weight
went to the others. With --compare, rise is how much the score rose, and by rise the
rank by that.

Examples:
  cotmoc rank de-an-06 tinh
  cotmoc rank de-an-06 tinh --period 2022-Q4 --compare 2022-Q3`
}

// Run prints the ranking.
func (r *rankCmd) Run(ctx context.Context, c *console) error {
	s, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	resp, err := r.rank(ctx, s)
	if err != nil {
		return err
	}
	if r.JSON {
		return c.json(resp)
	}
	programme, err := s.programme(ctx, r.Programme)
	if err != nil {
		return err
	}
	c.printf("%s\n\n", r.heading(programme))
	return printRanking(c, resp, r.Compare != "")
}

// rank asks for the whole ranking, page by page.
func (r *rankCmd) rank(ctx context.Context, s *services) (all *reportingv1.RankResponse, err error) {
	err = pages(func(token string) (string, bool, error) {
		page, err := s.monitoring().Rank(ctx, &reportingv1.RankRequest{Programme: r.Programme, Scorecard: r.Scorecard,
			Period: string(r.Period), ComparePeriod: string(r.Compare), Unit: r.Unit, KnownAt: r.KnownAt.proto(),
			PageSize: pageSize, PageToken: token, MinSequence: all.GetSequence()})
		if err != nil {
			return "", false, err
		}
		next := page.GetNextPageToken()
		if page.NextPageToken = ""; all == nil {
			all = page // only the first tells who is commended and who is slow
		} else {
			all.Units = append(all.Units, page.GetUnits()...)
		}
		return next, true, nil
	})
	return all, err
}

// heading is what people call the scorecard, and what is judged.
func (r *rankCmd) heading(p *registryv1.Programme) string {
	text := r.Scorecard
	for _, s := range p.GetScorecards() {
		if s.GetId() == r.Scorecard {
			text = s.GetDisplayName()
		}
	}
	if r.Period == "" {
		text += ", current figures"
	} else {
		text += ", period " + string(r.Period)
	}
	if r.Compare != "" {
		text += ", improvement since " + string(r.Compare)
	}
	return text
}

// printRanking tells a ranking in full.
func printRanking(c *console, resp *reportingv1.RankResponse, compared bool) error {
	var ranked, unranked []*reportingv1.RankedUnit
	for _, u := range resp.GetUnits() {
		if u.GetRank() > 0 {
			ranked = append(ranked, u)
		} else {
			unranked = append(unranked, u)
		}
	}
	if len(resp.GetUnits()) == 0 {
		c.printf("there is no unit to rank\n")
		return nil
	}
	if err := c.table(rankTable(ranked, compared)); err != nil {
		return err
	}
	c.printf("%s", legend(resp.GetUnits()))
	for _, list := range []struct {
		title  string
		units  []*reportingv1.RankedUnit
		reason func(*reportingv1.RankedUnit) []string
	}{
		{"commended", resp.GetCommended(), (*reportingv1.RankedUnit).GetReasons},
		{"slow", resp.GetSlow(), (*reportingv1.RankedUnit).GetReasons},
		{"not ranked", unranked, func(u *reportingv1.RankedUnit) []string { return []string{u.GetNotRankedReason()} }},
	} {
		if len(list.units) == 0 {
			continue
		}
		c.printf("\n")
		if err := c.table(reasonTable(list.title, list.units, list.reason)); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		title string
		left  int32
	}{{"commended", resp.GetCommendedLeftOut()}, {"slow", resp.GetSlowLeftOut()}} {
		if list.left > 0 {
			c.printf("\n%s: %d tie for the last places, for which there is no room: left out\n", list.title, list.left)
		}
	}
	return nil
}

// reasonTable is units with their reasons, each reason on a line of its own: none may
// be cut off for the sake of the others.
func reasonTable(title string, units []*reportingv1.RankedUnit, reasons func(*reportingv1.RankedUnit) []string) *show.Table {
	t := show.NewTable(show.Left(title), show.Right("rank"), show.Left("name"), show.Left("why"))
	for _, u := range units {
		first := []string{u.GetUnit(), place(u.GetRank()), u.GetUnitDisplayName()}
		why := reasons(u)
		if len(why) == 0 {
			t.Add(first...)
		}
		for i, reason := range why {
			if i > 0 {
				first = []string{"", "", ""}
			}
			t.Add(append(first, reason)...)
		}
	}
	return t
}

// rankTable is the units that are ranked, with a column for each part.
func rankTable(units []*reportingv1.RankedUnit, compared bool) *show.Table {
	columns := []show.Column{show.Right("rank"), show.Left("unit"), show.Right("score")}
	if compared {
		columns = append(columns, show.Right("rise"), show.Right("by rise"))
	}
	if len(units) > 0 {
		for i := range units[0].GetParts() {
			columns = append(columns, show.Right(partTitle(i)))
		}
	}
	t := show.NewTable(append(columns, show.Left("name"))...)
	for _, u := range units {
		cells := []string{place(u.GetRank()), u.GetUnit(), u.GetScore()}
		if compared {
			cells = append(cells, u.GetImprovement(), place(u.GetImprovementRank()))
		}
		for _, p := range u.GetParts() {
			cells = append(cells, p.GetScore())
		}
		t.Add(append(cells, u.GetUnitDisplayName())...)
	}
	return t
}

// partTitle is the title of a part's column.
func partTitle(i int) string { return fmt.Sprintf("part %d", i+1) }

// legend says what the parts are, and their weights where some unit has them all:
// a part that does not apply hands its weight on.
func legend(units []*reportingv1.RankedUnit) string {
	of, whole := units[0].GetParts(), false
	for _, u := range units {
		missing := func(p *reportingv1.PartScore) bool { return p.GetScore() == "" }
		if u.GetRank() > 0 && !slices.ContainsFunc(u.GetParts(), missing) {
			of, whole = u.GetParts(), true
			break
		}
	}
	var b strings.Builder
	for i, p := range of {
		text := strings.TrimSpace(show.Word(p.GetKind()) + " " + p.GetTarget())
		if whole {
			text += ", weight " + p.GetWeight()
		}
		fmt.Fprintf(&b, "%s: %s\n", partTitle(i), text)
	}
	return b.String()
}

// place is a rank; nothing where there is none.
func place(rank int32) string {
	if rank == 0 {
		return ""
	}
	return fmt.Sprint(rank)
}
