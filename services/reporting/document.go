package reporting

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"

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
func newDocument(b *book.Book, c *book.Closing) *document {
	d := &document{Format: documentFormat, Programme: c.Programme, Closing: c.ID, DisplayName: c.Name,
		AsOfDate: c.AsOf.String(), KnownSequence: c.KnownSequence, RegistryRevision: b.RegistryRevision(),
		Figures: []closedFigure{}, Reports: []closedFigure{}}
	for _, m := range b.Measures(c.Programme) {
		if !m.IsRegime() {
			d.Figures = closed(d.Figures, b.ViewAsOf(m, c.AsOf))
		} else if p := m.EndedBy(c.AsOf); p.Valid() {
			d.Reports = closed(d.Reports, b.View(m, p))
		}
	}
	return d
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
