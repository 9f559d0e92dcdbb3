package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
	"github.com/cotmoc/cotmoc/services/torture/load"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// Times that nothing may exceed, or the rig itself is stuck.
const (
	answerWithin = 2 * time.Minute // one answer, all attempts of the client included
	restWithin   = 90 * time.Second
	readWithin   = time.Millisecond // each event of the log, in a check
	followWithin = 60 * time.Second
)

// rig is a site under load, with all that was ever said about it.
type rig struct {
	site      *site.Site
	crowd     *load.Crowd
	log       *check.Log
	followers []*load.Follower
	clients   []*client.Client
	admins    []*client.Client
	random    *rand.Rand
	injected  map[string]int
	disks     map[string]*disk // those of the site's folders that are one
	out       io.Writer
	live      bool     // out is a terminal
	broken    []string // reports that do not hold
	rounds    int      // that were played to the end in this part
	turns     uint64   // times that the crowd was at work
	unfollow  context.CancelFunc
	following sync.WaitGroup
}

// setUp gives a site its nation, clients and subscribers.
func setUp(ctx context.Context, s *site.Site, n load.Nation, seed uint64, out io.Writer) (*rig, error) {
	crowd, err := load.NewCrowd(n, seed, s.Dir)
	if err != nil {
		return nil, err
	}
	r, err := attach(s, crowd, seed)
	if err == nil {
		r.out, r.live = out, terminal(out)
		err = r.owe(ctx, n)
	}
	if err == nil {
		err = r.meet(ctx)
	}
	if err == nil {
		err = r.follow()
	}
	if err != nil {
		r.close()
		return nil, errors.Join(err, crowd.Close())
	}
	return r, nil
}

// attach looks after a site; it has no clients and subscribers yet.
func attach(s *site.Site, crowd *load.Crowd, seed uint64) (*rig, error) {
	r := &rig{site: s, crowd: crowd, log: check.NewLog(), random: rand.New(rand.NewPCG(seed, 0)), injected: make(map[string]int), out: os.Stdout}
	for _, p := range s.Reporting {
		c, err := s.Direct(p)
		if err != nil {
			r.close()
			return r, err
		}
		r.admins = append(r.admins, c)
	}
	return r, nil
}

// meet connects the crowd's clients.
func (r *rig) meet(ctx context.Context) (err error) {
	r.clients, err = r.site.Clients(ctx, 8)
	return err
}

