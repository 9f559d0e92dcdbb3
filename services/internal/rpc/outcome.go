package rpc

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// busyRetry is when a caller that met a full queue may try again: some blocks later.
const busyRetry = 100 * time.Millisecond

// outcome is what the caller sees of a handler's error. Only errors that were
// made for callers pass; what is not known is INTERNAL with the request id.
func outcome(ctx context.Context, err error, id string) error {
	if err == nil {
		return nil
	}
	var own *apierr.Error
	if errors.As(err, &own) {
		return own
	}
	if out := engineOutcome(err); out != nil {
		return out
	}
	if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok && meant(ctx, st.GRPCStatus().Code()) {
		return err
	}
	if out := contextOutcome(ctx, err); out != nil {
		return out
	}
	if errors.Is(err, ledger.ErrUnknown) {
		return apierr.New(codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE, "",
			"the outcome is unknown; send the same request with the same request id again")
	}
	if errors.Is(err, ledger.ErrAway) {
		return apierr.New(codes.Unavailable, errorv1.Reason_REASON_UNAVAILABLE, "",
			"the database does not answer; send the same request again")
	}
	return apierr.New(codes.Internal, errorv1.Reason_REASON_INTERNAL, "",
		"internal error, in the log under request id "+id)
}

// contextOutcome is what callers see when a call ran out of time or was given up;
// what else went wrong then, such as an interrupted query, follows from it.
func contextOutcome(ctx context.Context, err error) error {
	cause := ctx.Err()
	if cause == nil {
		cause = err
	}
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the deadline passed; the outcome of a write is unknown")
	case errors.Is(cause, context.Canceled):
		return status.Error(codes.Canceled, "the call was cancelled; the outcome of a write is unknown")
	}
	return nil
}

// engineOutcome is what callers see of the ledger's errors, nil for others.
func engineOutcome(err error) error {
	const unavailable = errorv1.Reason_REASON_UNAVAILABLE
	switch {
	case errors.Is(err, ledger.ErrBusy):
		return apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "",
			"too much is waiting; send the same request again"), busyRetry)
	case errors.Is(err, ledger.ErrStopped):
		return apierr.New(codes.Unavailable, unavailable, "", "the service is stopping; send the same request again")
	case errors.Is(err, ledger.ErrEnded):
		return apierr.New(codes.Unavailable, unavailable, "", "this replica cannot go on with the log; send the same request again")
	case errors.Is(err, ledger.ErrFull):
		return apierr.New(codes.Unavailable, unavailable, "", "the log has no room; nothing was stored")
	case errors.Is(err, ledger.ErrConflict):
		return apierr.New(codes.Unavailable, unavailable, "", "another writer was faster; send the same request again")
	case errors.Is(err, ledger.ErrNotReached):
		return apierr.New(codes.Unavailable, errorv1.Reason_REASON_SEQUENCE_NOT_REACHED, "min_sequence",
			"the asked event was not seen in time")
	}
	return nil
}

// meant reports whether a plain status was made for the caller, as grpc's own
// services and generated code do. A status of another server's failure, which a
// handler passed on, is not.
func meant(ctx context.Context, c codes.Code) bool {
	switch c {
	case codes.Unimplemented, codes.NotFound, codes.InvalidArgument, codes.ResourceExhausted:
		return true
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
		return ctx.Err() != nil
	default:
		return false
	}
}

// reasonWord is a reason as it stands in an ErrorInfo.
func reasonWord(r errorv1.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }
