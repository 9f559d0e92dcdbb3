package obs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestASamplerTellsTheFirstAndEachThousandth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Sampler
		var told []uint64
		for range 2500 {
			if n := s.Count("a"); n > 0 {
				told = append(told, n)
			}
		}
		if fmt.Sprint(told) != "[1 1000 1000]" {
			t.Errorf("told of %v", told)
		}
		if n := s.Count("b"); n != 1 {
			t.Errorf("the first of another kind: %d", n)
		}
		time.Sleep(tellAfter)
		if n := s.Count("a"); n != 500 {
			t.Errorf("after a minute: %d", n)
		}
	})
}

func TestASamplerForgetsWhatIsLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Sampler
		for i := range 3 * maxKinds {
			s.Count(fmt.Sprint(i))
			if len(s.kinds) > maxKinds {
				t.Fatalf("%d kinds are remembered", len(s.kinds))
			}
		}
	})
}
