// Package demo plays Project 06 on a running pair of services: it imports and
// applies what deploy/demo holds, sends the reports as the units would, each at its
// date, and compares what the services then say with expected.yaml. It knows no
// figure itself.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/bulk"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// Services is a pair of services, whose clock is manual.
type Services struct {
	Registry   registryv1.RegistryServiceClient
	Writes     registryv1.RegistryAdminServiceClient
	Progress   reportingv1.ProgressServiceClient
	Monitoring reportingv1.MonitoringServiceClient
	Review     reportingv1.ReviewServiceClient
	Admin      reportingv1.ReportingAdminServiceClient
	Events     reportingv1.EventServiceClient
	Units      *client.Client // submits for all units
}

// Config is what a Player needs. All fields are required.
type Config struct {
	Services Services
	Listener *Listener // follows the events of the same reporting service
	Out      io.Writer // told what is done, a line a thing
}

// Player plays it once, on services that hold nothing yet.
type Player struct {
	Config
	registry   registryv1.RegistryServiceClient
	writes     registryv1.RegistryAdminServiceClient
	progress   reportingv1.ProgressServiceClient
	monitoring reportingv1.MonitoringServiceClient
	admin      reportingv1.ReportingAdminServiceClient

	units    []*registryv1.Unit // by id
	requests int                // sent so far; each has its number in its id
	results  []Result
	review   files.Review
	reviews  reportingv1.ReviewServiceClient
	timings  []Timing
}

// Timing is how long something took that many units or reports were part of.
type Timing struct {
	What string
	N    int
	Took time.Duration
}

// String tells the time and the rate.
func (t Timing) String() string {
	return fmt.Sprintf("%s: %d in %.2f s (%.0f/s)", t.What, t.N, t.Took.Seconds(), float64(t.N)/t.Took.Seconds())
}

// New returns a player.
func New(c Config) *Player {
	return &Player{
		Config:     c,
		registry:   c.Services.Registry,
		writes:     c.Services.Writes,
		progress:   c.Services.Progress,
		monitoring: c.Services.Monitoring,
		reviews:    c.Services.Review,
		admin:      c.Services.Admin,
	}
}

// Results is what was compared so far.
func (p *Player) Results() []Result { return p.results }

// Timings is what took long.
func (p *Player) Timings() []Timing { return p.timings }

// Play plays everything. It fails when something could not be sent or read; figures
// that differ are in Results.
func (p *Player) Play(ctx context.Context) error {
	play, err := files.ReadPlay()
	if err != nil {
		return err
	}
	expected, err := files.ReadExpected()
	if err != nil {
		return err
	}
	if err := p.setup(ctx, play); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	days, err := play.Setup.Daily.Read()
	if err != nil {
		return err
	}
	p.review = play.Review
	last := play.Setup.Time
	for _, step := range play.Steps {
		if err := p.days(ctx, last, step.Time, play.Setup.Daily.Programme, days); err != nil {
			return fmt.Errorf("before step %s: %w", step.Name, err)
		}
		last = step.Time
		if err := p.step(ctx, step); err != nil {
			return fmt.Errorf("step %s: %w", step.Name, err)
		}
		for _, e := range expected {
			if e.After != step.Name {
				continue
			}
			result, err := p.compare(ctx, e)
			if err != nil {
				return fmt.Errorf("after step %s: figure %s, %s: %w", step.Name, e.Figure, e.What, err)
			}
			p.results = append(p.results, result)
		}
	}
	if left := len(expected) - len(p.results); left != 0 {
		return fmt.Errorf("%d figures of expected.yaml belong to no step", left)
	}
	return nil
}

// setup imports the units and applies the programme.
func (p *Player) setup(ctx context.Context, play *files.Play) error {
	var rows []bulk.UnitRow
	began := time.Now()
	for _, file := range play.Setup.Units {
		more, err := readUnits(file, play.Setup.UnitsFrom)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		done, err := bulk.Write(ctx, p.writes, bulk.UnitBatches(more, false), bulk.Options{})
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		rows = append(rows, more...)
		p.say("import %s: %s", file, done.Counts)
	}
	p.timings = append(p.timings, Timing{"import of units", len(rows), time.Since(began)})
	return p.apply(ctx, play.Setup.Apply)
}

func readUnits(file, from string) ([]bulk.UnitRow, error) {
	f, err := files.Files().Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bulk.ReadUnits(f, bulk.UnitOptions{Parent: "vn", From: from})
}

// apply applies files of resources and waits until reporting knows them.
func (p *Player) apply(ctx context.Context, names []string) error {
	for _, file := range names {
		text, err := files.Text(file)
		if err != nil {
			return err
		}
		writes, err := files.Resources(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		done, err := bulk.Write(ctx, p.writes, bulk.Batches(writes), bulk.Options{})
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		p.say("apply %s: %s", file, done.Counts)
		began := time.Now()
		if err := bulk.AwaitCopy(ctx, p.admin, done.Revision); err != nil {
			return err
		}
		p.say("reporting follows: revision %d, after another %d ms", done.Revision, time.Since(began).Milliseconds())
	}
	var err error
	p.units, err = listUnits(ctx, p.registry)
	return err
}

// days sets the clock to each day between two times, and sends what is to come then.
func (p *Player) days(ctx context.Context, from, to time.Time, programme string, reports map[string][]*reportingv1.Submission) error {
	for at := morning(from).AddDate(0, 0, 1); !at.After(to); at = at.AddDate(0, 0, 1) {
		if _, err := p.admin.SetClock(ctx, &reportingv1.SetClockRequest{Time: timestamppb.New(at)}); err != nil {
			return fmt.Errorf("set the clock: %w", show.Refusal(err))
		}
		for _, s := range reports[day(at)] {
			if err := p.submit(ctx, programme, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// morning is 08:00 of the day at +07:00.
func morning(t time.Time) time.Time {
	local := t.In(time.FixedZone("", 7*60*60))
	return time.Date(local.Year(), local.Month(), local.Day(), 8, 0, 0, 0, local.Location())
}

// step plays one step and waits until the listener has seen all of it.
func (p *Player) step(ctx context.Context, s files.Step) error {
	if err := p.settle(ctx); err != nil { // what came on the days before stands above this step
		return err
	}
	p.say("\n%s", show.Time(s.Time))
	if _, err := p.admin.SetClock(ctx, &reportingv1.SetClockRequest{Time: timestamppb.New(s.Time)}); err != nil {
		return fmt.Errorf("set the clock: %w", show.Refusal(err))
	}
	if len(s.Apply) > 0 {
		if err := p.apply(ctx, s.Apply); err != nil {
			return err
		}
	}
	sent := 0
	for i, r := range s.Reports {
		n, err := p.report(ctx, s.Time, r)
		if err != nil {
			return fmt.Errorf("report %d: %w", i+1, err)
		}
		sent += n
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	p.Listener.Below(ctx)
	p.say("%s accepted", number(sent, "report"))
	return nil
}

// settle waits until the listener has seen the newest event.
func (p *Player) settle(ctx context.Context) error {
	status, err := p.admin.GetStatus(ctx, &reportingv1.GetStatusRequest{})
	if err != nil {
		return show.Refusal(err)
	}
	return p.Listener.Await(ctx, status.GetHeadSequence())
}

func (p *Player) say(format string, args ...any) { fmt.Fprintf(p.Out, format+"\n", args...) }
