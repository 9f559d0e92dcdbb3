// Package sqlite keeps a ledger in one SQLite file, in WAL mode with
// synchronous=FULL: what Append said was stored survives a power cut. Several
// processes may open the same file; their appends exclude each other.
//
// A file that is damaged, cut short, empty, or of another program is refused with
// an error that wraps ledger.ErrDamaged and names it. It is never replaced.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

const (
	readers    = 4
	pageBytes  = 1 << 20 // stored bytes that one read of Blocks holds at most, or one block
	pageBlocks = 256
	roomBytes  = 256 << 10 // an ordinary block, to ask for room by
)

const (
	// The one row comes to be only where the log ends as the block says. A racing
	// writer either waits for the lock or meets the primary key.
	appendSQL = `INSERT INTO block (first, last, time, epoch, level, hash, body)
SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), $6, $7
WHERE (CAST($1 AS BIGINT) = 1 AND NOT EXISTS (SELECT 1 FROM block))
   OR EXISTS (SELECT 1 FROM block AS b
              WHERE b.first = (SELECT MAX(first) FROM block) AND b.last = CAST($1 AS BIGINT) - 1 AND b.hash = $8)`

	// Taken back at once.
	roomSQL = `INSERT INTO block (first, last, time, epoch, level, hash, body)
VALUES (9223372036854775807, 9223372036854775807, 0, 0, 0, x'', zeroblob($1))`

	headSQL = `SELECT last, hash, time, epoch, level FROM block ORDER BY first DESC LIMIT 1`

	blocksSQL = `SELECT first, last, body FROM block
WHERE first >= COALESCE((SELECT MAX(first) FROM block WHERE first <= $1), $1) AND first <= $2
ORDER BY first LIMIT $3`
)

// Store is a ledger.Store in a file. All methods may be called at the same time.
type Store struct {
	path  string
	write *sql.DB // one connection
	read  *sql.DB

	append, head, blocks *sql.Stmt
}

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger at path, and makes a new one where there is no file.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := ready(ctx, path); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, refused(path, err))
	}
	s := &Store{path: path}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, errors.Join(refused(path, err), s.Close()))
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.write, err = connect(s.path, "_pragma=synchronous(FULL)"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = connect(s.path, "_pragma=query_only(1)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	if s.append, err = s.write.PrepareContext(ctx, appendSQL); err != nil {
		return err
	}
	if s.head, err = s.read.PrepareContext(ctx, headSQL); err != nil {
		return err
	}
	if s.blocks, err = s.read.PrepareContext(ctx, blocksSQL); err != nil {
		return err
	}
	return s.checkEnds(ctx)
}

