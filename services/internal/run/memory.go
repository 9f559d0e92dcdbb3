package run

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Between two collections the heap may grow by room, whatever it holds: a share of
// what it holds, as Go has it by default, collects a small heap too often and lets
// a large one, most of which is the book and lives long, grow to twice its size.
const (
	room         = 96 << 20
	leastPercent = 30
	mostPercent  = 400
	// All memory of the process, of which what is free is given back to the system above
	// this and half again what is in use: what a burst needed is not kept after it.
	baseMemory = 96 << 20
)

// KeepMemoryNear makes the process's memory stay near what it holds, unless its
// environment says otherwise by GOGC, or by GOMEMLIMIT for its bound. It is for programs,
// which call it once.
func KeepMemoryNear() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mostPercent)
		afterCollection(mostPercent)
	}
}

// afterCollection sets the percentage anew after the next collection, and so on.
func afterCollection(percent int) {
	collected := new([16]byte) // not so small that it shares its place with others
	runtime.AddCleanup(collected, func(was int) {
		live := liveBytes()
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(int64(live + live/2 + baseMemory))
		}
		now := percentFor(live)
		if now < was*9/10 || now > was*11/10 {
			debug.SetGCPercent(now)
			was = now
		}
		afterCollection(was)
	}, percent)
}

// percentFor is by how much of itself a heap may grow.
func percentFor(live uint64) int {
	return int(min(max(room*100/max(live, 1), leastPercent), mostPercent))
}

// liveBytes is what the last collection found to be in use.
func liveBytes() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
