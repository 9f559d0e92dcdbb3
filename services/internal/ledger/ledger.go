// Package ledger keeps an append-only, hash-chained log of events in a trusted
// database, and the state (the book) that the log adds up to in memory.
//
// One writer loop gathers the commands that wait, lets each decide against the
// state as the block's own layer shows it, appends all their events as one block
// with compare-and-swap on its first number, and only after COMMIT merges the
// layer and answers. Nobody reads what is not durable.
//
// The state of any former time is the log up to its last block of that time: it is
// rebuilt beside the present one, from an image that was kept on the way.
package ledger

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrConflict says that a block's first number was taken by another writer: the
// log went on, and what the block was decided against is out of date.
var ErrConflict = errors.New("ledger: number taken by another writer")

// ErrBusy says that the queue of waiting commands is full, or that two past states
// are being rebuilt already. Nothing was done.
var ErrBusy = errors.New("ledger: too many are waiting")

// ErrStopped says that the engine is stopping or stopped. Nothing was done.
var ErrStopped = errors.New("ledger: stopped")

// ErrEnded says that the engine can no longer append, see Engine.Err. Nothing was done;
// an engine beside it, or one that is opened anew, may be able to.
var ErrEnded = errors.New("ledger: this engine has ended its service")

// ErrNotReached says that a read asked for an event that the state had not seen in time.
var ErrNotReached = errors.New("ledger: sequence not reached in time")

// ErrUnknown says that a caller stopped waiting before its command was settled:
// the command may have been committed, or may be yet.
var ErrUnknown = errors.New("ledger: outcome unknown")

// ErrPanic says that what decides a command panicked: a defect. Nothing was done.
var ErrPanic = errors.New("ledger: panic in decide")

// ErrAway says that the store did not answer: nothing was done, and it may be done
// when the store is back.
var ErrAway = errors.New("ledger: the store does not answer")

// ErrDamaged says that a log does not read as it was written.
var ErrDamaged = errors.New("ledger: damaged")

// ErrLevel says that a log holds a block of a higher level than this release reads.
var ErrLevel = errors.New("ledger: written by a newer release")

// ErrAbsent says that the log has no entry of that number.
var ErrAbsent = errors.New("ledger: no such entry")

// Level is the highest level of events and blocks that this release reads and writes.
const Level = 1

// FirstEpoch is the epoch of a log on which no other was declared.
const FirstEpoch = 1

// Hash is a link of the chain, SHA-256.
type Hash [32]byte

// Entry is one event as it is stored. Event is what is published, byte for byte;
// Annex is what is kept beside it and never published, nil when there is nothing.
type Entry struct {
	Event []byte
	Annex []byte
}

// Block is a run of events that was appended at once.
type Block struct {
	Level   uint32
	Epoch   uint32
	First   uint64    // number of the first entry, from 1
	Time    time.Time // one for all its entries, UTC, whole microseconds
	Prev    Hash      // chain before the first entry
	Last    Hash      // chain after the last entry
	Writer  uint64    // random number of the engine that wrote it, so that it knows its own
	Entries []Entry
}

// End is the number of the block's last entry.
func (b *Block) End() uint64 { return b.First + uint64(len(b.Entries)) - 1 }

// Head is where a log ends. The zero Head is that of an empty log.
type Head struct {
	Sequence uint64
	Hash     Hash
	Time     time.Time
	Epoch    uint32
	Level    uint32
}

// Store keeps blocks. ledgertest holds the suite that every store must pass.
type Store interface {
	// Append stores b durably if its first number follows the head and its Prev is
	// the head's hash. It returns ErrConflict when another block has that number,
	// or the log does not end just before it. After any other error the outcome is
	// unknown, unless the error is ErrFull.
	Append(ctx context.Context, b *Block) error
	// Head returns where the log ends.
	Head(ctx context.Context) (Head, error)
	// Blocks yields the blocks that hold entries after the given number, in order,
	// up to the head at the time of the call. It ends after the first error.
	Blocks(ctx context.Context, after uint64) iter.Seq2[*Block, error]
	// Now returns the database's time.
	Now(ctx context.Context) (time.Time, error)
	// Close releases the database.
	Close() error
}

// Turner is a Store whose engines can take turns, in one process or in many. It is
// only for speed: what is right does not depend on it.
type Turner interface {
	// Turn waits until it is the caller's turn, those who asked first first, and
	// returns how to end it. It waits no longer than ctx allows. A turn also ends
	// when its holder's connection does.
	Turn(ctx context.Context) (release func(), err error)
}

// Roomy is a Store that can tell whether it has room without an append. An engine asks
// it after an append was refused by ErrFull.
type Roomy interface {
	// Room returns nil when an ordinary block would find room now, and ErrFull when it
	// would not. It leaves nothing in the log.
	Room(ctx context.Context) error
}

// ErrFull says that the store had no room: the block was not stored.
var ErrFull = errors.New("ledger: no space left for the log")

// Stamp is what a layer needs to number what is decided in it.
type Stamp struct {
	Next  uint64    // number of the next event
	Time  time.Time // the block's time
	Epoch uint32
}

// State is a book: what a log adds up to. S is the pointer type that implements
// it. A state is safe for many readers or one writer; the engine sees to that.
// Fork, Due and all that only reads may run beside other readers, so they must not
// write to what they share with them, caches included.
type State[S any] interface {
	// Fork opens a layer: what is decided or applied in it is seen through it alone
	// until Merge. Forks of forks work. Dropping a layer undoes it.
	Fork(Stamp) S
	// Merge makes the layer part of what it was forked from, its drafts included
	// when that is a layer itself.
	Merge()
	// Drafts returns the entries decided in this layer so far, in order. It is
	// called after each command, so it returns what it keeps; what was returned is
	// never changed later. A layer that is merged or dropped may not reuse it.
	Drafts() []Entry
	// Due reports whether time alone asks for a Tick, given the time now.
	Due(now time.Time) bool
	// Tick decides what the passing of time brings about. It is called first in
	// each block whose time makes Due true, but for one that declares. It may do a
	// part: as long as Due stays true, the next block follows at once.
	Tick() error
	// Apply folds in an entry of the log; entries come in order, from 1, without
	// gaps. It must refuse an entry that it cannot digest. Blocks of other writers
	// are applied to a layer; at the start the log is applied to the state itself.
	// It must not keep slices of e.
	Apply(sequence uint64, e Entry) error
	// Freeze returns a cut that later merges do not change, cheaply. A layer may be
	// open, and may be merged afterwards.
	Freeze() S
	// Fold names the version of the image's format and of Apply's meaning. An image
	// of another fold is not used.
	Fold() string
	// WriteImage writes a frozen cut.
	WriteImage(io.Writer) error
	// ReadImage fills an empty state from an image.
	ReadImage(io.Reader) error
}
