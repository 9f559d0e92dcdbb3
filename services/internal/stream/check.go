package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
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

const (
	// So many messages are read one by one; for more, a consumer is made.
	fewMessages = 16
	// lookBackWithin is how long it may take to compare what may have got in unseen.
	lookBackWithin = time.Minute
)

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
		if err == nil {
			err = r.lookBack(ctx, last)
		}
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
	r.rejected, r.looked = 0, true
	return r.inspect(ctx)
}

// lookBack compares with the log what may have got into the stream unseen. That is the
// message under a number that was taken when this relay published it: others may have
// published more after it. And, when the relay begins, the last ones: an earlier process
// may have ended before it looked.
func (r *Relay) lookBack(ctx context.Context, last uint64) error {
	first, to := last+1, last
	switch {
	case !r.looked:
		first = last - min(last, groupMessages*window) + 1
	case r.rejected > 0:
		first, to = r.published.Load()+1, min(last, r.rejected)
		if to == last {
			to-- // it was just compared
		}
	}
	if first <= to {
		if err := r.compareRange(ctx, first, to); err != nil {
			return err
		}
	}
	r.looked, r.rejected = true, 0
	return nil
}

// compareRange compares messages of the stream with the log.
func (r *Relay) compareRange(ctx context.Context, first, last uint64) error {
	ctx, cancel := context.WithTimeout(ctx, lookBackWithin)
	defer cancel()
	s, err := r.js.Stream(ctx, r.name)
	if err != nil {
		return fmt.Errorf("look at stream %s: %w", r.name, err)
	}
	first = max(first, s.CachedInfo().State.FirstSeq)
	origin, err := r.cfg.Source.Origin(ctx, r.epoch)
	if err != nil {
		return fmt.Errorf("look where epoch %d began: %w", r.epoch, err)
	}
	events, stop := iter.Pull2(eventsFrom(ctx, r.cfg.Source, first))
	defer stop()
	judge := func(m *jetstream.RawStreamMsg) error {
		e, err, ok := events()
		if err != nil || !ok {
			return errors.Join(fmt.Errorf("the log has no event %d", m.Sequence), err)
		}
		e.Origin = origin
		return r.judge(m, e)
	}
	if last > first+fewMessages {
		return readRange(ctx, r.js, r.name, first, last, judge)
	}
	for n := first; n <= last; n++ {
		m, err := s.GetMsg(ctx, n)
		if err != nil {
			return fmt.Errorf("read message %d of stream %s: %w", n, r.name, err)
		}
		if err := judge(m); err != nil {
			return err
		}
	}
	return nil
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
		return r.later(ctx, newest)
	}
	if r.cfg.Source.Head().Epoch != r.epoch {
		return errEpoch
	}
	return nil
}

// later says what a stream of a later epoch means.
func (r *Relay) later(ctx context.Context, epoch uint32) error {
	name := FactsName(epoch)
	s, err := r.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("look at stream %s: %w", name, err)
	}
	var ours bool
	if last := s.CachedInfo().State.LastSeq; last > 0 {
		m, err := s.GetMsg(ctx, last)
		if err != nil {
			return fmt.Errorf("read message %d of stream %s: %w", last, name, err)
		}
		ours = sealed(r.cfg.Key, name, m.Sequence, m.Subject, m.Header, m.Data)
	}
	if !ours {
		return fmt.Errorf("%w: there is stream %s, which no relay of this log filled, and the log is of epoch %d; find who made it, and delete that stream",
			errTampered, name, r.epoch)
	}
	return fmt.Errorf("%w: there is stream %s, the log is of epoch %d; was the log restored from a backup? declare new epochs up to %d",
		errRestored, name, r.epoch, epoch+1)
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
	if c := info.Config; c.Mirror != nil || len(c.Sources) > 0 || c.RePublish != nil || c.SubjectTransform != nil {
		return 0, fmt.Errorf("%w: stream %s was told to copy, rename or publish messages by itself; find who did, and delete the stream: it is made of the log again", errTampered, r.name)
	}
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
	return last, r.compare(ctx, msg)
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
func (r *Relay) compare(ctx context.Context, m *jetstream.RawStreamMsg) error {
	n := m.Sequence
	if r.cfg.Source.Head().Sequence < n {
		if err := r.cfg.Source.Fresh(ctx); err != nil {
			return fmt.Errorf("look whether the log has event %d: %w", n, err)
		}
	}
	if h := r.cfg.Source.Head(); h.Sequence < n {
		return r.differs(m, fmt.Sprintf("stream %s is at %d, ahead of the log at %d", r.name, n, h.Sequence))
	}
	e, err := r.eventAt(ctx, n)
	if err != nil {
		return err
	}
	return r.judge(m, e)
}

// judge holds a message against the event of its number.
func (r *Relay) judge(m *jetstream.RawStreamMsg, e Event) error {
	if !bytes.Equal(e.Data, m.Data) || r.another(e, m.Header) {
		return r.differs(m, fmt.Sprintf("message %d of stream %s is not event %d of the log", m.Sequence, r.name, m.Sequence))
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

// differs says why a message is not of the log: what a relay of this log wrote, the log
// had once.
func (r *Relay) differs(m *jetstream.RawStreamMsg, how string) error {
	if sealed(r.cfg.Key, r.name, m.Sequence, m.Subject, m.Header, m.Data) {
		return fmt.Errorf("%w: %s; was the log restored from a backup? declare a new epoch", errRestored, how)
	}
	return fmt.Errorf("%w: %s, and no relay of this log wrote message %d (subject %s); find who did, and delete the stream: it is made of the log again",
		errTampered, how, m.Sequence, m.Subject)
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
