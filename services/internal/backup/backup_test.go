package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/backup"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
)

// grow appends blocks of one to four entries, some with an annex.
func grow(t *testing.T, s ledger.Store, blocks int, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range blocks {
		h, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b := &ledger.Block{Level: ledger.Level, Epoch: 1, First: h.Sequence + 1, Prev: h.Hash, Writer: rnd.Uint64(),
			Time: time.UnixMicro(1_660_000_000_000_000 + int64(h.Sequence)*1000).UTC()}
		for i := range 1 + rnd.IntN(4) {
			e := ledger.Entry{Event: fmt.Appendf(nil, "event %d of %d", b.First+uint64(i), seed)}
			if rnd.IntN(3) == 0 {
				e.Annex = []byte("a note")
			}
			b.Entries = append(b.Entries, e)
		}
		b.Seal()
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func blocks(t *testing.T, s ledger.Store) []*ledger.Block {
	t.Helper()
	var all []*ledger.Block
	for b, err := range s.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func head(t *testing.T, s ledger.Store) ledger.Head {
	t.Helper()
	h, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// written is a backup of a store.
func written(t *testing.T, s ledger.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	got, err := backup.Write(t.Context(), s, &b, nil)
	if err != nil || got != head(t, s) {
		t.Fatalf("%+v, %v", got, err)
	}
	return b.Bytes()
}

func TestRestoreGivesTheLedgerBack(t *testing.T) {
	from, to := open(t), open(t)
	grow(t, from, 300, 7)
	path := filepath.Join(t.TempDir(), "b")
	var told []uint64
	h, err := backup.Create(t.Context(), from, path, func(done, total uint64) {
		if total != head(t, from).Sequence {
			t.Errorf("%d of %d", done, total)
		}
		told = append(told, done)
	})
	if err != nil || h != head(t, from) || len(told) != 300 || told[299] != h.Sequence {
		t.Fatalf("%+v, %v, told %d times", h, err, len(told))
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if got, err := backup.Restore(t.Context(), f, to, nil); err != nil || got != h {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff(blocks(t, from), blocks(t, to)); diff != "" {
		t.Error(diff)
	}
	if left, _ := filepath.Glob(path + ".*"); left != nil {
		t.Errorf("left over: %v", left)
	}
	if _, err := backup.Create(t.Context(), from, path, nil); err == nil {
		t.Error("a backup was written over")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), f, to, nil); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("into a ledger with entries: %v", err)
	}
}

func TestWriteOfNothingIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	if _, err := backup.Create(t.Context(), open(t), path, nil); !errors.Is(err, backup.ErrEmpty) {
		t.Errorf("%v", err)
	}
	if all, _ := filepath.Glob(path + "*"); all != nil {
		t.Errorf("left over: %v", all)
	}
}

// TestVerifyFindsAnyChangedByte changes each byte of a backup, one after the other.
func TestVerifyFindsAnyChangedByte(t *testing.T) {
	s := &ledgertest.Memory{}
	grow(t, s, 12, 3)
	good := written(t, s)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if _, err := backup.Verify(t.Context(), bytes.NewReader(bad), nil); !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrLevel) {
			t.Fatalf("byte %d of %d: %v", i, len(good), err)
		}
		to := &ledgertest.Memory{}
		if _, err := backup.Restore(t.Context(), bytes.NewReader(bad), to, nil); err == nil || head(t, to).Sequence > 0 {
			t.Fatalf("byte %d: restored up to %d, %v", i, head(t, to).Sequence, err)
		}
	}
	t.Logf("%d bytes", len(good))
}

func TestVerifyFindsAnyCut(t *testing.T) {
	s := &ledgertest.Memory{}
	grow(t, s, 12, 3)
	good := written(t, s)
	for i := range good {
		if _, err := backup.Verify(t.Context(), bytes.NewReader(good[:i]), nil); !errors.Is(err, ledger.ErrDamaged) {
			t.Fatalf("the first %d of %d bytes: %v", i, len(good), err)
		}
	}
	if _, err := backup.Verify(t.Context(), bytes.NewReader(append(bytes.Clone(good), 'B')), nil); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
}

// edited is a backup of blocks that were changed before, so that each record holds in
// itself.
func edited(t *testing.T, all []*ledger.Block, change func([]*ledger.Block) []*ledger.Block) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := backup.WriteUnchecked(&b, change(all)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestVerifyNamesWhatDoesNotHold(t *testing.T) {
	s, other := &ledgertest.Memory{}, &ledgertest.Memory{}
	grow(t, s, 12, 3)
	grow(t, other, 12, 4)
	foreign := blocks(t, other)
	at := fmt.Sprintf("after entry %d:", blocks(t, s)[4].End())
	for name, c := range map[string]struct {
		change func([]*ledger.Block) []*ledger.Block
		want   string
	}{
		"an event edited": {func(a []*ledger.Block) []*ledger.Block { a[5].Entries[0].Event = []byte("another"); return a }, at},
		"an annex edited": {func(a []*ledger.Block) []*ledger.Block { a[5].Entries[0].Annex = []byte("another"); return a }, at},
		"a block left out": {func(a []*ledger.Block) []*ledger.Block {
			return append(a[:5:5], a[6:]...)
		}, at},
		"a block twice": {func(a []*ledger.Block) []*ledger.Block {
			return append(a[:5:5], a[4:]...)
		}, at},
		"two blocks swapped": {func(a []*ledger.Block) []*ledger.Block { a[5], a[6] = a[6], a[5]; return a }, at},
		"a block of another ledger": {func(a []*ledger.Block) []*ledger.Block {
			a[5] = foreign[5]
			return a
		}, at},
		"an event edited and its block sealed again": {func(a []*ledger.Block) []*ledger.Block {
			a[4].Entries[0].Event = []byte("another")
			a[4].Seal()
			return a
		}, at},
		"an earlier time":       {func(a []*ledger.Block) []*ledger.Block { a[5].Time = a[3].Time; return a }, at},
		"an earlier epoch":      {func(a []*ledger.Block) []*ledger.Block { a[4].Epoch = 2; return a }, at},
		"a level of the future": {func(a []*ledger.Block) []*ledger.Block { a[5].Level = 1000; return a }, at},
	} {
		_, err := backup.Verify(t.Context(), bytes.NewReader(edited(t, blocks(t, s), c.change)), nil)
		if !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrLevel) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %s", name, err, c.want)
		}
	}
	whole := edited(t, blocks(t, s), func(a []*ledger.Block) []*ledger.Block { return a })
	if !bytes.Equal(whole, written(t, s)) {
		t.Error("the unchanged blocks make another file")
	}
}

