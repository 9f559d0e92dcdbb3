package check_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/client"
	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
	"github.com/cotmoc/cotmoc/services/torture/check"
	"github.com/cotmoc/cotmoc/services/torture/load"
)

// history is what a pair did, with nothing wrong about it.
type history struct {
	events  []*reportingv1.StoredEvent
	acks    []check.Ack
	sent    map[string]bool
	ops     map[check.Cell][]check.Op
	figures []*reportingv1.Figure
	journal []check.Journal
	replica check.Replica
}

var played = sync.OnceValues(play)

// play lets a small nation work on a pair for a moment.
func play() (h *history, err error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	p, err := embedded.Up(ctx, embedded.Config{Dir: dir, Listen: "127.0.0.1:0", ManualClock: true, Start: load.Start()})
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close(ctx) }()
	conn, err := grpc.NewClient(p.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	nation := load.Nation{Communes: 15}
	if _, err := registryv1.NewRegistryAdminServiceClient(conn).BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: nation.Writes()}); err != nil {
		return nil, err
	}
	crowd, err := load.NewCrowd(nation, 7, dir)
	if err != nil {
		return nil, err
	}
	var clients []*client.Client
	for range 4 {
		c, err := client.Dial(ctx, p.Addr, client.Options{})
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	nc, err := p.ConnectNATS()
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	for round := uint64(1); crowd.Figures().Acked < 800 && ctx.Err() == nil; round++ {
		working, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		crowd.Run(working, load.Plan{Round: round, Workers: 8, Shared: 4, Fights: 25, Answer: time.Minute, Clients: clients})
		stop()
	}
	h = &history{acks: crowd.Acks(), sent: crowd.Sent(), ops: crowd.Ops()}
	if err := h.look(ctx, conn, nation); err != nil {
		return nil, err
	}
	following, unfollow := context.WithCancel(ctx)
	defer unfollow()
	l, err := logOf(h.events)
	if err != nil {
		return nil, err
	}
	for _, f := range load.Followers() {
		go f.Run(following, nc, reportingv1.NewEventServiceClient(conn), dir)
		j, err := f.Journal()
		for ; err == nil && !check.Stream(l, j).Held() && ctx.Err() == nil; j, err = f.Journal() {
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			return nil, err
		}
		h.journal = append(h.journal, j)
	}
	return h, nil
}

func (h *history) look(ctx context.Context, conn *grpc.ClientConn, n load.Nation) (err error) {
	events := reportingv1.NewEventServiceClient(conn)
	for after, head := uint64(0), uint64(1); after < head; {
		page, err := events.ListEvents(ctx, &reportingv1.ListEventsRequest{AfterSequence: after, PageSize: 1000})
		if err != nil {
			return err
		}
		h.events = append(h.events, page.GetEvents()...)
		after, head = page.GetLastSequence(), page.GetHeadSequence()
	}
	if h.figures, err = n.AllFigures(ctx, reportingv1.NewProgressServiceClient(conn), 0); err != nil {
		return err
	}
	admin := reportingv1.NewReportingAdminServiceClient(conn)
	h.replica.Name = "one"
	if h.replica.Status, err = admin.GetStatus(ctx, &reportingv1.GetStatusRequest{}); err != nil {
		return err
	}
	h.replica.Verify, err = admin.Verify(ctx, &reportingv1.VerifyRequest{})
	return err
}

