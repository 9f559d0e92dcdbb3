package backup_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/backup"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestRestoreMovesALedgerBetweenDatabases: from SQLite to PostgreSQL and back, byte by
// byte, by way of a backup each.
func TestRestoreMovesALedgerBetweenDatabases(t *testing.T) {
	from, back := open(t), open(t)
	grow(t, from, 120, 5)
	pg, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.Fresh(t).App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Close(); err != nil {
			t.Error(err)
		}
	})
	first := written(t, from)
	for _, to := range []ledger.Store{pg, back, &ledgertest.Memory{}} {
		h, err := backup.Restore(t.Context(), bytes.NewReader(first), to, nil)
		if err != nil || h != head(t, from) {
			t.Fatalf("%+v, %v", h, err)
		}
		if again := written(t, to); !bytes.Equal(first, again) {
			t.Error("the backup of what was restored is another")
		}
		if diff := cmp.Diff(blocks(t, from), blocks(t, to)); diff != "" {
			t.Error(diff)
		}
	}
}
