package e2e_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// TestAbsentAndForeignAnswerAlike: nobody learns from a refusal what there is.
func TestAbsentAndForeignAnswerAlike(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	conn := l.as(t, "unit/79")
	monitor, subscriber := l.as(t, "monitor/79"), l.as(t, "subscriber/79")
	asked := 0
	for _, r := range matrix(l.submitted, l.finding) {
		foreign, absent := proto.Clone(r.req), proto.Clone(r.req)
		if !rename(foreign.ProtoReflect(), "26734", "00001") {
			continue
		}
		rename(absent.ProtoReflect(), "26734", "00009")
		by := conn
		switch {
		case r.want == byReviewers:
			by = monitor
		case r.want == byAdmin || r.want == byAll:
			continue
		}
		asked++
		alike(t, by, r.method, foreign, absent)
	}
	const get = reportingPackage + "ProgressService/GetReceipt"
	head := status(t, l.rig).GetHeadSequence()
	foreignEvent := l.eventOf(t, "00001")
	alike(t, conn, get, &reportingv1.GetReceiptRequest{Sequence: foreignEvent}, &reportingv1.GetReceiptRequest{Sequence: head + 1000})
	alike(t, subscriber, reportingPackage+"EventService/PutDeadLetter",
		&reportingv1.PutDeadLetterRequest{Subscription: "79-a", Sequence: foreignEvent, Error: "x", Attempts: 1},
		&reportingv1.PutDeadLetterRequest{Subscription: "79-a", Sequence: head + 1000, Error: "x", Attempts: 1})
	alike(t, conn, reportingPackage+"ReviewService/ResolveFinding", l.resolve(l.findingOf(t, "00001"), "79"), l.resolve(head+1000, "79"))
	alike(t, conn, reportingPackage+"ReviewService/ResolveFinding", l.resolve(l.finding, "01"), l.resolve(l.finding, "no-unit"))
	alike(t, monitor, reportingPackage+"MonitoringService/ListClosings",
		&reportingv1.ListClosingsRequest{Programme: "p"}, &reportingv1.ListClosingsRequest{Programme: "no-programme"})
	if asked < 15 {
		t.Errorf("only %d methods were asked", asked)
	}
}

func (l *locked) resolve(finding uint64, by string) *reportingv1.ResolveFindingRequest {
	return &reportingv1.ResolveFindingRequest{Programme: "p", Finding: finding, Resolution: 2, ResolvedBy: by, Comment: "đã kiểm tra"}
}

// eventOf is the number of an event about a unit.
func (l *locked) eventOf(t *testing.T, unit string) uint64 {
	t.Helper()
	resp, err := l.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{PageSize: 1000,
		Subjects: []string{"cotmoc.p.submission.accepted.cards.vn.*." + unit}})
	if err != nil || len(resp.GetEvents()) == 0 {
		t.Fatalf("events of %s: %v", unit, err)
	}
	return resp.GetEvents()[0].GetSequence()
}

func (l *locked) findingOf(t *testing.T, unit string) uint64 {
	t.Helper()
	resp, err := l.monitoring.ListFindings(t.Context(), &reportingv1.ListFindingsRequest{Programme: "p", Unit: unit})
	if err != nil || len(resp.GetFindings()) == 0 {
		t.Fatalf("findings of %s: %v", unit, err)
	}
	return resp.GetFindings()[0].GetId()
}

// alike demands that two requests are denied by the same bytes.
func alike(t *testing.T, conn *grpc.ClientConn, method string, foreign, absent proto.Message) {
	t.Helper()
	var answers [2][]byte
	for i, req := range []proto.Message{foreign, absent} {
		what, err := attempt(t, conn, method, req)
		if what != denied || refusalOf(err).reason != errorv1.Reason_REASON_PERMISSION_DENIED || refusalOf(err).fields == "" {
			t.Errorf("%s: %v was answered by %c, %v", method, req, what, err)
		}
		answers[i], _ = proto.MarshalOptions{Deterministic: true}.Marshal(grpcstatus.Convert(err).Proto())
	}
	if !bytes.Equal(answers[0], answers[1]) {
		t.Errorf("%s tells a foreign unit from none:\n%s\n%s", method, answers[0], answers[1])
	}
}

// rename replaces an id in the texts of a message, and reports whether there was any.
func rename(m protoreflect.Message, from, to string) (found bool) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				found = rename(v.List().Get(i).Message(), from, to) || found
			}
		case f.Message() != nil && !f.IsMap():
			found = rename(v.Message(), from, to) || found
		case f.Kind() == protoreflect.StringKind && !f.IsList() && strings.Contains(v.String(), from):
			m.Set(f, protoreflect.ValueOfString(strings.ReplaceAll(v.String(), from, to)))
			found = true
		}
		return true
	})
	return found
}

