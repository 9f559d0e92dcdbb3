package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// rig is a watched connection whose other side writes frames.
type rig struct {
	watch  *Watch
	server *Conn
	client *http2.Framer // writes what the server reads
	answer *http2.Framer // writes as the server does
	read   chan error    // how reading ended

	mu    sync.Mutex
	ended []string
}

func newRig(t *testing.T, l Limits) *rig {
	t.Helper()
	r := &rig{read: make(chan error, 1)}
	r.watch = New(l, func(_ *Conn, reason string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, reason)
	})
	r.connect(t, "unit/79")
	return r
}

func (r *rig) connect(t *testing.T, key string) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	r.server = r.watch.Watch(near, key, key)
	r.client, r.answer = http2.NewFramer(far, nil), http2.NewFramer(r.server, nil)
	go func(c *Conn) {
		_, err := io.Copy(io.Discard, c)
		r.read <- err
	}(r.server)
	go func() { _, _ = io.Copy(io.Discard, far) }()
	if _, err := far.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// settled waits until what was written was looked at.
func (r *rig) settled(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 200 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("not %s: held %d, owed %d", what, r.server.account.held.Load(), r.server.account.owed.Load())
}

func TestBytesOfARequestAreHeldUntilItsStreamEnds(t *testing.T) {
	for name, end := range map[string]func(*rig) error{
		"by an answer's last data": func(r *rig) error { return r.answer.WriteData(1, true, nil) },
		"by trailers": func(r *rig) error {
			return r.answer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true})
		},
		"by the server's reset": func(r *rig) error { return r.answer.WriteRSTStream(1, http2.ErrCodeNo) },
		"by the caller's reset": func(r *rig) error { return r.client.WriteRSTStream(1, http2.ErrCodeCancel) },
		"with the connection":   func(r *rig) error { return r.server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Limits{})
			held := r.server.account.held.Load
			_ = r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte("x")})
			_ = r.client.WriteData(1, false, make([]byte, 1000))
			_ = r.client.WriteData(1, true, make([]byte, 234))
			r.settled(t, "held", func() bool { return held() == 1234 && r.watch.held.Load() == 1234 })
			_ = r.client.WriteData(3, true, make([]byte, 77)) // of a stream that was never opened
			if err := end(r); err != nil {
				t.Fatal(err)
			}
			r.settled(t, "released", func() bool { return held() == 0 && r.watch.held.Load() == 0 })
		})
	}
}

func TestFramesAreFoundHoweverTheirBytesCome(t *testing.T) {
	var all bytes.Buffer
	w := http2.NewFramer(&all, nil)
	for i := range uint32(50) {
		_ = w.WriteData(2*i+1, i%2 == 0, make([]byte, i*37))
		_ = w.WritePing(false, [8]byte{})
	}
	for _, step := range []int{1, 2, 8, 9, 10, 1000, all.Len()} {
		var got, data int
		f := frames{each: func(h frame) {
			got++
			if h.kind == typeData {
				data += h.length
				if h.ends() != ((h.stream-1)/2%2 == 0) {
					t.Errorf("stream %d ends: %t", h.stream, h.ends())
				}
			}
		}}
		for rest := all.Bytes(); len(rest) > 0; rest = rest[min(step, len(rest)):] {
			f.feed(rest[:min(step, len(rest))])
		}
		if got != 100 || data != 37*49*50/2 {
			t.Errorf("in steps of %d: %d frames, %d bytes of data", step, got, data)
		}
	}
}

func TestWhoHoldsTooMuchLosesTheConnection(t *testing.T) {
	r := newRig(t, Limits{Held: 10_000})
	_ = r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true})
	for range 11 {
		if r.client.WriteData(1, false, make([]byte, 1000)) != nil {
			break
		}
	}
	if err := <-r.read; !errors.Is(err, errEnded) {
		t.Errorf("reading ended with %v", err)
	}
	if got := r.reasons(); len(got) != 1 || got[0] != ReasonHeld {
		t.Errorf("told of %v", got)
	}
	if n := r.watch.held.Load(); n != 0 {
		t.Errorf("%d bytes are held after it", n)
	}
}

// TestTheOneThatHoldsMostMakesRoom: what another identity holds is left alone.
func TestTheOneThatHoldsMostMakesRoom(t *testing.T) {
	r := newRig(t, Limits{HeldByAll: 10_000})
	small, smallRead := r.client, r.read
	first := r.server
	_ = small.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true})
	_ = small.WriteData(1, false, make([]byte, 2000))
	r.read = make(chan error, 1)
	r.connect(t, "unit/01")
	_ = r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true})
	_ = r.client.WriteData(1, false, make([]byte, 7000))
	_ = small.WriteData(1, false, make([]byte, 1500)) // above 10,000 together
	<-r.read
	r.settled(t, "released", func() bool { return r.watch.held.Load() == 3500 })
	select {
	case err := <-smallRead:
		t.Errorf("the small one ended with %v", err)
	default:
	}
	if first.account.held.Load() != 3500 {
		t.Errorf("it holds %d", first.account.held.Load())
	}
}

