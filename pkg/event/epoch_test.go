package event_test

import (
	"errors"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
)

// declare begins an epoch: what is added from now on carries it.
func (s *service) declare(epoch uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = epoch
}

func TestSubscriberThatBeginsAnewReadsALogOfTwoEpochs(t *testing.T) {
	t.Parallel()
	for name, published := range map[string]bool{"from the stream": true, "from the log": false} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			for epoch := range uint32(2) {
				s.declare(epoch + 1)
				for range 10 {
					s.add("chip-cards", "vn.79")
				}
			}
			if published {
				s.publish(1, 20)
			}
			p := &event.MemoryPositions{}
			r := s.read(event.Config{Positions: p}, nil)
			r.wait(upTo(1, 20))
			s.must(r.end())
			if at, _ := p.Load(t.Context()); at != (event.Position{Epoch: 2, Sequence: 20}) {
				t.Errorf("%+v", at)
			}
		})
	}
}

func TestSubscriberOfAnEarlierEpochLearnsOfTheNewOneWhileItRuns(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(10)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 10))
	s.declare(2)
	select {
	case err := <-r.done:
		if r.done <- err; !errors.Is(err, event.ErrEpoch) {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run went on")
	}
}

func TestSubscriberOutlivesAReplicaThatIsBehindItsEpoch(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.declare(2)
	s.grow(10)
	p := &event.MemoryPositions{}
	r := s.read(event.Config{Positions: p}, nil)
	r.wait(upTo(1, 10))
	s.must(r.end())
	s.declare(1)
	r = s.read(event.Config{Positions: p}, nil)
	time.Sleep(500 * time.Millisecond)
	s.declare(2)
	s.grow(5)
	r.wait(upTo(11, 15))
}
