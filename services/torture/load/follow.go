package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

// Follower is a subscriber that writes down what it is given.
type Follower struct {
	Name     string
	Filters  []string
	Slow     time.Duration // it takes so long over every hundredth event
	Restarts time.Duration // it begins anew about so often, from the position on disk

	mu  sync.Mutex
	got []check.Delivered
	err error
}

// Followers are four kinds: fast, slow, restarted again and again, and two with filters.
func Followers() []*Follower {
	return []*Follower{
		{Name: "fast"},
		{Name: "slow", Slow: 50 * time.Millisecond},
		{Name: "restarted", Restarts: time.Second},
		{Name: "milestones", Filters: []string{"cotmoc.*.milestone.>"}},
		{Name: "cards", Filters: []string{"cotmoc.*.submission.*.cards.>", "cotmoc.*.milestone.reached.>"}, Restarts: 3 * time.Second},
	}
}

// Run follows until ctx ends. dir is where its position is kept.
func (f *Follower) Run(ctx context.Context, nc *nats.Conn, events reportingv1.EventServiceClient, dir string) {
	positions := event.FilePositions(filepath.Join(dir, f.Name+".position"))
	for ctx.Err() == nil {
		err := f.once(ctx, event.Config{Conn: nc, Events: events, Subscription: f.Name, Subjects: f.Filters, Positions: positions})
		if err != nil {
			f.mu.Lock()
			f.err = err
			f.mu.Unlock()
			return
		}
	}
}

func (f *Follower) once(ctx context.Context, c event.Config) error {
	if f.Restarts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.Restarts/2+rand.N(f.Restarts))
		defer cancel()
	}
	s, err := event.New(c)
	if err != nil {
		return err
	}
	return s.Run(ctx, f.take)
}

func (f *Follower) take(_ context.Context, e *eventv1.Event) error {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.got = append(f.got, check.Delivered{Sequence: e.GetSequence(), Digest: check.DigestOf(b)})
	n := len(f.got)
	f.mu.Unlock()
	if f.Slow > 0 && n%100 == 0 {
		time.Sleep(f.Slow)
	}
	return nil
}

// Journal is what it was given so far, and an error when it gave up.
func (f *Follower) Journal() (check.Journal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return check.Journal{}, fmt.Errorf("subscriber %s gave up: %w", f.Name, f.err)
	}
	return check.Journal{Name: f.Name, Filters: f.Filters, Got: append([]check.Delivered(nil), f.got...)}, nil
}

// Last is the newest event that it was given.
func (f *Follower) Last() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) == 0 {
		return 0
	}
	return f.got[len(f.got)-1].Sequence
}
