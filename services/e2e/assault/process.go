package assault

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of processor times in /proc: USER_HZ, which is 100 on all
// machines that Go runs on.
const ticksPerSecond = 100

// Cost is what a process used while it was watched.
type Cost struct {
	CPU  time.Duration
	Peak int // bytes resident, at most
}

// Watch watches a process until the function that it returns is called.
func Watch(pid int) (stop func() Cost, err error) {
	before, err := cpuOf(pid)
	if err != nil {
		return nil, err
	}
	var peak atomic.Int64
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			peak.Store(max(peak.Load(), int64(residentOf(pid))))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() Cost {
		close(done)
		<-gone
		after, _ := cpuOf(pid)
		return Cost{CPU: after - before, Peak: int(peak.Load())}
	}, nil
}

// residentOf is how many bytes of a process are in memory; 0 when there is no process.
func residentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// cpuOf is the processor time that a process has used.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field, the program's name in parentheses, may hold blanks.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond, nil
}

// lowest is the priority of those who attack: they are elsewhere in the world, and do not
// take the processor from the server that they attack.
const lowest = 19

// StepBack lets this process yield to all others until the function that it returns is
// called. Only the superuser may take the priority back, so for others it does nothing.
func StepBack() (again func()) {
	if os.Geteuid() != 0 {
		return func() {}
	}
	set := func(priority int) {
		threads, _ := filepath.Glob("/proc/self/task/*")
		for _, path := range threads {
			if id, err := strconv.Atoi(filepath.Base(path)); err == nil {
				_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, priority)
			}
		}
	}
	set(lowest)
	return func() { set(0) }
}
