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
	soon := func(t *testing.T, within time.Duration) context.Context {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // every call has a deadline
		t.Cleanup(func() {
			cancel()
			if took := time.Since(began); took > within {
				t.Errorf("it took %v", took)
			}
		})
		return ctx
	}
	t.Run("verify", func(t *testing.T) {
		t.Parallel()
		v, err := service.Verify(soon(t, 15*time.Second), &reportingv1.VerifyRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range v.GetChecks() {
			if c.GetOk() == (c.GetName() == "stream") {
				t.Errorf("%v", c)
			}
		}
	})
	for name, call := range map[string]func(context.Context) error{
		"ensure": func(ctx context.Context) error {
			_, err := service.EnsureSubscription(ctx, &reportingv1.EnsureSubscriptionRequest{Subscription: "s"})
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := service.ListSubscriptions(ctx, &reportingv1.ListSubscriptionsRequest{})
			return err
		},
		"delete": func(ctx context.Context) error {
			_, err := service.DeleteSubscription(ctx, &reportingv1.DeleteSubscriptionRequest{Subscription: "s"})
			return err
		},
		"dead_letters": func(ctx context.Context) error {
			_, err := service.ListDeadLetters(ctx, &reportingv1.ListDeadLettersRequest{Subscription: "s"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if e, _ := apierr.Parse(call(soon(t, time.Second))); e.Code != codes.Unavailable {
				t.Errorf("got %v", e)
			}
		})
	}
}
