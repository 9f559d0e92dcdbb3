package book

import "sync"

// FigureKey names a current total.
type FigureKey struct{ Measure, Unit int32 }

// touched collects the current totals that moved, for whoever publishes them. It
// has a lock of its own because the publisher takes while others read the book.
type touched struct {
	mu   sync.Mutex
	keys map[FigureKey]struct{}
}

func newTouched() *touched { return &touched{keys: make(map[FigureKey]struct{})} }

func (t *touched) add(k FigureKey) { t.keys[k] = struct{}{} }

func (t *touched) addAll(from *touched) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range from.keys {
		t.keys[k] = struct{}{}
	}
}

// TakeTouched returns the current totals that moved since it was last called on
// this book, and forgets them.
func (b *Book) TakeTouched() map[FigureKey]struct{} {
	b.touched.mu.Lock()
	defer b.touched.mu.Unlock()
	keys := b.touched.keys
	b.touched.keys = make(map[FigureKey]struct{})
	return keys
}
