package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

const mib = 1 << 20

// wave is P4: all units report all targets of a period at once, to the service with
// all that is around its handlers in production.
func (b *bench) wave(ctx context.Context) error {
	fmt.Printf("\nP4: a wave of %d cells: %d units, %d targets; all interceptors and the log on\n", cellsAPeriod, cellsAPeriod/targets, targets)
	if err := b.with(ctx, roleFull, "p4-batches", func(s *child) error { return b.waveByBatches(ctx, s) }); err != nil {
		return err
	}
	if err := b.with(ctx, roleFull, "p4-unary", func(s *child) error { return b.waveUnary(ctx, s) }); err != nil {
		return err
	}
	return b.with(ctx, roleUp, "p4-up", func(s *child) error { return b.waveUp(ctx, s) })
}

// unitBatches makes calls of SubmitBatch, each with all targets of one unit.
func (b *bench) unitBatches(ctx context.Context, conn *grpc.ClientConn, i int64) error {
	_, err := reportingv1.NewReportingServiceClient(conn).SubmitBatch(ctx, b.nation.unitRequest(i))
	return err
}

func (b *bench) waveByBatches(ctx context.Context, s *child) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer c.close()
	var f flow
	if err := b.profiled(s, "p4-batches", func() (err error) {
		f, err = c.flow(ctx, waveBatches, until{calls: cellsAPeriod / targets}, b.unitBatches)
		return err
	}); err != nil {
		return err
	}
	after, err := s.ask(order{Do: "usage"})
	if err != nil {
		return err
	}
	fmt.Printf("  a batch a unit, %d in flight: %s cells/s, processor time %s%s\n", waveBatches, human(f.rate()*targets), split([]flow{f}, targets), f.company())
	b.atMost("P4 wave by batches", f.took.Seconds(), 3, "s")
	b.atMost("P4 resident after it, without NATS", float64(after.RSS)/mib, 300, "MiB")
	return b.grow(ctx, c, s)
}

// morePeriods are loaded to see what a cell costs in memory.
const morePeriods = 9

// grow measures what each further cell takes.
func (b *bench) grow(ctx context.Context, c *client, s *child) error {
	before, err := s.ask(order{Do: "collect"})
	if err != nil {
		return err
	}
	c.next.Store(cellsAPeriod/batchSize + 1) // the first batch with none of the wave's cells
	calls := int64(morePeriods * cellsAPeriod / batchSize)
	f, err := c.flow(ctx, batchesAtOnce, until{calls: calls}, b.submitBatch)
	if err != nil {
		return err
	}
	loaded, err := s.ask(order{Do: "usage"})
	if err != nil {
		return err
	}
	after, err := s.ask(order{Do: "collect"})
	if err != nil {
		return err
	}
	cells := float64(calls * batchSize)
	fmt.Printf("  %s cells more at %s a second; %d MiB live (%d before), %d MiB resident, %d at most; %.0f bytes of log a submission\n",
		human(cells), human(f.rate()*batchSize), after.Heap>>20, before.Heap>>20, loaded.RSS>>20, loaded.Peak>>20,
		float64(after.Log-before.Log)/cells)
	b.atMost("P4 bytes a cell more, live", float64(after.Heap-before.Heap)/cells, 150, "bytes")
	return nil
}

func (b *bench) waveUnary(ctx context.Context, s *child) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer c.close()
	var f flow
	if err := b.profiled(s, "p4-unary", func() (err error) {
		f, err = c.flow(ctx, waveCalls, until{calls: cellsAPeriod}, b.submit)
		return err
	}); err != nil {
		return err
	}
	fmt.Printf("  a call a cell, %d in flight: %s cells/s, processor time %s%s\n", waveCalls, human(f.rate()), split([]flow{f}, 1), f.company())
	b.atMost("P4 wave by single calls", f.took.Seconds(), 15, "s")
	return nil
}

// waveUp plays the wave to what `cotmoc up` runs, NATS and the relay included.
func (b *bench) waveUp(ctx context.Context, s *child) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer c.close()
	began := time.Now()
	if err := b.settle(ctx, c); err != nil {
		return err
	}
	fmt.Printf("  both services and NATS in one process; the registry written and followed in %.1f s\n", time.Since(began).Seconds())
	var f flow
	if err := b.profiled(s, "p4-up", func() (err error) {
		f, err = c.flow(ctx, waveBatches, until{calls: cellsAPeriod / targets}, b.unitBatches)
		return err
	}); err != nil {
		return err
	}
	after, err := s.ask(order{Do: "usage"})
	if err != nil {
		return err
	}
	fmt.Printf("  %s cells/s, processor time %s%s\n", human(f.rate()*targets), split([]flow{f}, targets), f.company())
	b.atMost("P4 wave by batches, NATS inside", f.took.Seconds(), 10, "s")
	published, err := b.drained(ctx, c)
	if err != nil {
		return err
	}
	later, err := s.ask(order{Do: "usage"})
	if err != nil {
		return err
	}
	fmt.Printf("  %d MiB resident after the wave, %d at most until all events were on the stream, %.1f s later\n",
		after.RSS>>20, later.Peak>>20, published.Seconds())
	b.atMost("P4 resident at most, NATS inside", float64(later.Peak)/mib, 500, "MiB")
	return nil
}

// settle fills the registry of a pair and waits until its reporting service has it.
func (b *bench) settle(ctx context.Context, c *client) error {
	if err := fill(ctx, c, b.nation); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := figure(ctx, c, root, targets-1)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// drained waits until the stream has all of the log.
func (b *bench) drained(ctx context.Context, c *client) (time.Duration, error) {
	admin := reportingv1.NewReportingAdminServiceClient(c.conns[0])
	began := time.Now()
	for end := began.Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		st, err := admin.GetStatus(ctx, &reportingv1.GetStatusRequest{})
		if err != nil {
			return 0, err
		}
		if st.GetStreamSequence() >= st.GetHeadSequence() {
			return time.Since(began), nil
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("the stream is at %d, the log at %d", st.GetStreamSequence(), st.GetHeadSequence())
		}
	}
}
