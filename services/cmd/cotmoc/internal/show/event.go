package show

import (
	"context"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
)

// Event is a fact on one line for people.
func (n *Names) Event(ctx context.Context, e *eventv1.Event) string {
	head := fmt.Sprintf("%s  %7d  %-10s %-10s", Time(event.Time(e)), e.GetSequence(), event.Entity(e), event.Name(e))
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_MilestoneReached:
		return head + n.crossing(ctx, e.GetProgramme(), p.MilestoneReached)
	case *eventv1.Event_MilestoneRevoked:
		return head + n.crossing(ctx, e.GetProgramme(), p.MilestoneRevoked)
	case *eventv1.Event_MilestoneCarried:
		c := p.MilestoneCarried
		return head + fmt.Sprintf("%s  %s: thresholds of %d units count as they stand", c.GetTarget(), c.GetPath(), len(c.GetUnits()))
	case *eventv1.Event_SubmissionAccepted:
		return head + n.submission(ctx, e.GetProgramme(), p.SubmissionAccepted)
	case *eventv1.Event_SubmissionWithdrawn:
		return head + n.submission(ctx, e.GetProgramme(), p.SubmissionWithdrawn)
	case *eventv1.Event_SubmissionApproved:
		return head + n.submission(ctx, e.GetProgramme(), p.SubmissionApproved)
	case *eventv1.Event_SubmissionReturned:
		return head + n.submission(ctx, e.GetProgramme(), p.SubmissionReturned)
	case *eventv1.Event_DeadlineDue:
		return head + n.deadline(ctx, p.DeadlineDue)
	case *eventv1.Event_DeadlineOverdue:
		return head + n.deadline(ctx, p.DeadlineOverdue)
	}
	return head + event.TargetToken(e) + "  " + event.Path(e)
}

// Milestone is a milestone reached or revoked on a short line for people, with its day
// only.
func (n *Names) Milestone(ctx context.Context, e *eventv1.Event) string {
	m := crossed(e)
	return fmt.Sprintf("%s  %-8s %s", event.Time(e).In(indochina).Format(time.DateOnly), event.Name(e), n.crossing(ctx, e.GetProgramme(), m))
}

// Threshold is the line that a milestone crossed: `90 %`, `3 in a row`.
func (n *Names) Threshold(ctx context.Context, e *eventv1.Event) string {
	return n.threshold(ctx, e.GetProgramme(), crossed(e))
}

// crossed is what a milestone says; nil of another event.
func crossed(e *eventv1.Event) *eventv1.MilestoneCrossed {
	if m := e.GetMilestoneRevoked(); m != nil {
		return m
	}
	return e.GetMilestoneReached()
}

// crossing tells a milestone: what was crossed, where, and the figure now and before.
func (n *Names) crossing(ctx context.Context, programme string, m *eventv1.MilestoneCrossed) string {
	text := fmt.Sprintf("%-9s %s  %s: %s, before %s",
		n.threshold(ctx, programme, m),
		m.GetTarget(), n.Unit(ctx, m.GetPath()),
		n.Tally(ctx, programme, m.GetTarget(), m.GetAfter()), n.value(ctx, programme, m.GetTarget(), m.GetBefore()))
	if m.GetPeriod() != "" {
		text += ", period " + m.GetPeriod()
	}
	if m.GetOrdinal() > 1 {
		text += fmt.Sprintf(", for the %s time", ordinal(m.GetOrdinal()))
	}
	return text
}

// deadline tells a rung: who owes what, by when, and whom it is addressed to.
func (n *Names) deadline(ctx context.Context, d *eventv1.DeadlineReached) string {
	text := fmt.Sprintf("T%+d  %s  %s owes it by %s", d.GetDays(), d.GetTarget(), n.Unit(ctx, d.GetPath()), d.GetDueDate())
	if d.GetPeriod() != "" {
		text += ", period " + d.GetPeriod()
	}
	if d.GetAddressee() != eventv1.Addressee_ADDRESSEE_UNIT {
		text += ", told to " + d.GetAddresseeUnit()
	}
	if d.GetLate() {
		text += ", late"
	}
	return text
}

// submission tells what a cell holds now.
func (n *Names) submission(ctx context.Context, programme string, s *eventv1.SubmissionRecorded) string {
	return fmt.Sprintf("%s  %s, %s: %s (revision %d)", s.GetTarget(), n.Unit(ctx, s.GetPath()), s.GetPeriod(),
		n.Tally(ctx, programme, s.GetTarget(), s.GetTally()), s.GetRevision())
}

// Progress is the last value of a total on one line for people.
func (n *Names) Progress(ctx context.Context, p *eventv1.ProgressChanged) string {
	return fmt.Sprintf("%25s  %7d  %-10s %-10s%s  %s: %s", "", p.GetSequence(), "progress", "changed", p.GetTarget(),
		n.Unit(ctx, p.GetPath()), n.Tally(ctx, p.GetProgramme(), p.GetTarget(), p.GetCurrent()))
}

// ordinal is 2nd, 3rd, 11th.
func ordinal(n uint32) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
