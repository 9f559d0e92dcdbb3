package reporting

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// maxDocument bounds a closing's document, unpacked.
const maxDocument = 1 << 30

// exportPiece is how much of a document is sent at once.
const exportPiece = 64 << 10

// PublishClosing freezes everything at a date. The document is made from a cut of
// the book, beside the intake, and kept with its event.
func (s *Service) PublishClosing(ctx context.Context, req *reportingv1.PublishClosingRequest) (*reportingv1.PublishClosingResponse, error) {
	day, err := calendar.ParseDate(req.GetAsOfDate())
	if err != nil {
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "as_of_date", "%v", err)
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	c := book.Closing{Programme: req.GetProgramme(), ID: req.GetClosing(), Name: req.GetDisplayName(), AsOf: day}
	document, err := s.closingDocument(ctx, &c)
	if err != nil {
		return nil, fail(err)
	}
	on, err := s.do(ctx, false, func(b *book.Book) (err error) {
		c, err = b.Publish(c, document)
		return err
	})
	if err != nil {
		return nil, failAt(on, err)
	}
	if document == nil { // published before
		return &reportingv1.PublishClosingResponse{Closing: closingOf(c)}, nil
	}
	if err := s.engine.KeepImage(ctx); err != nil {
		s.log.Warn("no image is kept of the closing; what was known then takes longer to answer", zap.Error(err))
	}
	return &reportingv1.PublishClosingResponse{Closing: closingOf(c)}, nil
}

// closingDocument makes the document of a closing, packed, from a cut of the book;
// none when it was published before.
func (s *Service) closingDocument(ctx context.Context, c *book.Closing) ([]byte, error) {
	if err := s.engine.Fresh(ctx); err != nil {
		return nil, err // it would be without what other replicas accepted
	}
	var there bool
	if err := s.view(ctx, 0, func(b *book.Book) error {
		if b.ProgrammeByID(c.Programme) == nil {
			return &book.Refusal{Reason: errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, Field: "programme",
				Message: "there is no programme " + c.Programme}
		}
		if c.AsOf > b.Today() {
			return refuse(errorv1.Reason_REASON_DATE_IN_FUTURE, "as_of_date", "today is %s", b.Today())
		}
		if first := b.ProgrammeByID(c.Programme).FirstDay(); c.AsOf < first {
			return refuse(errorv1.Reason_REASON_INVALID_FIELD, "as_of_date", "the programme begins on %s: nothing can be closed before", first)
		}
		_, there = b.ClosingByID(c.Programme, c.ID)
		return nil
	}); err != nil || there {
		return nil, err
	}
	cut, head := s.engine.Freeze()
	c.KnownSequence = head.Sequence
	var d *document
	run, charge := metered(ctx, 0, func(b *book.Book) (err error) {
		d, err = newDocument(b, c)
		return err
	})
	defer charge()
	if err := run(cut); err != nil {
		return nil, fmt.Errorf("make closing %s: %w", c.ID, err)
	}
	text, err := d.encode()
	if err != nil {
		return nil, fmt.Errorf("make closing %s: %w", c.ID, err)
	}
	sum := sha256.Sum256(text)
	c.SHA256, c.Size = string(sum[:]), int64(len(text))
	return pack(text)
}

// pack makes a document small.
func pack(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// document reads a closing's document back, and checks it against its hash.
func (s *Service) document(ctx context.Context, c book.Closing) ([]byte, error) {
	entry, _, err := s.engine.Entry(ctx, c.Sequence)
	if err != nil {
		return nil, fmt.Errorf("read closing %s: %w", c.ID, err)
	}
	r, err := gzip.NewReader(bytes.NewReader(entry.Annex))
	if err != nil {
		return nil, fmt.Errorf("unpack closing %s: %w", c.ID, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxDocument))
	if err != nil {
		return nil, fmt.Errorf("unpack closing %s: %w", c.ID, err)
	}
	if sum := sha256.Sum256(text); string(sum[:]) != c.SHA256 {
		return nil, fmt.Errorf("closing %s hashes to %x, its event says %x", c.ID, sum, c.SHA256)
	}
	return text, nil
}

// GetClosing returns what is known of a closing.
func (s *Service) GetClosing(ctx context.Context, req *reportingv1.GetClosingRequest) (*reportingv1.GetClosingResponse, error) {
	c, err := s.closing(ctx, req.GetProgramme(), req.GetClosing())
	if err != nil {
		return nil, err
	}
	return &reportingv1.GetClosingResponse{Closing: closingOf(c)}, nil
}

// closing finds a closing.
func (s *Service) closing(ctx context.Context, programme, id string) (c book.Closing, err error) {
	s.fresh(ctx)
	err = s.view(ctx, 0, func(b *book.Book) error {
		var ok bool
		if c, ok = b.ClosingByID(programme, id); !ok {
			return refuse(errorv1.Reason_REASON_CLOSING_NOT_FOUND, "closing", "programme %s has no closing %s", programme, id)
		}
		return nil
	})
	return c, err
}

// ListClosings lists the closings of a programme, newest first.
func (s *Service) ListClosings(ctx context.Context, req *reportingv1.ListClosingsRequest) (*reportingv1.ListClosingsResponse, error) {
	before, err := numberToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	s.fresh(ctx)
	resp := &reportingv1.ListClosingsResponse{}
	err = s.view(ctx, 0, func(b *book.Book) error {
		if _, err := knownProgramme(b, req.GetProgramme()); err != nil {
			return err
		}
		var page []*reportingv1.Closing
		all, limit := b.Closings(req.GetProgramme()), pageSize(req.GetPageSize())
		for _, c := range all {
			if (before == 0 || c.Sequence < before) && len(page) <= limit && b.Spend(1) {
				page = append(page, closingOf(c))
			}
		}
		resp.Closings, resp.NextPageToken = fitted(req, page[:min(len(page), limit)], len(page) > limit, 0,
			func(c *reportingv1.Closing) string { return strconv.FormatUint(c.GetSequence(), 10) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// ExportClosing streams a closing's document.
func (s *Service) ExportClosing(req *reportingv1.ExportClosingRequest, out grpc.ServerStreamingServer[reportingv1.ExportClosingResponse]) error {
	c, err := s.closing(out.Context(), req.GetProgramme(), req.GetClosing())
	if err != nil {
		return err
	}
	text, err := s.document(out.Context(), c)
	if err != nil {
		return err
	}
	if req.GetFormat() == reportingv1.ClosingFormat_CLOSING_FORMAT_CSV {
		if text, err = table(text); err != nil {
			return fmt.Errorf("table of closing %s: %w", c.ID, err)
		}
	}
	for len(text) > 0 {
		n := min(len(text), exportPiece)
		if err := out.Send(&reportingv1.ExportClosingResponse{Data: text[:n]}); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

func closingOf(c book.Closing) *reportingv1.Closing {
	return &reportingv1.Closing{Id: c.ID, DisplayName: c.Name, AsOfDate: c.AsOf.String(), KnownSequence: c.KnownSequence,
		Sequence: c.Sequence, PublishTime: timestamppb.New(time.UnixMicro(c.TimeUnixMicros)), Sha256: []byte(c.SHA256), SizeBytes: c.Size}
}