// checkEnds reads the first and the last block whole, so that a badly damaged file
// is known as such at once and not in the middle of the day.
func (s *Store) checkEnds(ctx context.Context) error {
	h, err := s.Head(ctx)
	if err != nil || h.Sequence == 0 {
		return err
	}
	for _, after := range []uint64{0, h.Sequence - 1} {
		for _, err := range s.Blocks(ctx, after) {
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// Append implements ledger.Store. It does not heed ctx once it has begun: it is
// bounded by the wait for the file's lock, 5 seconds.
func (s *Store) Append(ctx context.Context, b *ledger.Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	body, err := ledger.Encode(b)
	if err != nil {
		return err
	}
	if len(b.Entries) == 0 || (b.First == 1 && b.Prev != ledger.Hash{}) {
		return fmt.Errorf("append block %d: %w", b.First, ledger.ErrConflict)
	}
	res, err := s.append.Exec(int64(b.First), int64(b.End()), b.Time.UnixMicro(), int64(b.Epoch), int64(b.Level),
		b.Last[:], body, b.Prev[:])
	if err != nil {
		return fmt.Errorf("append block %d to %s: %w", b.First, s.path, s.appendError(ctx, b, err))
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("append block %d: %w", b.First, ledger.ErrConflict), err)
	}
	return nil
}

// appendError tells a full disk and a lost race from outcomes that are unknown.
func (s *Store) appendError(ctx context.Context, b *ledger.Block, err error) error {
	switch code(err) {
	case lib.SQLITE_CONSTRAINT:
		return errors.Join(ledger.ErrConflict, err)
	case lib.SQLITE_FULL:
		// Full is only promised when the log surely is as it was.
		if h, herr := s.Head(ctx); herr == nil && h.Sequence == b.First-1 {
			return errors.Join(ledger.ErrFull, err)
		}
	}
	return err
}

// Room implements ledger.Roomy: it writes a file of an ordinary block's size beside the
// ledger, for the disk, and stores a block that it takes back, for a bound of the ledger
// itself, which SQLite keeps in memory until the end of a transaction.
func (s *Store) Room(ctx context.Context) error {
	if err := errors.Join(fits(s.path+".room"), s.stores(ctx)); err != nil {
		return fmt.Errorf("room for %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) stores(ctx context.Context) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, roomSQL, roomBytes); code(err) == lib.SQLITE_FULL {
		err = errors.Join(ledger.ErrFull, err)
	}
	return errors.Join(err, tx.Rollback())
}

// Head implements ledger.Store.
func (s *Store) Head(ctx context.Context) (ledger.Head, error) {
	var h ledger.Head
	var micros int64
	var hash []byte
	err := s.head.QueryRowContext(ctx).Scan(&h.Sequence, &hash, &micros, &h.Epoch, &h.Level)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Head{}, nil
	}
	if err == nil && copy(h.Hash[:], hash) != len(h.Hash) {
		err = fmt.Errorf("hash of entry %d: %w", h.Sequence, ledger.ErrDamaged)
	}
	if err != nil {
		return ledger.Head{}, fmt.Errorf("read the head of %s: %w", s.path, refused(s.path, err))
	}
	h.Time = time.UnixMicro(micros).UTC()
	return h, nil
}

// Blocks implements ledger.Store. It reads pages that grow, so that a look-up of
// one entry reads one block, and holds no transaction while it yields.
func (s *Store) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		h, err := s.Head(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for limit := 1; after < h.Sequence; limit = min(limit*4, pageBlocks) {
			bodies, err := s.page(ctx, after, h.Sequence, limit)
			if err != nil {
				yield(nil, fmt.Errorf("read %s after entry %d: %w", s.path, after, refused(s.path, err)))
				return
			}
			for _, r := range bodies {
				b, err := r.Decode(after)
				if err != nil {
					err = fmt.Errorf("read %s: %w", s.path, refused(s.path, err))
				}
				if !yield(b, err) || err != nil {
					return
				}
				after = b.End()
			}
		}
	}
}

// page reads some blocks from the one that holds entry after+1 on.
func (s *Store) page(ctx context.Context, after, end uint64, limit int) ([]ledger.Row, error) {
	rows, err := s.blocks.QueryContext(ctx, int64(after+1), int64(end), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []ledger.Row
	for size := 0; size < pageBytes && rows.Next(); {
		var r ledger.Row
		if err := rows.Scan(&r.First, &r.Last, &r.Body); err != nil {
			return nil, err
		}
		size += len(r.Body)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no block holds entry %d of %d: %w", after+1, end, ledger.ErrDamaged)
	}
	return out, nil
}

// Now implements ledger.Store: the time of this machine, where the file is.
func (s *Store) Now(context.Context) (time.Time, error) { return time.Now().UTC(), nil }

// Close implements ledger.Store.
func (s *Store) Close() error {
	var errs []error
	for _, st := range []*sql.Stmt{s.append, s.head, s.blocks} {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// code returns SQLite's primary result code, 0 for what is not its error.
func code(err error) int {
	var e *driver.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// refused makes ErrDamaged, with what to do, of an error that says the file is.
func refused(path string, err error) error {
	switch code(err) {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		err = fmt.Errorf("%w: %w", ledger.ErrDamaged, err)
	}
	if errors.Is(err, ledger.ErrDamaged) {
		return fmt.Errorf("%w (keep %s with its -wal as it is and restore the ledger from a backup; nothing was changed)", err, path)
	}
	return err
}
