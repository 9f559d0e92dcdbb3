package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// print tells all parts that there are.
func (o *overview) print(c *console, programme string) error {
	c.printf("%s\n%s\n\n", programme, o.heading())
	if err := c.table(o.targetTable()); err != nil {
		return err
	}
	if len(o.tasks) > 0 {
		c.printf("\n")
		if err := c.table(taskTable(o.tasks)); err != nil {
			return err
		}
	}
	if len(o.quality) > 0 {
		c.printf("\n")
		return c.table(qualityTable(o.quality))
	}
	return nil
}

// heading tells where the figures stand, and for what day when it is one for all.
func (o *overview) heading() string {
	text := "unit " + o.unit
	for _, one := range o.targets {
		if one.figure != nil {
			text = fmt.Sprintf("%s (%s)", one.figure.GetUnitDisplayName(), o.unit)
			break
		}
	}
	if o.period != "" {
		text += ", period " + o.period
	}
	if d := o.asOf(); d != "" {
		text += ", as of " + d
	}
	if !o.knownAt.IsZero() {
		text += ", as known at " + show.Time(o.knownAt)
	}
	return text
}

// asOf is the day that all figures stand for; empty when it is not one: quarters of
// two calendars end on two days.
func (o *overview) asOf() string {
	same := ""
	for _, one := range o.targets {
		switch d := one.figure.GetAsOfDate(); {
		case d == "" || d == same:
		case same != "":
			return ""
		default:
			same = d
		}
	}
	return same
}

// targetTable is the targets with their figures.
func (o *overview) targetTable() *show.Table {
	columns := []show.Column{show.Left("target"), show.Right("figure"), show.Right("%"), show.Right("progress"), show.Right("expected"),
		show.Left("status"), show.Right("reporting"), show.Left("as of"), show.Left("name")}
	const asOf = 7
	several := o.asOf() == ""
	if !several {
		columns = slices.Delete(columns, asOf, asOf+1)
	}
	t := show.NewTable(columns...)
	for _, one := range o.targets {
		f, name := one.figure, one.target.GetDisplayName()
		cells := []string{one.id, "", "", "", "", "no figure", "", "", one.refused + ": " + name}
		if f != nil {
			cells = []string{one.id, show.Value(f), f.GetPercent(), f.GetProgressPercent(), f.GetExpectedPercent(), show.Standing(f),
				show.Reporting(f), f.GetAsOfDate(), name}
		}
		if !several {
			cells = slices.Delete(cells, asOf, asOf+1)
		}
		t.Add(cells...)
	}
	return t
}

// taskTable is the tasks by class, with both rates.
func taskTable(tasks []taskCount) *show.Table {
	t := show.NewTable(show.Left("form"), show.Left("audience"), show.Left("counted by"), show.Right("on time"), show.Right("late"),
		show.Right("pending"), show.Right("overdue"), show.Right("done of due %"), show.Right("done of all %"))
	for _, one := range tasks {
		n := one.counts
		t.Add(show.Word(one.form), show.Word(one.audience), show.Word(one.basis), show.Amount(n.GetCompletedOnTime(), 0),
			show.Amount(n.GetCompletedLate(), 0), show.Amount(n.GetPendingInTime(), 0), show.Amount(n.GetPendingOverdue(), 0),
			n.GetCompletionRateDue(), n.GetCompletionRateAll())
	}
	return t
}

// qualityTable is how good the data of each regime is.
func qualityTable(quality []regimeQuality) *show.Table {
	t := show.NewTable(show.Left("data of"), show.Left("period"), show.Right("complete (đủ) %"), show.Right("correct (đúng) %"),
		show.Right("clean (sạch) %"), show.Right("live (sống) %"), show.Right("overall %"))
	for _, one := range quality {
		q := one.total
		t.Add(one.regime, one.period, q.GetCompletePercent(), q.GetCorrectPercent(), q.GetCleanPercent(), q.GetLivePercent(), q.GetOverallPercent())
	}
	return t
}

