package registry

import (
	"context"

	"github.com/cotmoc/cotmoc/pkg/name"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// Tree judges who stands above whom, for auth.GuardConfig: by the tree of the place's
// date, or of today.
func (s *Service) Tree() auth.Tree { return tree{s} }

type tree struct{ s *Service }

// Whole reports whether all units stand below scope.
func (t tree) Whole(ctx context.Context, scope string) (whole bool, err error) {
	err = t.s.engine.View(ctx, 0, func(b *book.Book) error {
		whole = b.ReachesAll(name.Unit(scope))
		return nil
	})
	return whole, err
}

// Outside returns the places that are not within scope.
func (t tree) Outside(ctx context.Context, scope string, places []auth.Place) (out []int, err error) {
	today := calendar.DateOf(t.s.now())
	err = t.s.engine.View(ctx, 0, func(b *book.Book) error {
		for i, p := range places {
			day := today
			if p.Date != "" {
				var err error
				if day, err = calendar.ParseDate(p.Date); err != nil {
					out = append(out, i)
					continue
				}
			}
			if b.Reaches(name.Unit(scope), name.Unit(p.Unit), day) {
				continue
			}
			if b.ReachesAll(name.Unit(scope)) {
				continue // nothing there is another's: the handler says what is missing
			}
			out = append(out, i)
		}
		return nil
	})
	return out, err
}
