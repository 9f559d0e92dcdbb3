package reporting

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// document is a closing's content. Its JSON is made once and kept; a field may be
// added for later closings, none changes its meaning.
type document struct {
	Format           string         `json:"format"`
	Programme        string         `json:"programme"`
	Closing          string         `json:"closing"`
	DisplayName      string         `json:"display_name"`
	AsOfDate         string         `json:"as_of_date"`
	KnownSequence    uint64         `json:"known_sequence"`
	RegistryRevision int64          `json:"registry_revision"`
	Figures          []closedFigure `json:"figures"`
	Reports          []closedFigure `json:"reports"`
	Timeliness       []closedTasks  `json:"timeliness"`
	// Answers of the API about the newest period that had ended, in its field names.
	Quality  []closedAnswer `json:"quality"`  // GetQualityResponse, one a regime
	Owed     []closedAnswer `json:"owed"`     // CountObligationsResponse, one a regime
	Rankings []closedAnswer `json:"rankings"` // RankResponse, one a scorecard
}

// closedAnswer is an answer about a regime or scorecard in a period.
type closedAnswer struct {
	Of     string          `json:"of"`
	Period string          `json:"period"`
	Answer json.RawMessage `json:"answer"`
}

// closedTasks is the tasks of a form and audience by the four classes of timeliness.
type closedTasks struct {
	Form              string `json:"form"`
	Audience          string `json:"audience"`
	CountingBasis     string `json:"counting_basis"`
	CompletedOnTime   int64  `json:"completed_on_time"`
	CompletedLate     int64  `json:"completed_late"`
	PendingInTime     int64  `json:"pending_in_time"`
	PendingOverdue    int64  `json:"pending_overdue"`
	CompletionRateDue string `json:"completion_rate_due"`
	CompletionRateAll string `json:"completion_rate_all"`
}

// documentFormat names the fields and their meaning.
const documentFormat = "cotmoc-closing-1"

// closedFigure is one figure of a closing: a total of a unit for a target, a task or
// a count of tasks as of the day, or of a regime's newest period that had ended.
type closedFigure struct {
	Target          string `json:"target"`
	Unit            string `json:"unit"`
	UnitName        string `json:"unit_display_name"`
	Level           string `json:"unit_level"`
	Period          string `json:"period,omitempty"`
	Numerator       int64  `json:"numerator"`
	Denominator     int64  `json:"denominator"`
	Reporting       int32  `json:"reporting"`
	Expected        int32  `json:"expected"`
	Excluded        int32  `json:"excluded"`
	Decimals        uint32 `json:"decimals"`
	Qualifier       string `json:"qualifier"`
	Percent         string `json:"percent,omitempty"`
	Goal            *int64 `json:"goal,omitempty"`
	ProgressPercent string `json:"progress_percent,omitempty"`
	ExpectedPercent string `json:"expected_percent,omitempty"`
	Status          string `json:"status,omitempty"`
	UndefinedReason string `json:"undefined_reason,omitempty"`
}

