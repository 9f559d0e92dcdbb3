package backup_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cotmoc/cotmoc/services/internal/backup"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

// FuzzBackup: of what does not verify nothing is restored, and what is restored is
// written as the same backup again. The first byte says what is done with the rest:
// taken as a file, or as an event in a file whose records all hold.
func FuzzBackup(f *testing.F) {
	var small bytes.Buffer
	if err := backup.WriteUnchecked(&small, []*ledger.Block{sealed([]byte("an event"), nil, ledger.Head{}, 0)}); err != nil {
		f.Fatal(err)
	}
	f.Add(byte(0), small.Bytes())
	f.Add(byte(0), []byte("COTMOCBK\x01"))
	f.Add(byte(1), []byte("an event of its own"))
	f.Add(byte(2), []byte("the chain does not hold"))
	f.Fuzz(func(t *testing.T, how byte, raw []byte) {
		if how%3 > 0 {
			raw = twoBlocks(t, raw, how)
		}
		verified, bad := backup.Verify(t.Context(), bytes.NewReader(raw), nil)
		to := &ledgertest.Memory{}
		restored, err := backup.Restore(t.Context(), bytes.NewReader(raw), to, nil)
		if (bad == nil) != (err == nil) {
			t.Fatalf("verify: %v, restore: %v", bad, err)
		}
		now, headErr := to.Head(t.Context())
		if headErr != nil {
			t.Fatal(headErr)
		}
		if bad != nil {
			if !errors.Is(bad, ledger.ErrDamaged) && !errors.Is(bad, ledger.ErrLevel) {
				t.Errorf("not said to be damaged: %v", bad)
			}
			if now.Sequence != 0 {
				t.Errorf("what does not hold is restored up to entry %d", now.Sequence)
			}
			return
		}
		if diff := cmp.Diff(verified, restored); diff != "" || now != verified {
			t.Errorf("the ledger ends in %+v\n%s", now, diff)
		}
		var again bytes.Buffer
		if _, err := backup.Write(context.Background(), to, &again, nil); err != nil || !bytes.Equal(again.Bytes(), raw) {
			t.Errorf("%d bytes are written as %d, %v", len(raw), again.Len(), err)
		}
	})
}

// sealed is a block of one entry after a head.
func sealed(text, annex []byte, after ledger.Head, writer uint64) *ledger.Block {
	b := &ledger.Block{Level: ledger.Level, Epoch: 1, First: after.Sequence + 1, Prev: after.Hash, Writer: writer,
		Time:    time.UnixMicro(1_660_000_000_000_000 + int64(writer)).UTC(),
		Entries: []ledger.Entry{{Event: text, Annex: annex}}}
	b.Seal()
	return b
}

// twoBlocks is a backup of which every record holds in itself; the second block follows
// the first one unless how says otherwise.
func twoBlocks(t *testing.T, text []byte, how byte) []byte {
	first := sealed(text, nil, ledger.Head{}, 0)
	after := ledger.Head{Sequence: 1, Hash: first.Last}
	if how%3 == 2 {
		after.Hash[int(how)%len(after.Hash)] ^= how
	}
	var file bytes.Buffer
	if err := backup.WriteUnchecked(&file, []*ledger.Block{first, sealed([]byte("next"), text, after, uint64(how))}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
