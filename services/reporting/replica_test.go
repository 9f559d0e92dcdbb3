package reporting

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// replicas are services on one ledger, each with a manual clock of its own.
func replicas(t *testing.T, n int, day string, level ...uint32) []*leader {
	t.Helper()
	stores := make([]ledger.Store, n)
	store := new(ledgertest.Memory)
	for i := range stores {
		stores[i] = store
	}
	return replicasOn(t, day, stores, level...)
}

// replicasOn are replicas that each reach the ledger in a way of their own.
func replicasOn(t *testing.T, day string, stores []ledger.Store, level ...uint32) []*leader {
	t.Helper()
	var out []*leader
	for i, store := range stores {
		l := &leader{t: t, clock: NewClock(noon(t, day)), requests: i * 1_000_000}
		c := ledger.Config[*book.Book]{Store: store, Empty: book.New, Now: l.clock.Now, Follow: true}
		if i < len(level) {
			c.Level = level[i]
		}
		engine, err := ledger.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		l.clock.Follow(func() time.Time { return engine.Head().Time })
		t.Cleanup(func() { _ = engine.Close(context.Background()) })
		if l.s, err = New(Config{Engine: engine, Clock: l.clock}); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	out[0].seed(4)
	for _, l := range out {
		if err := l.s.engine.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// seed writes vn, provinces with a commune each, a programme with a regime, and a
// target that is due under it.
func (l *leader) seed(provinces int) {
	l.t.Helper()
	l.change(unitChange("vn", "", aCountry, "country"))
	for i := range provinces {
		l.change(unitChange(fmt.Sprint("p", i+1), "vn", aProvince, "province"))
		l.change(unitChange(fmt.Sprint("c", i+1), fmt.Sprint("p", i+1), aCommune, "commune"))
	}
	l.change(&registryv1.Change{Resource: &registryv1.Change_Programme{Programme: &registryv1.Programme{
		Name: "programmes/" + project, DisplayName: "Project 06", RootUnit: "vn", StartDate: "2022-01-01", EndDate: "2025-12-31"}}})
	l.regime("monthly", 5)
	l.target("cards", asCount, nil, under("monthly"))
}

// events reads a log.
func (l *leader) events() (out []*eventv1.Event) {
	l.t.Helper()
	if err := l.s.engine.Fresh(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	for b, err := range l.s.engine.Blocks(l.t.Context(), 0) {
		if err != nil {
			l.t.Fatal(err)
		}
		for _, en := range b.Entries {
			e := new(eventv1.Event)
			if err := proto.Unmarshal(en.Event, e); err != nil {
				l.t.Fatal(err)
			}
			out = append(out, e)
		}
	}
	return out
}

// sound checks that a replica's book is its log's, and its totals their cells'.
func (l *leader) sound() {
	l.t.Helper()
	resp, err := l.s.Verify(l.t.Context(), &reportingv1.VerifyRequest{SkipStream: true})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range resp.GetChecks() {
		if !c.GetOk() {
			l.t.Errorf("%s: %s", c.GetName(), c.GetDetail())
		}
	}
}

func TestReplicas_tell_each_rung_once(t *testing.T) {
	ls := replicas(t, 3, "2022-01-03")
	var wg sync.WaitGroup
	for _, l := range ls {
		wg.Go(func() {
			for d := 0; d < 120; d += 1 + rand.IntN(3) {
				l.clock.Set(noon(t, "2022-01-03").AddDate(0, 0, d)) // false where another was faster
				l.do(func(*book.Book) {})
			}
		})
	}
	wg.Wait()
	for _, l := range ls {
		l.clock.Set(noon(t, "2022-05-10"))
	}
	for range 50 {
		for _, l := range ls {
			l.do(func(*book.Book) {})
		}
	}
	told := map[string]int{}
	for _, e := range ls[0].events() {
		for kind, d := range map[string]*eventv1.DeadlineReached{"due": e.GetDeadlineDue(), "overdue": e.GetDeadlineOverdue()} {
			if d != nil {
				told[fmt.Sprint(kind, d.GetTarget(), d.GetPath(), d.GetPeriod(), d.GetDueDate(), d.GetDays())]++
			}
		}
	}
	for rung, n := range told {
		if n != 1 {
			t.Errorf("%s was told %d times", rung, n)
		}
	}
	if len(told) < 20 {
		t.Errorf("only %d rungs were told", len(told))
	}
	for _, l := range ls {
		if err := l.s.engine.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.sound()
	}
	t.Logf("%d rungs told; conflicts %d", len(told), ls[0].s.engine.Stats().Conflicts+ls[1].s.engine.Stats().Conflicts+ls[2].s.engine.Stats().Conflicts)
}

func TestSetClock_holds_at_all_replicas(t *testing.T) {
	ls := replicas(t, 2, "2022-01-03")
	set := func(l *leader, day string) error {
		_, err := l.s.SetClock(t.Context(), &reportingv1.SetClockRequest{Time: timestamppb.New(noon(t, day))})
		return err
	}
	if err := set(ls[0], "2022-03-01"); err != nil {
		t.Fatal(err)
	}
	err := set(ls[1], "2022-02-01") // at once: the other may not have heard of it
	if e, _ := apierr.Parse(err); e.Reason != errorv1.Reason_REASON_CLOCK {
		t.Errorf("the clock went back at the other replica: %v", err)
	}
	if err := ls[1].s.engine.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := ls[1].s.now(); !now.Equal(noon(t, "2022-03-01")) {
		t.Errorf("the other replica's clock stands at %v", now)
	}
	if err := set(ls[1], "2022-04-01"); err != nil {
		t.Error(err)
	}
	if err := set(ls[0], "2022-04-01"); err != nil {
		t.Errorf("the same time again: %v", err)
	}
}

func TestDeclareEpoch_once(t *testing.T) {
	ls := replicas(t, 3, "2022-01-03")
	ls[0].report("c1", "cards", "2022-M01", counted(7))
	var wg sync.WaitGroup
	var mu sync.Mutex
	var declared []uint64
	for i := range 9 {
		wg.Go(func() {
			resp, err := ls[i%3].s.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: 1, Reason: "restored from a backup"})
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				declared = append(declared, resp.GetSequence())
				return
			}
			e, _ := apierr.Parse(err)
			if e.Code != codes.FailedPrecondition || e.Reason != errorv1.Reason_REASON_EPOCH_MISMATCH || e.Field != "expected_epoch" || e.Metadata["actual"] != "2" {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if len(declared) != 1 {
		t.Fatalf("declared as %v", declared)
	}
	ls[1].report("c2", "cards", "2022-M01", counted(5))
	for _, e := range ls[2].events() {
		d := e.GetLogDeclared()
		if own := e.GetSequence() == declared[0]; own != (d != nil) || own && (d.GetEpoch() != 2 || d.GetLevel() != 1 || d.GetReason() == "") {
			t.Errorf("event %d: %v", e.GetSequence(), e)
		}
		if want := map[bool]uint32{true: 2, false: 1}[e.GetSequence() >= declared[0]]; e.GetEpoch() != want {
			t.Errorf("event %d is of epoch %d", e.GetSequence(), e.GetEpoch())
		}
	}
	for _, l := range ls {
		l.sound()
	}
	for _, epoch := range []uint32{1, 3, ^uint32(0)} {
		if _, err := ls[0].s.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: epoch, Reason: "x"}); err == nil {
			t.Errorf("declared after %d", epoch)
		}
	}
	if st, err := ls[2].s.GetStatus(t.Context(), &reportingv1.GetStatusRequest{}); err != nil || st.GetEpoch() != 2 || st.GetLevel() != 1 || st.GetReleaseLevel() != 1 {
		t.Errorf("%v, %v", st, err)
	}
}

func TestRaiseLevel_stops_the_release_before(t *testing.T) {
	ls := replicas(t, 2, "2022-01-03", 1, 2)
	raise := func(l *leader, level uint32) error {
		_, err := l.s.RaiseLevel(t.Context(), &reportingv1.RaiseLevelRequest{Level: level, Reason: "all are new"})
		return err
	}
	for _, c := range []struct {
		l      *leader
		level  uint32
		reason errorv1.Reason
	}{{ls[0], 2, errorv1.Reason_REASON_NOT_DECLARABLE}, {ls[1], 3, errorv1.Reason_REASON_EPOCH_MISMATCH}, {ls[1], 1, errorv1.Reason_REASON_EPOCH_MISMATCH}} {
		if e, _ := apierr.Parse(raise(c.l, c.level)); e.Reason != c.reason || e.Field != "level" {
			t.Errorf("level %d: %v", c.level, e)
		}
	}
	ls[1].report("c1", "cards", "2022-M01", counted(7))
	ls[0].report("c2", "cards", "2022-M01", counted(7))
	if err := raise(ls[1], 2); err != nil {
		t.Fatal(err)
	}
	ls[1].report("c3", "cards", "2022-M01", counted(7))
	for deadline := time.Now().Add(time.Minute); ls[0].s.engine.Err() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the old release goes on")
		}
	}
	ls[1].sound()
	last := ls[1].events()
	if e := last[len(last)-2].GetLogDeclared(); e.GetLevel() != 2 || e.GetEpoch() != 1 {
		t.Errorf("%v", e)
	}
}

// lastValues reads the board's stream: what each subject has last.
func lastValues(t testing.TB, js jetstream.JetStream) map[string]*eventv1.ProgressChanged {
	t.Helper()
	out := map[string]*eventv1.ProgressChanged{}
	subjects, err := stream.Subjects(t.Context(), js, stream.ProgressName(1))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream.ProgressName(1))
	if err != nil {
		t.Fatal(err)
	}
	for subject := range subjects {
		if strings.HasPrefix(subject, "cotmoc-board.") {
			continue
		}
		m, err := s.GetLastMsgForSubject(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		p := new(eventv1.ProgressChanged)
		if err := proto.Unmarshal(m.Data, p); err != nil {
			t.Fatal(err)
		}
		out[subject] = p
	}
	return out
}

// agrees says in what the stream is not the present board.
func (l *leader) agrees(js jetstream.JetStream) error {
	got := lastValues(l.t, js)
	return l.s.engine.View(l.t.Context(), 0, func(b *book.Book) error {
		for _, k := range b.Board() {
			m, path, total, _ := b.Moved(k)
			p := got["cotmoc."+m.Programme()+".progress.changed."+m.ID()+"."+path]
			if p == nil || book.TallyOf(p.GetCurrent()) != total {
				return fmt.Errorf("%s at %s is %v on the board, %v in the book", m.ID(), path, p.GetCurrent(), total)
			}
		}
		return nil
	})
}

// sleeper is a connection that can be frozen before it publishes.
type sleeper struct {
	jetstream.JetStream
	mu sync.Mutex
}

func (s *sleeper) PublishMsgAsync(m *nats.Msg, opts ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.JetStream.PublishMsgAsync(m, opts...)
}

// publishing runs a replica's board on a connection of its own until it is stopped.
func (l *leader) publishing(url string) (*sleeper, func()) {
	l.t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		l.t.Fatal(err)
	}
	s := &sleeper{JetStream: js}
	d := NewBoard(l.s.engine, s, 0, nil)
	d.every, d.silence = 20*time.Millisecond, 120*time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	l.t.Cleanup(func() { cancel(); <-done })
	return s, cancel
}

