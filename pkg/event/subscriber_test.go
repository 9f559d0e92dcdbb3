package event_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/nats-io/nats.go/jetstream"
)

func TestSubscriberSeesEachEventOnceInOrder(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(40)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 40))
	s.grow(1200) // more than a fetch, as they come
	r.wait(upTo(1, 1240))
	if err := r.end(); err != nil {
		t.Errorf("Run = %v after its context ended", err)
	}
}

func TestSubscriberDropsWhatItHandledBefore(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(60)
	_, err := s.js.CreateConsumer(t.Context(), streamName, consumerConfig("reader", 0, nil))
	s.must(err)
	p := &event.MemoryPositions{}
	s.must(p.Save(t.Context(), event.Position{Epoch: 1, Sequence: 50}))
	r := s.read(event.Config{Positions: p}, nil)
	r.wait(upTo(51, 60))
}

func TestSubscriberFillsGapsFromTheLog(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(60)
	s.lose(1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 40)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 60))
}

func TestSubscriberFillsAGapFromAReplicaThatIsBehind(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(30)
	s.lose(28, 29)
	s.mu.Lock()
	s.lag = 3
	s.mu.Unlock()
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 30))
}

func TestSubscriberFindsALostEnd(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	s.lose(19, 20)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 20))
}

func TestSubscriberTrustsItsPositionOverTheConsumer(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 20))
	s.must(r.end())
	again := s.read(event.Config{}, nil) // its position was lost, the consumer stands at 20
	again.wait(upTo(1, 20))
}

func TestSubscriberAsksForAConsumerThatWasDeleted(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 20))
	s.must(s.js.DeleteConsumer(t.Context(), streamName, "reader"))
	s.grow(20)
	r.wait(upTo(1, 40))
	var asked []uint64
	for range 500 {
		s.mu.Lock()
		asked = slices.Clone(s.asked)
		s.mu.Unlock()
		if len(asked) > 1 {
			break
		}
		sleepShort()
	}
	if len(asked) < 2 || asked[1] < 20 {
		t.Errorf("asked for consumers after %v", asked)
	}
	s.grow(5)
	r.wait(upTo(1, 45))
}

func TestSubscriberGoesOnWhenTheStreamIsRebuilt(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 20))
	for round := range 3 {
		s.must(s.js.DeleteStream(t.Context(), streamName))
		s.makeStream()
		s.publish(1, 20+10*round)
		s.grow(10)
		r.wait(upTo(1, uint64(30+10*round)))
	}
}

func TestSubscriberRestartsFromItsFile(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(100)
	path := filepath.Join(t.TempDir(), "position")
	var all []uint64
	for i := range 5 {
		enough := make(chan struct{})
		n := 0
		r := s.read(event.Config{Positions: event.FilePositions(path)}, func(*eventv1.Event) error {
			if n++; n == 13+i {
				close(enough)
			}
			if n >= 13+i {
				return errors.New("no more this time")
			}
			return nil
		})
		<-enough
		s.must(r.end())
		all = append(all, r.numbers()...)
	}
	r := s.read(event.Config{Positions: event.FilePositions(path)}, nil)
	r.wait(upTo(uint64(len(all)+1), 100))
	if all = append(all, r.numbers()...); !slices.Equal(all, upTo(1, 100)) {
		t.Errorf("over restarts: %v", all)
	}
}

func TestSubscriberGivesAFailingHandlerTheSameEventAgain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(10)
	failed := 0
	r := s.read(event.Config{}, func(e *eventv1.Event) error {
		if e.GetSequence() == 4 && failed < 3 {
			failed++
			return errors.New("database away")
		}
		return nil
	})
	r.wait(upTo(1, 10))
	if failed != 3 {
		t.Errorf("failed %d times", failed)
	}
}

func TestSubscriberReadsTheLogWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 20))
	s.stopNATS()
	for range 20 {
		s.add("chip-cards", "vn.79")
	}
	r.wait(upTo(1, 40))
	s.restartNATS(streamName)
	s.publish(21, 40)
	s.grow(20)
	r.wait(upTo(1, 60))
	s.mu.Lock()
	listed := s.listed
	s.mu.Unlock()
	s.grow(2000)
	r.wait(upTo(1, 2060))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listed-listed > 100 {
		t.Errorf("%d pages were read from the log for 2,000 events after NATS came back", s.listed-listed)
	}
}

