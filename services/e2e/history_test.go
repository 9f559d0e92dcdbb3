package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestLongHistory reads the history of a cell whose records do not all go into one
// answer, with a caller that takes 4 MiB.
func TestLongHistory(t *testing.T) {
	r := inProcess(t)
	r.owe(t, append(tree(), target("services", typev1.ValueKind_VALUE_KIND_RATIO, nil))...)
	const revisions = 30
	for i := range revisions {
		list := &reportingv1.ItemList{}
		for k := range 1000 {
			list.Items = append(list.Items, &reportingv1.Item{Name: fmt.Sprintf("%s %d %d", strings.Repeat("x", 180), i, k)})
		}
		s := &reportingv1.Submission{Unit: "26734", Target: "services", Period: "2022-M01", Value: &reportingv1.Submission_Items{Items: list}}
		if i > 0 {
			s = after(uint32(i), s)
		}
		r.submit(t, fmt.Sprintf("r-%d", i), s)
	}
	req := &reportingv1.ListCellHistoryRequest{Key: &reportingv1.CellKey{Programme: "p", Target: "services", Unit: "26734", Period: "2022-M01"}}
	for want, pages := revisions, 0; want > 0; pages++ {
		resp, err := r.progress.ListCellHistory(t.Context(), req)
		if err != nil {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, rec := range resp.GetRecords() {
			if got := int(rec.GetReceipt().GetRevision()); got != want {
				t.Fatalf("page %d has revision %d where %d should be", pages, got, want)
			}
			want--
		}
		if req.PageToken = resp.GetNextPageToken(); (req.PageToken == "") != (want == 0) {
			t.Fatalf("page %d: %d left, next page %q", pages, want, req.PageToken)
		}
	}
}
