package ledger_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
)

func open(t *testing.T, store ledger.Store, change ...func(*ledger.Config[*ledgertest.Counters])) *ledger.Engine[*ledgertest.Counters] {
	t.Helper()
	cfg := ledger.Config[*ledgertest.Counters]{Store: store, Empty: ledgertest.NewCounters}
	for _, f := range change {
		f(&cfg)
	}
	e, err := ledger.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "ledger.db"))
}

func TestEngine_many_writers_are_committed_in_few_blocks(t *testing.T) {
	store := newStore(t)
	e := open(t, store)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 20 {
				var got int64
				c, err := e.Do(t.Context(), func(s *ledgertest.Counters) error {
					got = s.Add(fmt.Sprint("c", w%8), 1)
					return nil
				})
				if err != nil || c.First == 0 || c.First != c.Last || c.Head.Sequence < c.Last || got == 0 {
					t.Error(i, c, err)
				}
			}
		})
	}
	wg.Wait()
	err := e.View(t.Context(), 64*20, func(s *ledgertest.Counters) error {
		for name, v := range s.Values() {
			if v != 160 {
				t.Errorf("%s = %d", name, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := e.Stats(); st.Entries != 64*20 || st.Blocks > 64*20/4 {
		t.Errorf("%d entries in %d blocks", st.Entries, st.Blocks)
	}
	t.Logf("%+v", e.Stats())
}
