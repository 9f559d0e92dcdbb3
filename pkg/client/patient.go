package client

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// mostWaits is how often a call that is above its caller's allowance is sent again.
const mostWaits = 20

// patient waits when the service says that this caller sends more than its share, as long
// as it says and as the call's deadline allows. Nothing was done then, whatever the method.
func patient(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	for waits := 0; ; waits++ {
		err := invoke(ctx, method, req, reply, conn, opts...)
		if apierr.ReasonOf(err) != errorv1.Reason_REASON_RATE_LIMITED || waits == mostWaits {
			return err
		}
		wait, told := apierr.RetryDelay(err)
		if at, limited := ctx.Deadline(); !told || limited && time.Until(at) < wait {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}
