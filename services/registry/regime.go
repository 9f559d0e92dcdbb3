package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetRegime returns one regime.
func (s *Service) GetRegime(ctx context.Context, req *registryv1.GetRegimeRequest) (*registryv1.GetRegimeResponse, error) {
	id, err := name.ParseRegime(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetRegimeResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Regime = b.Regime(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Regime == nil {
		return nil, missing(errorv1.Reason_REASON_REGIME_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListRegimes lists the regimes of a programme by id.
func (s *Service) ListRegimes(ctx context.Context, req *registryv1.ListRegimesRequest) (*registryv1.ListRegimesResponse, error) {
	parent, err := name.ParseProgramme(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, next := &registryv1.ListRegimesResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		if b.Programme(parent) == nil {
			return missing(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent", req.GetParent())
		}
		resp.Regimes, next = b.Regimes(parent, at.Page)
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Regimes, next = fit(resp.Regimes, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// CreateRegime makes a new regime.
func (s *Service) CreateRegime(ctx context.Context, req *registryv1.CreateRegimeRequest) (*registryv1.CreateRegimeResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	parent, err := name.ParseProgramme(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	id := name.Regime{Programme: parent, ID: req.GetRegimeId()}
	resp := &registryv1.CreateRegimeResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Regime, _, err = b.PutRegime(id, req.GetRegime(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateRegime replaces a regime by a new version.
func (s *Service) UpdateRegime(ctx context.Context, req *registryv1.UpdateRegimeRequest) (*registryv1.UpdateRegimeResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseRegime(req.GetRegime().GetName())
	if err != nil {
		return nil, badName("regime.name", err)
	}
	how := s.update("regime", req.GetUpdateMask())
	resp := &registryv1.UpdateRegimeResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Regime, _, err = b.PutRegime(id, req.GetRegime(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
