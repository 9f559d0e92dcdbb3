package e2e_test

import (
	"fmt"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestCallsAreChargedWhatTheyCost: as many calls as an allowance has units are made of
// plain reads, and a few of those that go through 300 revisions each.
func TestCallsAreChargedWhatTheyCost(t *testing.T) {
	l := newLocked(t, 1) // a unit a second, so that 4,000 at once are all there are
	l.furnish(t)
	const revisions, most = 300, 4_000
	req := &reportingv1.SubmitBatchRequest{Programme: "p"}
	for i := range revisions {
		sub := count("26737", "cards", "2022-M01", int64(10+i))
		if i > 0 {
			sub = after(uint32(i), sub)
		}
		req.Items = append(req.Items, &reportingv1.BatchItem{Submission: sub, RequestId: fmt.Sprint("revision-", i)})
	}
	_, err := l.reporting.SubmitBatch(t.Context(), req)
	must(t, err)
	cell := &reportingv1.CellKey{Programme: "p", Target: "cards", Unit: "26737", Period: "2022-M01"}
	for _, c := range []struct {
		what  string
		calls int // that are enough to be refused; 0 where it must not be
		call  func(reportingv1.ProgressServiceClient) error
	}{
		{"plain", 0, func(p reportingv1.ProgressServiceClient) error {
			_, err := p.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{Programme: "p", Target: "cards",
				Unit: "26737", Period: "2022-M01", Basis: typev1.Basis_BASIS_REPORTED}})
			return err
		}},
		{"history", most/revisions + 1, func(p reportingv1.ProgressServiceClient) error {
			_, err := p.ListCellHistory(t.Context(), &reportingv1.ListCellHistoryRequest{Key: cell, PageSize: 1_000})
			return err
		}},
		{"receipt", 0, func(p reportingv1.ProgressServiceClient) error { // of the first, without the others
			_, err := p.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{Key: cell, RequestId: "revision-0"})
			return err
		}},
	} {
		p := reportingv1.NewProgressServiceClient(l.as(t, "reader/26737/"+c.what))
		refused := 0
		for i := range most/revisions + 5 {
			if err := c.call(p); apierr.Is(err, errorv1.Reason_REASON_RATE_LIMITED) {
				refused = i
				break
			} else if err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
		}
		if (refused > 0) != (c.calls > 0) || refused > c.calls {
			t.Errorf("%s: call %d was refused, want %d", c.what, refused, c.calls)
		}
	}
}
