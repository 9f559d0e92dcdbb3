package reporting

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// owedIn publishes a closing as of a day and returns how many reports its document
// says are owed in each state.
func (l *leader) owedIn(id, day string) map[string]int64 {
	l.t.Helper()
	if _, err := l.s.PublishClosing(l.t.Context(), &reportingv1.PublishClosingRequest{
		Programme: project, Closing: id, DisplayName: "Review", AsOfDate: day}); err != nil {
		l.t.Fatal(err)
	}
	c, err := l.s.closing(l.t.Context(), project, id)
	if err != nil {
		l.t.Fatal(err)
	}
	text, err := l.s.document(l.t.Context(), c)
	if err != nil {
		l.t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		l.t.Fatal(err)
	}
	owed := new(reportingv1.CountObligationsResponse)
	if err := protojson.Unmarshal(d.Owed[0].Answer, owed); err != nil {
		l.t.Fatal(err)
	}
	counts := make(map[string]int64)
	for _, c := range owed.GetTotal().GetCounts() {
		counts[c.GetState().String()] = c.GetCount()
	}
	return counts
}

// TestClosingTellsWhatIsMissingByItsOwnDay: the report of June was due on 2022-07-14.
func TestClosingTellsWhatIsMissingByItsOwnDay(t *testing.T) {
	l := newLeader(t, "2022-06-30", 3)
	l.regime("monthly", 10)
	l.target("cards", asCount, nil, under("monthly"))
	l.day("2022-07-20")
	l.report("c1", "cards", "2022-M06", counted(1))
	for _, c := range []struct {
		day, outstanding string
	}{{"2022-06-30", "OBLIGATION_STATE_DUE"}, {"2022-07-14", "OBLIGATION_STATE_DUE"}, {"2022-07-15", "OBLIGATION_STATE_MISSING"}} {
		got := l.owedIn("on-"+c.day, c.day)
		if len(got) != 2 || got[c.outstanding] != 2 || got["OBLIGATION_STATE_LATE"] != 1 {
			t.Errorf("as of %s: %v, want 2 %s and 1 late", c.day, got, c.outstanding)
		}
	}
}

func TestClosingBeforeTheProgrammeIsRefused(t *testing.T) {
	l := example(t)
	_, err := l.s.PublishClosing(t.Context(), &reportingv1.PublishClosingRequest{
		Programme: project, Closing: "early", DisplayName: "Review", AsOfDate: "2010-12-26"})
	if e, ok := apierr.Parse(err); !ok || e.Reason != errorv1.Reason_REASON_INVALID_FIELD || e.Field != "as_of_date" {
		t.Errorf("closed before the programme begins: %v", err)
	}
	if _, err := l.s.closing(t.Context(), project, "early"); err == nil {
		t.Error("what was refused is there")
	}
}
