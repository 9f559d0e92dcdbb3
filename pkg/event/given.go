package event

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// given counts what a consumer gave out. Its messages carry a number of its own, so
// one that never came shows by the next, whatever it was about: a request that ended
// while messages were on their way loses them, and when they are given again later,
// those after them have been handled.
type given struct{ last uint64 }

// from begins where a consumer stands.
func (g *given) from(c jetstream.Consumer) { g.last = c.CachedInfo().Delivered.Consumer }

// missed reports whether messages before this one were given out and did not come. A
// consumer that goes back, as when another server leads, has lost nothing by that.
func (g *given) missed(m jetstream.Msg) (bool, error) {
	md, err := m.Metadata()
	if err != nil {
		return false, fmt.Errorf("message on %s: %w", m.Subject(), err)
	}
	before := g.last
	g.last = md.Sequence.Consumer
	return g.last > before+1, nil
}
