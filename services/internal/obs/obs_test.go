package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

func TestLogLines(t *testing.T) {
	var b bytes.Buffer
	log, err := NewLog(&b, JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("hidden")
	log.Info("call", zap.Duration("duration", 1500*time.Microsecond), zap.String("unit", "79"))
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	at, err := time.Parse(time.RFC3339Nano, line["time"].(string))
	if err != nil || at.Location() != time.UTC || time.Since(at) > time.Minute {
		t.Errorf("time %v, %v", line["time"], err)
	}
	if line["msg"] != "call" || line["unit"] != "79" || line["duration"] != "1.5ms" || line["level"] != "info" {
		t.Errorf("line %v", line)
	}
	b.Reset()
	if log, err = NewLog(&b, Console, "debug"); err != nil {
		t.Fatal(err)
	}
	log.Debug("shown")
	if !strings.Contains(b.String(), "DEBUG\tshown") {
		t.Errorf("console line %q", b.String())
	}
	if _, err := NewLog(&b, "xml", ""); err == nil {
		t.Error("the format xml was taken")
	}
	if _, err := NewLog(&b, JSON, "loud"); err == nil {
		t.Error("the level loud was taken")
	}
}

func TestMetricsOfTwoServicesShareARegistry(t *testing.T) {
	r := NewRegistry()
	number := func(n uint64) func() uint64 { return func() uint64 { return n } }
	for service, head := range map[string]uint64{"registry": 3, "reporting": 4} {
		WatchLedger(r, service, Ledger{Head: number(head), Queue: number(0), Blocks: number(2),
			Conflicts: number(0), Unsettled: number(0), Image: number(1), Turns: number(0), Reachable: number(1),
			Lag: func() Lag { return Lag{Count: 9, Sum: 0.3, Buckets: map[float64]uint64{0.05: 7, 0.1: 9}} }})
	}
	WatchRelay(r, "reporting", Relay{Published: number(4), Lag: number(0), Problem: number(1), Revision: number(3)})
	NewMetrics(r, "reporting").Calls.WithLabelValues("/m", "OK", "").Inc()
	url := serve(t, func() error { return nil }, r)
	_, body := get(t, url+"/metrics")
	for _, want := range []string{
		`cotmoc_ledger_head_sequence{service="registry"} 3`, `cotmoc_ledger_head_sequence{service="reporting"} 4`,
		`cotmoc_rpc_calls_total{code="OK",method="/m",reason="",service="reporting"} 1`, "go_goroutines ",
		`cotmoc_ledger_blocks_total{service="reporting"} 2`, `cotmoc_relay_problem{service="reporting"} 1`,
		`cotmoc_ledger_follow_lag_seconds_bucket{service="registry",le="0.05"} 7`, `cotmoc_ledger_follow_lag_seconds_count{service="registry"} 9`,
		`cotmoc_ledger_store_reachable{service="registry"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestReadinessFollowsItsChecks(t *testing.T) {
	var broken error
	url := serve(t, func() error { return broken }, NewRegistry())
	if code, body := get(t, url+"/readyz"); code != http.StatusOK || body != "ledger: ok\n" {
		t.Errorf("well: %d %q", code, body)
	}
	broken = errors.New("no copy of the registry yet")
	if code, body := get(t, url+"/readyz"); code != http.StatusServiceUnavailable || body != "ledger: no copy of the registry yet\n" {
		t.Errorf("not well: %d %q", code, body)
	}
	if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz %d", code)
	}
	if code, _ := get(t, url+"/debug/pprof/goroutine?debug=1"); code != http.StatusNotFound {
		t.Errorf("profiles, which nobody asked for: %d", code)
	}
	if code, _ := get(t, url+"/none"); code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", code)
	}
}

func serve(t *testing.T, ready func() error, r *prometheus.Registry) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, l, Handler(r, Check{Name: "ledger", Run: func(context.Context) error { return ready() }}), nil)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestLagOfSubscriptionsIsReadWhenMetricsAre(t *testing.T) {
	r := NewRegistry()
	lags := map[string]uint64{"screen": 7}
	WatchSubscriptions(r, "reporting", func(ctx context.Context) map[string]uint64 {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("a scrape waits for ever")
		}
		return lags
	})
	gathered := func() (all []string) {
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == nameSubscriptionLag {
				for _, m := range f.GetMetric() {
					all = append(all, m.String())
				}
			}
		}
		return all
	}
	if got := gathered(); len(got) != 1 || !strings.Contains(got[0], `"screen"`) || !strings.Contains(got[0], "value:7") {
		t.Errorf("gathered %v", got)
	}
	if lags = nil; gathered() != nil { // NATS is away
		t.Error("a lag that nobody knows")
	}
}