// printFigure tells a figure in full, a line for each thing there is to tell.
func printFigure(c *console, f *reportingv1.Figure) {
	tell := func(what, text string) {
		if text != "" {
			c.printf("%-10s  %s\n", what, text)
		}
	}
	percent := func(text string) string {
		if text != "" {
			text += " %"
		}
		return text
	}
	tally := f.GetTally()
	value := show.Value(f)
	if value == "" {
		value = "nothing reported"
	}
	tell("target", f.GetTarget())
	tell("unit", fmt.Sprintf("%s (%s)", f.GetUnitDisplayName(), f.GetUnit()))
	tell("period", f.GetPeriod())
	tell("as of", f.GetAsOfDate())
	tell("figure", value)
	tell("percent", percent(f.GetPercent()))
	tell("reporting", fmt.Sprintf("%s of %s", show.Amount(int64(tally.GetReporting()), 0), show.Amount(int64(tally.GetExpected()), 0)))
	if tally.GetExcluded() > 0 {
		tell("not added", fmt.Sprintf("%s: %s", show.Amount(int64(tally.GetExcluded()), 0), f.GetExclusionNote()))
	}
	tell("goal", show.Goal(f, f.Goal))
	tell("baseline", show.Goal(f, f.Baseline))
	tell("progress", percent(f.GetProgressPercent()))
	tell("expected", percent(f.GetExpectedPercent()))
	tell("status", show.Standing(f))
	if f.GetStatus() != reportingv1.Status_STATUS_UNDEFINED {
		tell("undefined", show.Word(f.GetUndefinedReason()))
	}
	tell("own part", ownPart(f))
	tell("event", fmt.Sprint(f.GetSequence()))
}

// ownPart is what the unit itself reported; nothing where that is not expected.
func ownPart(f *reportingv1.Figure) string {
	own := f.GetOwn()
	text := show.Word(own.GetState())
	switch {
	case text == "" && own.GetExpected():
		return "missing"
	case own.GetBarePercentage() != "":
		return fmt.Sprintf("%s %% without its denominator: shown, never added", own.GetBarePercentage())
	case own.GetRevision() > 0:
		text += fmt.Sprintf(", revision %d", own.GetRevision())
	}
	return text
}

// figuresBelow is a table of one target's figures, and how many units it leaves out
// because the target applies to nobody there.
func figuresBelow(figures []*reportingv1.Figure) (*show.Table, int) {
	left := 0
	t := show.NewTable(show.Left("unit"), show.Right("figure"), show.Right("%"), show.Right("progress"), show.Right("expected"),
		show.Left("status"), show.Right("reporting"), show.Left("name"))
	for _, f := range figures {
		tally := f.GetTally()
		if tally.GetExpected() == 0 && f.GetOwn().GetState() == 0 {
			left++
			continue
		}
		t.Add(f.GetUnit(), show.Value(f), f.GetPercent(), f.GetProgressPercent(), f.GetExpectedPercent(), show.Standing(f),
			show.Reporting(f), f.GetUnitDisplayName())
	}
	return t, left
}

// json prints all parts as one line, each answer with the contract's field names.
func (o *overview) json(c *console) error {
	type part map[string]any
	out := part{"unit": o.unit}
	var figures, tasks, quality []part
	var bad error
	message := func(m proto.Message) json.RawMessage {
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			bad = fmt.Errorf("print as JSON: %w", err)
		}
		return text
	}
	for _, one := range o.targets {
		p := part{"target": one.id, "display_name": one.target.GetDisplayName()}
		if one.figure == nil {
			p["refused"] = one.refused
		} else {
			p["figure"] = message(one.figure)
		}
		figures = append(figures, p)
	}
	for _, one := range o.tasks {
		tasks = append(tasks, part{"form": one.form.String(), "audience": one.audience.String(), "counting_basis": one.basis.String(),
			"timeliness": message(one.counts)})
	}
	for _, one := range o.quality {
		quality = append(quality, part{"regime": one.regime, "period": one.period, "quality": message(one.total)})
	}
	if bad != nil {
		return bad
	}
	out["targets"], out["tasks"], out["quality"] = figures, tasks, quality
	text, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	return c.line(text)
}
