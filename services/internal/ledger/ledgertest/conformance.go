// Package ledgertest holds the suite that every ledger.Store must pass, and a small
// state and a faulty store to try engines with.
package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// Opener opens one database, as often as it is called. The suite closes what it opens.
type Opener func(*testing.T) ledger.Store

// Run tries a kind of store. fresh makes an empty database and returns its opener.
func Run(t *testing.T, fresh func(*testing.T) Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"empty_log_has_the_zero_head", testEmpty},
		{"what_was_appended_is_read_back", testReadBack},
		{"stale_number_conflicts", testStale},
		{"number_beyond_the_end_conflicts", testGap},
		{"first_block_must_begin_the_chain", testBegin},
		{"other_chain_conflicts", testOtherChain},
		{"blocks_after_a_number", testAfter},
		{"reading_may_stop_early", testStopEarly},
		{"reading_sees_the_log_as_it_was_called", testReadWhileAppending},
		{"one_of_racing_appenders_wins_each_number", testRace},
		{"two_handles_race_on_one_database", testTwoHandles},
		{"log_is_there_after_reopening", testReopen},
		{"large_block", testLarge},
		{"too_large_block_is_refused", testTooLarge},
		{"ended_context_appends_nothing", testEndedContext},
		{"time_is_near", testNow},
		{"asking_for_room_leaves_the_log_as_it_is", testRoom},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

// Next returns a sealed block of n entries that follows h, with random content.
func Next(h ledger.Head, n int) *ledger.Block {
	b := &ledger.Block{
		Level: ledger.Level, Epoch: ledger.FirstEpoch, First: h.Sequence + 1, Prev: h.Hash, Writer: rand.Uint64(),
		Time: h.Time.Add(time.Duration(1+rand.IntN(5)) * time.Millisecond),
	}
	if h.Time.IsZero() {
		b.Time = time.Date(2022, 1, 18, 0, 0, 0, 123456000, time.UTC)
	}
	for i := range n {
		e := ledger.Entry{Event: fmt.Appendf(nil, "event %d %x", b.First+uint64(i), rand.Uint64())}
		switch i % 3 {
		case 1:
			e.Annex = fmt.Appendf(nil, "annex %x", rand.Uint64())
		case 2:
			e.Annex = []byte{}
		}
		b.Entries = append(b.Entries, e)
	}
	b.Seal()
	return b
}

// Fill appends blocks of the given sizes to the store's end and returns them.
func Fill(t *testing.T, s ledger.Store, sizes ...int) []*ledger.Block {
	t.Helper()
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var bs []*ledger.Block
	for _, n := range sizes {
		b := Next(h, n)
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		bs, h = append(bs, b), b.Head()
	}
	return bs
}

func opened(t *testing.T, open Opener) ledger.Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// read returns all blocks after a number and checks the chain where it is whole.
func read(t *testing.T, s ledger.Store, after uint64) []*ledger.Block {
	t.Helper()
	var bs []*ledger.Block
	var h ledger.Head
	for b, err := range s.Blocks(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if after == 0 {
			if err := b.Follows(h); err != nil {
				t.Fatal(err)
			}
			h = b.Head()
		}
		bs = append(bs, b)
	}
	return bs
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if reflect.DeepEqual(want, got) { // cmp is slow on megabytes
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal("(-want +got)\n" + d)
	}
}

// unchanged checks that the log is still what it was.
func unchanged(t *testing.T, s ledger.Store, want []*ledger.Block) {
	t.Helper()
	equal(t, read(t, s, 0), want)
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, h, want[len(want)-1].Head())
}

func conflicts(t *testing.T, s ledger.Store, b *ledger.Block) {
	t.Helper()
	if err := s.Append(t.Context(), b); !errors.Is(err, ledger.ErrConflict) {
		t.Fatalf("append block %d: %v, want ErrConflict", b.First, err)
	}
}

func testEmpty(t *testing.T, open Opener) {
	s := opened(t, open)
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, h, ledger.Head{})
	if bs := read(t, s, 0); bs != nil {
		t.Fatalf("%d blocks in an empty log", len(bs))
	}
	if bs := read(t, s, 7); bs != nil {
		t.Fatalf("%d blocks after 7 in an empty log", len(bs))
	}
}

func testReadBack(t *testing.T, open Opener) {
	s := opened(t, open)
	unchanged(t, s, Fill(t, s, 1, 3, 500, 2))
}

func testStale(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 2, 3)
	conflicts(t, s, bs[1])
	conflicts(t, s, bs[0])
	conflicts(t, s, Next(bs[0].Head(), 3))
	conflicts(t, s, Next(bs[0].Head(), 5))
	inside := Next(bs[0].Head(), 2)
	inside.First++
	inside.Seal()
	conflicts(t, s, inside)
	unchanged(t, s, bs)
}

func testGap(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 2)
	h := bs[0].Head()
	h.Sequence++
	conflicts(t, s, Next(h, 1))
	unchanged(t, s, bs)
}

func testBegin(t *testing.T, open Opener) {
	s := opened(t, open)
	conflicts(t, s, Next(ledger.Head{Sequence: 4}, 1))
	conflicts(t, s, Next(ledger.Head{Hash: ledger.Hash{1}}, 1))
	if bs := read(t, s, 0); bs != nil {
		t.Fatalf("%d blocks", len(bs))
	}
}

