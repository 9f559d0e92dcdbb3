// Package fault does to processes and connections what accidents do: it ends,
// freezes and restarts processes, breaks connections, takes files away and puts old
// ones in their place.
package fault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Handle is a process that things are done to.
type Handle interface {
	Start() error // does not wait until it is ready
	Kill()        // at once; returns when it is gone
	Stop() error  // asks it to end, and returns when it is gone
	Pause() error
	Resume() error
	Running() bool
}

// stopWithin is how long a process may take to end when it is asked to.
const stopWithin = 30 * time.Second

// Process is a program that can be ended and started again.
type Process struct {
	Name string
	Path string
	Args []string
	Env  []string // of the next start, beside this process's own
	Log  string   // file that its output is appended to

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs it; it does nothing while it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return nil
	}
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("log of %s: %w", p.Name, err)
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), p.Env...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	return nil
}

// running reports whether it has not ended; under mu.
func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(s); err != nil && p.running() {
		return fmt.Errorf("%v to %s: %w", s, p.Name, err)
	}
	return nil
}

// Kill ends it at once and returns when it is gone.
func (p *Process) Kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.Gone()
}

// Stop asks it to end, and returns when it is gone.
func (p *Process) Stop() error {
	if err := p.Resume(); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Gone():
		return nil
	case <-time.After(stopWithin):
		p.Kill()
		return fmt.Errorf("%s did not end in %v", p.Name, stopWithin)
	}
}

// Pause freezes it.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

// Gone is closed when it has ended.
func (p *Process) Gone() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return p.ended
}

// Copy copies a folder's files to another place, which it empties before. A file that
// vanishes meanwhile is left out, as in a copy of a running server.
func Copy(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("copy to %s: %w", to, err)
	}
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}
