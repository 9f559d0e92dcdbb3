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
		for i, entry := range block.Entries {
			n := block.First + uint64(i)
			if n <= req.GetAfterSequence() {
				continue
			}
			more, err := l.take(n, entry.Event)
			if err != nil || !more {
				return resp, err
			}
		}
	}
	return resp, nil
}

// oneHistory refuses events while the stream is known to have others under the same
// numbers: a subscriber would go on from those with these, and mix two histories. A new
// epoch tells it to begin anew.
func (s *Service) oneHistory() error {
	if s.publisher == nil || s.publisher.Restored() == "" {
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

// take looks at one event and reports whether there is room for more.
func (l *listing) take(n uint64, data []byte) (more bool, _ error) {
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
		l.resp.Events = append(l.resp.Events, &reportingv1.StoredEvent{Sequence: n, Subject: subject, Event: data})
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