func right(t *testing.T) *history {
	t.Helper()
	h, err := played()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// log takes events in; an event that is refused ends it.
func logOf(events []*reportingv1.StoredEvent) (*check.Log, error) {
	l := check.NewLog()
	for _, e := range events {
		if err := l.Take(e); err != nil {
			return l, err
		}
	}
	return l, nil
}

func mustLog(t *testing.T, events []*reportingv1.StoredEvent) *check.Log {
	t.Helper()
	l, err := logOf(events)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCheckers_let_a_right_history_pass(t *testing.T) {
	h := right(t)
	l := mustLog(t, h.events)
	reports := []*check.Report{l.Whole(), check.Acked(l, h.acks), check.Answered(l, h.sent), l.Fold().Totals(h.figures), l.Fold().Milestones(),
		check.Linear(h.ops), check.Books(l, []check.Replica{h.replica})}
	for _, j := range h.journal {
		reports = append(reports, check.Stream(l, j))
	}
	for _, r := range reports {
		t.Log(r)
		if !r.Held() {
			t.Errorf("%s does not hold", r.Name)
		}
	}
	if len(h.acks) < 200 || l.Fold().Milestones().Looked < 100 || len(h.journal) < 4 {
		t.Errorf("%d acks, %d milestones, %d subscribers: too little to trust a checker by", len(h.acks), l.Fold().Milestones().Looked, len(h.journal))
	}
}

// caught checks that a report is red, in words that name what was planted.
func caught(t *testing.T, r *check.Report, words string) {
	t.Helper()
	if r.Held() || !strings.Contains(strings.Join(r.Breaches, "\n"), words) {
		t.Errorf("not caught, or not as %q:\n%v", words, r)
	}
}

// change returns the events with one changed.
func change(t *testing.T, events []*reportingv1.StoredEvent, i int, f func(*eventv1.Event)) []*reportingv1.StoredEvent {
	t.Helper()
	e := new(eventv1.Event)
	if err := proto.Unmarshal(events[i].GetEvent(), e); err != nil {
		t.Fatal(err)
	}
	f(e)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(events)
	subject, err := event.Subject(e)
	if err != nil {
		t.Fatal(err)
	}
	all[i] = &reportingv1.StoredEvent{Sequence: e.GetSequence(), Subject: subject, Event: b}
	return all
}

// find returns the place of the nth event that the test is about.
func find(t *testing.T, events []*reportingv1.StoredEvent, n int, is func(*eventv1.Event) bool) int {
	t.Helper()
	for i, s := range events {
		e := new(eventv1.Event)
		if err := proto.Unmarshal(s.GetEvent(), e); err != nil {
			t.Fatal(err)
		}
		if is(e) {
			if n--; n < 0 {
				return i
			}
		}
	}
	t.Fatal("no such event")
	return 0
}

func accepted(e *eventv1.Event) bool { return e.GetSubmissionAccepted() != nil }
func reached(e *eventv1.Event) bool  { return e.GetMilestoneReached() != nil }

func TestLog_sees_what_is_not_whole(t *testing.T) {
	h := right(t)
	gap := slices.Delete(slices.Clone(h.events), 300, 301)
	if _, err := logOf(gap); err == nil {
		t.Error("a gap was not seen")
	}
	swapped := slices.Clone(h.events)
	swapped[300], swapped[301] = swapped[301], swapped[300]
	if _, err := logOf(swapped); err == nil {
		t.Error("two events that changed places were not seen")
	}
	at := find(t, h.events, 50, accepted)
	second := find(t, h.events, 0, func(e *eventv1.Event) bool { return e.GetSubmissionAccepted().GetRevision() > 1 })
	for _, c := range []struct {
		name, words string
		at          int
		change      func(*eventv1.Event)
	}{
		{"time goes back", "goes back in time", at, func(e *eventv1.Event) { e.TimeUnixMicros -= 1e9 }},
		{"a lost predecessor", "as the one before it", at, func(e *eventv1.Event) { e.Previous = uint64(at) }},
		{"a revision twice", "makes revision", second, func(e *eventv1.Event) { e.GetSubmissionAccepted().Revision = 1 }},
		{"a foreign revision", "makes revision", second, func(e *eventv1.Event) { e.GetSubmissionAccepted().Supersedes-- }},
		{"a request twice", "was accepted as", second, func(e *eventv1.Event) {
			r := e.GetSubmissionAccepted()
			for _, a := range h.acks {
				if a.Sequence < e.GetSequence() && strings.HasSuffix(r.GetPath(), "."+a.Cell.Unit) {
					r.RequestId = a.RequestID
				}
			}
		}},
		{"caused by what comes later", "is caused by", at, func(e *eventv1.Event) { e.Causation = e.Sequence + 5 }},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			l, err := logOf(change(t, h.events, c.at, c.change))
			if err != nil {
				t.Fatal(err)
			}
			caught(t, l.Whole(), c.words)
		})
	}
}

