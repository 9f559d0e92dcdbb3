package bulk

import (
	"context"
	"fmt"
	"time"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// copyWithin is how long reporting may take to copy what was just written.
const copyWithin = time.Minute

// AwaitCopy waits until reporting has copied the registry up to a revision.
func AwaitCopy(ctx context.Context, reporting reportingv1.ReportingAdminServiceClient, revision int64) error {
	ctx, cancel := context.WithTimeout(ctx, copyWithin)
	defer cancel()
	var at int64
	for {
		status, err := reporting.GetStatus(ctx, &reportingv1.GetStatusRequest{})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("ask how far the copy of the registry is: %w", show.Refusal(err))
		}
		if at = max(at, status.GetRegistryRevision()); at >= revision {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("reporting has copied the registry up to revision %d, not %d: %w", at, revision, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
