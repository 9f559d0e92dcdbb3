package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
)

// requestIDKey is the metadata key in both directions.
const requestIDKey = "x-request-id"

// maxRequestID bounds what a caller may have written into the log.
const maxRequestID = 64

// RequestID is the id that the log knows a call by: the caller's `x-request-id`
// metadata when it is 1 to 64 printable ASCII characters, else a new one. It is
// sent back as a header. It is not the request_id of a submission.
func RequestID(ctx context.Context) string {
	if a := arrivalOf(ctx); a != nil {
		return a.id
	}
	return ""
}

// callID finds or makes the id of a call with this header.
func callID(header metadata.MD) string {
	if v := header.Get(requestIDKey); len(v) == 1 && printable(v[0]) {
		return v[0]
	}
	return uuid.NewString()
}

// idHeader is the header that tells the caller the id.
func idHeader(id string) metadata.MD { return metadata.Pairs(requestIDKey, id) }

// printable reports whether s is an id that we take from a caller.
func printable(s string) bool {
	if len(s) == 0 || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
