package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/check"
	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// outageBytes is the size of the disk whose power is cut; it takes what is written.
const outageBytes = 3 << 30

// publishedWithin is how long it may take after an outage until all is published.
const publishedWithin = 3 * time.Minute

// power cuts the power of the pair on SQLite, and of the whole with PostgreSQL and
// NATS, under load, and looks at what is there when it comes back.
func (c *cli) power(ctx context.Context, dir string) error {
	times := c.size(1, 50)
	if c.Rounds > 0 {
		times = c.Rounds
	}
	for _, form := range []struct {
		name, on string
	}{
		{"SQLite and NATS", "embedded"},
		{"PostgreSQL and NATS", "cluster"},
	} {
		if len(c.Only) > 0 && !slices.Contains(c.Only, form.name) {
			continue
		}
		part := filepath.Join(dir, form.on)
		if err := os.MkdirAll(part, 0o711); err != nil {
			return err
		}
		start, err := c.programs(ctx, form.on, filepath.Dir(dir))
		if err != nil {
			return err
		}
		d, err := newDisk(filepath.Join(part, "disk.img"), filepath.Join(part, "disk"), outageBytes)
		if errors.Is(err, errNoDisk) {
			fmt.Printf("  power cuts were NOT RUN, %d of %s: %v\n", times, form.name, err)
			continue
		}
		if err != nil {
			return err
		}
		p := outage{disk: d, cli: c, start: func(ctx context.Context) (*site.Site, error) { return start(ctx, d.at) }}
		err = p.run(ctx, times, part)
		if left := d.unmount(); err == nil {
			err = left
		}
		if err != nil {
			return fmt.Errorf("power: %s: %w", form.name, err)
		}
		fmt.Printf("  power of %s cut %d times: %d acked, %d events, none lost; all published again after %v at most\n",
			form.name, times, p.acked, p.log.Head(), p.longest.Round(time.Second))
	}
	return nil
}

// outage is a site whose power goes away again and again.
type outage struct {
	*cli
	disk    *disk
	start   func(context.Context) (*site.Site, error)
	log     *check.Log
	acked   int
	longest time.Duration // until all was published after an outage
}

func (p *outage) run(ctx context.Context, times int, dir string) error {
	crowd, err := load.NewCrowd(load.Nation{Communes: p.Communes}, p.Seed, dir)
	if err != nil {
		return err
	}
	defer func() { _ = crowd.Close() }()
	for n := range times + 1 {
		s, err := p.start(ctx)
		if err != nil {
			return fmt.Errorf("start %d: %w", n, err)
		}
		r, err := attach(s, crowd, p.Seed+uint64(n))
		if err == nil && n == 0 {
			err = r.owe(ctx, crowd.Nation)
		}
		if err == nil {
			err = r.meet(ctx)
		}
		if err == nil {
			err = p.settle(ctx, r)
		}
		if err == nil {
			err = p.once(ctx, r, n, n == times)
		}
		r.close()
		s.Crash()
		p.log, p.acked = r.log, crowd.Figures().Acked
		if err != nil {
			return err
		}
		if err := errors.Join(p.disk.unmount(), p.disk.mount()); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until all is published. NATS does not sync what it is sent, and a power
// cut can leave its servers without one that leads the stream; after a minute a relay
// makes it again.
func (p *outage) settle(ctx context.Context, r *rig) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, publishedWithin)
	defer cancel()
	_, err := r.site.Quiet(ctx, r.crowd.Highest())
	p.longest = max(p.longest, time.Since(began))
	return err
}

// once checks what the last outage left, and then loads until the next.
func (p *outage) once(ctx context.Context, r *rig, n int, last bool) error {
	reports, err := r.check(ctx, deep)
	if err != nil {
		return err
	}
	if last || len(r.broken) > 0 && n > 0 {
		r.tell(reports)
	}
	if len(r.broken) > 0 && n > 0 {
		return fmt.Errorf("after outage %d: %s", n, r.broken[0])
	}
	if last {
		return nil
	}
	// What was set up was set up long ago, as far as the disk knows.
	if err := command("sync", "-f", p.disk.at); err != nil {
		return err
	}
	return p.untilDark(ctx, r, load.Plan{Round: uint64(n), Workers: p.Workers, Shared: 12, Fights: 25})
}

// untilDark cuts the power in the midst of the load: what is under way then is never
// answered. The services stop first, as they would: ext4 that is shut down can tell a
// process that goes on that what it synced in that moment was stored.
func (p *outage) untilDark(ctx context.Context, r *rig, plan load.Plan) error {
	calls, hangUp := context.WithCancel(ctx)
	defer hangUp()
	plan.Clients, plan.Answer, plan.Calls = r.clients, answerWithin, calls
	var crowd sync.WaitGroup
	crowd.Go(func() { r.crowd.Run(calls, plan) })
	pause(ctx, p.For+r.between(0, time.Second))
	var err error
	for _, s := range r.site.Reporting {
		err = errors.Join(err, s.Handle.Pause())
	}
	err = errors.Join(err, cutPower(p.disk.at))
	r.site.Crash()
	hangUp()
	crowd.Wait()
	return err
}
