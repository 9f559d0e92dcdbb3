package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// What a storm may take.
const (
	mostCall      = time.Second     // a batch, in 99 of 100
	mostEventLate = 2 * time.Second // an event at a subscriber, in 99 of 100
	stormSettles  = 5 * time.Minute // setting up, and each of the checks
)

// storm is a site on which all units report all that they owe at once.
type storm struct {
	site    *site.Site
	country *load.Country
	over    time.Duration // in which the units begin
	seed    uint64        // of the order in which they come
	out     io.Writer
	admins  []*client.Client // of each replica
}

// stormed is what came of it.
type stormed struct {
	cells, units int
	took         time.Duration // from the first batch that was due to the last answer
	calls        load.Spread   // from when a batch was due to its answer
	taken        int           // cells
	failed       int           // batches without an answer, and cells that were refused
	first        error         // of those
	late         load.Spread   // events at a subscriber
}

// storm plays the last minutes before a deadline, on a site of its own.
func (c *cli) storm(ctx context.Context, dir string) error {
	country, err := load.NewCountry(c.size(300, 11_390))
	if err != nil {
		return err
	}
	start, err := c.programs(ctx, c.On, filepath.Dir(dir))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	s, err := start(ctx, dir)
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	defer s.Close()
	w := &storm{site: s, country: country, over: time.Duration(c.size(30, 600)) * time.Second, seed: c.Seed, out: os.Stdout}
	_, broken, err := w.run(ctx)
	if err == nil && len(broken) > 0 {
		err = fmt.Errorf("storm: %d checks do not hold, first:\n%s", len(broken), broken[0])
	}
	return err
}

// run sets up, blows, and tells what came of it and what does not hold.
func (w *storm) run(ctx context.Context) (f stormed, broken []string, err error) {
	defer func() {
		for _, c := range w.admins {
			_ = c.Close()
		}
	}()
	if err := w.setUp(ctx); err != nil {
		return f, nil, fmt.Errorf("set up: %w", err)
	}
	if f, err = w.blow(ctx); err != nil {
		return f, nil, err
	}
	fmt.Fprintf(w.out, "  %d units, %d cells in %v, %.0f/s; batches %v; %d failed\n  events at a subscriber %v\n",
		f.units, f.taken, f.took.Round(time.Millisecond), float64(f.taken)/f.took.Seconds(), f.calls, f.failed, f.late)
	broken = f.judge()
	reports, err := w.check(ctx)
	for _, r := range reports {
		fmt.Fprintln(w.out, "  "+r.String())
		if !r.Held() {
			broken = append(broken, r.String())
		}
	}
	return f, broken, err
}

// setUp writes the country into the registry and waits until all replicas know it.
func (w *storm) setUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stormSettles)
	defer cancel()
	c, err := w.site.AdminOf(w.site.Registry[0])
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for writes := range slices.Chunk(w.country.Writes(), 500) {
		if _, err := c.RegistryAdmin().BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: writes}); err != nil {
			return fmt.Errorf("write the country: %w", err)
		}
	}
	for _, p := range w.site.Reporting {
		a, err := w.site.Direct(p)
		if err != nil {
			return err
		}
		w.admins = append(w.admins, a)
		if err := w.country.Known(ctx, a.Progress()); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

// blow lets the units come in random order, evenly, each with one batch, while a
// subscriber listens, and returns when it has heard all.
func (w *storm) blow(ctx context.Context) (stormed, error) {
	f := stormed{units: w.country.Units(), cells: w.country.Units() * load.CellsAUnit}
	clients, err := w.site.Straight(ctx, 8, w.site.Reporting...)
	defer func() {
		for _, c := range clients {
			_ = c.Close()
		}
	}()
	if err != nil {
		return f, err
	}
	nc, err := w.site.Connect()
	if err != nil {
		return f, fmt.Errorf("connect a subscriber: %w", err)
	}
	defer nc.Close()
	listening, stop := context.WithCancel(ctx)
	var listener load.Listener
	heard := make(chan error, 1)
	go func() { heard <- listener.Run(listening, nc, w.admins[0].Events()) }()
	w.send(ctx, clients, &f)
	for end := time.Now().Add(followWithin); listener.Late.Count() < f.taken && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, 50*time.Millisecond)
	}
	stop()
	f.late = listener.Late.Spread()
	return f, errors.Join(<-heard, ctx.Err())
}

// send sends all batches and notes how they were answered.
func (w *storm) send(ctx context.Context, clients []*client.Client, f *stormed) {
	order := rand.New(rand.NewPCG(w.seed, 0)).Perm(f.units)
	var took load.Times
	var failed failures
	var taken atomic.Int64
	began := time.Now()
	load.Steady(ctx, f.units, w.over, f.units, func(i int, due time.Time) {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		resp, err := clients[i%len(clients)].SubmitBatch(ctx, w.country.Batch(order[i]))
		took.Note(time.Since(due))
		if err != nil {
			failed.note(err)
			return
		}
		for _, result := range resp.GetResults() {
			if e := result.GetError(); e != nil {
				failed.note(fmt.Errorf("%s: %s, %s", e.GetField(), e.GetReason(), e.GetMessage()))
				continue
			}
			taken.Add(1)
		}
	})
	f.took, f.calls, f.taken = time.Since(began), took.Spread(), int(taken.Load())
	f.failed, f.first = failed.count, failed.first
}

// check waits until all is at rest and holds all figures and all books against what was sent.
func (w *storm) check(ctx context.Context) (reports []*check.Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, stormSettles)
	defer cancel()
	head, err := w.site.Quiet(ctx, uint64(w.country.Units()*load.CellsAUnit))
	if err != nil {
		return nil, err
	}
	for _, a := range w.admins {
		r, err := w.country.Totals(ctx, a.Progress(), head)
		if err != nil {
			return reports, err
		}
		reports = append(reports, r)
	}
	replicas, err := w.site.Replicas(ctx)
	if err != nil {
		return reports, err
	}
	return append(reports, check.Equal(head, replicas)), nil
}

// judge tells what does not hold. That the storm was over in time is in the batches'
// times, which count from when each was due.
func (f stormed) judge() (broken []string) {
	if f.failed > 0 || f.taken != f.cells {
		broken = append(broken, fmt.Sprintf("%d of %d cells were taken, %d batches or cells failed, first: %v", f.taken, f.cells, f.failed, f.first))
	}
	if f.calls.Count == 0 || f.calls.P99 > mostCall {
		broken = append(broken, fmt.Sprintf("batches took %v, at most %v is allowed", f.calls, mostCall))
	}
	if f.late.Count != f.taken || f.late.P99 > mostEventLate {
		broken = append(broken, fmt.Sprintf("events came %v of %d, at most %v is allowed", f.late, f.taken, mostEventLate))
	}
	return broken
}
