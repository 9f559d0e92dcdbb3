package event_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

const boardName = "COTMOC-PROGRESS-1"

// boardRig is a stream of last values and what a reader of it was given.
type boardRig struct {
	*service
	mu   sync.Mutex
	seen map[string][]uint64 // sequences by path
}

func newBoard(t *testing.T) *boardRig {
	s := newService(t)
	s.must(s.js.DeleteStream(t.Context(), streamName))
	b := &boardRig{service: s, seen: map[string][]uint64{}}
	b.make()
	return b
}

func (b *boardRig) make() {
	b.create(jetstream.StreamConfig{Name: boardName, Subjects: []string{"cotmoc.*.progress.>"}, MaxMsgsPerSubject: 1})
}

func (b *boardRig) show(path string, sequence uint64) {
	b.t.Helper()
	p := &eventv1.ProgressChanged{Programme: "p", Target: "x", Path: path, Sequence: sequence, Epoch: 1, Current: &typev1.Tally{Numerator: int64(sequence)}}
	subject, err := event.ProgressSubject(p)
	b.must(err)
	body, err := proto.Marshal(p)
	b.must(err)
	_, err = b.js.Publish(b.t.Context(), subject, body)
	b.must(err)
}

func (b *boardRig) config(subjects ...string) event.ProgressConfig {
	return event.ProgressConfig{Conn: b.connect(), Events: b.client, Subscription: "reader", Subjects: subjects}
}

func (b *boardRig) take(_ context.Context, p *eventv1.ProgressChanged) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[p.GetPath()] = append(b.seen[p.GetPath()], p.GetSequence())
	return nil
}

func (b *boardRig) wait(want map[string][]uint64) {
	b.t.Helper()
	var got map[string][]uint64
	for range 1500 {
		b.mu.Lock()
		got = maps.Clone(b.seen)
		b.mu.Unlock()
		if cmp.Equal(want, got) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal(cmp.Diff(want, got))
}

func TestProgressGivesTheBoardThenWhatMoves(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.show("vn", 1)
	b.show("vn", 5)
	b.show("vn.79", 5)
	b.show("vn.01", 2)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	c := b.config("cotmoc.*.progress.*.*.vn", "cotmoc.*.progress.*.*.vn.79.>", "cotmoc.*.progress.*.*.vn.79")
	go func() {
		done <- event.Progress(ctx, c, b.take)
	}()
	b.wait(map[string][]uint64{"vn": {5}, "vn.79": {5}})
	b.show("vn", 7)
	b.wait(map[string][]uint64{"vn": {5, 7}, "vn.79": {5}})

	b.show("vn", 6) // an overtaken publisher
	b.show("vn.79", 8)
	b.wait(map[string][]uint64{"vn": {5, 7}, "vn.79": {5, 8}})

	// The stream is made anew, and whoever publishes shows the whole board again.
	b.must(b.js.DeleteStream(t.Context(), boardName))
	b.make()
	b.show("vn", 7)
	b.show("vn", 9)
	b.show("vn.79", 8)
	b.wait(map[string][]uint64{"vn": {5, 7, 9}, "vn.79": {5, 8}})

	b.stopNATS()
	b.restartNATS(boardName)
	b.show("vn", 12)
	b.wait(map[string][]uint64{"vn": {5, 7, 9, 12}, "vn.79": {5, 8}})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Progress = %v after its context ended", err)
	}
}

func TestProgressEndsWithTheErrorOfItsReader(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.show("vn", 1)
	full := errors.New("screen full")
	err := event.Progress(t.Context(), b.config(), func(context.Context, *eventv1.ProgressChanged) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("Progress = %v", err)
	}
	if err := event.Progress(t.Context(), b.config("a..b"), b.take); err == nil {
		t.Error("a bad filter was taken")
	}
}
