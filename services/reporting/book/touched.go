package book

import (
	"math/bits"
	"sync"
)

// FigureKey names a current total.
type FigureKey struct{ Measure, Unit int32 }

// touched collects the current totals that moved, for whoever publishes them. It
// has a lock of its own because the publisher takes while others read the book.
type touched struct {
	layer bool
	keys  []FigureKey // of a layer: in order, some more than once
	mu    sync.Mutex
	moved [][]uint64 // of a book that is not a layer: by measure, a bit for each unit
}

func (t *touched) add(k FigureKey) {
	if t.layer {
		t.keys = append(t.keys, k)
		return
	}
	t.mark(k)
}

func (t *touched) mark(k FigureKey) {
	for int(k.Measure) >= len(t.moved) {
		t.moved = append(t.moved, nil)
	}
	units, at := t.moved[k.Measure], int(k.Unit/64)
	if at >= len(units) {
		units = append(units, make([]uint64, at+1-len(units))...)
		t.moved[k.Measure] = units
	}
	units[at] |= 1 << (k.Unit % 64)
}

// addAll takes in what a layer collected.
func (t *touched) addAll(from *touched) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range from.keys {
		t.add(k)
	}
	from.keys = nil
}

// TakeTouched returns the current totals that moved since it was last called on
// this book, and forgets them.
func (b *Book) TakeTouched() map[FigureKey]struct{} {
	t := b.touched
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := make(map[FigureKey]struct{})
	for m, units := range t.moved {
		for at, word := range units {
			for ; word != 0; word &= word - 1 {
				keys[FigureKey{int32(m), int32(at*64 + bits.TrailingZeros64(word))}] = struct{}{}
			}
		}
		clear(units)
	}
	return keys
}
