package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// Memory is a ledger.Store that lives no longer than the process, for tests in a
// bubble of testing/synctest, where a database's own goroutines cannot be. It
// passes the suite.
type Memory struct {
	mu     sync.Mutex
	turn   chan struct{} // holds one while somebody has a turn
	bodies [][]byte
	head   ledger.Head
}

// Append implements ledger.Store.
func (m *Memory) Append(ctx context.Context, b *ledger.Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	body, err := ledger.Encode(b)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.First != m.head.Sequence+1 || b.Prev != m.head.Hash {
		return fmt.Errorf("append block %d: %w", b.First, ledger.ErrConflict)
	}
	m.bodies, m.head = append(m.bodies, body), b.Head()
	return nil
}

// Cut takes the log back to its first n blocks, as a restore from a backup does.
func (m *Memory) Cut(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bodies, m.head = m.bodies[:n:n], ledger.Head{}
	for _, body := range m.bodies {
		if b, err := ledger.Decode(body); err == nil {
			m.head = b.Head()
		}
	}
}

// Head implements ledger.Store.
func (m *Memory) Head(context.Context) (ledger.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head, nil
}

// Blocks implements ledger.Store.
func (m *Memory) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		m.mu.Lock()
		bodies := m.bodies
		m.mu.Unlock()
		for _, body := range bodies {
			b, err := ledger.Decode(body)
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(nil, err)
				return
			}
			if b.End() > after && !yield(b, nil) {
				return
			}
		}
	}
}

// Now implements ledger.Store.
func (m *Memory) Now(context.Context) (time.Time, error) { return time.Now().UTC(), nil }

// Turn implements ledger.Turner: those who wait for a channel are served in order.
func (m *Memory) Turn(ctx context.Context) (func(), error) {
	m.mu.Lock()
	if m.turn == nil {
		m.turn = make(chan struct{}, 1)
	}
	m.mu.Unlock()
	select {
	case m.turn <- struct{}{}:
		return func() { <-m.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close implements ledger.Store; the blocks stay.
func (m *Memory) Close() error { return nil }

// Fault is what a Faulty store does with one append.
type Fault int

// The faults.
const (
	Sound   Fault = iota // appends and answers
	Lost                 // appends, then answers with ErrFault
	Failed               // does not append, and answers with ErrFault
	Full                 // does not append, and answers with ledger.ErrFull
	Stolen               // another writer appends first, then answers with ErrFault
	Crossed              // another writer appends first; the answer is the store's
)

// ErrFault is a fault that was asked for.
var ErrFault = errors.New("ledgertest: fault")

// Faulty is a store whose appends go wrong as they are told to, and then go well.
type Faulty struct {
	ledger.Store
	// Steal makes the block that another writer appends after a head.
	Steal func(ledger.Head) *ledger.Block

	mu    sync.Mutex
	plan  []Fault
	blind int // how many reads fail
}

// Plan sets what the next appends do, and how many reads of blocks fail.
func (f *Faulty) Plan(blind int, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.blind = faults, blind
}

// Left returns how many of the planned faults have not come to pass.
func (f *Faulty) Left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.plan)
}

func (f *Faulty) next() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.plan) == 0 {
		return Sound
	}
	v := f.plan[0]
	f.plan = f.plan[1:]
	return v
}

// Append implements ledger.Store, with the fault that is next.
func (f *Faulty) Append(ctx context.Context, b *ledger.Block) error {
	switch f.next() {
	case Lost:
		return errors.Join(ErrFault, f.Store.Append(ctx, b))
	case Failed:
		return ErrFault
	case Full:
		return ledger.ErrFull
	case Stolen:
		return errors.Join(ErrFault, f.steal(ctx))
	case Crossed:
		if err := f.steal(ctx); err != nil {
			return err
		}
	}
	return f.Store.Append(ctx, b)
}

// Room implements ledger.Roomy: there is none before an append that is planned to find none.
func (f *Faulty) Room(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.plan) > 0 && f.plan[0] == Full {
		return ledger.ErrFull
	}
	return nil
}

func (f *Faulty) steal(ctx context.Context) error {
	h, err := f.Store.Head(ctx)
	if err != nil {
		return err
	}
	return f.Store.Append(ctx, f.Steal(h))
}

// Blocks implements ledger.Store.
func (f *Faulty) Blocks(ctx context.Context, after uint64) iter.Seq2[*ledger.Block, error] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blind > 0 {
		f.blind--
		return func(yield func(*ledger.Block, error) bool) { yield(nil, ErrFault) }
	}
	return f.Store.Blocks(ctx, after)
}
