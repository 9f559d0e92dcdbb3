package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/pkg/event"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// errMade ends a session in which the stream turned out to be gone or broken.
var errMade = errors.New("stream: to be made again")

// errHole is why, where messages are missing.
var errHole = fmt.Errorf("%w: it is broken", errMade)

// notAvailable is what JetStream answers for a stream that none of its servers leads.
const notAvailable jetstream.ErrorCode = 10008

// holeGrace is how long a stream with a hole is given to turn out whole.
const holeGrace = 500 * time.Millisecond

// check returns the number that the stream ends with, after making it where it is
// missing and again where it has a hole, or no leader for long. The last message is then
// the log's.
func (r *Relay) check(ctx context.Context) (uint64, error) {
	if err := r.latest(ctx); err != nil {
		r.leaderless = time.Time{} // NATS itself is away
		return 0, err
	}
	last, err := r.inspect(ctx)
	if errors.Is(err, errHole) {
		// A server that leads since a moment ago may not know all it has yet.
		select {
		case <-time.After(holeGrace):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		last, err = r.inspect(ctx)
	}
	abandoned := r.abandoned(err)
	if abandoned {
		err = fmt.Errorf("%w: no server leads it: %w", errMade, err)
	}
	if !errors.Is(err, errMade) {
		return last, err
	}
	level := zap.WarnLevel
	if r.published.Load() == 0 {
		level = zap.InfoLevel // the first time nothing was lost
	}
	r.log.Log(level, "relay makes the stream", zap.String("stream", r.name), zap.Error(err))
	if err := r.remake(ctx, abandoned); err != nil {
		return 0, fmt.Errorf("make stream %s: %w", r.name, err)
	}
	r.leaderless = time.Time{}
	r.rebuilt.Add(1)
	return r.inspect(ctx)
}

// abandoned reports whether a stream has been without a leader for long although the
// cluster has one, which was asked just before. Its servers do not find one again after
// they lost, all at once, what they had not synced; nor while most of them are gone.
func (r *Relay) abandoned(err error) bool {
	var api *jetstream.APIError
	switch {
	case err == nil || errors.Is(err, errMade) || errors.Is(err, errProblem):
		r.leaderless = time.Time{}
	case errors.As(err, &api) && api.ErrorCode == notAvailable:
		if r.leaderless.IsZero() {
			r.leaderless = time.Now()
		}
		return time.Since(r.leaderless) >= r.cfg.Leaderless
	}
	return false
}

// latest checks that there is no stream of a later epoch than the log's: either this
// replica's log is behind, or the log was restored to before that epoch.
func (r *Relay) latest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	all, err := factsFamily().epochs(ctx, r.js)
	if err != nil || len(all) == 0 {
		return err
	}
	newest := all[len(all)-1]
	if newest > r.cfg.Source.Head().Epoch {
		if err := r.cfg.Source.Fresh(ctx); err != nil {
			return fmt.Errorf("look whether the log is of epoch %d: %w", newest, err)
		}
	}
	if newest > r.cfg.Source.Head().Epoch {
		return fmt.Errorf("%w: there is stream %s, the log is of epoch %d; was the log restored from a backup? declare new epochs up to %d",
			errProblem, FactsName(newest), r.epoch, newest+1)
	}
	if r.cfg.Source.Head().Epoch != r.epoch {
		return errEpoch
	}
	return nil
}

// watch looks at the stream while messages may be under way.
func (r *Relay) watch(ctx context.Context) error {
	seen := r.Published()
	last, err := r.inspect(ctx)
	if err == nil && last < seen {
		return fmt.Errorf("stream %s went back from %d to %d", r.name, seen, last)
	}
	return err
}

// inspect returns the number that the stream ends with, or errMade or errProblem.
func (r *Relay) inspect(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := r.js.Stream(ctx, r.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, fmt.Errorf("%w: it is not there", errMade)
	}
	if err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", r.name, err)
	}
	info := s.CachedInfo()
	if why := hole(info); why != "" {
		return 0, fmt.Errorf("%w: %s", errHole, why)
	}
	last := info.State.LastSeq
	if last == 0 {
		return 0, nil
	}
	msg, err := s.GetMsg(ctx, last)
	if err != nil {
		return 0, fmt.Errorf("read message %d of stream %s: %w", last, r.name, err)
	}
	return last, r.compare(ctx, last, msg)
}

