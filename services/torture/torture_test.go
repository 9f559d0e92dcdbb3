package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// TestRounds is the short form of the rig: on replicas with PostgreSQL, a NATS cluster
// and certificates, and on the pair, a few accidents under load, and everything checked.
func TestRounds(t *testing.T) {
	for _, c := range []struct {
		on      string
		what    []string
		atLeast int // calls
	}{
		{"cluster", []string{"kill -9 reporting", "NATS wiped", "PostgreSQL killed", "failpoint"}, 200},
		{"embedded", []string{"kill -9 reporting", "NATS rolled back", "failpoint"}, 200},
	} {
		t.Run(c.on, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "torture-")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if !t.Failed() {
					_ = os.RemoveAll(dir)
				}
			}()
			if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as a user of its own
				t.Fatal(err)
			}
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d, in %s", seed, dir)
			rig := &cli{On: c.on, built: make(map[string]string)}
			start, err := rig.programs(t.Context(), c.on, dir)
			if err != nil {
				t.Fatal(err)
			}
			s, err := start(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			playRounds(t, s, seed, c.what, c.atLeast)
		})
	}
}

func playRounds(t *testing.T, s *site.Site, seed uint64, what []string, atLeast int) {
	r, err := setUp(t.Context(), s, load.Nation{Communes: 40}, seed, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		r.close()
		_ = r.crowd.Close()
	}()
	plan := rounds{Count: 2, For: 2 * time.Second, Deep: 2, Of: of(s, what...), Load: load.Plan{Workers: 8, Shared: 8, Fights: 25}}
	if err := plan.run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, b := range r.broken {
		t.Error(b)
	}
	if f := r.crowd.Figures(); f.Calls < atLeast || len(r.injected) == 0 {
		t.Errorf("%d calls, %s: too little to show anything", f.Calls, r.faults())
	}
	t.Logf("%+v; %s", r.crowd.Figures(), r.faults())
	if len(s.Reporting) > 1 {
		playLag(t, r)
	}
}

// playLag sees that everything is measured; how fast a loaded machine is says nothing.
func playLag(t *testing.T, r *rig) {
	const rate, total = 100, 2 * time.Second
	f, err := followed(t.Context(), r, rate, total)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f/s; receipts %v; read %v; followed %v", f.rate, f.calls, f.seen, f.behind)
	if f.calls.Count != rate*int(total.Seconds()) || f.seen.Count != lagReads*int(total.Seconds()) || f.rate <= 0 || f.rate > rate*1.1 {
		t.Errorf("%.0f/s, %d receipts, %d reads", f.rate, f.calls.Count, f.seen.Count)
	}
	for i, h := range f.behind {
		if h.count() == 0 {
			t.Errorf("%s followed nobody", f.names[i])
		}
	}
}

// TestStorm sees that a small storm is over, heard of and added up; how late events
// come is not to be seen on the pair, whose clock stands still here.
func TestStorm(t *testing.T) {
	dir := t.TempDir()
	rig := &cli{On: "embedded", built: make(map[string]string)}
	start, err := rig.programs(t.Context(), rig.On, dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	country, err := load.NewCountry(20)
	if err != nil {
		t.Fatal(err)
	}
	w := &storm{site: s, country: country, over: time.Second, seed: 1, out: t.Output()}
	f, broken, err := w.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.taken != f.cells || f.failed > 0 || f.late.Count != f.cells || f.calls.Count != f.units {
		t.Errorf("%+v", f)
	}
	for _, b := range broken {
		if strings.Contains(b, "DO NOT HOLD") {
			t.Error(b)
		}
	}
}
