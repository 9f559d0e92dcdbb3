package e2e_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// asked is a registry that only tells that somebody asked where it is.
type asked struct {
	registryv1.RegistryServiceClient
	grpc.ServerStreamingClient[registryv1.WatchRegistryResponse]
	then func(times int)
	n    int
}

func (a *asked) WatchRegistry(context.Context, *registryv1.WatchRegistryRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[registryv1.WatchRegistryResponse], error) {
	return a, nil
}

func (a *asked) Recv() (*registryv1.WatchRegistryResponse, error) {
	a.n++
	a.then(a.n)
	return &registryv1.WatchRegistryResponse{}, nil
}

// TestBatchOvertaken: while a batch waits for a unit that its service does not know
// yet, one of its items is accepted by itself. What the batch answers must be stored.
func TestBatchOvertaken(t *testing.T) {
	_, engine, _ := faulty(t)
	registry := &asked{}
	service, err := reporting.New(reporting.Config{Engine: engine, Directory: reporting.NewDirectory(engine, registry, nil)})
	if err != nil {
		t.Fatal(err)
	}
	items := []*reportingv1.BatchItem{
		{RequestId: "1", Submission: count("c0", "cards", "2022-M01", 1)},
		{RequestId: "2", Submission: count("c1", "cards", "2022-M01", 2)},
		{RequestId: "3", Submission: count("new", "cards", "2022-M01", 3)},
	}
	registry.then = func(times int) {
		if times != 2 {
			return
		}
		if _, err := service.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p", RequestId: "1", Submission: items[0].GetSubmission()}); err != nil {
			t.Error(err)
		}
		if _, err := engine.Do(t.Context(), func(b *book.Book) error {
			return owe(b, []*registryv1.Write{unit("new", "p0", typev1.UnitKind_UNIT_KIND_COMMUNE, "commune")})
		}); err != nil {
			t.Error(err)
		}
	}
	resp, err := service.SubmitBatch(t.Context(), &reportingv1.SubmitBatchRequest{Programme: "p", Items: items})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range resp.GetResults() {
		got, err := service.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{Sequence: r.GetReceipt().GetSequence()})
		if err != nil || got.GetRecord().GetRequestId() != items[i].GetRequestId() {
			t.Errorf("item %d was answered with %v, of which the log has %v, %v", i, r.GetReceipt(), got.GetRecord(), err)
		}
	}
}
