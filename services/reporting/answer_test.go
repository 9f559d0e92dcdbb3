package reporting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// mostBytes is how large an answer may be: half a MiB below what a client takes that was
// told nothing else.
const mostBytes = 7 << 19

// Of the largest nation that the contract allows: units below one, parts of a scorecard,
// targets with items, closings.
const (
	wideUnits, wideParts, wideLists, wideClosings = 1_100, 50, 20, 1_100
	depth                                         = 15
)

// long is an id of a length that begins with a word.
func long(word string, length int) string { return word + strings.Repeat("x", length-len(word)) }

// name is the longest name of so many characters, of four bytes each.
func name(characters int) string { return strings.Repeat("𠀋", characters) }

func wideUnit(i int) string   { return long(fmt.Sprintf("u%04d-", i), 40) }
func wideTarget(i int) string { return long(fmt.Sprintf("t%02d-", i), 60) }

var wideRegime = long("monthly-", 60)

// newWide is a service with everything as long and as many as can be, and a client of
// its server that was told nothing.
func newWide(t *testing.T) (*leader, *grpc.ClientConn) {
	t.Helper()
	card := &registryv1.Scorecard{Id: "card", Level: long("commune-", 40), Commend: 100, Slow: 100}
	for i := range wideParts {
		weight := uint32(1)
		if i == 0 {
			weight = 100 - (wideParts - 1)
		}
		card.Parts = append(card.Parts, scored(partShare, wideTarget(i), weight))
	}
	l := newLeader(t, "2022-06-30", 0, func(p *registryv1.Programme) { p.Scorecards = []*registryv1.Scorecard{card} })
	above := "vn"
	for i := range depth - 2 {
		id := long(fmt.Sprintf("above%d-", i), 40)
		l.change(wide(id, above, aProvince, long("province-", 40)))
		above = id
	}
	l.do(func(b *book.Book) {
		for i := range wideUnits {
			l.revision++
			c := wide(wideUnit(i), above, aCommune, card.GetLevel())
			c.Revision = l.revision
			b.Registry(c)
		}
	})
	l.regime(wideRegime, 5)
	for i := range wideParts {
		l.target(wideTarget(i), asRatio, goalOf(goalAtLeast, 900_000), under(wideRegime), func(t *registryv1.Target) {
			t.Milestones = &registryv1.MilestoneRule{Disabled: true}
			t.Checks = []*registryv1.Check{{Kind: registryv1.CheckKind_CHECK_KIND_COPY}}
		})
	}
	for _, month := range []string{"2022-M04", "2022-M05"} { // the second is a copy of the first
		for target := range 6 {
			l.do(func(b *book.Book) {
				for i := range wideUnits {
					l.requests++
					_, err := b.Submit(&book.Submission{Programme: project, Target: wideTarget(target), Unit: wideUnit(i), Period: period(t, month),
						RequestID: fmt.Sprint(l.requests), Value: book.Value{State: book.Reported, Kind: asRatio, Num: int64(i), Den: wideUnits, Field: "ratio"}})
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
	return l, l.serve()
}

func wide(id, parent string, kind typev1.UnitKind, level string) *registryv1.Change {
	c := unitChange(id, parent, kind, level)
	c.GetUnit().DisplayName = name(200)
	return c
}

// serve runs the service's server as it is in production, without identities, and
// returns a client that takes what a default client takes.
func (l *leader) serve() *grpc.ClientConn {
	l.t.Helper()
	server := rpc.NewServer(rpc.Config{Deferred: Deferred})
	l.s.Register(server)
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(port) }()
	conn, err := grpc.NewClient(port.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			l.t.Error(err)
		}
	})
	return conn
}

// items is the longest list of items there can be; from says with which name it begins.
func items(from int) *reportingv1.Submission {
	list := make([]*reportingv1.Item, 1_000)
	for i := range list {
		id := fmt.Sprint(from + i)
		list[i] = &reportingv1.Item{Name: name(200-len(id)) + id, Done: i%2 == 0}
	}
	return listed(list...)
}

// answer is a page that a test asks for.
type answer interface {
	proto.Message
	comparable
}

// walk asks for all pages, and tells how many elements they hold and how large the
// largest is.
func walk[A answer](t *testing.T, what string, want int, ask func(token string) (A, error), elements func(A) int, next func(A) string) {
	t.Helper()
	found, pages, largest := 0, 0, 0
	for token, more := "", true; more; more = token != "" {
		page, err := ask(token)
		if err != nil {
			t.Errorf("%s: page %d: %v", what, pages+1, err)
			return
		}
		found, pages, largest = found+elements(page), pages+1, max(largest, proto.Size(page))
		if token = next(page); pages > want+1 {
			t.Errorf("%s: it never ends", what)
			return
		}
	}
	t.Logf("%-20s %5d elements on %3d pages, the largest of %7d bytes", what, found, pages, largest)
	if found != want || largest > mostBytes {
		t.Errorf("%s: %d elements, want %d; the largest page has %d bytes", what, found, want, largest)
	}
}

func one[A answer](t *testing.T, what string, ask func() (A, error)) A {
	t.Helper()
	var got A
	walk(t, what, 1, func(string) (A, error) { a, err := ask(); got = a; return a, err },
		func(A) int { return 1 }, func(A) string { return "" })
	return got
}

const everything = 1_000 // on a page: the most that can be asked for

// TestNoAnswerIsLargerThanADefaultClientTakes asks for the largest answers that there
// can be.
func TestNoAnswerIsLargerThanADefaultClientTakes(t *testing.T) {
	l, conn := newWide(t)
	ctx := t.Context()
	t.Run("figures", func(t *testing.T) { wideFigures(ctx, t, reportingv1.NewProgressServiceClient(conn)) })
	t.Run("monitoring", func(t *testing.T) { wideMonitoring(ctx, t, reportingv1.NewMonitoringServiceClient(conn)) })
	t.Run("closings", func(t *testing.T) { wideClosing(ctx, t, l, reportingv1.NewMonitoringServiceClient(conn)) })
	t.Run("records", func(t *testing.T) { wideRecords(ctx, t, l, conn) })
	t.Run("batch", func(t *testing.T) { wideBatch(ctx, t, reportingv1.NewReportingServiceClient(conn)) })
}

func wideFigures(ctx context.Context, t *testing.T, p reportingv1.ProgressServiceClient) {
	key := figureKey("vn", wideTarget(0), "2022-M05")
	walk(t, "ListFigures", wideUnits+depth-2, func(token string) (*reportingv1.ListFiguresResponse, error) {
		return p.ListFigures(ctx, &reportingv1.ListFiguresRequest{Key: key, PageSize: everything, PageToken: token,
			Selection: reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS})
	}, func(r *reportingv1.ListFiguresResponse) int { return len(r.GetFigures()) }, (*reportingv1.ListFiguresResponse).GetNextPageToken)
	walk(t, "Explain", wideUnits, func(token string) (*reportingv1.ExplainResponse, error) {
		return p.Explain(ctx, &reportingv1.ExplainRequest{Key: key, PageSize: everything, PageToken: token})
	}, func(r *reportingv1.ExplainResponse) int { return len(r.GetContributions()) }, (*reportingv1.ExplainResponse).GetNextPageToken)
	var days []string
	for i := range 24 {
		days = append(days, fmt.Sprintf("2022-06-%02d", i+1))
	}
	one(t, "CompareDates", func() (*reportingv1.CompareDatesResponse, error) {
		return p.CompareDates(ctx, &reportingv1.CompareDatesRequest{Key: figureKey("vn", wideTarget(0), ""), Dates: days})
	})
	one(t, "CountByKind", func() (*reportingv1.CountByKindResponse, error) {
		return p.CountByKind(ctx, &reportingv1.CountByKindRequest{Key: key})
	})
}

func wideMonitoring(ctx context.Context, t *testing.T, m reportingv1.MonitoringServiceClient) {
	above := long(fmt.Sprintf("above%d-", depth-3), 40)
	walk(t, "ListObligations", wideUnits, func(token string) (*reportingv1.ListObligationsResponse, error) {
		return m.ListObligations(ctx, &reportingv1.ListObligationsRequest{Programme: project, Target: wideRegime, Period: "2022-M05",
			PageSize: everything, PageToken: token})
	}, func(r *reportingv1.ListObligationsResponse) int { return len(r.GetObligations()) }, (*reportingv1.ListObligationsResponse).GetNextPageToken)
	walk(t, "CountObligations", wideUnits, func(token string) (*reportingv1.CountObligationsResponse, error) {
		return m.CountObligations(ctx, &reportingv1.CountObligationsRequest{Programme: project, Target: wideRegime, Period: "2022-M05", Unit: above,
			PageSize: everything, PageToken: token})
	}, func(r *reportingv1.CountObligationsResponse) int { return len(r.GetChildren()) }, (*reportingv1.CountObligationsResponse).GetNextPageToken)
	walk(t, "GetQuality", wideUnits, func(token string) (*reportingv1.GetQualityResponse, error) {
		return m.GetQuality(ctx, &reportingv1.GetQualityRequest{Programme: project, Regime: wideRegime, FromPeriod: "2022-M01", ToPeriod: "2022-M05", Unit: above,
			PageSize: everything, PageToken: token})
	}, func(r *reportingv1.GetQualityResponse) int { return len(r.GetChildren()) }, (*reportingv1.GetQualityResponse).GetNextPageToken)
	walk(t, "ListFindings", 6*(wideUnits-1), func(token string) (*reportingv1.ListFindingsResponse, error) { // 0 is no copy of 0
		return m.ListFindings(ctx, &reportingv1.ListFindingsRequest{Programme: project, PageSize: everything, PageToken: token})
	}, func(r *reportingv1.ListFindingsResponse) int { return len(r.GetFindings()) }, (*reportingv1.ListFindingsResponse).GetNextPageToken)
	var units []string
	walk(t, "Rank", wideUnits, func(token string) (*reportingv1.RankResponse, error) {
		return m.Rank(ctx, &reportingv1.RankRequest{Programme: project, Scorecard: "card", Period: "2022-M05", ComparePeriod: "2022-M04",
			PageSize: everything, PageToken: token})
	}, func(r *reportingv1.RankResponse) int {
		for _, u := range r.GetUnits() {
			units = append(units, u.GetUnit())
		}
		if first := len(units) == len(r.GetUnits()); first != (len(r.GetCommended()) == 100) || first != (len(r.GetSlow()) == 100) {
			t.Errorf("%d commended and %d slow on a page, the first: %t", len(r.GetCommended()), len(r.GetSlow()), first)
		}
		return len(r.GetUnits())
	}, (*reportingv1.RankResponse).GetNextPageToken)
	if slices.Sort(units); len(slices.Compact(units)) != wideUnits {
		t.Error("a unit is on two pages")
	}
}

func wideClosing(ctx context.Context, t *testing.T, l *leader, m reportingv1.MonitoringServiceClient) {
	l.do(func(b *book.Book) {
		for i := range wideClosings {
			if _, err := b.Publish(book.Closing{Programme: project, ID: long(fmt.Sprintf("c%04d-", i), 60), Name: name(300),
				AsOf: calendar.Date(19_000), SHA256: strings.Repeat("h", 32), Size: 1 << 40}, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
	walk(t, "ListClosings", wideClosings, func(token string) (*reportingv1.ListClosingsResponse, error) {
		return m.ListClosings(ctx, &reportingv1.ListClosingsRequest{Programme: project, PageSize: everything, PageToken: token})
	}, func(r *reportingv1.ListClosingsResponse) int { return len(r.GetClosings()) }, (*reportingv1.ListClosingsResponse).GetNextPageToken)
}

func wideRecords(ctx context.Context, t *testing.T, l *leader, conn *grpc.ClientConn) {
	p := reportingv1.NewProgressServiceClient(conn)
	unit, targets := wideUnit(0), make([]string, wideLists)
	for i := range targets {
		targets[i] = wideTarget(10 + i)
		l.report(unit, targets[i], "2022-M06", items(1_000*i))
	}
	walk(t, "UnionItems", 1_000*wideLists, func(token string) (*reportingv1.UnionItemsResponse, error) {
		return p.UnionItems(ctx, &reportingv1.UnionItemsRequest{Programme: project, Targets: targets, Unit: unit, Period: "2022-M06",
			PageSize: everything, PageToken: token})
	}, func(r *reportingv1.UnionItemsResponse) int { return len(r.GetItems()) }, (*reportingv1.UnionItemsResponse).GetNextPageToken)
	cell := &reportingv1.CellKey{Programme: project, Target: targets[0], Unit: unit, Period: "2022-M06"}
	one(t, "ListItems", func() (*reportingv1.ListItemsResponse, error) {
		return p.ListItems(ctx, &reportingv1.ListItemsRequest{Key: cell})
	})
	for i := range 5 {
		more := items(i)
		more.Note = name(2_000)
		for range 20 {
			more.Evidence = append(more.Evidence, &reportingv1.Evidence{Url: "https://" + strings.Repeat("x", 990), Sha256: make([]byte, 32)})
		}
		l.report(unit, targets[0], "2022-M06", more)
	}
	walk(t, "ListCellHistory", 6, func(token string) (*reportingv1.ListCellHistoryResponse, error) {
		return p.ListCellHistory(ctx, &reportingv1.ListCellHistoryRequest{Key: cell, PageSize: everything, PageToken: token})
	}, func(r *reportingv1.ListCellHistoryResponse) int { return len(r.GetRecords()) }, (*reportingv1.ListCellHistoryResponse).GetNextPageToken)
	one(t, "GetReceipt", func() (*reportingv1.GetReceiptResponse, error) {
		return p.GetReceipt(ctx, &reportingv1.GetReceiptRequest{Key: cell, RequestId: fmt.Sprint("request-", l.requests)})
	})
	events, after := reportingv1.NewEventServiceClient(conn), uint64(0)
	walk(t, "ListEvents", int(l.s.engine.Head().Sequence), func(string) (*reportingv1.ListEventsResponse, error) {
		return events.ListEvents(ctx, &reportingv1.ListEventsRequest{AfterSequence: after, PageSize: everything})
	}, func(r *reportingv1.ListEventsResponse) int { return len(r.GetEvents()) }, func(r *reportingv1.ListEventsResponse) string {
		if after = r.GetLastSequence(); after == r.GetHeadSequence() {
			return ""
		}
		return "more"
	})
}

// wideBatch sends items that are refused with the longest words, each for itself.
func wideBatch(ctx context.Context, t *testing.T, r reportingv1.ReportingServiceClient) {
	req := &reportingv1.SubmitBatchRequest{Programme: project, Mode: reportingv1.BatchMode_BATCH_MODE_PER_ITEM}
	for i := range 1_000 {
		sub := listed(&reportingv1.Item{Name: name(200)}, &reportingv1.Item{Name: name(200)})
		sub.Unit, sub.Target, sub.Period = wideUnit(i), wideTarget(0), "2022-M06"
		req.Items = append(req.Items, &reportingv1.BatchItem{Submission: sub, RequestId: long(fmt.Sprint("id-", i), 64)})
	}
	resp := one(t, "SubmitBatch", func() (*reportingv1.SubmitBatchResponse, error) { return r.SubmitBatch(ctx, req) })
	if n := len(resp.GetResults()); n != 1_000 || resp.GetResults()[999].GetError() == nil {
		t.Errorf("%d results, the last %v", n, resp.GetResults()[999])
	}
	accepted := &reportingv1.Submission{Unit: wideUnit(0), Target: wideTarget(40), Period: "2022-M06",
		Value: &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: 1, Denominator: 3}}}
	one(t, "Submit with figures", func() (*reportingv1.SubmitResponse, error) {
		return r.Submit(ctx, &reportingv1.SubmitRequest{Programme: project, RequestId: "with-figures", Submission: accepted, IncludeFigures: true})
	})
}
