package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// waits begins to wait for a place and returns where it is told of.
func waits(ctx context.Context, p *places, who string) chan func() {
	got := make(chan func(), 1)
	go func() {
		if leave, err := p.take(ctx, Heavy, who); err == nil {
			got <- leave
		}
	}()
	return got
}

// queued waits until so many of who wait.
func queued(t *testing.T, p *places, who string, n int) {
	t.Helper()
	for range 500 {
		p.mu.Lock()
		is := len(p.rooms[Heavy].queues[who])
		p.mu.Unlock()
		if is == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s does not wait %d times", who, n)
}

func TestPlacesAreServedInTurnByIdentity(t *testing.T) {
	p := newPlaces()
	var mine []func()
	for range placesOfOne[Heavy] {
		leave, err := p.take(t.Context(), Heavy, "noisy")
		if err != nil {
			t.Fatal(err)
		}
		mine = append(mine, leave)
	}
	for n := range 10 {
		waits(t.Context(), p, "noisy")
		queued(t, p, "noisy", n+1)
	}
	for n := range placesOfAll[Heavy] - placesOfOne[Heavy] {
		leave, err := p.take(t.Context(), Heavy, fmt.Sprint("quiet ", n)) // there is always one for somebody else
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	late := waits(t.Context(), p, "late") // all places are taken now
	queued(t, p, "late", 1)
	mine[0]() // for the next of noisy, which came first
	queued(t, p, "noisy", 9)
	mine[1]()
	select {
	case leave := <-late:
		leave()
	case <-time.After(5 * time.Second):
		t.Error("one that came later waits behind all of another's")
	}
}

func TestAQueueForPlacesIsBoundedAndLeft(t *testing.T) {
	p := newPlaces()
	for range placesOfOne[Heavy] {
		if _, err := p.take(t.Context(), Heavy, "noisy"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	for n := range maxQueued {
		waits(ctx, p, "noisy")
		queued(t, p, "noisy", n+1)
	}
	_, err := p.take(t.Context(), Heavy, "noisy")
	if e, _ := apierr.Parse(err); e.Reason != errorv1.Reason_REASON_BUSY || e.Retry != queueRetry {
		t.Errorf("one more: %v", err)
	}
	gone := errors.New("gone")
	cancel(gone)
	queued(t, p, "noisy", 0)
	r := p.rooms[Heavy]
	if len(r.turn) != 0 || r.free != placesOfAll[Heavy]-placesOfOne[Heavy] {
		t.Errorf("turn %v, %d free", r.turn, r.free)
	}
	if _, err := p.take(ctx, Heavy, "noisy"); !errors.Is(err, gone) {
		t.Errorf("a caller that has gone: %v", err)
	}
	if leave, err := p.take(t.Context(), Plain, "noisy"); err != nil {
		t.Errorf("a plain call waits: %v", err)
	} else {
		leave()
	}
}

func TestAllowanceCanBeOverdrawnByWhatACallCost(t *testing.T) {
	all := allowances{rate: 100, burst: 200, all: map[string]*allowance{}}
	who := Identity{URI: "spiffe://d/unit/79/a", Role: Unit, Unit: "79", Name: "a"}
	s := all.of(who)
	if _, ok := s.take(200); !ok {
		t.Error("a full allowance is refused")
	}
	if wait, ok := s.take(1); ok || wait <= 0 || wait > 20*time.Millisecond {
		t.Errorf("an empty one: %v, %t", wait, ok)
	}
	s.charge(1000)
	if wait, ok := s.take(1); ok || wait < 9*time.Second {
		t.Errorf("in debt by 1,000 at 100 a second: %v, %t", wait, ok)
	}
	s.charge(1_000_000)
	if wait, _ := s.take(1); wait > longestDebt+time.Second {
		t.Errorf("the longest debt is paid after %v", wait)
	}
	other := all.of(Identity{URI: "spiffe://d/unit/79/b", Role: Unit, Unit: "79", Name: "b"})
	if other.unit != s.unit || other.system == s.system {
		t.Error("two systems of a unit share what is their own, or do not share what is the unit's")
	}
}

// TestARefusalTakesNothing: what the unit has not is given back to the system.
func TestARefusalTakesNothing(t *testing.T) {
	all := allowances{rate: 1, burst: 100, all: map[string]*allowance{}}
	for _, name := range []string{"a", "b"} {
		if _, ok := all.of(Identity{URI: name, Role: Unit, Unit: "79", Name: name}).take(100); !ok {
			t.Fatal(name)
		}
	}
	c := all.of(Identity{URI: "c", Role: Unit, Unit: "79", Name: "c"})
	if _, ok := c.take(50); ok {
		t.Error("a third took what the unit has not")
	}
	if c.system.left < 99 {
		t.Errorf("it has %v left of 100", c.system.left)
	}
}