func TestControlFramesAreBoundedByWhatIsOfUse(t *testing.T) {
	for name, flood := range map[string]struct {
		write  func(*rig, uint32) error
		reason string
	}{
		"settings":       {func(r *rig, _ uint32) error { return r.client.WriteSettings() }, ReasonFrames},
		"pings":          {func(r *rig, _ uint32) error { return r.client.WritePing(false, [8]byte{}) }, ReasonFrames},
		"window updates": {func(r *rig, _ uint32) error { return r.client.WriteWindowUpdate(0, 1) }, ReasonFrames},
		"empty data":     {func(r *rig, _ uint32) error { return r.client.WriteData(1, false, nil) }, ReasonFrames},
		"continuations":  {func(r *rig, _ uint32) error { return r.client.WriteContinuation(1, false, nil) }, ReasonFrames},
		"unknown frames": {func(r *rig, _ uint32) error { return r.client.WriteRawFrame(0x42, 0, 0, nil) }, ReasonFrames},
		"resets": {func(r *rig, n uint32) error {
			if err := r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 3, EndHeaders: true}); err != nil {
				return err
			}
			return r.client.WriteRSTStream(2*n+3, http2.ErrCodeCancel)
		}, ReasonResets},
		"streams that the server resets": {func(r *rig, n uint32) error {
			if err := r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 3, EndHeaders: true}); err != nil {
				return err
			}
			return r.answer.WriteRSTStream(2*n+3, http2.ErrCodeRefusedStream)
		}, ReasonRefused},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Limits{})
			_ = r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true})
			n := uint32(0)
			for ; n < 20_000 && flood.write(r, n) == nil; n++ {
			}
			if n == 20_000 {
				t.Fatal("20,000 were taken")
			}
			if got := r.reasons(); len(got) != 1 || got[0] != flood.reason {
				t.Errorf("told of %v after %d", got, n)
			}
		})
	}
}

// TestAnHonestCallerIsNotTakenForAFlood: each answer is acknowledged by two updates of
// windows, and now and then a call is given up.
func TestAnHonestCallerIsNotTakenForAFlood(t *testing.T) {
	r := newRig(t, Limits{})
	for n := range uint32(20_000) {
		stream := 2*n + 1
		_ = r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true})
		_ = r.client.WriteData(stream, true, make([]byte, 100))
		if n%10 == 0 {
			_ = r.client.WriteRSTStream(stream, http2.ErrCodeCancel)
			continue
		}
		_ = r.answer.WriteData(stream, false, make([]byte, 100))
		_ = r.answer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndStream: true, EndHeaders: true})
		_ = r.client.WriteWindowUpdate(stream, 100)
		if err := r.client.WriteWindowUpdate(0, 100); err != nil {
			t.Fatalf("call %d: %v, %v", n, err, r.reasons())
		}
	}
}

func TestAnswersAreOwedUntilTheyHaveGoneOut(t *testing.T) {
	r := newRig(t, Limits{Owed: 5000, ReadWithin: 50 * time.Millisecond})
	_ = r.client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true})
	r.settled(t, "open", func() bool { r.server.mu.Lock(); defer r.server.mu.Unlock(); return len(r.server.streams) == 1 })
	r.server.Owe(1, 6000)
	r.server.Owe(3, 1<<30) // to a stream that there is not
	if err := r.server.Room(); !errors.Is(err, ErrOwed) {
		t.Errorf("room for more: %v", err)
	}
	if _, err := r.server.Account().Begin(t.Context(), func() {}, false, 0, nil); !errors.Is(err, ErrOwed) {
		t.Errorf("another call: %v", err)
	}
	_ = r.answer.WriteData(1, false, make([]byte, 4000))
	if err := r.server.Room(); err != nil || r.server.account.owed.Load() != 2000 {
		t.Errorf("after 4,000 bytes: %v, %d owed", err, r.server.account.owed.Load())
	}
	<-r.read // nobody reads the rest
	if got := r.reasons(); len(got) != 1 || got[0] != ReasonOwed {
		t.Errorf("told of %v", got)
	}
	if n := r.watch.owed.Load(); n != 0 {
		t.Errorf("%d bytes are owed after it", n)
	}
}

func TestCallsAreBoundedAndGivenUpForLost(t *testing.T) {
	r := newRig(t, Limits{Calls: 3, ArriveWithin: 1500 * time.Millisecond})
	a := r.server.Account()
	lost := make(chan error, 8)
	begin := func(ctx context.Context) (*Call, error) {
		ctx, cancel := context.WithCancel(ctx)
		return a.Begin(ctx, cancel, false, 0, func(why error) { lost <- why })
	}
	arrived, err := begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arrived.Arrived()
	ending, cancel := context.WithCancel(t.Context())
	for _, ctx := range []context.Context{ending, t.Context()} {
		if _, err := begin(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := begin(t.Context()); !errors.Is(err, ErrCalls) {
		t.Errorf("a fourth call: %v", err)
	}
	cancel()
	if why := <-lost; !errors.Is(why, context.Canceled) {
		t.Errorf("one that ended is lost by %v", why)
	}
	if _, err := begin(t.Context()); err != nil {
		t.Errorf("in its place: %v", err)
	}
	for range 2 {
		if why := <-lost; !errors.Is(why, ErrLate) {
			t.Errorf("one that is late is lost by %v", why)
		}
	}
	if err := arrived.Hold(1000); err != nil {
		t.Error(err)
	}
	arrived.End()
	arrived.End() // again
	if a.calls != 0 || r.watch.calls.Load() != 0 || a.held.Load() != 0 {
		t.Errorf("%d and %d calls are under way, %d bytes held", a.calls, r.watch.calls.Load(), a.held.Load())
	}
	big, err := begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer big.End()
	if err := big.Hold(33 << 20); !errors.Is(err, ErrHeld) {
		t.Errorf("33 MiB: %v", err)
	}
}
