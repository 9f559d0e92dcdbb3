package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Bounds of one message of a watch.
const (
	watchChanges = 500
	watchBytes   = 1 << 20
)

// errQuiet ends a wait in which nothing happened.
var errQuiet = errors.New("nothing happened")

// WatchRegistry sends every change after a revision, then each new one.
func (s *Service) WatchRegistry(req *registryv1.WatchRegistryRequest, stream grpc.ServerStreamingServer[registryv1.WatchRegistryResponse]) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(ledger.ErrStopped) })()

	s.fresh(ctx) // the first message tells where the registry is, not this replica
	w := watch{s: s, stream: stream, sent: uint64(req.GetAfterRevision())}
	err := w.begin(ctx)
	if err == nil {
		err = w.run(ctx)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// watch is one caller's watch.
type watch struct {
	s      *Service
	stream grpc.ServerStreamingServer[registryv1.WatchRegistryResponse]
	sent   uint64 // the last revision that the caller has
	batch  []*registryv1.Change
	bytes  int
}

// begin makes sure that the caller has not seen more than there is: it would then be
// a copy of another registry, or of this one before it was restored from a backup.
func (w *watch) begin(ctx context.Context) error {
	err := w.s.engine.Fresh(ctx)
	head := w.s.engine.Head().Sequence
	switch {
	case w.sent <= head:
		return nil // also while the ledger is away: what is here can be had
	case err != nil:
		return unreached(ctx, err)
	}
	return apierr.New(codes.FailedPrecondition, errorv1.Reason_REASON_REGISTRY_BEHIND, "after_revision",
		fmt.Sprintf("the registry is at revision %d, the caller has seen %d; was the registry restored from a backup?", head, w.sent))
}

// run sends what there is and waits for more, until ctx ends. The first message
// comes at once, so that the caller learns where the registry is.
func (w *watch) run(ctx context.Context) error {
	for {
		before := w.sent
		if err := w.catchUp(ctx); err != nil {
			return err
		}
		if w.sent == before {
			if err := w.flush(); err != nil { // a heartbeat
				return err
			}
		}
		quiet, cancel := context.WithTimeoutCause(ctx, w.s.heartbeat, errQuiet)
		_, err := w.s.engine.Wait(quiet, w.sent)
		cancel()
		if err != nil && !errors.Is(err, errQuiet) {
			return err
		}
		if err := w.s.able(ctx); err != nil {
			return err
		}
	}
}

// able is an error when this replica cannot know what others write: a watch that went on
// would stand still, and its caller is better off with another replica.
func (s *Service) able(ctx context.Context) error {
	if err := s.engine.Err(); err != nil {
		return err
	}
	if err := s.engine.Reachable(); err != nil {
		return unreached(ctx, err)
	}
	return nil
}

// catchUp sends all changes up to the present head.
func (w *watch) catchUp(ctx context.Context) error {
	next := w.sent + 1
	for block, err := range w.s.engine.Blocks(ctx, w.sent) {
		if err != nil {
			return fmt.Errorf("read changes after %d: %w", next-1, err)
		}
		for ; next <= block.End(); next++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.add(next, block.Entries[next-block.First].Event); err != nil {
				return err
			}
		}
	}
	if len(w.batch) == 0 {
		return nil
	}
	return w.flush()
}

// add puts a change into the batch, which is sent when it is full.
func (w *watch) add(revision uint64, event []byte) error {
	if len(w.batch) == watchChanges || len(w.batch) > 0 && w.bytes+len(event) > watchBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	c := &registryv1.Change{}
	if err := proto.Unmarshal(event, c); err != nil {
		return fmt.Errorf("decode change %d: %w", revision, err)
	}
	w.batch = append(w.batch, c)
	w.bytes += len(event)
	return nil
}

// flush sends the batch; an empty one is a heartbeat.
func (w *watch) flush() error {
	resp := &registryv1.WatchRegistryResponse{Changes: w.batch, HeadRevision: int64(w.s.engine.Head().Sequence)}
	if err := w.stream.Send(resp); err != nil {
		return err
	}
	if n := len(w.batch); n > 0 {
		w.sent = uint64(w.batch[n-1].GetRevision())
	}
	w.batch, w.bytes = nil, 0
	return nil
}
