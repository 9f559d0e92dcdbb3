package book

import "errors"

// Effort counts what a read looks at, in rows, and ends the read when nobody waits for
// it any more. A row is what takes about 100 nanoseconds: a unit of a tree, a finding, a
// cell. One Effort is of one read at a time.
type Effort struct {
	ended func() error
	most  int // rows; 0 for no bound
	rows  int
	next  int // of rows: when to ask again whether it has ended
	err   error
}

// ErrLong ends a read that looks at more rows than it may.
var ErrLong = errors.New("book: the read takes too long")

// lookEvery is how many rows a read goes on for when nobody waits for it any more.
const lookEvery = 4096

// NewEffort returns an effort that ends when ended returns an error, such as the method
// of a context does, and after most rows, if that is not 0, with ErrLong.
func NewEffort(ended func() error, most int) *Effort {
	return &Effort{ended: ended, most: most, next: lookEvery}
}

// Rows is how many rows were looked at so far.
func (e *Effort) Rows() int { return e.rows }

// Err is why the read was ended before its time: nothing that it returned is of any use.
// Nil when it was not.
func (e *Effort) Err() error { return e.err }

// Within returns the book for one read that counts in e. It may not be changed, and is
// good for as long as b is.
func (b *Book) Within(e *Effort) *Book {
	c := *b
	c.effort = e
	return &c
}

// Spend counts n rows and reports whether to go on. Once it has not, it never does.
func (b *Book) Spend(n int) bool {
	e := b.effort
	if e == nil {
		return true
	}
	if e.rows += n; e.rows >= e.next && e.err == nil {
		e.next = e.rows + lookEvery
		if e.err = e.ended(); e.err == nil && e.most > 0 && e.rows > e.most {
			e.err = ErrLong
		}
	}
	return e.err == nil
}
