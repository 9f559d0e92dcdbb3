package distributed_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	files "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/config"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/run/distributed"
)

func TestCheck_wants_TLS_on_the_way_to_NATS(t *testing.T) {
	for server, want := range map[string]string{
		"tls://nats-1:4222":      "",
		"wss://nats.example:443": "",
		"nats://127.0.0.1:4222":  "",
		"localhost:4222":         "",
		"nats://[::1]:4222":      "",
		"nats://nats-1:4222":     "write tls://nats-1:4222",
		"nats-1:4222":            "write tls://nats-1:4222",
		"ws://nats-1:8080":       "not on this machine",
		"nats://0.0.0.0:4222":    "not on this machine",
		"tls://nats-1":           "of the form tls://host:port",
		"":                       "of the form tls://host:port",
	} {
		for _, public := range []bool{false, true} {
			c := distributed.ReportingConfig{Registry: []string{"registry:7600"}, NATS: distributed.NATS{URLs: []string{"tls://nats-1:4222"}}}
			c.Listen, c.Database.URL = "127.0.0.1:0", "postgres://app@db:5432/reporting"
			if c.NATS.URLs[0] = server; public {
				c.NATS.URLs, c.NATS.PublicURLs = []string{"tls://nats-1:4222"}, []string{server}
			}
			err := c.Check()
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q, public %v: %v, want %q", server, public, err, want)
			}
		}
	}
}

// TestShippedFilesKeepToThisMachine: what only those who run a service need is not
// offered to everybody by the files that an installation begins with.
func TestShippedFilesKeepToThisMachine(t *testing.T) {
	for _, name := range []string{"registry.yaml", "reporting.yaml"} {
		text, err := files.File(name)
		if err != nil {
			t.Fatal(err)
		}
		flags, _, err := settings(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flags {
			switch f.Name {
			case "admin-listen", "metrics-listen":
				if err := run.Loopback(f.Target.String()); err != nil {
					t.Errorf("%s: %s: %v", name, f.Name, err)
				}
			case "pprof", "metrics-open":
				if f.Target.Bool() {
					t.Errorf("%s: %s is on", name, f.Name)
				}
			}
		}
	}
}

// TestCheck_wants_metrics_off_loopback_to_be_asked_for: the file is refused before a
// replica is started by it.
func TestCheck_wants_metrics_off_loopback_to_be_asked_for(t *testing.T) {
	for text, want := range map[string]string{
		"metrics_listen: 0.0.0.0:7601":                                     "not on loopback",
		"metrics_listen: 0.0.0.0:7601\nmetrics: {open: true}":              "",
		"metrics_listen: 0.0.0.0:7601\nmetrics: {cert: a, key: b}":         "",
		"metrics: {cert: a}":                                               "belong together",
		"metrics_listen: 0.0.0.0:7601\nmetrics: {open: true}\npprof: true": "--pprof",
		"pprof: true": "",
	} {
		var into struct{ distributed.Config }
		resolver, err := config.Load(strings.NewReader("database: {url: 'postgres://app@db:5432/registry'}\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		parser, err := kong.New(&into, kong.Resolvers(resolver))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(nil); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := into.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
