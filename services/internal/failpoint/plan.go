package failpoint

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrPlanned is what a point with the action error fails with.
var ErrPlanned = errors.New("failpoint: planned error")

// Plan is what to do at which points.
type Plan struct {
	steps map[Point]*step
	exit  func()              // ends the process at once
	sleep func(time.Duration) // waits
}

type step struct {
	action string
	sleep  time.Duration
	nth    uint64 // at the nth hit only, unless each
	each   bool   // at each nth hit
	hits   atomic.Uint64
}

// Parse reads a plan as the package says; an empty text does nothing anywhere.
func Parse(text string) (*Plan, error) {
	p := &Plan{steps: make(map[Point]*step), exit: kill, sleep: time.Sleep}
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		name, rest, ok := strings.Cut(item, "=")
		if !ok || !slices.Contains(Points(), Point(name)) {
			return nil, fmt.Errorf("failpoint %q: want <point>=<action>, with a point of %v", item, Points())
		}
		s, err := parseStep(rest)
		if err != nil {
			return nil, fmt.Errorf("failpoint %q: %w", item, err)
		}
		p.steps[Point(name)] = s
	}
	return p, nil
}

func parseStep(text string) (*step, error) {
	s := &step{nth: 1, each: true}
	if i := strings.IndexAny(text, "@%"); i >= 0 {
		n, err := strconv.ParseUint(text[i+1:], 10, 64)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%q is not a number from 1", text[i+1:])
		}
		s.nth, s.each, text = n, text[i] == '%', text[:i]
	}
	var wait string
	s.action, wait, _ = strings.Cut(text, ":")
	switch s.action {
	case "exit", "error", "panic":
		if wait != "" {
			return nil, fmt.Errorf("%s takes no duration", s.action)
		}
	case "sleep":
		var err error
		if s.sleep, err = time.ParseDuration(wait); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("action %q: want exit, sleep:<duration>, error or panic", s.action)
	}
	return s, nil
}

// Hit counts a hit of the point, and does what is planned for it.
func (p *Plan) Hit(at Point) error {
	s := p.steps[at]
	if s == nil {
		return nil
	}
	n := s.hits.Add(1)
	if s.each && n%s.nth != 0 || !s.each && n != s.nth {
		return nil
	}
	switch s.action {
	case "exit":
		p.exit()
	case "sleep":
		p.sleep(s.sleep)
	case "panic":
		panic(fmt.Sprintf("failpoint %s: planned panic", at))
	case "error":
		return fmt.Errorf("%w at %s", ErrPlanned, at)
	}
	return nil
}

// kill ends the process as a crash does: nothing is flushed, nobody is told.
func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // it takes a moment
}
