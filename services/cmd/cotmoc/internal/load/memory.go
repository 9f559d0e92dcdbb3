package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is how much memory a process holds, in bytes.
type Memory struct{ Resident, Peak int64 }

// ReadMemory asks the kernel about a process of this machine; Linux only.
func ReadMemory(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return parseStatus(string(text))
}

// parseStatus reads the lines VmRSS and VmHWM, which are in KiB.
func parseStatus(text string) (m Memory, err error) {
	found := 0
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		var into *int64
		switch key {
		case "VmRSS":
			into = &m.Resident
		case "VmHWM":
			into = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("line %q of the process's status: %w", strings.TrimSpace(line), err)
		}
		*into, found = kib<<10, found+1
	}
	if found != 2 {
		return Memory{}, fmt.Errorf("the process's status tells no memory: it has ended")
	}
	return m, nil
}
