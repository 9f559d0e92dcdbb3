package book

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cotmoc/cotmoc/services/internal/layer"
)

// shelf keeps resources by name: a table with forks that can also be read in the
// order of names. Nothing is ever taken off it.
type shelf[V any] struct {
	parent *shelf[V]
	table  *layer.Table[string, V]
	added  []string // names in the order in which they came
	order  atomic.Pointer[order]
}

// order holds the names that came first, sorted.
type order struct {
	names []string
	of    int // how many of added
}

func newShelf[V any]() *shelf[V] { return &shelf[V]{table: layer.New[string, V]()} }

func (s *shelf[V]) fork() *shelf[V] { return &shelf[V]{parent: s, table: s.table.Fork()} }

func (s *shelf[V]) merge() {
	s.table.Merge()
	s.parent.added = append(s.parent.added, s.added...)
	s.added = nil
}

// freeze returns a copy that later merges do not change.
func (s *shelf[V]) freeze() *shelf[V] {
	c := &shelf[V]{table: s.table.Clone(), added: slices.Clip(s.added)}
	c.order.Store(s.order.Load())
	return c
}

func (s *shelf[V]) get(name string) (V, bool) { return s.table.Lookup(name) }

func (s *shelf[V]) set(name string, v V) {
	if _, ok := s.table.Lookup(name); !ok {
		s.added = append(s.added, name)
	}
	s.table.Set(name, v)
}

// names returns all names in order. Many readers may call it at once: each builds
// the same answer, and the last one's is kept.
func (s *shelf[V]) names() []string {
	o := s.order.Load()
	if o == nil {
		o = &order{}
	}
	if o.of == len(s.added) {
		return o.names
	}
	fresh := slices.Clone(s.added[o.of:])
	slices.Sort(fresh)
	o = &order{names: mergeSorted(o.names, fresh), of: len(s.added)}
	s.order.Store(o)
	return o.names
}

// mergeSorted returns the sorted union of two sorted lists without common elements.
func mergeSorted(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Page says which part of a list is meant: at most so many after a name.
type Page struct {
	After string
	Limit int
	// Look is called for each resource that is looked at, and ends the list where it
	// returns false. Nil looks at all.
	Look func() bool
}

// page returns, in the order of names, the part of the values whose names begin with
// prefix and that keep lets through. next is the name to go on after: that of the last
// on the page, empty when there are no more.
func (s *shelf[V]) page(prefix string, p Page, keep func(V) bool) (page []V, next string) {
	names := s.names()
	at, _ := slices.BinarySearch(names, max(prefix, p.After))
	last := ""
	for _, n := range names[at:] {
		if !strings.HasPrefix(n, prefix) || p.Look != nil && !p.Look() {
			break
		}
		v, _ := s.get(n)
		if n == p.After || !keep(v) {
			continue
		}
		if len(page) == p.Limit {
			return page, last
		}
		page, last = append(page, v), n
	}
	return page, ""
}