// newDocument makes the content of a closing from a cut of the book.
func newDocument(b *book.Book, c *book.Closing) (*document, error) {
	d := &document{Format: documentFormat, Programme: c.Programme, Closing: c.ID, DisplayName: c.Name,
		AsOfDate: c.AsOf.String(), KnownSequence: c.KnownSequence, RegistryRevision: b.RegistryRevision(),
		Figures: []closedFigure{}, Reports: []closedFigure{}, Timeliness: []closedTasks{},
		Quality: []closedAnswer{}, Owed: []closedAnswer{}, Rankings: []closedAnswer{}}
	for _, m := range b.Measures(c.Programme) {
		if !m.IsRegime() {
			v := b.ViewAsOf(m, c.AsOf)
			if err := v.Err(); err != nil {
				return nil, err
			}
			d.Figures = closed(d.Figures, v)
		} else if p := m.EndedBy(c.AsOf); p.Valid() {
			d.Reports = closed(d.Reports, b.View(m, p))
			if err := d.addRegime(b, c, m, p); err != nil {
				return nil, err
			}
		}
	}
	d.addTasks(b, c)
	for _, card := range b.ProgrammeByID(c.Programme).Scorecards() {
		if err := d.addRanking(b, c, card); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// addRegime adds who owes what and how good the data is in a period.
func (d *document) addRegime(b *book.Book, c *book.Closing, m *book.Measure, p calendar.Period) error {
	root := b.UnitByID(m.Root())
	total, below := b.Obligations(m, p).AsOf(c.AsOf).Count(root)
	owed := &reportingv1.CountObligationsResponse{Total: obligationCounts(&total)}
	for i := range below {
		owed.Children = append(owed.Children, obligationCounts(&below[i]))
	}
	targets, err := targetsOf(b, m, nil)
	if err != nil {
		return err
	}
	all, each := b.Quality(root, m, targets, []calendar.Period{p})
	quality := &reportingv1.GetQualityResponse{Total: qualityOf(&all)}
	for i := range each {
		quality.Children = append(quality.Children, qualityOf(&each[i]))
	}
	return errors.Join(add(&d.Owed, m.ID(), p, owed), add(&d.Quality, m.ID(), p, quality))
}

// addTasks adds the tasks by the classes of timeliness.
func (d *document) addTasks(b *book.Book, c *book.Closing) {
	for _, f := range book.TaskFilters() {
		t := b.Timeliness(c.Programme, f, nil, c.AsOf)
		if t.All() == 0 {
			continue
		}
		p := timelinessOf(t)
		d.Timeliness = append(d.Timeliness, closedTasks{Form: f.Form.String(), Audience: f.Audience.String(), CountingBasis: f.Basis.String(),
			CompletedOnTime: t.CompletedOnTime, CompletedLate: t.CompletedLate, PendingInTime: t.PendingInTime,
			PendingOverdue: t.PendingOverdue, CompletionRateDue: p.GetCompletionRateDue(), CompletionRateAll: p.GetCompletionRateAll()})
	}
}

// addRanking adds a scorecard's ranking for the newest period that had ended of the
// regime that it counts, else for the newest month.
func (d *document) addRanking(b *book.Book, c *book.Closing, card *registryv1.Scorecard) error {
	p := calendar.EndOfMonth.Of(c.AsOf+1, calendar.Monthly).Prev()
	for _, part := range card.GetParts() {
		if m := b.MeasureByID(c.Programme, part.GetTarget()); m != nil && m.IsRegime() {
			p = m.EndedBy(c.AsOf)
		}
	}
	ranking, err := rank(b, &reportingv1.RankRequest{Programme: c.Programme, Scorecard: card.GetId(), Period: p.String()})
	if err != nil {
		return fmt.Errorf("rank by %s: %w", card.GetId(), err)
	}
	return add(&d.Rankings, card.GetId(), p, ranking.whole())
}

// add appends an answer in JSON. The blanks that its encoder strews are taken out, or
// the same message would not give the same bytes.
func add(to *[]closedAnswer, of string, p calendar.Period, m proto.Message) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return err
	}
	*to = append(*to, closedAnswer{of, p.String(), out.Bytes()})
	return nil
}

// closed appends the figures of a view.
func closed(to []closedFigure, v *book.View) []closedFigure {
	for f := range v.Each {
		p := figureOf(&f, 0)
		row := closedFigure{Target: p.GetTarget(), Unit: p.GetUnit(), UnitName: p.GetUnitDisplayName(), Level: p.GetUnitLevel(),
			Period: p.GetPeriod(), Numerator: f.Total.Num, Denominator: f.Total.Den, Reporting: f.Total.Reporting,
			Expected: f.Total.Expected, Excluded: f.Total.Excluded, Decimals: p.GetDecimals(), Qualifier: p.GetQualifier().String(),
			Percent: p.GetPercent(), Goal: p.Goal, ProgressPercent: p.GetProgressPercent(), ExpectedPercent: p.GetExpectedPercent()}
		if p.GetStatus() != 0 {
			row.Status = p.GetStatus().String()
		}
		if p.GetUndefinedReason() != 0 {
			row.UndefinedReason = p.GetUndefinedReason().String()
		}
		to = append(to, row)
	}
	return to
}

// encode writes the document.
func (d *document) encode() ([]byte, error) { return json.Marshal(d) }

// table makes the figures of a document a table, figures first, then reports.
func table(text []byte) ([]byte, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{"target", "unit", "unit_display_name", "unit_level", "period", "numerator", "denominator", "reporting", "expected",
		"excluded", "decimals", "qualifier", "percent", "goal", "progress_percent", "expected_percent", "status", "undefined_reason"}}
	for _, f := range append(d.Figures, d.Reports...) {
		goal := ""
		if f.Goal != nil {
			goal = strconv.FormatInt(*f.Goal, 10)
		}
		number := func(n int32) string { return strconv.Itoa(int(n)) }
		rows = append(rows, []string{f.Target, f.Unit, f.UnitName, f.Level, f.Period, strconv.FormatInt(f.Numerator, 10),
			strconv.FormatInt(f.Denominator, 10), number(f.Reporting), number(f.Expected), number(f.Excluded),
			strconv.Itoa(int(f.Decimals)), f.Qualifier, f.Percent, goal, f.ProgressPercent, f.ExpectedPercent, f.Status, f.UndefinedReason})
	}
	err := w.WriteAll(rows)
	return out.Bytes(), err
}