// owe writes the nation into the registry, and waits until the reporting has it.
func (r *rig) owe(ctx context.Context, n load.Nation) error {
	c, err := r.site.AdminOf(r.site.Registry[0])
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for writes := range slices.Chunk(n.Writes(), 500) {
		if _, err := c.RegistryAdmin().BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: writes}); err != nil {
			return fmt.Errorf("write the nation: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	_, err = r.site.Quiet(ctx, uint64(len(n.Writes())))
	return err
}

// follow starts the subscribers, each with a connection of its own.
func (r *rig) follow() error {
	ctx, cancel := context.WithCancel(context.Background())
	r.unfollow = cancel
	dir := filepath.Join(r.site.Dir, "positions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for i, f := range load.Followers() {
		nc, err := r.site.Connect()
		if err != nil {
			return fmt.Errorf("connect a subscriber: %w", err)
		}
		r.followers = append(r.followers, f)
		events := r.admins[i%len(r.admins)].Events()
		r.following.Go(func() {
			defer nc.Close()
			f.Run(ctx, nc, events, dir)
		})
	}
	return nil
}

func (r *rig) close() {
	if r.unfollow != nil {
		r.unfollow()
		r.following.Wait()
	}
	for _, c := range append(r.clients, r.admins...) {
		_ = c.Close()
	}
}

// load lets the crowd work while f runs, and returns when both have ended.
func (r *rig) load(ctx context.Context, p load.Plan, f func(context.Context) error) error {
	p.Clients, p.Answer = r.clients, answerWithin
	working, stop := context.WithCancel(ctx)
	var crowd sync.WaitGroup
	crowd.Go(func() { r.crowd.Run(working, p) })
	err := f(ctx)
	stop()
	if healed := r.site.Heal(ctx); err == nil {
		err = healed
	}
	crowd.Wait()
	return err
}

// depth is how much is checked.
type depth int

const (
	light depth = iota // receipts, log, milestones, totals
	deep               // the stream, subscribers, self-checks of all replicas, cells
)

// check lets everything come to rest and holds all that was said against all that is.
func (r *rig) check(ctx context.Context, d depth) ([]*check.Report, error) {
	resting, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	rest := r.site.Even
	if d == deep {
		rest = r.site.Quiet
	}
	head, err := rest(resting, r.crowd.Highest())
	if err != nil {
		return nil, err
	}
	ctx, cancel = context.WithTimeout(ctx, restWithin+time.Duration(head)*readWithin)
	defer cancel()
	if err := load.ReadLog(ctx, r.admins[0].Events(), r.log); err != nil {
		return nil, err
	}
	reports := []*check.Report{r.crowd.Refused(), r.log.Whole(), check.Acked(r.log, r.crowd.Acks()), check.Answered(r.log, r.crowd.Sent()), r.log.Fold().Milestones()}
	for _, a := range r.admins {
		figures, err := r.crowd.Nation.AllFigures(ctx, a.Progress(), head)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r.log.Fold().Totals(figures))
	}
	if d == deep {
		replicas, err := r.site.Replicas(ctx)
		if err != nil {
			return nil, err
		}
		reports = append(reports, check.Books(r.log, replicas), check.Linear(r.crowd.Ops()), check.Asked(r.crowd.Ops()))
		reports = append(reports, r.streams(ctx)...)
	}
	for _, p := range reports {
		if !p.Held() {
			r.broken = append(r.broken, p.String())
		}
	}
	return reports, nil
}

// streams waits until the subscribers have everything, and judges what they were given.
func (r *rig) streams(ctx context.Context) []*check.Report {
	var reports []*check.Report
	deadline := time.Now().Add(followWithin)
	for _, f := range r.followers {
		for {
			j, err := f.Journal()
			p := check.Stream(r.log, j)
			if err != nil {
				p.Fail(err)
			}
			if p.Held() || err != nil || time.Now().After(deadline) || ctx.Err() != nil {
				reports = append(reports, p)
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	return reports
}

// tell prints reports.
func (r *rig) tell(reports []*check.Report) {
	r.done()
	for _, p := range reports {
		fmt.Fprintln(r.out, "  "+p.String())
	}
}

// finish checks everything at the end of a part.
func (r *rig) finish(ctx context.Context) error {
	r.progress("checking")
	reports, err := r.check(ctx, deep)
	if err != nil {
		return err
	}
	r.tell(reports)
	return nil
}

// turn numbers the next time that the crowd is at work.
func (r *rig) turn() uint64 {
	r.turns++
	return r.turns
}

// note counts an injected fault.
func (r *rig) note(what string) { r.injected[what]++ }

// faults tells what was injected, and how often.
func (r *rig) faults() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(r.injected)) {
		all = append(all, fmt.Sprintf("%s %d", what, r.injected[what]))
	}
	return strings.Join(all, ", ")
}

// progress shows where the rig is, on one line of a terminal.
func (r *rig) progress(format string, args ...any) {
	if r.live {
		f := r.crowd.Figures()
		fmt.Fprintf(r.out, "\r\x1b[K%s: %d calls, %d acked, %d events", fmt.Sprintf(format, args...), f.Calls, f.Acked, r.log.Head())
	}
}

// done ends the line of progress.
func (r *rig) done() {
	if r.live {
		fmt.Fprint(r.out, "\r\x1b[K")
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	s, err := f.Stat()
	return err == nil && s.Mode()&os.ModeCharDevice != 0
}
