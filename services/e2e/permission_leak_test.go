package e2e_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
)

// TestForgedPageTokensLeadNowhere: anybody can make a page token. One that holds the
// number of another's submission, or of the change of another's allocation, is none.
func TestForgedPageTokensLeadNowhere(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	head := status(t, l.rig).GetHeadSequence()
	foreign := l.eventOf(t, "00001")
	both, err := l.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{Subjects: []string{"cotmoc.p.submission.accepted.cards.vn.*.26734"}})
	if err != nil || len(both.GetEvents()) != 2 {
		t.Fatalf("reports of 26734 %v: %v", both, err)
	}
	own := l.as(t, "reader/26734")
	history := &reportingv1.ListCellHistoryRequest{Key: &reportingv1.CellKey{Programme: "p", Target: "cards", Unit: "26734", Period: "2022-M01"}}
	for name, n := range map[string]uint64{"another unit's": foreign, "another period's": both.GetEvents()[1].GetSequence(), "no submission": 1, "no event": head + 1000} {
		req := proto.Clone(history).(*reportingv1.ListCellHistoryRequest)
		req.PageToken = rpc.EncodePageToken(history, strconv.FormatUint(n, 10))
		resp, err := reportingv1.NewProgressServiceClient(own).ListCellHistory(t.Context(), req)
		if r := refusalOf(err); r.reason != errorv1.Reason_REASON_INVALID_PAGE_TOKEN || r.fields != "page_token" {
			t.Errorf("%s number: %v, %v", name, resp, err)
		}
	}
	const foreignAllocation = "programmes/p/targets/cards/allocations/00001"
	there, err := l.registry.ListRevisions(t.Context(), &registryv1.ListRevisionsRequest{Name: foreignAllocation})
	must(t, err)
	_, err = l.owed.UpdateUnit(t.Context(), &registryv1.UpdateUnitRequest{Unit: renamed(t, l, "units/26737")})
	must(t, err) // so that what is asked for is newer
	public := &registryv1.ListRevisionsRequest{Name: "units/26737"}
	for name, n := range map[string]int64{"an allocation's": there.GetChanges()[0].GetRevision(), "no": 1 << 40, "an impossible": -1} {
		req := proto.Clone(public).(*registryv1.ListRevisionsRequest)
		req.PageToken = rpc.EncodePageToken(public, strconv.FormatInt(n, 10))
		resp, err := registryv1.NewRegistryServiceClient(own).ListRevisions(t.Context(), req)
		if r := refusalOf(err); r.reason != errorv1.Reason_REASON_INVALID_PAGE_TOKEN || r.fields != "page_token" {
			t.Errorf("%s number: %v, %v", name, resp, err)
		}
	}
}

// renamed is a unit as it stands, with another name.
func renamed(t *testing.T, l *locked, name string) *registryv1.Unit {
	t.Helper()
	resp, err := l.registry.GetUnit(t.Context(), &registryv1.GetUnitRequest{Name: name})
	must(t, err)
	u := resp.GetUnit()
	u.DisplayName += " mới"
	return u
}

// TestAReceiptShowsNoFiguresAbove: those of its own subtree, and not those of the units
// above, which tell what the others there reported.
func TestAReceiptShowsNoFiguresAbove(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	for revision, c := range []struct{ identity, want string }{{"26737", "26737"}, {"79", "26737 79"}, {"vn", "26737 79 vn"}} {
		for _, only := range []bool{true, false} {
			sub := count("26737", "cards", "2022-M01", int64(3+revision))
			if revision > 0 {
				sub = after(uint32(revision), sub)
			}
			resp, err := reportingv1.NewReportingServiceClient(l.as(t, "unit/"+c.identity)).Submit(t.Context(), &reportingv1.SubmitRequest{
				Programme: "p", RequestId: "with-figures-" + c.identity, Submission: sub, IncludeFigures: true, ValidateOnly: only})
			must(t, err)
			var units []string
			for _, f := range resp.GetFigures() {
				units = append(units, f.GetUnit())
			}
			slices.Sort(units)
			if got := strings.Join(slices.Compact(units), " "); got != c.want {
				t.Errorf("unit/%s sees figures of %q, want %q", c.identity, got, c.want)
			}
		}
	}
}