// TestWhatAUnitSeesFollowsTheTreeOfThePeriod: 26737 goes from 79 to 01 on 2022-07-01.
func TestWhatAUnitSeesFollowsTheTreeOfThePeriod(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	commune := typev1.UnitKind_UNIT_KIND_COMMUNE
	moved := unit("26737", "79", commune, "commune")
	moved.GetUnit().Placements = append(moved.GetUnit().Placements,
		&registryv1.Placement{FromDate: "2022-07-01", Parent: "01", Kind: commune, Level: "commune"})
	l.owe(t, moved)
	l.at(t, time.Date(2022, 6, 30, 9, 0, 0, 0, start.Location()))
	l.submit(t, "before", count("26737", "cards", "2022-M06", 5))
	l.at(t, time.Date(2022, 8, 15, 9, 0, 0, 0, start.Location()))
	l.submit(t, "after", count("26737", "cards", "2022-M07", 50))
	l.submit(t, "late", count("26737", "cards", "2022-M05", 5))

	for _, c := range []struct{ identity, period, want string }{
		{"79", "2022-M06", "submit batch figure list history obligations"},
		{"79", "2022-M07", ""}, {"79", "", ""},
		{"01", "2022-M06", ""},
		{"01", "2022-M07", "submit batch figure list history obligations"},
		{"01", "", "figure list"},
		{"26737", "2022-M06", "submit batch figure list history obligations"},
		{"26737", "2022-M07", "submit batch figure list history obligations"},
		{"26734", "2022-M06", ""}, {"26734", "2022-M07", ""},
		{"vn", "2022-M06", "submit batch figure list history obligations"},
		{"vn", "2022-M07", "submit batch figure list history obligations"},
	} {
		if got := l.reach(t, c.identity, c.period); got != strings.TrimSuffix(c.want, "") {
			t.Errorf("unit/%s in %q reaches %q, want %q", c.identity, c.period, got, strings.TrimSuffix(c.want, ""))
		}
	}
	// Figures as of a day, and of several.
	for _, c := range []struct {
		unit string
		days []string
		want rune
	}{
		{"79", []string{"2022-06-29", "2022-06-30"}, passed}, {"79", []string{"2022-06-30", "2022-07-31"}, denied},
		{"01", []string{"2022-06-30", "2022-07-31"}, denied}, {"01", []string{"2022-07-01", "2022-07-31"}, passed},
		{"26737", []string{"2022-06-30", "2022-07-31"}, passed}, {"vn", []string{"2022-06-30", "2022-07-31"}, passed},
	} {
		key := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "26737", Basis: typev1.Basis_BASIS_REPORTED}
		got, err := attempt(t, l.as(t, "reader/"+c.unit), reportingPackage+"ProgressService/CompareDates",
			&reportingv1.CompareDatesRequest{Key: key, Dates: c.days})
		if got != c.want {
			t.Errorf("reader/%s on %v: %c, %v", c.unit, c.days, got, err)
		}
	}
	// Events are told to those above the unit when they come: a late report to the new ones.
	for _, c := range []struct{ unit, want string }{{"79", "2022-M06"}, {"01", "2022-M07 2022-M05"},
		{"26737", "2022-M06 2022-M07 2022-M05"}, {"26734", ""}} {
		if got := l.eventsSeen(t, c.unit, "26737"); got != c.want {
			t.Errorf("subscriber/%s sees events of %q, want %q", c.unit, got, c.want)
		}
	}
	// A stretch of periods belongs to those who have all of it.
	for _, c := range []struct {
		unit, from, to string
		want           rune
	}{{"79", "2022-M05", "2022-M06", passed}, {"79", "2022-M05", "2022-M07", denied}, {"01", "2022-M06", "2022-M07", denied},
		{"01", "2022-M07", "2022-M07", passed}, {"26737", "2022-M05", "2022-M07", passed}} {
		got, err := attempt(t, l.as(t, "reader/"+c.unit), reportingPackage+"MonitoringService/GetQuality", &reportingv1.GetQualityRequest{
			Programme: "p", Unit: "26737", Regime: "monthly", FromPeriod: c.from, ToPeriod: c.to})
		if got != c.want {
			t.Errorf("quality from %s to %s by reader/%s: %c, %v", c.from, c.to, c.unit, got, err)
		}
	}
}

