// Package play lets a nation report for a year, day by day, to a real process, and
// compares what the process made of it with a calculation of its own: which
// deadlines were told, when and to whom, and who reported in time.
package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what is played.
type Config struct {
	Binary    string   // program `cotmoc`
	Lists     []string // CSV files of units, the one with the country first
	Calendar  string   // file of resources with the days off
	Dir       string   // folder for all state; empty at first
	Rows      int      // how many rows of each list but the first are taken; 0 means all
	Months    int      // how many months of 2022 are reported, 1 to 12
	Clients   int      // batches under way at once
	Batch     int      // values a batch, 1 to 1,000
	Kills     int      // how often the process is killed
	Seed      uint64   // of the moments at which it is
	SkipAudit bool     // leave out the service's own checks at the end, which take long and need much memory
	Out       io.Writer
}

// Result is what was played and measured.
type Result struct {
	Units       int
	Days        int
	Reports     int            // that came, whole or in part
	Submissions int            // values, corrections included
	Corrections int            // of those
	Rungs       map[string]int // deadline events by rung, such as `T-30`
	Late        int            // deadline events that are marked late
	Events      uint64
	Kills       int
	Setup       time.Duration // units, calendar, programme
	Commit      time.Duration // from the first day to the last commit
	Level       time.Duration // from then until the stream is level
	Server      time.Duration // processor time of the process to the last commit, setup included
	Client      time.Duration // processor time of this process to the last commit
	Clock       time.Duration // of Commit: time in which days began
	Peak        uint64        // most memory of the process, in bytes
}

// Run plays. An error that wraps ErrDiffers says that it was played and that what
// the process made of it is not what is expected; all differences are written to
// Out, and the result is whole.
func Run(ctx context.Context, c Config) (_ *Result, err error) {
	if c.Months < 1 || c.Months > 12 || c.Clients < 1 || c.Batch < 1 || c.Batch > 1000 {
		return nil, errors.New("months are 1 to 12, clients 1 or more, values a batch 1 to 1,000")
	}
	s, err := startServer(ctx, c.Binary, filepath.Join(c.Dir, "state"), first)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	ctx = s.while // ends when the process does by itself
	began := time.Now()
	lines, err := dialAll(ctx, s.addr, c.Clients)
	if err != nil {
		return nil, s.why(err)
	}
	defer lines.close()
	p := &player{config: c, server: s, lines: lines, result: &Result{Rungs: make(map[string]int)}}
	if err := p.setUp(ctx); err != nil {
		return nil, s.why(err)
	}
	p.result.Setup = time.Since(began)
	p.printf("%d units, calendar and programme written in %.1f s\n", len(p.plan.units), p.result.Setup.Seconds())
	if err := p.play(ctx); err != nil {
		return nil, s.why(err)
	}
	p.pending.Wait()
	p.result.Kills, p.result.Peak = s.kills(), s.peakNow()
	p.print()
	return p.result, s.why(p.check(ctx))
}

// player is a run under way.
type player struct {
	config  Config
	server  *server
	lines   lines
	plan    *plan
	kills   map[moment]time.Duration
	renamed []day          // on which the regime gets another name
	pending sync.WaitGroup // kills

	beginning                      atomic.Bool  // a day is about to begin
	sending                        atomic.Int32 // batches under way
	killedBeginning, killedSending atomic.Int32 // kills while these were so

	result *Result
}

func (p *player) printf(format string, args ...any) { fmt.Fprintf(p.config.Out, format, args...) }

// print tells what was measured.
func (p *player) print() {
	r := p.result
	p.printf("submissions    %d in %d reports, %d corrections among them\n", r.Submissions, r.Reports, r.Corrections)
	p.printf("events         %d in all\n", r.Events)
	p.printf("last commit    %.1f s after the first day began, %.1f s of them to begin %d days; processor: %.1f s service, %.1f s clients\n",
		r.Commit.Seconds(), r.Clock.Seconds(), r.Days, r.Server.Seconds(), r.Client.Seconds())
	p.printf("stream level   %.1f s later\n", r.Level.Seconds())
	p.printf("most memory    %d MB\n", r.Peak/1e6)
	if p.config.Kills > 0 {
		p.printf("killed         %d times: %d while a day began, %d while reports came in\n",
			r.Kills, p.killedBeginning.Load(), p.killedSending.Load())
	}
}

// truncated writes the first rows of a CSV file into a folder and returns its path.
func truncated(file, dir string, rows int) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	end, line := 0, -1 // the first line names the columns
	for ; end < len(data) && line < rows; end++ {
		if data[end] == '\n' {
			line++
		}
	}
	path := filepath.Join(dir, filepath.Base(file))
	return path, os.WriteFile(path, data[:end], 0o600)
}
