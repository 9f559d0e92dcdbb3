package reporting

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Tree judges by the service's copy of the registry who stands above whom, for
// auth.GuardConfig. A unit that the copy does not know yet is looked for once more
// after the copy was brought up to date.
func (s *Service) Tree() auth.Tree { return tree{s} }

type tree struct{ s *Service }

// Whole reports whether all units stand below scope.
func (t tree) Whole(ctx context.Context, scope string) (whole bool, err error) {
	err = t.s.engine.View(ctx, 0, func(b *book.Book) error {
		whole = b.ReachesAll(scope)
		return nil
	})
	return whole, err
}

// Outside returns the places that are not within scope.
func (t tree) Outside(ctx context.Context, scope string, places []auth.Place) ([]int, error) {
	told := make([]*eventv1.Event, len(places)) // of those that are an event's
	for i, p := range places {
		if n := max(p.Submission, p.Event); n != 0 {
			var err error
			if p.Event != 0 && t.s.inLog(ctx, n) != nil {
				continue // nor is it on the way from another replica
			}
			if told[i], err = t.event(ctx, n); err != nil {
				return nil, err
			}
		}
	}
	var out []int
	judge := func() (unknown bool, err error) {
		out = nil
		err = t.s.engine.View(ctx, 0, func(b *book.Book) error {
			whole := false
			for i := range places {
				if inside(b, scope, &places[i], told[i]) {
					continue
				}
				if whole = whole || b.ReachesAll(scope); whole && !anothers(b, &places[i]) {
					continue // nothing there is another's: the handler says what is missing
				}
				out = append(out, i)
				unknown = unknown || places[i].Unit != "" && b.UnitByID(places[i].Unit) == nil || b.UnitByID(scope) == nil
			}
			return nil
		})
		return unknown, err
	}
	unknown, err := judge()
	if err == nil && unknown && t.s.directory.CatchUp(ctx) {
		_, err = judge()
	}
	return out, err
}

// anothers reports whether a place belongs to one unit alone, not to those above it. A
// subscription that no unit's id begins is that of whoever reaches all.
func anothers(b *book.Book, p *auth.Place) bool {
	return p.Subscription != "" && ownerOf(b, p.Subscription) != ""
}

func ownerOf(b *book.Book, subscription string) string {
	return auth.OwnerOf(subscription, func(unit string) bool { return b.UnitByID(unit) != nil })
}

// event reads an event from the log; nil where there is none.
func (t tree) event(ctx context.Context, sequence uint64) (*eventv1.Event, error) {
	if sequence > t.s.engine.Head().Sequence {
		return nil, nil
	}
	entry, _, err := t.s.engine.Entry(ctx, sequence)
	if err != nil {
		return nil, fmt.Errorf("read event %d: %w", sequence, err)
	}
	e := new(eventv1.Event)
	if err := proto.Unmarshal(entry.Event, e); err != nil {
		return nil, fmt.Errorf("decode event %d: %w", sequence, err)
	}
	return e, nil
}

// inside reports whether a place is within the subtree of scope.
func inside(b *book.Book, scope string, p *auth.Place, told *eventv1.Event) bool {
	switch {
	case p.Subscription != "":
		return ownerOf(b, p.Subscription) == scope
	case p.Event != 0:
		return told != nil && auth.Within(event.Path(told), scope)
	case p.Submission != 0:
		r := recordedIn(told)
		if r == nil {
			return false
		}
		return insideIn(b, scope, &auth.Place{Programme: told.GetProgramme(), Target: r.GetTarget(),
			Unit: unitOf(r.GetPath()), Period: r.GetPeriod()})
	case p.Finding != 0:
		_, u, period, ok := b.CellOfFinding(p.Programme, p.Finding)
		return ok && b.Reaches(scope, u.ID(), period)
	case p.Unit == "":
		programme := b.ProgrammeByID(p.Programme)
		return programme != nil && programme.Root() == scope // a root stands below none
	}
	return insideIn(b, scope, p)
}

// insideIn reports whether a unit is within the subtree of scope at the place's time.
func insideIn(b *book.Book, scope string, p *auth.Place) bool {
	if p.Date != "" {
		day, err := calendar.ParseDate(p.Date)
		return err == nil && b.ReachesOn(scope, p.Unit, day)
	}
	periods, err := momentsOf(b, p)
	if err != nil {
		return false
	}
	for _, period := range periods {
		if !b.Reaches(scope, p.Unit, period) {
			return false
		}
	}
	return true
}

// momentsOf are the periods by whose trees a place is judged: the one that is named, in
// its target's calendar, or all of a stretch. Where no target says which calendar is
// meant, the period is judged in each there can be.
func momentsOf(b *book.Book, p *auth.Place) ([]calendar.Period, error) {
	if p.Period == "" {
		return []calendar.Period{book.Current}, nil
	}
	first, err := calendar.EndOfMonth.Parse(p.Period)
	if err != nil {
		return nil, err
	}
	named := []calendar.Period{first}
	if p.Until != "" {
		last, err := calendar.EndOfMonth.Parse(p.Until)
		if err != nil {
			return nil, err
		}
		if last < first {
			return nil, errors.New("the stretch ends before it begins")
		}
		named = named[:0]
		for at := first.FirstMonth(); at.LastDay() <= last.LastDay(); at = at.Next() {
			named = append(named, at)
		}
	}
	if m := b.MeasureByID(p.Programme, p.Target); m != nil {
		for i := range named {
			named[i] = m.InCalendar(named[i])
		}
		return named, nil
	}
	all := named
	for _, at := range named {
		for cut := calendar.Cut(1); cut.Valid(); cut++ {
			all = append(all, at.With(cut))
		}
	}
	return all, nil
}
