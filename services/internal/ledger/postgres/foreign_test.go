package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

// TestABlockThatNoEngineWrote: who has the application's password can insert one. All
// engines find it and end, naming it; none of it is applied; and once the owner has
// deleted it, as the runbook says, the log goes on as it was.
func TestABlockThatNoEngineWrote(t *testing.T) {
	for name, row := range map[string]string{
		"nonsense":            `last + 1, last + 1, time, epoch, level, hash, '\x00'`,
		"another's body":      `last + 1, last + 1, time, epoch, level, hash, body`,
		"far beyond the end":  `last + 1000000, last + 1000000, time, epoch, level, hash, '\x00'`,
		"with a hash of lies": `last + 1, last + 1, time, epoch, level, sha256(hash), body`,
	} {
		t.Run(name, func(t *testing.T) {
			d := pgtest.Fresh(t)
			a, b := replica(t, d.App), replica(t, d.App)
			for _, e := range []*ledger.Engine[*counters]{a, b} {
				if _, err := e.Do(t.Context(), func(c *counters) error { c.Add("a", 1); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			if code := executed(t, connected(t, d.App), `INSERT INTO block (first, last, time, epoch, level, hash, body) SELECT `+row+
				` FROM block ORDER BY first DESC LIMIT 1`); code != "" {
				t.Fatalf("the application's role cannot: %s", code)
			}
			for end := time.Now().Add(10 * time.Second); a.Err() == nil || b.Err() == nil; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("not found: %v, %v", a.Err(), b.Err())
				}
			}
			for _, e := range []*ledger.Engine[*counters]{a, b} {
				if err := e.Err(); !errors.Is(err, ledger.ErrDamaged) || !strings.Contains(err.Error(), "block") {
					t.Errorf("ended with %v, want the block", err)
				}
				if h := e.Head(); h.Sequence != 2 {
					t.Errorf("it stands at entry %d", h.Sequence)
				}
			}
			if code := executed(t, connected(t, d.App), `DELETE FROM block WHERE first > 2`); code == "" {
				t.Error("the application's role deletes")
			}
			if code := executed(t, connected(t, d.Owner), `DELETE FROM block WHERE first > 2`); code != "" {
				t.Fatalf("the owner's role cannot delete: %s", code)
			}
			c := replica(t, d.App)
			if _, err := c.Do(t.Context(), func(c *counters) error { c.Add("a", 1); return nil }); err != nil {
				t.Fatal(err)
			}
			if got := values(t, c)["a"]; got != 3 {
				t.Errorf("a = %d", got)
			}
		})
	}
}

// replica is an engine whose end is not looked at.
func replica(t *testing.T, url string) *ledger.Engine[*counters] {
	t.Helper()
	s := opened(t, url)
	e, err := ledger.Open(t.Context(), ledger.Config[*counters]{Store: s, Empty: ledgertest.NewCounters, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(e.Close(ctx), s.Close()); err != nil {
			fmt.Println("close:", err)
		}
	})
	return e
}
