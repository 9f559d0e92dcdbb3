package auth_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/auth"
)

// TestTheTableIsDocumented: docs/security.md shows the table as it is.
func TestTheTableIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table -->\n", "<!-- end of table -->"
	_, rest, ok := strings.Cut(string(page), begin)
	shown, _, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/security.md has no table")
	}
	if want := document(); shown != want {
		t.Errorf("docs/security.md shows another table; it should be\n%s", want)
	}
}

// document writes the table for people.
func document() string {
	var b strings.Builder
	b.WriteString("| method | roles | must be within the caller's subtree |\n|---|---|---|\n")
	table := auth.Table()
	for _, method := range slices.Sorted(maps.Keys(table)) {
		row := table[method]
		roles := make([]string, len(row.Roles))
		for i, r := range row.Roles {
			roles[i] = string(r)
		}
		short := method[1:]
		if i := strings.LastIndexByte(method[:strings.LastIndexByte(method, '/')], '.'); i > 0 {
			short = method[i+1:]
		}
		b.WriteString("| " + short + " | " + strings.Join(roles, ", ") + " | " + reach(row) + " |\n")
	}
	return b.String()
}

// reach says what a row asks about.
func reach(row auth.Row) string {
	var parts []string
	if row.Whole {
		parts = append(parts, "all units there are")
	}
	for _, a := range row.Asks {
		parts = append(parts, asks(a))
	}
	if row.Shown != nil {
		parts = append(parts, "shown: "+asks(*row.Shown))
	}
	return strings.Join(parts, "; ")
}

func asks(a auth.Ask) string {
	first := func(fields ...string) string {
		for _, f := range fields {
			if f != "" {
				return f
			}
		}
		return "root of " + a.Programme
	}
	text := first(a.Subjects, a.Subscription, a.Allocation, a.Submission, a.Event, a.Finding, a.Unit)
	when := []string{}
	for _, f := range []string{a.Period, a.Until, a.Date} {
		if f != "" {
			when = append(when, f)
		}
	}
	if len(when) > 0 {
		text += " at " + strings.Join(when, ", ")
	}
	if a.Each != "" {
		text = "each of " + a.Each + ": " + text
	}
	if a.Where != "" {
		text += " (where " + a.Where + " is set)"
	}
	return text
}
