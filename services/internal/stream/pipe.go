package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/services/internal/failpoint"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

const (
	// Room is counted in groups of messages, and so many groups may be unanswered.
	groupMessages = 64
	groupBytes    = 64 << 10
	window        = 64
)

// pipe publishes consecutive events without waiting for each answer. It belongs to
// one session and ends with the first answer that is not as it should be. Each message
// is answered: where somebody else wrote one under its number, those after it would be
// taken in all the same, for each only names the number before its own.
type pipe struct {
	r      *Relay
	sealer *sealer
	sub    *nats.Subscription
	prefix string // of the subjects of answers: a number, and groupEnd where a group ends
	fail   context.CancelCauseFunc

	held  *nats.Msg // the next to go; held back until it is known whether it is the last
	sent  uint64    // number of the last message that was sent or is held
	count int       // messages in the group so far
	bytes int       // their size
	asked uint64    // groups that were sent

	next     uint64        // number that is answered next; of the subscription's goroutine
	answers  atomic.Uint64 // groups that were answered
	progress atomic.Int64  // when one last was, or was sent when none was due, in Unix nanoseconds
	room     chan struct{} // holds one when an answer came
}

// groupEnd marks the answer by which a group is done.
const groupEnd = ".end"

func newPipe(r *Relay, at uint64, fail context.CancelCauseFunc) (*pipe, error) {
	p := &pipe{r: r, sealer: newSealer(r.cfg.Key), sent: at, next: at + 1, fail: fail, room: make(chan struct{}, 1), prefix: r.cfg.Conn.NewInbox() + "."}
	var err error
	if p.sub, err = r.cfg.Conn.Subscribe(p.prefix+">", p.answered); err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	return p, nil
}

func (p *pipe) close() { _ = p.sub.Unsubscribe() }

// fill publishes what the log has, at most until the given time. The last message
// ends its group.
func (p *pipe) fill(ctx context.Context, until time.Time) error {
	for b, err := range p.r.cfg.Source.Blocks(ctx, p.sent) {
		if err != nil {
			return fmt.Errorf("read the log after %d: %w", p.sent, err)
		}
		if b.Epoch > p.r.epoch {
			return errEpoch
		}
		if err := p.addAll(ctx, b); err != nil {
			return err
		}
		if time.Now().After(until) {
			break
		}
	}
	return p.send(ctx, true)
}

// addAll adds the events of a block that were not sent yet.
func (p *pipe) addAll(ctx context.Context, b *ledger.Block) error {
	origin, err := p.r.cfg.Source.Origin(ctx, p.r.epoch)
	if err != nil {
		return fmt.Errorf("look where epoch %d began: %w", p.r.epoch, err)
	}
	marks := b.Marks()
	for n := p.sent + 1; n <= b.End(); n++ {
		e := Event{Sequence: n, Mark: marks.Of(n), Origin: origin, Data: b.Entries[n-b.First].Event}
		if err := p.add(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// add sends the message that is held, and holds the next.
func (p *pipe) add(ctx context.Context, e Event) error {
	n := e.Sequence
	subject, header, err := p.r.cfg.Describe(e)
	if err != nil {
		return fmt.Errorf("%w: event %d has no subject: %w", errProblem, n, err)
	}
	if err := p.send(ctx, false); err != nil {
		return err
	}
	if header == nil {
		header = nats.Header{}
	}
	header[nats.ExpectedLastSeqHdr] = []string{strconv.FormatUint(n-1, 10)}
	header[nats.ExpectedStreamHdr] = []string{p.r.name}
	header[sealHeader] = []string{p.sealer.seal(p.r.name, n, subject, e.Data)}
	p.held, p.sent = &nats.Msg{Subject: subject, Header: header, Data: e.Data}, n
	return nil
}

// send publishes the message that is held. It ends its group where it is the last or
// the group is full.
func (p *pipe) send(ctx context.Context, last bool) error {
	if p.held == nil {
		return nil
	}
	p.count, p.bytes = p.count+1, p.bytes+len(p.held.Data)
	p.held.Reply = p.prefix + strconv.FormatUint(p.sent, 10)
	if last || p.count >= groupMessages || p.bytes >= groupBytes {
		if err := p.throttle(ctx); err != nil {
			return err
		}
		if p.answers.Load() == p.asked {
			p.progress.Store(time.Now().UnixNano())
		}
		p.held.Reply += groupEnd
		p.asked, p.count, p.bytes = p.asked+1, 0, 0
	}
	if err := p.r.cfg.Conn.PublishMsg(p.held); err != nil {
		return fmt.Errorf("publish event %d: %w", p.sent, err)
	}
	p.held = nil
	return failpoint.Hit(failpoint.StreamSent)
}

// throttle waits while too much is unanswered.
func (p *pipe) throttle(ctx context.Context) error {
	for p.asked-p.answers.Load() >= window {
		t := time.NewTimer(callTimeout)
		select {
		case <-p.room:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
			if err := p.overdue(); err != nil {
				return err
			}
		}
	}
	return nil
}

// overdue reports that an answer is due and none has come for too long.
func (p *pipe) overdue() error {
	since := time.Since(time.Unix(0, p.progress.Load()))
	if p.answers.Load() < p.asked && since >= callTimeout {
		return fmt.Errorf("no answer to events up to %d for %v", p.sent, since.Round(time.Second))
	}
	return nil
}

// ack is JetStream's answer to a publication.
type ack struct {
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
	Error  *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// rejectedError says that the stream did not take an event under its number.
type rejectedError struct {
	n   uint64
	err error
}

func (e *rejectedError) Error() string { return fmt.Sprintf("publish event %d: %v", e.n, e.err) }
func (e *rejectedError) Unwrap() error { return e.err }

// answered takes in one answer, on the subscription's goroutine.
func (p *pipe) answered(m *nats.Msg) {
	text, ends := strings.CutSuffix(strings.TrimPrefix(m.Subject, p.prefix), groupEnd)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return
	}
	if err := failpoint.Hit(failpoint.StreamBeforeAck); err != nil {
		p.fail(err)
		return
	}
	if err := accepted(m, n); err != nil {
		p.fail(&rejectedError{n, err})
		return
	}
	if n != p.next {
		p.fail(&rejectedError{p.next, fmt.Errorf("event %d was answered first", n)})
		return
	}
	p.next = n + 1
	p.r.published.Store(n)
	if !ends {
		return
	}
	p.r.well()
	p.progress.Store(time.Now().UnixNano())
	p.answers.Add(1)
	select {
	case p.room <- struct{}{}:
	default:
	}
}

func accepted(m *nats.Msg, n uint64) error {
	if len(m.Data) == 0 {
		return nats.ErrNoResponders
	}
	var a ack
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if a.Error != nil {
		return errors.New(a.Error.Description)
	}
	if a.Seq != n {
		return fmt.Errorf("stored as %d", a.Seq)
	}
	return nil
}
