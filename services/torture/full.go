package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/load"
)

const (
	fullBytes   = 512 << 20 // size of a disk that is filled
	alarmWithin = 30 * time.Second
	backWithin  = 30 * time.Second // to take in values again, once there is room
	problem     = `cotmoc_relay_problem{service="reporting"}`
)

// full lets the disk of the database and that of NATS fill up under load, in turn, and
// makes room again as the runbook says. Without room in the database nothing is taken
// in; without room at NATS everything is, and an alarm says that nothing is published.
func (c *cli) full(ctx context.Context, r *rig) error {
	times := c.size(1, 10)
	err := r.load(ctx, load.Plan{Round: r.turn(), Workers: c.Workers, Shared: 12, Fights: 10}, func(ctx context.Context) error {
		for n := range times {
			pause(ctx, c.For)
			r.progress("disk of the database full, %d of %d", n+1, times)
			if err := r.databaseFull(ctx); err != nil {
				return fmt.Errorf("disk of the database full, time %d: %w", n+1, err)
			}
			pause(ctx, c.For)
			r.progress("disk of NATS full, %d of %d", n+1, times)
			if err := r.natsFull(ctx); err != nil {
				return fmt.Errorf("disk of NATS full, time %d: %w", n+1, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.finish(ctx)
}

// databaseFull waits until nothing is accepted any more, makes room, and waits until
// something is. PostgreSQL may have ended itself meanwhile.
func (r *rig) databaseFull(ctx context.Context) error {
	r.note("PostgreSQL's disk full")
	d := r.disks["postgres"]
	for end := time.Now().Add(backWithin); ; {
		if err := d.fill(); err != nil { // again: what it was rid of is room
			return err
		}
		before := r.crowd.Figures().Acked
		if pause(ctx, time.Second); r.crowd.Figures().Acked == before {
			break
		}
		if time.Now().After(end) {
			r.broken = append(r.broken, "values are accepted although the database's disk is full")
			break
		}
	}
	pause(ctx, r.between(0, 3*time.Second))
	if err := d.free(); err != nil {
		return err
	}
	if r.accepts(ctx, backWithin/2) {
		return nil
	}
	r.note("PostgreSQL started again after that")
	r.site.KillDatabase()
	if err := r.site.RestartDatabase(ctx); err != nil {
		return err
	}
	if !r.accepts(ctx, backWithin) {
		r.broken = append(r.broken, "nothing is accepted although the database's disk has room again")
	}
	return nil
}

// natsFull waits until each replica raises the alarm, while values are accepted, makes
// room and starts the servers of NATS again, one after the other.
func (r *rig) natsFull(ctx context.Context) error {
	r.note("NATS's disk full")
	d := r.disks["nats"]
	raised := make(map[string]bool)
	for end := time.Now().Add(alarmWithin); len(raised) < len(r.site.Reporting) && time.Now().Before(end); {
		if err := d.fill(); err != nil {
			return err
		}
		if !r.accepts(ctx, 5*time.Second) {
			r.broken = append(r.broken, "nothing is accepted while the disk of NATS is full")
			break
		}
		for _, p := range r.site.Reporting {
			all, err := metrics(ctx, p)
			if err != nil {
				return err
			}
			if on, told := all[problem]; !told {
				return fmt.Errorf("%s does not tell %s", p.Name, problem)
			} else if on > 0 {
				raised[p.Name] = true
			}
		}
		pause(ctx, 500*time.Millisecond)
	}
	for _, p := range r.site.Reporting {
		if !raised[p.Name] {
			r.broken = append(r.broken, p.Name+" raises no alarm while the disk of NATS is full")
		}
	}
	if err := d.free(); err != nil {
		return err
	}
	for _, n := range r.site.NATS {
		n.Handle.Kill()
		if err := n.Handle.Start(); err != nil {
			return err
		}
		pause(ctx, 2*time.Second)
	}
	return nil
}

// accepts waits until another value is accepted.
func (r *rig) accepts(ctx context.Context, within time.Duration) bool {
	before := r.crowd.Figures().Acked
	for end := time.Now().Add(within); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		if r.crowd.Figures().Acked > before {
			return true
		}
	}
	return false
}
