package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// TestWriters lets 32 writers correct the cells of one province at once. Each
// success must be a revision of its own, the totals must be those of the last
// values, and no milestone may come twice.
func TestWriters(t *testing.T) {
	r := inProcess(t)
	r.owe(t, killTree()...)
	r.figure(t, "procedures", "vn", "")
	const writers, each = 32, 25
	last := make([]atomic.Int64, 4) // revision<<32 | value, of the province's cells that are fought over
	var aborted atomic.Int64
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(w)))
			for n := 0; n < each; {
				i, value := random.IntN(len(last)), int64(random.IntN(2000))
				unit := fmt.Sprintf("c%d", 3*i)
				resp, err := r.progress.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{
					Programme: "p", Target: "cards", Unit: unit, Period: "2022-M01", Basis: typev1.Basis_BASIS_REPORTED}})
				if err != nil {
					t.Error(err)
					return
				}
				s := count(unit, "cards", "2022-M01", value)
				if s.ExpectedRevision = resp.GetFigure().GetOwn().GetRevision(); s.ExpectedRevision > 0 {
					s.Reason = "rà soát"
				}
				got, err := r.reporting.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p",
					RequestId: fmt.Sprintf("w%d-%d-%d", w, n, s.GetExpectedRevision()), Submission: s})
				if e, _ := apierr.Parse(err); e.Code == codes.Aborted {
					aborted.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				n++
				raise(&last[i], int64(got.GetReceipt().GetRevision())<<32|value)
			}
		})
	}
	work.Wait()
	var revisions, sum int64
	for i := range last {
		at := last[i].Load()
		revisions += at >> 32
		sum += at & (1<<32 - 1)
	}
	if revisions != writers*each {
		t.Errorf("%d submissions succeeded and made %d revisions", writers*each, revisions)
	}
	if got := r.figure(t, "cards", "vn", "").GetTally(); got.GetNumerator() != sum || got.GetReporting() != int32(len(last)) {
		t.Errorf("the total is %v, the last values add up to %d", got, sum)
	}
	t.Logf("%d revisions, %d tries aborted", revisions, aborted.Load())
	checkMilestones(t, r)
	verify(t, r)
}

// raise keeps the greatest value.
func raise(at *atomic.Int64, v int64) {
	for {
		was := at.Load()
		if v <= was || at.CompareAndSwap(was, v) {
			return
		}
	}
}

