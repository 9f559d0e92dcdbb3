package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// figure reads a current figure.
func figure(ctx context.Context, c *client, unit string, target int) (*reportingv1.Figure, error) {
	resp, err := reportingv1.NewProgressServiceClient(c.conns[0]).GetFigure(ctx, figureRequest(unit, target))
	return resp.GetFigure(), err
}

func figureRequest(unit string, target int) *reportingv1.GetFigureRequest {
	return &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{Programme: programme, Target: names.target[target],
		Unit: unit, Basis: typev1.Basis_BASIS_REPORTED}}
}

// read makes calls of GetFigure for random units and targets.
func (b *bench) read(ctx context.Context, conn *grpc.ClientConn, i int64) error {
	c := b.nation.random(i)
	_, err := reportingv1.NewProgressServiceClient(conn).GetFigure(ctx, figureRequest(c.unit, c.target))
	return err
}

// reads is a part of P7: a stored figure reads the same however long the history.
func (b *bench) reads(ctx context.Context) error {
	few, many := int64(10_000), int64(3_000_000)
	if b.short {
		many /= 10
	}
	fmt.Printf("\nP7: GetFigure with %s submissions in the log, against the same with %s; %d in flight, %d connections\n",
		human(float64(many)), human(float64(few)), readsAtOnce, connections)
	return b.dialled(ctx, roleBare, roleBare, "p7", func(large, small *client) error {
		for c, n := range map[*client]int64{large: many, small: few} {
			if _, err := c.flow(ctx, batchesAtOnce, until{calls: n / batchSize}, b.submitBatch); err != nil {
				return err
			}
			c.next.Store(0)
		}
		run := func(c *client) func(time.Duration) (flow, error) {
			return func(d time.Duration) (flow, error) { return c.flow(ctx, readsAtOnce, until{time: d}, b.read) }
		}
		return b.inTurn(ctx, ratios{name: "P7 reads, 3 M against 10 k submissions", unit: "calls/s", scale: 1, goal: 0.90}, run(large), run(small))
	})
}

const readsAtOnce = 64

// aYear is how many monthly reports are loaded before the starts.
const aYear = 12

// starts is a part of P9: how long `cotmoc up` takes to serve with all units and a
// year of monthly reports.
func (b *bench) starts(ctx context.Context) error {
	periods := aYear
	if b.short {
		periods = 1
	}
	cells := int64(periods) * cellsAPeriod
	fmt.Printf("\nP9: start of both services and NATS with %s submissions of %d months\n", human(float64(cells)), periods)
	dir := filepath.Join(b.dir, "p9")
	s, _, err := spawn(roleUp, dir)
	if err != nil {
		return err
	}
	if err := b.year(ctx, s, cells/batchSize); err != nil {
		return errors.Join(err, s.kill())
	}
	if err := s.kill(); err != nil {
		return err
	}
	if _, err := b.start(ctx, dir, "  after kill -9, image and rest of the log"); err != nil {
		return err
	}
	took, err := b.start(ctx, dir, "  after a clean stop, image")
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "reporting.image")); err != nil {
		return err
	}
	if _, err := b.start(ctx, dir, "  without an image, whole log"); err != nil {
		return err
	}
	b.atMost("P9 start with a year of reports", took.Seconds(), 3, "s")
	return nil
}

// year loads the reports of a year, and waits until the stream has them.
func (b *bench) year(ctx context.Context, s *child, calls int64) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer c.close()
	if err := b.settle(ctx, c); err != nil {
		return err
	}
	f, err := c.flow(ctx, batchesAtOnce, until{calls: calls}, b.submitBatch)
	if err != nil {
		return err
	}
	after, err := s.ask(order{Do: "usage"})
	if err != nil {
		return err
	}
	late, err := b.drained(ctx, c)
	if err != nil {
		return err
	}
	later, err := s.ask(order{Do: "usage"})
	if err != nil {
		return err
	}
	fmt.Printf("  loaded at %s a second; the stream followed %.1f s later; log of %d MiB; %d MiB resident, then %d, %d at most\n",
		human(f.rate()*batchSize), late.Seconds(), after.Log>>20, after.RSS>>20, later.RSS>>20, later.Peak>>20)
	return nil
}

// start starts a pair, waits for its first answer and stops it cleanly.
func (b *bench) start(ctx context.Context, dir, how string) (time.Duration, error) {
	began := time.Now()
	s, up, err := spawn(roleUp, dir)
	if err != nil {
		return 0, err
	}
	c, err := dial(s)
	if err != nil {
		return 0, errors.Join(err, s.kill())
	}
	defer c.close()
	got, err := figure(ctx, c, root, 0)
	if err != nil {
		return 0, errors.Join(err, s.kill())
	}
	took := time.Since(began)
	if n := got.GetTally().GetReporting(); n < cellsAPeriod/targets*9/10 {
		return 0, errors.Join(fmt.Errorf("only %d units have reported after a start", n), s.kill())
	}
	after, err := s.ask(order{Do: "usage"})
	if err != nil {
		return 0, errors.Join(err, s.kill())
	}
	stopped, err := s.stop()
	fmt.Printf("%s: serves after %.2f s, first figure after %.2f s, processor time %.2f s, %d MiB resident; stopped in %.2f s\n",
		how, up.Seconds(), took.Seconds(), after.CPU.Seconds(), after.RSS>>20, stopped.Seconds())
	return took, err
}
