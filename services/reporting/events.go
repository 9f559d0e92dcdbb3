package reporting

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Bounds of one answer of ListEvents; the second also of ListCellHistory.
const (
	maxScanned   = 20_000
	maxListBytes = 2 << 20
)

// ListEvents lists events from the log.
func (s *Service) ListEvents(ctx context.Context, req *reportingv1.ListEventsRequest) (*reportingv1.ListEventsResponse, error) {
	if err := checkSubjects(req.GetSubjects()); err != nil {
		return nil, err
	}
	sight, err := auth.SightOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.view(ctx, req.GetMinSequence(), func(*book.Book) error { return nil }); err != nil {
		return nil, err
	}
	head := s.engine.Head()
	resp := &reportingv1.ListEventsResponse{LastSequence: req.GetAfterSequence(), HeadSequence: head.Sequence, Epoch: head.Epoch}
	if head.Sequence > 0 {
		origin, err := s.engine.Origin(ctx, head.Epoch)
		if err != nil {
			return nil, fmt.Errorf("look where epoch %d began: %w", head.Epoch, err)
		}
		resp.Source = source(origin)
	}
	l := listing{resp: resp, sight: sight, subjects: req.GetSubjects(), limit: pageSize(req.GetPageSize())}
	if req.GetAfterSequence() >= head.Sequence {
		return resp, nil
	}
	if err := s.oneHistory(); err != nil {
		return nil, err
	}
	for block, err := range s.engine.Blocks(ctx, req.GetAfterSequence()) {
		if err != nil {
			return nil, fmt.Errorf("list events after %d: %w", req.GetAfterSequence(), err)
		}
		more, err := l.takeAll(block, req.GetAfterSequence())
		if err != nil || !more {
			return resp, err
		}
	}
	return resp, nil
}

// oneHistory refuses events while the stream is known to have others under the same
// numbers: a subscriber would go on from those with these, and mix two histories. A new
// epoch tells it to begin anew.
func (s *Service) oneHistory() error {
	if s.publisher == nil || s.publisher.Foreign() == "" {
		return nil
	}
	return refuse(errorv1.Reason_REASON_UNAVAILABLE, "", "the stream is not of this log: no events are given before a new epoch is declared")
}

// checkSubjects refuses filters that could never cover a subject.
func checkSubjects(subjects []string) error {
	for i, filter := range subjects {
		if err := event.CheckFilter(filter); err != nil {
			return refuse(errorv1.Reason_REASON_INVALID_FIELD, fmt.Sprintf("subjects[%d]", i), "%v", err)
		}
	}
	return nil
}

// listing is an answer of ListEvents under way.
type listing struct {
	resp     *reportingv1.ListEventsResponse
	sight    auth.Sight
	subjects []string
	limit    int
	bytes    int
	scanned  int
}

// takeAll looks at the events of a block after a number and reports whether there is
// room for more.
func (l *listing) takeAll(b *ledger.Block, after uint64) (more bool, _ error) {
	marks := b.Marks()
	for n := max(b.First, after+1); n <= b.End(); n++ {
		if more, err := l.take(n, b.Entries[n-b.First].Event, marks); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// take looks at one event and reports whether there is room for more.
func (l *listing) take(n uint64, data []byte, marks *ledger.Marks) (more bool, _ error) {
	e := new(eventv1.Event)
	if err := proto.Unmarshal(data, e); err != nil {
		return false, fmt.Errorf("decode event %d: %w", n, err)
	}
	subject, err := event.Subject(e)
	if err != nil {
		return false, fmt.Errorf("subject of event %d: %w", n, err)
	}
	if l.wants(subject) && l.sight.Sees(event.Path(e)) {
		if l.bytes += len(data); l.bytes > maxListBytes && len(l.resp.Events) > 0 {
			return false, nil
		}
		l.resp.Events = append(l.resp.Events, &reportingv1.StoredEvent{
			Sequence: n, Subject: subject, Event: data, Id: eventID(n, marks.Of(n))})
	}
	l.resp.LastSequence = n
	l.scanned++
	return len(l.resp.Events) < l.limit && l.scanned < maxScanned, nil
}

func (l *listing) wants(subject string) bool {
	for _, filter := range l.subjects {
		if event.Match(filter, subject) {
			return true
		}
	}
	return len(l.subjects) == 0
}
