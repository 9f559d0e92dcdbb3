package play

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// ErrDiffers says that something is not as expected.
var ErrDiffers = errors.New("not as expected")

// mostShown is how many differences are written out.
const mostShown = 20

// rungs is the ladder of deadlines, in days from the due date.
func rungs() []day { return []day{-30, -7, -1, 0, 1, 7, 30} }

// told reports whether a rung is told: when it is played, and nothing has come by
// the morning of its day.
func (p *plan) told(r *report, rung day) bool {
	on := r.due + rung
	return on >= first && on <= p.last && on <= r.came
}

// differences are collected, and the first of them written out.
type differences struct {
	p *player
	n int
}

func (d *differences) add(format string, args ...any) {
	if d.n++; d.n <= mostShown {
		d.p.printf("DIFFERS: "+format+"\n", args...)
	}
}

// check compares what the process holds with what is expected.
func (p *player) check(ctx context.Context) error {
	d := &differences{p: p}
	if want := p.config.Kills; p.result.Kills != want {
		d.add("the process was killed %d times, not %d", p.result.Kills, want)
	}
	for _, step := range []func(context.Context, *differences) error{p.checkRungs, p.checkFigures, p.checkMissing, p.checkValues, p.audit} {
		if err := step(ctx, d); err != nil {
			return err
		}
	}
	if d.n > 0 {
		return fmt.Errorf("%d differences: %w", d.n, ErrDiffers)
	}
	return nil
}

// checkRungs reads all deadline events and sees each expected one once.
func (p *player) checkRungs(ctx context.Context, d *differences) error {
	index := make(map[string]int, len(p.plan.units))
	for i := range p.plan.units {
		index[p.plan.units[i].path] = i
	}
	seen := make([]uint8, len(p.plan.reports)*len(rungs()))
	found, others := 0, make(map[string]int)
	for after, head := uint64(0), p.result.Events; after < head; {
		page, err := p.lines[0].Events().ListEvents(ctx, &reportingv1.ListEventsRequest{
			AfterSequence: after, PageSize: 1000, Subjects: []string{"cotmoc.*.deadline.>", "cotmoc.*.milestone.>", "cotmoc.*.clock.>"}})
		if err != nil {
			return fmt.Errorf("list events: %w", err)
		}
		for _, stored := range page.GetEvents() {
			e := new(eventv1.Event)
			if err := proto.Unmarshal(stored.GetEvent(), e); err != nil {
				return err
			}
			if entity := event.Entity(e); entity != "deadline" {
				others[entity]++
				continue
			}
			found++
			r, name := e.GetDeadlineDue(), "due"
			if r == nil {
				r, name = e.GetDeadlineOverdue(), "overdue"
			}
			p.result.Late += intOf(r.GetLate())
			p.result.Rungs[fmt.Sprintf("T%+d", r.GetDays())]++
			at, what := p.judge(index, e, r)
			if want := fmt.Sprintf("cotmoc.%s.deadline.%s.%s.%s", programme, name, regime, r.GetPath()); stored.GetSubject() != want {
				what = "subject " + stored.GetSubject()
			}
			if what != "" {
				d.add("event %d: %s: %v", e.GetSequence(), what, r)
			} else if seen[at]++; seen[at] > 1 {
				d.add("event %d comes again: %v", e.GetSequence(), r)
			}
		}
		after = page.GetLastSequence()
	}
	want := p.missed(seen, d)
	p.printf("of the events  %d of deadlines, %d of milestones, %d of the clock\n", found, others["milestone"], others["clock"])
	p.printf("rungs         ")
	for _, rung := range rungs() {
		p.printf(" T%+d: %d ", rung, p.result.Rungs[fmt.Sprintf("T%+d", rung)])
	}
	p.printf("\ndeadlines      %d told, %d expected, each compared; %d marked late\n", found, want, p.result.Late)
	return nil
}

// missed adds the expected rungs that were not seen, and returns how many are expected.
func (p *player) missed(seen []uint8, d *differences) (want int) {
	for i := range p.plan.reports {
		for at, rung := range rungs() {
			if !p.plan.told(&p.plan.reports[i], rung) {
				continue
			}
			if want++; seen[i*len(rungs())+at] == 0 {
				d.add("T%+d of unit %s for %s was not told", rung, p.plan.units[i/p.plan.months].id, period(i%p.plan.months))
			}
		}
	}
	return want
}

// judge finds the report and rung that an event is about, as a place among all, and
// says what is wrong with the event; an empty text when nothing is.
func (p *player) judge(index map[string]int, e *eventv1.Event, r *eventv1.DeadlineReached) (place int, what string) {
	u, known := index[r.GetPath()]
	month := slices.Index(p.plan.periods(), r.GetPeriod())
	at := slices.Index(rungs(), day(r.GetDays()))
	if !known || month < 0 || at < 0 || r.GetTarget() != regime || e.GetProgramme() != programme {
		return 0, "nobody owes this"
	}
	of, owes := &p.plan.units[u], p.plan.report(u, month)
	to, id := eventv1.Addressee_ADDRESSEE_UNIT, of.id
	switch r.GetDays() {
	case 7:
		to, id = eventv1.Addressee_ADDRESSEE_PARENT, of.parent
	case 30:
		to, id = eventv1.Addressee_ADDRESSEE_CENTRE, root
	}
	rung := rungs()[at]
	switch on := dayAt(e.GetTimeUnixMicros()); {
	case r.GetDueDate() != owes.due.String():
		what = "it is due on " + owes.due.String()
	case !p.plan.told(owes, rung):
		what = "it came before, on " + owes.came.String()
	case on != owes.due+rung:
		what = "told on " + on.String()
	case r.GetLate():
		what = "marked late, though told on its day"
	case (e.GetDeadlineOverdue() != nil) != (rung > 0):
		what = "due and overdue confused"
	case r.GetAddressee() != to || r.GetAddresseeUnit() != id:
		what = fmt.Sprintf("it is for %s %s", strings.TrimPrefix(to.String(), "ADDRESSEE_"), id)
	}
	return (u*p.plan.months+month)*len(rungs()) + at, what
}
