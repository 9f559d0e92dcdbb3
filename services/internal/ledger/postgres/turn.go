package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// A database's advisory locks are its own, so one number does for all ledgers.
	turnSQL   = `SELECT pg_advisory_lock(4920550461)`
	unturnSQL = `SELECT pg_advisory_unlock(4920550461)`

	turnWait = time.Second     // the longest wait for a turn
	turnIdle = 2 * time.Second // a holder that does nothing for so long loses its turn
	turnRest = 5 * time.Second // after a wait in vain
)

// turnLimits are settings of the session that waits for turns. A holder that was
// stopped, or whose machine is gone, is cut off by the server, which frees the lock.
func turnLimits() map[string]string {
	return map[string]string{
		"lock_timeout":         fmt.Sprint(turnWait.Milliseconds()),
		"idle_session_timeout": fmt.Sprint(turnIdle.Milliseconds()),
	}
}

// turn is the queue at the server in which writers of one ledger may stand.
type turn struct {
	db *sql.DB // one connection, as a lock belongs to a session

	mu   sync.Mutex
	rest time.Time // no waiting before
}

var errNoTurn = errors.New("postgres: no turn: one was waited for in vain a moment ago")

// Turn waits, a second at most, until no other replica has the turn. The server
// serves in the order of asking. Nothing depends on it but speed: after an error
// the caller goes on without, and for some seconds further calls fail at once.
func (s *Store) Turn(ctx context.Context) (release func(), err error) {
	t := &s.turn
	t.mu.Lock()
	resting := time.Now().Before(t.rest)
	t.mu.Unlock()
	if resting {
		return nil, errNoTurn
	}
	ctx, cancel := context.WithTimeout(ctx, turnWait+turnWait/2)
	defer cancel()
	conn, err := t.db.Conn(ctx)
	if err != nil {
		t.fail()
		return nil, fmt.Errorf("wait for the turn: %w", err)
	}
	if _, err := conn.ExecContext(ctx, turnSQL); err != nil {
		t.fail()
		drop(conn)
		return nil, fmt.Errorf("wait for the turn: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), turnWait)
		defer cancel()
		if _, err := conn.ExecContext(ctx, unturnSQL); err != nil {
			drop(conn) // which ends the session, and so the turn
			return
		}
		_ = conn.Close()
	}, nil
}

func (t *turn) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = time.Now().Add(turnRest)
}