func TestSubscriberWithoutNATSReadsTheLog(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(20)
	sub, err := event.New(event.Config{Events: s.client, Subscription: "x", Positions: &event.MemoryPositions{}})
	s.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	var got []uint64
	s.must(sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		if got = append(got, e.GetSequence()); len(got) == 20 {
			cancel()
		}
		return nil
	}))
	if !slices.Equal(got, upTo(1, 20)) {
		t.Errorf("got %v", got)
	}
}

func TestSubscriberReadsADamagedMessageFromTheLog(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for range 6 {
		s.add("chip-cards", "vn.79")
	}
	s.publish(1, 2)
	s.put(s.log[2].GetSubject(), nil, []byte("\xff\xff not an event"), 3)
	s.put(s.log[3].GetSubject(), nil, s.log[1].GetEvent(), 4) // another event's bytes
	s.publish(5, 6)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 6))
}

func TestSubscriberStopsAtAnotherEpoch(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(10)
	p := &event.MemoryPositions{}
	r := s.read(event.Config{Positions: p}, nil)
	r.wait(upTo(1, 10))
	s.must(r.end())
	s.mu.Lock()
	s.epoch = 2
	s.mu.Unlock()
	r = s.read(event.Config{Positions: p}, nil)
	select {
	case err := <-r.done:
		if r.done <- err; !errors.Is(err, event.ErrEpoch) {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run went on")
	}
	if got := r.numbers(); len(got) != 0 {
		t.Errorf("it handed over %v", got)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	s := newService(t)
	good := event.Config{Events: s.client, Subscription: "x", Positions: &event.MemoryPositions{}}
	for name, breakIt := range map[string]func(*event.Config){
		"events":       func(c *event.Config) { c.Events = nil },
		"subscription": func(c *event.Config) { c.Subscription = "" },
		"positions":    func(c *event.Config) { c.Positions = nil },
		"filter":       func(c *event.Config) { c.Subjects = []string{"cotmoc.>.x"} },
	} {
		c := good
		breakIt(&c)
		if _, err := event.New(c); err == nil {
			t.Errorf("without %s it was made", name)
		}
	}
	if _, err := event.New(good); err != nil {
		t.Error(err)
	}
}

func TestFilePositions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "position")
	check := func(want event.Position) {
		t.Helper()
		got, err := event.FilePositions(path).Load(t.Context())
		if err != nil || got != want {
			t.Errorf("Load = %v, %v; want %v", got, err, want)
		}
	}
	check(event.Position{})
	f := event.FilePositions(path)
	for n := uint64(1); n <= 5; n++ {
		if err := f.Save(t.Context(), event.Position{Epoch: 1, Sequence: n}); err != nil {
			t.Fatal(err)
		}
		check(event.Position{Epoch: 1, Sequence: n})
		f = event.FilePositions(path) // as after a restart
		if _, err := f.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	big := event.Position{Epoch: 1<<32 - 1, Sequence: 1<<64 - 1}
	if err := f.Save(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	check(big)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[64+3] ^= 1 // the slot written last is damaged: the one before holds
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	check(event.Position{Epoch: 1, Sequence: 5})
	b[3] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := event.FilePositions(path).Load(t.Context()); err == nil {
		t.Errorf("a damaged file gave %v", p)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	check(event.Position{})
}

func TestDurableConsumerIsNeverMadeByTheSubscriber(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.grow(3)
	r := s.read(event.Config{}, nil)
	r.wait(upTo(1, 3))
	st, err := s.js.Stream(t.Context(), streamName)
	s.must(err)
	var names []string
	for info := range st.ListConsumers(t.Context()).Info() {
		names = append(names, info.Name)
		if info.Config.AckPolicy != jetstream.AckExplicitPolicy {
			t.Errorf("consumer %+v", info.Config)
		}
	}
	if !slices.Equal(names, []string{"reader"}) {
		t.Errorf("consumers %v", names)
	}
}
