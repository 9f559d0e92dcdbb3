package play

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// play plays all days, and waits until the stream is level.
func (p *player) play(ctx context.Context) error {
	began, own := time.Now(), ownCPU()
	for d := first; d <= p.plan.last; d++ {
		if err := p.day(ctx, d); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
		if (d + 1).midnight().Day() == 1 {
			p.printf("%s  %7d submissions, %5.1f s\n", d.midnight().Format("2006-01"), p.result.Submissions, time.Since(began).Seconds())
		}
	}
	r := p.result
	r.Commit, r.Days = time.Since(began), len(p.plan.days)
	r.Server, r.Client = p.server.cpuNow(), ownCPU()-own
	r.Reports = p.plan.came()
	began = time.Now()
	for {
		now, err := p.status(ctx)
		if err != nil {
			return err
		}
		if now.GetStreamSequence() >= now.GetHeadSequence() {
			r.Level, r.Events = time.Since(began), now.GetHeadSequence()
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// came is how many reports came at all.
func (p *plan) came() (n int) {
	for i := range p.reports {
		n += intOf(p.reports[i].came <= p.last)
	}
	return n
}

// day begins a day and sends what comes on it. On some busy days the regime gets
// another name in between, after which the service looks at the deadlines of the day
// once more: none may be told again.
func (p *player) day(ctx context.Context, d day) error {
	began := time.Now()
	p.killAt(moment{d, beginning})
	p.beginning.Store(true)
	if err := p.setClock(ctx, d); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	p.beginning.Store(false)
	p.result.Clock += time.Since(began)
	if slices.Contains(p.renamed, d) {
		if err := p.write(ctx, []*registryv1.Write{regimeNamed("Báo cáo tháng, sửa ngày " + d.String())}); err != nil {
			return err
		}
	}
	if err := p.sendAll(ctx, p.plan.batches(d, p.config.Batch), d); err != nil {
		return err
	}
	for _, it := range p.plan.days[d-first] {
		p.result.Submissions++
		p.result.Corrections += intOf(it.again)
	}
	return nil
}

// sendAll sends the batches of a day, by all clients at once.
func (p *player) sendAll(ctx context.Context, batches [][]item, d day) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	var clients sync.WaitGroup
	for _, line := range p.lines {
		clients.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(batches) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				p.killAt(moment{d, i})
				if err := p.send(ctx, line, batches[i]); err != nil {
					fail(err)
				}
			}
		})
	}
	clients.Wait()
	return context.Cause(ctx)
}

// send sends a batch until it is taken in. All of it must be.
func (p *player) send(ctx context.Context, line *client.Client, items []item) error {
	p.sending.Add(1)
	defer p.sending.Add(-1)
	resp, err := line.SubmitBatch(ctx, p.plan.request(items))
	if err != nil {
		return err
	}
	for i, r := range resp.GetResults() {
		if e := r.GetError(); e != nil {
			return fmt.Errorf("%v: %s %s", p.plan.submission(items[i]), e.GetReason(), e.GetMessage())
		}
	}
	return nil
}

// request is a batch as it is sent, each item for itself.
func (p *plan) request(items []item) *reportingv1.SubmitBatchRequest {
	req := &reportingv1.SubmitBatchRequest{Programme: programme, Mode: reportingv1.BatchMode_BATCH_MODE_PER_ITEM}
	for _, it := range items {
		req.Items = append(req.Items, p.submission(it))
	}
	return req
}

// setClock sets the clock to a day's morning. It is sent again when the answer was
// lost: the same time twice is no step back.
func (p *player) setClock(ctx context.Context, d day) error {
	return again(ctx, func() error {
		_, err := p.lines[0].ReportingAdmin().SetClock(ctx, &reportingv1.SetClockRequest{Time: timestamppb.New(d.morning())})
		return err
	})
}

func (p *player) status(ctx context.Context) (resp *reportingv1.GetStatusResponse, err error) {
	err = again(ctx, func() error {
		resp, err = p.lines[0].ReportingAdmin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
		return err
	})
	return resp, err
}

// again calls until the process answers.
func again(ctx context.Context, call func() error) error {
	for {
		err := call()
		if code := status.Code(err); code != codes.Unavailable || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
