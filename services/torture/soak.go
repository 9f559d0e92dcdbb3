package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// Limits of a soak: how fast a replica may grow once it is warm.
const (
	mostGrowth     = 1 << 20 // bytes of memory in ten minutes
	mostGoroutines = 20      // more in ten minutes
	mostFiles      = 5       // more open files and connections in ten minutes
	sampleEvery    = 10 * time.Second
	remembered     = 1 << 20 // requests that a replica knows by their id; until then it grows
)

// sample is what a replica takes at a moment.
type sample struct {
	at         time.Duration
	bytes      float64
	goroutines float64
	files      float64 // open, with all its connections
}

// soak lets the crowd work at half of what it can for long, with one NATS server and
// the database restarted on the way, and sees whether replicas grow.
func (c *cli) soak(ctx context.Context, r *rig) error {
	total := time.Duration(c.size(5, 60)) * time.Minute
	if c.Minutes > 0 {
		total = time.Duration(c.Minutes) * time.Minute
	}
	if err := c.warm(ctx, r); err != nil {
		return err
	}
	wait, err := c.half(ctx, r)
	if err != nil {
		return err
	}
	taken := make([][]sample, len(r.site.Reporting))
	err = r.load(ctx, load.Plan{Round: r.turn(), Workers: c.Workers, Pause: wait}, func(ctx context.Context) error {
		began, node, database := time.Now(), false, r.site.Database == nil
		for now := time.Duration(0); now < total; now = time.Since(began) {
			r.progress("soak, %v of %v", now.Round(time.Second), total)
			if now > total/3 && !node {
				node = true
				r.note("NATS killed, one")
				if err := r.killNode(ctx); err != nil {
					return err
				}
			}
			if now > total/2 && !database {
				database = true
				r.note("PostgreSQL killed")
				if err := r.killDatabase(ctx); err != nil {
					return err
				}
			}
			for i, p := range r.site.Reporting {
				s, err := measure(ctx, p)
				if err != nil {
					return fmt.Errorf("measure %s: %w", p.Name, err)
				}
				s.at = now
				taken[i] = append(taken[i], s)
			}
			if !pause(ctx, sampleEvery) {
				return ctx.Err()
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, p := range r.site.Reporting {
		r.judgeGrowth(p.Name, taken[i])
	}
	return r.finish(ctx)
}

// warm lets the crowd work as fast as it can until replicas remember no more requests
// than they do by then.
func (c *cli) warm(ctx context.Context, r *rig) error {
	return r.load(ctx, load.Plan{Round: r.turn(), Workers: 6 * c.Workers}, func(ctx context.Context) error {
		for r.crowd.Figures().Acked < remembered {
			r.progress("warming")
			if !pause(ctx, time.Second) {
				return ctx.Err()
			}
		}
		return nil
	})
}

// half measures what the crowd can do and returns the pause that halves it.
func (c *cli) half(ctx context.Context, r *rig) (time.Duration, error) {
	const trial = 15 * time.Second
	before := r.crowd.Figures().Calls
	err := r.load(ctx, load.Plan{Round: r.turn(), Workers: c.Workers}, func(ctx context.Context) error {
		pause(ctx, trial)
		return ctx.Err()
	})
	if err != nil {
		return 0, err
	}
	calls := max(r.crowd.Figures().Calls-before, 1)
	return trial * time.Duration(c.Workers) / time.Duration(calls), nil
}

// judgeGrowth holds the second half of a replica's samples, when it is warm, against the limits.
func (r *rig) judgeGrowth(name string, all []sample) {
	warm := all[len(all)/2:]
	bytes := slope(warm, func(s sample) float64 { return s.bytes })
	goroutines := slope(warm, func(s sample) float64 { return s.goroutines })
	files := slope(warm, func(s sample) float64 { return s.files })
	last := warm[len(warm)-1]
	text := fmt.Sprintf("%s: %.0f MiB, %.0f goroutines, %.0f open files and connections; %+.2f MiB, %+.1f and %+.1f in ten minutes",
		name, last.bytes/(1<<20), last.goroutines, last.files, bytes/(1<<20), goroutines, files)
	r.done()
	fmt.Fprintln(r.out, "  "+text)
	if bytes > mostGrowth || goroutines > mostGoroutines || files > mostFiles {
		r.broken = append(r.broken, text+": it grows")
	}
}

// slope is by how much a figure grows in ten minutes, by least squares.
func slope(all []sample, of func(sample) float64) float64 {
	n, sx, sy, sxx, sxy := float64(len(all)), 0.0, 0.0, 0.0, 0.0
	for _, s := range all {
		x, y := s.at.Minutes()/10, of(s)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// measure asks a replica what it takes.
func measure(ctx context.Context, p *site.Replica) (sample, error) {
	all, err := metrics(ctx, p)
	if err != nil {
		return sample{}, err
	}
	s := sample{bytes: all["process_resident_memory_bytes"], goroutines: all["go_goroutines"], files: all["process_open_fds"]}
	if s.bytes == 0 || s.goroutines == 0 || s.files == 0 {
		return s, fmt.Errorf("it does not tell its memory, goroutines and open files")
	}
	return s, nil
}
