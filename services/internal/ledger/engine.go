package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Config says what an engine works on. Store and Empty are required.
type Config[S State[S]] struct {
	// Store holds the log. The engine does not close it.
	Store Store
	// Empty returns the state of an empty log.
	Empty func() S
	// ImagePath is the file that images are written to; none are when it is empty.
	// Images of former times are kept beside it, with their entry's number after a
	// dot: the first of each calendar month, and what KeepImage was called for, 60
	// at most. All of them are caches.
	ImagePath string
	// ImageEvery is the number of events from one image to the next, 500,000 by default.
	ImageEvery uint64
	// Scratch is how many past states are remembered, 4 by default. Each may take as
	// much memory as the book.
	Scratch int
	// Queue is how many commands may wait before callers get ErrBusy, 8,192 by default.
	Queue int
	// MaxBlock is the most commands that go into one block, 4,096 by default. A
	// block is also closed when its events reach 4 MiB.
	MaxBlock int
	// Now is the time that blocks are stamped with; the store's when it is nil.
	Now func() time.Time
	// Follow says that other engines may append to the same store: the state then
	// follows their blocks, for which it looks each 20 ms, and a command that yields
	// no event is decided on the store's present head. Engines that meet each other's
	// blocks take turns where the store is a Turner.
	Follow bool
	// Level is the highest level that this release reads and writes, the constant
	// Level by default. Blocks are written with the log's own level, which only
	// Declare raises; an empty log begins with this one.
	Level uint32
	// Log gets what goes wrong in the background; nothing is logged when it is nil.
	Log *zap.Logger
}

const (
	defaultImageEvery = 500_000
	defaultScratch    = 4
	defaultQueue      = 8192
	defaultMaxBlock   = 4096
	maxBlockBytes     = 4 << 20
	dueEvery          = time.Second
	followEvery       = 20 * time.Millisecond
)

