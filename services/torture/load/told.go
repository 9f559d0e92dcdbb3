package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

// Figures are how much a crowd did.
type Figures struct {
	Calls, Acked int
	Unknown      int // without an answer
	Failed       int // with an answer that nobody should get
	Slowest      time.Duration
}

// Figures counts what was done so far.
func (c *Crowd) Figures() Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Figures{int(c.calls.Load()), len(c.acks), c.unknown, len(c.failures), time.Duration(c.slowest.Load())}
}

// Highest is the newest event that anybody was told of.
func (c *Crowd) Highest() uint64 { return c.highest.Load() }

// Acks are all receipts so far.
func (c *Crowd) Acks() []check.Ack {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.acks)
}

// Sent are the ids of all requests so far.
func (c *Crowd) Sent() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.sent)
}

// Ops are all operations so far, by cell.
func (c *Crowd) Ops() map[check.Cell][]check.Op {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[check.Cell][]check.Op, len(c.ops))
	for cell, ops := range c.ops {
		all[cell] = slices.Clone(ops)
	}
	return all
}

// Refused tells which answers nobody should get.
func (c *Crowd) Refused() *check.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &check.Report{Name: "answers", Looked: int(c.calls.Load())}
	for _, f := range c.failures {
		r.Fail(fmt.Errorf("%s", f))
	}
	return r
}

// AllFigures reads every total of the nation, of each period and the current one.
func (n Nation) AllFigures(ctx context.Context, progress reportingv1.ProgressServiceClient, minSequence uint64) ([]*reportingv1.Figure, error) {
	var all []*reportingv1.Figure
	for _, target := range Targets() {
		for _, period := range append(Periods(), "") {
			figures, err := allFigures(ctx, progress, key(target, Root, period), minSequence)
			if err != nil {
				return nil, err
			}
			all = append(all, figures...)
		}
	}
	return all, nil
}

// allFigures reads the totals of a unit and of all below it.
func allFigures(ctx context.Context, progress reportingv1.ProgressServiceClient, k *reportingv1.FigureKey, minSequence uint64) ([]*reportingv1.Figure, error) {
	root, err := progress.GetFigure(ctx, &reportingv1.GetFigureRequest{Key: k, MinSequence: minSequence})
	if err != nil {
		return nil, fmt.Errorf("figure of %s in %q: %w", k.GetTarget(), k.GetPeriod(), err)
	}
	all := []*reportingv1.Figure{root.GetFigure()}
	for token := ""; ; {
		page, err := progress.ListFigures(ctx, &reportingv1.ListFiguresRequest{Key: k, PageSize: 1000, PageToken: token,
			Selection: reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS, MinSequence: minSequence})
		if err != nil {
			return nil, fmt.Errorf("figures of %s in %q: %w", k.GetTarget(), k.GetPeriod(), err)
		}
		all = append(all, page.GetFigures()...)
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// ReadLog takes in what the log has after what was taken in before, up to its head.
func ReadLog(ctx context.Context, events reportingv1.EventServiceClient, l *check.Log) error {
	for {
		page, err := events.ListEvents(ctx, &reportingv1.ListEventsRequest{AfterSequence: l.Head(), PageSize: 1000})
		if err != nil {
			return fmt.Errorf("list events after %d: %w", l.Head(), err)
		}
		for _, e := range page.GetEvents() {
			if err := l.Take(e); err != nil {
				return err
			}
		}
		if l.Head() >= page.GetHeadSequence() {
			return nil
		}
		if len(page.GetEvents()) == 0 {
			return fmt.Errorf("the log gives nothing after %d, its head is %d", l.Head(), page.GetHeadSequence())
		}
	}
}
