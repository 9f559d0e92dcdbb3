package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/event"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// eventsCmd is for those who look after the stream.
type eventsCmd struct {
	Subscriptions subscriptionsCmd `cmd:"" help:"Print the subscriptions and how far each is behind."`
	DeadLetters   deadLettersCmd   `cmd:"" help:"Print the events that a subscription set aside."`
	Unsubscribe   unsubscribeCmd   `cmd:"" help:"End a subscription and forget what it set aside."`
	NewEpoch      newEpochCmd      `cmd:"" help:"Begin a new epoch of the log, after a restore."`
}

// subscriptionsCmd lists subscriptions.
type subscriptionsCmd struct{ target }

// Help shows how the command is used.
func (*subscriptionsCmd) Help() string {
	return `PENDING is what waits on the stream, UNACKED what was given out and not answered yet,
DEAD what was set aside.

Example:
  cotmoc events subscriptions`
}

// Run prints them.
func (e *subscriptionsCmd) Run(ctx context.Context, c *console) error {
	s, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	var all []*reportingv1.SubscriptionStatus
	err = pages(func(token string) (string, bool, error) {
		page, err := s.events().ListSubscriptions(ctx, &reportingv1.ListSubscriptionsRequest{PageSize: pageSize, PageToken: token})
		all = append(all, page.GetSubscriptions()...)
		return page.GetNextPageToken(), true, err
	})
	if err != nil {
		return err
	}
	c.printf("%-30s %12s %10s %8s %6s  %s\n", "SUBSCRIPTION", "ACKED", "PENDING", "UNACKED", "DEAD", "SUBJECTS")
	for _, one := range all {
		subjects := strings.Join(one.GetSubjects(), " ")
		if subjects == "" {
			subjects = "all facts"
		}
		c.printf("%-30s %12d %10d %8d %6d  %s\n", one.GetSubscription(), one.GetAckedSequence(), one.GetPending(),
			one.GetUnacked(), one.GetDeadLetters(), subjects)
	}
	return nil
}

// deadLettersCmd lists what was set aside.
type deadLettersCmd struct {
	target
	Subscription string `arg:"" help:"Name of the subscription."`
	JSON         bool   `name:"json" help:"Print each as a line of JSON, with the event's bytes."`
}

// deadPage is how many dead letters one call asks for.
const deadPage = 200

// Help shows how the command is used.
func (*deadLettersCmd) Help() string {
	return `The events themselves are in the log: once their reader is mended, it can list them
again from there.

Example:
  cotmoc events dead-letters wall-screen`
}

// Run prints them.
func (e *deadLettersCmd) Run(ctx context.Context, c *console) error {
	s, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for after := uint64(0); ; {
		resp, err := s.events().ListDeadLetters(ctx, &reportingv1.ListDeadLettersRequest{
			Subscription: e.Subscription, AfterSequence: after, PageSize: deadPage})
		if err != nil {
			return show.Refusal(err)
		}
		if len(resp.GetDeadLetters()) == 0 {
			return nil
		}
		for _, d := range resp.GetDeadLetters() {
			if err := e.print(c, d); err != nil {
				return err
			}
			after = d.GetEvent().GetSequence()
		}
	}
}

func (e *deadLettersCmd) print(c *console, d *reportingv1.DeadLetter) error {
	if e.JSON {
		return c.json(d)
	}
	what := d.GetEvent().GetSubject()
	if _, err := event.Decode(d.GetEvent().GetEvent()); err != nil {
		what = "cannot be decoded"
	}
	c.printf("event %d  %s  tried %d times, set aside %s\n  %s\n", d.GetEvent().GetSequence(), what,
		d.GetAttempts(), show.Time(d.GetTime().AsTime()), d.GetError())
	return nil
}

// unsubscribeCmd ends a subscription.
type unsubscribeCmd struct {
	target
	Subscription string `arg:"" help:"Name of the subscription."`
}

// Help shows how the command is used.
func (*unsubscribeCmd) Help() string {
	return `A subscriber that still runs makes its subscription anew and misses nothing: its own
position decides. Stop it first.

Example:
  cotmoc events unsubscribe wall-screen`
}

// Run ends it.
func (e *unsubscribeCmd) Run(ctx context.Context, c *console) error {
	s, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.events().DeleteSubscription(ctx, &reportingv1.DeleteSubscriptionRequest{Subscription: e.Subscription}); err != nil {
		return show.Refusal(err)
	}
	c.printf("ended subscription %s\n", e.Subscription)
	return nil
}

// newEpochCmd begins a new epoch.
type newEpochCmd struct {
	target
	Reason string `required:"" help:"Why, for those who read the log later." placeholder:"TEXT"`
	Force  bool   `help:"Also where the stream shows nothing that the log lacks, because it was lost, too."`
}

// Help shows how the command is used.
func (*newEpochCmd) Help() string {
	return `Only after the reporting ledger was restored from a backup that subscribers may have
seen more of. The new epoch has a stream of its own with the whole log; subscribers of
the old one stop with an error and have to build anew what they made of it. So it is
refused where the stream is as the log, and where somebody else wrote to the stream.

Example:
  cotmoc events new-epoch --reason 'disk lost on 12 March, restored the backup of 02:00'`
}

// Run declares it.
func (e *newEpochCmd) Run(ctx context.Context, c *console) error {
	s, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	status, err := s.admin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
	if err != nil {
		return show.Refusal(err)
	}
	resp, err := s.admin().DeclareEpoch(ctx, &reportingv1.DeclareEpochRequest{ExpectedEpoch: status.GetEpoch(), Reason: e.Reason, Force: e.Force})
	if err != nil {
		return show.Refusal(err)
	}
	c.printf("epoch %d from event %d on\n", resp.GetEpoch(), resp.GetSequence())
	return nil
}

// logCmd is about the logs of the services.
type logCmd struct {
	RaiseLevel raiseLevelCmd `cmd:"" help:"Let a log be written as a newer release writes; it cannot be taken back."`
}

// raiseLevelCmd raises a log's level.
type raiseLevelCmd struct {
	target
	Service string `arg:"" enum:"registry,reporting" help:"Whose log: ${enum}."`
	Level   uint32 `required:"" help:"The new level, one above the log's." placeholder:"N"`
	Reason  string `required:"" help:"Why, for those who read the log later." placeholder:"TEXT"`
}

// Help shows how the command is used.
func (*raiseLevelCmd) Help() string {
	return `When all replicas of a service run the new release. From then on an older release
cannot read the log any more: it stops being ready.

Example:
  cotmoc log raise-level reporting --level 2 --reason 'all replicas run 1.4'`
}

// Run raises it.
func (l *raiseLevelCmd) Run(ctx context.Context, c *console) error {
	s, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	var where string
	if l.Service == "registry" {
		resp, rerr := s.writes().RaiseLevel(ctx, &registryv1.RaiseLevelRequest{Level: l.Level, Reason: l.Reason})
		where, err = fmt.Sprintf("revision %d", resp.GetRevision()), rerr
	} else {
		resp, rerr := s.admin().RaiseLevel(ctx, &reportingv1.RaiseLevelRequest{Level: l.Level, Reason: l.Reason})
		where, err = fmt.Sprintf("event %d", resp.GetSequence()), rerr
	}
	if err != nil {
		return show.Refusal(err)
	}
	c.printf("the %s log is of level %d from %s on\n", l.Service, l.Level, where)
	return nil
}
