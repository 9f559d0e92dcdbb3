package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// TestSubscriptionsFitIntoADefaultClient: as many as one unit may have, with as many and
// as long subjects as each may have, are more than a client takes at once that was told
// nothing.
func TestSubscriptionsFitIntoADefaultClient(t *testing.T) {
	r := inProcess(t)
	const subscriptions, subjects, most = 100, 50, 7 << 19
	id := func(word string, length int) string { return word + strings.Repeat("x", length-len(word)) }
	for i := range subscriptions {
		req := &reportingv1.EnsureSubscriptionRequest{Subscription: id(fmt.Sprintf("s%03d-", i), 60)}
		for k := range subjects {
			subject := "cotmoc." + id("p", 60) + ".submission.accepted." + id(fmt.Sprintf("t%02d-", k), 60)
			for depth := range 16 {
				subject += "." + id(fmt.Sprintf("u%02d-", depth), 40)
			}
			req.Subjects = append(req.Subjects, subject)
		}
		if _, err := r.events.EnsureSubscription(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	found, pages, largest := 0, 0, 0
	for token := ""; pages == 0 || token != "" && pages < 9; pages++ {
		page, err := r.events.ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		found, largest, token = found+len(page.GetSubscriptions()), max(largest, proto.Size(page)), page.GetNextPageToken()
	}
	t.Logf("%d subscriptions on %d pages, the largest of %d bytes", found, pages, largest)
	if found != subscriptions || pages < 2 || largest > most {
		t.Errorf("%d subscriptions on %d pages, the largest of %d bytes", found, pages, largest)
	}
}
