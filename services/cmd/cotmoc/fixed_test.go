package main

import (
	"slices"
	"testing"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/demo"
)

func TestFixedReadsOnlyWhatTheTargetHolds(t *testing.T) {
	for _, c := range []struct {
		text     string
		decimals uint32
		want     int64
		err      string
	}{
		{"67000000", 0, 67000000, ""}, {"2.36", 2, 236, ""}, {"2.3", 2, 230, ""}, {"2", 2, 200, ""}, {"0", 3, 0, ""}, {" 7 ", 0, 7, ""},
		{"2.3615", 2, 0, `"2.3615" has 4 decimals, the target has 2`}, {"2.3610", 4, 23610, ""},
		{"1,14", 0, 0, `"1,14" is not a number such as 1146 or 93.1`},
		{"1,146", 0, 0, `"1,146" can be read in two ways: write 1146 or 1.1460`},
		{"2.361", 3, 0, `"2.361" can be read in two ways: write 2361 or 2.3610`},
		{"-1", 0, 0, `"-1" is not a number such as 1146 or 93.1`}, {".5", 1, 0, `".5" is not a number such as 1146 or 93.1`},
		{"5.", 1, 0, `"5." is not a number such as 1146 or 93.1`}, {"1.2.3", 3, 0, `"1.2.3" is not a number such as 1146 or 93.1`},
		{"", 0, 0, `"" is not a number such as 1146 or 93.1`}, {"1e6", 0, 0, `"1e6" is not a number such as 1146 or 93.1`},
		{"99999999999999999999", 0, 0, `"99999999999999999999" is too large`}, {"999999999999999999", 6, 0, `"999999999999999999" is too large`},
	} {
		got, err := fixed(c.text, c.decimals)
		words := ""
		if err != nil {
			words = err.Error()
		}
		if got != c.want || words != c.err {
			t.Errorf("%q with %d decimals: %d, %s; want %d, %s", c.text, c.decimals, got, words, c.want, c.err)
		}
	}
}

func TestRatio(t *testing.T) {
	r, err := ratio("187.5/227", 1)
	if err != nil || r.GetNumerator() != 1875 || r.GetDenominator() != 2270 {
		t.Errorf("%v, %v", r, err)
	}
	for _, bad := range []string{"187", "1/2/3", "/3", "3/", "a/b", "3 von 4"} {
		if r, err := ratio(bad, 0); err == nil {
			t.Errorf("%q was read as %v", bad, r)
		}
	}
}

func TestSplitTellsTheTwoStreamsApart(t *testing.T) {
	for _, c := range []struct{ filter, facts, progress string }{
		{"cotmoc.p.milestone.>", "cotmoc.p.milestone.>", ""},
		{"cotmoc.*.progress.>", "", "cotmoc.*.progress.>"},
		{"cotmoc.p.progress.changed.cards.vn.79", "", "cotmoc.p.progress.changed.cards.vn.79"},
		{"cotmoc.p.*.*.*.vn.79.>", "cotmoc.p.*.*.*.vn.79.>", "cotmoc.p.progress.*.*.vn.79.>"},
		{">", ">", "cotmoc.*.progress.>"},
		{"cotmoc.>", "cotmoc.>", "cotmoc.*.progress.>"},
		{"cotmoc.p.>", "cotmoc.p.>", "cotmoc.p.progress.>"},
		{"cotmoc.p.submission.accepted.cards.vn", "cotmoc.p.submission.accepted.cards.vn", ""},
	} {
		one := func(s string) []string {
			if s == "" {
				return nil
			}
			return []string{s}
		}
		facts, progress := split(c.filter)
		if !slices.Equal(facts, one(c.facts)) || !slices.Equal(progress, one(c.progress)) {
			t.Errorf("%s: facts %v, progress %v", c.filter, facts, progress)
		}
	}
}

func TestDoctorFailsWhenACheckDoes(t *testing.T) {
	for name, c := range map[string]struct {
		checks []*reportingv1.CheckResult
		sound  bool
	}{
		"all_well":  {[]*reportingv1.CheckResult{{Name: "chain", Ok: true}, {Name: "book", Ok: true}}, true},
		"one_fails": {[]*reportingv1.CheckResult{{Name: "chain", Ok: true}, {Name: "book", Detail: "x"}}, false},
		"none":      {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := report(&console{Out: new(discard)}, &reportingv1.VerifyResponse{Checks: c.checks}, 0)
			if (err == nil) != c.sound {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestVerdictFailsWhenAFigureDiffers(t *testing.T) {
	c := &console{Out: new(discard)}
	if err := verdict(c, []demo.Result{{Figure: "1"}}); err != nil {
		t.Error(err)
	}
	if err := verdict(c, []demo.Result{{Figure: "1"}, {Figure: "2", Differences: []string{"x"}}}); err == nil {
		t.Error("a figure differs and nobody says so")
	}
	if err := verdict(c, nil); err == nil {
		t.Error("no figure was compared and nobody says so")
	}
}

type discard struct{}

func (*discard) Write(b []byte) (int, error) { return len(b), nil }
