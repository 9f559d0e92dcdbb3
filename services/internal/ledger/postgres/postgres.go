// Package postgres keeps a ledger in a PostgreSQL database, version 15 or later:
// what Append said was stored survives a crash of the server and a power cut. Any
// number of processes may open the same database; their appends exclude each other.
//
// Open refuses settings under which that would not be so, and a role that may do
// more to the log than append to it.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

const (
	readers    = 4
	pageBlocks = 256
)

const (
	// The one row comes to be only where the log ends as the block says. A racing
	// writer waits on the primary key for the other to commit, and then breaks it.
	appendSQL = `INSERT INTO block (first, last, time, epoch, level, hash, body)
SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), $6, $7
WHERE (CAST($1 AS BIGINT) = 1 AND NOT EXISTS (SELECT 1 FROM block))
   OR EXISTS (SELECT 1 FROM block AS b
              WHERE b.first = (SELECT MAX(first) FROM block) AND b.last = CAST($1 AS BIGINT) - 1 AND b.hash = $8)`

	headSQL = `SELECT last, hash, time, epoch, level FROM block ORDER BY first DESC LIMIT 1`

	// Taken back at once; its number is one that no log reaches, so that it holds up no append.
	roomSQL = `INSERT INTO block (first, last, time, epoch, level, hash, body)
VALUES (9223372036854775807, 9223372036854775807, 0, 0, 0, '', $1)`

	// A page ends with the block that makes it a MiB. The length of a body is known
	// without reading it.
	blocksSQL = `SELECT first, last, body FROM (
    SELECT first, last, body, SUM(octet_length(body)) OVER (ORDER BY first) - octet_length(body) AS before
    FROM block
    WHERE first >= COALESCE((SELECT MAX(first) FROM block WHERE first <= $1), $1) AND first <= $2
    ORDER BY first LIMIT $3) AS page
WHERE before < 1048576 ORDER BY first`
)

// roomBytes is the size of the block by which a database is asked for room.
const roomBytes = 256 << 10

const (
	uniqueViolation = "23505"
	diskFull        = "53100"
	readOnly        = "25006"
	dataCorrupted   = "XX001"
	indexCorrupted  = "XX002"
)

// Store is a ledger.Store in a database. All methods may be called at the same time.
type Store struct {
	where string
	write *sql.DB // one connection
	read  *sql.DB
	turn  *sql.DB // one connection, as a turn is a session's
	clock clock
}

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger as the application's role. It never changes tables: where
// they are not this release's or the next one's, it says to run Migrate. What can
// only be cured by a person is ErrRefused or ledger.ErrLevel; after another error
// it may be tried again.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Readers == 0 {
		c.Readers = readers
	}
	con, err := newConnector(c, c.Readers+2)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	s := &Store{where: where(con.cc), write: con.pool(1, nil, uncancelled),
		read: con.pool(c.Readers, nil, nil), turn: con.pool(1, turnLimits(), nil)}
	s.turn.SetConnMaxIdleTime(turnIdle / 2) // before the server cuts it off
	if err := s.check(ctx); err != nil {
		return nil, fmt.Errorf("open ledger in %s: %w", s.where, errors.Join(s.refused(err), s.Close()))
	}
	return s, nil
}

func (s *Store) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := checkTables(ctx, s.write); err != nil {
		return err
	}
	return s.checkEnds(ctx)
}

// checkEnds reads the first and the last block whole, so that a badly damaged log
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

// Append implements ledger.Store. It ends within 10 seconds.
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
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := s.write.ExecContext(ctx, appendSQL, int64(b.First), int64(b.End()), b.Time.UnixMicro(),
		int64(b.Epoch), int64(b.Level), b.Last[:], body, b.Prev[:])
	if err != nil {
		return fmt.Errorf("append block %d to %s: %w", b.First, s.where, s.appendError(ctx, b, err))
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("append block %d: %w", b.First, ledger.ErrConflict), err)
	}
	return nil
}

// appendError tells a full disk and a lost race from outcomes that are unknown.
func (s *Store) appendError(ctx context.Context, b *ledger.Block, err error) error {
	switch code(err) {
	case uniqueViolation:
		return errors.Join(ledger.ErrConflict, err)
	case diskFull:
		// Full is only promised when the log surely is as it was.
		if h, herr := s.Head(ctx); herr == nil && h.Sequence == b.First-1 {
			return errors.Join(ledger.ErrFull, err)
		}
	case readOnly: // it was the primary when the connection was made
		s.reconnect(ctx)
	}
	return err
}

// Room implements ledger.Roomy: it stores a block of an ordinary size and takes it back.
func (s *Store) Room(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("ask %s for room: %w", s.where, err)
	}
	_, err = tx.ExecContext(ctx, roomSQL, make([]byte, roomBytes))
	if code(err) == diskFull {
		err = errors.Join(ledger.ErrFull, err)
	}
	if err = errors.Join(err, tx.Rollback()); err != nil {
		return fmt.Errorf("ask %s for room: %w", s.where, err)
	}
	return nil
}

// reconnect drops the writing connection.
func (s *Store) reconnect(ctx context.Context) {
	if conn, err := s.write.Conn(ctx); err == nil {
		drop(conn)
	}
}

// drop closes a connection and keeps it out of its pool.
func drop(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}

// Head implements ledger.Store.
func (s *Store) Head(ctx context.Context) (ledger.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var h ledger.Head
	var micros int64
	var hash []byte
	err := s.read.QueryRowContext(ctx, headSQL).Scan(&h.Sequence, &hash, &micros, &h.Epoch, &h.Level)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Head{}, nil
	}
	if err == nil && (len(hash) != len(h.Hash) || copy(h.Hash[:], hash) != len(h.Hash)) {
		err = fmt.Errorf("hash of entry %d: %w", h.Sequence, ledger.ErrDamaged)
	}
	if err != nil {
		return ledger.Head{}, fmt.Errorf("read the head in %s: %w", s.where, s.refused(err))
	}
	h.Time = time.UnixMicro(micros).UTC()
	return h, nil
}

// Blocks implements ledger.Store. It reads pages that grow, so that a look-up of
// one entry reads one block, and holds no connection while it yields.
func (s *Store) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		h, err := s.Head(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for limit := 1; after < h.Sequence; limit = min(limit*4, pageBlocks) {
			page, err := s.page(ctx, after, h.Sequence, limit)
			if err != nil {
				yield(nil, fmt.Errorf("read %s after entry %d: %w", s.where, after, s.refused(err)))
				return
			}
			for _, r := range page {
				b, err := r.Decode(after)
				if err != nil {
					err = fmt.Errorf("read %s: %w", s.where, s.refused(err))
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
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, blocksSQL, int64(after+1), int64(end), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []ledger.Row
	for rows.Next() {
		var r ledger.Row
		if err := rows.Scan(&r.First, &r.Last, &r.Body); err != nil {
			return nil, err
		}
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

// Close implements ledger.Store.
func (s *Store) Close() error {
	return errors.Join(s.turn.Close(), s.read.Close(), s.write.Close())
}

// refused makes ErrDamaged, with what to do, of an error that says the log is.
func (s *Store) refused(err error) error {
	switch code(err) {
	case dataCorrupted, indexCorrupted:
		err = fmt.Errorf("%w: %w", ledger.ErrDamaged, err)
	}
	if errors.Is(err, ledger.ErrDamaged) {
		return fmt.Errorf("%w (keep %s as it is and restore the ledger from a backup; nothing was changed)", err, s.where)
	}
	return err
}
