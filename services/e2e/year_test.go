package e2e_test

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/bench/year/play"
)

var (
	yearKills = flag.Int("year.kills", 5, "how often TestYear ends the process")
	yearSeed  = flag.Uint64("year.seed", 0, "seed of TestYear; 0 takes one from the clock")
)

// TestYear plays the first months of 2022 day by day for some hundred units, and ends
// the process with SIGKILL at random moments, also while a day begins. Each deadline
// must be told once, on its day, to whom it concerns, and the figures of who reported
// in time must be those that a calculation beside it expects. `make year` plays the
// whole year for all units.
func TestYear(t *testing.T) {
	seed := *yearSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	deploy := filepath.Join("..", "..", "deploy")
	r, err := play.Run(t.Context(), play.Config{Binary: binary(t, "cotmoc"), Dir: t.TempDir(),
		Lists:    []string{filepath.Join(deploy, "demo", "agencies.csv"), filepath.Join(deploy, "demo", "units-2022.csv")},
		Calendar: filepath.Join(deploy, "calendars", "viet-nam.yaml"), Rows: 277, Months: 3,
		Clients: 4, Batch: 100, Kills: *yearKills, Seed: seed, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	for _, rung := range []string{"T-30", "T-7", "T-1", "T+0", "T+1", "T+7", "T+30"} {
		if r.Rungs[rung] == 0 {
			t.Errorf("%s was never expected: the play does not test anything", rung)
		}
	}
}