func TestAcked_sees_what_is_lost_or_stored_otherwise(t *testing.T) {
	h := right(t)
	at := find(t, h.events, 80, accepted)
	cut := mustLog(t, h.events[:at])
	caught(t, check.Acked(cut, h.acks), "is lost")
	l := mustLog(t, h.events)
	value := slices.IndexFunc(h.acks, func(a check.Ack) bool { return !a.Withdrawn })
	for _, c := range []struct {
		words  string
		change func(*check.Ack)
	}{
		{"is stored for", func(a *check.Ack) { a.Sequence++ }},
		{"is stored for", func(a *check.Ack) { a.Revision++ }},
		{"is stored for", func(a *check.Ack) { a.Cell.Period = "2022-M12" }},
		{"is lost", func(a *check.Ack) { a.RequestID = "other" }},
		{"is stored as", func(a *check.Ack) { a.Num++ }},
		{"is stored as", func(a *check.Ack) { a.Withdrawn = !a.Withdrawn }},
	} {
		acks := slices.Clone(h.acks)
		c.change(&acks[value])
		caught(t, check.Acked(l, acks), c.words)
	}
	delete(h.sent, h.acks[value].RequestID)
	caught(t, check.Answered(l, h.sent), "nobody sent it")
	h.sent[h.acks[value].RequestID] = true
}

func TestTotals_see_a_sum_that_is_not(t *testing.T) {
	h := right(t)
	l := mustLog(t, h.events)
	for _, f := range []func(*reportingv1.Figure){
		func(f *reportingv1.Figure) { f.Tally.Numerator++ },
		func(f *reportingv1.Figure) { f.Tally.Denominator++ },
		func(f *reportingv1.Figure) { f.Tally.Reporting-- },
		func(f *reportingv1.Figure) { f.Tally.Expected++ },
		func(f *reportingv1.Figure) { f.Tally.Excluded++ },
	} {
		figures := slices.Clone(h.figures)
		figures[10] = proto.CloneOf(figures[10])
		f(figures[10])
		caught(t, l.Fold().Totals(figures), "by the API")
	}
	// A value that the log holds and the figures do not.
	at := lastOfItsCell(t, h.events)
	other := mustLog(t, change(t, h.events, at, func(e *eventv1.Event) { e.GetSubmissionAccepted().Tally.Numerator += 1000 }))
	caught(t, other.Fold().Totals(h.figures), "by the API")
}

// lastOfItsCell is where a value stands that no later one corrects or withdraws.
func lastOfItsCell(t *testing.T, events []*reportingv1.StoredEvent) int {
	t.Helper()
	later := make(map[[3]string]bool)
	for i := len(events) - 1; i >= 0; i-- {
		e := new(eventv1.Event)
		if err := proto.Unmarshal(events[i].GetEvent(), e); err != nil {
			t.Fatal(err)
		}
		s := cmp.Or(e.GetSubmissionAccepted(), e.GetSubmissionWithdrawn())
		if cell := [3]string{s.GetTarget(), s.GetPath(), s.GetPeriod()}; s != nil && !later[cell] {
			if accepted(e) {
				return i
			}
			later[cell] = true
		}
	}
	t.Fatal("no value was left")
	return 0
}

