package run

import "testing"

func TestPercentFor_leaves_the_same_room_to_heaps_of_all_sizes(t *testing.T) {
	for live, want := range map[uint64]int{
		0:        mostPercent,
		10 << 20: mostPercent,
		48 << 20: 200,
		96 << 20: 100,
		1 << 30:  leastPercent,
	} {
		if got := percentFor(live); got != want {
			t.Errorf("percentFor(%d MiB) = %d, want %d", live>>20, got, want)
		}
	}
}
