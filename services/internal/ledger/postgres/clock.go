package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const clockSQL = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`

// clockAge is how long a reading of the database's clock is carried on by this
// machine's monotonic one.
const clockAge = time.Second

// clock is the database's time.
type clock struct {
	mu   sync.Mutex
	read time.Time // by this machine
	says time.Time // by the database
}

// Now implements ledger.Store: the time of the database's machine, the same for all
// replicas to within a round trip. It is asked for once a second.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	c := &s.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := time.Since(c.read); c.read.IsZero() || age >= clockAge {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		var micros int64
		start := time.Now()
		if err := s.read.QueryRowContext(ctx, clockSQL).Scan(&micros); err != nil {
			return time.Time{}, fmt.Errorf("read the time of %s: %w", s.where, err)
		}
		c.read = start.Add(time.Since(start) / 2)
		c.says = time.UnixMicro(micros).UTC()
	}
	return c.says.Add(time.Since(c.read)), nil
}
