package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// unsubscribeWithin is how long somebody who stopped a watch waits for its end.
	unsubscribeWithin = 2 * time.Second
	// forgetAfter is when NATS forgets the subscription of a watch that was killed.
	forgetAfter = 10 * time.Minute
)

// watchCmd prints what happens.
type watchCmd struct {
	target
	natsUser
	Programme      string   `help:"Only this programme." placeholder:"ID"`
	MilestonesOnly bool     `xor:"what" help:"Milestones without the progress of totals."`
	Subject        []string `xor:"what" sep:"none" help:"NATS filter of what to print instead; may be given again." placeholder:"FILTER"`
	FromSequence   *uint64  `xor:"start" help:"Begin after this event; 0 is the first of the log." placeholder:"N"`
	New            bool     `xor:"start" help:"Begin with what happens from now on (the default)."`
	Subscription   string   `help:"Name of the subscription, which then stays; made up and ended with the command when not given. Where NATS knows its users, one that the user may read." placeholder:"NAME"`
	JSON           bool     `name:"json" help:"Print a line of JSON for each event, with its subject, sequence, CloudEvents id and source."`
}

// Help shows how the command is used.
func (*watchCmd) Help() string {
	return `Milestones are facts: each is printed once, in order, through restarts of NATS and
of the service. Progress is a view: the last value of each total, at most one a second.

Examples:
  cotmoc watch --programme de-an-06
  cotmoc watch --milestones-only --from-sequence 0
  cotmoc watch --json --subject 'cotmoc.de-an-06.*.*.*.vn.79.>'`
}

// Run prints until it is told to stop.
func (w *watchCmd) Run(ctx context.Context, c *console) error {
	facts, progress, err := w.filters()
	if err != nil {
		return err
	}
	s, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := w.known(ctx, s); err != nil {
		return err
	}
	at, err := w.position(ctx, s)
	if err != nil {
		return show.Refusal(err)
	}
	// Without this, `| head -1` would end the process before it has ended its subscription.
	signal.Ignore(syscall.SIGPIPE)
	config := event.Config{Events: s.events(), Subscription: w.Subscription, Subjects: facts, Log: subscriberLog(c)}
	if w.Subscription == "" {
		config.Subscription, config.ForgetAfter = "watch-"+uuid.NewString()[:8], forgetAfter
		defer unsubscribe(ctx, s, config.Subscription)
	}
	first := &reportingv1.EnsureSubscriptionRequest{Subscription: config.Subscription, Subjects: facts, AfterSequence: at.Sequence}
	if len(facts) == 0 {
		first.Subjects = progress
	}
	if config.ForgetAfter > 0 {
		first.ForgetAfter = durationpb.New(config.ForgetAfter)
	}
	where, err := s.events().EnsureSubscription(ctx, first)
	if err != nil {
		return show.Refusal(err)
	}
	if config.Conn, err = w.connect(where.GetNatsUrls(), "cotmoc watch"); err != nil {
		return err
	}
	if config.Conn != nil {
		defer config.Conn.Close()
	} else if progress, err = fromLog(c, facts, progress); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := &printer{console: c, names: show.NewNames(s.registry()), json: w.JSON, from: at.Sequence, stop: stop}
	follow := &following{progress: progress, facts: facts, at: at}
	err = follow.run(ctx, config, p)
	if cause := context.Cause(ctx); errors.Is(cause, errOutput) {
		return cause
	}
	return err
}

// fromLog says what is missing where nobody outside the service reaches NATS: facts come
// from the log all the same, the progress of totals is on NATS alone.
func fromLog(c *console, facts, progress []string) ([]string, error) {
	const how = "cotmoc up opens its NATS with --nats-listen 127.0.0.1:7622"
	switch {
	case len(facts) == 0:
		return nil, fmt.Errorf("the progress of totals comes by NATS, which nobody outside the service reaches: %s", how)
	case len(progress) > 0:
		fmt.Fprintf(c.Err, "NATS cannot be reached from here: events come from the log, once a second, and no progress of totals; %s\n", how)
	}
	return nil, nil
}

