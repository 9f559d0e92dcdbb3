package cluster_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cotmoc/cotmoc/pkg/client"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

func TestClusterStartsAndStops(t *testing.T) {
	began := time.Now()
	k, err := cluster.Start(t.Context(), cluster.Config{Dir: "", Accounts: 2, Progress: func(s string) { t.Logf("%5.1f %s", time.Since(began).Seconds(), s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %v", time.Since(began))
	defer func() {
		began := time.Now()
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("closed after %v", time.Since(began))
	}()
	o, err := k.Options("admin/ops")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{k.RegistryAddrs(), k.ReportingAddrs()} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := client.Dial(ctx, at, o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		resp, err := grpc_health_v1.NewHealthClient(c.Conn()).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil || resp.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%s: %v, %v", at, resp, err)
		}
	}
	began = time.Now()
	other, err := k.Another(t.Context(), cluster.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("another after %v", time.Since(began))
	began = time.Now()
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("closed after %v", time.Since(began))
}
