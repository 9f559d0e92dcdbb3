package registry_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type watcher struct {
	t      *testing.T
	stream grpc.ServerStreamingClient[registryv1.WatchRegistryResponse]
	at     int64 // last revision seen
	beats  int
}

func (r *rig) watch(ctx context.Context, after int64) *watcher {
	r.t.Helper()
	stream, err := r.read.WatchRegistry(ctx, &registryv1.WatchRegistryRequest{AfterRevision: after})
	if err != nil {
		r.t.Fatal(err)
	}
	return &watcher{t: r.t, stream: stream, at: after}
}

// next reads one message and checks that its changes follow without a gap.
func (w *watcher) next() *registryv1.WatchRegistryResponse {
	w.t.Helper()
	m, err := w.stream.Recv()
	if err != nil {
		w.t.Fatalf("after revision %d: %v", w.at, err)
	}
	for _, c := range m.GetChanges() {
		if c.GetRevision() != w.at+1 {
			w.t.Fatalf("revision %d after %d", c.GetRevision(), w.at)
		}
		w.at++
	}
	if len(m.GetChanges()) == 0 {
		w.beats++
	}
	if len(m.GetChanges()) > 500 || proto.Size(m) > 1<<20+1<<10 {
		w.t.Errorf("a message of %d changes and %d bytes", len(m.GetChanges()), proto.Size(m))
	}
	if m.GetHeadRevision() < w.at {
		w.t.Errorf("head %d behind change %d", m.GetHeadRevision(), w.at)
	}
	return m
}

// reach reads until the given revision.
func (w *watcher) reach(revision int64) {
	w.t.Helper()
	for w.at < revision {
		w.next()
	}
	if w.at != revision {
		w.t.Errorf("at %d, want %d", w.at, revision)
	}
}

func TestWatchListsThenFollows(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	empty := r.watch(ctx, 0)
	if m := empty.next(); len(m.GetChanges()) != 0 || m.GetHeadRevision() != 0 {
		t.Errorf("an empty registry: %v", m)
	}
	r.seed()
	empty.reach(13)
	all, middle, end := r.watch(ctx, 0), r.watch(ctx, 7), r.watch(ctx, 13)
	all.reach(13)
	middle.reach(13)
	if m := end.next(); len(m.GetChanges()) != 0 || m.GetHeadRevision() != 13 {
		t.Errorf("a caller that has all: %v", m)
	}
	r.write(newUnit("02", "vn", province, "province"))
	for _, w := range []*watcher{empty, all, middle, end} {
		for w.at < 14 {
			m := w.next()
			if n := len(m.GetChanges()); n > 0 && m.GetChanges()[n-1].GetUnit().GetName() != "units/02" {
				t.Errorf("%v", m)
			}
		}
	}
}

func TestWatchGoesOnAfterARestart(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := r.watch(ctx, 0)
	w.reach(13)
	began := time.Now()
	r.restart()
	if took := time.Since(began); took > 15*time.Second { // a watch goes on for 30
		t.Errorf("the stop waited %v for a watch", took)
	}
	_, err := w.stream.Recv()
	for err == nil { // heartbeats that were under way
		_, err = w.stream.Recv()
	}
	if status.Code(err) != codes.Unavailable || !apierr.Is(err, errorv1.Reason_REASON_UNAVAILABLE) {
		t.Errorf("a watch ended with %v", err)
	}
	r.write(newUnit("02", "vn", province, "province"))
	again := r.watch(ctx, w.at)
	again.reach(14)
	whole := r.watch(ctx, 0)
	whole.reach(14)
}

func TestWatchIsCutIntoMessages(t *testing.T) {
	r := newRig(t)
	r.write(newUnit("vn", "", country, "country"))
	units := make([]proto.Message, 999)
	for i := range units {
		units[i] = newUnit("u"+strconv.Itoa(i), "vn", province, "province")
	}
	r.write(units...)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := r.watch(ctx, 0)
	if n := len(w.next().GetChanges()); n != 500 {
		t.Errorf("first message has %d", n)
	}
	w.reach(1000)
	if w.beats != 0 {
		t.Errorf("%d heartbeats in between", w.beats)
	}
	// Big changes are cut by size: each of these is some 300 KB.
	p := newProgramme()
	for i := range 450 {
		p.Instruments = append(p.Instruments, &registryv1.Instrument{
			Id: "i" + strconv.Itoa(i), Kind: registryv1.InstrumentKind_INSTRUMENT_KIND_NOTICE,
			Number: "1", Date: "2022-01-01", Signer: string(make200('đ')),
		})
	}
	for i := range 8 {
		p.TaskCountThresholds = []uint32{uint32(i + 1)}
		r.write(p)
	}
	w.reach(1008)
	again := r.watch(ctx, 1000)
	messages := 0
	for again.at < 1008 {
		again.next()
		messages++
	}
	if messages < 2 {
		t.Errorf("%d KB in %d messages", 8*proto.Size(p)>>10, messages)
	}
}

func make200(r rune) []rune {
	rs := make([]rune, 200)
	for i := range rs {
		rs[i] = r
	}
	return rs
}

func TestWatchBeatsWhenNothingHappens(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := r.watch(ctx, 0)
	for w.beats < 3 {
		w.next()
	}
}

func TestWatchFromBeyondTheEndIsRefused(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := r.watch(ctx, 99)
	_, err := w.stream.Recv()
	e, _ := apierr.Parse(err)
	if e.Code != codes.FailedPrecondition || e.Reason != errorv1.Reason_REASON_REGISTRY_BEHIND || e.Field != "after_revision" {
		t.Errorf("%v", err)
	}
}

func TestAWatchSeesEveryChangeWhileOthersWrite(t *testing.T) {
	r := newRig(t)
	r.seed()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	const writers, each = 4, 50
	done := make(chan error, writers)
	for i := range writers {
		go func() {
			for n := range each {
				_, err := r.admin.BatchWrite(ctx, batch(newUnit("w"+strconv.Itoa(i)+"-"+strconv.Itoa(n), "vn", province, "province")))
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	watchers := []*watcher{r.watch(ctx, 0), r.watch(ctx, 5), r.watch(ctx, 13)}
	for _, w := range watchers {
		w.reach(13 + writers*each)
	}
	for range writers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