func (c *Config[S]) defaults() {
	if c.ImageEvery == 0 {
		c.ImageEvery = defaultImageEvery
	}
	if c.Scratch <= 0 {
		c.Scratch = defaultScratch
	}
	if c.Queue <= 0 {
		c.Queue = defaultQueue
	}
	if c.MaxBlock <= 0 {
		c.MaxBlock = defaultMaxBlock
	}
	if c.Level == 0 {
		c.Level = Level
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
}

// Engine is a log and the state that it adds up to. All methods may be called at
// the same time.
type Engine[S State[S]] struct {
	cfg    Config[S]
	log    *zap.Logger
	writer uint64 // marks this engine's blocks

	mu    sync.RWMutex // state: readers and deciding against Merge and Freeze
	state S
	head  atomic.Pointer[Head] // set under mu

	recent  recent
	changed broadcast

	intake  sync.RWMutex // closed against sends to queue
	closed  bool
	queue   chan *command[S]
	pending []*command[S] // the loop's: taken from the queue, not answered
	width   int           // the loop's: how many commands waited for the last block
	more    bool          // the loop's: after the last block more was due
	pool    sync.Pool
	sulk    atomic.Bool // Tick failed, and is not called again before the next ticker
	linker  linker
	turns   turns         // the loop's
	look    chan struct{} // holds one when a reader waits for another writer's block
	contact contact
	room    room
	lags    lags

	ctx    context.Context // the loop's; ends when Close gives up
	cancel context.CancelCauseFunc
	stop   chan struct{}
	done   chan struct{}
	broken atomic.Pointer[error]

	imaging sync.WaitGroup
	writing atomic.Bool
	imaged  atomic.Uint64
	keeping sync.Mutex // kept images, against two who write them

	past past[S]

	counts counts
}

// Open loads the image, if it is of this state's fold and the store's chain agrees
// with it, replays the rest of the log while checking its chain, and starts the
// writer loop. A log that does not hold gives an error that wraps ErrDamaged.
func Open[S State[S]](ctx context.Context, cfg Config[S]) (*Engine[S], error) {
	if cfg.Store == nil || cfg.Empty == nil {
		return nil, errors.New("ledger: open without a store or a state")
	}
	cfg.defaults()
	e := &Engine[S]{
		cfg: cfg, log: cfg.Log, writer: rand.Uint64(),
		queue: make(chan *command[S], cfg.Queue),
		stop:  make(chan struct{}), done: make(chan struct{}), look: make(chan struct{}, 1),
		linker: linker{level: cfg.Level}, contact: contact{began: time.Now()},
	}
	e.pool.New = func() any { return &command[S]{done: make(chan answer, 1)} }
	state, head, err := e.restore(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	e.state = state
	e.head.Store(&head)
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	go e.loop()
	return e, nil
}

// restore returns the state at the log's end, from the image and the log after it.
func (e *Engine[S]) restore(ctx context.Context) (S, Head, error) {
	began := time.Now()
	state, from, err := e.loadImage(ctx)
	if err != nil {
		return state, Head{}, err
	}
	head, err := e.replay(ctx, state, from, ^uint64(0))
	if err != nil {
		return state, Head{}, fmt.Errorf("replay after entry %d: %w", from.Sequence, err)
	}
	e.imaged.Store(from.Sequence)
	e.log.Info("ledger open", zap.Uint64("sequence", head.Sequence), zap.Uint64("image", from.Sequence),
		zap.Uint64("replayed", head.Sequence-from.Sequence), zap.Duration("took", time.Since(began)))
	return state, head, nil
}

// Close takes no more commands, answers those that wait, and writes an image of the
// log's end. When ctx ends first, what could not be
// settled is given up: its callers get ErrUnknown or ErrStopped. The store stays open.
func (e *Engine[S]) Close(ctx context.Context) error {
	e.intake.Lock()
	first := !e.closed
	e.closed = true
	e.intake.Unlock()
	if first {
		close(e.stop)
	}
	var err error
	select {
	case <-e.done:
	case <-ctx.Done():
		err = fmt.Errorf("close ledger: %w", context.Cause(ctx))
		e.cancel(ErrStopped)
		<-e.done
	}
	e.cancel(ErrStopped)
	e.imaging.Wait()
	e.past.end()
	if first {
		e.lastImage()
	}
	return err
}

// Err returns nil while the engine can append, and else why it no longer can, which
// wraps ErrEnded: a block of another writer that this state cannot digest or this
// release cannot read, or a log that lost what was committed.
func (e *Engine[S]) Err() error {
	if p := e.broken.Load(); p != nil {
		return *p
	}
	return nil
}

func (e *Engine[S]) fail(err error) error {
	err = fmt.Errorf("%w: %w", ErrEnded, err)
	if e.broken.CompareAndSwap(nil, &err) {
		e.log.Error("ledger can no longer append", zap.Error(err))
	}
	return err
}

// Stats counts what an engine did since it was opened.
type Stats struct {
	Waiting   int    // commands in the queue now
	Commands  uint64 // commands answered
	Blocks    uint64 // blocks appended by this engine
	Entries   uint64 // entries in them
	Conflicts uint64 // blocks decided again because another writer came first
	Unsettled uint64 // appends whose outcome had to be read back
	Imaged    uint64 // sequence of the last image
	Rebuilt   uint64 // past states built
	Reapplied uint64 // entries applied for them
	Turns     uint64 // turns taken
	Followed  uint64 // blocks of other writers taken in
	Lags      Lags   // how late those were; of a Follow engine whose time is the store's
}

type counts struct{ commands, blocks, entries, conflicts, unsettled, rebuilt, reapplied, turns, followed atomic.Uint64 }

// Stats returns the counts so far.
func (e *Engine[S]) Stats() Stats {
	c := &e.counts
	return Stats{
		Waiting: len(e.queue), Commands: c.commands.Load(), Blocks: c.blocks.Load(), Entries: c.entries.Load(),
		Conflicts: c.conflicts.Load(), Unsettled: c.unsettled.Load(), Imaged: e.imaged.Load(),
		Rebuilt: c.rebuilt.Load(), Reapplied: c.reapplied.Load(),
		Turns: c.turns.Load(), Followed: c.followed.Load(), Lags: e.lags.read(),
	}
}

// broadcast wakes all that wait for the next change.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that is closed at the next change.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) fire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
