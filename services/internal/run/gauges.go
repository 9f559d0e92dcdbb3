package run

import (
	"time"

	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// gauges sets a service's gauges every second.
type gauges struct{ quit, done chan struct{} }

func watchGauges(m *obs.Metrics, set func(*obs.Metrics)) *gauges {
	g := &gauges{quit: make(chan struct{}), done: make(chan struct{})}
	if m == nil {
		close(g.done)
		return g
	}
	go func() {
		defer close(g.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			set(m)
			select {
			case <-g.quit:
				return
			case <-tick.C:
			}
		}
	}()
	return g
}

func (g *gauges) stop() {
	close(g.quit)
	<-g.done
}
