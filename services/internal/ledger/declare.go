package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotNext says that a declaration does not go on from where the log is, or names
// a level that this release cannot write. Nothing was done.
var ErrNotNext = errors.New("ledger: not the next epoch or level")

// Declaration is what a block changes about the log itself: its epoch, its level, or
// both. 0 leaves each as it is.
type Declaration struct {
	Epoch uint32 // one above the log's
	Level uint32 // one above the log's, up to Config.Level
}

func (d Declaration) any() bool { return d != Declaration{} }

// on is the head with what is declared.
func (d Declaration) on(h Head) Head {
	if d.Epoch != 0 {
		h.Epoch = d.Epoch
	}
	if d.Level != 0 {
		h.Level = d.Level
	}
	return h
}

// Declare is Do for a command whose block, in which it is alone, has another epoch
// or level, as all blocks after it have. decide must draft what says so. It returns
// ErrNotNext when another was declared before: so each is declared once, however
// many ask for it.
func (e *Engine[S]) Declare(ctx context.Context, d Declaration, decide func(S) error) (Committed, error) {
	if !d.any() {
		return Committed{}, fmt.Errorf("declare nothing: %w", ErrNotNext)
	}
	return e.do(ctx, d, decide)
}

// Level is the highest level that this engine reads and writes.
func (e *Engine[S]) Level() uint32 { return e.cfg.Level }

// follows reports whether the declaration goes on from a head.
func (d Declaration) follows(h Head, most uint32) error {
	switch {
	case d.Epoch != 0 && d.Epoch != h.Epoch+1:
		return fmt.Errorf("declare epoch %d of a log at %d: %w", d.Epoch, h.Epoch, ErrNotNext)
	case d.Level != 0 && d.Level != h.Level+1:
		return fmt.Errorf("declare level %d of a log at %d: %w", d.Level, h.Level, ErrNotNext)
	case d.Level > most:
		return fmt.Errorf("declare level %d, this release writes up to %d: %w", d.Level, most, ErrNotNext)
	}
	return nil
}

// declared decides the first pending command, which declares, in a layer without a
// tick: were it refused, what the tick drafted would stand in an epoch that is none.
func (e *Engine[S]) declared(t time.Time) (S, int, Declaration) {
	c := e.pending[0]
	stamp := e.stamp(t)
	stamp.Epoch = c.declare.on(e.Head()).Epoch
	layer := e.state.Fork(stamp)
	c.from, c.to = 0, 0
	if c.err = c.declare.follows(e.Head(), e.cfg.Level); c.err != nil || !c.take() {
		return layer, 1, Declaration{}
	}
	if c.err, _ = c.run(layer); c.err != nil {
		return e.state.Fork(stamp), 1, Declaration{}
	}
	c.to = len(layer.Drafts())
	return layer, 1, c.declare
}
