package event_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

func ExampleSubscriber() {
	address, stop := serveMilestones() // a reporting service
	defer stop()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	subscriber, err := event.New(event.Config{
		// Conn: the connection to NATS; without it the log is read over gRPC.
		Events:       reportingv1.NewEventServiceClient(conn),
		Subscription: "wall-screen",
		Subjects:     []string{"cotmoc.*.milestone.reached.>"},
		Positions:    &event.MemoryPositions{}, // event.FilePositions("wall-screen.position") survives a restart
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = subscriber.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		m := e.GetMilestoneReached()
		fmt.Printf("%d %s: %s passed %d %%\n", e.GetSequence(), event.Time(e).Format("2006-01-02"), m.GetPath(), m.GetProgressThreshold()/100)
		if m.GetProgressThreshold() == 10000 {
			cancel()
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 2022-12-25: vn.79 passed 90 %
	// 2 2022-12-25: vn.79 passed 100 %
	// <nil>
}

func ExampleSubject() {
	subject, err := event.Subject(&eventv1.Event{
		Programme: "de-an-06",
		Payload: &eventv1.Event_MilestoneReached{MilestoneReached: &eventv1.MilestoneCrossed{
			Target: "chip-cards", Path: "vn.79.760.26734",
		}},
	})
	fmt.Println(subject, err)
	fmt.Println(event.Match("cotmoc.de-an-06.*.*.*.vn.79.>", subject))
	// Output:
	// cotmoc.de-an-06.milestone.reached.chip-cards.vn.79.760.26734 <nil>
	// true
}

// milestones is an EventService whose log holds two events.
type milestones struct {
	reportingv1.UnimplementedEventServiceServer
	log []*reportingv1.StoredEvent
}

func (m *milestones) ListEvents(_ context.Context, r *reportingv1.ListEventsRequest) (*reportingv1.ListEventsResponse, error) {
	head := uint64(len(m.log))
	return &reportingv1.ListEventsResponse{Events: m.log[min(r.GetAfterSequence(), head):], LastSequence: head, HeadSequence: head, Epoch: 1}, nil
}

// serveMilestones serves them on a port of loopback.
func serveMilestones() (address string, stop func()) {
	m := &milestones{}
	for i, threshold := range []uint32{9000, 10000} {
		e := &eventv1.Event{
			Sequence: uint64(i + 1), Epoch: 1, Programme: "de-an-06", TimeUnixMicros: 1671930000000000,
			Payload: &eventv1.Event_MilestoneReached{MilestoneReached: &eventv1.MilestoneCrossed{
				Target: "services", Path: "vn.79", ProgressThreshold: threshold,
			}},
		}
		body, err := proto.Marshal(e)
		if err != nil {
			log.Fatal(err)
		}
		subject, err := event.Subject(e)
		if err != nil {
			log.Fatal(err)
		}
		m.log = append(m.log, &reportingv1.StoredEvent{Sequence: e.GetSequence(), Subject: subject, Event: body})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	reportingv1.RegisterEventServiceServer(s, m)
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), s.Stop
}
