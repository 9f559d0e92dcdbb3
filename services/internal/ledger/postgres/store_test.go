package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

func TestStatements_can_be_prepared(t *testing.T) {
	c := connected(t, pgtest.Fresh(t).App)
	for i, sql := range postgres.Statements() {
		if _, err := c.Prepare(t.Context(), fmt.Sprint("s", i), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestBlocks_tell_of_damage(t *testing.T) {
	for name, statement := range map[string]string{
		"flipped":  `UPDATE block SET body = set_byte(body, 61, get_byte(body, 61) # 1) WHERE first = 409`,
		"cut":      `UPDATE block SET body = substr(body, 1, 60) WHERE first = 409`,
		"empty":    `UPDATE block SET body = '' WHERE first = 409`,
		"missing":  `DELETE FROM block WHERE first = 409`,
		"exchange": `UPDATE block SET body = (SELECT body FROM block WHERE first = 205) WHERE first = 409`,
	} {
		t.Run(name, func(t *testing.T) {
			d := pgtest.Fresh(t)
			s := opened(t, d.App)
			defer s.Close()
			for range 4 {
				ledgertest.Fill(t, s, 1, 200, 3)
			}
			admin := connected(t, super(t, pgtest.Server(t), d.App))
			if code := executed(t, admin, statement); code != "" {
				t.Fatal(code)
			}
			var last uint64
			var err error
			for b, e := range s.Blocks(t.Context(), 0) {
				if err = e; e == nil {
					last = b.End()
				}
			}
			if !errors.Is(err, ledger.ErrDamaged) || !strings.Contains(err.Error(), "backup") || !strings.Contains(err.Error(), admin.Config().Database) {
				t.Errorf("%v, want ErrDamaged, the database and what to do", err)
			}
			if last != 408 {
				t.Errorf("read up to %d before the damage at 409", last)
			}
		})
	}
}

func TestOpen_refuses_a_log_whose_ends_are_damaged(t *testing.T) {
	for _, statement := range []string{
		`UPDATE block SET body = substr(body, 1, 20) WHERE first = 1`,
		`UPDATE block SET body = substr(body, 1, 20) WHERE first = (SELECT MAX(first) FROM block)`,
		`UPDATE block SET hash = substr(hash, 2) WHERE first = (SELECT MAX(first) FROM block)`,
	} {
		d := pgtest.Fresh(t)
		s := opened(t, d.App)
		ledgertest.Fill(t, s, 3, 3, 3)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if code := executed(t, connected(t, super(t, pgtest.Server(t), d.App)), statement); code != "" {
			t.Fatal(code)
		}
		refused(t, postgres.Config{URL: d.App}, ledger.ErrDamaged, "backup")
	}
}

func TestBlocks_reads_no_more_than_it_must_hold(t *testing.T) {
	s := opened(t, pgtest.Fresh(t).App)
	defer s.Close()
	h := ledger.Head{}
	for range 12 {
		b := ledgertest.Next(h, 1)
		b.Entries[0].Event = make([]byte, 300_000) // does not compress
		for i := range b.Entries[0].Event {
			b.Entries[0].Event[i] = byte(rand.Uint32())
		}
		b.Seal()
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		h = b.Head()
	}
	blocks, bytes, err := postgres.PageSize(t.Context(), s, 3, h.Sequence)
	if err != nil || blocks != 4 {
		t.Errorf("%d blocks of %d bytes in a page, %v, want the 4 that make a MiB", blocks, bytes, err)
	}
}

// A page of the table that does not hold its checksum is damage, too.
func TestBlocks_tell_of_a_damaged_page(t *testing.T) {
	s := own(t, pgd.Config{})
	d := database(t, s, "registry")
	st := opened(t, d.App)
	ledgertest.Fill(t, st, 20, 20, 20)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	admin := connected(t, s.Superuser("registry"))
	var file string
	if err := admin.QueryRow(t.Context(), "SELECT pg_relation_filepath('block')").Scan(&file); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	path := s.Dir() + "/data/" + file
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[8000] ^= 0xff
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, postgres.Config{URL: d.App}, ledger.ErrDamaged, "backup")
}

func TestAppend_waits_for_a_racing_writer_and_then_conflicts(t *testing.T) {
	d := pgtest.Fresh(t)
	s := opened(t, d.App)
	defer s.Close()
	bs := ledgertest.Fill(t, s, 2)
	tx, err := connected(t, d.App).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO block VALUES (3, 3, 0, 1, 1, '', '')"); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	b := ledgertest.Next(bs[0].Head(), 1)
	go func() { got <- s.Append(context.WithoutCancel(t.Context()), b) }()
	select {
	case err := <-got:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}

func TestTurn(t *testing.T) {
	d := pgtest.Fresh(t)
	var stores [3]*postgres.Store
	for i := range stores {
		stores[i] = opened(t, d.App)
		defer stores[i].Close()
	}
	t.Run("one_at_a_time", func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, s := range stores {
			wg.Go(func() {
				for range 50 {
					release, err := s.Turn(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if !mu.TryLock() {
						t.Error("two have the turn")
						release()
						return
					}
					time.Sleep(100 * time.Microsecond)
					mu.Unlock()
					release()
				}
			})
		}
		wg.Wait()
	})
	t.Run("waits_no_longer_than_it_says", func(t *testing.T) {
		release, err := stores[0].Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := stores[1].Turn(t.Context()); err == nil {
			t.Error("two have the turn")
		}
		if d := time.Since(began); d >= 2*time.Second { // then the holder is cut off
			t.Errorf("waited %v", d)
		}
		release()
		release, err = stores[1].Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	})
	t.Run("a_frozen_holder_is_cut_off", func(t *testing.T) {
		frozen, err := stores[0].Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for {
			release, err := stores[1].Turn(t.Context())
			if err == nil {
				release()
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatal("still has the turn after a minute")
			}
		}
		t.Logf("the turn was free after %v", time.Since(began))
		frozen() // it wakes up, and finds that its turn is over
		release, err := stores[0].Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	})
}

func TestNow_is_the_databases_and_goes_on(t *testing.T) {
	s := opened(t, pgtest.Fresh(t).App)
	defer s.Close()
	last, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	n, before := 0, began.Add(-time.Second) // before the last time was asked for
	for ; time.Since(began) < 1200*time.Millisecond; n++ {
		asked := time.Now()
		now, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := now.Sub(last); d < -time.Millisecond || d > time.Since(before)+time.Second {
			t.Fatalf("the time went on by %v in %v", d, time.Since(before))
		}
		last, before = now, asked
	}
	t.Logf("asked %d times", n)
	if n < 10_000 {
		t.Errorf("only %d calls in 1.2 s: each asks the database", n)
	}
}
