package obs

import (
	"sync"
	"time"
)

// How often something that repeats is told of: the first time, each thousandth time, and
// again when nothing was told of it for a minute.
const (
	tellEach  = 1000
	tellAfter = time.Minute
	maxKinds  = 10_000 // that are told apart
)

// Sampler says which of many like things are worth a line in the log, so that nobody can
// fill a disk by being refused. The zero Sampler is ready; it is safe for concurrent use.
type Sampler struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

// kind is what is known of one kind of thing.
type kind struct {
	since uint64 // how many came since the last that was told of
	told  time.Time
}

// Count counts one of a kind. When it is worth a line, n is how many there were since the
// last line, itself included; else n is 0.
func (s *Sampler) Count(name string) (n uint64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[name]
	if k == nil {
		if len(s.kinds) >= maxKinds {
			s.forget(now)
		}
		if s.kinds == nil {
			s.kinds = make(map[string]*kind)
		}
		k = &kind{}
		s.kinds[name] = k
	}
	k.since++
	if k.since < tellEach && now.Sub(k.told) < tellAfter {
		return 0
	}
	n, k.since, k.told = k.since, 0, now
	return n
}

// forget drops the kinds that were told of long ago; all of them, when that is not enough.
func (s *Sampler) forget(now time.Time) {
	for name, k := range s.kinds {
		if now.Sub(k.told) > tellAfter {
			delete(s.kinds, name)
		}
	}
	if len(s.kinds) >= maxKinds {
		clear(s.kinds)
	}
}
