// Package backup copies a ledger to a file and back. A ledger is an append-only,
// chained log, so a backup is its blocks up to one head, taken while others append;
// what a service needs besides is rebuilt from the log. Any ledger.Store will do on
// either side: a backup also moves a ledger from one database to another.
//
// A backup names where it ends, by sequence and chain hash. Who keeps these two apart
// from the file can tell that no entry in it was changed, by whomever.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// ErrEmpty says that there is nothing to back up.
var ErrEmpty = errors.New("backup: the ledger is empty")

// ErrNotEmpty says that the ledger to restore into has entries.
var ErrNotEmpty = errors.New("backup: the ledger to restore into is not empty")

// ErrOther says that a backup is not of the ledger that it is to be extended from.
var ErrOther = errors.New("backup: of another ledger, or of another course of this one")

// Progress is told how many entries are done, of how many.
type Progress func(done, total uint64)

// Write writes the ledger as it stands now to w and returns where that ends. The
// chain is checked on the way. Entries that are appended meanwhile may be left out.
func Write(ctx context.Context, store ledger.Store, w io.Writer, progress Progress) (ledger.Head, error) {
	out := newWriter(w)
	if err := out.begin(); err != nil {
		return ledger.Head{}, err
	}
	return copyBlocks(ctx, store, ledger.Head{}, out, progress)
}

// copyBlocks writes what a store has after a head, and the end.
func copyBlocks(ctx context.Context, store ledger.Store, from ledger.Head, out *writer, progress Progress) (ledger.Head, error) {
	goal, err := store.Head(ctx)
	if err != nil {
		return from, fmt.Errorf("backup: %w", err)
	}
	if goal.Sequence == 0 {
		return from, ErrEmpty
	}
	if goal.Sequence == from.Sequence {
		return from, nil
	}
	at := from
	for b, err := range store.Blocks(ctx, from.Sequence) {
		if err == nil {
			err = b.Follows(at)
		}
		if err != nil {
			return from, fmt.Errorf("backup after entry %d: %w", at.Sequence, err)
		}
		if err := out.block(b); err != nil {
			return from, err
		}
		at = b.Head()
		report(progress, at.Sequence, goal.Sequence)
		if at.Sequence >= goal.Sequence {
			break
		}
	}
	if at.Sequence < goal.Sequence {
		return from, fmt.Errorf("backup: the ledger gave nothing after entry %d of %d: %w", at.Sequence, goal.Sequence, ledger.ErrDamaged)
	}
	return at, out.end(at)
}

// Verify reads a whole backup and returns where it ends. An error that wraps
// ledger.ErrDamaged names the first entry that does not hold.
func Verify(ctx context.Context, r io.Reader, progress Progress) (ledger.Head, error) {
	return scan(ctx, r, progress, func(*ledger.Block) error { return nil })
}

// Restore writes a backup into an empty ledger and returns where that ends. It reads
// the backup twice: not one entry is written of a backup that does not hold. When it
// fails later the ledger holds a part, and must not be put to use.
func Restore(ctx context.Context, r io.ReadSeeker, store ledger.Store, progress Progress) (ledger.Head, error) {
	have, err := store.Head(ctx)
	if err != nil {
		return ledger.Head{}, fmt.Errorf("restore: %w", err)
	}
	if have.Sequence > 0 {
		return ledger.Head{}, fmt.Errorf("%w: it ends with entry %d", ErrNotEmpty, have.Sequence)
	}
	want, err := Verify(ctx, r, nil)
	if err != nil {
		return ledger.Head{}, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return ledger.Head{}, fmt.Errorf("restore: %w", err)
	}
	_, err = scan(ctx, r, nil, func(b *ledger.Block) error {
		if err := store.Append(ctx, b); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		report(progress, b.End(), want.Sequence)
		return nil
	})
	if err != nil {
		return ledger.Head{}, err
	}
	got, err := store.Head(ctx)
	if err != nil {
		return got, fmt.Errorf("restore: %w", err)
	}
	if got.Sequence != want.Sequence || got.Hash != want.Hash {
		return got, fmt.Errorf("restore: the ledger ends with entry %d, the backup with %d: %w", got.Sequence, want.Sequence, ledger.ErrDamaged)
	}
	return got, nil
}

// Whole returns how many bytes of a backup hold: all of them, or, where it was being
// extended when that was interrupted, those up to the end that it had before. A backup
// that is damaged otherwise, or has no such end, is an error.
func Whole(ctx context.Context, r io.Reader) (int64, error) {
	in := newReader(r)
	_, err := in.all(ctx, nil, func(*ledger.Block) error { return nil })
	if err != nil && (in.good == 0 || !errors.Is(err, errCut)) {
		return 0, err
	}
	return in.good, nil
}

// Create backs a ledger up to a new file. The file comes to be only when it is whole
// and on the disk; one that is there is not touched.
func Create(ctx context.Context, store ledger.Store, path string, progress Progress) (head ledger.Head, err error) {
	if _, err := os.Lstat(path); err == nil {
		return head, fmt.Errorf("backup: %s is there already", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return head, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err == nil {
			err = syncFolder(filepath.Dir(path))
		}
	}()
	if head, err = Write(ctx, store, f, progress); err != nil {
		return head, err
	}
	if err := f.Sync(); err != nil {
		return head, fmt.Errorf("backup: %w", err)
	}
	return head, os.Link(f.Name(), path) // fails where somebody was faster
}

// Extend adds to a backup what its ledger has gained since, after checking all of
// it, and returns where it ended and ends. A backup that ends in a piece of an
// extension that was interrupted is first cut back to its last good end.
func Extend(ctx context.Context, store ledger.Store, path string, progress Progress) (before, after ledger.Head, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return before, after, fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := newReader(f)
	before, err = in.all(ctx, nil, func(*ledger.Block) error { return nil })
	if err != nil && in.good == 0 {
		return before, after, err
	}
	if before = in.ended; err != nil && !errors.Is(err, errCut) {
		return before, after, err
	}
	if err := f.Truncate(in.good); err != nil {
		return before, after, fmt.Errorf("backup: %w", err)
	}
	if err := same(ctx, store, before); err != nil {
		return before, after, err
	}
	if _, err := f.Seek(in.good, io.SeekStart); err != nil {
		return before, after, fmt.Errorf("backup: %w", err)
	}
	out := newWriter(f)
	out.sum = in.sumAtGood
	if after, err = copyBlocks(ctx, store, before, out, progress); err != nil {
		return before, before, errors.Join(err, f.Truncate(in.good))
	}
	if err := f.Sync(); err != nil {
		return before, after, fmt.Errorf("backup: %w", err)
	}
	return before, after, nil
}

// same checks that a store's log goes through a head.
func same(ctx context.Context, store ledger.Store, h ledger.Head) error {
	have, err := store.Head(ctx)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if have.Sequence < h.Sequence {
		return fmt.Errorf("%w: it ends with entry %d, the ledger with %d", ErrOther, h.Sequence, have.Sequence)
	}
	for b, err := range store.Blocks(ctx, h.Sequence-1) {
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if b.End() != h.Sequence || b.Last != h.Hash {
			return fmt.Errorf("%w: entry %d is not the same", ErrOther, h.Sequence)
		}
		return nil
	}
	return fmt.Errorf("%w: the ledger has no entry %d", ErrOther, h.Sequence)
}

func report(p Progress, done, total uint64) {
	if p != nil {
		p(min(done, total), total)
	}
}

// syncFolder makes a new name in the folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
