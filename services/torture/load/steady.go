package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

// mostAtOnce bounds the calls under way: a service that falls so far behind does not
// keep the pace, which the rate then shows.
const mostAtOnce = 2000

// Pace is a run of submissions that come whatever becomes of earlier ones.
type Pace struct {
	Round  uint64 // makes the run differ from others of the same seed
	Rate   int    // submissions a second
	For    time.Duration
	Answer time.Duration // how long is waited for one answer, all attempts included
	Client func(i int) *client.Client
	Took   *Times // from when a submission was due to its receipt
	// Told is given each receipt, as one of many at a time.
	Told func(ctx context.Context, i int, receipt *reportingv1.Receipt)
}

// Pace submits, corrects and withdraws at a steady rate until all is answered; each
// cell comes again only when all others have had their turn.
func (c *Crowd) Pace(ctx context.Context, p Pace) {
	random := rand.New(rand.NewPCG(c.Seed, p.Round))
	var cells []check.Cell
	for _, i := range random.Perm(c.Nation.Cells()) {
		if cell := c.Nation.Cell(i); c.room(cell) {
			cells = append(cells, cell)
		}
	}
	if len(cells) == 0 {
		return
	}
	n := int(float64(p.Rate) * p.For.Seconds())
	Steady(ctx, n, p.For, mostAtOnce, func(i int, due time.Time) {
		w := &worker{Crowd: c, id: i % mostAtOnce, client: p.Client(i), random: rand.New(rand.NewPCG(c.Seed, p.Round<<32+uint64(i)))}
		ctx, cancel := context.WithTimeout(ctx, p.Answer)
		defer cancel()
		if receipt := w.write(ctx, cells[i%len(cells)]); receipt != nil {
			p.Took.Note(time.Since(due))
			p.Told(ctx, i, receipt)
		}
	})
}

// Reach asks for a figure that takes a sequence into account.
func Reach(ctx context.Context, progress reportingv1.ProgressServiceClient, sequence uint64) error {
	resp, err := progress.GetFigure(ctx, &reportingv1.GetFigureRequest{Key: key(Targets()[0], Root, ""), MinSequence: sequence})
	if err == nil && resp.GetFigure().GetSequence() < sequence {
		err = fmt.Errorf("the answer is of event %d", resp.GetFigure().GetSequence())
	}
	if err != nil {
		return fmt.Errorf("read what event %d came to: %w", sequence, err)
	}
	return nil
}
