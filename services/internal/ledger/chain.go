package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Link returns the chain after entry n, given the chain before it:
// SHA-256(prev || n as 8 bytes, big endian || event || SHA-256(annex)), with 32
// zero bytes for the last part when there is no annex.
func Link(prev Hash, n uint64, e Entry) Hash {
	var l linker
	return l.link(prev, n, e)
}

// linker computes links one after another and keeps its buffer. It takes blocks up
// to a level, 0 for this release's.
type linker struct {
	buf   []byte
	level uint32
}

func (l *linker) link(prev Hash, n uint64, e Entry) Hash {
	var annex Hash
	if e.Annex != nil {
		annex = sha256.Sum256(e.Annex)
	}
	b := append(l.buf[:0], prev[:]...)
	b = binary.BigEndian.AppendUint64(b, n)
	b = append(b, e.Event...)
	b = append(b, annex[:]...)
	l.buf = b
	return sha256.Sum256(b)
}

// run returns the chain after all the block's entries.
func (l *linker) run(b *Block) Hash {
	h := b.Prev
	for i, e := range b.Entries {
		h = l.link(h, b.First+uint64(i), e)
	}
	return h
}

// Seal sets the block's Last from its Prev, First and Entries.
func (b *Block) Seal() {
	var l linker
	b.Last = l.run(b)
}

// Head returns where a log ends whose last block is b.
func (b *Block) Head() Head {
	return Head{Sequence: b.End(), Hash: b.Last, Time: b.Time, Epoch: b.Epoch, Level: b.Level}
}

// Follows checks that b is whole and goes on where h ends: number, chain, time,
// level and epoch. The error wraps ErrDamaged and names the first block that does not hold,
// or ErrLevel when b is of a level above this release's.
func (b *Block) Follows(h Head) error {
	var l linker
	return l.follows(b, h)
}

func (l *linker) follows(b *Block, h Head) error {
	most := l.level
	if most == 0 {
		most = Level
	}
	switch {
	case b.Level > most:
		return fmt.Errorf("block %d is of level %d, this release reads up to %d: %w", b.First, b.Level, most, ErrLevel)
	case len(b.Entries) == 0:
		return fmt.Errorf("block %d has no entries: %w", b.First, ErrDamaged)
	case b.First != h.Sequence+1:
		return fmt.Errorf("block %d follows entry %d: %w", b.First, h.Sequence, ErrDamaged)
	case b.Prev != h.Hash:
		return fmt.Errorf("block %d does not link to the chain before it: %w", b.First, ErrDamaged)
	case b.Time.Before(h.Time):
		return fmt.Errorf("block %d is older than the block before it: %w", b.First, ErrDamaged)
	case b.Level < h.Level:
		return fmt.Errorf("block %d is of a lower level than the block before it: %w", b.First, ErrDamaged)
	case b.Epoch < h.Epoch:
		return fmt.Errorf("block %d is of an earlier epoch than the block before it: %w", b.First, ErrDamaged)
	case l.run(b) != b.Last:
		return fmt.Errorf("block %d does not hash to its stored chain: %w", b.First, ErrDamaged)
	}
	return nil
}
