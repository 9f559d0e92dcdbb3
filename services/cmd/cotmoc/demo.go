package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/types/known/timestamppb"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/event"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/demo"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// demoCmd plays Project 06.
type demoCmd struct {
	target
	natsUser
	Dir     string `help:"New folder to keep the instance's state in; by default it is deleted at the end." type:"path" placeholder:"DIR" xor:"where"`
	Running bool   `help:"Play on the services that --registry and --reporting name instead: they hold nothing yet, and their clock is manual." xor:"where"`
}

// Help shows how the command is used.
func (*demoCmd) Help() string {
	return `Starts a scratch instance with a manual clock on free ports, imports the units of
2022 and applies Project 06. Plays 2022-01-10 to 2023-06-30 day by day: sends what was
reported at four reviews, and each quarter by the provinces, through the public API,
and prints each milestone of the whole country as it comes out of NATS, those below it
as counts. Then prints the deadlines told in 2022 and who leads and lags, closes the year, and compares the figures that the
API gives with those published. Ends with 1 when one differs.

Examples:
  cotmoc demo
  cotmoc demo --dir var/demo && cotmoc up --dir var/demo --clock=manual
  cotmoc demo --running --registry 127.0.0.1:7709 --reporting 127.0.0.1:7715`
}

// errDiffers says that a figure is not as published.
var errDiffers = errors.New("figures differ")

// Run plays it.
func (d *demoCmd) Run(ctx context.Context, c *console) error {
	began := time.Now()
	play, err := files.ReadPlay()
	if err != nil {
		return err
	}
	c.printf("Project 06 day by day: what the units of 2022 report, sent through the API, and each milestone of the whole\n" +
		"country as a subscriber hears it; then deadlines, a ranking, a closing, and the figures against those published.\n\n")
	if d.Running {
		return d.onRunning(ctx, c, play.Setup.Time, began)
	}
	dir, clean, err := d.folder()
	if err != nil {
		return err
	}
	defer clean()
	process, err := startDemo(ctx, c, dir, play.Setup.Time)
	if err != nil {
		return err
	}
	at := target{RegistryAddr: process.Addr, ReportingAddr: process.Addr}
	err = d.on(ctx, c, &at, began, func([]string) (*nats.Conn, error) {
		return process.ConnectNATS(nats.Name("cotmoc demo"))
	})
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return errors.Join(err, process.Close(stop))
}

// onRunning plays it on services that run already.
func (d *demoCmd) onRunning(ctx context.Context, c *console, first time.Time, began time.Time) error {
	s, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	status, err := s.admin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
	if err != nil {
		return show.Refusal(err)
	}
	if !status.GetManualClock() || status.GetCells() > 0 || status.GetUnits() > 0 {
		return errors.New("--running: the demo needs services that hold no units yet, and whose clock is manual")
	}
	if status.GetTime().AsTime().Before(first) {
		if _, err := s.admin().SetClock(ctx, &reportingv1.SetClockRequest{Time: timestamppb.New(first)}); err != nil {
			return show.Refusal(err)
		}
	}
	c.printf("services that run already serve on %s and %s; their clock stands at %s\n\n", d.RegistryAddr, d.ReportingAddr, show.Time(first))
	return d.on(ctx, c, &d.target, began, func(urls []string) (*nats.Conn, error) { return d.connect(urls, "cotmoc demo") })
}

// on plays it on services, with a connection to their NATS.
func (d *demoCmd) on(ctx context.Context, c *console, at *target, began time.Time, connect func(urls []string) (*nats.Conn, error)) error {
	s, err := at.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	where, err := s.events().EnsureSubscription(ctx, &reportingv1.EnsureSubscriptionRequest{Subscription: "demo"})
	if err != nil {
		return show.Refusal(err)
	}
	nc, err := connect(where.GetNatsUrls())
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	if nc == nil {
		return errors.New("NATS cannot be reached from here, and the demo listens to it")
	}
	defer nc.Close()
	return playDemo(ctx, &console{Out: &together{w: c.Out}, Err: c.Err, TTY: c.TTY}, s, nc, began)
}

