package registry

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// unreached is an error of Fresh as callers get it: they may ask another replica.
func unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, ledger.ErrNotReached) || errors.Is(err, ledger.ErrStopped) {
		return err
	}
	return errors.Join(apierr.New(codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE, "",
		"this replica does not reach the registry's ledger"), err)
}

// RaiseLevel raises the log's level.
func (s *Service) RaiseLevel(ctx context.Context, req *registryv1.RaiseLevelRequest) (*registryv1.RaiseLevelResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	done, err := s.engine.Declare(ctx, ledger.Declaration{Level: req.GetLevel()}, func(b *book.Book) error {
		return b.RaiseLevel(req.GetLevel(), req.GetReason())
	})
	if errors.Is(err, ledger.ErrNotNext) {
		return nil, s.notNext(req.GetLevel())
	}
	if err != nil {
		return nil, err
	}
	return &registryv1.RaiseLevelResponse{Revision: int64(done.Last)}, nil
}

// notNext says why a level could not be declared.
func (s *Service) notNext(level uint32) error {
	head, most := s.engine.Head(), s.engine.Level()
	if at := head.Level; level != at+1 {
		err := apierr.New(codes.FailedPrecondition, errorv1.Reason_REASON_EPOCH_MISMATCH, "level",
			fmt.Sprintf("the log is at level %d, so the next one is %d", at, at+1), "actual", fmt.Sprint(at))
		return apierr.WithSequence(err, head.Sequence)
	}
	return apierr.New(codes.FailedPrecondition, errorv1.Reason_REASON_NOT_DECLARABLE, "level",
		fmt.Sprintf("this release writes up to level %d", most))
}
