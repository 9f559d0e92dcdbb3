package pgd

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended, when done is closed
}

// begin starts a command whose output is added to a file. The thread that starts it
// is kept until it ends: a parent's death is told when its thread ends.
func begin(c *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = out, out
	p := &process{cmd: c, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := c.Start()
		_ = out.Close()
		started <- err
		if err == nil {
			p.err = c.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// owner is whom the server's files belong to, nil for whoever runs this process.
// PostgreSQL refuses to run as root.
type owner struct {
	uid, gid int
	// through says that the files are where the owner could not come by itself.
	through bool
}

func unprivileged() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, errors.New("pgd: PostgreSQL does not run as root, and there is no user postgres or nobody")
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return &owner{uid: uid, gid: gid}, err
}

// folder makes a folder that is the owner's alone.
func (o *owner) folder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if o == nil {
		return nil
	}
	return os.Chown(dir, o.uid, o.gid)
}

// barred reports whether somewhere above a path is a folder through which only its
// own user may go, such as root's home.
func barred(path string) bool {
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			return true
		}
	}
	return false
}
