package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/failpoint"
	"github.com/cotmoc/cotmoc/services/torture/fault"
	"github.com/cotmoc/cotmoc/services/torture/site"
)

// accident is something that is done to a site, and undone.
type accident struct {
	name string
	does func(r *rig, ctx context.Context) error
}

// accidents are those that a site can have.
func accidents(s *site.Site) []accident {
	all := []accident{
		{"kill -9 reporting", func(r *rig, ctx context.Context) error { return r.kill(ctx, s.Reporting) }},
		{"kill -9 registry", func(r *rig, ctx context.Context) error { return r.kill(ctx, s.Registry) }},
		{"SIGSTOP reporting", func(r *rig, ctx context.Context) error { return r.freeze(ctx, s.Reporting) }},
		{"SIGTERM reporting", func(r *rig, ctx context.Context) error { return r.restart(ctx, s.Reporting) }},
		{"failpoint", (*rig).failpoint},
		{"line slow", func(r *rig, ctx context.Context) error { return r.line(ctx, fault.Slow) }},
		{"line black hole", func(r *rig, ctx context.Context) error { return r.line(ctx, fault.BlackHole) }},
		{"line half open", func(r *rig, ctx context.Context) error { return r.line(ctx, fault.HalfOpen) }},
		{"line reset", (*rig).reset},
		{"NATS killed, one", (*rig).killNode},
		{"NATS killed, all", func(r *rig, ctx context.Context) error { return r.allNodes(ctx, nil) }},
		{"NATS wiped", func(r *rig, ctx context.Context) error { return r.allNodes(ctx, s.Wipe) }},
		{"NATS rolled back", (*rig).rollBack},
		{"NATS leader killed", (*rig).killLeader},
		{"NATS block damaged", (*rig).damageBlock},
	}
	if s.Database != nil {
		all = append(all, accident{"PostgreSQL killed", (*rig).killDatabase})
	}
	return all
}

// pick returns one of several.
func pick[T any](r *rig, of []T) T { return of[r.random.IntN(len(of))] }

// between is a random time.
func (r *rig) between(least, most time.Duration) time.Duration {
	return least + time.Duration(r.random.Int64N(int64(most-least)))
}

// pause waits. It returns false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (r *rig) kill(ctx context.Context, of []*site.Replica) error {
	p := pick(r, of)
	p.Handle.Kill()
	pause(ctx, r.between(0, 400*time.Millisecond))
	return p.Handle.Start()
}

func (r *rig) freeze(ctx context.Context, of []*site.Replica) error {
	p := pick(r, of)
	if err := p.Handle.Pause(); err != nil {
		return err
	}
	pause(ctx, r.between(200*time.Millisecond, 2*time.Second))
	return p.Handle.Resume()
}

func (r *rig) restart(_ context.Context, of []*site.Replica) error {
	p := pick(r, of)
	if err := p.Handle.Stop(); err != nil {
		return err
	}
	return p.Handle.Start()
}

// plans are failures that a build with failpoints can be told, with a number to fill in.
func plans() []string {
	var all []string
	for _, p := range failpoint.Points() {
		all = append(all, string(p)+"=exit@%d", string(p)+"=sleep:20ms%%%d")
	}
	for _, p := range []failpoint.Point{failpoint.LedgerBeforeAppend, failpoint.LedgerAfterAppend, failpoint.StreamSent,
		failpoint.StreamBeforeAck, failpoint.SubmitBeforeReply} {
		all = append(all, string(p)+"=error%%%d")
	}
	return append(all, string(failpoint.SubmitBeforeReply)+"=panic%%%d", string(failpoint.LedgerBeforeAnswer)+"=panic@%d")
}

// failpoint starts a replica so that it fails at a step of its work.
func (r *rig) failpoint(ctx context.Context) error {
	p := pick(r, r.site.Reporting)
	plan := fmt.Sprintf(pick(r, plans()), 3+r.random.IntN(40))
	r.note("failpoint " + plan[:indexOf(plan)])
	p.Handle.Kill()
	p.Plan(plan)
	if err := p.Handle.Start(); err != nil {
		return err
	}
	serving, cancel := context.WithTimeout(ctx, 10*time.Second)
	_ = r.site.Serving(serving, p) // it may be over before it serves
	cancel()
	for end := time.Now().Add(r.between(time.Second, 2*time.Second)); time.Now().Before(end) && p.Handle.Running(); {
		if !pause(ctx, 20*time.Millisecond) {
			break
		}
	}
	if !p.Handle.Running() {
		r.note("ended by its failpoint")
	}
	p.Handle.Kill()
	p.Plan("")
	return p.Handle.Start()
}

// indexOf is where the number of a plan begins.
func indexOf(plan string) int {
	for i := len(plan) - 1; i >= 0; i-- {
		if plan[i] == '@' || plan[i] == '%' {
			return i
		}
	}
	return len(plan)
}

func (r *rig) line(ctx context.Context, l fault.Line) error {
	p := pick(r, r.site.Reporting)
	p.Proxy.Set(l)
	pause(ctx, r.between(200*time.Millisecond, 2*time.Second))
	p.Proxy.Set(fault.Clear)
	return nil
}

func (r *rig) reset(ctx context.Context) error {
	p := pick(r, r.site.Reporting)
	for range 5 {
		p.Proxy.Reset()
		pause(ctx, r.between(0, 200*time.Millisecond))
	}
	return nil
}

func (r *rig) killNode(ctx context.Context) error {
	n := pick(r, r.site.NATS)
	n.Handle.Kill()
	pause(ctx, r.between(0, time.Second))
	return n.Handle.Start()
}

// allNodes ends all NATS servers, does something to what they keep, and starts them.
func (r *rig) allNodes(ctx context.Context, meanwhile func() error) error {
	for _, n := range r.site.NATS {
		n.Handle.Kill()
	}
	pause(ctx, r.between(0, 500*time.Millisecond))
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	for _, n := range r.site.NATS {
		if err := n.Handle.Start(); err != nil {
			return err
		}
	}
	pause(ctx, r.between(0, time.Second))
	return nil
}

// damageBlock flips a bit of one server's copy of the stream. The relay sees to the copy
// of the server that leads. Another server's is given up, as the runbook says: while it
// lasts, subscribers fill what they miss from the log.
func (r *rig) damageBlock(ctx context.Context) error {
	n := pick(r, r.site.NATS)
	if err := r.allNodes(ctx, n.Damage); err != nil || len(r.site.NATS) == 1 {
		return err
	}
	pause(ctx, r.between(time.Second, 2*time.Second))
	n.Handle.Kill()
	if err := n.Wipe(); err != nil {
		return err
	}
	return n.Handle.Start()
}

// rollBack puts an older state of the streams in the place of the present one.
func (r *rig) rollBack(ctx context.Context) error {
	if err := r.allNodes(ctx, r.site.Keep); err != nil {
		return err
	}
	pause(ctx, r.between(500*time.Millisecond, time.Second))
	return r.allNodes(ctx, r.site.RollBack)
}

// killLeader ends the server that leads the stream of facts, the first where nobody
// says who does.
func (r *rig) killLeader(ctx context.Context) error {
	n := r.site.NATS[0]
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	name := r.site.Leader(asking)
	cancel()
	for _, other := range r.site.NATS {
		if other.Name == name {
			n = other
		}
	}
	n.Handle.Kill()
	pause(ctx, r.between(0, 2*time.Second))
	return n.Handle.Start()
}

func (r *rig) killDatabase(ctx context.Context) error {
	r.site.KillDatabase()
	pause(ctx, r.between(0, 500*time.Millisecond))
	return r.site.RestartDatabase(ctx)
}
