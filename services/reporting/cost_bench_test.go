package reporting

import (
	"context"
	"testing"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// BenchmarkCosts holds what reads of a nation are charged against the processor time
// that they take: `units/op` is what is charged beside the call itself, `real-units/op`
// what it should be. docs/security.md has the table.
func BenchmarkCosts(b *testing.B) {
	n := newNation(b, "2022-M03")
	m, regime, vn := n.b.MeasureByID(project, "target-0"), n.b.MeasureByID(project, "monthly"), n.b.UnitByID("vn")
	march, quarter, feb := period(b, "2022-M03"), period(b, "2022-Q1"), period(b, "2022-M02").LastDay()
	figures := func(descendants bool, limit int) func(*book.Book) {
		return func(at *book.Book) {
			list, _ := at.View(m, march).Figures(vn, book.Selection{Descendants: descendants}, "", limit)
			for i := range list {
				figureOf(&list[i], 0)
			}
		}
	}
	quality := func(from, to string) func(*book.Book) {
		return func(at *book.Book) {
			periods, err := periodsOf(at, regime, from, to)
			if err != nil {
				b.Fatal(err)
			}
			at.Quality(vn, regime, at.TargetsUnder(regime), periods)
		}
	}
	ranking := func(level, card, month, before string) func(*book.Book) {
		return func(at *book.Book) {
			at.ProgrammeByID(project).Scorecard(card).Level = level
			r, err := rank(at, &reportingv1.RankRequest{Programme: project, Scorecard: card, Period: month, ComparePeriod: before})
			if err == nil {
				_, err = r.page(&reportingv1.RankRequest{PageSize: 1_000}, "")
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		read func(*book.Book)
	}{
		{"GetFigure", func(at *book.Book) { f := at.View(m, march).Figure(vn); figureOf(&f, 0) }},
		{"GetFigure as of a day", func(at *book.Book) { f := at.ViewAsOf(m, feb).Figure(vn); figureOf(&f, 0) }},
		{"GetFigure of a quarter", func(at *book.Book) { f := at.View(m, quarter).Figure(vn); figureOf(&f, 0) }},
		{"GetFigure of a month without reports", func(at *book.Book) { f := at.View(m, march.Next()).Figure(vn); figureOf(&f, 0) }},
		{"ListFigures children", figures(false, 100)},
		{"ListFigures 100 of all", figures(true, 100)},
		{"ListFigures 1,000 of all", figures(true, 1_000)},
		{"Explain 100", func(at *book.Book) { explain(at, m, march, vn, 100) }},
		{"Explain 1,000", func(at *book.Book) { explain(at, m, march, vn, 1_000) }},
		{"CompareDates of 24 days", func(at *book.Book) {
			for i := range 24 {
				f := at.ViewAsOf(m, feb-calendar.Date(i)).Figure(vn)
				figureOf(&f, 0)
			}
		}},
		{"CountByKind", func(at *book.Book) { at.View(m, march).ByKind(vn) }},
		{"ListObligations 1,000", func(at *book.Book) {
			list, _ := at.Obligations(regime, march).List(vn, book.ObligationFilter{}, "", 1_000)
			for i := range list {
				obligationOf(&list[i], "monthly", "2022-M03")
			}
		}},
		{"CountObligations", func(at *book.Book) { at.Obligations(regime, march).Count(vn) }},
		{"GetQuality of a month", quality("2022-M03", "2022-M03")},
		{"GetQuality of three months", quality("2022-M01", "2022-M03")},
		{"ListFindings 100", func(at *book.Book) {
			list, _ := at.Findings(book.FindingFilter{Programme: project, Top: vn}, 0, 100)
			for i := range list {
				findingOf(&list[i])
			}
		}},
		{"Rank 63 by 24 targets", ranking("province", "plain", "2022-M03", "")},
		{"Rank 63 by 24, quality, improvement", ranking("province", "full", "2022-M03", "2022-M02")},
		{"Rank 10,599 by 24 targets", ranking("commune", "plain", "2022-M03", "")},
		{"Rank 10,599 of today", ranking("commune", "plain", "", "")},
		{"CountTasks", func(at *book.Book) {
			_, _ = at.CountTasks(project, book.TaskFilter{Basis: typev1.CountingBasis_COUNTING_BASIS_TASK, Form: typev1.TaskForm_TASK_FORM_TASK}, feb)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			rows, before := 0, usedCPU(b)
			for b.Loop() {
				e := book.NewEffort(context.Background().Err, 0)
				c.read(n.b.Within(e))
				rows = e.Rows()
			}
			b.ReportMetric(float64(rows)/unitRows, "units/op")
			b.ReportMetric(float64(usedCPU(b)-before)/float64(unitTime)/float64(b.N), "real-units/op")
		})
	}
}

func explain(at *book.Book, m *book.Measure, p calendar.Period, top *book.Unit, limit int) {
	parts, _ := at.View(m, p).Contributions(top, "", limit)
	for i := range parts {
		contributionOf(&parts[i])
	}
}
