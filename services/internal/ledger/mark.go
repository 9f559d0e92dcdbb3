package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Mark tells one entry from every other that was ever appended to any log. It is the
// first 16 bytes of
//
//	SHA-256(chain after the entry || Writer of its block as 8 bytes, big endian)
//
// The chain binds the mark to the entry's content and to all that went before. That is
// not enough where a clock is set by hand: two logs may then begin with the same bytes,
// and a log that was restored from a backup may go on with the same bytes as before. The
// writer settles it, a random number of the process that appended the block. Neither
// changes when blocks are copied, so replicas, backups and restored logs agree on the
// marks of what they share.
type Mark [16]byte

// String returns the mark as 32 hexadecimal digits.
func (m Mark) String() string { return hex.EncodeToString(m[:]) }

// Marks computes the marks of a block's entries.
type Marks struct {
	block *Block
	link  linker
	chain Hash   // before the entry next
	next  uint64 // number of the next entry to be hashed
}

// Marks returns what computes the marks of the block's entries.
func (b *Block) Marks() *Marks { return &Marks{block: b, chain: b.Prev, next: b.First} }

// Of returns the mark of an entry of the block. Numbers must ascend from call to call,
// since the entries in between are hashed on the way.
func (m *Marks) Of(sequence uint64) Mark {
	for ; m.next <= sequence; m.next++ {
		m.chain = m.link.link(m.chain, m.next, m.block.Entries[m.next-m.block.First])
	}
	var marked [len(Hash{}) + 8]byte
	copy(marked[:], m.chain[:])
	binary.BigEndian.PutUint64(marked[len(Hash{}):], m.block.Writer)
	sum := sha256.Sum256(marked[:])
	return Mark(sum[:len(Mark{})])
}

// Origin says where a history began, and so which one it is. It is read from the log
// alone. Two logs never have one origin, unless one was copied from the other and
// neither has declared an epoch since.
type Origin struct {
	Log   Mark   // of the log's first entry
	Epoch uint32 // number of the epoch
	Since Mark   // of the epoch's first entry, which declares it; equal to Log in the first epoch
}

// Origin returns the origin of an epoch of the log, or ErrAbsent when the log is empty
// or has no entry of that epoch. What was found once is remembered.
func (e *Engine[S]) Origin(ctx context.Context, epoch uint32) (Origin, error) {
	e.origins.Lock()
	defer e.origins.Unlock()
	if o, known := e.origins.of[epoch]; known {
		return o, nil
	}
	head := e.Head()
	if head.Sequence == 0 || epoch > head.Epoch {
		return Origin{}, fmt.Errorf("epoch %d of a log at %d: %w", epoch, head.Sequence, ErrAbsent)
	}
	first, err := e.stored(ctx, 1)
	if err != nil {
		return Origin{}, err
	}
	began, err := e.epochBegan(ctx, epoch, head.Sequence)
	if err != nil {
		return Origin{}, err
	}
	o := Origin{Log: first.Marks().Of(1), Epoch: epoch, Since: began.Marks().Of(began.First)}
	e.origins.of[epoch] = o
	return o, nil
}

// epochBegan returns the first block of an epoch in a log of at least so many entries.
// Epochs never go down from block to block, so the log can be searched by halves.
func (e *Engine[S]) epochBegan(ctx context.Context, epoch uint32, end uint64) (*Block, error) {
	for from := uint64(1); from < end; {
		b, err := e.stored(ctx, from+(end-from)/2)
		if err != nil {
			return nil, err
		}
		if b.Epoch < epoch {
			from = b.End() + 1
		} else {
			end = b.First
		}
	}
	b, err := e.stored(ctx, end)
	if err == nil && b.Epoch != epoch {
		err = fmt.Errorf("epoch %d has no entry: %w", epoch, ErrAbsent)
	}
	return b, err
}
