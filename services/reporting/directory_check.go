package reporting

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// errUnfit says that the registry is there, and that the copy cannot go on from what
// it says: a person has to resolve that.
var errUnfit = errors.New("the registry cannot be followed")

// Problem says why the registry is not followed although it answers, in words for an
// operator; empty while all is well, or the registry is only away.
func (d *Directory) Problem() string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.problem
}

// unfit reports whether an error is one that a person has to resolve, and keeps it
// for Problem. It is logged once.
func (d *Directory) unfit(err error) bool {
	e, _ := apierr.Parse(err)
	if e.Reason == errorv1.Reason_REASON_REGISTRY_BEHIND {
		err = fmt.Errorf("%w: %s", errUnfit, e.Message)
	}
	if !errors.Is(err, errUnfit) {
		return false
	}
	d.mu.Lock()
	was := d.problem
	d.problem = err.Error()
	d.mu.Unlock()
	if was != err.Error() {
		d.log.Error("the registry is not followed", zap.Error(err))
	}
	return true
}

// indigestible is an error of the command that takes in changes from a revision on:
// one of what follows from them stays as it is, however often it is tried.
func indigestible(revision int64, err error) error {
	if !errors.Is(err, ledger.ErrPanic) && !errors.Is(err, ledger.ErrTooLarge) {
		return err
	}
	why, _, _ := strings.Cut(err.Error(), "\n") // without the stack
	return fmt.Errorf("%w: what follows from its changes from %d on cannot be taken in: %s", errUnfit, revision, why)
}

// behind says that the registry has less than the copy.
func behind(copied, head int64) error {
	return fmt.Errorf("%w: it is at revision %d, the copy at %d; was the registry restored from a backup?", errUnfit, head, copied)
}

// same checks that the registry's change is the one that the copy has under its number.
func same(own, other *registryv1.Change) error {
	if !proto.Equal(own, other) {
		return fmt.Errorf("%w: its change %d is not the one in the copy; was the registry restored from a backup?", errUnfit, own.GetRevision())
	}
	return nil
}

// lastChange is the newest change of the registry in the copy, nil when there is none.
// Each event carries the revision that was known before it, so halving the log finds it.
func (d *Directory) lastChange(ctx context.Context) (*registryv1.Change, error) {
	revision, head := d.Revision(ctx), d.engine.Head().Sequence
	if revision == 0 {
		return nil, nil
	}
	var failed error
	at := sort.Search(int(head), func(i int) bool {
		e, err := d.eventAt(ctx, uint64(i)+1)
		if err != nil {
			failed = err
			return true
		}
		return e.GetRegistryRevision() >= revision
	})
	if failed != nil {
		return nil, failed
	}
	e, err := d.eventAt(ctx, uint64(at)) // the last that was decided without it is itself
	if err != nil {
		return nil, err
	}
	if c := e.GetRegistryChanged().GetChange(); c.GetRevision() == revision {
		return c, nil
	}
	return nil, fmt.Errorf("event %d of the log is not change %d of the registry", at, revision)
}

func (d *Directory) eventAt(ctx context.Context, sequence uint64) (*eventv1.Event, error) {
	entry, _, err := d.engine.Entry(ctx, sequence)
	if err != nil {
		return nil, err
	}
	e := new(eventv1.Event)
	if err := proto.Unmarshal(entry.Event, e); err != nil {
		return nil, fmt.Errorf("decode event %d: %w", sequence, err)
	}
	return e, nil
}
