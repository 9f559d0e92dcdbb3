package show

import (
	"io"
	"strings"
)

const (
	gap      = 2 // blanks between columns
	leastEnd = 8 // the last column is never cut below this width
)

// Column is a column's title and to which side its cells stand.
type Column struct {
	Title string
	right bool
}

// Left is a column of words.
func Left(title string) Column { return Column{Title: title} }

// Right is a column of numbers.
func Right(title string) Column { return Column{Title: title, right: true} }

// Table is rows under titles, its columns aligned by the width that text has on a
// terminal. What may be long belongs into the last column, the only one that is
// cut.
type Table struct {
	columns []Column
	rows    [][]string
}

// NewTable returns a table without rows.
func NewTable(columns ...Column) *Table { return &Table{columns: columns} }

// Add adds a row. Cells beyond the columns are dropped, missing ones are empty.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.columns))
	for i := range min(len(row), len(cells)) {
		row[i] = line(cells[i])
	}
	t.rows = append(t.rows, row)
}

// Len is how many rows the table has.
func (t *Table) Len() int { return len(t.rows) }

// Write prints the table, its last column cut with … where a line would be wider
// than width; at 0, which is what Width tells of files and pipes, nothing is cut.
func (t *Table) Write(w io.Writer, width int) error {
	widths := t.widths()
	if last := len(widths) - 1; width > 0 && last >= 0 {
		room := width
		for _, n := range widths[:last] {
			room -= n + gap
		}
		widths[last] = min(widths[last], max(room, leastEnd))
	}
	var b strings.Builder
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = line(c.Title)
	}
	t.writeRow(&b, titles, widths)
	for _, row := range t.rows {
		t.writeRow(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths is how wide each column is when nothing is cut.
func (t *Table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = TextWidth(line(c.Title))
		for _, row := range t.rows {
			widths[i] = max(widths[i], TextWidth(row[i]))
		}
	}
	return widths
}

// writeRow writes one line, without blanks at its end.
func (t *Table) writeRow(b *strings.Builder, cells []string, widths []int) {
	var row strings.Builder
	for i, cell := range cells {
		if i > 0 {
			row.WriteString(strings.Repeat(" ", gap))
		}
		if i == len(cells)-1 {
			cell = cut(cell, widths[i])
		}
		blanks := strings.Repeat(" ", widths[i]-TextWidth(cell))
		if t.columns[i].right {
			row.WriteString(blanks + cell)
		} else {
			row.WriteString(cell + blanks)
		}
	}
	b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
}