// reach tells what a unit's system may do about 26737 in a period; empty for now.
func (l *locked) reach(t *testing.T, identity, period string) string {
	t.Helper()
	conn := l.as(t, "unit/"+identity)
	key := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "26737", Period: period, Basis: typev1.Basis_BASIS_REPORTED}
	type try struct {
		name, method string
		req          proto.Message
	}
	tries := []try{}
	if period != "" {
		sub := after(1, count("26737", "cards", period, 7))
		id := "x-" + period // the same for all: what was done is not done again
		tries = append(tries, try{"submit", "ReportingService/Submit", &reportingv1.SubmitRequest{Programme: "p", RequestId: id, Submission: sub, ValidateOnly: true}},
			try{"batch", "ReportingService/SubmitBatch", &reportingv1.SubmitBatchRequest{Programme: "p", ValidateOnly: true,
				Items: []*reportingv1.BatchItem{{RequestId: id, Submission: sub}}}})
	}
	tries = append(tries, try{"figure", "ProgressService/GetFigure", &reportingv1.GetFigureRequest{Key: key}},
		try{"list", "ProgressService/ListFigures", &reportingv1.ListFiguresRequest{Key: key}})
	if period != "" {
		tries = append(tries, try{"history", "ProgressService/ListCellHistory", &reportingv1.ListCellHistoryRequest{
			Key: &reportingv1.CellKey{Programme: "p", Target: "cards", Unit: "26737", Period: period}}},
			try{"obligations", "MonitoringService/ListObligations", &reportingv1.ListObligationsRequest{Programme: "p", Target: "monthly", Unit: "26737", Period: period}})
	}
	var can []string
	for _, c := range tries {
		what, err := attempt(t, conn, reportingPackage+c.method, c.req)
		if what == passed {
			if err != nil {
				t.Errorf("%s by unit/%s in %q: %v", c.method, identity, period, err)
			}
			can = append(can, c.name)
		} else if what != denied {
			t.Errorf("%s by unit/%s: %c, %v", c.method, identity, what, err)
		}
	}
	return strings.Join(can, " ")
}

// eventsSeen lists the periods of the reports of a unit that a subscriber of another sees,
// and demands that it sees nothing but what passes through its own.
func (l *locked) eventsSeen(t *testing.T, subscriber, about string) string {
	t.Helper()
	resp, err := reportingv1.NewEventServiceClient(l.as(t, "subscriber/"+subscriber)).ListEvents(t.Context(), &reportingv1.ListEventsRequest{PageSize: 1000})
	must(t, err)
	var periods []string
	for _, stored := range resp.GetEvents() {
		e, err := event.Decode(stored.GetEvent())
		must(t, err)
		if !strings.Contains("."+event.Path(e)+".", "."+subscriber+".") {
			t.Errorf("subscriber/%s sees %s", subscriber, stored.GetSubject())
		}
		if s := e.GetSubmissionAccepted(); s != nil && strings.HasSuffix(s.GetPath(), "."+about) {
			periods = append(periods, s.GetPeriod())
		}
	}
	return strings.Join(periods, " ")
}

// TestItemsAreJudgedOneByOne: in a batch whose items stand each for itself a foreign one
// refuses itself; else it refuses all.
func TestItemsAreJudgedOneByOne(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	client := reportingv1.NewReportingServiceClient(l.as(t, "unit/79/desk"))
	batch := func(mode reportingv1.BatchMode) *reportingv1.SubmitBatchRequest {
		req := &reportingv1.SubmitBatchRequest{Programme: "p", Mode: mode}
		for i, unit := range []string{"26737", "00001", "nobody", "26737"} {
			req.Items = append(req.Items, &reportingv1.BatchItem{RequestId: fmt.Sprint("item-", i),
				Submission: count(unit, "cards", fmt.Sprintf("2022-M0%d", 1+i/3), 3)})
		}
		return req
	}
	_, err := client.SubmitBatch(t.Context(), batch(reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING))
	if r := refusalOf(err); r.code != codes.PermissionDenied || r.fields != "items[1].submission.unit" {
		t.Errorf("all or nothing: %v", err)
	}
	if _, err := l.progress.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{RequestId: "item-0",
		Key: &reportingv1.CellKey{Programme: "p", Target: "cards", Unit: "26737", Period: "2022-M01"}}); grpcstatus.Code(err) != codes.NotFound {
		t.Errorf("the refused batch left something: %v", err)
	}
	resp, err := client.SubmitBatch(t.Context(), batch(reportingv1.BatchMode_BATCH_MODE_PER_ITEM))
	must(t, err)
	for i, r := range resp.GetResults() {
		if foreign := i == 1 || i == 2; foreign != (r.GetError().GetReason() == "PERMISSION_DENIED") ||
			foreign && r.GetError().GetField() != fmt.Sprintf("items[%d].submission.unit", i) || !foreign && r.GetReceipt().GetSequence() == 0 {
			t.Errorf("item %d: %v", i, r)
		}
	}
	// Who sent it is in the record.
	rec, err := l.progress.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{Sequence: resp.GetResults()[0].GetReceipt().GetSequence()})
	if err != nil || rec.GetRecord().GetCaller() != "spiffe://cotmoc.test/unit/79/desk" {
		t.Errorf("recorded caller %q, %v", rec.GetRecord().GetCaller(), err)
	}
}