// hole says what is missing in the stream, nothing when it is whole.
func hole(info *jetstream.StreamInfo) string {
	st := info.State
	switch {
	case st.LastSeq == 0:
		return ""
	case st.NumDeleted > 0:
		return fmt.Sprintf("%d messages are missing", st.NumDeleted)
	case st.Msgs == 0 || st.Msgs != st.LastSeq-st.FirstSeq+1:
		return fmt.Sprintf("it has %d messages from %d to %d", st.Msgs, st.FirstSeq, st.LastSeq)
	case st.FirstSeq > 1 && info.Config.MaxBytes > 0 && st.Bytes < uint64(info.Config.MaxBytes)/2:
		// The oldest go when there is no room, and there is.
		return fmt.Sprintf("it begins with %d", st.FirstSeq)
	}
	return ""
}

// compare holds a message against the log. A replica that is behind does not know the
// log's end: only the store can tell that the stream is ahead of it.
func (r *Relay) compare(ctx context.Context, n uint64, msg *jetstream.RawStreamMsg) error {
	if r.cfg.Source.Head().Sequence < n {
		if err := r.cfg.Source.Fresh(ctx); err != nil {
			return fmt.Errorf("look whether the log has event %d: %w", n, err)
		}
	}
	if h := r.cfg.Source.Head(); h.Sequence < n {
		return fmt.Errorf("%w: stream %s is at %d, ahead of the log at %d; was the log restored from a backup? declare a new epoch", errProblem, r.name, n, h.Sequence)
	}
	e, err := r.eventAt(ctx, n)
	if err != nil {
		return err
	}
	if !bytes.Equal(e.Data, msg.Data) || r.another(e, msg.Header) {
		return fmt.Errorf("%w: message %d of stream %s is not event %d of the log; was the log restored from a backup? declare a new epoch", errProblem, n, r.name, n)
	}
	return nil
}

// another reports whether a message with an event's bytes is about another event: where a
// clock is set by hand, a restored log may go on with the bytes of what was lost. A message
// of another source tells nothing: releases before had one source for all.
func (r *Relay) another(e Event, have nats.Header) bool {
	_, want, err := r.cfg.Describe(e)
	return err == nil && want.Get(event.HeaderSource) == have.Get(event.HeaderSource) &&
		want.Get(event.HeaderID) != have.Get(event.HeaderID)
}

// eventAt reads one event of the log, as it would be published.
func (r *Relay) eventAt(ctx context.Context, n uint64) (Event, error) {
	origin, err := r.cfg.Source.Origin(ctx, r.epoch)
	if err != nil {
		return Event{}, fmt.Errorf("look where epoch %d began: %w", r.epoch, err)
	}
	for b, err := range r.cfg.Source.Blocks(ctx, n-1) {
		if err != nil {
			return Event{}, fmt.Errorf("read event %d: %w", n, err)
		}
		if b.First <= n && n <= b.End() {
			return Event{Sequence: n, Mark: b.Marks().Of(n), Origin: origin, Data: b.Entries[n-b.First].Event}, nil
		}
		break
	}
	return Event{}, fmt.Errorf("read event %d: %w", n, ledger.ErrAbsent)
}

// remake deletes the stream, if it was abandoned or still has a hole, and makes an empty
// one. Another relay may be doing the same.
func (r *Relay) remake(ctx context.Context, abandoned bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	gone := abandoned
	if !gone {
		s, err := r.js.Stream(ctx, r.name)
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		gone = err == nil && hole(s.CachedInfo()) != ""
	}
	if gone {
		if err := r.js.DeleteStream(ctx, r.name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
	}
	return ensure(ctx, r.js, factsFamily(), r.epoch, r.cfg.Replicas)
}
