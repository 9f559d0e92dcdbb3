package reporting

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

func magnitudeChecked(t *registryv1.Target) {
	t.Checks = []*registryv1.Check{{Kind: registryv1.CheckKind_CHECK_KIND_MAGNITUDE}}
}

// suspect is three communes, each with a value of June ten times that of May.
func suspect(t *testing.T) *leader {
	l := newLeader(t, "2022-06-30", 3)
	l.target("cards", asCount, goalOf(goalAtLeast, 1_000), magnitudeChecked)
	for _, unit := range []string{"c1", "c2", "c3"} {
		l.report(unit, "cards", "2022-M05", counted(10))
		l.report(unit, "cards", "2022-M06", counted(100))
	}
	return l
}

func (l *leader) findings(req *reportingv1.ListFindingsRequest) *reportingv1.ListFindingsResponse {
	l.t.Helper()
	req.Programme = project
	resp, err := l.s.ListFindings(l.t.Context(), req)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp
}

// confirms asks a unit to say that a finding's value is right.
func (l *leader) confirms(unit string, finding uint64, comment string) (uint64, error) {
	resp, err := l.s.ResolveFinding(l.t.Context(), &reportingv1.ResolveFindingRequest{Programme: project, Finding: finding,
		Resolution: eventv1.FindingResolution_FINDING_RESOLUTION_CONFIRMED, ResolvedBy: unit, Comment: comment})
	return resp.GetSequence(), err
}

func findingLines(found []*reportingv1.Finding) []string {
	out := []string{}
	for _, f := range found {
		line := fmt.Sprintf("%s %s %s %d against %d, owner %s", f.GetUnitDisplayName(), f.GetTarget(), f.GetPeriod(), f.GetValue(), f.GetAgainst(), f.GetOwner())
		if f.GetResolution() != 0 {
			line += ": " + strings.TrimPrefix(f.GetResolution().String(), "FINDING_RESOLUTION_") + " by " + f.GetResolvedBy()
		}
		out = append(out, line)
	}
	return out
}

func TestListFindings(t *testing.T) {
	l := suspect(t)
	all := l.findings(&reportingv1.ListFindingsRequest{})
	wantLines(t, "open", findingLines(all.GetFindings()), "Unit c3 cards 2022-M06 100 against 10, owner c3",
		"Unit c2 cards 2022-M06 100 against 10, owner c2", "Unit c1 cards 2022-M06 100 against 10, owner c1")
	if first := all.GetFindings()[0]; !first.GetOpenTime().AsTime().Equal(l.clock.Now()) || all.GetSequence() != l.s.engine.Head().Sequence {
		t.Errorf("%v after %d events at %s", first, all.GetSequence(), l.clock.Now())
	}
	if _, err := l.confirms("p1", all.GetFindings()[2].GetId(), "a campaign in June"); err != nil {
		t.Fatal(err)
	}
	l.report("c2", "cards", "2022-M06", counted(99))
	wantLines(t, "open still", findingLines(l.findings(&reportingv1.ListFindingsRequest{}).GetFindings()),
		"Unit c3 cards 2022-M06 100 against 10, owner c3")
	wantLines(t, "settled ones below p1", findingLines(l.findings(&reportingv1.ListFindingsRequest{Unit: "p1", IncludeResolved: true}).GetFindings()),
		"Unit c1 cards 2022-M06 100 against 10, owner c1: CONFIRMED by p1")
	wantLines(t, "of c2", findingLines(l.findings(&reportingv1.ListFindingsRequest{Unit: "c2", Target: "cards", IncludeResolved: true}).GetFindings()),
		"Unit c2 cards 2022-M06 100 against 10, owner c2: CORRECTED by ")

	var paged []string
	req := &reportingv1.ListFindingsRequest{IncludeResolved: true, PageSize: 2}
	for pages := 1; pages == 1 || req.PageToken != ""; pages++ {
		if pages > 2 {
			t.Fatalf("a third page after %v", paged)
		}
		resp := l.findings(req)
		for _, f := range resp.GetFindings() {
			paged = append(paged, f.GetUnit())
		}
		req.PageToken = resp.GetNextPageToken()
	}
	if diff := cmp.Diff([]string{"c3", "c2", "c1"}, paged); diff != "" {
		t.Errorf("by pages (-want +got):\n%s", diff)
	}
}

func TestListFindings_badInput(t *testing.T) {
	l := suspect(t)
	token := l.findings(&reportingv1.ListFindingsRequest{PageSize: 1}).GetNextPageToken()
	for name, c := range map[string]struct {
		req    *reportingv1.ListFindingsRequest
		reason errorv1.Reason
		field  string
	}{
		"programme": {&reportingv1.ListFindingsRequest{Programme: "x"}, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme"},
		"target":    {&reportingv1.ListFindingsRequest{Programme: project, Target: "x"}, errorv1.Reason_REASON_TARGET_NOT_FOUND, "target"},
		"unit":      {&reportingv1.ListFindingsRequest{Programme: project, Unit: "x"}, errorv1.Reason_REASON_UNIT_NOT_FOUND, "unit"},
		"token": {&reportingv1.ListFindingsRequest{Programme: project, Unit: "p1", PageToken: token},
			errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.s.ListFindings(t.Context(), c.req)
			wantRefused(t, err, c.reason, c.field)
		})
	}
}

func TestResolveFinding(t *testing.T) {
	l := suspect(t)
	id := l.findings(&reportingv1.ListFindingsRequest{Unit: "c1"}).GetFindings()[0].GetId()
	head := l.s.engine.Head().Sequence
	for name, c := range map[string]struct {
		unit, comment string
		finding       uint64
		reason        errorv1.Reason
		field         string
	}{
		"another unit":     {"p2", "so it is", id, errorv1.Reason_REASON_NOT_COMPETENT, "resolved_by"},
		"unknown unit":     {"x", "so it is", id, errorv1.Reason_REASON_UNIT_NOT_FOUND, "resolved_by"},
		"no finding":       {"c1", "so it is", id - 1, errorv1.Reason_REASON_FINDING_NOT_FOUND, "finding"},
		"nothing said":     {"c1", " ", id, errorv1.Reason_REASON_REASON_REQUIRED, "comment"},
		"a citizen's data": {"c1", "asked 079123456789", id, errorv1.Reason_REASON_PERSONAL_DATA, "comment"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.confirms(c.unit, c.finding, c.comment)
			wantRefused(t, err, c.reason, c.field)
		})
	}
	if now := l.s.engine.Head().Sequence; now != head {
		t.Errorf("%d events after %d", now, head)
	}
	first, err := l.confirms("c1", id, "a campaign in June")
	if err != nil || first != head+1 {
		t.Fatalf("confirmed by event %d after %d: %v", first, head, err)
	}
	if again, err := l.confirms("c1", id, "a campaign in June"); again != first || err != nil {
		t.Errorf("confirmed again by event %d: %v", again, err)
	}
	_, err = l.confirms("vn", id, "so it is")
	wantRefused(t, err, errorv1.Reason_REASON_FINDING_RESOLVED, "finding")
	entry, _, err := l.s.engine.Entry(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	var annex reportingv1.SubmissionAnnex
	if err := proto.Unmarshal(entry.Annex, &annex); err != nil || annex.GetReason() != "a campaign in June" {
		t.Errorf("beside the event: %v, %v", &annex, err)
	}
	if strings.Contains(string(entry.Event), "campaign") {
		t.Error("the comment is in the event, which is published")
	}
}