// settles waits until the stream is the present board.
func (l *leader) settles(js jetstream.JetStream) {
	l.t.Helper()
	err := fmt.Errorf("not looked at")
	for deadline := time.Now().Add(time.Minute); err != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatal(err)
		}
		if err = l.s.engine.Fresh(l.t.Context()); err == nil {
			err = l.agrees(js)
		}
	}
}

func TestBoard_frozen_publisher_that_wakes_up_overwrites_nothing(t *testing.T) {
	_, url := natstest.Start(t)
	ls := replicas(t, 2, "2022-01-03")
	frozen, end := ls[0].publishing(url)
	time.Sleep(200 * time.Millisecond)
	other, _ := ls[1].publishing(url) // who begins takes over
	time.Sleep(200 * time.Millisecond)
	other.mu.Lock() // until the first is at it again
	ls[0].report("c1", "cards", "2022-M01", counted(1))
	ls[0].settles(frozen)
	other.mu.Unlock()
	time.Sleep(200 * time.Millisecond)
	frozen.mu.Lock()
	ls[0].report("c1", "cards", "2022-M01", counted(2)) // is read, and not sent
	time.Sleep(100 * time.Millisecond)
	ls[0].report("c1", "cards", "2022-M01", counted(3))
	ls[1].settles(other)
	end()
	frozen.mu.Unlock() // it sends what it had read, and ends
	time.Sleep(300 * time.Millisecond)
	if err := ls[1].agrees(other); err != nil {
		t.Error(err)
	}
}

func TestBoard_of_replicas_that_freeze_and_end(t *testing.T) {
	_, url := natstest.Start(t)
	ls := replicas(t, 3, "2022-01-03")
	var sleepers []*sleeper
	var stops []func()
	for _, l := range ls {
		s, stop := l.publishing(url)
		sleepers, stops = append(sleepers, s), append(stops, stop)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i, l := range ls {
		wg.Go(func() {
			for ctx.Err() == nil {
				l.report(fmt.Sprint("c", i+1), "cards", "2022-M01", counted(rand.Int64N(1000)))
				time.Sleep(3 * time.Millisecond)
			}
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				sleepers[i].mu.Lock()
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
				sleepers[i].mu.Unlock()
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			}
		})
	}
	wg.Wait()
	stops[0]() // whoever publishes ends without a word
	ls[1].report("c4", "cards", "2022-M01", counted(77))
	ls[1].settles(sleepers[1])
	time.Sleep(500 * time.Millisecond)
	if err := ls[1].agrees(sleepers[1]); err != nil {
		t.Errorf("later: %v", err)
	}
}
