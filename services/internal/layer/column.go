package layer

import "slices"

// segSize is how many neighbours a segment holds: few enough that copying one is
// cheap, enough that the spine stays short.
const segSize = 8

type segment[T any] [segSize]T

// Column is an array by index that is cheap to fork and to freeze. A fork keeps
// the values that it changes to itself until it is merged. Freezing copies the
// spine; after it, a merge copies a segment before it changes it for the first
// time, so that what a frozen cut holds stays as it is. The zero column is empty
// and ready.
type Column[T any] struct {
	parent *Column[T]
	own    overlay[T] // of a fork: the values that it changed

	// Of a column that is not a fork:
	spine []*segment[T]
	made  []uint32 // by segment: how many cuts there were when it was made
	cuts  uint32
}

// Fork returns a column that reads as c does and keeps what is changed in it to itself.
func (c *Column[T]) Fork() *Column[T] { return &Column[T]{parent: c} }

// Over makes c, which holds nothing, a fork of parent: for forks that are used again.
func (c *Column[T]) Over(parent *Column[T]) { c.parent = parent }

// Forked reports whether the column is a fork.
func (c *Column[T]) Forked() bool { return c.parent != nil }

// At returns the value of index i, the zero value when it was never edited.
func (c *Column[T]) At(i int32) T {
	if v := c.Peek(i); v != nil {
		return *v
	}
	var none T
	return none
}

// Peek returns where the value of index i is, to be read only and before the next
// change; nil when it was never edited.
func (c *Column[T]) Peek(i int32) *T {
	for ; c.parent != nil; c = c.parent {
		if v := c.own.find(i); v != nil {
			return v
		}
	}
	if at := int(i / segSize); at < len(c.spine) {
		if s := c.spine[at]; s != nil {
			return &s[i%segSize]
		}
	}
	return nil
}

// Edit returns the value of index i to be changed in place. In a column that is
// not a fork this changes what others may read: only for replay into a state
// that nobody else holds.
func (c *Column[T]) Edit(i int32) *T {
	if c.parent == nil {
		return &c.writable(i / segSize)[i%segSize]
	}
	v, found := c.own.place(i)
	if !found {
		if old := c.parent.Peek(i); old != nil {
			*v = *old
		}
	}
	return v
}

// EditFrom is Edit where what Peek returned is at hand.
func (c *Column[T]) EditFrom(i int32, old *T) *T {
	if c.parent == nil {
		return c.Edit(i)
	}
	v, found := c.own.place(i)
	if !found && old != nil {
		*v = *old
	}
	return v
}

// writable returns a segment that no frozen cut holds.
func (c *Column[T]) writable(at int32) *segment[T] {
	if n := int(at) + 1; n > len(c.spine) {
		c.spine = append(c.spine, make([]*segment[T], n-len(c.spine))...)
		c.made = append(c.made, make([]uint32, n-len(c.made))...)
	}
	s := c.spine[at]
	switch {
	case s == nil:
		s = new(segment[T])
	case c.made[at] == c.cuts:
		return s
	default:
		old := s
		s = new(segment[T])
		*s = *old
	}
	c.spine[at], c.made[at] = s, c.cuts
	return s
}

// Merge puts what the fork c changed into its parent. Where seen is not nil it is
// called for each value with the old and the new one; both are to be read only.
func (c *Column[T]) Merge(seen func(i int32, old, next *T)) {
	p := c.parent
	for i, v := range c.own.all {
		var to *T
		if p.parent == nil {
			to = &p.writable(i / segSize)[i%segSize]
		} else {
			to, _ = p.own.place(i)
		}
		if seen != nil {
			seen(i, to, v)
		}
		*to = *v
	}
	c.own.clear()
}

// Freeze returns a cut of a column that is not a fork; merges into c do not change it.
func (c *Column[T]) Freeze() *Column[T] {
	c.cuts++
	return &Column[T]{spine: slices.Clone(c.spine), made: make([]uint32, len(c.spine)), cuts: 1}
}

// All yields each index that was edited, with its value, ascending, of a column
// that is not a fork.
func (c *Column[T]) All(yield func(int32, *T) bool) {
	for at, s := range c.spine {
		if s == nil {
			continue
		}
		for k := range s {
			if !yield(int32(at*segSize+k), &s[k]) {
				return
			}
		}
	}
}
