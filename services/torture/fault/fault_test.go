package fault

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func TestProxy_fails_as_it_is_told(t *testing.T) {
	p, err := NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	ask := func(within time.Duration) (time.Duration, error) {
		began := time.Now()
		if _, err := c.Write([]byte("a\n")); err != nil {
			return 0, err
		}
		_ = c.SetReadDeadline(began.Add(within))
		_, err := in.ReadString('\n')
		return time.Since(began), err
	}
	quickest := time.Hour
	for range 20 {
		d, err := ask(time.Minute)
		if err != nil {
			t.Fatalf("clear: %v", err)
		}
		quickest = min(quickest, d)
	}
	if quickest > latency {
		t.Errorf("clear: %v at the quickest", quickest)
	}
	p.Set(Slow)
	if d, err := ask(time.Minute); err != nil || d < 2*latency {
		t.Errorf("slow: %v, %v", d, err)
	}
	for _, l := range []Line{BlackHole, HalfOpen} {
		p.Set(l)
		if d, err := ask(150 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v: answered in %v, %v", l, d, err)
		}
		p.Set(Clear)
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := in.ReadString('\n'); err != nil {
			t.Errorf("clear after %v: %v", l, err)
		}
	}
	if n := p.Reset(); n != 1 {
		t.Errorf("%d connections reset", n)
	}
	if _, err := ask(time.Second); err == nil {
		t.Error("answered after a reset")
	}
}

func TestProcess_is_frozen_ended_and_started_again(t *testing.T) {
	dir := t.TempDir()
	p := &Process{Name: "shell", Path: "/bin/sh", Args: []string{"-c", `while :; do echo "$WORD"; sleep 0.01; done`}, Log: filepath.Join(dir, "log")}
	size := func() int64 {
		s, err := os.Stat(p.Log)
		if err != nil {
			return 0
		}
		return s.Size()
	}
	within := func(most time.Duration) bool { // it writes a line
		before := size()
		for began := time.Now(); size() == before; time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > most {
				return false
			}
		}
		return true
	}
	grows := func() bool { return within(time.Minute) }
	rests := func() bool { return !within(100 * time.Millisecond) }
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if !grows() {
		t.Error("it does not run")
	}
	if err := p.Pause(); err != nil {
		t.Error(err)
	}
	rests() // after what was on its way
	if !rests() {
		t.Error("it runs while it is frozen")
	}
	if err := p.Resume(); err != nil || !grows() {
		t.Errorf("it does not go on, %v", err)
	}
	if p.Kill(); p.Running() || !rests() {
		t.Error("it was not ended")
	}
	p.Env = []string{"WORD=a longer one"}
	if err := p.Start(); err != nil || !grows() {
		t.Errorf("it does not run again, %v", err)
	}
	if err := p.Pause(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(); err != nil || p.Running() {
		t.Errorf("it was not stopped, %v", err)
	}
}

func TestCopy_replaces_what_was_there(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	for _, f := range []string{"a", "b/c"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(from, f)), 0o700), os.WriteFile(filepath.Join(from, f), []byte(f), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll(to, 0o700), os.WriteFile(filepath.Join(to, "old"), nil, 0o600), Copy(from, to)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "b/c")); err != nil || string(b) != "b/c" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(to, "old")); !os.IsNotExist(err) {
		t.Error("an old file was left")
	}
}
