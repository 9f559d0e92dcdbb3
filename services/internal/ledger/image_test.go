package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

// imaged makes a ledger of 20 entries with an image of the 15th, and returns the folder.
func imaged(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	store := openStore(t, filepath.Join(dir, "ledger.db"))
	image := func(c *ledger.Config[*counters]) {
		c.ImagePath, c.ImageEvery = filepath.Join(dir, "image"), 100
	}
	for _, n := range []int{15, 5} {
		e := open(t, store, image)
		for range n {
			mustDo(t, e, add("a", 1))
		}
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		image = func(*ledger.Config[*counters]) {}
	}
	return dir
}

func TestOpen_image(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir, image string)
		from   uint64
		warns  string
	}{
		{"is_used", func(*testing.T, string, string) {}, 15, ""},
		{"is_missing", func(t *testing.T, _, image string) { must(t, os.Remove(image)) }, 0, ""},
		{"is_empty", func(t *testing.T, _, image string) { must(t, os.Truncate(image, 0)) }, 0, "cut short"},
		{"is_truncated", func(t *testing.T, _, image string) { must(t, os.Truncate(image, 60)) }, 0, "checksum"},
		{"has_a_flipped_bit", func(t *testing.T, _, image string) {
			edit(t, image, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
		}, 0, "checksum"},
		{"is_of_another_log", func(t *testing.T, dir, image string) {
			must(t, os.Rename(filepath.Join(imaged(t), "image"), image))
		}, 0, "not the one"},
		{"is_ahead_of_the_log", func(t *testing.T, dir, _ string) {
			must(t, os.Remove(filepath.Join(dir, "ledger.db")))
			_ = os.Remove(filepath.Join(dir, "ledger.db-wal"))
			mustDo(t, open(t, openStore(t, filepath.Join(dir, "ledger.db"))), add("a", 20))
		}, 0, "not the one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := imaged(t)
			image := filepath.Join(dir, "image")
			c.change(t, dir, image)
			e, logs := reopen(t, dir)
			if d := cmp.Diff(map[string]int64{"a": 20}, replayed(t, e)); d != "" {
				t.Error(d)
			}
			if got := e.Stats().Imaged; got != c.from {
				t.Errorf("began at %d, want %d", got, c.from)
			}
			if warned := logs.FilterLevelExact(zap.WarnLevel).All(); c.warns == "" && len(warned) > 0 ||
				c.warns != "" && (len(warned) != 1 || !strings.Contains(warned[0].ContextMap()["error"].(string), c.warns)) {
				t.Errorf("warned %v, want %q", warned, c.warns)
			}
			mustDo(t, e, add("a", 1))
		})
	}
}

func reopen(t *testing.T, dir string, changes ...func(*ledger.Config[*counters])) (*ledger.Engine[*counters], *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	changes = append([]func(*ledger.Config[*counters]){func(c *ledger.Config[*counters]) {
		c.ImagePath, c.ImageEvery, c.Log = filepath.Join(dir, "image"), 100, zap.New(core)
	}}, changes...)
	return open(t, openStore(t, filepath.Join(dir, "ledger.db")), changes...), logs
}

func TestOpen_image_of_another_fold_is_rebuilt(t *testing.T) {
	dir := imaged(t)
	e, _ := reopen(t, dir, func(c *ledger.Config[*counters]) {
		c.Empty = func() *counters {
			s := ledgertest.NewCounters()
			s.Version = "counters/2"
			return s
		}
	})
	if e.Stats().Imaged != 0 {
		t.Error("used an image of another fold")
	}
	must(t, e.Close(t.Context()))
	if data, err := os.ReadFile(filepath.Join(dir, "image")); err != nil || !bytes.Contains(data, []byte("counters/2")) {
		t.Errorf("no image of the new fold after Close: %v", err)
	}
}

func TestImage_is_written_while_commands_come(t *testing.T) {
	dir := t.TempDir()
	e, _ := reopen(t, dir, func(c *ledger.Config[*counters]) { c.ImageEvery = 10 })
	for e.Stats().Imaged < 50 {
		mustDo(t, e, add("a", 1))
	}
	replayed(t, e)
	must(t, e.Close(t.Context()))
	again, _ := reopen(t, dir)
	if h := e.Head().Sequence; again.Stats().Imaged != h {
		t.Errorf("began at %d, closed at %d", again.Stats().Imaged, h)
	}
	if d := cmp.Diff(values(t, e, 0), values(t, again, 0)); d != "" {
		t.Error(d)
	}
}

func TestImage_that_fails_leaves_nothing(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	must(t, os.MkdirAll(filepath.Join(image, "in the way"), 0o700))
	e, logs := reopen(t, dir)
	mustDo(t, e, add("a", 1))
	must(t, e.Close(t.Context()))
	if logs.FilterMessage("write image").Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
	if _, err := os.Stat(image + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an image is left: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, f(data), 0o600))
}