func testOtherChain(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 2)
	h := bs[0].Head()
	h.Hash[31] ^= 1
	conflicts(t, s, Next(h, 1))
	unchanged(t, s, bs)
}

func testAfter(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 3, 1, 4)
	for after, first := range []int{0, 0, 0, 1, 2, 2, 2, 2, 3, 3} {
		got := read(t, s, uint64(after))
		if len(got) != len(bs)-first {
			t.Fatalf("after %d: %d blocks, want %d", after, len(got), len(bs)-first)
		}
		for i, b := range got {
			equal(t, b, bs[first+i])
		}
	}
}

func testStopEarly(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 1, 1, 1, 1, 1, 1, 1)
	for range 50 { // an iterator that kept its connection would use them up
		for b, err := range s.Blocks(t.Context(), 2) {
			if err != nil {
				t.Fatal(err)
			}
			equal(t, b, bs[2])
			break
		}
	}
	unchanged(t, s, append(bs, Fill(t, s, 1)...))
}

func testReadWhileAppending(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 1, 2, 1, 1, 1, 1, 1, 1)
	var got []*ledger.Block
	for b, err := range s.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b)
		Fill(t, s, 1)
	}
	equal(t, got, bs)
	if n := len(read(t, s, 0)); n != 2*len(bs) {
		t.Fatalf("%d blocks, want %d", n, 2*len(bs))
	}
}

// race lets writers append to the end until each has won so many times, and checks
// that the log holds exactly the blocks that were won.
func race(t *testing.T, stores []ledger.Store, writers, wins int) {
	t.Helper()
	var mu sync.Mutex
	won := map[ledger.Hash]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		s := stores[w%len(stores)]
		wg.Go(func() {
			for n := 0; n < wins; {
				h, err := s.Head(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				b := Next(h, 1+rand.IntN(3))
				switch err := s.Append(t.Context(), b); {
				case err == nil:
					n++
					mu.Lock()
					won[b.Last] = true
					mu.Unlock()
				case !errors.Is(err, ledger.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	bs := read(t, stores[0], 0)
	for _, b := range bs {
		if !won[b.Last] {
			t.Errorf("block %d is in the log, but its writer was told it is not", b.First)
		}
	}
	if len(bs) != writers*wins || len(won) != writers*wins {
		t.Errorf("%d blocks in the log, %d won, want %d", len(bs), len(won), writers*wins)
	}
}

func testRace(t *testing.T, open Opener) {
	race(t, []ledger.Store{opened(t, open)}, 8, 12)
}

func testTwoHandles(t *testing.T, open Opener) {
	race(t, []ledger.Store{opened(t, open), opened(t, open)}, 8, 12)
}

func testReopen(t *testing.T, open Opener) {
	s := open(t)
	bs := Fill(t, s, 2, 40)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = opened(t, open)
	unchanged(t, s, bs)
	unchanged(t, s, append(bs, Fill(t, s, 1)...))
}

func testLarge(t *testing.T, open Opener) {
	s := opened(t, open)
	b := Next(ledger.Head{}, 20_000)
	noise := make([]byte, 8<<20) // does not compress
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	b.Entries[7].Event = noise
	b.Entries[8].Annex = bytes.Repeat([]byte("minh chứng "), 100_000)
	b.Seal()
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	unchanged(t, s, []*ledger.Block{b, Fill(t, s, 1)[0]})
}

func testTooLarge(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 1)
	b := Next(bs[0].Head(), 2)
	b.Entries[0].Event = make([]byte, ledger.MaxBytes)
	b.Seal()
	if err := s.Append(t.Context(), b); !errors.Is(err, ledger.ErrTooLarge) {
		t.Fatalf("%v, want ErrTooLarge", err)
	}
	unchanged(t, s, bs)
}

func testEndedContext(t *testing.T, open Opener) {
	s := opened(t, open)
	bs := Fill(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, Next(bs[0].Head(), 1)); err == nil || errors.Is(err, ledger.ErrConflict) {
		t.Fatalf("append: %v", err)
	}
	for _, err := range s.Blocks(ctx, 0) {
		if err == nil {
			t.Fatal("read with an ended context")
		}
	}
	unchanged(t, s, bs)
}

func testNow(t *testing.T, open Opener) {
	now, err := opened(t, open).Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(now).Abs(); d > time.Minute {
		t.Fatalf("the store's time is %v off", d)
	}
}

// testRoom is for those stores that can be asked.
func testRoom(t *testing.T, open Opener) {
	s := open(t)
	defer s.Close()
	r, ok := s.(ledger.Roomy)
	if !ok {
		return
	}
	for _, n := range []int{0, 3} {
		want := ledger.Head{}
		if n > 0 {
			bs := Fill(t, s, n)
			want = bs[len(bs)-1].Head()
		}
		if err := r.Room(t.Context()); err != nil {
			t.Error(err)
		}
		if h, err := s.Head(t.Context()); err != nil || h != want {
			t.Errorf("head %+v, %v, want %+v", h, err, want)
		}
	}
}
