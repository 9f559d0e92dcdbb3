// Package layer lets changes to a state be seen before they are part of it: what
// is set in a fork is read through the fork alone, until the fork is merged.
package layer

import "iter"

// Table is a map with forks. Values must not be changed in place once set;
// replace them. The zero Table is not ready: use New.
//
// A Table is safe for many readers or one writer. Forks read their parent, so
// the parent must not change while a fork of it is in use.
type Table[K comparable, V any] struct {
	parent *Table[K, V]
	m      map[K]V
}

// New returns an empty table.
func New[K comparable, V any]() *Table[K, V] {
	return &Table[K, V]{m: make(map[K]V)}
}

// Fork returns a table that reads as t does and keeps what is set in it to itself.
func (t *Table[K, V]) Fork() *Table[K, V] {
	return &Table[K, V]{parent: t}
}

// Get returns the value of k, the zero value when there is none.
func (t *Table[K, V]) Get(k K) V {
	v, _ := t.Lookup(k)
	return v
}

// Lookup returns the value of k and whether there is one.
func (t *Table[K, V]) Lookup(k K) (V, bool) {
	for ; t != nil; t = t.parent {
		if v, ok := t.m[k]; ok {
			return v, true
		}
	}
	var none V
	return none, false
}

// Set gives k the value v.
func (t *Table[K, V]) Set(k K, v V) {
	if t.m == nil {
		t.m = make(map[K]V)
	}
	t.m[k] = v
}

// Merge sets in the parent all that was set in t, and empties t.
func (t *Table[K, V]) Merge() {
	for k, v := range t.m {
		t.parent.Set(k, v)
	}
	clear(t.m)
}

// Changed reports whether anything was set in t itself.
func (t *Table[K, V]) Changed() bool { return len(t.m) > 0 }

// All yields every key with its value, in no order.
func (t *Table[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for at := t; at != nil; at = at.parent {
			for k, v := range at.m {
				if at != t && t.hides(at, k) {
					continue
				}
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// hides reports whether a layer between t and below has its own value of k.
func (t *Table[K, V]) hides(below *Table[K, V], k K) bool {
	for at := t; at != below; at = at.parent {
		if _, ok := at.m[k]; ok {
			return true
		}
	}
	return false
}

// Clone returns an independent copy of a table that is not a fork; values are shared.
func (t *Table[K, V]) Clone() *Table[K, V] {
	c := &Table[K, V]{m: make(map[K]V, len(t.m))}
	for k, v := range t.All() {
		c.m[k] = v
	}
	return c
}

// Len counts the keys of a table that is not a fork.
func (t *Table[K, V]) Len() int { return len(t.m) }
