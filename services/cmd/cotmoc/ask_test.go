package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// No service runs: a malformed period is refused before one is asked.
func TestAMalformedPeriodIsRefusedOnceBeforeAnythingIsAsked(t *testing.T) {
	for _, args := range [][]string{
		{"status", "p", "--period"},
		{"due", "p", "thang", "--period"},
		{"rank", "p", "phuong", "--period"},
		{"rank", "p", "phuong", "--compare"},
		{"submit", "--programme", "p", "--target", "t", "--unit", "u", "--yes", "--period"},
		{"grant", "p", "thang", "u", "--excuse", "--by", "vn", "--reason", "r", "--period"},
		{"review", "p", "viec", "u", "--revision", "1", "--by", "vn", "--accept", "--period"},
		{"load", "--programme", "p", "--period"},
	} {
		var out bytes.Buffer
		err := runArgs(context.Background(), &console{Out: &out, Err: &out}, append(args, "2022Q3")...)
		want := args[len(args)-1] + `: period "2022Q3": want the form 2025-M07, 2025-Q3, 2025-H2 or 2025`
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
			t.Errorf("%v: %v, printed %q; want %q", args, err, out.String(), want)
		}
	}
}
