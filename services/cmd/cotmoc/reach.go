package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/cotmoc/cotmoc/pkg/client"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// reachWithin is how long a service may take to answer at first; one that is just
// starting replays its log.
const reachWithin = 5 * time.Second

// reach waits until a service answers, and gives up soon: at a terminal somebody waits.
func (t *target) reach(ctx context.Context, c *client.Client) error {
	within, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	err := c.Reach(within)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var why *client.ConnectError
	if !errors.As(err, &why) {
		return fmt.Errorf("nobody answers at %s after %s; is cotmoc up running?", c.Addresses(), reachWithin)
	}
	where := c.Addresses()
	if why.Address != "" && why.Address != where {
		where += " (" + why.Address + ")"
	}
	switch {
	case why.Nobody:
		return fmt.Errorf("nobody answers at %s after %s: %s; is cotmoc up running?", where, reachWithin, why.Reason)
	case why.Lasting && t.TLSCA == "":
		return fmt.Errorf("%s cannot be used: %s (see --tls-cert, --tls-key and --tls-ca)", where, why.Reason)
	}
	return fmt.Errorf("%s cannot be used: %s", where, why.Reason)
}

// firstUse makes the first call of a connection wait for it no longer than for those
// that are reached at once, and say why there is none; it would wait for ever.
type firstUse struct {
	target *target
	c      *client.Client
	done   atomic.Bool
}

func (f *firstUse) reached(ctx context.Context) error {
	if f.done.Load() {
		return nil
	}
	if err := f.target.reach(ctx, f.c); err != nil {
		return err
	}
	f.done.Store(true)
	return nil
}

// options put it before all calls.
func (f *firstUse) options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn,
			call grpc.UnaryInvoker, o ...grpc.CallOption) error {
			if err := f.reached(ctx); err != nil {
				return err
			}
			return call(ctx, method, req, reply, conn, o...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string,
			call grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			if err := f.reached(ctx); err != nil {
				return nil, err
			}
			return call(ctx, d, conn, method, o...)
		}),
	}
}

// tellEvery is how often the same reason to wait is told.
const tellEvery = 10 * time.Second

// patience tells why something is sent again: at once, and then now and then.
type patience struct {
	out io.Writer

	mu   sync.Mutex
	told map[string]time.Time // by reason
}

func newPatience(out io.Writer) *patience {
	return &patience{out: out, told: make(map[string]time.Time)}
}

// again is a client's OnRetry.
func (p *patience) again(attempts int, err error, _ time.Duration) {
	reason := show.Refusal(err).Error()
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, told := p.told[reason]; told && time.Since(last) < tellEvery {
		return
	}
	if len(p.told) > 100 { // reasons that name something each time
		clear(p.told)
	}
	p.told[reason] = time.Now()
	fmt.Fprintf(p.out, "attempt %d: %s; trying again under the same request id\n", attempts, reason)
}
