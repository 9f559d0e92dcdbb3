package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// monthly owes two targets under a monthly regime, and a scorecard for communes.
func monthly(t *testing.T, r *rig) {
	t.Helper()
	under := func(g *registryv1.Target) { g.Regime = "monthly" }
	r.owe(t, append(tree(),
		&registryv1.Write{Resource: &registryv1.Write_Regime{Regime: &registryv1.Regime{
			Name: "programmes/p/regimes/monthly", DisplayName: "Báo cáo tháng", DueWorkingDays: 5}}},
		target("cards", typev1.ValueKind_VALUE_KIND_COUNT, under), target("people", typev1.ValueKind_VALUE_KIND_COUNT, under))...)
	r.figure(t, "people", "vn", "") // waits for the copy of the registry: the clock must not be set before
}

// cell is a cell of the log, as a subscriber names it.
type cell struct{ target, unit, period string }

// reportsOf folds the events into the reports of each unit: on time or not, and only
// while one of their values is there.
func reportsOf(events []*eventv1.Event, regime, period string) *typev1.Tally {
	held, values, onTime := make(map[cell]bool), make(map[string]int), make(map[string]bool)
	for _, e := range events {
		s := e.GetSubmissionAccepted()
		if s == nil {
			s = e.GetSubmissionWithdrawn()
		}
		if s.GetRegime() != regime || s.GetPeriod() != period {
			continue
		}
		unit := lastOf(s.GetPath())
		c := cell{s.GetTarget(), unit, period}
		now := s.GetState() != eventv1.CellState_CELL_STATE_WITHDRAWN
		if values[unit] == 0 && now {
			onTime[unit] = !s.GetLate()
		}
		if now && !held[c] {
			values[unit]++
		}
		if !now && held[c] {
			values[unit]--
		}
		held[c] = now
	}
	sum := &typev1.Tally{}
	for unit, n := range values {
		if n > 0 {
			sum.Reporting++
			if onTime[unit] {
				sum.Numerator++
			}
		}
	}
	return sum
}

// reportsComeAndAreMissed is a case: deadlines are told, reports are counted live, and
// a subscriber counts the same.
func reportsComeAndAreMissed(t *testing.T, r *rig) {
	monthly(t, r)
	r.at(t, time.Date(2022, 2, 3, 9, 0, 0, 0, start.Location()))
	r.submit(t, "1", count("26734", "cards", "2022-M01", 30))
	r.submit(t, "2", count("26734", "people", "2022-M01", 60))
	r.submit(t, "3", after(1, withdrawal("26734", "cards", "2022-M01")))
	r.submit(t, "4", count("26737", "cards", "2022-M01", 10))
	r.submit(t, "5", after(1, withdrawal("26737", "cards", "2022-M01")))
	for day := time.Date(2022, 2, 4, 8, 0, 0, 0, start.Location()); day.Before(time.Date(2022, 2, 20, 0, 0, 0, 0, start.Location())); day = day.AddDate(0, 0, 1) {
		r.at(t, day)
	}
	r.submit(t, "6", after(2, count("26737", "cards", "2022-M01", 12)))
	f := r.figure(t, "monthly", "vn", "2022-M01")
	want := &typev1.Tally{Numerator: 1, Denominator: 2, Reporting: 2, Expected: 2}
	if diff := cmp.Diff(want, f.GetTally(), protocmp.Transform()); diff != "" {
		t.Errorf("reports of January (-want +got):\n%s", diff)
	}
	events := allEvents(t, r)
	folded := reportsOf(events, "monthly", "2022-M01")
	if folded.GetReporting() != want.GetReporting() || folded.GetNumerator() != want.GetNumerator() {
		t.Errorf("a subscriber counts %v, the API says %v", folded, f.GetTally())
	}
	told := []string{}
	for _, e := range events {
		for _, d := range []*eventv1.DeadlineReached{e.GetDeadlineDue(), e.GetDeadlineOverdue()} {
			if d.GetPeriod() == "2022-M01" {
				told = append(told, fmt.Sprintf("%s T%+d %s", lastOf(d.GetPath()), d.GetDays(), d.GetAddresseeUnit()))
			}
		}
	}
	// Due on 2022-02-07: both owe it on the first rung that falls after they were
	// imported, one of them until it reports again.
	wantTold := []string{"26734 T-7 26734", "26737 T-7 26737", "26737 T-1 26737", "26737 T+0 26737", "26737 T+1 26737", "26737 T+7 79"}
	if diff := cmp.Diff(wantTold, told); diff != "" {
		t.Errorf("deadlines told (-want +got):\n%s", diff)
	}
	verify(t, r)
}

// allEvents lists the log.
func allEvents(t *testing.T, r *rig) []*eventv1.Event {
	t.Helper()
	var out []*eventv1.Event
	for after := uint64(0); ; {
		page, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: after, PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range page.GetEvents() {
			e := new(eventv1.Event)
			if err := proto.Unmarshal(stored.GetEvent(), e); err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
		if after = page.GetLastSequence(); after >= page.GetHeadSequence() {
			return out
		}
	}
}

// closingsStay is a case: what was closed stays as it was, and what was known then can
// be read again, whatever comes later.
func closingsStay(t *testing.T, r *rig) {
	monthly(t, r)
	r.at(t, start.AddDate(0, 1, 0))
	r.submit(t, "1", count("26734", "cards", "2022-M01", 30))
	close := &reportingv1.PublishClosingRequest{Programme: "p", Closing: "q1", DisplayName: "Sơ kết", AsOfDate: "2022-01-31"}
	first, err := r.review.PublishClosing(t.Context(), close)
	if err != nil {
		t.Fatal(err)
	}
	document := exported(t, r, "q1", reportingv1.ClosingFormat_CLOSING_FORMAT_JSON)
	if sum := sha256.Sum256(document); !bytes.Equal(sum[:], first.GetClosing().GetSha256()) {
		t.Errorf("the document hashes to %x, published is %x", sum, first.GetClosing().GetSha256())
	}
	r.at(t, start.AddDate(0, 2, 0))
	r.submit(t, "2", after(1, count("26734", "cards", "2022-M01", 31)))
	again, err := r.review.PublishClosing(t.Context(), close)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
		t.Errorf("closed again (-first +again):\n%s", diff)
	}
	if !bytes.Equal(document, exported(t, r, "q1", reportingv1.ClosingFormat_CLOSING_FORMAT_JSON)) {
		t.Error("the document is another one after a correction")
	}
	if rows := bytes.Count(exported(t, r, "q1", reportingv1.ClosingFormat_CLOSING_FORMAT_CSV), []byte("\n")); rows < 5 {
		t.Errorf("the table has %d lines", rows)
	}
	key := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "vn", Basis: typev1.Basis_BASIS_REPORTED, AsOfDate: "2022-01-31"}
	for _, c := range []struct {
		known *timestamppb.Timestamp
		want  int64
	}{{timestamppb.New(start.AddDate(0, 1, 5)), 30}, {nil, 31}} {
		key.KnownAt = c.known
		resp, err := r.progress.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.GetFigure().GetTally().GetNumerator(); got != c.want {
			t.Errorf("known at %v: %d, want %d", c.known.AsTime(), got, c.want)
		}
	}
	verify(t, r)
}

// exported reads a closing's document.
func exported(t *testing.T, r *rig, id string, format reportingv1.ClosingFormat) []byte {
	t.Helper()
	stream, err := r.monitoring.ExportClosing(t.Context(), &reportingv1.ExportClosingRequest{Programme: "p", Closing: id, Format: format})
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, piece.GetData()...)
	}
}
