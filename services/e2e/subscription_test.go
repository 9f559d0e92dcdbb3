package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// reported is a pair with a target and a report for each of the first n months.
func reported(t *testing.T, n int) *rig {
	t.Helper()
	r := inProcess(t)
	r.owe(t, append(tree(), target("cards", typev1.ValueKind_VALUE_KIND_COUNT, nil))...)
	r.at(t, start.AddDate(1, 0, 0))
	for i := range n {
		r.submit(t, fmt.Sprint("r", i), count("26734", "cards", fmt.Sprintf("2022-M%02d", i+1), int64(i)))
	}
	return r
}

// subscription waits until a subscription stands as is wanted.
func subscription(t *testing.T, r *rig, name string, ok func(*reportingv1.SubscriptionStatus) bool) {
	t.Helper()
	var all *reportingv1.ListSubscriptionsResponse
	for range 500 {
		var err error
		if all, err = r.events.ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{}); err != nil {
			t.Fatal(err)
		}
		for _, s := range all.GetSubscriptions() {
			if s.GetSubscription() == name && ok(s) {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s is not as wanted: %v", name, all.GetSubscriptions())
}

func TestSubscriptionsAreListedWithTheirLagAndEnded(t *testing.T) {
	r := reported(t, 6)
	facts := []string{"cotmoc.p.submission.>"}
	for name, subjects := range map[string][]string{"behind": facts, "all": nil, "board": {"cotmoc.p.progress.>"}} {
		where, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: name, Subjects: subjects})
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: where.GetProgressStream(), false: "COTMOC-FACTS-1"}[name == "board"]; where.GetStream() != want {
			t.Errorf("%s is on %s", name, where.GetStream())
		}
	}
	head := status(t, r).GetHeadSequence()
	subscription(t, r, "behind", func(s *reportingv1.SubscriptionStatus) bool {
		return s.GetPending() == 6 && s.GetAckedSequence() == 0 && cmp.Equal(s.GetSubjects(), facts)
	})
	subscription(t, r, "all", func(s *reportingv1.SubscriptionStatus) bool {
		return s.GetPending() == head && len(s.GetSubjects()) == 0
	})
	subscription(t, r, "board", func(s *reportingv1.SubscriptionStatus) bool { return s.GetPending() > 0 })

	sub, err := event.New(event.Config{Conn: r.nats(t), Events: r.events, Subscription: "behind", Subjects: facts, Positions: &event.MemoryPositions{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sub.Run(ctx, func(context.Context, *eventv1.Event) error { return nil }) }()
	subscription(t, r, "behind", func(s *reportingv1.SubscriptionStatus) bool {
		return s.GetPending() == 0 && s.GetUnacked() == 0 && s.GetAckedSequence() == head
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}

	for _, name := range []string{"behind", "all", "board"} {
		if _, err := r.events.DeleteSubscription(t.Context(), &reportingv1.DeleteSubscriptionRequest{Subscription: name}); err != nil {
			t.Errorf("end %s: %v", name, err)
		}
		_, err := r.events.DeleteSubscription(t.Context(), &reportingv1.DeleteSubscriptionRequest{Subscription: name})
		if e, _ := apierr.Parse(err); e.Code != codes.NotFound || e.Reason != errorv1.Reason_REASON_SUBSCRIPTION_NOT_FOUND {
			t.Errorf("end %s again: %v", name, err)
		}
	}
	all, err := r.events.ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{})
	if err != nil || len(all.GetSubscriptions()) > 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}

// poisonedReader reads with a subscription until its context ends; its handler fails
// on one event, always, and takes its time.
type poisonedReader struct {
	mu  sync.Mutex
	got []uint64
}

func (p *poisonedReader) read(ctx context.Context, t *testing.T, r *rig, c event.Config, poison uint64, slow time.Duration) <-chan error {
	t.Helper()
	c.Conn, c.Events, c.Positions = r.nats(t), r.events, &event.MemoryPositions{}
	sub, err := event.New(c)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
			time.Sleep(slow)
			if e.GetSequence() == poison {
				return errors.New("column tổng\n is too short")
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.got = append(p.got, e.GetSequence())
			return nil
		})
	}()
	return done
}

