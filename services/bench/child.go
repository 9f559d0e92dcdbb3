package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// serveArg makes this program a server; see serve.
const serveArg = "serve-for-bench"

// order is a line from the client to a server process, answer the line back.
type order struct {
	Do   string
	Arg  string        `json:",omitempty"`
	For  time.Duration `json:",omitempty"`
	Rows int           `json:",omitempty"`
}

type answer struct {
	Error string `json:",omitempty"`
	Addr  string `json:",omitempty"`
	usage
	Heap     uint64        `json:",omitempty"` // bytes that are live after a collection
	Log      int64         `json:",omitempty"` // bytes of the reporting ledger's files
	Sequence uint64        `json:",omitempty"`
	Blocks   uint64        `json:",omitempty"`
	Commands uint64        `json:",omitempty"`
	Rows     int64         `json:",omitempty"`
	Took     time.Duration `json:",omitempty"`
}

// child is a server in a process of its own.
type child struct {
	role string
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// spawn starts a server and waits until it serves. took is how long that was, from
// the start of its process.
func spawn(role, dir string) (_ *child, took time.Duration, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	c := &child{role: role, cmd: exec.Command(self, serveArg, role, dir)}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, 0, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	c.out = bufio.NewReader(out)
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("start a server: %w", err)
	}
	first, err := c.read()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("server %s did not come up: %w", role, err), c.kill())
	}
	c.addr = first.Addr
	return c, time.Since(began), nil
}

func (c *child) read() (a answer, err error) {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, err
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// ask sends an order and waits for its answer.
func (c *child) ask(o order) (answer, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("ask server %s: %w", c.role, err)
	}
	a, err := c.read()
	if err != nil {
		return a, fmt.Errorf("server %s, %s: %w", c.role, o.Do, err)
	}
	return a, nil
}

// stop lets the server end cleanly, and tells how long that took.
func (c *child) stop() (time.Duration, error) {
	began := time.Now()
	err := c.in.Close()
	err = errors.Join(err, c.cmd.Wait())
	return time.Since(began), err
}

// kill ends the server at once.
func (c *child) kill() error {
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_ = c.cmd.Wait() // says that it was killed
	return nil
}

// with runs a server as long as f does.
func (b *bench) with(ctx context.Context, role, folder string, f func(*child) error) error {
	c, _, err := spawn(role, filepath.Join(b.dir, folder))
	if err != nil {
		return err
	}
	if err := errors.Join(f(c), ctx.Err()); err != nil {
		return errors.Join(err, c.kill())
	}
	_, err = c.stop()
	return err
}
