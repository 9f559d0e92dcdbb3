package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetUnit returns one unit.
func (s *Service) GetUnit(ctx context.Context, req *registryv1.GetUnitRequest) (*registryv1.GetUnitResponse, error) {
	id, err := name.ParseUnit(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetUnitResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Unit = b.Unit(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Unit == nil {
		return nil, missing(errorv1.Reason_REASON_UNIT_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListUnits lists units by id.
func (s *Service) ListUnits(ctx context.Context, req *registryv1.ListUnitsRequest) (*registryv1.ListUnitsResponse, error) {
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	filter := book.UnitFilter{
		Parent: name.Unit(req.GetParentUnit()), Kind: req.GetKind(), Today: calendar.DateOf(s.now()),
	}
	resp, next := &registryv1.ListUnitsResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		resp.Units, next = b.Units(filter, at.Page)
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Units, next = fit(resp.Units, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// CreateUnit makes a new unit.
func (s *Service) CreateUnit(ctx context.Context, req *registryv1.CreateUnitRequest) (*registryv1.CreateUnitResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id := name.Unit(req.GetUnitId())
	resp := &registryv1.CreateUnitResponse{}
	err := s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Unit, _, err = b.PutUnit(id, req.GetUnit(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateUnit replaces a unit by a new version.
func (s *Service) UpdateUnit(ctx context.Context, req *registryv1.UpdateUnitRequest) (*registryv1.UpdateUnitResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseUnit(req.GetUnit().GetName())
	if err != nil {
		return nil, badName("unit.name", err)
	}
	how := s.update("unit", req.GetUpdateMask())
	resp := &registryv1.UpdateUnitResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Unit, _, err = b.PutUnit(id, req.GetUnit(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
