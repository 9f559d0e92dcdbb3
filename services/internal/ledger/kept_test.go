package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

// keptIn lists the entries of the images kept in a folder, in order.
func keptIn(t *testing.T, dir string) []uint64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	var ns []uint64
	for _, f := range files {
		if digits, ok := strings.CutPrefix(f.Name(), "image."); ok {
			n, err := strconv.ParseUint(digits, 10, 64)
			if err != nil {
				t.Errorf("%s was left", f.Name())
			}
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}

// keeps makes a closed ledger of 40 blocks of one entry, with images of the 10th
// and the 20th kept, and returns the folder and where each block ended.
func keeps(t *testing.T) (dir string, ends []ledger.Head) {
	t.Helper()
	dir = t.TempDir()
	clock := handAt(newYear)
	e := open(t, openStore(t, filepath.Join(dir, "ledger.db")), clocked(clock), func(c *ledger.Config[*counters]) {
		c.ImagePath = filepath.Join(dir, "image")
	})
	ends = append(ends, ledger.Head{})
	for n := 1; n <= 40; n++ {
		clock.add(time.Second)
		ends = append(ends, appendBlock(t, e, 1))
		if n == 10 || n == 20 {
			must(t, e.KeepImage(t.Context()))
		}
	}
	must(t, e.Close(t.Context()))
	if d := cmp.Diff([]uint64{10, 20}, keptIn(t, dir)); d != "" {
		t.Fatal(d)
	}
	return dir, ends
}

func TestKeepImage_shortens_the_way_to_a_past_state(t *testing.T) {
	dir, ends := keeps(t)
	e, logs := reopen(t, dir)
	applied := uint64(0)
	for _, c := range []struct{ at, applied uint64 }{{9, 9}, {10, 0}, {11, 1}, {19, 9}, {20, 0}, {25, 5}, {39, 19}, {1, 1}} {
		s, h, err := e.StateAt(t.Context(), c.at)
		checkState(t, e, ends[c.at], s, h, err)
		if applied += c.applied; e.Stats().Reapplied != applied {
			t.Fatalf("at %d: %d entries applied so far, want %d", c.at, e.Stats().Reapplied, applied)
		}
	}
	if warned := logs.FilterLevelExact(zap.WarnLevel).All(); len(warned) > 0 {
		t.Errorf("warned %v", warned)
	}
}

func TestKeepImage_that_cannot_be_used_is_removed(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, image string)
		warns  string
	}{
		{"is_empty", func(t *testing.T, image string) { must(t, os.Truncate(image, 0)) }, "cut short"},
		{"is_truncated", func(t *testing.T, image string) { must(t, os.Truncate(image, 60)) }, "checksum"},
		{"has_a_flipped_bit", func(t *testing.T, image string) {
			edit(t, image, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
		}, "checksum"},
		{"is_of_another_log", func(t *testing.T, image string) {
			other := t.TempDir()
			e := open(t, openStore(t, filepath.Join(other, "ledger.db")), func(c *ledger.Config[*counters]) {
				c.ImagePath = filepath.Join(other, "image")
			})
			appendBlock(t, e, 20)
			must(t, e.KeepImage(t.Context()))
			must(t, os.Rename(filepath.Join(other, "image.20"), image))
		}, "not the one"},
		{"is_of_another_entry", func(t *testing.T, image string) {
			data, err := os.ReadFile(strings.TrimSuffix(image, ".20"))
			must(t, err)
			must(t, os.WriteFile(image, data, 0o600))
		}, "of entry 40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, ends := keeps(t)
			c.change(t, filepath.Join(dir, "image.20"))
			e, logs := reopen(t, dir)
			s, h, err := e.StateAt(t.Context(), 25)
			checkState(t, e, ends[25], s, h, err)
			if got := e.Stats().Reapplied; got != 15 {
				t.Errorf("%d entries applied, want the 15 after the image before", got)
			}
			warned := logs.FilterMessage("kept image removed").All()
			if len(warned) != 1 || !strings.Contains(warned[0].ContextMap()["error"].(string), c.warns) {
				t.Errorf("warned %v, want %q", warned, c.warns)
			}
			if d := cmp.Diff([]uint64{10}, keptIn(t, dir)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestKeepImage_of_another_fold_is_not_used(t *testing.T) {
	dir, ends := keeps(t)
	e, _ := reopen(t, dir, func(c *ledger.Config[*counters]) {
		c.Empty = func() *counters {
			s := ledgertest.NewCounters()
			s.Version = "counters/2"
			return s
		}
	})
	s, h, err := e.StateAt(t.Context(), 25)
	checkState(t, e, ends[25], s, h, err)
	if got := e.Stats().Reapplied; got != 25 {
		t.Errorf("%d entries applied, want all 25", got)
	}
	if left := keptIn(t, dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestKeepImage_each_calendar_month_has_one(t *testing.T) {
	dir := t.TempDir()
	clock := handAt(newYear)
	start := func() *ledger.Engine[*counters] {
		e, _ := reopen(t, dir, clocked(clock), func(c *ledger.Config[*counters]) { c.ImageEvery = 1 })
		return e
	}
	e := start()
	for i, c := range []struct {
		at   string
		kept []uint64
	}{
		{"2022-01-02T00:00:00Z", []uint64{1}},
		{"2022-01-31T16:59:59Z", []uint64{1}},
		{"2022-01-31T17:00:00Z", []uint64{1, 3}}, // midnight of UTC+7
		{"2022-02-01T00:00:00Z", []uint64{1, 3}},
		{"2022-02-28T00:00:00Z", []uint64{1, 3}},
		{"2022-03-28T00:00:00Z", []uint64{1, 3, 6}},
		{"2023-03-28T00:00:00Z", []uint64{1, 3, 6, 7}},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		must(t, err)
		clock.set(at)
		appendBlock(t, e, 1)
		must(t, e.Close(t.Context())) // waits for the image
		if d := cmp.Diff(c.kept, keptIn(t, dir)); d != "" {
			t.Fatalf("step %d, %s:\n%s", i, c.at, d)
		}
		e = start()
	}
	data, err := os.ReadFile(filepath.Join(dir, "image.7"))
	must(t, err)
	whole, err := os.ReadFile(filepath.Join(dir, "image"))
	must(t, err)
	if !bytes.Equal(data, whole) {
		t.Error("the kept image is not the image of its entry")
	}
}

func TestKeepImage_keeps_sixty_that_lie_apart(t *testing.T) {
	const most = 60
	dir := t.TempDir()
	e, _ := reopen(t, dir)
	for range 2 * most {
		appendBlock(t, e, 1)
		must(t, e.KeepImage(t.Context()))
	}
	ns := keptIn(t, dir)
	if len(ns) != most || ns[most-1] != 2*most {
		t.Fatalf("%d kept, the newest %d", len(ns), ns[len(ns)-1])
	}
	before := uint64(0)
	for _, n := range ns {
		if n-before > 4 {
			t.Errorf("none between %d and %d", before, n)
		}
		before = n
	}
}

func TestKeepImage_where_there_is_nothing_to_keep(t *testing.T) {
	dir := t.TempDir()
	e, _ := reopen(t, dir)
	must(t, e.KeepImage(t.Context()))
	must(t, open(t, newStore(t)).KeepImage(t.Context()))
	if ns := keptIn(t, dir); len(ns) > 0 {
		t.Errorf("kept %v of an empty log", ns)
	}
	why := errors.New("tired")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := e.KeepImage(ctx); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestKeepImage_that_fails_leaves_nothing(t *testing.T) {
	dir := t.TempDir()
	e, _ := reopen(t, dir)
	appendBlock(t, e, 1)
	must(t, os.MkdirAll(filepath.Join(dir, "image.1", "in the way"), 0o700))
	if err := e.KeepImage(t.Context()); err == nil {
		t.Error("kept in the place of a folder")
	}
	for _, name := range []string{"image.kept", "image.kept.tmp"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	appendBlock(t, e, 1)
	now := e.Head()
	appendBlock(t, e, 1)
	s, h, err := e.StateAt(t.Context(), 2) // a folder in the place of an image is no obstacle
	checkState(t, e, now, s, h, err)
}