func TestDeadLettersHoldUpNobody(t *testing.T) {
	r := reported(t, 12)
	head := status(t, r).GetHeadSequence()
	poison := head - 5
	ctx, cancel := context.WithCancel(t.Context())
	var plain, slow, filtered, other poisonedReader
	done := []<-chan error{
		plain.read(ctx, t, r, event.Config{Subscription: "plain", MaxAttempts: 2}, poison, 0),
		slow.read(ctx, t, r, event.Config{Subscription: "slow", MaxAttempts: 1}, poison, 3*time.Millisecond),
		filtered.read(ctx, t, r, event.Config{Subscription: "filtered", MaxAttempts: 3, Subjects: []string{"cotmoc.p.submission.>"}}, poison, 0),
		other.read(ctx, t, r, event.Config{Subscription: "other"}, 0, 0),
	}
	for name, attempts := range map[string]int32{"plain": 2, "slow": 1, "filtered": 3} {
		subscription(t, r, name, func(s *reportingv1.SubscriptionStatus) bool {
			return s.GetDeadLetters() == 1 && s.GetAckedSequence() == head && s.GetUnacked() == 0
		})
		letters, err := r.events.ListDeadLetters(t.Context(), &reportingv1.ListDeadLettersRequest{Subscription: name})
		if err != nil || len(letters.GetDeadLetters()) != 1 {
			t.Fatalf("%v, %v", letters, err)
		}
		d := letters.GetDeadLetters()[0]
		e, err := event.Decode(d.GetEvent().GetEvent())
		if err != nil || e.GetSequence() != poison || d.GetEvent().GetSequence() != poison || !strings.HasPrefix(d.GetEvent().GetSubject(), "cotmoc.p.submission.accepted.cards.") {
			t.Errorf("%s: %v, %v", name, d, err)
		}
		if d.GetAttempts() != attempts || d.GetError() != "column tổng  is too short" || !d.GetTime().IsValid() {
			t.Errorf("%s: %v", name, d)
		}
	}
	subscription(t, r, "other", func(s *reportingv1.SubscriptionStatus) bool {
		return s.GetDeadLetters() == 0 && s.GetAckedSequence() == head
	})
	cancel()
	for _, d := range done {
		if err := <-d; err != nil {
			t.Error(err)
		}
	}
	for name, p := range map[string]*poisonedReader{"plain": &plain, "slow": &slow, "other": &other} {
		var want []uint64
		for n := uint64(1); n <= head; n++ {
			if n != poison || name == "other" {
				want = append(want, n)
			}
		}
		if diff := cmp.Diff(want, p.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if len(filtered.got) != 11 {
		t.Errorf("filtered got %v", filtered.got)
	}
}

func TestDeadLettersAreNotedOnceAndForgottenWithTheirSubscription(t *testing.T) {
	r := reported(t, 3)
	put := func(sequence uint64, why string) error {
		_, err := r.events.PutDeadLetter(t.Context(), &reportingv1.PutDeadLetterRequest{Subscription: "s", Sequence: sequence, Error: why, Attempts: 1})
		return err
	}
	list := func(after uint64, size int32) (got []string) {
		resp, err := r.events.ListDeadLetters(t.Context(), &reportingv1.ListDeadLettersRequest{Subscription: "s", AfterSequence: after, PageSize: size})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range resp.GetDeadLetters() {
			got = append(got, fmt.Sprint(d.GetEvent().GetSequence(), d.GetError()))
		}
		return got
	}
	if got := list(0, 0); got != nil {
		t.Errorf("before the first: %v", got)
	}
	for _, p := range []struct {
		n   uint64
		why string
	}{{5, "five"}, {2, "two"}, {5, "again"}, {3, "three"}} {
		if err := put(p.n, p.why); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"2two", "3three", "5five"}, list(0, 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"3three"}, list(2, 1)); diff != "" {
		t.Error(diff)
	}
	err := put(status(t, r).GetHeadSequence()+1, "beyond")
	if e, _ := apierr.Parse(err); e.Code != codes.InvalidArgument || e.Field != "sequence" {
		t.Errorf("of an event that is none: %v", err)
	}
	if _, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: "s"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.events.DeleteSubscription(t.Context(), &reportingv1.DeleteSubscriptionRequest{Subscription: "s"}); err != nil {
		t.Fatal(err)
	}
	if got := list(0, 0); got != nil {
		t.Errorf("after its end: %v", got)
	}
}

// TestABoardBeginsAnewForEachReader: one name, two readers after each other, and
// nothing moved meanwhile.
func TestABoardBeginsAnewForEachReader(t *testing.T) {
	r := reported(t, 3)
	for reader := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		seen := map[string]bool{}
		err := event.Progress(ctx, event.ProgressConfig{Conn: r.nats(t), Events: r.events, Subscription: "b", Subjects: []string{"cotmoc.p.progress.changed.cards.>"}},
			func(_ context.Context, p *eventv1.ProgressChanged) error {
				if p.GetCurrent().GetNumerator() == 2 {
					seen[p.GetPath()] = true
				}
				if len(seen) == 2 {
					cancel()
				}
				return nil
			})
		cancel()
		if err != nil || !seen["vn"] || !seen["vn.79"] {
			t.Fatalf("reader %d saw %v, %v", reader, seen, err)
		}
		time.Sleep(1500 * time.Millisecond) // what is published late is before the next reader
	}
}
