package main

import (
	"io"
	"testing"
	"time"
)

func TestGrowth_is_seen_in_the_second_half(t *testing.T) {
	grow := func(perTenMinutes float64) (all []sample) {
		for i := range 60 {
			at := time.Duration(i) * time.Minute
			all = append(all, sample{at: at, bytes: 100<<20 + perTenMinutes*float64(i)/10, goroutines: 50})
		}
		return all
	}
	for _, c := range []struct {
		bytes float64
		grows bool
	}{{0, false}, {0.9 * mostGrowth, false}, {1.1 * mostGrowth, true}, {-5 * mostGrowth, false}} {
		r := &rig{out: io.Discard}
		r.judgeGrowth("one", grow(c.bytes))
		if (len(r.broken) > 0) != c.grows {
			t.Errorf("%.0f bytes in ten minutes: %v", c.bytes, r.broken)
		}
	}
	for what, add := range map[string]func(*sample, float64){
		"goroutines":  func(s *sample, minute float64) { s.goroutines += 3 * minute },
		"connections": func(s *sample, minute float64) { s.files += minute },
	} {
		r := &rig{out: io.Discard}
		leak := grow(0)
		for i := range leak {
			add(&leak[i], float64(i))
		}
		if r.judgeGrowth("one", leak); len(r.broken) == 0 {
			t.Errorf("%s that are left were not seen", what)
		}
	}
}
