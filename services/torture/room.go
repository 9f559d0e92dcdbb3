package main

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// leastRoom is the part of the machine that has to be left for the rig, or how fast
// anything was says more of what else the machine does.
const leastRoom = 0.8

// roomFor is how long is looked for it.
const roomFor = 500 * time.Millisecond

// room is the part of the machine that is left for the rig: what its threads get when
// there is one for each core and all want to run, while the site is at rest.
func room(ctx context.Context) (float64, error) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return 0, err
	}
	began, cores := time.Now(), runtime.GOMAXPROCS(0)
	var busy sync.WaitGroup
	for range cores {
		busy.Go(func() {
			for time.Since(began) < roomFor && ctx.Err() == nil {
			}
		})
	}
	busy.Wait()
	took := time.Since(began)
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return 0, err
	}
	return (processor(after) - processor(before)).Seconds() / (took.Seconds() * float64(cores)), ctx.Err()
}

// processor is the time that a process has run.
func processor(u syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
