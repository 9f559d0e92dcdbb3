package apierr

import (
	"maps"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Item is the refusal as the result of one item of a batch. It names the first bad
// field only.
func (e *Error) Item() *reportingv1.ItemError {
	out := &reportingv1.ItemError{Code: uint32(e.Code), Reason: word(e.Reason), Message: e.Message, Field: e.Field, Metadata: e.Metadata}
	if e.Retry > 0 {
		out.RetryDelay = durationpb.New(e.Retry)
	}
	return out
}

// OfItem returns the refusal of an item as the error that a call with this item alone
// would have returned, which Parse reads; nil for nil.
func OfItem(item *reportingv1.ItemError) error {
	if item == nil {
		return nil
	}
	e := &Error{Code: codes.Code(item.GetCode()), Reason: reasonOf(item.GetReason()), Message: item.GetMessage(),
		Field: item.GetField(), Metadata: maps.Clone(item.GetMetadata()), Retry: max(0, item.GetRetryDelay().AsDuration())}
	if e.Field != "" {
		e.Violations = []Violation{{Field: e.Field, Description: clip(e.Message, maxDescription)}}
	}
	return e
}

// reasonOf reads a reason as it stands in an ErrorInfo; UNSPECIFIED for a word that
// this release does not know.
func reasonOf(word string) errorv1.Reason {
	return errorv1.Reason(errorv1.Reason_value["REASON_"+word])
}
