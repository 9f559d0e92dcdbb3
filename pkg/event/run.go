package event

import (
	"context"
	"errors"
	"fmt"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Sizes and times of reading the stream and the log.
const (
	fetchSize      = 500
	fetchWait      = 3 * time.Second
	fetchHeartbeat = time.Second
	pageSize       = 1000
	fillTries      = 20
)

// run is one Run of a Subscriber.
type run struct {
	Config
	handle Handler
	track  *track
	stream uint32 // epoch of the stream that is read
	given  given
}

// follow reads the stream until something is wrong with it or ctx ends.
func (r *run) follow(ctx context.Context) error {
	if r.Conn == nil {
		return nil
	}
	if !r.Conn.IsConnected() {
		return errors.New("no connection to NATS")
	}
	c, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	r.given.from(c)
	if c.CachedInfo().Delivered.Stream > r.track.at.Sequence {
		// It stands ahead of the position, or waits for acks of a reader that ended.
		if err := r.catchUp(ctx, 0); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		n, err := r.fetch(ctx, c)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		// Nothing new, or the end was lost.
		if err := r.catchUp(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// consumer finds the consumer that the service keeps for the subscription.
func (r *run) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req := &reportingv1.EnsureSubscriptionRequest{Subscription: r.Subscription, Subjects: r.Subjects, AfterSequence: r.track.at.Sequence}
	if r.ForgetAfter > 0 {
		req.ForgetAfter = durationpb.New(r.ForgetAfter)
	}
	resp, err := r.Events.EnsureSubscription(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ensure subscription: %w", err)
	}
	if err := r.checkEpoch(resp.GetEpoch()); err != nil {
		return nil, err
	}
	r.stream = resp.GetEpoch()
	js, err := jetstream.New(r.Conn)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	c, err := js.Consumer(ctx, resp.GetStream(), resp.GetConsumer())
	if err != nil {
		return nil, fmt.Errorf("open consumer %s of %s: %w", resp.GetConsumer(), resp.GetStream(), err)
	}
	return c, nil
}

// fetch takes in what the consumer has next and returns how many messages came.
func (r *run) fetch(ctx context.Context, c jetstream.Consumer) (int, error) {
	return fetchEach(ctx, c, func(m jetstream.Msg) error {
		missed, err := r.given.missed(m)
		if err != nil {
			return err
		}
		if missed {
			r.Log.InfoContext(ctx, "messages did not arrive; reading the log", "subscription", r.Subscription, "sequence", r.track.at.Sequence)
			if err := r.catchUp(ctx, 0); err != nil {
				return err
			}
		}
		if err := r.message(ctx, m); err != nil {
			return err
		}
		// A lost ack brings the message again, and it is dropped then.
		_ = m.Ack()
		return nil
	})
}

// message deals with a message of the stream. What cannot be read, or does not
// stand under its own number, is read from the log.
func (r *run) message(ctx context.Context, m jetstream.Msg) error {
	md, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("message on %s: %w", m.Subject(), err)
	}
	e, err := Decode(m.Data())
	if err == nil && e.GetSequence() != md.Sequence.Stream {
		err = fmt.Errorf("it holds event %d", e.GetSequence())
	}
	if err != nil {
		r.report(ctx, "a message of the stream is damaged; reading the log", fmt.Errorf("message %d: %w", md.Sequence.Stream, err))
		return r.catchUp(ctx, md.Sequence.Stream)
	}
	if !MatchAny(r.Subjects, m.Subject()) {
		return nil // the consumer was made with other filters
	}
	return r.take(withIdentity(ctx, identityOf(m.Headers())), m.Subject(), e)
}

// fetchEach gives f the messages of one request, until f fails, and counts them.
func fetchEach(ctx context.Context, c jetstream.Consumer, f func(jetstream.Msg) error) (int, error) {
	wait, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := c.Fetch(fetchSize, jetstream.FetchContext(wait), jetstream.FetchHeartbeat(fetchHeartbeat))
	if err != nil {
		return 0, fmt.Errorf("fetch: %w", err)
	}
	n := 0
	for m := range batch.Messages() {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		n++
		if err := f(m); err != nil {
			return n, err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return n, fmt.Errorf("fetch: %w", err)
	}
	return n, nil
}

// take deals with an event of the stream.
func (r *run) take(ctx context.Context, subject string, e *eventv1.Event) error {
	if r.stream != r.track.at.Epoch {
		return fmt.Errorf("the stream that is read is of epoch %d, the log of %d", r.stream, r.track.at.Epoch)
	}
	if e.GetEpoch() > r.track.at.Epoch { // earlier ones are part of the log of this epoch
		return r.checkEpoch(e.GetEpoch())
	}
	switch r.track.judge(subject, e) {
	case old:
		return nil
	case gap:
		r.Log.InfoContext(ctx, "events are missing in the stream; reading them from the log",
			"subscription", r.Subscription, "sequence", r.track.at.Sequence, "next", e.GetSequence())
		if err := r.catchUp(ctx, e.GetSequence()); err != nil {
			return fmt.Errorf("fill the gap before event %d: %w", e.GetSequence(), err)
		}
		return nil
	case late:
		if err := r.fillSubject(ctx, subject, e); err != nil {
			return fmt.Errorf("fill the gap before event %d on %s: %w", e.GetSequence(), subject, err)
		}
	}
	return r.deliver(ctx, subject, e)
}

// deliver hands an event over until it is taken or set aside, and saves the position.
func (r *run) deliver(ctx context.Context, subject string, e *eventv1.Event) error {
	pause := firstPause
	for attempts := int32(1); ; attempts++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.handle(ctx, e)
		if err == nil {
			break
		}
		if r.MaxAttempts > 0 && attempts >= r.MaxAttempts && ctx.Err() == nil {
			if err = r.setAside(ctx, e.GetSequence(), attempts, err); err == nil {
				break
			}
			if final(err) {
				return err
			}
		}
		r.report(ctx, "the handler failed; it is given the same event again", err)
		pause = sleep(ctx, pause)
	}
	return r.passed(ctx, subject, e)
}

// passed notes that an event was handled or set aside, and saves the position.
func (r *run) passed(ctx context.Context, subject string, e *eventv1.Event) error {
	before := r.track.at
	r.track.handled(subject, e)
	if r.track.at == before {
		return nil // one that came late
	}
	return r.save(ctx)
}

// save keeps the position. It is tried to the end even when ctx ends just now, for
// the event was handled.
func (r *run) save(ctx context.Context) error {
	for pause := firstPause; ; pause = sleep(ctx, pause) {
		try, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		err := r.Positions.Save(try, r.track.at)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		r.report(ctx, "the position was not saved; trying again", err)
	}
}

// checkEpoch compares the log's epoch with that of the position; the first one is
// taken. A replica that is behind may still be at an earlier one.
func (r *run) checkEpoch(epoch uint32) error {
	if r.track.at.Sequence == 0 {
		r.track.at.Epoch = epoch
	}
	if epoch < r.track.at.Epoch {
		return fmt.Errorf("the replica asked is at epoch %d of the log, the position at %d", epoch, r.track.at.Epoch)
	}
	if epoch > r.track.at.Epoch {
		return fmt.Errorf("%w: the log has %d, the position %d", ErrEpoch, epoch, r.track.at.Epoch)
	}
	return nil
}
