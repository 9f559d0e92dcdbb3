package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Defaults of an identity's allowance.
const (
	defaultRate  = 2000
	defaultBurst = 4000
)

// maxBuckets bounds the identities whose allowances are remembered.
const maxBuckets = 100_000

// GuardConfig is what a guard is made of.
type GuardConfig struct {
	// Trees judge requests, by the proto package of the service that is called, such as
	// `cotmoc.reporting.v1`. A package without one is closed to all that have a subtree,
	// where a row asks for a place.
	Trees map[string]Tree
	// Rate is how many calls an identity may make each second, the items of a batch
	// counted each; 0 means 2,000, below zero no limit.
	Rate float64
	// Burst is how many it may make at once; 0 means 4,000. A batch larger than that is
	// never taken.
	Burst int
	// Log gets a line for each denial. Nil discards them.
	Log *zap.Logger
}

// Guard lets callers do what the table says, and nothing else. It is safe for
// concurrent use.
type Guard struct {
	c     GuardConfig
	table map[string]Row

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// NewGuard returns a guard by the Table.
func NewGuard(c GuardConfig) *Guard {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Rate == 0 {
		c.Rate = defaultRate
	}
	if c.Burst == 0 {
		c.Burst = defaultBurst
	}
	return &Guard{c: c, table: Table(), buckets: make(map[string]*rate.Limiter)}
}

// Identify finds out who calls, and that the certificate is still good. The context
// that it returns knows it, as FromContext tells.
func (g *Guard) Identify(ctx context.Context, method string) (context.Context, error) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return ctx, unauthenticated("there is no connection")
	}
	c, ok := p.AuthInfo.(*connection)
	if !ok {
		return ctx, unauthenticated("the connection carries no identity")
	}
	if err := c.stillGood(); err != nil {
		g.c.Log.Warn("a certificate is not good any more", zap.String("caller", c.who.URI), zap.Error(err))
		return ctx, unauthenticated("the certificate is not good any more")
	}
	return context.WithValue(ctx, callerKey{}, &caller{Identity: c.who, tree: g.c.Trees[packageOf(method)]}), nil
}

func unauthenticated(text string) error {
	return apierr.New(codes.Unauthenticated, errorv1.Reason_REASON_UNAUTHENTICATED, "", text)
}

// packageOf is the proto package of a full method name.
func packageOf(method string) string {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return service[:max(0, strings.LastIndexByte(service, '.'))]
}

// Allow takes a request from its caller's allowance; it refuses what is above it.
func (g *Guard) Allow(ctx context.Context, req any) error {
	c := callerOf(ctx)
	if c == nil || g.c.Rate < 0 {
		return nil
	}
	cost := itemsOf(req)
	now := time.Now()
	r := g.bucket(c.Key()).ReserveN(now, cost)
	if !r.OK() {
		return apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_RATE_LIMITED, "",
			fmt.Sprintf("a batch of %d is more than this caller may send at once: %d", cost, g.c.Burst))
	}
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_RATE_LIMITED, "",
			"this caller sends more than its share; send the same request again"), wait)
	}
	return nil
}

// bucket is the allowance of a key. When there are too many, those that are full, which
// says that their callers were quiet, are forgotten.
func (g *Guard) bucket(key string) *rate.Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.buckets[key]
	if b == nil {
		if len(g.buckets) >= maxBuckets {
			for k, old := range g.buckets {
				if old.Tokens() >= float64(g.c.Burst) {
					delete(g.buckets, k)
				}
			}
		}
		b = rate.NewLimiter(rate.Limit(g.c.Rate), g.c.Burst)
		g.buckets[key] = b
	}
	return b
}

// Permit denies a request that the table does not give its caller. It asks nothing of
// what the request is about but where it stands: what does not exist and what is not
// the caller's answer alike.
func (g *Guard) Permit(ctx context.Context, method string, req proto.Message) error {
	c := callerOf(ctx)
	if c == nil {
		return unauthenticated("the connection carries no identity")
	}
	err := g.judge(ctx, c, method, req)
	if apierr.Is(err, errorv1.Reason_REASON_PERMISSION_DENIED) {
		e, _ := apierr.Parse(err)
		g.c.Log.Warn("denied", zap.String("method", method), zap.String("caller", c.URI), zap.String("field", e.Field))
	}
	return err
}

func (g *Guard) judge(ctx context.Context, c *caller, method string, req proto.Message) error {
	row, ok := g.table[method]
	if !ok || !slices.Contains(row.Roles, c.Role) {
		return denied("")
	}
	if c.Role.Everything() {
		return nil
	}
	if row.Whole {
		return c.whole(ctx, "")
	}
	for _, ask := range row.Asks {
		if err := g.ask(ctx, c, ask, req); err != nil {
			return err
		}
	}
	return nil
}

// ask judges the places that one part of a row names.
func (g *Guard) ask(ctx context.Context, c *caller, ask Ask, req proto.Message) error {
	if ask.Subjects != "" {
		return c.subjects(ctx, ask.Subjects, req)
	}
	places, fields := placesOf(ask, req, req)
	outside, err := c.outside(ctx, places)
	if err != nil || len(outside) == 0 {
		return err
	}
	if ask.EachAlone != "" && alone(ask, req) {
		for _, i := range outside {
			if c.denied == nil {
				c.denied = make(map[int]error)
			}
			c.denied[i] = denied(ask.Unit)
		}
		g.c.Log.Warn("items denied", zap.String("caller", c.URI), zap.Int("items", len(outside)))
		return nil
	}
	return denied(fields[outside[0]])
}

// denied is the one answer to what is not the caller's.
func denied(field string) error {
	return apierr.New(codes.PermissionDenied, errorv1.Reason_REASON_PERMISSION_DENIED, field,
		"not for this caller: its role may not do this, or what is named does not exist or is not within its unit's subtree")
}

// Show leaves out of a response what its caller may not see.
func (g *Guard) Show(ctx context.Context, method string, req, resp proto.Message) error {
	c, row := callerOf(ctx), g.table[method]
	if c == nil || row.Shown == nil || c.Role.Everything() {
		return nil
	}
	places, _ := placesOf(*row.Shown, resp, req)
	outside, err := c.outside(ctx, places)
	if err != nil || len(outside) == 0 {
		return err
	}
	leaveOut(resp, row.Shown.Each, outside)
	return nil
}

// Hold returns a context that ends, with the reason as its cause, when the certificate
// of the caller is not good any more: for calls that may go on for long.
func (g *Guard) Hold(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return ctx, func() { cancel(nil) }
	}
	if c, ok := p.AuthInfo.(*connection); ok {
		go func() {
			tick := time.NewTicker(lookEvery)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					if err := c.stillGood(); err != nil {
						cancel(unauthenticated("the certificate is not good any more"))
						return
					}
				}
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}
