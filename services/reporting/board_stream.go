package reporting

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// lastOf is the number that the stream ends with, 0 when there is none.
func (d *Board) lastOf(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, boardWithin)
	defer cancel()
	s, err := d.js.Stream(ctx, stream.ProgressName(d.epoch))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// begin makes sure of the stream, and returns the subjects that it has and where it
// ends.
func (d *Board) begin(ctx context.Context) (map[string]uint64, error) {
	if err := stream.EnsureStreams(ctx, d.js, d.epoch, d.replicas); err != nil {
		return nil, err
	}
	last, err := d.lastOf(ctx)
	if err != nil {
		return nil, err
	}
	d.last = last
	return stream.Subjects(ctx, d.js, stream.ProgressName(d.epoch))
}

// send publishes a page and waits until all of it is stored.
func (d *Board) send(ctx context.Context, messages []*nats.Msg) error {
	name := stream.ProgressName(d.epoch)
	stored := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.Header[nats.ExpectedStreamHdr] = []string{name}
		m.Header[nats.ExpectedLastSeqHdr] = []string{strconv.FormatUint(d.last+uint64(i), 10)}
		var err error
		if stored[i], err = d.js.PublishMsgAsync(m); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, boardWithin)
	defer cancel()
	for _, f := range stored {
		select {
		case <-f.Ok():
			d.last++
		case err := <-f.Err():
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// sign shows the other replicas that this one publishes.
func (d *Board) sign(ctx context.Context) error {
	return d.send(ctx, []*nats.Msg{{Subject: stream.BoardSubject(d.epoch)}})
}

// name looks up the source of what is published. An empty log has none yet.
func (d *Board) name(ctx context.Context) error {
	if d.source != "" {
		return nil
	}
	o, err := d.engine.Origin(ctx, d.epoch)
	if errors.Is(err, ledger.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	d.source = source(o)
	return nil
}

// foreign reports whether a message was refused because another replica had published.
func foreign(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// read makes the messages of a page of figures.
func (d *Board) read(ctx context.Context, keys []book.FigureKey) (out []*nats.Msg, err error) {
	err = d.engine.View(ctx, 0, func(b *book.Book) error {
		for _, k := range keys {
			m, err := d.message(b.Moved(k))
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// readStale makes the messages of subjects that the board no longer has: of totals
// that are gone, of units that nothing stands below any more, and of places where a
// unit no longer stands, at which there is nothing.
func (d *Board) readStale(ctx context.Context, subjects []string) (out []*nats.Msg, err error) {
	err = d.engine.View(ctx, 0, func(b *book.Book) error {
		for _, subject := range subjects {
			// cotmoc.<programme>.progress.changed.<target>.<path>
			parts := strings.SplitN(subject, ".", 6)
			if len(parts) < 6 {
				continue
			}
			k, known := b.FigureKeyOf(parts[1], parts[4], parts[5][strings.LastIndexByte(parts[5], '.')+1:])
			if !known {
				continue // not of this log
			}
			target, path, total, q := b.Moved(k)
			if path != parts[5] {
				path, total, q = parts[5], book.Tally{}, book.Exact
			}
			m, err := d.message(target, path, total, q)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// errBoardEpoch says that the log began a new epoch while the board was published.
var errBoardEpoch = errors.New("the log began a new epoch")

// errNameless says that the log got its first event while the board was published.
var errNameless = errors.New("the source of the board is not known yet")

// message is a total as it is published. It is called while the book is read.
func (d *Board) message(m *book.Measure, path string, total book.Tally, q book.Qualifier) (*nats.Msg, error) {
	head := d.engine.Head()
	if head.Epoch != d.epoch {
		return nil, errBoardEpoch
	}
	if d.source == "" {
		return nil, errNameless
	}
	p := &eventv1.ProgressChanged{Programme: m.Programme(), Target: m.ID(), Path: path,
		Current: total.Proto(), Qualifier: q.Proto(), Sequence: head.Sequence, Epoch: head.Epoch}
	subject, err := event.ProgressSubject(p)
	if err != nil {
		return nil, err
	}
	id := event.Identity{Source: d.source, Epoch: head.Epoch, ID: progressID(head, subject)}
	data, err := proto.Marshal(p)
	return &nats.Msg{Subject: subject, Header: event.ProgressHeader(p, id, head.Time), Data: data}, err
}
