package pgd

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// dacOverride is CAP_DAC_OVERRIDE: files are not barred by their permissions.
const dacOverride = 1

// roomy is how much room a server wants in memory.
const roomy = 1 << 30

// attr makes a process the owner's, and ends it when the thread that started it does.
// At SIGQUIT the server ends its children at once, too.
func (o *owner) attr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if o != nil {
		a.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}
		if o.through {
			a.AmbientCaps = []uintptr{dacOverride}
		}
	}
	return a
}

// memory returns a folder in memory with room for a server, empty for the system's
// temporary folder.
func memory(durable bool) string {
	var fs syscall.Statfs_t
	if durable || syscall.Statfs("/dev/shm", &fs) != nil || fs.Bavail*uint64(fs.Bsize) < roomy {
		return ""
	}
	return "/dev/shm"
}

// killIn ends every process that works in a server's data folder: its children
// outlive it for a moment, and the next server would refuse to start beside them.
func killIn(data string) {
	for range 500 {
		left := 0
		links, _ := filepath.Glob("/proc/[0-9]*/cwd")
		for _, l := range links {
			if dir, err := os.Readlink(l); err == nil && dir == data {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(l))); err == nil {
					left++
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}
