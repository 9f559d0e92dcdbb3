package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/load"
)

// plan of rounds.
type rounds struct {
	Count  int
	For    time.Duration // of load in each
	Deep   int           // each how many rounds everything is checked
	Of     []accident    // what may happen
	Load   load.Plan
	Enough func(*rig) bool // ends before Count; nil: never
}

// run plays rounds: each has load, one to three accidents at random moments, and a
// check when all is healed.
func (p rounds) run(ctx context.Context, r *rig) error {
	r.rounds = 0
	for n := 1; n <= p.Count && len(r.broken) == 0; n++ {
		names, err := p.one(ctx, r, n)
		if err != nil {
			return fmt.Errorf("round %d (%s): %w", n, names, err)
		}
		d := light
		last := n == p.Count || p.Enough != nil && p.Enough(r)
		if n%p.Deep == 0 || last {
			d = deep
		}
		r.progress("round %d of %d (%s), checking", n, p.Count, names)
		reports, err := r.check(ctx, d)
		if err != nil {
			return fmt.Errorf("after round %d (%s): %w", n, names, err)
		}
		r.rounds = n
		if len(r.broken) > 0 {
			r.done()
			fmt.Fprintf(r.out, "  in round %d (%s)\n", n, names)
		}
		if len(r.broken) > 0 || last {
			r.tell(reports)
		}
		if last {
			return nil
		}
		if d == deep && !r.live {
			fmt.Fprintf(r.out, "  after round %d all holds: %d acked, %d events\n", n, r.crowd.Figures().Acked, r.log.Head())
		}
	}
	return nil
}

// one is the load and the accidents of a round.
func (p rounds) one(ctx context.Context, r *rig, n int) (string, error) {
	var chosen []accident
	var names []string
	for range 1 + r.random.IntN(3) {
		a := pick(r, p.Of)
		chosen, names = append(chosen, a), append(names, a.name)
	}
	text := strings.Join(names, ", ")
	plan := p.Load
	plan.Round = r.turn()
	err := r.load(ctx, plan, func(ctx context.Context) error {
		end := time.Now().Add(p.For)
		for _, a := range chosen {
			r.progress("round %d of %d (%s)", n, p.Count, text)
			pause(ctx, r.between(0, p.For/time.Duration(len(chosen)+1)))
			r.note(a.name)
			if err := a.does(r, ctx); err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
		}
		pause(ctx, time.Until(end))
		return nil
	})
	return text, err
}