// unsubscribe ends a subscription that nobody will ask for again. Left over, it would
// count as one that is behind until NATS forgets it after 30 days.
func unsubscribe(ctx context.Context, s *services, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unsubscribeWithin)
	defer cancel()
	_, _ = s.events().DeleteSubscription(ctx, &reportingv1.DeleteSubscriptionRequest{Subscription: name})
}

// known refuses a programme that there is not: a watch of it would be silent for ever.
func (w *watchCmd) known(ctx context.Context, s *services) error {
	if w.Programme == "" {
		return nil
	}
	resp, err := s.registry().ListProgrammes(ctx, &registryv1.ListProgrammesRequest{PageSize: 100})
	if err != nil {
		return show.Refusal(err)
	}
	var ids []string
	for _, p := range resp.GetProgrammes() {
		id := strings.TrimPrefix(p.GetName(), "programmes/")
		if id == w.Programme {
			return nil
		}
		ids = append(ids, id)
	}
	if resp.GetNextPageToken() != "" {
		_, err := s.registry().GetProgramme(ctx, &registryv1.GetProgrammeRequest{Name: "programmes/" + w.Programme})
		return show.Refusal(err)
	}
	return fmt.Errorf("--programme: there is no programme %s; there is: %s", w.Programme, cmp.Or(strings.Join(ids, ", "), "none yet"))
}

// position is where to begin.
func (w *watchCmd) position(ctx context.Context, s *services) (event.Position, error) {
	if w.FromSequence != nil && *w.FromSequence == 0 {
		return event.Position{}, nil
	}
	status, err := s.admin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
	if err != nil {
		return event.Position{}, err
	}
	at := event.Position{Epoch: status.GetEpoch(), Sequence: status.GetHeadSequence()}
	if w.FromSequence != nil {
		if *w.FromSequence > at.Sequence {
			return at, fmt.Errorf("--from-sequence %d is beyond the newest event, %d", *w.FromSequence, at.Sequence)
		}
		at.Sequence = *w.FromSequence
	}
	return at, nil
}

// subscriberLog tells people what a subscriber has to try again.
func subscriberLog(c *console) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// filters is what to read from the stream of facts and from that of last values.
func (w *watchCmd) filters() (facts, progress []string, err error) {
	if len(w.Subject) == 0 {
		programme := "*"
		if w.Programme != "" {
			if err := name.CheckID(w.Programme, name.MaxID); err != nil {
				return nil, nil, fmt.Errorf("--programme: %w", err)
			}
			programme = w.Programme
		}
		facts = []string{"cotmoc." + programme + ".milestone.>"}
		if !w.MilestonesOnly {
			progress = []string{"cotmoc." + programme + ".progress.>"}
		}
		return facts, progress, nil
	}
	if w.Programme != "" {
		return nil, nil, errors.New("--programme and --subject cannot be used together: the filter names the programme")
	}
	for _, f := range w.Subject {
		if err := event.CheckFilter(f); err != nil {
			return nil, nil, err
		}
		ofFacts, ofProgress := split(f)
		facts, progress = append(facts, ofFacts...), append(progress, ofProgress...)
	}
	return facts, progress, nil
}

// split is what a filter covers of each of the two streams: the third token of a
// subject tells them apart.
func split(filter string) (facts, progress []string) {
	tokens := strings.Split(filter, ".")
	const entity = 2
	if last := len(tokens) - 1; last <= entity && tokens[last] == ">" {
		head := append(tokens[:last:last], []string{"cotmoc", "*"}[last:]...)
		return []string{filter}, []string{strings.Join(head, ".") + ".progress.>"}
	}
	switch {
	case len(tokens) > entity && tokens[entity] == "progress":
		return nil, []string{filter}
	case len(tokens) > entity && tokens[entity] == "*":
		tokens[entity] = "progress"
		return []string{filter}, []string{strings.Join(tokens, ".")}
	}
	return []string{filter}, nil
}
