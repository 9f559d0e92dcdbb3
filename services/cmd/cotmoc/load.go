package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/bulk"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/load"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// loadCmd plays a wave of reports.
type loadCmd struct {
	target
	Programme string        `help:"Id of the scratch programme, made where there is none; ${default} when not given." default:"load" placeholder:"ID"`
	Root      string        `help:"Unit at the top of the tree; ${default} when not given." default:"vn" placeholder:"UNIT"`
	Units     string        `help:"How many units report: all, which is the default, or a number." default:"all" placeholder:"all|N"`
	Targets   int           `help:"How many targets each reports, 1 to 99." default:"24"`
	Period    period        `help:"Period reported; by default that of the service's time." placeholder:"2022-M07"`
	Mode      string        `help:"One report a call (unary) or many (batch)." enum:"batch,unary" default:"batch"`
	Batch     int           `help:"Reports a call, 1 to 1,000." default:"500"`
	InFlight  int           `help:"Calls at once, 1 to 1,000." default:"8"`
	MaxTime   time.Duration `help:"Stop sending after this long." default:"10m"`
	PID       int           `name:"pid" help:"Process id of the server, to print its memory." placeholder:"PID"`
}

// Help shows how the command is used.
func (*loadCmd) Help() string {
	return `Every unit below the country reports every target of a scratch programme, as on the
last evening before a deadline. Prints rate and latencies, and compares the totals
with what was sent. Not for a service in use: what is sent stays in its log.

Examples:
  cotmoc load
  cotmoc load --mode unary --in-flight 64 --units 1000 --period 2022-M08 --pid 4711`
}

// Run plays the wave.
func (l *loadCmd) Run(ctx context.Context, c *console) error {
	if err := l.check(); err != nil {
		return err
	}
	l.patience = newPatience(c.Err)
	s, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	plan, err := l.prepare(ctx, c, s)
	if err != nil {
		return err
	}
	wave := load.Wave{Plan: plan, Reports: s.unit, InFlight: l.InFlight}
	if l.Mode == "batch" {
		wave.Batch = l.Batch
	}
	c.printf("%d units × %d targets = %d reports for %s, %s, %d calls at once\n", len(plan.Units), plan.Targets, plan.Cells(), plan.Period, l.Mode, l.InFlight)
	moved, end := c.bar(plan.Cells(), "reports")
	wave.Moved = moved
	limited, cancel := context.WithTimeout(ctx, l.MaxTime)
	defer cancel()
	result := wave.Run(limited)
	end()
	l.print(c, result)
	if result.Accepted < plan.Cells() {
		return fmt.Errorf("load: %d of %d reports were not accepted: %w", plan.Cells()-result.Accepted, plan.Cells(), cmpError(result.First))
	}
	return compareSums(ctx, c, s, plan)
}

// cmpError is why a wave ended early when no call was refused.
func cmpError(err error) error {
	if err == nil {
		return errors.New("time is up")
	}
	return err
}

func (l *loadCmd) check() error {
	switch {
	case l.Targets < 1 || l.Targets > 99:
		return errors.New("--targets must be 1 to 99")
	case l.Batch < 1 || l.Batch > 1000:
		return errors.New("--batch must be 1 to 1000")
	case l.InFlight < 1 || l.InFlight > 1000:
		return errors.New("--in-flight must be 1 to 1000")
	}
	return nil
}

// prepare finds the units, makes the programme and sees that its period is empty.
func (l *loadCmd) prepare(ctx context.Context, c *console, s *services) (*load.Plan, error) {
	plan := &load.Plan{Programme: l.Programme, Root: l.Root, Targets: l.Targets, Period: string(l.Period), Run: "load-" + uuid.NewString()[:8]}
	limit := 0
	if l.Units != "all" {
		var err error
		if limit, err = strconv.Atoi(l.Units); err != nil || limit < 1 {
			return nil, fmt.Errorf("--units must be all or a number from 1, not %q", l.Units)
		}
	}
	var err error
	if plan.Units, err = load.Units(ctx, s.registry(), limit); err != nil {
		return nil, show.Refusal(err)
	}
	if len(plan.Units) == 0 {
		return nil, errors.New("the registry holds no units: cotmoc import units comes first")
	}
	if plan.Period == "" {
		status, err := s.admin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
		if err != nil {
			return nil, show.Refusal(err)
		}
		plan.Period = show.Month(status.GetTime().AsTime())
	}
	done, err := bulk.Write(ctx, s.writes(), bulk.Batches(plan.Resources()), bulk.Options{})
	if err != nil {
		return nil, err
	}
	c.printf("programme %s: %s\n", plan.Programme, done.Counts)
	if err := bulk.AwaitCopy(ctx, s.admin(), done.Revision); err != nil {
		return nil, err
	}
	for target := range plan.Targets {
		now, err := plan.Reported(ctx, s.progress(), target)
		if err != nil {
			return nil, show.Refusal(err)
		}
		if now.GetReporting() > 0 {
			return nil, fmt.Errorf("programme %s holds reports for %s already: give another --period or --programme", plan.Programme, plan.Period)
		}
	}
	return plan, nil
}

// print tells what was measured.
func (l *loadCmd) print(c *console, r load.Result) {
	c.printf("accepted   %d reports in %d calls, %.2f s\n", r.Accepted, r.Calls, r.Took.Seconds())
	c.printf("rate       %.0f reports/s\n", r.Rate())
	c.printf("latency    p50 %s, p90 %s, p99 %s, max %s a call\n", short(r.Latency(0.50)), short(r.Latency(0.90)), short(r.Latency(0.99)), short(r.Latency(1)))
	if len(r.Errors) == 0 {
		c.printf("errors     none\n")
	}
	for _, word := range slices.Sorted(maps.Keys(r.Errors)) {
		c.printf("errors     %s: %d reports\n", word, r.Errors[word])
	}
	if l.PID == 0 {
		return
	}
	m, err := load.ReadMemory(l.PID)
	if err != nil {
		c.printf("memory     unknown: %v\n", err)
		return
	}
	c.printf("memory     %d MB resident, %d MB at most\n", m.Resident/1e6, m.Peak/1e6)
}

// short rounds a time to three digits or so.
func short(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d
}

// compareSums compares the root's totals with what was sent.
func compareSums(ctx context.Context, c *console, s *services, plan *load.Plan) error {
	equal := 0
	var first error
	for target := range plan.Targets {
		got, err := plan.Reported(ctx, s.progress(), target)
		if err != nil {
			return show.Refusal(err)
		}
		want := plan.Sum(target)
		if got.GetNumerator() == want && int(got.GetReporting()) == len(plan.Units) {
			equal++
		} else if first == nil {
			first = fmt.Errorf("load: target %d adds up to %d of %d units, sent were %d of %d", target+1, got.GetNumerator(), got.GetReporting(), want, len(plan.Units))
		}
	}
	c.printf("totals     %d of %d equal what was sent\n", equal, plan.Targets)
	return first
}
