package ledger_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
)

func encoded(t testing.TB, b *ledger.Block) []byte {
	t.Helper()
	data, err := ledger.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCodec_round_trip(t *testing.T) {
	for _, n := range []int{1, 2, 3, 100, 5000} {
		want := ledgertest.Next(ledger.Head{Sequence: 1 << 40, Hash: ledger.Hash{9}}, n)
		want.Epoch, want.Time = 7, time.UnixMicro(-rand.Int64N(1<<50)).UTC()
		got, err := ledger.Decode(encoded(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%d entries came back otherwise", n)
		}
	}
}

// A log is read for ever: the bytes of a block may not come to mean another thing.
func TestCodec_golden(t *testing.T) {
	b := &ledger.Block{
		Level: 1, Epoch: 2, First: 300, Time: time.UnixMicro(1642464000123456).UTC(), Writer: 0x0102030405060708,
		Entries: []ledger.Entry{{Event: []byte("a")}, {Event: []byte("bc"), Annex: []byte("x")}, {Event: []byte{}, Annex: []byte{}}},
	}
	b.Seal()
	const want = "01000102ac02" + "8089c5b4fef3ea05" + "030a" + "0102030405060708"
	data := encoded(t, b)
	if got := hex.EncodeToString(data[:24]); got != want {
		t.Errorf("header\n%s, want\n%s", got, want)
	}
	if got := hex.EncodeToString(data[24+64 : len(data)-4]); got != "016100"+"0262630278"+"0001" {
		t.Errorf("entries %s", got)
	}
}

func TestLink_is_the_documented_hash(t *testing.T) {
	prev := sha256.Sum256([]byte("before"))
	annex := sha256.Sum256([]byte("annex"))
	by := func(digest []byte) ledger.Hash {
		b := append(prev[:len(prev):len(prev)], 0, 0, 0, 0, 0, 0, 1, 44)
		return sha256.Sum256(append(append(b, "event"...), digest...))
	}
	if ledger.Link(prev, 300, ledger.Entry{Event: []byte("event")}) != by(make([]byte, 32)) {
		t.Error("without an annex")
	}
	if ledger.Link(prev, 300, ledger.Entry{Event: []byte("event"), Annex: []byte("annex")}) != by(annex[:]) {
		t.Error("with an annex")
	}
}

func TestDecode_names_what_it_cannot_read(t *testing.T) {
	data := encoded(t, ledgertest.Next(ledger.Head{}, 40))
	for i := range data {
		bad := append([]byte(nil), data...)
		bad[i] ^= 0x10
		_, err := ledger.Decode(bad)
		if !errors.Is(err, ledger.ErrDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := ledger.Decode(data[:i]); !errors.Is(err, ledger.ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	newer := append([]byte{2}, data[1:len(data)-4]...)
	newer = binary.BigEndian.AppendUint32(newer, crc32.Checksum(newer, crc32.MakeTable(crc32.Castagnoli)))
	if _, err := ledger.Decode(newer); !errors.Is(err, ledger.ErrLevel) {
		t.Fatalf("a later format: %v", err)
	}
}

func TestFollows_names_what_does_not_hold(t *testing.T) {
	before := ledgertest.Next(ledger.Head{}, 3).Head()
	for name, change := range map[string]func(*ledger.Block){
		"event":    func(b *ledger.Block) { b.Entries[1].Event = []byte("other") },
		"annex":    func(b *ledger.Block) { b.Entries[0].Annex = []byte("other") },
		"order":    func(b *ledger.Block) { b.Entries[0], b.Entries[1] = b.Entries[1], b.Entries[0] },
		"missing":  func(b *ledger.Block) { b.Entries = b.Entries[:2] },
		"number":   func(b *ledger.Block) { b.First++; b.Seal() },
		"previous": func(b *ledger.Block) { b.Prev[0]++; b.Seal() },
		"time":     func(b *ledger.Block) { b.Time = before.Time.Add(-1) },
		"epoch":    func(b *ledger.Block) { b.Epoch = 0 },
		"empty":    func(b *ledger.Block) { b.Entries = nil; b.Seal() },
	} {
		b := ledgertest.Next(before, 3)
		if err := b.Follows(before); err != nil {
			t.Fatal(err)
		}
		if change(b); !errors.Is(b.Follows(before), ledger.ErrDamaged) {
			t.Errorf("%s: %v", name, b.Follows(before))
		}
	}
	b := ledgertest.Next(before, 3)
	b.Level = ledger.Level + 1
	if err := b.Follows(before); !errors.Is(err, ledger.ErrLevel) {
		t.Errorf("level: %v", err)
	}
}

// FuzzDecode gives its input a right checksum as well, so as to get behind it.
func FuzzDecode(f *testing.F) {
	for _, n := range []int{1, 3, 300} {
		f.Add(encoded(f, ledgertest.Next(ledger.Head{}, n)))
	}
	f.Add([]byte{})
	table := crc32.MakeTable(crc32.Castagnoli)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = ledger.Decode(data)
		if len(data) < 4 {
			return
		}
		sound := binary.BigEndian.AppendUint32(append([]byte(nil), data[:len(data)-4]...), crc32.Checksum(data[:len(data)-4], table))
		b, err := ledger.Decode(sound)
		if err != nil {
			if !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrLevel) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again, err := ledger.Decode(encoded(t, b))
		if err != nil || !reflect.DeepEqual(again, b) {
			t.Fatalf("what was read does not come back: %v", err)
		}
	})
}
