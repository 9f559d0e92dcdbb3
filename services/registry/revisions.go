package registry

import (
	"context"
	"fmt"
	"strconv"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// ListRevisions lists the versions of a resource, newest first.
func (s *Service) ListRevisions(ctx context.Context, req *registryv1.ListRevisionsRequest) (*registryv1.ListRevisionsResponse, error) {
	page, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	at, err := s.revisionOf(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if page.After != "" {
		if at, err = s.olderOf(ctx, req.GetName(), at, page.After); err != nil {
			return nil, err
		}
	}
	resp := &registryv1.ListRevisionsResponse{}
	for size := 0; at != 0 && len(resp.Changes) < page.Limit; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := s.change(ctx, at)
		if err != nil {
			return nil, err
		}
		if size += proto.Size(c); size > rpc.MaxAnswer && len(resp.Changes) > 0 {
			break
		}
		resp.Changes = append(resp.Changes, c)
		at = c.GetPreviousRevision()
	}
	if at != 0 {
		resp.NextPageToken = tokenOf(req, strconv.FormatInt(at, 10))
	}
	return resp, nil
}

// olderOf reads the revision with which a page begins. Anybody can make a token with
// the number of another resource's change in it, such as an allocation of another's:
// only a change of this resource, which the caller may read, is taken.
func (s *Service) olderOf(ctx context.Context, resource string, newest int64, key string) (int64, error) {
	at, err := strconv.ParseInt(key, 10, 64)
	if err == nil && at > 0 && at <= newest {
		c, err := s.change(ctx, at)
		if err != nil {
			return 0, err
		}
		if book.NameOf(c) == resource {
			return at, nil
		}
	}
	return 0, apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token",
		"the page token was not made for this request; start again without one")
}

// revisionOf returns the present revision of any resource.
func (s *Service) revisionOf(ctx context.Context, resource string) (at int64, err error) {
	err = s.view(ctx, func(b *book.Book) error {
		revision, reason, err := b.Revision(resource)
		switch {
		case err != nil:
			return badName("name", err)
		case reason != 0:
			return missing(reason, "name", resource)
		}
		at = revision
		return nil
	})
	return at, err
}

// change reads one change from the log.
func (s *Service) change(ctx context.Context, revision int64) (*registryv1.Change, error) {
	auth.Charge(ctx, 1) // it may not be in memory
	e, _, err := s.engine.Entry(ctx, uint64(revision))
	if err != nil {
		return nil, fmt.Errorf("read change %d: %w", revision, err)
	}
	c := &registryv1.Change{}
	if err := proto.Unmarshal(e.Event, c); err != nil {
		return nil, fmt.Errorf("decode change %d: %w", revision, err)
	}
	return c, nil
}
