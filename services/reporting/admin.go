package reporting

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// SetClock sets the manual clock.
func (s *Service) SetClock(ctx context.Context, req *reportingv1.SetClockRequest) (*reportingv1.SetClockResponse, error) {
	if s.clock == nil {
		return nil, refuse(errorv1.Reason_REASON_CLOCK, "time", "the clock goes by itself; start with --clock=manual to set it")
	}
	if err := req.GetTime().CheckValid(); err != nil {
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "time", "%v", err)
	}
	if !calendar.EndOfMonth.At(req.GetTime().AsTime(), calendar.Monthly).Next().Valid() {
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "time", "it must lie in the years 2000 to 2099, before the last month of periods")
	}
	back := func(at time.Time) error {
		return refuse(errorv1.Reason_REASON_CLOCK, "time", "the clock stands at %s and never goes back", local(at))
	}
	at := req.GetTime().AsTime()
	if !s.clock.Set(at) {
		return nil, back(s.clock.Now())
	}
	done, err := s.engine.Do(ctx, func(b *book.Book) error {
		if b.Now().Sub(at) >= time.Microsecond {
			return back(b.Now()) // it was set further through another replica
		}
		b.SetClock()
		return nil
	})
	if err != nil {
		return nil, failAt(done.Head.Sequence, err)
	}
	if err := s.allTold(ctx); err != nil {
		return nil, err
	}
	return &reportingv1.SetClockResponse{Sequence: done.Last}, nil
}

// allTold waits until all deadlines of the day have been told: a day that is over
// before they were would find them late.
func (s *Service) allTold(ctx context.Context) error {
	for told := false; !told; {
		if err := s.engine.View(ctx, 0, func(b *book.Book) error {
			told = b.Told() >= b.Today()
			return nil
		}); err != nil || told {
			return err
		}
		if _, err := s.engine.Do(ctx, func(*book.Book) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// freshWithin bounds how long a read without min_sequence waits for what other
// replicas wrote.
const freshWithin = time.Second

// fresh brings this replica to where the log is. While the database is away, it goes
// on with what was seen last.
func (s *Service) fresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshWithin)
	defer cancel()
	if err := s.engine.Fresh(ctx); err != nil {
		s.log.Debug("read from what was seen last", zap.Error(err))
	}
}

// GetStatus says where everything stands.
func (s *Service) GetStatus(ctx context.Context, _ *reportingv1.GetStatusRequest) (*reportingv1.GetStatusResponse, error) {
	s.fresh(ctx)
	resp := &reportingv1.GetStatusResponse{ManualClock: s.clock != nil}
	err := s.engine.View(ctx, 0, func(b *book.Book) error {
		head := s.engine.Head()
		resp.HeadSequence, resp.HeadHash, resp.Epoch = head.Sequence, head.Hash[:], head.Epoch
		resp.Level, resp.ReleaseLevel = head.Level, s.engine.Level()
		resp.RegistryRevision, resp.Cells, resp.Units = b.RegistryRevision(), b.CellCount(), int64(b.Units())
		resp.Time = timestamppb.New(head.Time)
		return nil
	})
	if s.clock != nil {
		resp.Time = timestamppb.New(s.clock.Now())
	}
	resp.RegistryProblem = s.directory.Problem()
	if s.publisher != nil {
		resp.StreamSequence, resp.StreamProblem = s.publisher.Published(), s.publisher.Problem()
	}
	return resp, err
}

// Verify checks the live system; one caller after the other, because each check
// holds a second book.
func (s *Service) Verify(ctx context.Context, req *reportingv1.VerifyRequest) (*reportingv1.VerifyResponse, error) {
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	live, head := s.engine.Freeze()
	resp := &reportingv1.VerifyResponse{Sequence: head.Sequence}
	note := func(name, detail string, err error) {
		c := &reportingv1.CheckResult{Name: name, Ok: err == nil, Detail: detail}
		if err != nil {
			c.Detail = err.Error()
		}
		resp.Checks = append(resp.Checks, c)
	}
	replayed, end, err := s.engine.Replay(ctx, head.Sequence)
	if err == nil && end.Hash != head.Hash {
		err = fmt.Errorf("the chain ends in %x, the service holds %x", end.Hash, head.Hash)
	}
	note("chain", fmt.Sprintf("%d events, head %x", head.Sequence, head.Hash[:8]), err)
	if err == nil {
		note("book", "the book equals a replay of the log", book.Compare(live, replayed))
	}
	n, err := live.Recompute()
	note("totals", fmt.Sprintf("%d totals equal the sums of their cells", n), err)
	if s.js != nil && !req.GetSkipStream() {
		note("stream", "the stream equals the log, number by number", stream.Verify(ctx, s.js, stream.FactsName(head.Epoch), s.engine))
	}
	return resp, ctx.Err()
}
