package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// How long is waited between attempts.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
)

// waits is the pauses between the attempts of one call.
type waits struct{ next time.Duration }

// after is how long to wait after err: twice as long each time, less up to a half
// by chance so that callers spread, and never less than the server asks for.
func (w *waits) after(err error) time.Duration {
	if w.next == 0 {
		w.next = firstWait
	}
	d := w.next/2 + rand.N(w.next/2+1)
	w.next = min(2*w.next, longestWait)
	if asked, ok := apierr.RetryDelay(err); ok {
		d = max(d, asked)
	}
	return d
}

// again reports whether the outcome of an attempt is unknown, or passing, so that
// the same request is to be sent again.
func again(req proto.Message, err error) bool {
	e, ours := apierr.Parse(err)
	switch e.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	case codes.ResourceExhausted:
		return ours || e.Retry > 0 // else the message was too large, and stays so
	case codes.Internal:
		// A defect that the service knows of comes with a reason. Without one it
		// came from the transport, or the request cannot be encoded at all.
		if ours {
			return false
		}
		_, err := proto.Marshal(req)
		return err == nil
	default:
		return false
	}
}

// retry calls f, each time with a deadline of its own, until it answers, is
// refused, or ctx ends.
func (c *Client) retry(ctx context.Context, req proto.Message, f func(context.Context) error) error {
	var w waits
	for n := 1; ; n++ {
		err := c.attempt(ctx, f)
		if err == nil || !again(req, err) {
			return err
		}
		if err := c.pause(ctx, n, err, &w); err != nil {
			return err
		}
	}
}

// attempt calls f once.
func (c *Client) attempt(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Attempt)
	defer cancel()
	return f(ctx)
}

// pause waits after attempt n failed with err. It fails when ctx ends before.
func (c *Client) pause(ctx context.Context, n int, err error, w *waits) error {
	d := w.after(err)
	if c.o.OnRetry != nil && ctx.Err() == nil {
		c.o.OnRetry(n, err, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("outcome unknown after %d attempts: %w; the last: %w", n, ctx.Err(), err)
	}
}
