package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const streamName = "COTMOC-FACTS-1"

// strict may read what the service provides for the subscription `reader`, and no more.
var strict = &server.User{Username: "strict", Password: "secret", Permissions: &server.Permissions{
	Publish: &server.SubjectPermission{Allow: []string{
		"$JS.API.CONSUMER.INFO.*.reader", "$JS.API.CONSUMER.MSG.NEXT.*.reader", "$JS.ACK.*.reader.>"}},
	Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_reader.>"}},
}}

// service is a real EventService over a log in memory and a real NATS server.
type service struct {
	reportingv1.UnimplementedEventServiceServer
	t      testing.TB
	dir    string
	port   int
	nats   *server.Server
	conn   *nats.Conn // the service's own
	js     jetstream.JetStream
	client reportingv1.EventServiceClient

	mu       sync.Mutex
	epoch    uint32
	log      []*reportingv1.StoredEvent
	previous map[string]uint64
	lag      int // how many events at the end ListEvents does not know yet
	asked    []uint64
	listed   int
	dead     []*reportingv1.PutDeadLetterRequest
	refuse   error // what PutDeadLetter answers, nil when it does its work
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), port: -1, epoch: 1, previous: map[string]uint64{}}
	s.startNATS()
	s.makeStream()
	g := grpc.NewServer()
	reportingv1.RegisterEventServiceServer(g, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	go func() { _ = g.Serve(l) }()
	cc, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	s.must(err)
	s.client = reportingv1.NewEventServiceClient(cc)
	t.Cleanup(func() {
		_ = cc.Close()
		g.Stop()
		s.conn.Close()
		s.stopNATS()
	})
	return s
}

func (s *service) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) startNATS() {
	n, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: s.port, JetStream: true, StoreDir: s.dir, NoSigs: true,
		NoAuthUser: "owner", Users: []*server.User{{Username: "owner", Password: "-"}, strict}})
	s.must(err)
	n.Start()
	if !n.ReadyForConnections(10 * time.Second) {
		s.t.Fatal("NATS did not start")
	}
	s.nats, s.port = n, n.Addr().(*net.TCPAddr).Port
	if s.conn == nil {
		s.conn = s.connect()
		s.js, err = jetstream.New(s.conn)
		s.must(err)
	}
}

func (s *service) stopNATS() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

func (s *service) connect() *nats.Conn {
	nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", s.port), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	s.must(err)
	s.t.Cleanup(nc.Close)
	return nc
}

func (s *service) makeStream() {
	s.t.Helper()
	s.create(jetstream.StreamConfig{Name: streamName, Subjects: []string{"cotmoc.>"}})
}

// create makes a stream. Right after one of that name was deleted the server may
// still be busy with its folder.
func (s *service) create(c jetstream.StreamConfig) {
	s.t.Helper()
	var err error
	for range 100 {
		if _, err = s.js.CreateStream(s.t.Context(), c); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.must(err)
}

// restartNATS starts NATS again and waits until it serves the service's streams.
func (s *service) restartNATS(stream string) {
	s.t.Helper()
	s.startNATS()
	for range 500 {
		ctx, cancel := context.WithTimeout(s.t.Context(), 100*time.Millisecond)
		_, err := s.js.Stream(ctx, stream)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatal("NATS is not back")
}

// add appends an accepted submission of a unit for a target to the log.
func (s *service) add(target, path string) *eventv1.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &eventv1.Event{
		Sequence: uint64(len(s.log) + 1), Epoch: s.epoch, Programme: "de-an-06", TimeUnixMicros: 1659286800000000,
		Payload: &eventv1.Event_SubmissionAccepted{SubmissionAccepted: &eventv1.SubmissionRecorded{Target: target, Path: path, Period: "2022-M07"}},
	}
	subject, err := event.Subject(e)
	s.must(err)
	e.Previous = s.previous[subject]
	s.previous[subject] = e.Sequence
	b, err := proto.Marshal(e)
	s.must(err)
	s.log = append(s.log, &reportingv1.StoredEvent{Sequence: e.Sequence, Subject: subject, Event: b})
	return e
}

// publish puts events of the log on the stream under their own numbers.
func (s *service) publish(from, to int) {
	s.t.Helper()
	for n := from; n <= to; n++ {
		s.mu.Lock()
		stored := s.log[n-1]
		s.mu.Unlock()
		e, err := event.Decode(stored.GetEvent())
		s.must(err)
		s.put(stored.GetSubject(), event.Header(e), stored.GetEvent(), n)
	}
}

func (s *service) put(subject string, h nats.Header, body []byte, n int) {
	s.t.Helper()
	_, err := s.js.PublishMsg(s.t.Context(), &nats.Msg{Subject: subject, Header: h, Data: body}, jetstream.WithExpectLastSequence(uint64(n-1)))
	s.must(err)
}

// lose deletes messages from the stream.
func (s *service) lose(numbers ...uint64) {
	s.t.Helper()
	st, err := s.js.Stream(s.t.Context(), streamName)
	s.must(err)
	for _, n := range numbers {
		s.must(st.DeleteMsg(s.t.Context(), n))
	}
}

// grow adds and publishes n events of three units in turn.
func (s *service) grow(n int) {
	s.t.Helper()
	s.mu.Lock()
	from := len(s.log) + 1
	s.mu.Unlock()
	for i := range n {
		s.add("chip-cards", "vn."+[]string{"01", "79", "92"}[i%3])
	}
	s.publish(from, from+n-1)
}

func (s *service) ListEvents(_ context.Context, r *reportingv1.ListEventsRequest) (*reportingv1.ListEventsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed++
	known := s.log[:max(0, len(s.log)-s.lag)]
	s.lag = max(0, s.lag-1) // it catches up
	resp := &reportingv1.ListEventsResponse{LastSequence: r.GetAfterSequence(), HeadSequence: uint64(len(known)), Epoch: s.epoch}
	for _, e := range known[min(len(known), int(r.GetAfterSequence())):] {
		if len(resp.Events) == 7 { // small pages
			break
		}
		resp.LastSequence = e.GetSequence()
		if event.MatchAny(r.GetSubjects(), e.GetSubject()) {
			resp.Events = append(resp.Events, e)
		}
	}
	return resp, nil
}

func (s *service) EnsureSubscription(ctx context.Context, r *reportingv1.EnsureSubscriptionRequest) (*reportingv1.EnsureSubscriptionResponse, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r.GetAfterSequence())
	epoch := s.epoch
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if len(r.GetSubjects()) > 0 && strings.Contains(r.GetSubjects()[0], ".progress.") {
		return s.ensureProgress(ctx, fmt.Sprintf("COTMOC-PROGRESS-%d", epoch), r)
	}
	_, err := s.js.Consumer(ctx, streamName, r.GetSubscription())
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = s.js.CreateConsumer(ctx, streamName, consumerConfig(r.GetSubscription(), r.GetAfterSequence(), r.GetSubjects()))
	}
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &reportingv1.EnsureSubscriptionResponse{Stream: streamName, Consumer: r.GetSubscription(), Epoch: epoch}, nil
}

