package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/planted"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// parts are all that there are, in the order in which they run.
func (c *cli) parts() []part {
	return []part{
		{name: "rounds", run: c.rounds},
		{name: "linear", run: c.linear},
		{name: "subscribers", run: c.subscribers},
		{name: "rolling", run: c.rolling},
		{name: "issue", run: c.issue},
		{name: "lag", run: c.lag, replicas: true},
		{name: "full", run: c.full, long: true, replicas: true, disks: []string{"postgres", "nats"}},
		{name: "power", bare: c.power},
		{name: "storm", bare: c.storm, long: true, replicas: true},
		{name: "soak", run: c.soak, long: true},
		{name: "planted", bare: c.planted, long: true},
	}
}

// of are the accidents with some names.
func of(s *site.Site, names ...string) []accident {
	return slices.DeleteFunc(accidents(s), func(a accident) bool { return !slices.Contains(names, a.name) })
}

// chosen are the accidents that were asked for; all where none were.
func (c *cli) chosen(all []accident) []accident {
	if len(c.Only) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(a accident) bool { return !slices.Contains(c.Only, a.name) })
}

// planted lets rigs of their own find bugs that were put in.
func (c *cli) planted(ctx context.Context, dir string) error {
	return planted.Hunt(ctx, dir, c.Bug, c.Seed, os.Stdout)
}

// rounds has anything happen.
func (c *cli) rounds(ctx context.Context, r *rig) error {
	count := c.Rounds
	if count == 0 {
		count = c.size(30, 1000)
	}
	return rounds{Count: count, For: c.For, Deep: c.size(15, 50), Of: c.chosen(accidents(r.site)),
		Load: load.Plan{Workers: c.Workers, Shared: 12, Fights: 25}}.run(ctx, r)
}

// linear lets all fight over few cells at a time while replicas and the database die.
func (c *cli) linear(ctx context.Context, r *rig) error {
	enough, cells := c.size(20_000, 200_000), c.size(100, 1000)
	return rounds{Count: 100_000, For: c.For, Deep: c.size(1000, 20),
		Of:   of(r.site, "kill -9 reporting", "SIGSTOP reporting", "SIGTERM reporting", "failpoint", "line reset", "line half open", "PostgreSQL killed"),
		Load: load.Plan{Workers: c.Workers, Shared: 40, Fights: 90},
		Enough: func(r *rig) bool {
			return r.crowd.Figures().Calls >= enough && len(r.crowd.Ops()) >= cells
		}}.run(ctx, r)
}

// subscribers breaks what subscribers read from, until they saw enough.
func (c *cli) subscribers(ctx context.Context, r *rig) error {
	enough := uint64(c.size(20_000, 500_000))
	return rounds{Count: 100_000, For: c.For, Deep: c.size(1000, 20),
		Of:     of(r.site, "NATS killed, one", "NATS killed, all", "NATS wiped", "NATS rolled back", "NATS leader killed", "kill -9 reporting", "SIGSTOP reporting"),
		Load:   load.Plan{Workers: c.Workers},
		Enough: func(r *rig) bool { return r.log.Head() >= enough }}.run(ctx, r)
}

// rolling restarts all replicas of both services, one after the other, while callers
// go on: no call may fail.
func (c *cli) rolling(ctx context.Context, r *rig) error {
	times := c.size(4, 80)
	began, before, calls := time.Now(), r.crowd.Figures(), 0
	var took time.Duration
	err := r.load(ctx, load.Plan{Round: r.turn(), Workers: 2 * c.Workers}, func(ctx context.Context) error {
		for n := range times {
			for _, p := range append(slices.Clone(r.site.Reporting), r.site.Registry...) {
				r.progress("rolling restart %d of %d", n+1, times)
				if err := roll(ctx, r, p, n%2 == 1); err != nil {
					return err
				}
			}
			pause(ctx, 500*time.Millisecond)
		}
		calls = r.crowd.Figures().Calls - before.Calls
		took = time.Since(began)
		return nil
	})
	if err != nil {
		return err
	}
	r.done()
	f := r.crowd.Figures()
	failed := f.Unknown + f.Failed - before.Unknown - before.Failed
	fmt.Fprintf(r.out, "  %d rolling restarts: %d calls, %.0f/s, %d failed\n", times, calls, float64(calls)/took.Seconds(), failed)
	if failed > 0 {
		r.broken = append(r.broken, fmt.Sprintf("%d calls failed during rolling restarts", failed))
	}
	return r.finish(ctx)
}

// roll restarts one replica and waits until it serves again.
func roll(ctx context.Context, r *rig, p *site.Replica, kill bool) error {
	what := "rolled by SIGTERM"
	if kill {
		what = "rolled by SIGKILL"
		p.Handle.Kill()
	} else if err := p.Handle.Stop(); err != nil {
		return err
	}
	r.note(what)
	if err := p.Handle.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	return r.site.Serving(ctx, p)
}

// issue kills PostgreSQL 20 times, takes the streams away 5 times and freezes a
// replica 5 times, in any order, under load.
func (c *cli) issue(ctx context.Context, r *rig) error {
	var todo []accident
	for name, times := range map[string]int{"PostgreSQL killed": 20, "NATS wiped": 5, "SIGSTOP reporting": 5} {
		for range times {
			todo = append(todo, of(r.site, name)...)
		}
	}
	slices.SortFunc(todo, func(a, b accident) int { return len(a.name) - len(b.name) })
	r.random.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	err := r.load(ctx, load.Plan{Round: r.turn(), Workers: c.Workers, Shared: 12, Fights: 10}, func(ctx context.Context) error {
		for n, a := range todo {
			r.progress("%d of %d: %s", n+1, len(todo), a.name)
			r.note(a.name)
			if err := a.does(r, ctx); err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			pause(ctx, c.For/2)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.finish(ctx)
}
