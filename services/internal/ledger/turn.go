package ledger

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	turnsFor   = time.Second            // for so long after it met another writer an engine takes turns
	turnWithin = 500 * time.Millisecond // the longest that it waits for one
	turnsOff   = 5 * time.Second        // after it got none: who has it may be frozen
	mostHalved = 16
)

// turns is how an engine gets along with others that write to the same store. An
// engine that met nobody takes no turns and pays nothing. One that lost appends
// makes smaller blocks, the sooner to win one: that tells the other of it.
type turns struct {
	until   time.Time // of taking turns
	from    time.Time // not before: it got none
	row     int       // appends lost in a row
	release func()    // ends the turn that it has; nil for none
}

// met notes another writer.
func (t *turns) met() { t.until = time.Now().Add(turnsFor) }

func (t *turns) lost() {
	t.row = min(t.row+1, mostHalved)
	t.met()
}

func (t *turns) won() { t.row = 0 }

// most is how many of the commands that wait may go into a block.
func (t *turns) most(waiting int) int { return max(1, waiting>>t.row) }

// end gives the turn away, if there is one.
func (t *turns) end() {
	if t.release != nil {
		t.release()
		t.release = nil
	}
}

// takeTurn waits for a turn and catches up, where another writer was met lately and
// the store gives turns. Without one the round goes on: it may lose its append.
func (e *Engine[S]) takeTurn() {
	turner, ok := e.cfg.Store.(Turner)
	now := time.Now()
	if !ok || e.turns.release != nil || !now.Before(e.turns.until) || now.Before(e.turns.from) {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, turnWithin)
	defer cancel()
	release, err := turner.Turn(ctx)
	if err != nil {
		e.turns.from = time.Now().Add(turnsOff)
		e.log.Warn("no turn; appending without", zap.Error(err))
		return
	}
	e.turns.release = release
	e.counts.turns.Add(1)
	e.follow()
}
