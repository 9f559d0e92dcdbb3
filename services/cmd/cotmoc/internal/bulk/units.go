// Package bulk brings many resources into a registry: it reads lists of units and
// files of resources, writes them in batches, and tells beforehand what would change.
package bulk

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Columns of a list of units; kind is the official designation, such as `Phường`.
const (
	colCode = iota
	colLevel
	colParent
	colName
	colKind
	columns
)

// columnNames are the words of the first line.
func columnNames() []string { return []string{"code", "level", "parent_code", "name", "kind"} }

// maxComplaints is how many bad rows are named before reading stops.
const maxComplaints = 20

// UnitOptions is what a list of units does not say itself.
type UnitOptions struct {
	Parent string // id of the unit above those without a parent_code
	From   string // first day of every unit, YYYY-MM-DD
}

// UnitRow is a unit with the line that it was read from.
type UnitRow struct {
	Line   int
	ID     string
	Parent string // empty for a root
	Unit   *registryv1.Unit
}

// RowError is what is wrong with a row.
type RowError struct {
	Line int
	What string
}

// Error names the line.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.What) }

// levels tells the kind and the level in the tree of each word of the column level.
func levels() map[string]struct {
	kind  typev1.UnitKind
	level string
} {
	type place = struct {
		kind  typev1.UnitKind
		level string
	}
	return map[string]place{
		"COUNTRY":          {typev1.UnitKind_UNIT_KIND_COUNTRY, "country"},
		"MINISTRY":         {typev1.UnitKind_UNIT_KIND_MINISTRY, "central"},
		"AGENCY":           {typev1.UnitKind_UNIT_KIND_AGENCY, "central"},
		"STATE_ENTERPRISE": {typev1.UnitKind_UNIT_KIND_STATE_ENTERPRISE, "central"},
		"TELECOM":          {typev1.UnitKind_UNIT_KIND_TELECOM, "central"},
		"DEPARTMENT":       {typev1.UnitKind_UNIT_KIND_DEPARTMENT, "department"},
		"PROVINCE":         {typev1.UnitKind_UNIT_KIND_PROVINCE, "province"},
		"DISTRICT":         {typev1.UnitKind_UNIT_KIND_DISTRICT, "district"},
		"COMMUNE":          {typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"},
	}
}

// ReadUnits reads a list of units, parents before children whatever the order of
// the rows. An error names each bad row, at most 20, by its line.
func ReadUnits(r io.Reader, o UnitOptions) ([]UnitRow, error) {
	reader := csv.NewReader(skipMark(r))
	reader.ReuseRecord = true
	at, err := readHead(reader)
	if err != nil {
		return nil, err
	}
	var rows []UnitRow
	var bad []error
	known := levels()
	for len(bad) < maxComplaints {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			return nil, errors.Join(append(bad, &RowError{broken.Line, broken.Err.Error()})...)
		}
		if err != nil {
			return nil, fmt.Errorf("read the list: %w", err)
		}
		line, _ := reader.FieldPos(0)
		fields := make([]string, columns)
		for i, from := range at {
			fields[i] = strings.TrimSpace(record[from])
		}
		place, ok := known[fields[colLevel]]
		if !ok {
			bad = append(bad, &RowError{line, fmt.Sprintf("level %q is none of %s", fields[colLevel], levelWords())})
			continue
		}
		row, err := readRow(line, fields, o, place.kind, place.level)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		rows = append(rows, row)
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return order(rows)
}

// skipMark drops the byte order mark that spreadsheets put before UTF-8.
func skipMark(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	return b
}

// readHead finds where each column is.
func readHead(r *csv.Reader) ([columns]int, error) {
	var at [columns]int
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return at, &RowError{1, "the list is empty: its first line names the columns " + strings.Join(columnNames(), ",")}
	}
	if err != nil {
		return at, fmt.Errorf("read the first line: %w", err)
	}
	for i, word := range columnNames() {
		if at[i] = slices.Index(head, word); at[i] < 0 {
			return at, &RowError{1, fmt.Sprintf("column %s is missing among %q", word, head)}
		}
	}
	if len(head) != columns {
		return at, &RowError{1, fmt.Sprintf("columns are %s and no others, not %q", strings.Join(columnNames(), ","), head)}
	}
	return at, nil
}

// readRow makes a unit of a row.
func readRow(line int, fields []string, o UnitOptions, kind typev1.UnitKind, level string) (UnitRow, error) {
	row := UnitRow{Line: line, ID: strings.ToLower(fields[colCode]), Parent: strings.ToLower(fields[colParent])}
	complain := func(format string, args ...any) (UnitRow, error) {
		return UnitRow{}, &RowError{line, fmt.Sprintf(format, args...)}
	}
	if err := name.CheckID(row.ID, name.MaxUnit); err != nil {
		return complain("code: %v", err)
	}
	root := kind == typev1.UnitKind_UNIT_KIND_COUNTRY
	switch {
	case root && row.Parent != "":
		return complain("a COUNTRY is a root and has no parent_code, not %q", row.Parent)
	case !root && row.Parent == "":
		row.Parent = o.Parent
	}
	if !root {
		if err := name.CheckID(row.Parent, name.MaxUnit); err != nil {
			return complain("parent_code: %v", err)
		}
	}
	for i, text := range fields {
		if !utf8.ValidString(text) {
			return complain("column %s is not UTF-8", columnNames()[i])
		}
	}
	if fields[colName] == "" {
		return complain("name is empty")
	}
	row.Unit = &registryv1.Unit{
		Name: name.Unit(row.ID).Name(), DisplayName: fields[colName], Designation: fields[colKind],
		Placements: []*registryv1.Placement{{FromDate: o.From, Parent: row.Parent, Kind: kind, Level: level}},
	}
	return row, nil
}

// levelWords lists the words of the column level.
func levelWords() string {
	var words []string
	for word := range levels() {
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
