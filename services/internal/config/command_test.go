package config_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/cotmoc/cotmoc/services/internal/config"
)

type commands struct {
	Certs struct {
		Issue struct {
			Dir   string   `short:"d"`
			Force bool     `short:"f"`
			Host  []string `placeholder:"HOST"`
			IDs   []string `arg:""`
		} `cmd:""`
	} `cmd:""`
}

// TestArgumentsStandAnywhere: what stands between flags and behind them is read as what
// stands before.
func TestArgumentsStandAnywhere(t *testing.T) {
	for line, want := range map[string]string{
		"certs issue a b":                           "a b",
		"certs issue --host h a b":                  "a b h",
		"certs issue a --host h b":                  "a b h",
		"certs issue a --host=h b --force c -d x d": "a b c d h x",
		"certs issue -f a -d x b --host h --host i": "a b h i x",
		"certs issue a -- --b":                      "a --b",
		"certs issue a certs issue":                 "a certs issue",
	} {
		var c commands
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(config.Gather(parser.Model, strings.Fields(line))); err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		got := append(append([]string{}, c.Certs.Issue.IDs...), c.Certs.Issue.Host...)
		if c.Certs.Issue.Dir != "" {
			got = append(got, c.Certs.Issue.Dir)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q is read as %q, want %q", line, s, want)
		}
	}
}

// TestMisuseNamesTheCommand: the help that is pointed at is that of the command.
func TestMisuseNamesTheCommand(t *testing.T) {
	for line, want := range map[string]string{
		"bogus": "(see x --help)", "certs": "(see x certs --help)", "certs issue": "(see x certs issue --help)", "certs issue a --nope": "(see x certs issue --help)",
	} {
		parser, err := kong.New(&commands{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(strings.Fields(line))
		if got := config.Misuse("x", err).Error(); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}
