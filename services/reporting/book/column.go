package book

import "slices"

// segSize is how many neighbours a segment holds: few enough that copying one is
// cheap, enough that the spine stays short.
const segSize = 8

type segment[T any] [segSize]T

// column is an array by index that is cheap to fork and to freeze: a fork copies
// the segments it changes, and merging puts them in the place of the old ones.
// Nothing that a reader or a frozen cut may hold is changed in place. The zero
// column is empty and ready.
type column[T any] struct {
	parent *column[T]
	spine  []*segment[T]         // of a column that is not a fork
	own    map[int32]*segment[T] // of a fork: the segments that it changed
}

func (c *column[T]) fork() *column[T] { return &column[T]{parent: c} }

func (c *column[T]) segment(i int32) *segment[T] {
	for ; c.parent != nil; c = c.parent {
		if s, ok := c.own[i]; ok {
			return s
		}
	}
	if int(i) < len(c.spine) {
		return c.spine[i]
	}
	return nil
}

// at returns the value of index i, the zero value when it was never edited.
func (c *column[T]) at(i int32) T {
	if s := c.segment(i / segSize); s != nil {
		return s[i%segSize]
	}
	var none T
	return none
}

// peek returns where the value of index i is, to be read only; nil when it was
// never edited.
func (c *column[T]) peek(i int32) *T {
	if s := c.segment(i / segSize); s != nil {
		return &s[i%segSize]
	}
	return nil
}

// edit returns the value of index i to be changed in place. In a column that is
// not a fork this changes what others may read: only for replay into a state
// that nobody else holds.
func (c *column[T]) edit(i int32) *T {
	at := i / segSize
	if c.parent == nil {
		c.grow(at)
		if c.spine[at] == nil {
			c.spine[at] = new(segment[T])
		}
		return &c.spine[at][i%segSize]
	}
	s, ok := c.own[at]
	if !ok {
		s = new(segment[T])
		if old := c.parent.segment(at); old != nil {
			*s = *old
		}
		if c.own == nil {
			c.own = make(map[int32]*segment[T])
		}
		c.own[at] = s
	}
	return &s[i%segSize]
}

func (c *column[T]) grow(at int32) {
	if n := int(at) + 1; n > len(c.spine) {
		c.spine = append(c.spine, make([]*segment[T], n-len(c.spine))...)
	}
}

// merge puts what the fork c changed into its parent.
func (c *column[T]) merge() {
	p := c.parent
	for at, s := range c.own {
		if p.parent == nil {
			p.grow(at)
			p.spine[at] = s
			continue
		}
		if p.own == nil {
			p.own = make(map[int32]*segment[T])
		}
		p.own[at] = s
	}
	c.own = nil
}

// freeze returns a cut of a column that is not a fork; merges into c do not change it.
func (c *column[T]) freeze() *column[T] {
	return &column[T]{spine: slices.Clone(c.spine)}
}

// all yields each index that was edited, with its value, ascending, of a column
// that is not a fork.
func (c *column[T]) all(yield func(int32, *T) bool) {
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
