package reporting

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// DeclareEpoch begins a new epoch of the log.
func (s *Service) DeclareEpoch(ctx context.Context, req *reportingv1.DeclareEpochRequest) (*reportingv1.DeclareEpochResponse, error) {
	if err := privacy.Check(req); err != nil { // its reason stands in an event
		return nil, err
	}
	epoch := req.GetExpectedEpoch() + 1
	if epoch == 0 { // the number that follows the last there is
		return nil, s.otherEpoch(req.GetExpectedEpoch())
	}
	done, err := s.engine.Declare(ctx, ledger.Declaration{Epoch: epoch}, s.declared(0, req.GetReason()))
	if errors.Is(err, ledger.ErrNotNext) {
		return nil, s.otherEpoch(req.GetExpectedEpoch())
	}
	if err != nil {
		return nil, err
	}
	return &reportingv1.DeclareEpochResponse{Epoch: epoch, Sequence: done.Last}, nil
}

// RaiseLevel raises the log's level.
func (s *Service) RaiseLevel(ctx context.Context, req *reportingv1.RaiseLevelRequest) (*reportingv1.RaiseLevelResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	done, err := s.engine.Declare(ctx, ledger.Declaration{Level: req.GetLevel()}, s.declared(req.GetLevel(), req.GetReason()))
	if errors.Is(err, ledger.ErrNotNext) {
		if at := s.engine.Head(); req.GetLevel() != at.Level+1 {
			return nil, failAt(at.Sequence, mismatch("level", req.GetLevel(), at.Level))
		}
		return nil, refuse(errorv1.Reason_REASON_NOT_DECLARABLE, "level", "this release writes up to level %d", s.engine.Level())
	}
	if err != nil {
		return nil, err
	}
	return &reportingv1.RaiseLevelResponse{Sequence: done.Last}, nil
}

// declared drafts the event that tells of a declaration; level 0 is the log's own.
func (s *Service) declared(level uint32, reason string) func(*book.Book) error {
	return func(b *book.Book) error {
		at := level
		if at == 0 {
			at = s.engine.Head().Level
		}
		b.Declare(at, reason)
		return nil
	}
}

// otherEpoch says that the log has another epoch than a request goes on from.
func (s *Service) otherEpoch(named uint32) error {
	at := s.engine.Head()
	return failAt(at.Sequence, mismatch("expected_epoch", named, at.Epoch))
}

// mismatch says that the log has another epoch or level than a request goes on from.
func mismatch(field string, named, actual uint32) error {
	return apierr.New(codes.FailedPrecondition, errorv1.Reason_REASON_EPOCH_MISMATCH, field,
		fmt.Sprintf("the request names %d, the log is at %d", named, actual), "actual", fmt.Sprint(actual))
}
