package load

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Steady calls do n times, each in a goroutine of its own when it is due, evenly over
// a time: later calls do not wait for earlier ones, unless so many are under way. It
// returns when all have ended; after ctx has ended it begins no more.
func Steady(ctx context.Context, n int, over time.Duration, most int, do func(i int, due time.Time)) {
	room := make(chan struct{}, most)
	began := time.Now()
	var calls sync.WaitGroup
	defer calls.Wait()
	for i := range n {
		due := began.Add(time.Duration(float64(over) * float64(i) / float64(n)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		calls.Go(func() {
			defer func() { <-room }()
			do(i, due)
		})
	}
}

// Times are how long things took. They are safe for concurrent use.
type Times struct {
	mu  sync.Mutex
	all []time.Duration
}

// Note adds how long a thing took.
func (t *Times) Note(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
}

// Count is how many there are.
func (t *Times) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// Spread is what they come to.
func (t *Times) Spread() Spread {
	t.mu.Lock()
	all := slices.Sorted(slices.Values(t.all))
	t.mu.Unlock()
	if len(all) == 0 {
		return Spread{}
	}
	at := func(part float64) time.Duration { return all[int(math.Ceil(part*float64(len(all))))-1] }
	return Spread{Count: len(all), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// Spread is what many times come to: so many parts of them are not longer.
type Spread struct {
	Count         int
	P50, P99, Max time.Duration
}

// String tells it on a line.
func (s Spread) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v of %d", round(s.P50), round(s.P99), round(s.Max), s.Count)
}