// folder is where the state goes: one that holds nothing yet.
func (d *demoCmd) folder() (dir string, clean func(), err error) {
	if d.Dir == "" {
		dir, err = os.MkdirTemp("", "cotmoc-demo-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	entries, err := os.ReadDir(d.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, err
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("--dir %s is not empty: the demo starts from nothing", d.Dir)
	}
	return d.Dir, func() {}, nil
}

// startDemo starts the pair on free ports, its clock before the first step.
func startDemo(ctx context.Context, c *console, dir string, first time.Time) (*embedded.Process, error) {
	log, err := obs.NewLog(c.Err, obs.Format("console"), "error")
	if err != nil {
		return nil, err
	}
	p, err := embedded.Up(ctx, embedded.Config{Dir: dir, Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0",
		ManualClock: true, Start: first, Log: log})
	if err != nil {
		return nil, err
	}
	c.printf("a scratch instance serves on %s, NATS on %s; its clock stands at %s\n\n", p.Addr, p.NATSURL, show.Time(first))
	return p, nil
}

// playDemo plays all steps beside a subscriber and tells the outcome.
func playDemo(ctx context.Context, c *console, s *services, nc *nats.Conn, began time.Time) error {
	pair := demo.Services{Registry: s.registry(), Writes: s.writes(), Progress: s.progress(), Monitoring: s.monitoring(),
		Review: s.review(), Admin: s.admin(), Events: s.events(), Units: s.unit}
	listener := demo.NewListener(c.Out, show.NewNames(pair.Registry))
	stopListening, err := listen(ctx, nc, pair.Events, listener, subscriberLog(c))
	if err != nil {
		return err
	}
	player := demo.New(demo.Config{Services: pair, Listener: listener, Out: c.Out})
	err = player.Play(ctx)
	var review error
	if err == nil {
		c.printf("\n")
		review = player.Review(ctx)
	}
	if err := errors.Join(err, stopListening()); err != nil {
		return err
	}
	c.printf("\n")
	demo.WriteTable(c.Out, player.Results())
	unsound := errors.Join(review, conclude(ctx, c, pair.Admin, player, listener))
	c.printf("took       %.1f s in all\n", time.Since(began).Seconds())
	if err := errors.Join(verdict(c, player.Results()), unsound); err != nil {
		return err
	}
	c.printf("\nall that was published of Project 06 comes out of what the units sent; log, totals and stream agree\n")
	return nil
}

// listen follows all facts from the first; stop waits until it has ended.
func listen(ctx context.Context, nc *nats.Conn, events reportingv1.EventServiceClient, l *demo.Listener, log *slog.Logger) (stop func() error, err error) {
	s, err := event.New(event.Config{Conn: nc, Events: events, Subscription: "demo", Positions: &event.MemoryPositions{}, Log: log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l.Handle) }()
	return func() error { cancel(); return <-ended }, nil
}

// conclude prints doctor's checks and what took long.
func conclude(ctx context.Context, c *console, admin reportingv1.ReportingAdminServiceClient, player *demo.Player, listener *demo.Listener) error {
	c.printf("\n")
	began := time.Now()
	checks, err := admin.Verify(ctx, &reportingv1.VerifyRequest{})
	if err != nil {
		return show.Refusal(err)
	}
	unsound := report(c, checks, time.Since(began))
	events, milestones := listener.Seen()
	c.printf("\nsubscriber %d events, each once and in order, among them %d milestones\n", events, milestones)
	for _, t := range player.Timings() {
		c.printf("time       %s\n", t)
	}
	return unsound
}

// verdict counts the figures; it fails when one differs, or there is none.
func verdict(c *console, results []demo.Result) error {
	equal := 0
	for _, r := range results {
		if r.OK() {
			equal++
		}
	}
	c.printf("figures    %d of %d as published\n", equal, len(results))
	if equal < len(results) || len(results) == 0 {
		return fmt.Errorf("%d of %d %w", len(results)-equal, len(results), errDiffers)
	}
	return nil
}

// together lets several goroutines write lines.
type together struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes whole lines.
func (t *together) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(b)
}
