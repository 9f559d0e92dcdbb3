package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// clockCmd is about the service's time.
type clockCmd struct {
	Set  clockSetCmd  `cmd:"" help:"Set the manual clock; it never goes back."`
	Show clockShowCmd `cmd:"" help:"Print the service's time."`
}

// clockSetCmd sets the manual clock.
type clockSetCmd struct {
	target
	Time string `arg:"" help:"The new time, RFC 3339."`
}

// Help shows how the command is used.
func (*clockSetCmd) Help() string {
	return `The service must run with --clock=manual. The change is recorded in its log.

Example:
  cotmoc clock set 2022-07-31T12:00:00+07:00`
}

// Run sets the clock.
func (k *clockSetCmd) Run(ctx context.Context, c *console) error {
	at, err := time.Parse(time.RFC3339, k.Time)
	if err != nil {
		return fmt.Errorf("time %q is not of the form 2022-07-31T12:00:00+07:00", k.Time)
	}
	s, err := k.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	resp, err := s.admin().SetClock(ctx, &reportingv1.SetClockRequest{Time: timestamppb.New(at)})
	if err != nil {
		return show.Refusal(err)
	}
	c.printf("clock set to %s, event %d\n", show.Time(at), resp.GetSequence())
	return nil
}

// clockShowCmd prints the time.
type clockShowCmd struct{ target }

// Help shows how the command is used.
func (*clockShowCmd) Help() string {
	return `Example:
  cotmoc clock show`
}

// Run prints the time.
func (k *clockShowCmd) Run(ctx context.Context, c *console) error {
	s, err := k.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	status, err := s.admin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
	if err != nil {
		return show.Refusal(err)
	}
	kind := "system clock"
	if status.GetManualClock() {
		kind = "manual clock"
	}
	c.printf("%s (%s)\n", show.Time(status.GetTime().AsTime()), kind)
	return nil
}
