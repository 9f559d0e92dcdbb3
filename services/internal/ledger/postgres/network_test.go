package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// wire is a network between a store and its server.
type wire struct {
	l      net.Listener
	to     string
	made   atomic.Int64 // connections
	cut    atomic.Bool  // connections are ended as soon as they are made
	silent atomic.Bool  // nothing comes through any more, and nobody is told
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
}

func lay(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l, to: to}
	w.wg.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close()
		w.sever()
		w.wg.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		near, err := w.l.Accept()
		if err != nil {
			return
		}
		w.made.Add(1)
		if w.cut.Load() {
			_ = near.Close()
			continue
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, near, far)
		w.mu.Unlock()
		w.wg.Go(func() { w.carry(near, far) })
		w.wg.Go(func() { w.carry(far, near) })
	}
}

func (w *wire) carry(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if w.silent.Load() {
			continue
		}
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = from.Close()
			}
			_ = to.Close()
			return
		}
	}
}

// sever ends all connections.
func (w *wire) sever() {
	w.silent.Store(false)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// wired opens a ledger over a wire.
func wired(t *testing.T) (*postgres.Store, *wire) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	d := database(t, own(t, pgd.Config{Port: port}), "registry")
	u, err := url.Parse(d.App)
	if err != nil {
		t.Fatal(err)
	}
	w := lay(t, u.Host)
	u.Host = w.l.Addr().String()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: u.String(), PasswordFile: d.PasswordFile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, w
}

func TestCalls_end_when_the_server_falls_silent(t *testing.T) {
	s, w := wired(t)
	bs := ledgertest.Fill(t, s, 1, 1)
	b := ledgertest.Next(bs[1].Head(), 1)
	w.silent.Store(true)
	for name, call := range map[string]func(context.Context) error{
		"append": func(ctx context.Context) error { return s.Append(ctx, b) },
		"head":   func(ctx context.Context) error { _, err := s.Head(ctx); return err },
		"now":    func(ctx context.Context) error { _, err := s.Now(ctx); return err },
		"turn":   func(ctx context.Context) error { _, err := s.Turn(ctx); return err },
		"blocks": func(ctx context.Context) error {
			for _, err := range s.Blocks(ctx, 0) {
				return err
			}
			return nil
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		began := time.Now()
		err := call(ctx)
		cancel()
		if err == nil || errors.Is(err, ledger.ErrConflict) || errors.Is(err, ledger.ErrFull) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 7*time.Second { // the server's own limit is 8
			t.Errorf("%s took %v", name, took)
		}
	}
	w.sever()
	for range 10 {
		if h, err := s.Head(t.Context()); err == nil {
			if h != bs[1].Head() && h != b.Head() {
				t.Errorf("%+v", h)
			}
			return
		}
	}
	t.Error("not back after the network was")
}

func TestConnections_are_not_stormed_after_a_fault(t *testing.T) {
	s, w := wired(t)
	ledgertest.Fill(t, s, 1)
	w.cut.Store(true)
	w.sever()
	before := w.made.Load()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 50 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Head(ctx); err == nil {
					t.Error("an answer from nowhere")
				}
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	made := w.made.Load() - before
	t.Logf("%d calls failed, %d connections were made in 2 s", failed.Load(), made)
	// Each that fails is followed by another, on which the driver asks to cancel.
	if most := int64(2 * (6 + 2*20)); made > most+10 || made < 2 {
		t.Errorf("%d connections, want %d at the most", made, most)
	}
	w.cut.Store(false)
	began := time.Now()
	for {
		if _, err := s.Head(t.Context()); err == nil {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("not back within 30 seconds")
		}
	}
}
