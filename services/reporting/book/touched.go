package book

import (
	"math/bits"
	"sync"
)

// FigureKey names a current total.
type FigureKey struct{ Measure, Unit int32 }

// touched collects the current totals that moved, for whoever publishes them. It
// has a lock of its own because the publisher takes while others read the book. A
// nil one, that of a layer, collects nothing: merging finds what differs.
type touched struct {
	mu    sync.Mutex
	units map[measureIx][]uint64 // by measure a bit for each unit
}

func newTouched() *touched { return &touched{units: make(map[measureIx][]uint64)} }

func (t *touched) add(k FigureKey) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	bits, at := t.units[k.Measure], int(k.Unit/64)
	if at >= len(bits) {
		bits = append(bits, make([]uint64, at+1-len(bits))...)
		t.units[k.Measure] = bits
	}
	bits[at] |= 1 << (k.Unit % 64)
}

// differ adds a total if it is another one than it was.
func (t *touched) differ(m measureIx, unit unitIx, was, n *node) {
	if was.sum != n.sum {
		t.add(FigureKey{m, unit})
	}
}

// TakeTouched returns the current totals that moved since it was last called on
// this book, and forgets them.
func (b *Book) TakeTouched() map[FigureKey]struct{} {
	b.touched.mu.Lock()
	defer b.touched.mu.Unlock()
	keys := make(map[FigureKey]struct{})
	for m, all := range b.touched.units {
		for at, set := range all {
			for ; set != 0; set &= set - 1 {
				keys[FigureKey{m, unitIx(at*64 + bits.TrailingZeros64(set))}] = struct{}{}
			}
		}
	}
	clear(b.touched.units)
	return keys
}

// FigureKeyOf returns the key of a current total, if the ids are known.
func (b *Book) FigureKeyOf(programme, target, unit string) (FigureKey, bool) {
	k := FigureKey{b.measureIDs.Get(measureKey{programme, target}), b.unitIDs.Get(unit)}
	return k, k.Measure != 0 && k.Unit != 0
}

// Moves counts the moves of units in today's tree.
func (b *Book) Moves() uint32 { return b.moves }
