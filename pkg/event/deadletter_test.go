package event_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// letters are the dead letters of a subscription as `number attempts error`.
func (s *service) letters(subscription string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, d := range s.dead {
		if d.GetSubscription() == subscription {
			all = append(all, fmt.Sprintf("%d %d %s", d.GetSequence(), d.GetAttempts(), d.GetError()))
		}
	}
	return all
}

// without is numbers less one of them.
func without(all []uint64, n uint64) []uint64 {
	var out []uint64
	for _, v := range all {
		if v != n {
			out = append(out, v)
		}
	}
	return out
}

// poisoned fails on one event, always.
func poisoned(n uint64, err error) func(*eventv1.Event) error {
	return func(e *eventv1.Event) error {
		if e.GetSequence() == n {
			return err
		}
		return nil
	}
}

func TestSubscriberSetsAsideWhatItsHandlerCannotTakeIn(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(30) // vn.01, vn.79, vn.92 in turn: event 14 is of vn.79
	why := errors.New("no such\ncolumn \u202Ex")

	plain := s.read(event.Config{MaxAttempts: 3, Subscription: "plain"}, poisoned(14, why))
	filtered := s.read(event.Config{MaxAttempts: 2, Subscription: "filtered", Subjects: []string{"cotmoc.*.*.*.*.vn.79"}}, poisoned(14, why))
	slow := s.read(event.Config{MaxAttempts: 1, Subscription: "slow"}, func(e *eventv1.Event) error {
		time.Sleep(5 * time.Millisecond)
		return poisoned(14, why)(e)
	})
	other := s.read(event.Config{Subscription: "other"}, nil)

	other.wait(upTo(1, 30))
	plain.wait(without(upTo(1, 30), 14))
	slow.wait(without(upTo(1, 30), 14))
	filtered.wait([]uint64{2, 5, 8, 11, 17, 20, 23, 26, 29})
	s.grow(6)
	plain.wait(without(upTo(1, 36), 14))
	filtered.wait([]uint64{2, 5, 8, 11, 17, 20, 23, 26, 29, 32, 35})
	for subscription, want := range map[string][]string{
		"plain": {"14 3 no such column  x"}, "filtered": {"14 2 no such column  x"}, "slow": {"14 1 no such column  x"}, "other": nil,
	} {
		if diff := cmp.Diff(want, s.letters(subscription)); diff != "" {
			t.Errorf("dead letters of %s (-want +got)\n%s", subscription, diff)
		}
	}
}

func TestSubscriberGoesOnAfterADeadLetterWhenItIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	p := &event.MemoryPositions{}
	r := s.read(event.Config{MaxAttempts: 2, Positions: p}, poisoned(20, errors.New("always")))
	for len(s.letters("reader")) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	r.wait(upTo(1, 19))
	s.must(r.end())
	s.grow(5)
	r = s.read(event.Config{MaxAttempts: 2, Positions: p}, nil)
	r.wait(upTo(21, 25))
	if n := len(s.letters("reader")); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

// TestSubscriberSkipsNothingThatCouldNotBeSetAside: while the note cannot be made, the
// event is tried again, and taken in when that works.
func TestSubscriberSkipsNothingThatCouldNotBeSetAside(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(10)
	s.refuse = status.Error(codes.Unavailable, "no NATS")
	var mu sync.Mutex
	failed := 0
	r := s.read(event.Config{MaxAttempts: 1}, func(e *eventv1.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if e.GetSequence() == 4 && failed < 4 {
			failed++
			return errors.New("not now")
		}
		return nil
	})
	r.wait(upTo(1, 10))
	if len(s.dead) != 0 {
		t.Errorf("dead letters %v", s.dead)
	}
}

// TestSubscriberSetsAsideWithoutPersonalData: an error that tells of a citizen is kept from
// the service, and the event is set aside all the same.
func TestSubscriberSetsAsideWithoutPersonalData(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(10)
	r := s.read(event.Config{MaxAttempts: 1, Subscription: "plain"}, poisoned(4, errors.New("no row for 0912345678")))
	r.wait(without(upTo(1, 10), 4))
	want := []string{"4 1 the error's text is left out, as it seems to hold personal data: see the subscriber's log"}
	if diff := cmp.Diff(want, s.letters("plain")); diff != "" {
		t.Errorf("dead letters (-want +got)\n%s", diff)
	}
}

func TestSubscriberEndsWhenItMaySetNothingAside(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(10)
	s.refuse = status.Error(codes.PermissionDenied, "not yours")
	r := s.read(event.Config{MaxAttempts: 1}, poisoned(4, errors.New("always")))
	select {
	case err := <-r.done:
		if r.done <- err; status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "event 4") {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run did not end")
	}
}

func TestSubscriberSetsAsideWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	for _, filtered := range []bool{false, true} {
		s := newService(t)
		for range 6 {
			s.add("chip-cards", "vn.79")
		}
		s.log[2].Event = []byte("\xff\xff not an event")
		s.publish(1, 2)
		s.put(s.log[2].GetSubject(), nil, s.log[2].GetEvent(), 3)
		s.publish(4, 6)
		c := event.Config{MaxAttempts: 5}
		if filtered {
			c.Subjects = []string{"cotmoc.*.submission.>"}
		}
		r := s.read(c, nil)
		r.wait([]uint64{1, 2, 4, 5, 6})
		if got := s.letters("reader"); len(got) != 1 || !strings.HasPrefix(got[0], "3 1 decode event: ") {
			t.Errorf("filtered %v: dead letters %q", filtered, got)
		}
	}
}
