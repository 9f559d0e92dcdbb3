package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/s2"
)

// MaxBytes bounds what the entries of one block may take before compression.
const MaxBytes = 64 << 20

// ErrTooLarge says that the entries of one block take more than MaxBytes.
var ErrTooLarge = errors.New("ledger: block too large")

// A stored block is
//
//	format (1) | flags (1) | level, epoch, first, time, count, length as varints |
//	writer (8) | prev (32) | last (32) | entries | CRC-32C of all before (4)
//
// where length is that of the entries before compression, and an entry is
// its event's length and bytes, then its annex's length + 1 and bytes, or 0. Later
// formats keep the first byte and the checksum where they are.
const (
	formatV1   = 1
	flagS2     = 1
	crcSize    = 4
	fixedSize  = 8 + 32 + 32
	compressAt = 256 // bytes of entries below which compression is not tried
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the stored form of b, or ErrTooLarge.
func Encode(b *Block) ([]byte, error) {
	size := 0
	for _, e := range b.Entries {
		size += len(e.Event) + len(e.Annex) + 2*binary.MaxVarintLen32
	}
	if size > MaxBytes {
		return nil, fmt.Errorf("encode block %d of %d bytes: %w", b.First, size, ErrTooLarge)
	}
	raw := make([]byte, 0, size)
	for _, e := range b.Entries {
		raw = binary.AppendUvarint(raw, uint64(len(e.Event)))
		raw = append(raw, e.Event...)
		if e.Annex == nil {
			raw = append(raw, 0)
			continue
		}
		raw = binary.AppendUvarint(raw, uint64(len(e.Annex))+1)
		raw = append(raw, e.Annex...)
	}
	body, flags := raw, byte(0)
	if len(raw) >= compressAt {
		if c := s2.Encode(nil, raw); len(c) < len(raw) {
			body, flags = c, flagS2
		}
	}
	out := make([]byte, 0, 2+6*binary.MaxVarintLen64+fixedSize+len(body)+crcSize)
	out = append(out, formatV1, flags)
	out = binary.AppendUvarint(out, uint64(b.Level))
	out = binary.AppendUvarint(out, uint64(b.Epoch))
	out = binary.AppendUvarint(out, b.First)
	out = binary.AppendVarint(out, b.Time.UnixMicro())
	out = binary.AppendUvarint(out, uint64(len(b.Entries)))
	out = binary.AppendUvarint(out, uint64(len(raw)))
	out = binary.BigEndian.AppendUint64(out, b.Writer)
	out = append(out, b.Prev[:]...)
	out = append(out, b.Last[:]...)
	out = append(out, body...)
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli)), nil
}

// Decode reads a stored block. It never panics; what it cannot read is an error
// that wraps ErrDamaged, or ErrLevel for a format above this release's. The
// block's entries are slices of one buffer, which may be data itself. It checks
// the checksum and the form, not the chain: see Follows.
func Decode(data []byte) (*Block, error) {
	if len(data) < 2+crcSize {
		return nil, fmt.Errorf("decode block of %d bytes: %w", len(data), ErrDamaged)
	}
	end := len(data) - crcSize
	if crc32.Checksum(data[:end], castagnoli) != binary.BigEndian.Uint32(data[end:]) {
		return nil, fmt.Errorf("decode block: checksum differs: %w", ErrDamaged)
	}
	if data[0] > formatV1 {
		return nil, fmt.Errorf("decode block of format %d: %w", data[0], ErrLevel)
	}
	if data[0] != formatV1 || data[1]&^flagS2 != 0 {
		return nil, fmt.Errorf("decode block of format %d, flags %#x: %w", data[0], data[1], ErrDamaged)
	}
	r := reader{b: data[2:end]}
	b := &Block{Level: r.uint32(), Epoch: r.uint32(), First: r.uvarint(), Time: time.UnixMicro(r.varint()).UTC()}
	count, length := r.uvarint(), r.uvarint()
	b.Writer = binary.BigEndian.Uint64(r.take(8))
	copy(b.Prev[:], r.take(32))
	copy(b.Last[:], r.take(32))
	if r.bad || length > MaxBytes || count > length/2 {
		return nil, fmt.Errorf("decode block's header: %w", ErrDamaged)
	}
	raw, err := expand(r.b, data[1]&flagS2 != 0, int(length))
	if err != nil {
		return nil, fmt.Errorf("decode block %d: %w", b.First, err)
	}
	if b.Entries = entries(raw, int(count)); b.Entries == nil {
		return nil, fmt.Errorf("decode entries of block %d: %w", b.First, ErrDamaged)
	}
	return b, nil
}

// expand returns the bytes of the entries, which must be length long.
func expand(body []byte, compressed bool, length int) ([]byte, error) {
	if compressed {
		n, err := s2.DecodedLen(body)
		if err != nil || n != length {
			return nil, fmt.Errorf("compressed length: %w", ErrDamaged)
		}
		if body, err = s2.Decode(make([]byte, 0, n), body); err != nil {
			return nil, fmt.Errorf("decompress: %w", ErrDamaged)
		}
	}
	if len(body) != length {
		return nil, fmt.Errorf("%d bytes of entries, not %d: %w", len(body), length, ErrDamaged)
	}
	return body, nil
}

// entries splits raw into count entries; nil when it does not come out even.
func entries(raw []byte, count int) []Entry {
	r := reader{b: raw}
	es := make([]Entry, 0, min(count, 1<<16))
	for range count {
		var e Entry
		e.Event = r.bytes(r.uvarint())
		if n := r.uvarint(); n > 0 {
			e.Annex = r.bytes(n - 1)
		}
		if r.bad {
			return nil
		}
		es = append(es, e)
	}
	if len(r.b) > 0 || r.bad {
		return nil
	}
	return es
}

// reader takes values off the front of b; after the first that is not there it is bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > 1<<32-1 {
		r.fail()
	}
	return uint32(v)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) fail() { r.bad, r.b = true, nil }

// bytes returns the next n bytes, never nil unless bad.
func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// take returns the next n bytes, zeros when they are not there.
func (r *reader) take(n int) []byte {
	if v := r.bytes(uint64(n)); v != nil {
		return v
	}
	return make([]byte, n)
}
