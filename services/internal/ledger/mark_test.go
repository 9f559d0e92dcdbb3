package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

// still is a clock set by hand.
func still(c *ledger.Config[*counters]) {
	c.Now = func() time.Time { return time.Date(2022, 7, 31, 17, 0, 0, 0, time.UTC) }
}

// sameCommands has an engine decide n blocks, always the same ones.
func sameCommands(t *testing.T, e *ledger.Engine[*counters], n int) {
	t.Helper()
	for i := range n {
		mustDo(t, e, func(s *counters) error {
			for j := range 3 {
				s.Add(fmt.Sprint("c", i), int64(j+1))
			}
			return nil
		})
	}
}

// marksOf are the marks of a store's entries, each found on its own.
func marksOf(t *testing.T, store ledger.Store) []ledger.Mark {
	t.Helper()
	var all []ledger.Mark
	for b, err := range store.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		inOneGo := b.Marks()
		for n := b.First; n <= b.End(); n++ {
			m := b.Marks().Of(n)
			if got := inOneGo.Of(n); got != m {
				t.Errorf("entry %d has the mark %s, after others in the block %s", n, m, got)
			}
			all = append(all, m)
		}
	}
	return all
}

// copyOf is a store with the first blocks of another.
func copyOf(t *testing.T, store ledger.Store, blocks int) *ledgertest.Memory {
	t.Helper()
	to := new(ledgertest.Memory)
	for b, err := range store.Blocks(t.Context(), 0) {
		if blocks--; blocks < 0 {
			break
		}
		if err == nil {
			err = to.Append(t.Context(), b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// differ checks that no mark stands in two of the lists at once or twice in one.
func differ(t *testing.T, lists ...[]ledger.Mark) {
	t.Helper()
	seen := map[ledger.Mark]string{}
	for i, list := range lists {
		for n, m := range list {
			at := fmt.Sprintf("entry %d of list %d", n+1, i)
			if was, ok := seen[m]; ok {
				t.Errorf("%s has the mark of %s", at, was)
			}
			seen[m] = at
		}
	}
}

func TestMarks_of_logs_with_the_same_bytes_differ(t *testing.T) {
	one, other := new(ledgertest.Memory), new(ledgertest.Memory)
	for _, store := range []*ledgertest.Memory{one, other} {
		sameCommands(t, open(t, store, still), 5)
	}
	a, _ := one.Head(t.Context())
	b, _ := other.Head(t.Context())
	if a.Hash != b.Hash {
		t.Fatal("the logs were meant to be the same to the byte")
	}
	differ(t, marksOf(t, one), marksOf(t, other))
}

func TestMarks_after_a_restore_differ_from_those_that_were_lost(t *testing.T) {
	store := new(ledgertest.Memory)
	sameCommands(t, open(t, store, still), 6)
	all := marksOf(t, store)
	// Three installations go on from the first two blocks, with the bytes of the lost ones.
	lists := [][]ledger.Mark{all}
	for range 3 {
		restored := copyOf(t, store, 2)
		e := open(t, restored, still)
		for i := 2; i < 6; i++ {
			mustDo(t, e, func(s *counters) error {
				for j := range 3 {
					s.Add(fmt.Sprint("c", i), int64(j+1))
				}
				return nil
			})
		}
		was, _ := store.Head(t.Context())
		if now, _ := restored.Head(t.Context()); was.Hash != now.Hash {
			t.Fatal("the logs were meant to be the same to the byte")
		}
		again := marksOf(t, restored)
		for n := range 6 {
			if again[n] != all[n] {
				t.Errorf("entry %d, which was in the backup, has another mark", n+1)
			}
		}
		lists = append(lists, again[6:])
	}
	differ(t, lists...)
}

func TestOrigin_finds_where_each_epoch_began(t *testing.T) {
	store := newStore(t)
	e := open(t, store)
	if _, err := e.Origin(t.Context(), 1); !errors.Is(err, ledger.ErrAbsent) {
		t.Errorf("an empty log: %v", err)
	}
	began := map[uint32]uint64{1: 1}
	sameCommands(t, e, 40)
	for _, epoch := range []uint32{2, 3, 4} { // epoch 3 is one block
		began[epoch] = e.Head().Sequence + 1
		if _, err := e.Declare(t.Context(), ledger.Declaration{Epoch: epoch}, add("declared", 1)); err != nil {
			t.Fatal(err)
		}
		if epoch != 3 {
			sameCommands(t, e, 7)
		}
	}
	marks := marksOf(t, store)
	replica := open(t, store, following)
	for epoch, n := range began {
		want := ledger.Origin{Log: marks[0], Epoch: epoch, Since: marks[n-1]}
		for range 2 { // looked up, and remembered
			for _, e := range []*ledger.Engine[*counters]{e, replica} {
				if got, err := e.Origin(t.Context(), epoch); err != nil || got != want {
					t.Errorf("epoch %d has the origin %v, want %v: %v", epoch, got, want, err)
				}
			}
		}
	}
	if _, err := e.Origin(t.Context(), 5); !errors.Is(err, ledger.ErrAbsent) {
		t.Errorf("an epoch that was not declared: %v", err)
	}
}

func TestOrigin_of_two_copies_differs_once_they_declared(t *testing.T) {
	store := new(ledgertest.Memory)
	sameCommands(t, open(t, store, still), 3)
	var origins []ledger.Origin
	for range 2 {
		e := open(t, copyOf(t, store, 3), still)
		if _, err := e.Declare(t.Context(), ledger.Declaration{Epoch: 2}, add("declared", 1)); err != nil {
			t.Fatal(err)
		}
		o, err := e.Origin(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		origins = append(origins, o)
	}
	if origins[0].Log != origins[1].Log || origins[0].Since == origins[1].Since {
		t.Errorf("%v and %v", origins[0], origins[1])
	}
}
