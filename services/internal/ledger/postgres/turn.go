package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

const (
	// A database's advisory locks are its own, so one number does for all ledgers.
	turnSQL   = `SELECT pg_advisory_lock(4920550461)`
	unturnSQL = `SELECT pg_advisory_unlock(4920550461)`

	turnWait = 400 * time.Millisecond // the longest wait, a little less than an engine's own limit
	turnIdle = 2 * time.Second        // a holder that says nothing for so long loses its turn
)

var _ ledger.Turner = (*Store)(nil)

// turnLimits are settings of the session that waits for turns. A holder that was
// stopped is cut off by the server, which frees the lock.
func turnLimits() map[string]string {
	return map[string]string{
		"lock_timeout":         fmt.Sprint(turnWait.Milliseconds()),
		"idle_session_timeout": fmt.Sprint(turnIdle.Milliseconds()),
	}
}

// Turn implements ledger.Turner by a lock of a session of its own, which the server
// gives in the order of asking. A turn ends after 2 seconds at the latest.
func (s *Store) Turn(ctx context.Context) (release func(), err error) {
	conn, err := s.turn.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the turn: %w", err)
	}
	if _, err := conn.ExecContext(ctx, turnSQL); err != nil {
		drop(conn) // the lock may have been given at the last moment
		return nil, fmt.Errorf("wait for the turn: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), turnIdle)
		defer cancel()
		if _, err := conn.ExecContext(ctx, unturnSQL); err != nil {
			drop(conn) // which ends the session, and so the turn
			return
		}
		_ = conn.Close()
	}, nil
}
