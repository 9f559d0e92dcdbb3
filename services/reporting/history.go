package reporting

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// newest returns the number of a cell's newest event, 0 when nothing was reported.
func (s *Service) newest(ctx context.Context, key *reportingv1.CellKey, minSequence uint64) (last uint64, err error) {
	err = s.view(ctx, minSequence, func(b *book.Book) error {
		at, err := locate(b, key.GetProgramme(), key.GetTarget(), key.GetUnit(), key.GetPeriod())
		if err == nil {
			_, last = b.Cell(at.measure, at.unit, at.period)
		}
		return err
	})
	return last, err
}

func nothingReported(field string) error {
	return refuse(errorv1.Reason_REASON_SUBMISSION_NOT_FOUND, field, "nothing was reported there")
}

// ListCellHistory lists what was submitted for a cell, newest first.
func (s *Service) ListCellHistory(ctx context.Context, req *reportingv1.ListCellHistoryRequest) (*reportingv1.ListCellHistoryResponse, error) {
	key, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	at, err := s.newest(ctx, req.GetKey(), req.GetMinSequence())
	if err != nil {
		return nil, err
	}
	if key != "" {
		if at, err = s.olderIn(ctx, req.GetKey(), key); err != nil {
			return nil, err
		}
	}
	resp := &reportingv1.ListCellHistoryResponse{}
	for bytes := 0; at != 0; {
		rec, err := s.record(ctx, at)
		if err != nil {
			return nil, err
		}
		bytes += proto.Size(rec) // with a thousand items in it, it is far from small
		if n := len(resp.Records); n == pageSize(req.GetPageSize()) || n > 0 && bytes > maxListBytes {
			resp.NextPageToken = rpc.EncodePageToken(req, strconv.FormatUint(at, 10))
			break
		}
		resp.Records = append(resp.Records, rec)
		at = rec.GetSupersedes()
	}
	return resp, nil
}

// olderIn reads the number with which a page of a cell's history begins. Anybody can
// make a token with the number of another unit's submission in it: only an event of
// this cell, which the caller may read, is taken.
func (s *Service) olderIn(ctx context.Context, cell *reportingv1.CellKey, key string) (uint64, error) {
	at, err := strconv.ParseUint(key, 10, 64)
	if err == nil {
		var rec *reportingv1.SubmissionRecord
		rec, err = s.record(ctx, at)
		if err != nil && !errors.Is(err, errNotStored) {
			return 0, err
		}
		if err == nil && ofCell(rec, cell) {
			return at, nil
		}
	}
	return 0, refuse(errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token", "the page token is not of this request")
}

// ListItems lists the items of a cell that was sent as an item list.
func (s *Service) ListItems(ctx context.Context, req *reportingv1.ListItemsRequest) (*reportingv1.ListItemsResponse, error) {
	last, err := s.newest(ctx, req.GetKey(), req.GetMinSequence())
	if err != nil {
		return nil, err
	}
	if last == 0 {
		return nil, nothingReported("key")
	}
	rec, err := s.record(ctx, last)
	if err != nil {
		return nil, err
	}
	list := rec.GetSubmission().GetItems()
	if list == nil {
		return nil, refuse(errorv1.Reason_REASON_SUBMISSION_NOT_FOUND, "key", "the cell holds no item list")
	}
	resp := &reportingv1.ListItemsResponse{Sequence: last}
	for _, item := range list.GetItems() {
		if !req.GetOpenOnly() || !item.GetDone() {
			resp.Items = append(resp.Items, item)
		}
	}
	return resp, nil
}

// GetReceipt returns a submission as it was accepted. Whoever asks may not know whether
// it was: a replica that is behind the log does not say that it was not.
func (s *Service) GetReceipt(ctx context.Context, req *reportingv1.GetReceiptRequest) (*reportingv1.GetReceiptResponse, error) {
	if (req.GetSequence() == 0) == (req.GetKey() == nil) {
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "sequence", "give either a sequence, or a key and a request_id")
	}
	if (req.GetKey() == nil) != (req.GetRequestId() == "") {
		return nil, refuse(errorv1.Reason_REASON_INVALID_FIELD, "request_id", "a request_id goes with a key, and a key with a request_id")
	}
	seen := s.engine.Head().Sequence
	rec, err := s.receipt(ctx, req)
	if err != nil {
		if err := s.engine.Fresh(ctx); err != nil {
			return nil, err
		}
		if s.engine.Head().Sequence != seen {
			rec, err = s.receipt(ctx, req)
		}
	}
	if err != nil {
		return nil, err
	}
	return &reportingv1.GetReceiptResponse{Record: rec}, nil
}

// receipt finds a submission in what this replica has seen.
func (s *Service) receipt(ctx context.Context, req *reportingv1.GetReceiptRequest) (*reportingv1.SubmissionRecord, error) {
	if req.GetKey() == nil {
		rec, err := s.record(ctx, req.GetSequence())
		if errors.Is(err, errNotStored) {
			err = refuse(errorv1.Reason_REASON_SUBMISSION_NOT_FOUND, "sequence", "event %d is no submission", req.GetSequence())
		}
		return rec, err
	}
	return s.byRequest(ctx, req.GetKey(), req.GetRequestId())
}

// byRequest finds what a cell's unit sent with a request id, or who decided about it. The
// book remembers where the newest requests are; of older ones, and where it cannot know
// who sent them, the cell's history is gone through, which costs a read for each revision.
func (s *Service) byRequest(ctx context.Context, key *reportingv1.CellKey, id string) (*reportingv1.SubmissionRecord, error) {
	var last uint64
	var remembered []uint64
	walk := false
	err := s.view(ctx, 0, func(b *book.Book) error {
		at, err := locate(b, key.GetProgramme(), key.GetTarget(), key.GetUnit(), key.GetPeriod())
		if err != nil {
			return err
		}
		_, last = b.Cell(at.measure, at.unit, at.period)
		// A decision about a completion is a request of whoever took it.
		remembered, walk = nil, at.measure.IsTask()
		for _, submitter := range append(at.measure.Assigned(), key.GetUnit()) {
			n, all := b.RequestOf(submitter, id)
			if walk = walk || !all; n != 0 {
				remembered = append(remembered, n)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, n := range remembered {
		rec, err := s.record(ctx, n)
		if err != nil {
			return nil, err
		}
		if rec.GetRequestId() == id && ofCell(rec, key) {
			return rec, nil
		}
		walk = walk || rec.GetRequestId() != id // another request with the same hash hides it
	}
	for at := last; at != 0 && walk; {
		rec, err := s.record(ctx, at)
		if err != nil {
			return nil, err
		}
		if rec.GetRequestId() == id {
			return rec, nil
		}
		at = rec.GetSupersedes()
	}
	return nil, nothingReported("request_id")
}

// ofCell reports whether a record is of a cell.
func ofCell(rec *reportingv1.SubmissionRecord, cell *reportingv1.CellKey) bool {
	sub := rec.GetSubmission()
	return rec.GetProgramme() == cell.GetProgramme() && sub.GetTarget() == cell.GetTarget() &&
		sub.GetUnit() == cell.GetUnit() && sub.GetPeriod() == cell.GetPeriod()
}
