package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// awaitFor is how long an event may take from its receipt to the listener.
const awaitFor = time.Minute

// Listener follows all facts, keeps the milestones, prints those of a whole country
// and counts those below. Handle is its handler for a Subscriber without filters.
type Listener struct {
	out   io.Writer
	names *show.Names

	mu         sync.Mutex
	milestones []*eventv1.Event
	told       int // milestones that Below has counted
	deadlines  []*eventv1.DeadlineReached
	last       uint64
	broken     error         // the first event that was not the next
	moved      chan struct{} // closed and made anew at each event
}

// NewListener returns one that prints to out.
func NewListener(out io.Writer, names *show.Names) *Listener {
	return &Listener{out: out, names: names, moved: make(chan struct{})}
}

// Handle takes in the next event.
func (l *Listener) Handle(ctx context.Context, e *eventv1.Event) error {
	crossed := e.GetMilestoneReached() != nil || e.GetMilestoneRevoked() != nil
	if crossed && !below(e) {
		fmt.Fprintln(l.out, l.names.Milestone(ctx, e))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.GetSequence() != l.last+1 && l.broken == nil {
		l.broken = fmt.Errorf("event %d came after event %d", e.GetSequence(), l.last)
	}
	l.last = e.GetSequence()
	if crossed {
		l.milestones = append(l.milestones, e)
	}
	for _, told := range []*eventv1.DeadlineReached{e.GetDeadlineDue(), e.GetDeadlineOverdue()} {
		if told != nil {
			l.deadlines = append(l.deadlines, told)
		}
	}
	close(l.moved)
	l.moved = make(chan struct{})
	return nil
}

// below reports whether an event is of a unit that is no root.
func below(e *eventv1.Event) bool { return strings.Contains(event.Path(e), ".") }

// Below prints, a line for each target, at how many units below the country each
// threshold was crossed since it was last asked.
func (l *Listener) Below(ctx context.Context) {
	l.mu.Lock()
	fresh := l.milestones[l.told:]
	l.told = len(l.milestones)
	l.mu.Unlock()
	type line struct{ what, target string }
	var lines []line
	counts, thresholds := make(map[line]map[string]int), make(map[line][]string)
	for _, e := range fresh {
		if !below(e) {
			continue
		}
		of, threshold := line{event.Name(e), event.TargetToken(e)}, l.names.Threshold(ctx, e)
		if counts[of] == nil {
			lines, counts[of] = append(lines, of), make(map[string]int)
		}
		if counts[of][threshold]++; counts[of][threshold] == 1 {
			thresholds[of] = append(thresholds[of], threshold)
		}
	}
	for _, of := range lines {
		var parts []string
		for _, t := range thresholds[of] {
			parts = append(parts, fmt.Sprintf("%s at %s", t, number(counts[of][t], "unit")))
		}
		fmt.Fprintf(l.out, "below it    %-8s %s: %s\n", of.what, of.target, strings.Join(parts, ", "))
	}
}

// number is how many there are of something.
func number(n int, of string) string {
	if n != 1 {
		of += "s"
	}
	return fmt.Sprintf("%d %s", n, of)
}

// Await waits until an event was taken in, each before it exactly once and in order.
func (l *Listener) Await(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, awaitFor)
	defer cancel()
	for {
		l.mu.Lock()
		last, broken, moved := l.last, l.broken, l.moved
		l.mu.Unlock()
		if broken != nil {
			return broken
		}
		if last >= sequence {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the subscriber has seen %d of %d events: %w", last, sequence, ctx.Err())
		case <-moved:
		}
	}
}

// Seen is how many events there were, and how many of them milestones.
func (l *Listener) Seen() (events uint64, milestones int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, len(l.milestones)
}

// Milestones lists those of one target at one unit, in order.
func (l *Listener) Milestones(programme, target, path string) []*eventv1.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*eventv1.Event
	for _, e := range l.milestones {
		if e.GetProgramme() == programme && event.TargetToken(e) == target && event.Path(e) == path {
			found = append(found, e)
		}
	}
	return found
}
