package ledger

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	turnsFor   = time.Second            // for so long after it met another writer an engine takes turns
	turnEvery  = 32                     // blocks after which it takes one anyhow
	turnWithin = 500 * time.Millisecond // the longest that it waits for one
	turnsOff   = 5 * time.Second        // after it got none: who has it may be frozen
)

// turns is how an engine gets along with others that write to the same store: one
// that met another takes turns. One that never loses an append, because it is nearer
// to the store than all others, would never meet those that it starves: so it takes a
// turn now and then anyhow, and one of them has its turn before.
type turns struct {
	until   time.Time // of taking turns
	from    time.Time // not before: it got none
	blocks  int       // since the last turn
	release func()    // ends the turn that it has; nil for none
}

// met notes another writer.
func (t *turns) met() { t.until = time.Now().Add(turnsFor) }

// due reports whether it is to take a turn.
func (t *turns) due(now time.Time) bool {
	return t.release == nil && (now.Before(t.until) || t.blocks >= turnEvery) && !now.Before(t.from)
}

// end gives the turn away, if there is one.
func (t *turns) end() {
	if t.release != nil {
		t.release()
		t.release = nil
	}
}

// takeTurn waits for a turn and catches up, where one is due and the store gives
// turns. Without one the round goes on: it may lose its append.
func (e *Engine[S]) takeTurn() {
	turner, ok := e.cfg.Store.(Turner)
	if !ok || !e.cfg.Follow || !e.turns.due(time.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, turnWithin)
	defer cancel()
	release, err := turner.Turn(ctx)
	e.turns.blocks = 0
	if err != nil {
		e.turns.from = time.Now().Add(turnsOff)
		e.log.Warn("no turn; appending without", zap.Error(err))
		return
	}
	e.turns.release = release
	e.counts.turns.Add(1)
	e.follow()
}
