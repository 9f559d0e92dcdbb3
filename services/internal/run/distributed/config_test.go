package distributed_test

import (
	"strings"
	"testing"

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
