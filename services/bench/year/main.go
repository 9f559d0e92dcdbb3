// Command year plays the year 2022: 11,390 units report five targets every month,
// day by day, to a real process, whose deadlines and figures are then compared with
// a calculation of their own. It fails when anything differs, or when it took longer
// than it may. See docs/performance.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cotmoc/cotmoc/services/bench/year/play"
)

type command struct {
	Kills   int           `help:"How often the process is killed in between, at random moments." default:"0"`
	Seed    uint64        `help:"Seed of these moments; 0 takes one from the clock." default:"0"`
	Months  int           `help:"How many months are reported." default:"12"`
	Rows    int           `help:"How many units of the list of provinces, districts and communes report; 0 means all." default:"0"`
	Clients int           `help:"Batches under way at once." default:"4"`
	Batch   int           `help:"Values a batch." default:"500"`
	Demo    string        `help:"Folder with the lists of units." default:"deploy/demo" type:"path"`
	Days    string        `help:"File with the days off." default:"deploy/calendars/viet-nam.yaml" type:"path"`
	Dir     string        `help:"Folder in which a temporary one holds the data; it should be on a disk." default:"." type:"path"`
	Binary  string        `help:"Program cotmoc to play it to; built from the sources when not given." type:"path"`
	Keep    bool          `help:"Keep the data."`
	NoAudit bool          `help:"Leave out the service's own checks at the end."`
	Commit  time.Duration `help:"Fail when the last commit comes later than this; 0 means never." default:"2m"`
	Level   time.Duration `help:"Fail when the stream is level later than this after it; 0 means never." default:"1m"`
}

func main() {
	var c command
	kong.Parse(&c, kong.Name("year"), kong.Description("Play the year 2022, day by day."))
	// A pipe that nobody reads any more must not end this process before it ended the
	// one that it watches.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "year:", err)
		os.Exit(1)
	}
}

// Run plays the year.
func (c *command) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(c.Dir, ".year-")
	if err != nil {
		return err
	}
	if !c.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if c.Binary == "" {
		c.Binary = filepath.Join(dir, "cotmoc")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", c.Binary, "github.com/cotmoc/cotmoc/services/cmd/cotmoc").CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	fmt.Printf("%d processors, %s; %d kills, seed %d\n", runtime.NumCPU(), runtime.Version(), c.Kills, c.Seed)
	r, err := play.Run(ctx, play.Config{Binary: c.Binary, Dir: dir, Calendar: c.Days, Rows: c.Rows, Months: c.Months,
		Lists:   []string{filepath.Join(c.Demo, "agencies.csv"), filepath.Join(c.Demo, "units-2022.csv")},
		Clients: c.Clients, Batch: c.Batch, Kills: c.Kills, Seed: c.Seed, SkipAudit: c.NoAudit, Out: os.Stdout})
	if err != nil {
		return err
	}
	if c.Kills == 0 && c.Commit > 0 && r.Commit > c.Commit {
		return fmt.Errorf("the last commit came after %s, later than %s", r.Commit, c.Commit)
	}
	if c.Kills == 0 && c.Level > 0 && r.Level > c.Level {
		return fmt.Errorf("the stream was level after %s, later than %s", r.Level, c.Level)
	}
	fmt.Println("All is as expected.")
	return nil
}
