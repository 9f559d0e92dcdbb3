package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopWithin is how long a process may take to end after it was asked to.
const stopWithin = 20 * time.Second

// Process is a program that can be started, ended and frozen again and again. It
// ends with the process that started it. Methods may be called at the same time.
type Process struct {
	Name string   // such as reporting-1
	Args []string // of the next start
	Env  []string // of the next start, beside PATH and the like

	binary string
	log    string

	mu   sync.Mutex
	cmd  *exec.Cmd // nil when it does not run
	done chan struct{}
	err  error // how it ended, when done is closed
}

// Start starts it; it does not wait until it is ready. It is an error while it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs", p.Name)
	}
	if err := os.MkdirAll(filepath.Dir(p.log), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.binary, p.Args...)
	cmd.Dir, cmd.Env = filepath.Dir(p.log), append(surroundings(), p.Env...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, attr()
	started, done := make(chan error), make(chan struct{})
	go begin(cmd, started, done, func(err error) { p.err = err })
	err = <-started
	_ = out.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.done = cmd, done
	return nil
}

// surroundings is this process's environment without settings of Cotmoc.
func surroundings() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "COTMOC_") {
			env = append(env, e)
		}
	}
	return env
}

// running reports whether it runs; mu is held.
func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Running reports whether it runs, frozen or not.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

// Pid is its process id, 0 when it does not run.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Log is the file with all that it wrote since it was first started.
func (p *Process) Log() string { return p.log }

// Kill ends it at once, as a crash does, and returns when it is gone.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// Stop asks it to end and waits until it has. A process that ends by itself with
// another status than 0, or does not end in time, is an error; then it is killed.
func (p *Process) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	if p.running() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may be frozen
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(stopWithin):
			_ = p.cmd.Process.Kill()
			<-p.done
			p.err = errors.New("it did not end in time and was killed")
		}
		if p.err != nil {
			return fmt.Errorf("stop %s: %w\n%s", p.Name, p.err, p.Tail())
		}
	}
	return nil
}

// Pause freezes it: it holds its connections and does nothing.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return fmt.Errorf("%s does not run", p.Name)
	}
	return p.cmd.Process.Signal(s)
}

// Tail is the end of its log, for errors.
func (p *Process) Tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
