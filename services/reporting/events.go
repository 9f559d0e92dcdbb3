package reporting

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Bounds of one answer of ListEvents: how much it holds, which is also so of
// ListCellHistory and ListDeadLetters, and how much of the log it looks at, annexes
// included, whether it finds anything there or not.
const (
	maxListBytes   = 2 << 20
	maxLooked      = 2_000
	maxLookedBytes = 8 << 20
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
	l := listing{resp: resp, sight: sight, filters: filtersOfEvents(req.GetSubjects()), limit: pageSize(req.GetPageSize())}
	defer func() { auth.Charge(ctx, l.units()) }()
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
		more, err := l.takeAll(ctx, block, req.GetAfterSequence())
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
	resp    *reportingv1.ListEventsResponse
	sight   auth.Sight
	filters eventFilters
	limit   int
	bytes   int // of the answer
	looked  int // events looked at
	read    int // bytes of those
}

// units is what the answer costs its caller.
func (l *listing) units() int {
	const filtersAnEvent = 25 // take as long as to decode one
	return l.looked*(filtersAnEvent+len(l.filters))/(unitEvents*filtersAnEvent) + l.read/unitLog
}

// takeAll looks at the events of a block after a number and reports whether there is
// room for more.
func (l *listing) takeAll(ctx context.Context, b *ledger.Block, after uint64) (more bool, _ error) {
	marks := b.Marks()
	for n := max(b.First, after+1); n <= b.End(); n++ {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if more, err := l.take(n, b.Entries[n-b.First], marks); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// take looks at one event and reports whether there is room for more.
func (l *listing) take(n uint64, entry ledger.Entry, marks *ledger.Marks) (more bool, _ error) {
	e := new(eventv1.Event)
	if err := proto.Unmarshal(entry.Event, e); err != nil {
		return false, fmt.Errorf("decode event %d: %w", n, err)
	}
	subject, err := event.Subject(e)
	if err != nil {
		return false, fmt.Errorf("subject of event %d: %w", n, err)
	}
	l.looked++
	l.read += len(entry.Event) + len(entry.Annex)
	if l.filters.cover(subject) && l.sight.Sees(event.Path(e)) {
		if l.bytes += len(entry.Event); l.bytes > maxListBytes && len(l.resp.Events) > 0 {
			return false, nil
		}
		l.resp.Events = append(l.resp.Events, &reportingv1.StoredEvent{
			Sequence: n, Subject: subject, Event: entry.Event, Id: eventID(n, marks.Of(n))})
	}
	l.resp.LastSequence = n
	return len(l.resp.Events) < l.limit && l.looked < maxLooked && l.read < maxLookedBytes, nil
}

// eventFilters are filters of subjects, each in its tokens: what event.MatchAny says of
// filters that event.CheckFilter lets pass, many times over.
type eventFilters [][]string

func filtersOfEvents(subjects []string) eventFilters {
	var filters eventFilters
	for _, s := range subjects {
		filters = append(filters, strings.Split(s, "."))
	}
	return filters
}

// cover reports whether a filter covers a subject; none cover all.
func (f eventFilters) cover(subject string) bool {
	if len(f) == 0 {
		return true
	}
	var room [32]string
	got := room[:0]
	for token := range strings.SplitSeq(subject, ".") {
		got = append(got, token)
	}
	return slices.ContainsFunc(f, func(want []string) bool { return covers(want, got) })
}

func covers(want, got []string) bool {
	if len(want) > len(got) {
		return false
	}
	for i, w := range want {
		if w == ">" {
			return true
		}
		if w != "*" && w != got[i] {
			return false
		}
	}
	return len(want) == len(got)
}