func TestMilestones_see_what_is_not_exact(t *testing.T) {
	h := right(t)
	at := find(t, h.events, 30, reached)
	for _, c := range []struct {
		words  string
		change func(*eventv1.Event)
	}{
		{"should be", func(e *eventv1.Event) { e.GetMilestoneReached().Ordinal++ }},
		{"should be", func(e *eventv1.Event) { e.GetMilestoneReached().ThresholdIndex++ }},
		{"should be", func(e *eventv1.Event) { e.GetMilestoneReached().After.Numerator++ }},
		{"follows from nothing", func(e *eventv1.Event) { e.Causation-- }},
		{"should be", func(e *eventv1.Event) {
			e.Payload = &eventv1.Event_MilestoneRevoked{MilestoneRevoked: e.GetMilestoneReached()}
		}},
		{"is not there", func(e *eventv1.Event) { e.Payload = &eventv1.Event_ClockSet{ClockSet: &eventv1.ClockSet{}} }},
	} {
		l := mustLog(t, change(t, h.events, at, c.change))
		caught(t, l.Fold().Milestones(), c.words)
	}
	// The same milestone again, in the place of a later event.
	twice := change(t, h.events, len(h.events)-1, func(e *eventv1.Event) {
		again := new(eventv1.Event)
		if err := proto.Unmarshal(h.events[at].GetEvent(), again); err != nil {
			t.Fatal(err)
		}
		e.Payload = again.GetPayload()
	})
	caught(t, mustLog(t, twice).Fold().Milestones(), "again")
}

func TestStream_sees_what_a_subscriber_should_not_get(t *testing.T) {
	h := right(t)
	l := mustLog(t, h.events)
	for _, j := range h.journal {
		for _, c := range []struct {
			name, words string
			change      func([]check.Delivered) []check.Delivered
		}{
			{"lost", "was never delivered", func(d []check.Delivered) []check.Delivered { return slices.Delete(d, 50, 51) }},
			{"lost at the end", "was never delivered", func(d []check.Delivered) []check.Delivered { return d[:len(d)-1] }},
			{"twice", "was delivered again", func(d []check.Delivered) []check.Delivered { return slices.Insert(d, 50, d[49]) }},
			{"other bytes", "with other bytes", func(d []check.Delivered) []check.Delivered { d[50].Digest[3]++; return d }},
			{"beyond the log", "the log ends with", func(d []check.Delivered) []check.Delivered { d[50].Sequence += 1e6; return d }},
			{"disorder", "was delivered after", func(d []check.Delivered) []check.Delivered {
				i := later(h.events, d)
				d[i], d[i+1] = d[i+1], d[i]
				return d
			}},
		} {
			t.Run(j.Name+"_"+strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				bad := j
				bad.Got = c.change(slices.Clone(j.Got))
				caught(t, check.Stream(l, bad), c.words)
			})
		}
	}
	foreign := check.Journal{Name: "foreign", Filters: []string{"cotmoc.*.milestone.>"}, Got: h.journal[0].Got}
	caught(t, check.Stream(l, foreign), "nobody asked for")
	caught(t, check.Stream(l, check.Journal{Name: "silent"}), "was never delivered")
}

// later is where two neighbours stand on one subject, so that their order counts
// with any filter.
func later(events []*reportingv1.StoredEvent, d []check.Delivered) int {
	for i := range len(d) - 1 {
		if events[d[i].Sequence-1].GetSubject() == events[d[i+1].Sequence-1].GetSubject() {
			return i
		}
	}
	return 0
}

