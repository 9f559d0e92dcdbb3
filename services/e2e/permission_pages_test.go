package e2e_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestAPageHoldsWhatItsCallerSees: what is another's takes no place on a page, and no
// token of the next page names it.
func TestAPageHoldsWhatItsCallerSees(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	moved, err := l.registry.GetUnit(t.Context(), &registryv1.GetUnitRequest{Name: "units/00001"})
	must(t, err)
	u := proto.Clone(moved.GetUnit()).(*registryv1.Unit)
	u.Placements = append(u.Placements, &registryv1.Placement{FromDate: "2022-03-01", Parent: "79", Kind: typev1.UnitKind_UNIT_KIND_COMMUNE, Level: "commune"})
	l.owe(t, &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: u}})
	l.at(t, time.Date(2022, 3, 10, 9, 0, 0, 0, start.Location()))
	for i := range 3 { // some before and some after its own, by name
		_, err := l.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: fmt.Sprint("x", i)})
		must(t, err)
		for _, unit := range []string{"00001", "26734"} {
			_, err = reportingv1.NewEventServiceClient(l.as(t, "subscriber/"+unit)).EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{
				Subscription: fmt.Sprint(unit, "-s", i), Subjects: []string{"cotmoc.*.submission.accepted.*.vn.*." + unit}})
			must(t, err)
		}
	}
	commune, district := l.as(t, "unit/26734"), l.as(t, "monitor/79")
	for _, c := range []struct {
		what string
		want int
		ask  func(token string) (page proto.Message, elements int, next string, err error)
	}{
		{"allocations", 1, func(token string) (proto.Message, int, string, error) {
			r, err := registryv1.NewRegistryServiceClient(commune).ListAllocations(t.Context(), &registryv1.ListAllocationsRequest{
				Parent: "programmes/p/targets/cards", PageSize: 1, PageToken: token})
			return r, len(r.GetAllocations()), r.GetNextPageToken(), err
		}},
		{"findings", 1, func(token string) (proto.Message, int, string, error) { // that of 00001 is of a time when it stood elsewhere
			r, err := reportingv1.NewMonitoringServiceClient(district).ListFindings(t.Context(), &reportingv1.ListFindingsRequest{
				Programme: "p", Unit: "79", PageSize: 1, PageToken: token})
			return r, len(r.GetFindings()), r.GetNextPageToken(), err
		}},
		{"subscriptions", 3, func(token string) (proto.Message, int, string, error) {
			r, err := reportingv1.NewEventServiceClient(commune).ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{PageSize: 1, PageToken: token})
			return r, len(r.GetSubscriptions()), r.GetNextPageToken(), err
		}},
	} {
		found := 0
		for token, pages := "", 0; pages == 0 || token != ""; pages++ {
			page, n, next, err := c.ask(token)
			if err != nil || n != 1 || pages == c.want {
				t.Errorf("%s: page %d holds %d: %v, %v", c.what, pages, n, page, err)
				break
			}
			found, token = found+n, next
			if raw, _ := base64.RawURLEncoding.DecodeString(token); strings.Contains(string(raw), "00001") {
				t.Errorf("%s: a token says %q", c.what, raw)
			}
		}
		if found != c.want {
			t.Errorf("%s: %d are seen, want %d", c.what, found, c.want)
		}
	}
}
