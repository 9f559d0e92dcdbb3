package demo

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The table's columns; expected and got may take several lines of this many characters.
const (
	tableColumns = 6
	cellWidth    = 26
)

// WriteTable prints what was compared, by figure, and below each figure that differs every
// field in which it does.
func WriteTable(w io.Writer, results []Result) {
	rows := [][tableColumns]string{{"figure", "after", "what", "expected", "got", ""}}
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(a, b Result) int { return figureNumber(a.Figure) - figureNumber(b.Figure) })
	for _, r := range results {
		word := "OK"
		if !r.OK() {
			word = "DIFFERS"
		}
		rows = append(rows, [tableColumns]string{r.Figure, r.After, r.What, wrap(brief(r.Want)), wrap(brief(r.Got)), word})
	}
	var width [tableColumns]int
	for _, row := range rows {
		for i, cell := range row {
			for line := range strings.Lines(cell) {
				width[i] = max(width[i], utf8.RuneCountInString(strings.TrimRight(line, "\n")))
			}
		}
	}
	total := 2 * (tableColumns - 1)
	for _, one := range width {
		total += one
	}
	for i, row := range rows {
		writeRow(w, row, width)
		if i == 0 {
			fmt.Fprintln(w, strings.Repeat("-", total))
			continue
		}
		for _, d := range results[i-1].Differences {
			fmt.Fprintf(w, "%*s  ! %s\n", width[0], "", d)
		}
	}
}

// figureNumber is the number of a figure, 0 when it has none.
func figureNumber(figure string) int {
	n, err := strconv.Atoi(figure)
	if err != nil {
		return 0
	}
	return n
}

// wrap breaks long lines between words, and sets what follows in.
func wrap(cell string) string {
	var out []string
	for _, line := range strings.Split(cell, "\n") {
		width := 0
		var b strings.Builder
		for i, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case width+1+n > cellWidth:
				b.WriteString("\n  ")
				width = 2
			default:
				b.WriteByte(' ')
				width++
			}
			b.WriteString(word)
			width += n
		}
		out = append(out, b.String())
	}
	return strings.Join(out, "\n")
}

// writeRow prints a row over as many lines as its longest cell has.
func writeRow(w io.Writer, row [tableColumns]string, width [tableColumns]int) {
	var cells [tableColumns][]string
	lines := 1
	for i, cell := range row {
		cells[i] = strings.Split(cell, "\n")
		lines = max(lines, len(cells[i]))
	}
	for n := range lines {
		var b strings.Builder
		for i := range cells {
			text := ""
			if n < len(cells[i]) {
				text = cells[i][n]
			}
			b.WriteString(text + strings.Repeat(" ", width[i]-utf8.RuneCountInString(text)+2))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// brief is an answer, or the wanted part of one, in few words.
func brief(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return briefMap(v)
	case []any:
		if len(v) == 0 {
			return "none"
		}
		separator := "\n"
		if first, ok := v[0].(map[string]any); ok && first["event"] != nil {
			separator = " "
		}
		var parts []string
		for _, member := range v {
			parts = append(parts, brief(member))
		}
		return strings.Join(parts, separator)
	}
	return text(v)
}

// briefMap knows the answers of the API by their fields.
func briefMap(m map[string]any) string {
	for _, list := range []string{"items", "kinds", "changes", "findings"} {
		if members, ok := m[list].([]any); ok {
			return brief(members)
		}
	}
	switch {
	case m["event"] != nil:
		return briefMilestone(m)
	case m["increase"] != nil:
		return briefChange(m)
	case m["check"] != nil:
		return briefFinding(m)
	case m["code"] != nil:
		return fmt.Sprintf("%s %s: %s", text(m["code"]), text(m["reason"]), text(m["field"]))
	case m["name"] != nil:
		return text(m["name"])
	case m["tally"] != nil || m["percent"] != nil:
		return briefFigure(m)
	}
	return text(m)
}

// briefChange is how much more came, and whether that beat what came before.
func briefChange(m map[string]any) string {
	s := "+" + text(m["increase"])
	if beats, ok := m["beats_previous"]; ok {
		s += ", beats the one before: " + text(beats)
	}
	return s
}

// briefFinding is a value that looks wrong, and how that ended.
func briefFinding(m map[string]any) string {
	s := text(m["value"])
	if against := m["against"]; against != nil {
		s += " against " + text(against)
	}
	if how := m["resolution"]; how != nil && text(how) != "FINDING_RESOLUTION_UNSPECIFIED" {
		s += ", " + strings.TrimPrefix(text(how), "FINDING_RESOLUTION_")
	}
	return s
}

// briefMilestone is the threshold that was crossed, with a minus when it was
// revoked, and how often it was reached when more than once.
func briefMilestone(m map[string]any) string {
	s := strings.TrimSuffix(text(m["progress_threshold"]), "00") + "%"
	if text(m["event"]) == "revoked" {
		s = "-" + s
	}
	if n := text(m["ordinal"]); n != "1" && m["ordinal"] != nil {
		s += "(" + n + ")"
	}
	return s
}

// briefFigure is a fraction with its percentage, and what is not in it.
func briefFigure(m map[string]any) string {
	var parts []string
	if kind := m["kind"]; kind != nil {
		parts = append(parts, strings.TrimPrefix(text(kind), "UNIT_KIND_"))
	}
	tally, _ := m["tally"].(map[string]any)
	if tally != nil {
		parts = append(parts, text(tally["numerator"])+"/"+text(tally["denominator"]))
	}
	if percent, ok := m["percent"]; ok {
		if text(percent) == "" {
			parts = append(parts, "no percentage")
		} else {
			parts = append(parts, text(percent)+" %")
		}
	}
	if excluded := tally["excluded"]; excluded != nil && text(excluded) != "0" {
		parts = append(parts, text(excluded)+" not added")
	}
	if own, ok := m["own"].(map[string]any); ok && own["bare_percentage"] != nil {
		parts = append(parts, "shown "+text(own["bare_percentage"])+" %")
	}
	return strings.Join(parts, " ")
}
