package layer

import (
	"maps"
	"testing"
)

func TestTable(t *testing.T) {
	base := New[string, int]()
	base.Set("a", 1)
	base.Set("b", 2)
	fork := base.Fork()
	fork.Set("b", 20)
	inner := fork.Fork()
	inner.Set("c", 30)

	read := func(of *Table[string, int]) map[string]int { return maps.Collect(of.All()) }
	check := func(what string, got, want map[string]int) {
		t.Helper()
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("the base while forks are open", read(base), map[string]int{"a": 1, "b": 2})
	check("the fork", read(fork), map[string]int{"a": 1, "b": 20})
	check("the fork's fork", read(inner), map[string]int{"a": 1, "b": 20, "c": 30})
	if v, ok := inner.Lookup("b"); v != 20 || !ok {
		t.Errorf("b is %d, %t through two layers", v, ok)
	}
	if _, ok := inner.Lookup("d"); ok || inner.Get("d") != 0 {
		t.Error("d was found")
	}

	clone := base.Clone()
	inner.Merge()
	check("the fork after a merge into it", read(fork), map[string]int{"a": 1, "b": 20, "c": 30})
	fork.Merge()
	check("the base after all merges", read(base), map[string]int{"a": 1, "b": 20, "c": 30})
	if fork.Changed() || inner.Changed() {
		t.Error("a merged fork still holds changes")
	}
	check("a clone", read(clone), map[string]int{"a": 1, "b": 2})

	base.Fork().Set("a", 100)
	check("the base after a fork was dropped", read(base), map[string]int{"a": 1, "b": 20, "c": 30})
	if base.Len() != 3 {
		t.Errorf("%d keys", base.Len())
	}
}
