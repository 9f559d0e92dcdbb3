// Command bench measures the product against its limits: it runs a subject and the
// limit it is held against in turn, in one run, and fails when the median of their
// ratios misses its goal. See docs/performance.md.
//
// The client is this process; every server is a process of its own, this program
// started again. State lies on disk, and is synced as it is in use.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// errMissed says that the measurements were made and a goal was missed.
var errMissed = errors.New("a goal was missed")

type command struct {
	Only  []string `help:"Parts to run: P1, P2, P4, P7, P9; all of them when not given." placeholder:"P1,..."`
	Short bool     `help:"A quick look: short runs, fewer pairs. Its figures are not to be quoted."`
	Dir   string   `help:"Folder in which a temporary one holds the data of the runs; it should be on a disk." default:"." type:"path"`
	// Profile is for those who make it faster.
	Profile string `help:"Folder in which each server leaves processor profiles of its measured runs." type:"path"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == serveArg {
		exit(serve(os.Args[2:]))
	}
	var c command
	kong.Parse(&c, kong.Name("bench"), kong.Description("Measure the product against its limits."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(c.Run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// part is one of the measurements.
type part struct {
	name string
	run  func(*bench, context.Context) error
}

func parts() []part {
	return []part{{"P1", (*bench).unary}, {"P2", (*bench).batches}, {"P4", (*bench).wave}, {"P7", (*bench).reads}, {"P9", (*bench).starts}}
}

// Run runs the parts and tells what they came to.
func (c *command) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(c.Dir, ".bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{dir: dir, profile: c.Profile, pairs: 5, run: 2 * time.Second, nation: newNation()}
	if c.Short {
		b.pairs, b.run, b.short = 2, time.Second, true
	}
	began := time.Now()
	fmt.Println(machine())
	for _, p := range parts() {
		if !wanted(c.Only, p.name) {
			continue
		}
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	missed := b.summary()
	fmt.Printf("\nTook %s.\n", time.Since(began).Round(time.Second))
	if missed > 0 {
		return fmt.Errorf("%d of %d goals: %w", missed, len(b.verdicts), errMissed)
	}
	return nil
}

func wanted(only []string, name string) bool {
	for _, o := range only {
		if strings.EqualFold(o, name) {
			return true
		}
	}
	return len(only) == 0
}
