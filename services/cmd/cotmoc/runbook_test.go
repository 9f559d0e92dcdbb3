package main

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// quoted splits a command line at blanks outside single quotes.
var quoted = regexp.MustCompile(`'[^']*'|[^ ']+`)

// TestRunbookTellsTheTruth: each command of this program in the runbook is one, and
// each metric that it names there is.
func TestRunbookTellsTheTruth(t *testing.T) {
	text, err := os.ReadFile("../../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?m)(?:^ *|`)(cotmoc [a-z][^`\n#]*)").FindAllStringSubmatch(string(text), -1)
	for _, found := range commands {
		var args []string
		for _, w := range quoted.FindAllString(found[1], -1)[1:] {
			if w = strings.Trim(w, "'"); w == "N" {
				w = "2"
			}
			args = append(args, w)
		}
		parser, err := kong.New(&cli{}, kong.BindTo(t.Context(), (*context.Context)(nil)), kong.Bind(&console{}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(args); err != nil {
			t.Errorf("%s: %v", found[1], err)
		}
	}
	source, err := os.ReadFile("../../internal/obs/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	metrics := regexp.MustCompile(`cotmoc_[a-z_]+`).FindAllString(string(text), -1)
	for _, m := range metrics {
		if !strings.Contains(string(source), `"`+m+`"`) {
			t.Errorf("there is no metric %s", m)
		}
	}
	if len(commands) < 15 || len(metrics) < 10 {
		t.Errorf("only %d commands and %d metrics were found", len(commands), len(metrics))
	}
}
