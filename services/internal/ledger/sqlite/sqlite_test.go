package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

// appender names a ledger to which the test binary, started again, appends.
const appender = "SQLITE_TEST_APPENDER"

func TestMain(m *testing.M) {
	if path := os.Getenv(appender); path != "" {
		if err := appendBlocks(path, 40); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// appendBlocks appends n blocks in a race with other processes.
func appendBlocks(path string, n int) error {
	ctx := context.Background()
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	for n > 0 {
		h, err := s.Head(ctx)
		if err != nil {
			return err
		}
		switch err := s.Append(ctx, ledgertest.Next(h, 1)); {
		case err == nil:
			n--
		case !errors.Is(err, ledger.ErrConflict):
			return err
		}
	}
	return s.Close()
}

func TestAppend_by_three_processes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var running []*exec.Cmd
	for range 3 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), appender+"="+path)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, c)
	}
	for _, c := range running {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	s := opened(t, path)
	defer s.Close()
	var h ledger.Head
	for b, err := range s.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Follows(h); err != nil {
			t.Fatal(err)
		}
		h = b.Head()
	}
	if h.Sequence != 120 {
		t.Errorf("%d blocks, want 120", h.Sequence)
	}
}

func TestStore(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Opener {
		path := filepath.Join(t.TempDir(), "sổ 100%?#.db")
		return func(t *testing.T) ledger.Store { return opened(t, path) }
	})
}

func opened(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filled makes a ledger of some blocks and returns its file, closed.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := opened(t, path)
	for range 20 {
		ledgertest.Fill(t, s, 1, 200, 3)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// refusedAndKept checks that opening fails, says why, and leaves the file as it is.
func refusedAndKept(t *testing.T, path string, want error) {
	t.Helper()
	before, _ := os.ReadFile(path)
	s, err := Open(t.Context(), path)
	if err == nil {
		_ = s.Close()
		t.Fatal("opened a damaged file")
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
		t.Fatalf("error %q: want %q and the path", err, want)
	}
	if errors.Is(want, ledger.ErrDamaged) && !strings.Contains(err.Error(), "backup") {
		t.Fatalf("error does not say what to do: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Fatal("the file was changed")
	}
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_refuses_a_damaged_file(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"text":       func([]byte) []byte { return []byte(strings.Repeat("not a database\n", 1000)) },
		"cut_short":  func(b []byte) []byte { return b[:len(b)/2] },
		"no_header":  func(b []byte) []byte { clear(b[:100]); return b },
		"zero_tail":  func(b []byte) []byte { clear(b[8192:]); return b },
		"first_page": func(b []byte) []byte { clear(b[100:4096]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			change(t, path, damage)
			refusedAndKept(t, path, ledger.ErrDamaged)
		})
	}
}

func TestOpen_refuses_a_log_whose_file_is_gone(t *testing.T) {
	path := filled(t)
	if err := os.WriteFile(path+"-wal", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refusedAndKept(t, path, ledger.ErrDamaged)
}

func TestOpen_refuses_tables_of_a_newer_release(t *testing.T) {
	path := filled(t)
	execute(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	refusedAndKept(t, path, ledger.ErrLevel)
}

func execute(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
}

func TestBlocks_tell_of_a_flipped_bit_and_of_a_missing_block(t *testing.T) {
	for name, statement := range map[string]string{
		"flipped": `UPDATE block SET body = substr(body, 1, 60) ||
			CASE substr(body, 61, 1) WHEN x'ff' THEN x'00' ELSE x'ff' END || substr(body, 62) WHERE first = 409`,
		"missing":  `DELETE FROM block WHERE first = 409`,
		"exchange": `UPDATE block SET body = (SELECT body FROM block WHERE first = 205) WHERE first = 409`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			execute(t, path, statement)
			s := opened(t, path)
			defer s.Close()
			var last uint64
			var err error
			for b, e := range s.Blocks(t.Context(), 0) {
				if err = e; e == nil {
					last = b.End()
				}
			}
			if !errors.Is(err, ledger.ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want ErrDamaged and the path", err)
			}
			if last != 408 {
				t.Errorf("read up to %d before the damage at 409", last)
			}
		})
	}
}

func TestAppend_full_disk(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "ledger.db"))
	defer s.Close()
	bs := ledgertest.Fill(t, s, 1)
	if _, err := s.write.Exec("PRAGMA max_page_count = 1"); err != nil { // no page more than there are
		t.Fatal(err)
	}
	b := ledgertest.Next(bs[0].Head(), 5000)
	if err := s.Append(t.Context(), b); !errors.Is(err, ledger.ErrFull) {
		t.Fatalf("%v, want ErrFull", err)
	}
	if h, err := s.Head(t.Context()); err != nil || h != bs[0].Head() {
		t.Fatalf("head %+v, %v", h, err)
	}
	if err := s.Room(t.Context()); !errors.Is(err, ledger.ErrFull) {
		t.Fatalf("asked for room: %v, want ErrFull", err)
	}
	if _, err := s.write.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Room(t.Context()); err != nil {
		t.Fatalf("asked for room: %v", err)
	}
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatalf("after there was room again: %v", err)
	}
}

func TestOpen_is_durable_by_its_settings(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "ledger.db"))
	defer s.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000"} {
		var got string
		if err := s.write.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := s.read.Exec("DELETE FROM block"); err == nil {
		t.Error("a reading connection may write")
	}
}

func TestOpen_by_several_at_once_makes_one_ledger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	type result struct {
		s   *Store
		err error
	}
	results := make(chan result)
	for range 4 {
		go func() {
			s, err := Open(context.Background(), path)
			results <- result{s, err}
		}()
	}
	var bs []*ledger.Block
	for range 4 {
		r := <-results
		if r.err != nil {
			t.Fatal(r.err)
		}
		defer r.s.Close()
		bs = append(bs, ledgertest.Fill(t, r.s, 1)...)
	}
	if bs[3].First != 4 {
		t.Errorf("the fourth writer wrote block %d", bs[3].First)
	}
	left, err := filepath.Glob(path + ".new*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
