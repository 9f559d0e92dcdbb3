package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetProgramme returns one programme.
func (s *Service) GetProgramme(ctx context.Context, req *registryv1.GetProgrammeRequest) (*registryv1.GetProgrammeResponse, error) {
	id, err := name.ParseProgramme(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetProgrammeResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Programme = b.Programme(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Programme == nil {
		return nil, missing(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListProgrammes lists programmes by id.
func (s *Service) ListProgrammes(ctx context.Context, req *registryv1.ListProgrammesRequest) (*registryv1.ListProgrammesResponse, error) {
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, next := &registryv1.ListProgrammesResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		resp.Programmes, next = b.Programmes(at.Page)
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Programmes, next = fit(resp.Programmes, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// CreateProgramme makes a new programme.
func (s *Service) CreateProgramme(ctx context.Context, req *registryv1.CreateProgrammeRequest) (*registryv1.CreateProgrammeResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id := name.Programme(req.GetProgrammeId())
	resp := &registryv1.CreateProgrammeResponse{}
	err := s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Programme, _, err = b.PutProgramme(id, req.GetProgramme(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateProgramme replaces a programme by a new version.
func (s *Service) UpdateProgramme(ctx context.Context, req *registryv1.UpdateProgrammeRequest) (*registryv1.UpdateProgrammeResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseProgramme(req.GetProgramme().GetName())
	if err != nil {
		return nil, badName("programme.name", err)
	}
	how := s.update("programme", req.GetUpdateMask())
	resp := &registryv1.UpdateProgrammeResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Programme, _, err = b.PutProgramme(id, req.GetProgramme(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
