package distributed_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cotmoc/cotmoc/services/internal/run/distributed"
)

// canary is a secret that nobody may read anywhere.
const canary = "c4n4ry-Zx81"

// TestSettingsHoldNoSecrets: what check-config prints is shown around. A setting with a
// secret in it is refused, and not repeated.
func TestSettingsHoldNoSecrets(t *testing.T) {
	good := func() distributed.ReportingConfig {
		c := distributed.ReportingConfig{Registry: []string{"registry:7600"}, NATS: distributed.NATS{URLs: []string{"tls://nats-1:4222"}}}
		c.Listen, c.Database.URL = "127.0.0.1:0", "postgres://app@db:5432/reporting"
		return c
	}
	c := good()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*distributed.ReportingConfig){
		"password":                func(c *distributed.ReportingConfig) { c.Database.URL = "postgres://app:" + canary + "@db/reporting" },
		"password as a parameter": func(c *distributed.ReportingConfig) { c.Database.URL += "?password=" + canary },
		"password of a key":       func(c *distributed.ReportingConfig) { c.Database.URL += "?sslpassword=" + canary },
		"no URL":                  func(c *distributed.ReportingConfig) { c.Database.URL = "postgres://app:" + canary + "@db:x/%zz" },
		"owner's password": func(c *distributed.ReportingConfig) {
			c.Database.OwnerURL = "postgres://owner:" + canary + "@db/reporting"
		},
		"NATS's password": func(c *distributed.ReportingConfig) {
			c.NATS.URLs = []string{"tls://service:" + canary + "@nats-1:4222"}
		},
		"NATS's token":        func(c *distributed.ReportingConfig) { c.NATS.URLs = []string{"tls://" + canary + "@nats-1:4222"} },
		"told to subscribers": func(c *distributed.ReportingConfig) { c.NATS.PublicURLs = []string{canary + "@nats-1:4222"} },
	} {
		c := good()
		spoil(&c)
		if err := c.Check(); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// lines is a log for several goroutines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) Sync() error { return nil }

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestSecretsAreToldNowhere runs a replica that reaches neither its database nor NATS,
// and looks for its secrets in its log, its health, its metrics and its error.
func TestSecretsAreToldNowhere(t *testing.T) {
	dir := t.TempDir()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	for path, text := range map[string][]byte{password: []byte(canary + "\n"), filepath.Join(dir, "seed"): seed} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := &lines{}
	c := distributed.ReportingConfig{Registry: []string{"127.0.0.1:1"}, NATS: distributed.NATS{
		URLs: []string{"nats://127.0.0.1:1"}, Seed: filepath.Join(dir, "seed"), Inbox: "_INBOX_service", Replicas: 1}}
	c.Listen, c.MetricsListen, c.State = "127.0.0.1:0", freeAddress(t), filepath.Join(dir, "state")
	c.Database = distributed.Database{URL: "postgres://app@127.0.0.1:1/reporting", PasswordFile: password}
	c.Log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), log, zap.DebugLevel))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := make(chan string, 1)
	go func() {
		defer cancel()
		for !strings.Contains(log.String(), "cannot be opened yet") || !strings.Contains(page(c.MetricsListen+"/readyz"), "ledger") {
			if ctx.Err() != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		told <- page(c.MetricsListen+"/readyz") + page(c.MetricsListen+"/healthz") + page(c.MetricsListen+"/metrics")
	}()
	_, err = distributed.Reporting(ctx, c)
	if err == nil {
		t.Fatal("it serves without a database")
	}
	answers := <-told
	if !strings.Contains(log.String(), "cannot be opened yet") || !strings.Contains(answers, "ledger") {
		t.Fatalf("it said nothing of its troubles:\n%s\n%s", log.String(), answers)
	}
	for name, secret := range map[string]string{"password": canary, "seed": string(seed)} {
		for where, text := range map[string]string{"log": log.String(), "metrics and health": answers, "error": err.Error()} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s stands in the %s:\n%s", name, where, text)
			}
		}
	}
}

// page is what stands at an address, or why it cannot be had.
func page(address string) string {
	resp, err := http.Get("http://" + address)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// freeAddress is an address of this machine at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
