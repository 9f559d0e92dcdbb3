package play

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// beginning is when a day begins; other moments are the batches of the day.
const beginning = -1

// moment is something that is under way when the process is killed.
type moment struct {
	day day
	at  int // number of a batch of the day, or beginning
}

// moments chooses when the process is killed: half of the times, rounded down,
// while a day begins on which much is told, and else while reports come in. Each
// comes with how long after its beginning, which is about as long as the whole takes
// at most.
func (p *plan) moments(kills, batch int, seed uint64) map[moment]time.Duration {
	random := rand.New(rand.NewPCG(seed, 3))
	told := p.toldOn()
	days := p.busiest()
	var beginnings, middles []moment
	for _, d := range days[:len(days)/2] {
		beginnings = append(beginnings, moment{d, beginning})
	}
	for d := first; d <= p.last; d++ {
		for i := range p.batches(d, batch) {
			middles = append(middles, moment{d, i})
		}
	}
	all := make(map[moment]time.Duration)
	choose := func(from []moment, n int, longest func(moment) time.Duration) {
		for _, i := range random.Perm(len(from))[:min(n, len(from))] {
			all[from[i]] = time.Duration(random.Int64N(int64(longest(from[i]))))
		}
	}
	choose(beginnings, kills/2, func(m moment) time.Duration {
		return 2*time.Millisecond + time.Duration(told[m.day])*10*time.Microsecond
	})
	choose(middles, kills-kills/2, func(m moment) time.Duration {
		return time.Millisecond + time.Duration(len(p.batches(m.day, batch)[m.at]))*25*time.Microsecond
	})
	return all
}

// busiest is the days on which something is told, those with the most of it first.
func (p *plan) busiest() []day {
	told := p.toldOn()
	return slices.SortedFunc(maps.Keys(told), func(a, b day) int { return cmp.Or(told[b]-told[a], int(a-b)) })
}

// toldOn is how many rungs are expected to be told on each day.
func (p *plan) toldOn() map[day]int {
	n := make(map[day]int)
	for i := range p.reports {
		for _, rung := range rungs() {
			if p.told(&p.reports[i], rung) {
				n[p.reports[i].due+rung]++
			}
		}
	}
	return n
}

// killAt kills the process soon, if this is a moment at which it is to be killed.
func (p *player) killAt(m moment) {
	after, chosen := p.kills[m]
	if !chosen {
		return
	}
	p.pending.Go(func() {
		time.Sleep(after)
		switch {
		case p.beginning.Load():
			p.killedBeginning.Add(1)
		case p.sending.Load() > 0:
			p.killedSending.Add(1)
		}
		if err := p.server.kill(); err != nil {
			p.server.fail(err)
		}
	})
}
