package show

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Refusal is an error that a call returned, in words: the reason, the message and
// each of several bad fields on a line of its own. Errors of the transport keep theirs.
func Refusal(err error) error {
	if err == nil {
		return nil
	}
	e, ok := apierr.Parse(err)
	if !ok {
		if e.Code == codes.Unavailable {
			return errors.New("the service cannot be reached: " + e.Message)
		}
		if e.Code == codes.Unimplemented {
			return errors.New("this port does not serve that call: those of administrators have ports of their own, " +
				"which --registry-admin and --reporting-admin name (" + e.Message + ")")
		}
		return err
	}
	text := Reason(e.Reason) + ": " + e.Message
	if len(e.Violations) == 1 {
		v := e.Violations[0]
		if !strings.HasSuffix(e.Message, v.Description) {
			text += ": " + v.Description
		}
		if !strings.Contains(e.Message, v.Field) {
			text += " (" + v.Field + ")"
		}
		return errors.New(text)
	}
	if len(e.Violations) > 1 && strings.HasSuffix(e.Message, e.Violations[0].Description) {
		text = Reason(e.Reason) + ":" // the message tells only the first
	}
	for _, v := range e.Violations {
		text += "\n  " + v.Field + ": " + v.Description
	}
	return errors.New(text)
}

// Reason is a reason as it stands in an ErrorInfo.
func Reason(r errorv1.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }
