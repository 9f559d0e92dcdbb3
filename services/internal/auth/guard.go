package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// GuardConfig is what a guard is made of.
type GuardConfig struct {
	// Trees judge requests, by the proto package of the service that is called, such as
	// `cotmoc.reporting.v1`. A package without one is closed to all that have a subtree,
	// where a row asks for a place.
	Trees map[string]Tree
	// Rate is how many units a system may spend each second, and all systems of a unit
	// together twice as many: a plain call is one, an item of a batch is one, and so are
	// 4 KiB of a request. 0 means 2,000, below zero no limit.
	Rate float64
	// Burst is how many it may spend at once; 0 means 4,000. A batch larger than that is
	// never taken.
	Burst int
	// Log gets a line for each certificate that ceased to be good. Nil discards them.
	Log *zap.Logger
}

// Guard lets callers do what the table says, and nothing else. It is safe for
// concurrent use.
type Guard struct {
	c          GuardConfig
	table      map[string]Row
	allowances allowances
	places     *places
	sample     obs.Sampler
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
	return &Guard{c: c, table: Table(), places: newPlaces(),
		allowances: allowances{rate: c.Rate, burst: c.Burst, all: make(map[string]*allowance)}}
}

// Arrive finds out who calls and whether a call of this method may come in, by all that is
// known before its request is: who calls, in which role, and whether the allowance is spent.
// The context that it returns knows the caller, as FromContext tells.
func (g *Guard) Arrive(ctx context.Context, method string) (context.Context, error) {
	ctx, err := g.identify(ctx, method)
	if err != nil {
		return ctx, err
	}
	c := callerOf(ctx)
	if c.share != nil {
		if wait, ok := c.share.take(1); !ok {
			return ctx, limited(wait)
		}
	}
	if row, known := g.table[method]; !known || !slices.Contains(row.Roles, c.Role) {
		return ctx, denied("")
	}
	return ctx, nil
}

func limited(wait time.Duration) error {
	return apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_RATE_LIMITED, "",
		"this caller sends more than its share; send the same request again"), wait)
}

// identify finds out who calls, and that the certificate is still good.
func (g *Guard) identify(ctx context.Context, method string) (context.Context, error) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return ctx, unauthenticated("there is no connection")
	}
	c, ok := p.AuthInfo.(*connection)
	if !ok {
		return ctx, unauthenticated("the connection carries no identity")
	}
	if err := c.stillGood(); err != nil {
		if n := g.sample.Count(c.who.URI); n > 0 {
			g.c.Log.Warn("a certificate is not good any more", zap.String("caller", c.who.URI), zap.Uint64("times", n), zap.Error(err))
		}
		return ctx, unauthenticated("the certificate is not good any more")
	}
	one := &caller{Identity: c.who, tree: g.c.Trees[packageOf(method)]}
	if g.c.Rate > 0 {
		if one.share = c.share.Load(); one.share == nil {
			one.share = g.allowances.of(c.who)
			c.share.Store(one.share)
		}
	}
	return context.WithValue(ctx, callerKey{}, one), nil
}

func unauthenticated(text string) error {
	return apierr.New(codes.Unauthenticated, errorv1.Reason_REASON_UNAUTHENTICATED, "", text)
}

// packageOf is the proto package of a full method name.
func packageOf(method string) string {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return service[:max(0, strings.LastIndexByte(service, '.'))]
}

// Allow takes from its caller's allowance what a request of so many items and bytes costs
// beyond the one unit that Arrive took; it refuses what is above it.
func (g *Guard) Allow(ctx context.Context, items, size int) error {
	c := callerOf(ctx)
	if c == nil || c.share == nil {
		return nil
	}
	cost := items
	if cost > g.c.Burst {
		return apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_RATE_LIMITED, "",
			fmt.Sprintf("a batch of %d is more than this caller may send at once: %d", cost, g.c.Burst))
	}
	if cost = max(cost, size/BytesPerUnit) - 1; cost <= 0 {
		return nil
	}
	if wait, ok := c.share.take(min(cost, g.c.Burst)); !ok {
		return limited(wait)
	}
	return nil
}

// Permit denies a request that the table does not give its caller. It asks nothing of
// what the request is about but where it stands: what does not exist and what is not
// the caller's answer alike.
func (g *Guard) Permit(ctx context.Context, method string, req proto.Message) error {
	c := callerOf(ctx)
	if c == nil {
		return unauthenticated("the connection carries no identity")
	}
	return g.judge(ctx, c, method, req)
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
		if n := g.sample.Count("items " + c.URI); n > 0 {
			g.c.Log.Warn("items denied", zap.String("caller", c.URI), zap.Int("items", len(outside)), zap.Uint64("times", n))
		}
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
