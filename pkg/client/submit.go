package client

import (
	"context"
	"fmt"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/google/uuid"
)

// Option changes the request that Submit sends.
type Option func(*reportingv1.SubmitRequest)

// WithRequestID sends under an id of the caller's own. Whoever stores the id
// before it sends, and sends again under it after a crash, is counted once.
func WithRequestID(id string) Option {
	return func(r *reportingv1.SubmitRequest) { r.RequestId = id }
}

// ValidateOnly only checks: the receipt is what it would be, with sequence 0.
func ValidateOnly() Option {
	return func(r *reportingv1.SubmitRequest) { r.ValidateOnly = true }
}

// Submit sends a submission until it is answered or ctx ends, under one request
// id, a new UUIDv7 unless WithRequestID names one. The receipt says that it is
// durable and counted. A refusal is an error that package apierr reads; after any
// other error the outcome is unknown, and only the same request id may be used
// to send the same again.
func (c *Client) Submit(ctx context.Context, programme string, s *reportingv1.Submission, opts ...Option) (*reportingv1.Receipt, error) {
	req := &reportingv1.SubmitRequest{Programme: programme, Submission: s}
	for _, o := range opts {
		o(req)
	}
	resp, err := c.Send(ctx, req)
	return resp.GetReceipt(), err
}

// Send is Submit with the whole request and response. A missing request id is
// filled in in req, so that the caller knows it when the outcome is unknown.
func (c *Client) Send(ctx context.Context, req *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	if err := fillID(&req.RequestId); err != nil {
		return nil, err
	}
	var resp *reportingv1.SubmitResponse
	err := c.retry(ctx, req, func(ctx context.Context) (err error) {
		resp, err = c.Reporting().Submit(ctx, req)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", req.GetRequestId(), err)
	}
	return resp, nil
}

// SubmitBatch sends up to 1,000 submissions until they are answered or ctx ends.
// Missing request ids are filled in in req. In mode PER_ITEM, items whose result
// is passing (such as RESOURCE_EXHAUSTED) are sent again, and they alone; when
// ctx ends in between, the results so far come with the error, and items without
// an answer have that of their last attempt, or none at all.
func (c *Client) SubmitBatch(ctx context.Context, req *reportingv1.SubmitBatchRequest) (*reportingv1.SubmitBatchResponse, error) {
	for _, item := range req.GetItems() {
		if err := fillID(&item.RequestId); err != nil {
			return nil, err
		}
	}
	b := newBatch(req)
	var w waits
	for n := 1; ; n++ {
		part := b.unanswered()
		var resp *reportingv1.SubmitBatchResponse
		err := c.retry(ctx, part, func(ctx context.Context) (err error) {
			resp, err = c.Reporting().SubmitBatch(ctx, part)
			return err
		})
		if err == nil {
			err = b.take(resp)
		}
		if err != nil {
			return b.partial(), fmt.Errorf("submit batch: %w", err)
		}
		passing := b.passing()
		if passing == nil {
			return b.resp, nil
		}
		if err := c.pause(ctx, n, passing, &w); err != nil {
			return b.partial(), fmt.Errorf("submit batch: %w", err)
		}
	}
}

// fillID makes a request id where there is none.
func fillID(id *string) error {
	if *id != "" {
		return nil
	}
	u, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a request id: %w", err)
	}
	*id = u.String()
	return nil
}
