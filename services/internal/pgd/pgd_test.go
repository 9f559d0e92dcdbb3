package pgd

import (
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
)

func TestServer_killed_and_restarted_keeps_what_was_appended(t *testing.T) {
	start := time.Now()
	s, err := Start(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	t.Logf("server after %v in %s", time.Since(start), s.Dir())
	start = time.Now()
	d, err := s.NewDatabase(t.Context(), "registry")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("database after %v", time.Since(start))
	st, err := postgres.Open(t.Context(), postgres.Config{URL: d.App})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ledgertest.Fill(t, st, 1, 2)
	start = time.Now()
	s.Kill()
	t.Logf("killed after %v", time.Since(start))
	start = time.Now()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("restarted after %v", time.Since(start))
	start = time.Now()
	for {
		h, err := st.Head(t.Context())
		if err == nil {
			if h.Sequence != 3 {
				t.Fatal(h)
			}
			break
		}
		t.Log(err)
		if time.Since(start) > 5*time.Second {
			t.Fatal("late")
		}
	}
}
