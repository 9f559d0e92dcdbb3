package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// small mounts a file system of a few MB for a test, if this process may.
func small(t *testing.T, dir string, bytes int) bool {
	t.Helper()
	var owner syscall.Stat_t
	if err := syscall.Stat(filepath.Dir(dir), &owner); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,uid=%d,gid=%d", bytes, owner.Uid, owner.Gid)); err != nil {
		return false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return true
}

func TestAppend_full_disk(t *testing.T) {
	s := own(t, pgd.Config{})
	d := database(t, s, "registry")
	dir := s.Dir() + "/small"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if !small(t, dir, 4<<20) {
		fmt.Fprintln(os.Stderr, "NOT RUN: TestAppend_full_disk of PostgreSQL needs to mount a small file system, which only root may")
		return
	}
	defer s.Kill() // it cannot stop in good order without its files
	admin := connected(t, s.Superuser("registry"))
	for _, statement := range []string{"CREATE TABLESPACE small LOCATION '" + dir + "'", "ALTER TABLE block SET TABLESPACE small"} {
		if code := executed(t, admin, statement); code != "" {
			t.Fatalf("%s: %s", statement, code)
		}
	}
	st := opened(t, d.App)
	defer st.Close()
	h, full := ledger.Head{}, 0
	for range 200 {
		b := ledgertest.Next(h, 2000)
		err := st.Append(t.Context(), b)
		if err == nil {
			h = b.Head()
			continue
		}
		if full++; !errors.Is(err, ledger.ErrFull) {
			t.Fatalf("%v, want ErrFull", err)
		}
		if got, err := st.Head(t.Context()); err != nil || got != h {
			t.Fatalf("head %+v, %v, want %+v", got, err, h)
		}
		if full == 5 {
			break
		}
	}
	if full != 5 || h.Sequence == 0 {
		t.Fatalf("full %d times after entry %d", full, h.Sequence)
	}
	if err := st.Room(t.Context()); !errors.Is(err, ledger.ErrFull) {
		t.Fatalf("asked for room: %v, want ErrFull", err)
	}
	t.Logf("full after %d entries", h.Sequence)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if err := st.Room(t.Context()); err != nil {
		t.Fatalf("asked for room: %v", err)
	}
	ledgertest.Fill(t, st, 2000, 1)
}
