package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// roomEvery is how often a store that had no room is asked whether it has some again.
// Whoever looks at readiness sends no more writes, so nothing else would find out.
const roomEvery = 3 * time.Second

// room knows since when the store has refused the log for want of room.
type room struct {
	since atomic.Pointer[time.Time] // nil while there is room
	asked time.Time                 // the loop's: when the store was asked last
}

// note takes in how an append ended.
func (r *room) note(err error, log *zap.Logger) {
	switch {
	case errors.Is(err, ErrFull):
		if now := time.Now(); r.since.CompareAndSwap(nil, &now) {
			log.Error("the store has no room: every write is refused until it has", zap.Error(err))
		}
	case err == nil:
		r.back(log)
	}
}

func (r *room) back(log *zap.Logger) {
	if since := r.since.Swap(nil); since != nil {
		log.Info("the store has room again", zap.Duration("refused_for", time.Since(*since)))
	}
}

// Refused returns nil while the store has room for the log, and else an error that
// wraps ErrFull: every write is refused, and reads are answered. It is nil again with
// the first append, here or by another writer, or soon after a store that implements
// Roomy has room.
func (e *Engine[S]) Refused() error {
	since := e.room.since.Load()
	if since == nil {
		return nil
	}
	return fmt.Errorf("%w since %s: every write is refused, reads are answered", ErrFull, since.UTC().Format(time.RFC3339))
}

// askRoom asks a store that had no room, now and then.
func (e *Engine[S]) askRoom() {
	store, ok := e.cfg.Store.(Roomy)
	if !ok || e.room.since.Load() == nil || time.Since(e.room.asked) < roomEvery {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
	defer cancel()
	if err := e.contact.ask(func() error { return store.Room(ctx) }); err == nil {
		e.room.back(e.log)
	}
	e.room.asked = time.Now()
}
