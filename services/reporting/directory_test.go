package reporting

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// signpost is a registry that only says how far it is.
type signpost struct {
	registryv1.RegistryServiceClient
	head int64
}

func (s signpost) WatchRegistry(context.Context, *registryv1.WatchRegistryRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[registryv1.WatchRegistryResponse], error) {
	return signposted{head: s.head}, nil
}

type signposted struct {
	grpc.ClientStream
	head int64
}

func (s signposted) Recv() (*registryv1.WatchRegistryResponse, error) {
	return &registryv1.WatchRegistryResponse{HeadRevision: s.head}, nil
}

func TestCatchUp_takes_what_another_replica_took_in(t *testing.T) {
	ls := replicas(t, 2, "2022-01-03")
	d := NewDirectory(ls[1].s.engine, signpost{head: ls[0].revision + 1}, nil) // its own watch is away
	late := time.AfterFunc(100*time.Millisecond, func() { ls[0].change(unitChange("c9", "p1", aCommune, "commune")) })
	defer late.Stop()
	if !d.CatchUp(t.Context()) {
		t.Errorf("the copy has revision %d, and was not caught up", d.Revision(t.Context()))
	}
}
