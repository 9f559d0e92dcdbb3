package ledgertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// RunTurns checks that a kind of store gives turns as ledger.Turner says. fresh makes
// an empty database and returns its opener.
func RunTurns(t *testing.T, fresh func(*testing.T) Opener) {
	t.Run("one_at_a_time", func(t *testing.T) { testTurnsApart(t, fresh(t)) })
	t.Run("asked_first_served_first", func(t *testing.T) { testTurnsInOrder(t, fresh(t)) })
	t.Run("waits_no_longer_than_its_context", func(t *testing.T) { testTurnsBounded(t, fresh(t)) })
}

func turner(t *testing.T, open Opener) ledger.Turner {
	t.Helper()
	s, ok := opened(t, open).(ledger.Turner)
	if !ok {
		t.Fatal("the store gives no turns")
	}
	return s
}

func testTurnsApart(t *testing.T, open Opener) {
	a, b := turner(t, open), turner(t, open)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, s := range []ledger.Turner{a, b, a, b} {
		wg.Go(func() {
			for range 10 {
				release, err := s.Turn(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if !mu.TryLock() {
					t.Error("two have a turn")
				} else {
					time.Sleep(time.Millisecond)
					mu.Unlock()
				}
				release()
			}
		})
	}
	wg.Wait()
}

func testTurnsInOrder(t *testing.T, open Opener) {
	a, b := turner(t, open), turner(t, open)
	release, err := a.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 2)
	for i, s := range []ledger.Turner{b, a} {
		go func() {
			end, err := s.Turn(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			got <- []string{"first", "second"}[i]
			end()
		}()
		time.Sleep(50 * time.Millisecond) // until it waits
	}
	release()
	if first, second := <-got, <-got; first != "first" || second != "second" {
		t.Errorf("%s, then %s", first, second)
	}
}

func testTurnsBounded(t *testing.T, open Opener) {
	a, b := turner(t, open), turner(t, open)
	release, err := a.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of the context", err)
	}
	release()
	if release, err = b.Turn(t.Context()); err != nil {
		t.Fatal(err) // who gave up waiting left nothing behind
	}
	release()
}