// TestWhoDecidesIsTheCallersOwn: nobody decides in another unit's name, and nobody takes
// another's subscription or asks for another's events.
func TestWhoDecidesIsTheCallersOwn(t *testing.T) {
	l := newLocked(t, 0)
	l.furnish(t)
	grant := func(by string) *reportingv1.GrantExceptionRequest {
		return &reportingv1.GrantExceptionRequest{Programme: "p", Target: "monthly", Unit: "26734", Period: "2022-M02",
			Exception: &reportingv1.GrantExceptionRequest_Excused{Excused: true}, GrantedBy: by, Reason: "lũ lụt"}
	}
	review := func(by string) *reportingv1.ReviewCompletionRequest {
		return &reportingv1.ReviewCompletionRequest{Programme: "p", Task: "plan", Unit: "26734", Period: "2022-M01",
			ExpectedRevision: 1, Reviewer: by, RequestId: "review"}
	}
	ensure := func(name string, subjects ...string) *reportingv1.EnsureSubscriptionRequest {
		return &reportingv1.EnsureSubscriptionRequest{Subscription: name, Subjects: subjects}
	}
	const subs = reportingPackage + "EventService/EnsureSubscription"
	for _, c := range []struct {
		identity, method string
		req              proto.Message
		want             rune
		field            string
	}{
		{"monitor/79", reportingPackage + "ReviewService/GrantException", grant("79"), passed, ""},
		{"monitor/79", reportingPackage + "ReviewService/GrantException", grant("vn"), denied, "granted_by"},
		{"monitor/79", reportingPackage + "ReviewService/ReviewCompletion", review("vn"), denied, "reviewer"},
		{"monitor/79", reportingPackage + "ReviewService/ReviewCompletion", review("01"), denied, "reviewer"},
		{"unit/79", reportingPackage + "ReviewService/ResolveFinding", l.resolve(l.finding, "vn"), denied, "resolved_by"},
		{"subscriber/79", subs, ensure("79-a", "cotmoc.*.*.*.*.vn.79.>"), passed, ""},
		{"subscriber/79", subs, ensure("79-a", "cotmoc.p.submission.*.cards.vn.79.26734", "cotmoc.*.milestone.>"), denied, "subjects[1]"},
		{"subscriber/79", subs, ensure("79-a", "cotmoc.*.*.*.*.*.79.>"), passed, ""},
		{"subscriber/79", subs, ensure("79-a", "cotmoc.*.*.*.79.>"), denied, "subjects[0]"},
		{"subscriber/79", subs, ensure("79-a", "cotmoc.*.*.*.*.vn.*"), denied, "subjects[0]"},
		{"subscriber/79", subs, ensure("79-a", "cotmoc.*.*.*.*.vn.01.>"), denied, "subjects[0]"},
		{"subscriber/79", subs, ensure("79-a", ">"), denied, "subjects[0]"},
		{"subscriber/79", subs, ensure("79-a"), denied, "subjects"},
		{"subscriber/79", subs, ensure("01-a", "cotmoc.*.*.*.*.vn.79.>"), denied, "subscription"},
		{"subscriber/79", subs, ensure("screen", "cotmoc.*.*.*.*.vn.79.>"), denied, "subscription"},
		{"subscriber/79", subs, ensure("79", "cotmoc.*.*.*.*.vn.79.>"), denied, "subscription"},
		{"subscriber/vn", subs, ensure("screen"), passed, ""},
		{"subscriber/vn", subs, ensure("79-a"), denied, "subscription"},
	} {
		what, err := attempt(t, l.as(t, c.identity), c.method, c.req)
		if what != c.want || what == denied && refusalOf(err).fields != c.field {
			t.Errorf("%s asks %v: %c, %v", c.identity, c.req, what, err)
		}
	}
	for identity, want := range map[string]string{"subscriber/79": "79-a", "unit/01": "", "monitor/vn": "screen", "admin/alice": "79-a screen"} {
		resp, err := reportingv1.NewEventServiceClient(l.as(t, identity)).ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{})
		must(t, err)
		var names []string
		for _, s := range resp.GetSubscriptions() {
			names = append(names, s.GetSubscription())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s lists %q, want %q", identity, got, want)
		}
	}
	// Of a target's allocations each sees those of its subtree.
	for identity, want := range map[string]int{"unit/26734": 1, "unit/79": 1, "unit/vn": 2, "reader/01": 1, "unit/26737": 0, "admin/alice": 2} {
		resp, err := registryv1.NewRegistryServiceClient(l.as(t, identity)).ListAllocations(t.Context(),
			&registryv1.ListAllocationsRequest{Parent: "programmes/p/targets/cards"})
		if err != nil || len(resp.GetAllocations()) != want {
			t.Errorf("%s lists %v, %v", identity, resp.GetAllocations(), err)
		}
	}
}
