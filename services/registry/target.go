package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetTarget returns one target.
func (s *Service) GetTarget(ctx context.Context, req *registryv1.GetTargetRequest) (*registryv1.GetTargetResponse, error) {
	id, err := name.ParseTarget(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetTargetResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Target = b.Target(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Target == nil {
		return nil, missing(errorv1.Reason_REASON_TARGET_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListTargets lists the targets of a programme by id.
func (s *Service) ListTargets(ctx context.Context, req *registryv1.ListTargetsRequest) (*registryv1.ListTargetsResponse, error) {
	parent, err := name.ParseProgramme(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, next := &registryv1.ListTargetsResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		if b.Programme(parent) == nil {
			return missing(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent", req.GetParent())
		}
		resp.Targets, next = b.Targets(parent, at.Page, func(t *registryv1.Target) bool {
			return (req.GetPillar() == "" || t.GetPillar() == req.GetPillar()) &&
				(req.GetGroup() == "" || t.GetGroup() == req.GetGroup())
		})
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Targets, next = fit(resp.Targets, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// CreateTarget makes a new target.
func (s *Service) CreateTarget(ctx context.Context, req *registryv1.CreateTargetRequest) (*registryv1.CreateTargetResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	parent, err := name.ParseProgramme(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	id := name.Target{Programme: parent, ID: req.GetTargetId()}
	resp := &registryv1.CreateTargetResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Target, _, err = b.PutTarget(id, req.GetTarget(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateTarget replaces a target by a new version.
func (s *Service) UpdateTarget(ctx context.Context, req *registryv1.UpdateTargetRequest) (*registryv1.UpdateTargetResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseTarget(req.GetTarget().GetName())
	if err != nil {
		return nil, badName("target.name", err)
	}
	how := s.update("target", req.GetUpdateMask())
	resp := &registryv1.UpdateTargetResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Target, _, err = b.PutTarget(id, req.GetTarget(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
