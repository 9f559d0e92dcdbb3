// Command torture does to Cotmoc what accidents do, under load, and holds what it
// promises against what is left: nothing acknowledged is lost, nothing comes twice or
// out of order, milestones and totals are exact, cells are linearizable, replicas equal.
//
// Each run prints its seed; the same seed injects the same faults, though not at the
// same step of the work. What broke is left in its folder.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// cli is the command line.
type cli struct {
	Part     string        `help:"What to run: ${enum}." enum:"all,rounds,linear,subscribers,rolling,issue,lag,full,power,storm,soak,planted" default:"all"`
	On       string        `help:"What to run it on: replicas on PostgreSQL and a NATS cluster, or the pair on SQLite (${enum})." enum:"cluster,embedded" default:"cluster"`
	Short    bool          `help:"The short form of each part, 8 minutes in all."`
	Seed     uint64        `help:"Of all that is by chance; 0 takes one from the clock."`
	Rounds   int           `help:"Rounds of faults, and power cuts of each form; 0 as the form says."`
	For      time.Duration `help:"Load in each round." default:"3s"`
	Minutes  int           `help:"Minutes of the soak; 0 as the form says."`
	Communes int           `help:"Units that report." default:"300"`
	Only     []string      `help:"Only accidents of this name, in the parts rounds and subscribers; only this form, in the part power." sep:"none"`
	Bug      string        `help:"Of the part planted: only bugs whose name holds this."`
	Workers  int           `help:"Callers at once." default:"16"`
	Bin      string        `help:"Folder with the programs, made with the tag failpoint; they are built when not given." type:"path"`
	Dir      string        `help:"Folder for everything; a temporary one when not given." type:"path"`

	built map[string]string // folders of programs, by form of site
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c cli
	kong.Parse(&c, kong.Name("torture"), kong.UsageOnError())
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// run runs the parts, one after the other, each on a site of its own.
func (c *cli) run(ctx context.Context) error {
	c.built = make(map[string]string)
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "torture-"); err != nil {
			return err
		}
		// PostgreSQL, as a user of its own, has to get to its folder below.
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	if parts := c.groups(); c.On == "embedded" && parts[0][0].replicas {
		return fmt.Errorf("the part %s needs --on=cluster", c.Part)
	}
	fmt.Printf("torture: seed %d, on %s, in %s\n", c.Seed, c.On, dir)
	for _, group := range c.groups() {
		at := filepath.Join(dir, group[0].name)
		if err := c.play(ctx, group, at); err != nil {
			return fmt.Errorf("%w\nplay it again: go run ./services/torture --part=%s --on=%s --seed=%d %s\nwhat is left: %s",
				err, c.Part, c.On, c.Seed, c.again(), at)
		}
	}
	if c.Dir == "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// again are the flags that make another run the same.
func (c *cli) again() string {
	flags := []string{fmt.Sprintf("--for=%v --communes=%d --workers=%d", c.For, c.Communes, c.Workers)}
	if c.Rounds > 0 {
		flags = append(flags, fmt.Sprintf("--rounds=%d", c.Rounds))
	}
	if c.Minutes > 0 {
		flags = append(flags, fmt.Sprintf("--minutes=%d", c.Minutes))
	}
	if c.Short {
		flags = append(flags, "--short")
	}
	return strings.Join(flags, " ")
}

// part is one of the things that torture can do.
type part struct {
	name string
	run  func(ctx context.Context, r *rig) error
	bare func(ctx context.Context, dir string) error // without a site
	long bool                                        // not in the short form of all
	// replicas says that it needs some of each service, and a clock that runs.
	replicas bool
	disks    []string // folders of its site that are disks of their own
}

// groups are the parts that were asked for. In the short form those that need a site
// share one, which takes less time.
func (c *cli) groups() (all [][]part) {
	for _, p := range c.parts() {
		if c.Part != p.name && (c.Part != "all" || c.Short && p.long || c.On == "embedded" && p.replicas) {
			continue
		}
		if last := len(all) - 1; c.Short && p.bare == nil && last >= 0 && all[last][0].bare == nil {
			all[last] = append(all[last], p)
			continue
		}
		all = append(all, []part{p})
	}
	return all
}

// play runs parts on one site, each after the other, and tells how they went.
func (c *cli) play(ctx context.Context, parts []part, dir string) error {
	began := time.Now()
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	if bare := parts[0].bare; bare != nil {
		fmt.Printf("%s\n", parts[0].name)
		defer func() { fmt.Printf("  took %v\n", time.Since(began).Round(time.Second)) }()
		return bare(ctx, dir)
	}
	start, err := c.programs(ctx, c.On, filepath.Dir(dir))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	fmt.Printf("programs after %v\n", time.Since(began).Round(time.Second))
	disks, unmount, err := mountAll(dir, parts[0].disks)
	defer unmount()
	if errors.Is(err, errNoDisk) {
		fmt.Printf("%s was NOT RUN: %v\n", parts[0].name, err)
		return nil
	}
	if err != nil {
		return err
	}
	s, err := start(ctx, dir)
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	defer s.Close()
	r, err := setUp(ctx, s, load.Nation{Communes: c.Communes}, c.Seed, os.Stdout)
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	defer func() {
		r.close()
		_ = r.crowd.Close()
	}()
	r.disks = disks
	fmt.Printf("up after %v\n", time.Since(began).Round(time.Second))
	for _, p := range parts {
		if err := one(ctx, r, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// one runs a part and prints its figures. Those of the site count from its start.
func one(ctx context.Context, r *rig, p part) error {
	began, before := time.Now(), r.crowd.Figures().Calls
	clear(r.injected)
	fmt.Println(p.name)
	err := p.run(ctx, r)
	r.done()
	f, took := r.crowd.Figures(), time.Since(began)
	fmt.Printf("  %s took %v: %d rounds, %d calls (%.0f/s with the checks); %s\n  so far: %d calls, %d acked, %d unknown, slowest %v, %d events, %d milestones\n",
		p.name, took.Round(time.Second), r.rounds, f.Calls-before, float64(f.Calls-before)/took.Seconds(), r.faults(),
		f.Calls, f.Acked, f.Unknown, f.Slowest.Round(time.Millisecond), r.log.Head(), r.log.Fold().Milestones().Looked)
	if err == nil && len(r.broken) > 0 {
		err = fmt.Errorf("%d checks do not hold, first:\n%s", len(r.broken), r.broken[0])
	}
	return err
}

// starter starts a site in a folder.
type starter func(ctx context.Context, dir string) (*site.Site, error)

// programs makes those of a form of site, once for all parts below dir, and returns
// how to start it.
func (c *cli) programs(ctx context.Context, on, dir string) (starter, error) {
	bin, build, start := c.Bin, site.BuildCluster, site.Cluster
	if on == "embedded" {
		build, start = site.BuildEmbedded, site.Embedded
	}
	if bin == "" {
		bin = filepath.Join(dir, "bin")
		if c.built[on] == "" {
			if err := build(ctx, bin); err != nil {
				return nil, err
			}
			c.built[on] = bin
		}
	}
	return func(ctx context.Context, dir string) (*site.Site, error) { return start(ctx, dir, bin) }, nil
}

// size is the short form or the long one.
func (c *cli) size(short, long int) int {
	if c.Short {
		return short
	}
	return long
}
