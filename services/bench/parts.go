package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"google.golang.org/grpc"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

var processors = float64(runtime.NumCPU())

// submit makes calls of Submit with random cells.
func (b *bench) submit(ctx context.Context, conn *grpc.ClientConn, i int64) error {
	_, err := reportingv1.NewReportingServiceClient(conn).Submit(ctx, b.nation.unaryRequest(i))
	return err
}

// submitBatch makes calls of SubmitBatch with batchSize random cells.
func (b *bench) submitBatch(ctx context.Context, conn *grpc.ClientConn, i int64) error {
	_, err := reportingv1.NewReportingServiceClient(conn).SubmitBatch(ctx, b.nation.batchRequest(i, batchSize))
	return err
}

// How calls are kept under way.
const (
	batchSize     = 500
	batchesAtOnce = 4
	waveBatches   = 64  // batches of one unit
	waveCalls     = 256 // single submissions
)

// dialled runs servers of two roles and calls f with a client of each.
func (b *bench) dialled(ctx context.Context, subject, limit, folder string, f func(subject, limit *client) error) error {
	return b.with(ctx, subject, folder, func(s *child) error {
		return b.with(ctx, limit, folder+"-limit", func(l *child) error {
			sc, err := dial(s)
			if err != nil {
				return err
			}
			defer sc.close()
			lc, err := dial(l)
			if err != nil {
				return err
			}
			defer lc.close()
			return f(sc, lc)
		})
	})
}

// inTurn runs subject and limit in turn, after a warm-up of each.
func (b *bench) inTurn(ctx context.Context, r ratios, subject, limit func(time.Duration) (flow, error)) error {
	for i := -1; i < b.pairs; i++ {
		for k, run := range []func(time.Duration) (flow, error){subject, limit} {
			f, err := run(b.run)
			if err != nil {
				return err
			}
			switch {
			case i < 0: // warm-up
			case k == 0:
				r.subject = append(r.subject, f)
			default:
				r.limit = append(r.limit, f)
			}
		}
	}
	b.judge(r)
	return ctx.Err()
}

// profiled runs f while a server takes its profile, if that was asked for.
func (b *bench) profiled(c *child, name string, f func() error) error {
	if b.profile == "" {
		return f()
	}
	path, err := filepath.Abs(filepath.Join(b.profile, name+".cpu"))
	if err != nil {
		return err
	}
	if _, err := c.ask(order{Do: "profile", Arg: path}); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	_, err = c.ask(order{Do: "profiled", Arg: path})
	return err
}

// unary is P1: durable single submissions against calls that do nothing.
func (b *bench) unary(ctx context.Context) error {
	fmt.Printf("\nP1: Submit, durable on SQLite, against calls of the same messages that do nothing; %d connections\n", connections)
	return b.dialled(ctx, roleBare, roleNothing, "p1", func(subject, limit *client) error {
		for _, at := range []struct {
			inFlight int
			goal     float64
		}{{256, 0.60}, {64, 0.45}} {
			name := fmt.Sprintf("P1 unary, %d in flight", at.inFlight)
			before, err := subject.server.ask(order{Do: "usage"})
			if err != nil {
				return err
			}
			if err := b.profiled(subject.server, fmt.Sprintf("p1-%d", at.inFlight), func() error {
				return b.inTurn(ctx, ratios{name: name, unit: "calls/s", scale: 1, goal: at.goal},
					func(d time.Duration) (flow, error) { return subject.flow(ctx, at.inFlight, until{time: d}, b.submit) },
					func(d time.Duration) (flow, error) { return limit.flow(ctx, at.inFlight, until{time: d}, b.submit) })
			}); err != nil {
				return err
			}
			after, err := subject.server.ask(order{Do: "usage"})
			if err != nil {
				return err
			}
			if err := logged(before, after); err != nil {
				return err
			}
		}
		return nil
	})
}

// logged tells what a part left in the log, which is at least an event a call.
func logged(before, after answer) error {
	events, commands := after.Sequence-before.Sequence, after.Commands-before.Commands
	if events < commands {
		return fmt.Errorf("%d commands made only %d events: something was not measured", commands, events)
	}
	fmt.Printf("  %s commands made %s events in %s blocks (%.0f commands a block); %.0f bytes of log an event; %d MiB resident\n",
		human(float64(commands)), human(float64(events)), human(float64(after.Blocks-before.Blocks)),
		float64(commands)/float64(after.Blocks-before.Blocks), float64(after.Log-before.Log)/float64(events), after.RSS>>20)
	return nil
}

// batches is P2: batches against batches that do nothing, and against rows that are
// inserted into a table.
func (b *bench) batches(ctx context.Context) error {
	fmt.Printf("\nP2: SubmitBatch, %d items a message, %d in flight, %d connections\n", batchSize, batchesAtOnce, connections)
	return b.dialled(ctx, roleBare, roleNothing, "p2", func(subject, limit *client) error {
		run := func(c *client) func(time.Duration) (flow, error) {
			return func(d time.Duration) (flow, error) {
				return c.flow(ctx, batchesAtOnce, until{time: d}, b.submitBatch)
			}
		}
		if err := b.profiled(subject.server, "p2", func() error {
			return b.inTurn(ctx, ratios{name: "P2 batches, against nothing", unit: "items/s", scale: batchSize, goal: 0.35},
				run(subject), run(limit))
		}); err != nil {
			return err
		}
		return b.with(ctx, roleTable, "p2-table", func(t *child) error {
			return b.againstTable(ctx, run(subject), t)
		})
	})
}

// tableRows is how many rows the table holds before it is measured.
const tableRows = 1_000_000

// againstTable holds batches against rows that are inserted into a table. The table
// has neither client nor network, which favours it.
func (b *bench) againstTable(ctx context.Context, subject func(time.Duration) (flow, error), t *child) error {
	n := tableRows
	if b.short {
		n /= 10
	}
	if _, err := t.ask(order{Do: "rows", Rows: n}); err != nil {
		return err
	}
	fmt.Printf("  The table holds %s rows, primary key and unique index, commits of %d. PostgreSQL's COPY is not measured yet.\n",
		human(float64(n)), rowsACommit)
	insert := func(d time.Duration) (flow, error) {
		before, err := t.ask(order{Do: "usage"})
		if err != nil {
			return flow{}, err
		}
		machineBefore := busy()
		a, err := t.ask(order{Do: "rows", For: d})
		f := flow{calls: a.Rows / batchSize, took: a.Took, server: a.CPU - before.CPU}
		f.others = max(busy()-machineBefore-f.server, 0)
		return f, err
	}
	return b.inTurn(ctx, ratios{name: "P2 batches, against a table in SQLite", unit: "items/s", scale: batchSize, goal: 1.5}, subject, insert)
}
