package run

import (
	"os"
	"runtime/debug"
)

// gcPercent is half of Go's default: the book is most of what a service holds and
// lives long, so collecting more often costs little and saves a quarter.
const gcPercent = 50

// KeepMemoryNear makes the process's memory stay near what it holds, unless its
// environment says otherwise by GOGC.
func KeepMemoryNear() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
