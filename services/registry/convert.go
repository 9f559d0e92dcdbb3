package registry

import (
	"errors"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"google.golang.org/grpc/codes"
)

// fail makes what callers get of an error of the book; others pass as they are.
func fail(err error) error { return failAt("", err) }

// failAt is fail for a part of a request: prefix comes before the fields' paths.
func failAt(prefix string, err error) error {
	var e *book.Error
	if !errors.As(err, &e) {
		return err
	}
	if len(e.Violations) == 1 {
		field := prefix + e.Violations[0].Field
		return apierr.New(codeOf(e.Reason), e.Reason, field, e.Message, e.Meta...)
	}
	all := make([]apierr.Violation, len(e.Violations))
	for i, v := range e.Violations {
		all[i] = apierr.Violation{Field: prefix + v.Field, Description: v.Message}
	}
	return apierr.NewViolations(codeOf(e.Reason), e.Reason, e.Message, all)
}

// codeOf is the code that the contract gives to a reason of the book.
func codeOf(r errorv1.Reason) codes.Code {
	switch r {
	case errorv1.Reason_REASON_INVALID_FIELD, errorv1.Reason_REASON_NOT_ISSUABLE, errorv1.Reason_REASON_BAD_REFERENCE:
		return codes.InvalidArgument
	case errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, errorv1.Reason_REASON_UNIT_NOT_FOUND,
		errorv1.Reason_REASON_TARGET_NOT_FOUND, errorv1.Reason_REASON_TASK_NOT_FOUND,
		errorv1.Reason_REASON_ALLOCATION_NOT_FOUND, errorv1.Reason_REASON_CALENDAR_NOT_FOUND,
		errorv1.Reason_REASON_REGIME_NOT_FOUND:
		return codes.NotFound
	case errorv1.Reason_REASON_RESOURCE_EXISTS:
		return codes.AlreadyExists
	case errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN, errorv1.Reason_REASON_CHANGE_NOT_ALLOWED:
		return codes.FailedPrecondition
	case errorv1.Reason_REASON_REVISION_MISMATCH:
		return codes.Aborted
	}
	return codes.Internal
}

// badName says that a field does not hold the name of such a resource.
func badName(field string, err error) error {
	return apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, field, field+": "+err.Error())
}

// missing says that there is no resource of this name.
func missing(reason errorv1.Reason, field, name string) error {
	return apierr.New(codes.NotFound, reason, field, name+" does not exist")
}
