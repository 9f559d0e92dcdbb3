package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what the operating system says of a process.
type usage struct {
	CPU  time.Duration `json:",omitempty"` // processor time of the whole process so far
	RSS  uint64        `json:",omitempty"` // bytes resident now
	Peak uint64        `json:",omitempty"` // the most that ever were
}

// ownUsage is that of this process.
func ownUsage() usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // cannot happen with these arguments
	}
	u := usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano())}
	u.RSS, u.Peak = status("VmRSS:"), status("VmHWM:")
	return u
}

// status reads a size from the process's own status; 0 where there is none.
func status(field string) uint64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), field); ok {
			kb, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// busy is the processor time that all processes of the machine have used; 0 where
// the system does not tell.
func busy() time.Duration {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	var ticks int64
	for i, f := range fields {
		if i == 0 || i == 4 || i == 5 || i > 8 { // name, idle, waiting for a disk, guests
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

// machine says what was measured, and on what.
func machine() string {
	version := "unknown"
	if out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output(); err == nil {
		version = strings.TrimSpace(string(out))
		if dirty, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(dirty) > 0 {
			version += " with changes"
		}
	}
	model := "processor unknown"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("commit %s, %s, %s/%s, %d processors, %s, memory limit %s",
		version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model, limit())
}

func limit() string {
	if n := debug.SetMemoryLimit(-1); n < 1<<62 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return "none"
}
