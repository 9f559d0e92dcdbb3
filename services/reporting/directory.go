package reporting

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// How the directory behaves when the registry is away or an id is unknown.
const (
	reconnectFirst = 50 * time.Millisecond
	reconnectMost  = 5 * time.Second
	catchUpWithin  = time.Second
)

// followBytes closes a command to the ledger: the rest of the changes goes into the
// next. One change can concern every unit there is, and a command is bounded.
const followBytes = 4 << 20

// Directory follows the registry: each of its changes becomes a command to the
// reporting ledger, in the order of revisions, and so part of the service's own
// durable copy. The service goes on working when the registry is away.
type Directory struct {
	engine   *Engine
	registry registryv1.RegistryServiceClient
	log      *zap.Logger

	mu      sync.Mutex
	joined  *catchUp // the catch-up under way, shared by all who wait
	synced  bool
	problem string
}

// catchUp is one look at where the registry is, and the wait for it.
type catchUp struct {
	done chan struct{}
	ok   bool
}

// NewDirectory returns a directory that follows a registry into an engine's ledger.
func NewDirectory(engine *Engine, registry registryv1.RegistryServiceClient, log *zap.Logger) *Directory {
	if log == nil {
		log = zap.NewNop()
	}
	return &Directory{engine: engine, registry: registry, log: log}
}

// Run follows until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	pause := reconnectFirst
	for ctx.Err() == nil {
		before := d.Revision(ctx)
		err := d.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if d.Revision(ctx) > before {
			pause = reconnectFirst
		}
		if !d.unfit(err) {
			d.log.Warn("the registry is away; going on with the copy", zap.Error(err), zap.Duration("again_in", pause))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, reconnectMost)
	}
}

// follow reads one watch until it ends.
func (d *Directory) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	own, err := d.lastChange(ctx)
	if err != nil {
		return err
	}
	// From the last change that is known: the registry must have the same.
	watch, err := d.registry.WatchRegistry(ctx, &registryv1.WatchRegistryRequest{AfterRevision: max(0, own.GetRevision()-1)})
	if err != nil {
		return err
	}
	for {
		msg, err := watch.Recv()
		if err != nil {
			return err
		}
		changes := msg.GetChanges()
		if own != nil && len(changes) > 0 {
			if err := same(own, changes[0]); err != nil {
				return err
			}
			own, changes = nil, changes[1:]
		}
		if own != nil {
			return behind(own.GetRevision(), msg.GetHeadRevision())
		}
		if err := d.take(ctx, changes); err != nil {
			return err
		}
		d.note(d.Revision(ctx) >= msg.GetHeadRevision())
	}
}

// take makes changes a part of the ledger, in as many commands as what follows from
// them needs.
func (d *Directory) take(ctx context.Context, changes []*registryv1.Change) error {
	for len(changes) > 0 {
		taken := 0
		if _, err := d.engine.Do(ctx, func(b *book.Book) error {
			taken = 0
			for size, seen := 0, len(b.Drafts()); taken < len(changes) && size < followBytes; taken++ {
				b.Registry(changes[taken])
				for _, e := range b.Drafts()[seen:] {
					size += len(e.Event)
				}
				seen = len(b.Drafts())
			}
			return nil
		}); err != nil {
			return indigestible(changes[0].GetRevision(), err)
		}
		if last := changes[taken-1].GetRevision(); d.Revision(ctx) < last {
			return fmt.Errorf("%w: change %d holds what this release does not know", errUnfit, d.Revision(ctx)+1)
		}
		changes = changes[taken:]
	}
	return nil
}

// note keeps that the registry is followed.
func (d *Directory) note(synced bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.synced, d.problem = d.synced || synced, ""
}

// Ready reports whether there is a copy to work with: a durable one, or one that
// was complete once since the start.
func (d *Directory) Ready(ctx context.Context) bool {
	d.mu.Lock()
	synced := d.synced
	d.mu.Unlock()
	return synced || d.Revision(ctx) > 0
}

// Revision is the newest registry revision in the copy.
func (d *Directory) Revision(ctx context.Context) (revision int64) {
	if err := d.engine.View(ctx, 0, func(b *book.Book) error {
		revision = b.RegistryRevision()
		return nil
	}); err != nil {
		return 0
	}
	return revision
}

// CatchUp brings the copy to the registry's present revision, within a second, and
// reports whether it grew to it. Callers at the same time share one look. A nil
// directory never catches up.
func (d *Directory) CatchUp(ctx context.Context) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	c := d.joined
	if c == nil {
		c = &catchUp{done: make(chan struct{})}
		d.joined = c
		go d.catchUp(c)
	}
	d.mu.Unlock()
	select {
	case <-c.done:
		return c.ok
	case <-ctx.Done():
		return false
	}
}

func (d *Directory) catchUp(c *catchUp) {
	ctx, cancel := context.WithTimeout(context.Background(), catchUpWithin)
	defer cancel()
	defer close(c.done)
	defer func() {
		d.mu.Lock()
		d.joined = nil
		d.mu.Unlock()
	}()
	was := d.Revision(ctx)
	watch, err := d.registry.WatchRegistry(ctx, &registryv1.WatchRegistryRequest{AfterRevision: was})
	if err != nil {
		return
	}
	first, err := watch.Recv()
	if err != nil {
		return
	}
	for { // by whichever replica the changes are taken in
		at := d.engine.Head().Sequence
		if d.Revision(ctx) >= first.GetHeadRevision() {
			c.ok = true
			return
		}
		if _, err := d.engine.Wait(ctx, at); err != nil {
			return
		}
	}
}
