package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// A backup is
//
//	"COTMOCBK" | version (1) | records
//
// and a record is its kind (1), the length of its body (4, big endian) and its body:
//
//	block  a stored block, as ledger.Encode writes it
//	end    sequence, time, epoch, level (8 each) | chain hash (32) | SHA-256 of the file before the record (32)
//
// It ends with an end record. An extension goes on after that, and has its own.
const (
	magic      = "COTMOCBK\x01"
	kindBlock  = 'B'
	kindEnd    = 'E'
	recordHead = 5
	endSize    = 4*8 + 32 + sha256.Size
	// A block's entries, its header, and what compression of nothing may add.
	mostBlock  = ledger.MaxBytes + 1<<20
	fileBuffer = 1 << 20
)

// errCut says that a backup ends where it should not.
var errCut = fmt.Errorf("the file is cut short: %w", ledger.ErrDamaged)

// writer writes records and sums up what it wrote.
type writer struct {
	w   *bufio.Writer
	sum hash.Hash
}

func newWriter(w io.Writer) *writer {
	return &writer{w: bufio.NewWriterSize(w, fileBuffer), sum: sha256.New()}
}

func (o *writer) write(b []byte) error {
	_, _ = o.sum.Write(b) // never fails
	if _, err := o.w.Write(b); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func (o *writer) begin() error { return o.write([]byte(magic)) }

func (o *writer) record(kind byte, body []byte) error {
	if err := o.write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))); err != nil {
		return err
	}
	return o.write(body)
}

func (o *writer) block(b *ledger.Block) error {
	body, err := ledger.Encode(b)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return o.record(kindBlock, body)
}

// end writes the end record and hands everything on.
func (o *writer) end(h ledger.Head) error {
	if err := o.record(kindEnd, endBody(h, o.sum.Sum(nil))); err != nil {
		return err
	}
	if err := o.w.Flush(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func endBody(h ledger.Head, sum []byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, endSize), h.Sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Time.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Level))
	return append(append(b, h.Hash[:]...), sum...)
}

// reader reads records and checks each against those before.
type reader struct {
	r   *bufio.Reader
	sum hash.Hash

	at    ledger.Head // after the last block
	ended ledger.Head // at the last end record
	read  int64       // bytes
	good  int64       // bytes up to the last end record, with it
	// sumAtGood goes on from there.
	sumAtGood hash.Hash
}

func newReader(r io.Reader) *reader {
	return &reader{r: bufio.NewReaderSize(r, fileBuffer), sum: sha256.New()}
}

// scan reads a backup to its end and gives each block that holds to f.
func scan(ctx context.Context, r io.Reader, progress Progress, f func(*ledger.Block) error) (ledger.Head, error) {
	return newReader(r).all(ctx, progress, f)
}

// all reads to the end of the file, which must be an end record.
func (i *reader) all(ctx context.Context, progress Progress, f func(*ledger.Block) error) (ledger.Head, error) {
	head := make([]byte, len(magic))
	if err := i.fill(head); err != nil || !bytes.Equal(head, []byte(magic)) {
		return i.at, fmt.Errorf("not a backup that this release can read: %w", errors.Join(ledger.ErrDamaged, err))
	}
	_, _ = i.sum.Write(head)
	for {
		if err := ctx.Err(); err != nil {
			return i.at, err
		}
		done, err := i.next(f)
		if err != nil {
			return i.at, fmt.Errorf("backup after entry %d: %w", i.at.Sequence, err)
		}
		if done {
			return i.ended, nil
		}
		report(progress, i.at.Sequence, i.at.Sequence)
	}
}

// next reads a record; it is done where the file ends after an end record.
func (i *reader) next(f func(*ledger.Block) error) (done bool, _ error) {
	head := make([]byte, recordHead)
	if _, err := i.r.Peek(1); errors.Is(err, io.EOF) && i.good > 0 && i.read == i.good {
		return true, nil
	}
	if err := i.fill(head); err != nil {
		return false, err
	}
	kind, size := head[0], binary.BigEndian.Uint32(head[1:])
	switch {
	case kind == kindBlock && size <= mostBlock:
	case kind == kindEnd && size == endSize:
	default:
		return false, fmt.Errorf("neither a block nor an end: %w", ledger.ErrDamaged)
	}
	body := make([]byte, size)
	if err := i.fill(body); err != nil {
		return false, err
	}
	if kind == kindEnd {
		return false, i.finish(head, body)
	}
	_, _ = i.sum.Write(head)
	_, _ = i.sum.Write(body)
	b, err := ledger.Decode(body)
	if err != nil {
		return false, fmt.Errorf("block of entry %d: %w", i.at.Sequence+1, err)
	}
	if err := b.Follows(i.at); err != nil {
		return false, err
	}
	if err := f(b); err != nil {
		return false, err
	}
	i.at = b.Head()
	return false, nil
}

// finish checks an end record.
func (i *reader) finish(head, body []byte) error {
	if i.at.Sequence == i.ended.Sequence {
		return fmt.Errorf("an end without entries: %w", ledger.ErrDamaged)
	}
	if !bytes.Equal(body, endBody(i.at, i.sum.Sum(nil))) {
		return fmt.Errorf("the end at entry %d is not that of what is before it: %w", i.at.Sequence, ledger.ErrDamaged)
	}
	_, _ = i.sum.Write(head)
	_, _ = i.sum.Write(body)
	i.ended, i.good = i.at, i.read
	clone, err := i.sum.(hash.Cloner).Clone()
	i.sumAtGood = clone
	return err
}

// fill reads as many bytes as b has.
func (i *reader) fill(b []byte) error {
	n, err := io.ReadFull(i.r, b)
	i.read += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}
