package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// doctorCmd checks a running service.
type doctorCmd struct {
	target
	SkipStream bool          `help:"Leave the stream out."`
	Timeout    time.Duration `help:"Give up after this long." default:"10m"`
}

// Help shows how the command is used.
func (*doctorCmd) Help() string {
	return `Checks the chain of the log, the book against a replay of the log, every total
against the sum of its cells, and the stream against the log. The service goes on
working meanwhile. Ends with 1 when a check fails.

Examples:
  cotmoc doctor
  cotmoc doctor --reporting 127.0.0.1:7620 --skip-stream`
}

// Run checks and prints what was found.
func (d *doctorCmd) Run(ctx context.Context, c *console) error {
	s, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	began := time.Now()
	resp, err := s.admin().Verify(ctx, &reportingv1.VerifyRequest{SkipStream: d.SkipStream})
	if err != nil {
		return show.Refusal(err)
	}
	return report(c, resp, time.Since(began))
}

// errUnsound says that a check failed.
var errUnsound = errors.New("a check failed")

// report prints the checks; it fails when one of them did, or when there is none.
func report(c *console, resp *reportingv1.VerifyResponse, took time.Duration) error {
	sound := len(resp.GetChecks()) > 0
	for _, check := range resp.GetChecks() {
		word := "OK"
		if !check.GetOk() {
			word, sound = "FAILED", false
		}
		c.printf("%-6s  %-8s  %s\n", word, check.GetName(), check.GetDetail())
	}
	c.printf("checked up to event %d in %s\n", resp.GetSequence(), took.Round(time.Millisecond))
	if !sound {
		return fmt.Errorf("doctor: %w", errUnsound)
	}
	return nil
}
