package main

import (
	"errors"
	"math"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// The histogram is read as the services write it.
func TestLag_is_read_from_metrics(t *testing.T) {
	lag := obs.Lag{Count: 10, Sum: 1, Buckets: map[float64]uint64{0.01: 5, 0.1: 9, 10: 10}}
	none := func() uint64 { return 0 }
	registry := obs.NewRegistry()
	obs.WatchLedger(registry, "reporting", obs.Ledger{Head: none, Queue: none, Blocks: none, Conflicts: none, Unsettled: none, Image: none,
		Lag: func() obs.Lag { return lag }})
	server := httptest.NewServer(obs.Handler(registry))
	defer server.Close()
	r := &rig{site: &site.Site{Reporting: []*site.Replica{{Name: "one", Metrics: strings.TrimPrefix(server.URL, "http://")}}}}
	before, err := r.lags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lag = obs.Lag{Count: 1010, Sum: 2, Buckets: map[float64]uint64{0.01: 505, 0.1: 999, 10: 1009}}
	after, err := r.lags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := after[0].since(before[0])
	if now.count() != 1000 || now.most(0.5) != 10*time.Millisecond || now.most(0.99) != 100*time.Millisecond || now.most(1) != math.MaxInt64 {
		t.Errorf("%v", now)
	}
	if was := before[0]; was.count() != 10 || was.most(0.99) != 10*time.Second {
		t.Errorf("before: %v", was)
	}
	if got, want := now.String(), "p50 ≤ 10ms, p99 ≤ 100ms, max > 10s of 1000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := histogramOf(map[string]float64{lagMetric + `_bucket{le="1"}`: 1}, lagMetric); err == nil {
		t.Error("a histogram without its end was taken")
	}
	if s, err := measure(t.Context(), r.site.Reporting[0]); err != nil || s.bytes < 1<<20 || s.goroutines < 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestLag_is_judged(t *testing.T) {
	quick := histogram{[]float64{0.1, 0.2, math.Inf(1)}, []float64{99, 99, 100}}
	good := func() lagged {
		return lagged{room: leastRoom, rate: 999, seen: load.Spread{Count: 5, P99: mostLag}, names: []string{"a", "b"}, behind: []histogram{quick, quick}}
	}
	for name, c := range map[string]struct {
		spoil func(*lagged)
		says  string
	}{
		"good":       {func(*lagged) {}, ""},
		"slow":       {func(f *lagged) { f.rate = 949 }, "do not count"},
		"late read":  {func(f *lagged) { f.seen.P99 = mostLag + 1 }, "read at another"},
		"no reads":   {func(f *lagged) { f.seen = load.Spread{} }, "read at another"},
		"behind":     {func(f *lagged) { f.behind[1] = histogram{quick.bounds, []float64{98, 100, 100}} }, "b follows"},
		"far behind": {func(f *lagged) { f.behind[0] = histogram{quick.bounds, []float64{0, 0, 100}} }, "a follows"},
		"no blocks":  {func(f *lagged) { f.behind[0] = histogram{quick.bounds, []float64{0, 0, 0}} }, "a follows"},
		"slow on a busy machine": {func(f *lagged) {
			f.room, f.rate, f.seen.P99 = 0.5, 400, time.Second
			f.behind[1] = histogram{quick.bounds, []float64{0, 0, 100}}
		}, ""},
		"no reads on a busy machine":  {func(f *lagged) { f.room, f.seen = 0.5, load.Spread{} }, "read at another"},
		"no blocks on a busy machine": {func(f *lagged) { f.room, f.behind[0] = 0.5, histogram{quick.bounds, []float64{0, 0, 0}} }, "a follows"},
	} {
		f := good()
		c.spoil(&f)
		if got := f.judge(); (c.says == "") != (len(got) == 0) || c.says != "" && !strings.Contains(got[0], c.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestStorms_are_judged(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*stormed)
		says  string
	}{
		"good":       {func(*stormed) {}, ""},
		"refused":    {func(f *stormed) { f.failed, f.first = 1, errors.New("no") }, "first: no"},
		"lost":       {func(f *stormed) { f.taken, f.late.Count = 199, 199 }, "199 of 200"},
		"slow":       {func(f *stormed) { f.calls.P99 = mostCall + 1 }, "batches took"},
		"late":       {func(f *stormed) { f.late.P99 = mostEventLate + 1 }, "events came"},
		"unheard of": {func(f *stormed) { f.late.Count = 199 }, "events came"},
	} {
		f := stormed{cells: 200, units: 2, taken: 200, calls: load.Spread{Count: 2, P99: mostCall}, late: load.Spread{Count: 200, P99: mostEventLate}}
		c.spoil(&f)
		if got := f.judge(); (c.says == "") != (len(got) == 0) || c.says != "" && !strings.Contains(got[0], c.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestParts_of_each_form(t *testing.T) {
	names := func(c cli) string {
		var all []string
		for _, g := range c.groups() {
			var own []string
			for _, p := range g {
				own = append(own, p.name)
			}
			all = append(all, strings.Join(own, "+"))
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		cli  cli
		want string
	}{
		{cli{Part: "all", On: "cluster", Short: true}, "rounds+linear+subscribers+rolling+issue+lag power"},
		{cli{Part: "all", On: "cluster"}, "rounds linear subscribers rolling issue lag full power storm soak planted"},
		{cli{Part: "all", On: "embedded"}, "rounds linear subscribers rolling issue power soak planted"},
		{cli{Part: "storm", On: "cluster", Short: true}, "storm"},
	} {
		if got := names(c.cli); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if err := (&cli{Part: "lag", On: "embedded"}).run(t.Context()); err == nil {
		t.Error("one replica follows no other, and that was measured")
	}
}

// Room is what others leave: little beside threads that never rest.
func TestRoom_is_what_others_leave(t *testing.T) {
	alone, err := room(t.Context())
	if err != nil || alone <= 0 || alone > 1.2 {
		t.Fatalf("%v, %v", alone, err)
	}
	for range 3 * runtime.NumCPU() {
		burner := exec.Command("sh", "-c", "while :; do :; done")
		if err := burner.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = burner.Process.Kill()
			_ = burner.Wait()
		}()
	}
	time.Sleep(100 * time.Millisecond) // they are given their share once they ran a little
	beside, err := room(t.Context())
	if err != nil || beside > 0.6 {
		t.Errorf("%.2f alone, %.2f beside three times as many as there are cores: %v", alone, beside, err)
	}
}
