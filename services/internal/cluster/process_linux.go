package cluster

import (
	"os/exec"
	"runtime"
	"syscall"
)

// attr makes a process end when the thread that started it does, and keeps a
// terminal's Ctrl-C from it: who started it stops it, in order.
func attr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// begin starts a process and waits for its end. The thread is kept so long: a
// parent's death is told when its thread ends.
func begin(cmd *exec.Cmd, started chan<- error, done chan<- struct{}, ended func(error)) {
	runtime.LockOSThread()
	err := cmd.Start()
	started <- err
	if err == nil {
		ended(cmd.Wait())
		close(done)
	}
}
