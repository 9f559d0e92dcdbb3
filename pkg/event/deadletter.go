package event

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// maxErrorText is how many characters of an error a dead letter keeps.
const maxErrorText = 1000

// withheld is the text of an error that the service does not keep.
const withheld = "the error's text is left out, as it seems to hold personal data: see the subscriber's log"

// setAside has the service note that an event could not be taken in. The same event
// again changes nothing there, so it may be tried until it is answered.
func (r *run) setAside(ctx context.Context, sequence uint64, attempts int32, why error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	letter := &reportingv1.PutDeadLetterRequest{
		Subscription: r.Subscription, Sequence: sequence, Error: errorText(why), Attempts: attempts,
	}
	_, err := r.Events.PutDeadLetter(ctx, letter)
	if e, ok := apierr.Parse(err); ok && e.Reason == errorv1.Reason_REASON_PERSONAL_DATA {
		letter.Error = withheld // the event must not wait for a better text
		_, err = r.Events.PutDeadLetter(ctx, letter)
	}
	if err != nil {
		return fmt.Errorf("set event %d aside (%v): %w", sequence, why, err)
	}
	r.Log.ErrorContext(ctx, "an event was set aside", "subscription", r.Subscription,
		"sequence", sequence, "attempts", attempts, "error", why)
	return nil
}

// deliverStored hands over an event of the log. One that cannot be decoded is set
// aside where events may be.
func (r *run) deliverStored(ctx context.Context, stored *reportingv1.StoredEvent) error {
	e, err := decodeStored(stored)
	if err == nil {
		return r.deliver(ctx, stored.GetSubject(), e)
	}
	if r.MaxAttempts == 0 {
		return err
	}
	if err := r.setAside(ctx, stored.GetSequence(), 1, err); err != nil {
		return err
	}
	return r.passed(ctx, stored.GetSubject(), &eventv1.Event{Sequence: stored.GetSequence(), Epoch: r.track.at.Epoch})
}

// errorText is an error as the contract takes text: one line, composed, not empty.
func errorText(err error) string {
	text := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, strings.ToValidUTF8(err.Error(), "?"))
	runes := []rune(strings.TrimSpace(norm.NFC.String(text)))
	if len(runes) == 0 {
		return "no reason given"
	}
	return strings.TrimSpace(string(runes[:min(len(runes), maxErrorText)]))
}