func TestVerifyRefusesOtherFiles(t *testing.T) {
	for _, text := range []string{"", "COTMOCBK", "SQLite format 3\x00", "COTMOCBK\x02 of a later release", "COTMOCBK\x01"} {
		if _, err := backup.Verify(t.Context(), strings.NewReader(text), nil); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestExtendAddsWhatIsNew(t *testing.T) {
	from := open(t)
	path := filepath.Join(t.TempDir(), "b")
	grow(t, from, 20, 1)
	if _, err := backup.Create(t.Context(), from, path, nil); err != nil {
		t.Fatal(err)
	}
	before := head(t, from)
	for round := range uint64(3) {
		grow(t, from, 10, 10+round)
		was, is, err := backup.Extend(t.Context(), from, path, nil)
		if err != nil || was != before || is != head(t, from) {
			t.Fatalf("from %+v to %+v, %v", was, is, err)
		}
		before = is
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := backup.Extend(t.Context(), from, path, nil); err != nil {
		t.Error(err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(data, again) {
		t.Errorf("nothing was new, and the file changed: %v", err)
	}
	to := &ledgertest.Memory{}
	if _, err := backup.Restore(t.Context(), bytes.NewReader(data), to, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(blocks(t, from), blocks(t, to)); diff != "" {
		t.Error(diff)
	}
	// An extension that was interrupted: its piece is damage to Verify, and the next one
	// takes its place.
	grow(t, from, 5, 99)
	for _, cut := range []int{1, 30, len(data) / 8} {
		broken := append(bytes.Clone(data), data[9:9+cut]...)
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := backup.Extend(t.Context(), from, path, nil)
		if cut > 30 { // whole records that do not belong there are not an interruption
			if !errors.Is(err, ledger.ErrDamaged) {
				t.Errorf("other records after the end: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := backup.Verify(t.Context(), bytes.NewReader(f), nil); err != nil || h != head(t, from) {
			t.Errorf("%+v, %v", h, err)
		}
	}
}

func TestRestoreOfWhatWasThereBeforeAnExtensionWasInterrupted(t *testing.T) {
	from := open(t)
	grow(t, from, 20, 1)
	before, data := head(t, from), written(t, from)
	path := filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	grow(t, from, 5, 2)
	if _, _, err := backup.Extend(t.Context(), from, path, nil); err != nil {
		t.Fatal(err)
	}
	extended, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(data) + 1; cut <= len(extended); cut++ {
		r := bytes.NewReader(extended[:cut])
		n, err := backup.Whole(t.Context(), r)
		want, at := int64(len(data)), before
		if cut == len(extended) {
			want, at = int64(len(extended)), head(t, from)
		}
		if err != nil || n != want {
			t.Fatalf("cut at %d of %d: %d bytes, %v", cut, len(extended), n, err)
		}
		if cut%10 > 0 && cut < len(extended) {
			continue
		}
		to := &ledgertest.Memory{}
		if h, err := backup.Restore(t.Context(), io.NewSectionReader(r, 0, n), to, nil); err != nil || h != at {
			t.Fatalf("cut at %d: %+v, %v", cut, h, err)
		}
	}
	for name, bad := range map[string][]byte{"before any end": data[:len(data)-1], "otherwise damaged": append(bytes.Clone(data), data[:200]...)} {
		if n, err := backup.Whole(t.Context(), bytes.NewReader(bad)); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func TestExtendRefusesAnotherLedger(t *testing.T) {
	from, other, behind := &ledgertest.Memory{}, &ledgertest.Memory{}, &ledgertest.Memory{}
	grow(t, from, 20, 1)
	grow(t, other, 40, 2)
	grow(t, behind, 10, 1)
	path := filepath.Join(t.TempDir(), "b")
	if _, err := backup.Create(t.Context(), from, path, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]ledger.Store{"another": other, "restored from an older backup": behind} {
		if _, _, err := backup.Extend(t.Context(), s, path, nil); !errors.Is(err, backup.ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(data, again) {
			t.Errorf("%s: the file changed, %v", name, err)
		}
	}
}

// TestWriteUnderLoad backs up while an engine appends, again and again: each backup is
// the log up to its head.
func TestWriteUnderLoad(t *testing.T) {
	s := open(t)
	e, err := ledger.Open(t.Context(), ledger.Config[*ledgertest.Counters]{Store: s, Empty: ledgertest.NewCounters})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := e.Do(context.Background(), func(c *ledgertest.Counters) error { c.Add(fmt.Sprint("c", i), 1); return nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var heads []ledger.Head
	for len(heads) < 20 {
		time.Sleep(10 * time.Millisecond)
		var b bytes.Buffer
		h, err := backup.Write(t.Context(), s, &b, nil)
		if err != nil {
			t.Fatal(err)
		}
		to := &ledgertest.Memory{}
		if got, err := backup.Restore(t.Context(), bytes.NewReader(b.Bytes()), to, nil); err != nil || got != h {
			t.Fatalf("%+v, %v, not %+v", got, err, h)
		}
		state, at, err := e.Replay(t.Context(), h.Sequence)
		if err != nil || at.Hash != h.Hash {
			t.Fatalf("%+v, %v, not %+v", at, err, h)
		}
		r, err := ledger.Open(t.Context(), ledger.Config[*ledgertest.Counters]{Store: to, Empty: ledgertest.NewCounters})
		if err != nil {
			t.Fatal(err)
		}
		err = r.View(t.Context(), 0, func(c *ledgertest.Counters) error {
			if diff := cmp.Diff(state.Values(), c.Values()); diff != "" {
				t.Error(diff)
			}
			return nil
		})
		if err := errors.Join(err, r.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	close(stop)
	wg.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if heads[0].Sequence == heads[19].Sequence {
		t.Error("nobody wrote meanwhile")
	}
	t.Logf("backups from entry %d to %d", heads[0].Sequence, heads[19].Sequence)
}
