package e2e_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// TestSubscriptionsOfAUnitAreBounded: NATS keeps each on several servers, and what one
// unit takes is not there for others.
func TestSubscriptionsOfAUnitAreBounded(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	ours, others := reportingv1.NewEventServiceClient(l.as(t, "subscriber/79")), reportingv1.NewEventServiceClient(l.as(t, "subscriber/01"))
	ensure := func(of reportingv1.EventServiceClient, name, subject string) error {
		_, err := of.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: name, Subjects: []string{subject}})
		return err
	}
	const most = 100
	for _, subject := range []string{"cotmoc.*.milestone.*.*.vn.%s.>", "cotmoc.*.progress.*.*.vn.%s.>"} {
		own := fmt.Sprintf(subject, "79")
		for i := range most {
			must(t, ensure(ours, fmt.Sprintf("79-s%d", i), own))
		}
		r := refusalOf(ensure(ours, "79-more", own))
		if r.code != codes.FailedPrecondition || r.reason != errorv1.Reason_REASON_TOO_MANY || r.fields != "subscription" {
			t.Errorf("number %d to %s: %+v", most+1, own, r)
		}
		must(t, ensure(ours, "79-s7", own)) // it is there
		must(t, ensure(others, "01-one", fmt.Sprintf(subject, "01")))
	}
	_, err := ours.DeleteSubscription(t.Context(), &reportingv1.DeleteSubscriptionRequest{Subscription: "79-s0"})
	must(t, err)
	must(t, ensure(ours, "79-more", "cotmoc.*.milestone.*.*.vn.79.>"))
}