// TestTwoEngines lets two engines append in turn to one ledger, each deciding
// against what the other did.
func TestTwoEngines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reporting.db")
	var engines [2]*reporting.Engine
	for i := range engines {
		store, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.Close() }()
		engines[i], err = ledger.Open(t.Context(), ledger.Config[*book.Book]{Store: store, Empty: book.New, Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = engines[i].Close(t.Context()) }()
	}
	var head ledger.Head
	do := func(i int, f func(*book.Book) error) error {
		done, err := engines[i].Do(t.Context(), f)
		head = done.Head
		return err
	}
	if err := do(0, func(b *book.Book) error { return owe(b, killTree()) }); err != nil {
		t.Fatal(err)
	}
	january, err := calendar.EndOfMonth.Parse("2022-M01")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	accepted := [2]int{}
	for i, e := range engines {
		work.Go(func() {
			for n := range 400 {
				s := &book.Submission{Programme: "p", Target: "cards", Unit: fmt.Sprintf("c%d", (2*n+i)%communes), Period: january,
					Value:     book.Value{State: book.Reported, Kind: typev1.ValueKind_VALUE_KIND_COUNT, Num: int64(n), Field: "count"},
					RequestID: fmt.Sprintf("%d-%d", i, n), ExpectedRevision: uint32(2 * n / communes)}
				_, err := e.Do(t.Context(), func(b *book.Book) error {
					_, err := b.Submit(s)
					return err
				})
				if err == nil {
					accepted[i]++
				}
			}
		})
	}
	work.Wait()
	if err := do(0, func(*book.Book) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if accepted != [2]int{400, 400} {
		t.Errorf("the engines accepted %v of 400 each", accepted)
	}
	at := max(engines[0].Head().Sequence, engines[1].Head().Sequence)
	for i, e := range engines {
		if err := e.View(t.Context(), at, func(b *book.Book) error { _, err := b.Recompute(); return err }); err != nil {
			t.Errorf("engine %d: %v", i, err)
		}
	}
	x, _ := engines[0].Freeze()
	y, _ := engines[1].Freeze()
	replayed, _, err := engines[1].Replay(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []*book.Book{y, replayed} {
		if err := book.Compare(x, other); err != nil {
			t.Error(err)
		}
	}
	t.Logf("accepted %v up to event %d, head %d", accepted, at, head.Sequence)
}

// owe puts registry writes into a book as the registry's changes would be.
func owe(b *book.Book, writes []*registryv1.Write) error {
	for _, w := range writes {
		c := &registryv1.Change{Revision: b.RegistryRevision() + 1}
		switch r := w.GetResource().(type) {
		case *registryv1.Write_Unit:
			c.Resource = &registryv1.Change_Unit{Unit: r.Unit}
		case *registryv1.Write_Programme:
			c.Resource = &registryv1.Change_Programme{Programme: r.Programme}
		case *registryv1.Write_Target:
			c.Resource = &registryv1.Change_Target{Target: r.Target}
		default:
			return fmt.Errorf("%T is not used here", r)
		}
		b.Registry(c)
	}
	return nil
}

// TestStreamDeleted takes the stream away while the pair works: it must come back
// with the same numbers and the same bytes.
func TestStreamDeleted(t *testing.T) {
	r := inProcess(t)
	history(t, r)
	verify(t, r)
	nc := r.nats(t)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	before := status(t, r)
	if err := js.DeleteStream(t.Context(), stream.FactsName(before.GetEpoch())); err != nil {
		t.Fatal(err)
	}
	r.submit(t, "later", count("26737", "cards", "2022-M03", 5))
	deadline := time.Now().Add(time.Minute)
	for status(t, r).GetStreamSequence() < before.GetHeadSequence() || !rebuilt(t, js, before.GetEpoch(), before.GetHeadSequence()) {
		if time.Now().After(deadline) {
			t.Fatalf("the stream is not rebuilt: %v", status(t, r))
		}
		time.Sleep(20 * time.Millisecond)
	}
	verify(t, r)
}

func rebuilt(t *testing.T, js jetstream.JetStream, epoch uint32, head uint64) bool {
	s, err := js.Stream(t.Context(), stream.FactsName(epoch))
	return err == nil && s.CachedInfo().State.FirstSeq == 1 && s.CachedInfo().State.LastSeq > head
}

// TestImageDeleted stops the pair cleanly, takes its images away, and finds the
// same figures after the start.
func TestImageDeleted(t *testing.T) {
	dir := t.TempDir()
	up := func() (*embedded.Process, *rig) {
		p, err := embedded.Up(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0", ManualClock: true, Start: start})
		if err != nil {
			t.Fatal(err)
		}
		r := clients(t, p.Addr, p.Addr)
		return p, r
	}
	figures := func(r *rig) (all []*reportingv1.Figure) {
		for _, target := range []string{"cards", "procedures", "adopted", "issued"} {
			for _, period := range []string{"", "2022-M01", "2022-M02", "2022-M03"} {
				all = append(all, r.figure(t, target, "79", period))
			}
		}
		return all
	}
	p, r := up()
	history(t, r)
	want := figures(r)
	for _, change := range []func(string) error{func(string) error { return nil }, os.Remove} {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		images, err := filepath.Glob(filepath.Join(dir, "*.image"))
		if err != nil || len(images) != 2 {
			t.Fatalf("a clean stop left the images %v, %v", images, err)
		}
		for _, image := range images {
			if err := change(image); err != nil {
				t.Fatal(err)
			}
		}
		p, r = up()
		if diff := cmp.Diff(want, figures(r), protocmp.Transform()); diff != "" {
			t.Errorf("figures after a restart (-before +after):\n%s", diff)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