func TestLinear_sees_what_has_no_order(t *testing.T) {
	h := right(t)
	ms := time.Millisecond
	write := func(call, ret time.Duration, value int64, expected, revision uint32) check.Op {
		return check.Op{Call: call, Return: ret, Set: true, Value: value, Expected: expected, Revision: revision}
	}
	read := func(call, ret time.Duration, value int64, revision uint32) check.Op {
		return check.Op{Call: call, Return: ret, Read: true, Set: revision > 0, Value: value, Revision: revision}
	}
	lost := write(0, 0, 5, 1, 0)
	lost.Call, lost.Outcome = 25*ms, check.Unknown
	for _, c := range []struct {
		name string
		ops  []check.Op
		ok   bool
	}{
		{"one after the other", []check.Op{write(0, 1*ms, 4, 0, 1), read(2*ms, 3*ms, 4, 1)}, true},
		{"an old value is read", []check.Op{write(0, 1*ms, 4, 0, 1), write(2*ms, 3*ms, 5, 1, 2), read(4*ms, 5*ms, 4, 1)}, false},
		{"two win the same revision", []check.Op{write(0, 5*ms, 4, 0, 1), write(0, 5*ms, 5, 0, 1)}, false},
		{"an old revision wins", []check.Op{write(0, 1*ms, 4, 0, 1), write(2*ms, 3*ms, 5, 1, 2), write(4*ms, 5*ms, 6, 1, 3)}, false},
		{"refused although it was right", []check.Op{write(0, 1*ms, 4, 0, 1),
			{Call: 2 * ms, Return: 3 * ms, Set: true, Value: 5, Expected: 1, Revision: 1, Outcome: check.Stale}}, false},
		{"refused rightly", []check.Op{write(0, 1*ms, 4, 0, 1), {Call: 2 * ms, Return: 3 * ms, Set: true, Value: 5, Revision: 1, Outcome: check.Stale}}, true},
		{"read before it was written", []check.Op{read(0, 1*ms, 4, 1), write(2*ms, 3*ms, 4, 0, 1)}, false},
		{"read while it is written", []check.Op{read(0, 3*ms, 4, 1), write(1*ms, 4*ms, 4, 0, 1)}, true},
		{"unknown and done", []check.Op{write(0, 20*ms, 4, 0, 1), lost, read(30*ms, 31*ms, 5, 2)}, true},
		{"unknown and not done", []check.Op{write(0, 20*ms, 4, 0, 1), lost, read(30*ms, 31*ms, 4, 1)}, true},
		{"unknown, seen and undone", []check.Op{write(0, 20*ms, 4, 0, 1), lost, read(30*ms, 31*ms, 5, 2), read(32*ms, 33*ms, 4, 1)}, false},
		{"done before it was sent", []check.Op{write(0, 20*ms, 4, 0, 1), read(21*ms, 24*ms, 5, 2), lost}, false},
		{"a withdrawal is forgotten", []check.Op{write(0, 1*ms, 4, 0, 1), {Call: 2 * ms, Return: 3 * ms, Expected: 1, Revision: 2}, read(4*ms, 5*ms, 4, 2)}, false},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			r := check.Linear(map[check.Cell][]check.Op{{Unit: "c1"}: c.ops})
			if r.Held() != c.ok {
				t.Errorf("held is %v:\n%v", r.Held(), r)
			}
		})
	}
	// A real history with one read changed.
	for cell, ops := range h.ops {
		if i := slices.IndexFunc(ops, func(o check.Op) bool { return o.Read && o.Revision > 0 }); i >= 0 {
			bad := slices.Clone(ops)
			bad[i].Revision--
			caught(t, check.Linear(map[check.Cell][]check.Op{cell: bad}), "have no order")
			break
		}
	}
	caught(t, check.Linear(map[check.Cell][]check.Op{{}: make([]check.Op, check.MostOps+1)}), "too many")
}

func TestBooks_see_replicas_that_differ(t *testing.T) {
	h := right(t)
	l := mustLog(t, h.events)
	for i, c := range []struct {
		words  string
		change func(*check.Replica)
	}{
		{"is at event", func(r *check.Replica) { r.Status.HeadSequence-- }},
		{"is at", func(r *check.Replica) { r.Status.HeadHash[5]++ }},
		{"is at", func(r *check.Replica) { r.Status.Cells++ }},
		{"does not publish", func(r *check.Replica) { r.Status.StreamProblem = "ahead" }},
		{"does not hold", func(r *check.Replica) { r.Verify.Checks[2].Ok = false }},
		{"checks of itself", func(r *check.Replica) { r.Verify.Checks = r.Verify.Checks[:2] }},
	} {
		other := check.Replica{Name: fmt.Sprint("other", i), Status: proto.CloneOf(h.replica.Status), Verify: proto.CloneOf(h.replica.Verify)}
		c.change(&other)
		caught(t, check.Books(l, []check.Replica{h.replica, other}), c.words)
	}
}

func TestReport_of_nothing_does_not_hold(t *testing.T) {
	if check.Linear(nil).Held() || check.Books(check.NewLog(), nil).Held() || check.NewLog().Whole().Held() {
		t.Error("a checker that saw nothing is green")
	}
}
