package e2e_test

import (
	"context"
	"iter"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// slowStore counts how many read the log at once, slowly.
type slowStore struct {
	ledger.Store
	now, most atomic.Int32
}

func (s *slowStore) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		n := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		s.Store.Blocks(ctx, after)(yield)
	}
}

// TestVerifyOneByOne: however many ask for the checks, there is one second book.
func TestVerifyOneByOne(t *testing.T) {
	file, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "reporting.db"))
	if err != nil {
		t.Fatal(err)
	}
	store := &slowStore{Store: file}
	engine, err := ledger.Open(t.Context(), ledger.Config[*book.Book]{Store: store, Empty: book.New})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = engine.Close(context.Background())
		_ = file.Close()
	})
	if _, err := engine.Do(t.Context(), func(b *book.Book) error { return owe(b, killTree()) }); err != nil {
		t.Fatal(err)
	}
	service, err := reporting.New(reporting.Config{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			if _, err := service.Verify(t.Context(), &reportingv1.VerifyRequest{SkipStream: true}); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := store.most.Load(); n != 1 {
		t.Errorf("%d replays of the log at once", n)
	}
}
