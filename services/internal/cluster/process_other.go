//go:build !linux

package cluster

import (
	"os/exec"
	"syscall"
)

// attr is nothing where a parent's death cannot be told: then processes have to be
// ended by hand after a crash of the one that started them.
func attr() *syscall.SysProcAttr { return nil }

// begin starts a process and waits for its end.
func begin(cmd *exec.Cmd, started chan<- error, done chan<- struct{}, ended func(error)) {
	err := cmd.Start()
	started <- err
	if err == nil {
		ended(cmd.Wait())
		close(done)
	}
}
