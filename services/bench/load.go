package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// connections is how many a client keeps in every measurement: their number alone
// can halve or double what a server that does nothing reaches.
const connections = 4

// client is this process as a caller of one server.
type client struct {
	conns  []*grpc.ClientConn
	server *child
	next   atomic.Int64 // number of the next call
}

func dial(server *child) (*client, error) {
	c := &client{server: server}
	for range connections {
		conn, err := grpc.NewClient(server.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// call makes the i-th call on a connection.
type call func(ctx context.Context, conn *grpc.ClientConn, i int64) error

// flow is what came of keeping calls under way.
type flow struct {
	calls          int64
	took           time.Duration
	client, server time.Duration // processor time
	others         time.Duration // processor time that the rest of the machine used
	p50, p99       time.Duration
}

func (f flow) rate() float64 { return float64(f.calls) / f.took.Seconds() }

// company tells how much of the machine others had meanwhile.
func (f flow) company() string {
	return fmt.Sprintf("; others used %.0f %% of the machine", 100*float64(f.others)/float64(f.took)/processors)
}

// cost is the processor time of client and server a call.
func (f flow) cost() time.Duration { return (f.client + f.server) / time.Duration(max(f.calls, 1)) }

// until bounds a flow: by time, or by the number of calls when that is not 0.
type until struct {
	time  time.Duration
	calls int64
}

// flow keeps n calls under way.
func (c *client) flow(ctx context.Context, n int, end until, do call) (f flow, err error) {
	before, err := c.server.ask(order{Do: "usage"})
	if err != nil {
		return f, err
	}
	machineBefore, ownBefore, began := busy(), ownUsage().CPU, time.Now()
	samples, err := c.drive(ctx, n, end, do, &f)
	f.took = time.Since(began)
	f.client = ownUsage().CPU - ownBefore
	after, err2 := c.server.ask(order{Do: "usage"})
	if err == nil {
		err = err2
	}
	f.server = after.CPU - before.CPU
	f.others = max(busy()-machineBefore-f.client-f.server, 0)
	if len(samples) > 0 {
		slices.Sort(samples)
		f.p50, f.p99 = samples[len(samples)/2], samples[len(samples)*99/100]
	}
	return f, err
}

// sampleEvery is how many calls there are for each whose time is taken.
const sampleEvery = 16

func (c *client) drive(ctx context.Context, n int, end until, do call, f *flow) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var over atomic.Bool
	if end.calls == 0 {
		defer time.AfterFunc(end.time, func() { over.Store(true) }).Stop()
	}
	last := c.next.Load() + end.calls
	var mu sync.Mutex
	var samples []time.Duration
	var done atomic.Int64
	var workers sync.WaitGroup
	for w := range n {
		conn := c.conns[w%len(c.conns)]
		workers.Go(func() {
			var own []time.Duration
			for !over.Load() && ctx.Err() == nil {
				i := c.next.Add(1) - 1
				if end.calls > 0 && i >= last {
					break
				}
				began := time.Now()
				if err := do(ctx, conn, i); err != nil {
					cancel(fmt.Errorf("call %d: %w", i, err))
					break
				}
				done.Add(1)
				if i%sampleEvery == 0 {
					own = append(own, time.Since(began))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			samples = append(samples, own...)
		})
	}
	workers.Wait()
	if end.calls > 0 {
		c.next.Store(last)
	}
	f.calls = done.Load()
	return samples, context.Cause(ctx)
}
