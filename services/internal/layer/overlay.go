package layer

// overlay holds the values that a fork of a column changed, by index: a hash table
// with open addressing, because most of what deciding does is to look into it. A
// value stays where it is once it was placed. The zero overlay is empty and ready.
type overlay[T any] struct {
	slots []slot[T] // as many as a power of two, never full
	used  int
	first []T // the first chunk, kept for the next use
	free  []T // of the chunk that is being used up
	chunk int // size of that chunk
}

// slot is one place of the table; value is nil when it is empty.
type slot[T any] struct {
	value *T
	index int32
}

const (
	firstSlots = 32
	firstChunk = 8
	lastChunk  = 64
	keptSlots  = 256
)

// home is where the search for an index begins: Fibonacci hashing, since indexes
// are neighbours more often than not.
func (o *overlay[T]) home(i int32) uint32 { return uint32(i) * 0x9e3779b1 >> 7 }

// clear empties the overlay and keeps its room, if it is not much, for the next use.
func (o *overlay[T]) clear() {
	if o.used == 0 {
		return
	}
	if len(o.slots) > keptSlots {
		*o = overlay[T]{}
		return
	}
	clear(o.slots)
	clear(o.first)
	o.used, o.free, o.chunk = 0, o.first, len(o.first)
}

// find returns where the value of an index is, nil when there is none.
func (o *overlay[T]) find(i int32) *T {
	if o.used == 0 {
		return nil
	}
	mask := uint32(len(o.slots) - 1)
	for at := o.home(i); ; at++ {
		s := &o.slots[at&mask]
		if s.value == nil || s.index == i {
			return s.value
		}
	}
}

// place returns where the value of an index is, and whether it was there before; if
// not, it is the zero value.
func (o *overlay[T]) place(i int32) (_ *T, found bool) {
	if o.used*4 >= len(o.slots)*3 {
		o.grow()
	}
	mask := uint32(len(o.slots) - 1)
	for at := o.home(i); ; at++ {
		s := &o.slots[at&mask]
		if s.value == nil {
			s.index, s.value = i, o.value()
			o.used++
			return s.value, false
		}
		if s.index == i {
			return s.value, true
		}
	}
}

// value returns room for a value.
func (o *overlay[T]) value() *T {
	if len(o.free) == 0 {
		o.chunk = min(max(2*o.chunk, firstChunk), lastChunk)
		o.free = make([]T, o.chunk)
		if o.first == nil {
			o.first = o.free
		}
	}
	v := &o.free[0]
	o.free = o.free[1:]
	return v
}

func (o *overlay[T]) grow() {
	old := o.slots
	o.slots = make([]slot[T], max(2*len(old), firstSlots))
	mask := uint32(len(o.slots) - 1)
	for _, s := range old {
		if s.value == nil {
			continue
		}
		at := o.home(s.index)
		for o.slots[at&mask].value != nil {
			at++
		}
		o.slots[at&mask] = s
	}
}

// all yields each index with its value, in no order.
func (o *overlay[T]) all(yield func(int32, *T) bool) {
	for k := range o.slots {
		if s := &o.slots[k]; s.value != nil && !yield(s.index, s.value) {
			return
		}
	}
}
