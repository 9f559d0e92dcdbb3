package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/backup"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// upIn runs the pair on a folder, with the way to end it.
func upIn(t *testing.T, dir string) (*rig, func()) {
	t.Helper()
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0", ManualClock: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(end)
	r := clients(t, p.Addr, p.Addr)
	r.nats = func(t *testing.T) *nats.Conn {
		nc, err := p.ConnectNATS()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	return r, end
}

// backUp backs up both ledgers of a folder as the runbook says.
func backUp(t *testing.T, dir, to string) map[string]ledger.Head {
	t.Helper()
	heads := map[string]ledger.Head{}
	for _, service := range []string{"reporting", "registry"} {
		store, err := sqlite.Open(t.Context(), filepath.Join(dir, service+".db"))
		if err != nil {
			t.Fatal(err)
		}
		heads[service], err = backup.Create(t.Context(), store, filepath.Join(to, service+".backup"), nil)
		if err := errors.Join(err, store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return heads
}

// restore makes the ledgers of a folder from backups; those that were there are moved
// away first.
func restore(t *testing.T, from, dir string) {
	t.Helper()
	for _, service := range []string{"registry", "reporting"} {
		path := filepath.Join(dir, service+".db")
		if err := os.Rename(path, path+".lost"); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, left := range []string{path + "-wal", path + "-shm"} {
			if _, err := os.Stat(left); err == nil {
				t.Fatalf("%s is left over", left)
			}
		}
		f, err := os.Open(filepath.Join(from, service+".backup"))
		if err != nil {
			t.Fatal(err)
		}
		store, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = backup.Restore(t.Context(), f, store, nil)
		if err := errors.Join(err, store.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// allFigures are the current totals of some targets at all units of a fold.
func allFigures(t *testing.T, r *rig, f *fold) map[string]*typev1.Tally {
	t.Helper()
	all := map[string]*typev1.Tally{}
	for _, target := range []string{"cards", "procedures", "adopted", "issued"} {
		for unit := range f.path {
			all[target+" "+unit] = r.figure(t, target, unit, "").GetTally()
		}
	}
	return all
}

// TestBackupUnderLoad backs a pair up while clients submit, restores each backup and
// starts a pair on it: what it shows is what the first one showed at that event.
func TestBackupUnderLoad(t *testing.T) {
	dir := t.TempDir()
	r, _ := upIn(t, dir)
	r.owe(t, append(tree(), target("cards", typev1.ValueKind_VALUE_KIND_COUNT, func(g *registryv1.Target) { g.Goal.Value = 1_000_000 }))...)
	r.at(t, start.AddDate(1, 0, 0))
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := uint32(1); ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			s := count("26734", "cards", "2022-M05", int64(n))
			if n > 1 {
				s = after(n-1, s)
			}
			if _, err := r.reporting.Submit(context.Background(), &reportingv1.SubmitRequest{Programme: "p", RequestId: fmt.Sprint(n), Submission: s}); err != nil {
				done <- err
				return
			}
		}
	}()
	var sequences []uint64
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		to := t.TempDir()
		heads := backUp(t, dir, to)
		fresh := t.TempDir()
		restore(t, to, fresh)
		second, end := upIn(t, fresh)
		st := status(t, second)
		if h := heads["reporting"]; st.GetHeadSequence() < h.Sequence {
			t.Errorf("restored up to %d of %d", st.GetHeadSequence(), h.Sequence)
		}
		at := heads["reporting"].Sequence
		got, held := second.figure(t, "cards", "vn", "2022-M05").GetTally().GetNumerator(), r.heldAt(t, at)
		if got != held {
			t.Errorf("restored at event %d the total is %d, it was %d", at, got, held)
		}
		verify(t, second)
		end()
		sequences = append(sequences, at)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if sequences[0] == sequences[3] {
		t.Error("nobody wrote meanwhile")
	}
	t.Logf("backups at events %v", sequences)
	verify(t, r)
}

// heldAt is the count that the one cell held at an event of the log.
func (r *rig) heldAt(t *testing.T, sequence uint64) int64 {
	t.Helper()
	var held int64
	for after := uint64(0); after < sequence; {
		page, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: after, PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range page.GetEvents() {
			e, err := event.Decode(stored.GetEvent())
			if err != nil {
				t.Fatal(err)
			}
			if s := e.GetSubmissionAccepted(); s != nil && e.GetSequence() <= sequence {
				held = s.GetTally().GetNumerator()
			}
		}
		after = page.GetLastSequence()
	}
	return held
}

// follower is a subscriber that keeps its position over runs.
type follower struct {
	positions event.MemoryPositions
	seen      []uint64
}

// run follows until the number was seen or something final happened.
func (f *follower) run(t *testing.T, r *rig, until uint64) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sub, err := event.New(event.Config{Conn: r.nats(t), Events: r.events, Subscription: "follower", Positions: &f.positions})
	if err != nil {
		t.Fatal(err)
	}
	return sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		if f.seen = append(f.seen, e.GetSequence()); e.GetSequence() >= until {
			cancel()
		}
		return nil
	})
}

// TestRestoreIsANewEpoch is the story of the runbook: a pair goes on after its backup,
// is lost, and comes back as it was, with streams that have seen more.
func TestRestoreIsANewEpoch(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	r, end := upIn(t, dir)
	history(t, r)
	atBackup := foldTo(t, r, "before", status(t, r).GetHeadSequence())
	figures := allFigures(t, r, atBackup)
	heads := backUp(t, dir, kept)

	r.submit(t, "later", count("26737", "cards", "2022-M01", 50)) // what will be lost
	r.submit(t, "later-still", count("26737", "cards", "2022-M02", 51))
	head := status(t, r).GetHeadSequence()
	f := &follower{}
	if err := f.run(t, r, head); err != nil || len(f.seen) != int(head) {
		t.Fatalf("%d events of %d, %v", len(f.seen), head, err)
	}
	end()

	restore(t, kept, dir)
	r, _ = upIn(t, dir)
	if diff := cmp.Diff(figures, allFigures(t, r, atBackup), protocmp.Transform()); diff != "" {
		t.Fatalf("figures at event %d (-then +restored):\n%s", heads["reporting"].Sequence, diff)
	}
	waitFor(t, "a problem of the stream", r, func(s *reportingv1.GetStatusResponse) bool { return s.GetStreamProblem() != "" })
	r.submit(t, "after-the-restore", count("26737", "cards", "2022-M01", 60)) // intake goes on

	declared, err := r.admin.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: 1, Reason: "restored from the backup"})
	if err != nil || declared.GetEpoch() != 2 {
		t.Fatalf("%v, %v", declared, err)
	}
	if _, err := r.admin.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: 1, Reason: "declared twice"}); err == nil {
		t.Error("declared twice")
	}
	r.submit(t, "in-the-new-epoch", count("26737", "cards", "2022-M02", 61))
	waitFor(t, "the stream of the new epoch", r, func(s *reportingv1.GetStatusResponse) bool {
		return s.GetEpoch() == 2 && s.GetStreamProblem() == "" && s.GetStreamSequence() == s.GetHeadSequence()
	})
	verify(t, r)

	if err := f.run(t, r, ^uint64(0)); !errors.Is(err, event.ErrEpoch) {
		t.Fatalf("the subscriber of the old epoch ended with %v", err)
	}
	if len(f.seen) != int(head) {
		t.Errorf("it saw %v beyond event %d", f.seen[head:], head)
	}
	rebuilt := foldTo(t, r, "follower", status(t, r).GetHeadSequence())
	for _, target := range []string{"cards", "procedures", "adopted", "issued"} {
		for unit := range rebuilt.path {
			if diff := cmp.Diff(r.figure(t, target, unit, "").GetTally(), rebuilt.total(target, unit), protocmp.Transform()); diff != "" {
				t.Errorf("%s at %s (-API +rebuilt):\n%s", target, unit, diff)
			}
		}
	}
}

// waitFor waits until the service stands as is wanted.
func waitFor(t *testing.T, what string, r *rig, ok func(*reportingv1.GetStatusResponse) bool) {
	t.Helper()
	var s *reportingv1.GetStatusResponse
	for range 3000 {
		if s = status(t, r); ok(s) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s was waited for in vain: %v", what, s)
}
