package client

import (
	"errors"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/grpc/codes"
)

func TestWaitsDoubleUpToFiveSeconds(t *testing.T) {
	for range 100 {
		var w waits
		top := firstWait
		for range 12 {
			if d := w.after(errors.New("x")); d < top/2 || d > top {
				t.Fatalf("waits %v, want from %v to %v", d, top/2, top)
			}
			top = min(2*top, 5*time.Second)
		}
	}
	busy := apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "", ""), time.Minute)
	var w waits
	if d := w.after(busy); d != time.Minute {
		t.Errorf("waits %v when asked for a minute", d)
	}
}
