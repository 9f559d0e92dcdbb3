package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// account is one of a watch, with a connection that nobody uses.
func account(t *testing.T, w *Watch, key, group string) (*Account, *Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	c := w.Watch(near, key, group)
	return c.Account(), c
}

func begin(a *Account, stream bool) (*Call, context.CancelFunc, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c, err := a.Begin(ctx, cancel, stream, 0, func(error) {})
	return c, cancel, err
}

// TestNothingIsHeldForEver: whenever a call ends, what it held is given back.
func TestNothingIsHeldForEver(t *testing.T) {
	steps := map[string]func(c *Call, cancel context.CancelFunc){
		"arrives":  func(c *Call, _ context.CancelFunc) { c.Arrived() },
		"holds":    func(c *Call, _ context.CancelFunc) { _ = c.Hold(1000) },
		"gives up": func(_ *Call, cancel context.CancelFunc) { cancel() },
		"is swept": func(c *Call, _ context.CancelFunc) { c.account.sweep(time.Now().Add(time.Hour)) },
		"ends":     func(c *Call, _ context.CancelFunc) { c.End() },
	}
	var orders func(left []string, so []string, try func([]string))
	orders = func(left, so []string, try func([]string)) {
		if len(left) == 0 {
			try(so)
			return
		}
		for i := range left {
			rest := append(append([]string{}, left[:i]...), left[i+1:]...)
			orders(rest, append(so[:len(so):len(so)], left[i]), try)
		}
	}
	all := []string{"arrives", "holds", "gives up", "is swept", "ends"}
	for _, stream := range []bool{false, true} {
		orders(all, nil, func(order []string) {
			w := New(Limits{}, nil)
			a, conn := account(t, w, "unit/79/a", "unit/79")
			c, cancel, err := begin(a, stream)
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range order {
				steps[step](c, cancel)
			}
			c.End()
			_ = conn.Close()
			if a.calls != 0 || a.streams != 0 || a.group.calls.Load() != 0 || w.calls.Load() != 0 || w.streams.Load() != 0 ||
				w.held.Load() != 0 || a.held.Load() != 0 || a.first != nil {
				t.Errorf("%v, stream %t: %d calls, %d streams, %d bytes are left", order, stream, a.calls, a.streams, a.held.Load())
			}
		})
	}
}

// TestFewAreServedWhereOthersHoldMuch: eight systems of a unit hold what they can, and one
// of another unit is served.
func TestFewAreServedWhereOthersHoldMuch(t *testing.T) {
	w := New(Limits{Calls: 1000, CallsByAll: 3000}, nil)
	taken := 0
	for unit := range 4 {
		for system := range 4 {
			a, _ := account(t, w, fmt.Sprint("unit/", unit, "/", system), fmt.Sprint("unit/", unit))
			n := 0
			for ; ; n++ {
				if _, _, err := begin(a, false); err != nil {
					break
				}
			}
			taken += n
		}
	}
	if taken >= 3000 || taken < 1500 {
		t.Errorf("%d calls were taken of those who held many", taken)
	}
	other, _ := account(t, w, "unit/x/a", "unit/x")
	for range fewCalls {
		if _, _, err := begin(other, false); err != nil {
			t.Fatalf("one that holds few: %v", err)
		}
	}
	if _, _, err := begin(other, false); !errors.Is(err, ErrCrowded) {
		t.Errorf("one more: %v", err)
	}
}

func TestAUnitsSystemsShareTwiceWhatOneMayHave(t *testing.T) {
	w := New(Limits{Calls: 10}, nil)
	for system, want := range []int{10, 10, 0} {
		a, _ := account(t, w, fmt.Sprint("unit/79/", system), "unit/79")
		n := 0
		for range 15 {
			if _, _, err := begin(a, false); err == nil {
				n++
			}
		}
		if n != want {
			t.Errorf("system %d had %d, want %d", system, n, want)
		}
	}
}

func TestStreamsTakeNoPlaceOfCalls(t *testing.T) {
	w := New(Limits{Streams: 5, Calls: 5}, nil)
	a, _ := account(t, w, "unit/79/a", "unit/79")
	for _, stream := range []bool{true, false} {
		for range 5 {
			if _, _, err := begin(a, stream); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := begin(a, stream); !errors.Is(err, ErrCalls) {
			t.Errorf("a sixth, stream %t: %v", stream, err)
		}
	}
}

// TestWhatAnAnswerIsOwedEndsWithItsStream: of several answers on a connection that is never
// idle, compressed ones and those that were given up included.
func TestWhatAnAnswerIsOwedEndsWithItsStream(t *testing.T) {
	w := New(Limits{}, nil)
	a, c := account(t, w, "unit/79/a", "unit/79")
	received := func(f frame) { c.mu.Lock(); defer c.mu.Unlock(); c.received(f) }
	sent := func(f frame) { c.mu.Lock(); defer c.mu.Unlock(); c.sent(f) }
	received(frame{kind: typeHeaders, stream: 1}) // a watch, which stays
	for n := range uint32(100) {
		stream := 2*n + 3
		received(frame{kind: typeHeaders, stream: stream})
		c.Owe(stream, 500_000)
		if n%2 == 0 {
			sent(frame{kind: typeData, stream: stream, length: 5000}) // it was compressed
			sent(frame{kind: typeHeaders, stream: stream, flags: flagEnd})
		} else {
			received(frame{kind: typeReset, stream: stream})
		}
		if owed := a.owed.Load(); owed != 0 {
			t.Fatalf("%d bytes are owed after answer %d", owed, n)
		}
	}
	for range 100 { // a stream of many compressed answers
		c.Owe(1, 500_000)
		sent(frame{kind: typeData, stream: 1, length: 5000})
	}
	if owed := a.owed.Load(); owed != 495_000 {
		t.Errorf("%d bytes are owed to a stream of many", owed)
	}
}