// ensureProgress makes a consumer of last values anew, as the service does.
func (s *service) ensureProgress(ctx context.Context, stream string, r *reportingv1.EnsureSubscriptionRequest) (*reportingv1.EnsureSubscriptionResponse, error) {
	_ = s.js.DeleteConsumer(ctx, stream, r.GetSubscription())
	_, err := s.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{Name: r.GetSubscription(), FilterSubjects: r.GetSubjects(),
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, InactiveThreshold: time.Minute})
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &reportingv1.EnsureSubscriptionResponse{Stream: stream, Consumer: r.GetSubscription(), Epoch: s.epoch}, nil
}

func (s *service) PutDeadLetter(_ context.Context, r *reportingv1.PutDeadLetterRequest) (*reportingv1.PutDeadLetterResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	if strings.Contains(r.GetError(), "0912") { // what the services' check would say
		return nil, apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_PERSONAL_DATA, "error", "leave it out")
	}
	s.dead = append(s.dead, r)
	return &reportingv1.PutDeadLetterResponse{}, nil
}

func consumerConfig(name string, after uint64, subjects []string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 2 * time.Second, FilterSubjects: subjects,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1, MaxAckPending: 1000,
	}
}

// reader is a running subscriber and the numbers that its handler was given.
type reader struct {
	t    testing.TB
	s    *service
	stop context.CancelFunc
	done chan error

	mu  sync.Mutex
	got []uint64
}

// read starts a subscriber. before, when not nil, is asked first for each event.
func (s *service) read(c event.Config, before func(*eventv1.Event) error) *reader {
	s.t.Helper()
	if c.Conn == nil {
		c.Conn = s.connect()
	}
	if c.Positions == nil {
		c.Positions = &event.MemoryPositions{}
	}
	c.Events = s.client
	if c.Subscription == "" {
		c.Subscription = "reader"
	}
	c.Log = slog.New(slog.NewTextHandler(testWriter{s.t}, nil))
	sub, err := event.New(c)
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{t: s.t, s: s, stop: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
			if before != nil {
				if err := before(e); err != nil {
					return err
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.got = append(r.got, e.GetSequence())
			return nil
		})
	}()
	s.t.Cleanup(func() { _ = r.end() })
	return r
}

// end stops the subscriber and returns what Run did.
func (r *reader) end() error {
	r.stop()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(10 * time.Second):
		r.t.Error("Run did not end")
		return nil
	}
}

func (r *reader) numbers() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// wait waits for as many events as are wanted, a little longer for those that are
// not, and compares.
func (r *reader) wait(want []uint64) {
	r.t.Helper()
	for range 1500 {
		if len(r.numbers()) >= len(want) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	if diff := cmp.Diff(want, r.numbers()); diff != "" {
		r.t.Fatalf("numbers (-want +got)\n%s", diff)
	}
}

// upTo is the numbers from one to another.
func upTo(from, to uint64) []uint64 {
	var all []uint64
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}
