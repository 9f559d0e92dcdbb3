package reporting

import (
	"context"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// What one unit of an allowance, 50 microseconds of a processor, buys beside the call
// itself. docs/security.md has the table of what calls cost.
const (
	unitTime          = 50 * time.Microsecond
	unitRows          = 500      // of the book
	unitEvents        = 16       // decoded, of the log
	unitLog           = 64 << 10 // bytes of the log, read and not decoded
	unitBytes         = 8 << 10  // of a record, with its annex
	unitSubscriptions = 4        // that NATS tells about
)

// rowsAnElement is how many rows it takes to tell an element of a list.
const rowsAnElement = 20

// mostUnderLock is how many rows a read may look at, about 10 milliseconds, while those
// who write wait for it.
const mostUnderLock = 100_000

// metered makes of a read one that ends when nobody waits for it any more, and, where
// most is not 0, with book.ErrLong after so many rows. charge, when it is over, takes what
// it cost from the caller's allowance.
func metered(ctx context.Context, most int, read func(*book.Book) error) (run func(*book.Book) error, charge func()) {
	e := book.NewEffort(ctx.Err, most)
	run = func(b *book.Book) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := read(b.Within(e))
		if e.Err() != nil {
			return e.Err()
		}
		return err
	}
	return run, func() { auth.Charge(ctx, e.Rows()/unitRows) }
}

// apart reads a cut of the book, which holds up nobody.
func (s *Service) apart(ctx context.Context, read func(*book.Book) error) error {
	run, charge := metered(ctx, 0, read)
	defer charge()
	cut, _ := s.engine.Freeze()
	return run(cut)
}
