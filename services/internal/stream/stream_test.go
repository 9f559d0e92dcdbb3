package stream_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
)

func TestEnsureStreams(t *testing.T) {
	nc, _ := natstest.Start(t)
	js := jsOf(t, nc)
	for range 2 {
		if err := stream.EnsureStreams(t.Context(), js, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, subject string
		deny          bool
		each          int64
	}{{"COTMOC-FACTS-1", "cotmoc.all.clock.set.clock", true, -1}, {"COTMOC-PROGRESS-1", "cotmoc.p.progress.changed.t.vn", false, 1}} {
		s, err := js.Stream(t.Context(), c.name)
		if err != nil {
			t.Fatal(err)
		}
		got := s.CachedInfo().Config
		if got.DenyDelete != c.deny || got.DenyPurge != c.deny || got.MaxMsgsPerSubject != c.each || got.MaxBytes <= 0 || got.Storage != jetstream.FileStorage {
			t.Errorf("%s: %+v", c.name, got)
		}
		if name, err := js.StreamNameBySubject(t.Context(), c.subject); err != nil || name != c.name {
			t.Errorf("%s is in %q, %v", c.subject, name, err)
		}
	}
}

func TestEnsureStreams_puts_in_order_what_others_made(t *testing.T) {
	nc, _ := natstest.Start(t)
	js := jsOf(t, nc)
	c := stream.Facts(1)
	c.DenyDelete, c.DenyPurge, c.Subjects, c.MaxBytes = false, false, []string{"cotmoc.*.submission.>"}, 123<<20
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := stream.EnsureStreams(t.Context(), js, 1, 1); err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), c.Name)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().Config; !got.DenyDelete || !got.DenyPurge || len(got.Subjects) != 11 || got.MaxBytes != 123<<20 {
		t.Errorf("%+v", got)
	}
}

func TestVerify_names_the_first_difference(t *testing.T) {
	nc, _ := natstest.Start(t)
	js := jsOf(t, nc)
	loose(t, nc)
	e := newEngine(t)
	grow(t, e, 1, 40)
	n := uint64(0)
	for b, err := range e.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, en := range b.Entries {
			body := en.Event
			if n++; n == 17 {
				body = []byte("other")
			}
			if _, err := js.Publish(t.Context(), "cotmoc.all.submission.accepted", body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := stream.Verify(t.Context(), js, "COTMOC-FACTS-1", e); err == nil || !strings.Contains(err.Error(), "message 17 is not event 17") {
		t.Error(err)
	}
	s, err := js.Stream(t.Context(), "COTMOC-FACTS-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	if err := stream.Verify(t.Context(), js, "COTMOC-FACTS-1", e); err == nil || !strings.Contains(err.Error(), "1 messages are missing") {
		t.Error(err)
	}
}

func TestStart_within_the_process_alone(t *testing.T) {
	s, err := natsd.Start(natsd.Config{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.URL() != "" {
		t.Errorf("listens on %s", s.URL())
	}
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := stream.EnsureStreams(t.Context(), jsOf(t, nc), 3, 1); err != nil {
		t.Fatal(err)
	}
}

func TestStart_says_what_is_wrong(t *testing.T) {
	for _, c := range []struct{ dir, listen string }{{"", ""}, {t.TempDir(), "nowhere"}, {t.TempDir(), "127.0.0.1:http"}} {
		if s, err := natsd.Start(natsd.Config{StoreDir: c.dir, Listen: c.listen}); err == nil {
			s.Close()
			t.Errorf("%+v: started", c)
		}
	}
}

// BenchmarkRelay drains a log that is there into an empty stream.
func BenchmarkRelay(b *testing.B) {
	const events = 200_000
	e := newEngine(b)
	grow(b, e, events/500, 500)
	for b.Loop() {
		s, err := natsd.Start(natsd.Config{StoreDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		nc, err := s.Connect()
		if err != nil {
			b.Fatal(err)
		}
		r, stop := run(b, nc, e)
		until(b, "drained", func() bool { return r.Published() == events })
		stop()
		nc.Close()
		s.Close()
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}
