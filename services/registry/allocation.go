package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetAllocation returns one allocation.
func (s *Service) GetAllocation(ctx context.Context, req *registryv1.GetAllocationRequest) (*registryv1.GetAllocationResponse, error) {
	id, err := name.ParseAllocation(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetAllocationResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Allocation = b.Allocation(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Allocation == nil {
		return nil, missing(errorv1.Reason_REASON_ALLOCATION_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListAllocations lists the allocations of a target by id.
func (s *Service) ListAllocations(ctx context.Context, req *registryv1.ListAllocationsRequest) (*registryv1.ListAllocationsResponse, error) {
	parent, err := name.ParseTarget(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, next := &registryv1.ListAllocationsResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		if b.Target(parent) == nil {
			return missing(errorv1.Reason_REASON_TARGET_NOT_FOUND, "parent", req.GetParent())
		}
		resp.Allocations, next = b.Allocations(parent, at.Page, scopeOf(ctx), calendar.DateOf(s.now()))
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Allocations, next = fit(resp.Allocations, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// scopeOf is the unit whose subtree is all that a caller sees; empty where that is
// everything.
func scopeOf(ctx context.Context) name.Unit {
	who, _ := auth.FromContext(ctx)
	return name.Unit(who.Unit)
}

// CreateAllocation makes a new allocation.
func (s *Service) CreateAllocation(ctx context.Context, req *registryv1.CreateAllocationRequest) (*registryv1.CreateAllocationResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	parent, err := name.ParseTarget(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	id := name.Allocation{Target: parent, Unit: name.Unit(req.GetUnit())}
	resp := &registryv1.CreateAllocationResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Allocation, _, err = b.PutAllocation(id, req.GetAllocation(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateAllocation replaces an allocation by a new version.
func (s *Service) UpdateAllocation(ctx context.Context, req *registryv1.UpdateAllocationRequest) (*registryv1.UpdateAllocationResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseAllocation(req.GetAllocation().GetName())
	if err != nil {
		return nil, badName("allocation.name", err)
	}
	how := s.update("allocation", req.GetUpdateMask())
	resp := &registryv1.UpdateAllocationResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Allocation, _, err = b.PutAllocation(id, req.GetAllocation(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
