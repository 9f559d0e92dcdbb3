package show

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Refusal is an error that a call returned, in words: the reason, the message and
// each bad field on a line of its own. Errors of the transport keep theirs.
func Refusal(err error) error {
	if err == nil {
		return nil
	}
	e, ok := apierr.Parse(err)
	if !ok {
		if e.Code == codes.Unavailable {
			return errors.New("the service cannot be reached: " + e.Message)
		}
		return err
	}
	var b strings.Builder
	b.WriteString(Reason(e.Reason))
	b.WriteString(": ")
	b.WriteString(e.Message)
	for _, v := range e.Violations {
		if len(e.Violations) == 1 && v.Description == e.Message {
			b.WriteString(" (" + v.Field + ")")
			break
		}
		b.WriteString("\n  " + v.Field + ": " + v.Description)
	}
	return errors.New(b.String())
}

// Reason is a reason as it stands in an ErrorInfo.
func Reason(r errorv1.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }
