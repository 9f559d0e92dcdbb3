package layer

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// held is what a column holds, as a map, of the indexes below n that are not zero.
func held(c *Column[int64], n int32) map[int32]int64 {
	out := make(map[int32]int64)
	for i := range n {
		if v := c.At(i); v != 0 {
			out[i] = v
		}
	}
	return out
}

// TestColumnReadsAsAMapOfItsOwn plays changes in forks of forks, merges and drops
// them, and freezes cuts in between; each is compared with a map.
func TestColumnReadsAsAMapOfItsOwn(t *testing.T) {
	const size = 200
	r := rand.New(rand.NewPCG(7, 11))
	base, want := new(Column[int64]), make(map[int32]int64)
	type cut struct {
		frozen *Column[int64]
		want   map[int32]int64
	}
	var cuts []cut
	edit := func(c *Column[int64], to map[int32]int64) {
		for range r.IntN(60) {
			i, v := r.Int32N(size), r.Int64N(1000)+1
			if old := c.Peek(i); r.IntN(2) == 0 {
				*c.EditFrom(i, old) = v
			} else {
				*c.Edit(i) = v
			}
			to[i] = v
		}
	}
	for range 400 {
		outer, outerWant := base.Fork(), maps.Clone(want)
		edit(outer, outerWant)
		inner, innerWant := new(Column[int64]), maps.Clone(outerWant)
		inner.Over(outer)
		edit(inner, innerWant)
		if got := held(inner, size); !maps.Equal(got, innerWant) || !inner.Forked() || base.Forked() {
			t.Fatalf("a fork of a fork holds %v, want %v", got, innerWant)
		}
		if r.IntN(3) > 0 {
			inner.Merge(nil)
			outerWant = innerWant
		}
		if r.IntN(4) == 0 {
			cuts = append(cuts, cut{base.Freeze(), maps.Clone(want)})
		}
		if got := held(outer, size); !maps.Equal(got, outerWant) {
			t.Fatalf("a fork holds %v, want %v", got, outerWant)
		}
		if r.IntN(3) > 0 {
			outer.Merge(func(i int32, old, next *int64) {
				if *old != want[i] || *next != outerWant[i] {
					t.Fatalf("merge of %d tells %d and %d, want %d and %d", i, *old, *next, want[i], outerWant[i])
				}
			})
			want = outerWant
		}
		if got := held(base, size); !maps.Equal(got, want) {
			t.Fatalf("the column holds %v, want %v", got, want)
		}
	}
	for n, c := range cuts {
		if got := held(c.frozen, size); !maps.Equal(got, c.want) {
			t.Fatalf("cut %d holds %v, want %v", n, got, c.want)
		}
	}
	last := int32(-1)
	base.All(func(i int32, v *int64) bool {
		if i <= last || *v != want[i] {
			t.Fatalf("All yields %d with %d after %d", i, *v, last)
		}
		last = i
		return true
	})
}
