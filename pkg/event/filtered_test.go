package event_test

import (
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
)

// plant adds events of the units to the log and the stream.
func (s *service) plant(units ...string) {
	s.t.Helper()
	from := len(s.log) + 1
	for _, u := range units {
		s.add("chip-cards", "vn."+u)
	}
	s.publish(from, len(s.log))
}

func south() event.Config {
	return event.Config{Subjects: []string{"cotmoc.*.*.*.*.vn.79.>", "cotmoc.*.submission.*.*.vn.79", "cotmoc.*.submission.*.*.vn.92"}}
}

func TestFilteredSubscriberSeesOnlyItsSubjects(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.plant("01", "79", "01", "92", "79.760", "01")
	r := s.read(south(), nil)
	r.wait([]uint64{2, 4, 5})
	s.plant("01", "92")
	r.wait([]uint64{2, 4, 5, 8})
}

func TestFilteredSubscriberSeesALossByThePreviousNumber(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.plant("79", "01", "79", "79", "01", "79")
	s.lose(3, 4)
	r := s.read(south(), nil)
	r.wait([]uint64{1, 3, 4, 6})
}

func TestFilteredSubscriberSeesALossBehindItsPosition(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.plant("79", "92", "79", "79", "92", "01", "79")
	s.lose(3, 4)
	r := s.read(south(), nil)
	// 5 is on another subject and says nothing of 3 and 4; 7 does.
	r.wait([]uint64{1, 2, 5, 3, 4, 7})
}

func TestFilteredSubscriberRestartsAfterWhatItLookedAt(t *testing.T) {
	t.Parallel()
	s := newService(t)
	p := &event.MemoryPositions{}
	s.plant("79", "01", "01", "01")
	c := south()
	c.Positions = p
	r := s.read(c, nil)
	r.wait([]uint64{1})
	for range 1000 {
		if at, _ := p.Load(t.Context()); at.Sequence == 4 {
			break
		}
		sleepShort()
	}
	s.must(r.end())
	if at, _ := p.Load(t.Context()); at != (event.Position{Epoch: 1, Sequence: 4}) {
		t.Errorf("position %v, want one past what is not for it", at)
	}
	s.plant("92", "79")
	c = south()
	c.Positions = p
	again := s.read(c, nil)
	again.wait([]uint64{5, 6})
}

func TestSubscriberIgnoresWhatAWiderConsumerBrings(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.plant("01", "79", "01", "92")
	_, err := s.js.CreateConsumer(t.Context(), streamName, consumerConfig("reader", 0, nil))
	s.must(err)
	r := s.read(south(), nil)
	r.wait([]uint64{2, 4})
}

func TestFilteredSubscriberDropsWhatItHandledBefore(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.plant("79", "01", "92", "79", "92")
	c := south()
	_, err := s.js.CreateConsumer(t.Context(), streamName, consumerConfig("reader", 0, c.Subjects))
	s.must(err)
	p := &event.MemoryPositions{}
	s.must(p.Save(t.Context(), event.Position{Epoch: 1, Sequence: 3}))
	c.Positions = p
	r := s.read(c, nil)
	r.wait([]uint64{4, 5})
}

func TestFilteredSubscriberMissesNothingThatWasLostOnItsWay(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.plant("79")
	at, held := make(chan bool), make(chan bool)
	r := s.read(south(), func(e *eventv1.Event) error {
		if e.GetSequence() == 1 {
			at <- true
			<-held
		}
		return nil
	})
	<-at
	time.Sleep(4 * time.Second) // until its request is over
	s.plant("79.760")
	c, err := s.js.Consumer(t.Context(), streamName, "reader")
	s.must(err)
	lost, err := c.Fetch(2) // 1 again, and 2: given out, never seen by the subscriber
	s.must(err)
	for range lost.Messages() {
	}
	s.plant("92")
	held <- true
	r.wait([]uint64{1, 2, 3})
}
