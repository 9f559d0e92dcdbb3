package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetCalendar returns one calendar.
func (s *Service) GetCalendar(ctx context.Context, req *registryv1.GetCalendarRequest) (*registryv1.GetCalendarResponse, error) {
	id, err := name.ParseCalendar(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetCalendarResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Calendar = b.Calendar(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Calendar == nil {
		return nil, missing(errorv1.Reason_REASON_CALENDAR_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListCalendars lists calendars by id.
func (s *Service) ListCalendars(ctx context.Context, req *registryv1.ListCalendarsRequest) (*registryv1.ListCalendarsResponse, error) {
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, next := &registryv1.ListCalendarsResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		resp.Calendars, next = b.Calendars(at.Page)
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Calendars, next = fit(resp.Calendars, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// CreateCalendar makes a new calendar.
func (s *Service) CreateCalendar(ctx context.Context, req *registryv1.CreateCalendarRequest) (*registryv1.CreateCalendarResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id := name.Calendar(req.GetCalendarId())
	resp := &registryv1.CreateCalendarResponse{}
	err := s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Calendar, _, err = b.PutCalendar(id, req.GetCalendar(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateCalendar replaces a calendar by a new version.
func (s *Service) UpdateCalendar(ctx context.Context, req *registryv1.UpdateCalendarRequest) (*registryv1.UpdateCalendarResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseCalendar(req.GetCalendar().GetName())
	if err != nil {
		return nil, badName("calendar.name", err)
	}
	how := s.update("calendar", req.GetUpdateMask())
	resp := &registryv1.UpdateCalendarResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Calendar, _, err = b.PutCalendar(id, req.GetCalendar(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
