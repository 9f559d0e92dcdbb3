package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/reporting"
)

// TestNATSAway: what needs NATS says soon that it is away.
func TestNATSAway(t *testing.T) {
	_, engine, _ := faulty(t)
	js, err := jetstream.New(connect(t, freePort(t)))
	if err != nil {
		t.Fatal(err)
	}
	service, err := reporting.New(reporting.Config{Engine: engine, JetStream: js})
	if err != nil {
		t.Fatal(err)
	}
	soon := func(t *testing.T) context.Context {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // every call has a deadline
		t.Cleanup(func() {
			cancel()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
		return ctx
	}
	t.Run("verify", func(t *testing.T) {
		t.Parallel()
		v, err := service.Verify(soon(t), &reportingv1.VerifyRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range v.GetChecks() {
			if c.GetOk() == (c.GetName() == "stream") {
				t.Errorf("%v", c)
			}
		}
	})
	t.Run("subscription", func(t *testing.T) {
		t.Parallel()
		_, err := service.EnsureSubscription(soon(t), &reportingv1.EnsureSubscriptionRequest{Subscription: "s"})
		if e, _ := apierr.Parse(err); e.Code != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}
