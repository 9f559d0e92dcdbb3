package apierr

import (
	"context"
	"errors"
	"time"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GRPCStatus is what gRPC sends for the error.
func (e *Error) GRPCStatus() *status.Status {
	st := status.New(e.Code, e.Message)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Domain: Domain, Reason: word(e.Reason), Metadata: e.Metadata,
	}}
	if len(e.Violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range e.Violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: v.Field, Description: v.Description, Reason: word(e.Reason),
			})
		}
		details = append(details, bad)
	}
	if e.Retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.Retry)})
	}
	with, err := st.WithDetails(details...)
	if err != nil {
		return st // only for a code of OK or text that is not UTF-8
	}
	return with
}

// Parse reads an error that a call returned, wrapped or not. It reports false
// when the error does not come from Cotmoc itself but, say, from the transport;
// Code, Message and Retry are set all the same.
func Parse(err error) (Error, bool) {
	if err == nil {
		return Error{}, false
	}
	var own *Error
	if errors.As(err, &own) {
		return *own, true
	}
	st := statusOf(err)
	e := Error{Code: st.Code(), Message: st.Message()}
	found := false
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() != Domain {
				continue
			}
			found = true
			e.Reason = reasonOf(d.GetReason())
			e.Metadata = d.GetMetadata()
			e.Field = d.GetMetadata()["field"]
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{Field: v.GetField(), Description: v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.Retry = d.GetRetryDelay().AsDuration()
		}
	}
	return e, found
}

// statusOf finds the status in err without the words that it was wrapped in.
func statusOf(err error) *status.Status {
	var carrier interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &carrier):
		return carrier.GRPCStatus()
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, err.Error())
	default:
		return status.New(codes.Unknown, err.Error())
	}
}

// ReasonOf is the reason of an error, UNSPECIFIED when it has none.
func ReasonOf(err error) errorv1.Reason {
	e, _ := Parse(err)
	return e.Reason
}

// Is reports whether err was answered for this reason.
func Is(err error, reason errorv1.Reason) bool {
	e, ok := Parse(err)
	return ok && e.Reason == reason
}

// RetryDelay is how long the server asks to wait before the same request is sent
// again; false when it does not say.
func RetryDelay(err error) (time.Duration, bool) {
	e, _ := Parse(err)
	return e.Retry, e.Retry > 0
}
