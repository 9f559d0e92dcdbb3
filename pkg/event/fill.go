package event

import (
	"context"
	"fmt"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// catchUp hands over what the log has after the position, at least up to the
// number until; 0 means up to the log's head. A replica that is asked may be a
// little behind; it is asked again for a while.
func (r *run) catchUp(ctx context.Context, until uint64) error {
	pause := firstPause
	for tries := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := r.list(ctx, r.track.at.Sequence, r.Subjects)
		if err != nil {
			return err
		}
		moved, err := r.takePage(ctx, page)
		switch {
		case err != nil:
			return err
		case r.track.at.Sequence >= until && (until > 0 || r.track.at.Sequence >= page.GetHeadSequence()):
			return nil
		case moved:
			tries = 0
			continue
		}
		if tries++; until == 0 || tries == fillTries {
			return fmt.Errorf("the log gives nothing after event %d, its head is %d", r.track.at.Sequence, page.GetHeadSequence())
		}
		pause = sleep(ctx, pause)
	}
}

// takePage hands over a page of the log and reports whether the position moved.
func (r *run) takePage(ctx context.Context, page *reportingv1.ListEventsResponse) (bool, error) {
	before := r.track.at
	if before.Sequence > 0 || page.GetLastSequence() > 0 {
		if err := r.checkEpoch(page.GetEpoch()); err != nil {
			return false, err
		}
	}
	for _, stored := range page.GetEvents() {
		if n := stored.GetSequence(); n <= r.track.at.Sequence || !r.track.filtered && n != r.track.at.Sequence+1 {
			return false, fmt.Errorf("the log gives event %d after event %d", n, r.track.at.Sequence)
		}
		if err := r.deliverStored(withIdentity(ctx, storedIdentity(page, stored)), stored); err != nil {
			return false, err
		}
	}
	if last := page.GetLastSequence(); last > r.track.at.Sequence && r.track.filtered {
		r.track.at.Sequence = last // nothing for us up to there
		if err := r.save(ctx); err != nil {
			return false, err
		}
	}
	return r.track.at != before, nil
}

// fillSubject hands over the events before e on its subject that were lost.
func (r *run) fillSubject(ctx context.Context, subject string, e *eventv1.Event) error {
	from := r.track.newest(subject)
	for from < e.GetPrevious() {
		page, err := r.list(ctx, from, []string{subject})
		if err != nil {
			return err
		}
		for _, stored := range page.GetEvents() {
			if stored.GetSequence() >= e.GetSequence() {
				break
			}
			if err := r.deliverStored(withIdentity(ctx, storedIdentity(page, stored)), stored); err != nil {
				return err
			}
		}
		if page.GetLastSequence() <= from {
			return fmt.Errorf("the log gives nothing after event %d", from)
		}
		from = page.GetLastSequence()
	}
	return nil
}

// list reads a page of the log.
func (r *run) list(ctx context.Context, after uint64, subjects []string) (*reportingv1.ListEventsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	page, err := r.Events.ListEvents(ctx, &reportingv1.ListEventsRequest{
		AfterSequence: after, Subjects: subjects, PageSize: pageSize,
	})
	if err != nil {
		return nil, fmt.Errorf("list events after %d: %w", after, err)
	}
	return page, nil
}

// decodeStored reads an event of a page.
func decodeStored(s *reportingv1.StoredEvent) (*eventv1.Event, error) {
	e, err := Decode(s.GetEvent())
	if err != nil {
		return nil, err
	}
	if e.GetSequence() != s.GetSequence() {
		return nil, fmt.Errorf("the log gives event %d under number %d", e.GetSequence(), s.GetSequence())
	}
	return e, nil
}
