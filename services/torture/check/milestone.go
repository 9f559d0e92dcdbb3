package check

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// mark is a threshold of a unit's total.
type mark struct {
	node
	threshold int
}

// state is how often a mark was reached, and whether it is now.
type state struct {
	ordinal uint32
	reached bool
}

// crossing is what may be in the log once.
type crossing struct {
	mark
	goalRevision int64
	ordinal      uint32
	reached      bool
}

// usual are the thresholds of a target that names none.
var usual = []*registryv1.Threshold{progress(2500), progress(5000), progress(7500), progress(9000), progress(10_000)}

func progress(p uint32) *registryv1.Threshold {
	return &registryv1.Threshold{At: &registryv1.Threshold_Progress{Progress: p}}
}

// watches reports whether figures of a sheet have milestones.
func (w *watched) watches(period string) bool {
	scope := w.rule.GetScope()
	if w.rule.GetDisabled() {
		return false
	}
	if period == "" {
		return scope != registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD
	}
	return scope == registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD || scope == registryv1.MilestoneScope_MILESTONE_SCOPE_BOTH
}

func (w *watched) thresholds() []*registryv1.Threshold {
	if own := w.rule.GetThresholds(); len(own) > 0 {
		return own
	}
	return usual
}

// met reports whether a total has reached a threshold.
func (w *watched) met(t *registryv1.Threshold, unit string, total *typev1.Tally) bool {
	switch at := t.GetAt().(type) {
	case *registryv1.Threshold_Value:
		return total.GetReporting() > 0 && total.GetNumerator() >= at.Value
	case *registryv1.Threshold_Completeness:
		return total.GetExpected() > 0 && atLeast(int64(total.GetReporting()), 10_000, int64(at.Completeness), int64(total.GetExpected()))
	}
	goal, base, p := w.goal.GetValue(), w.goal.GetBaseline(), int64(t.GetProgress())
	switch {
	case total.GetReporting() == 0:
		return false
	case w.kind == typev1.ValueKind_VALUE_KIND_COUNT:
		return unit == w.root && total.GetNumerator() >= base && atLeast(total.GetNumerator()-base, 10_000, p, goal-base)
	}
	// Ratios are held against millionths of the whole.
	return total.GetDenominator() > 0 &&
		atLeast(total.GetNumerator(), 10_000*1_000_000, total.GetDenominator(), 10_000*base+p*(goal-base))
}

// judgeable reports whether enough has come for a ratio to be judged at a unit that
// has others below it.
func (f *Fold) judgeable(w *watched, n node, total *typev1.Tally) bool {
	alone := f.expected[n.target][n.unit] == 0 || f.scope[n.target][n.unit] && f.expected[n.target][n.unit] == 1
	if alone || w.kind != typev1.ValueKind_VALUE_KIND_RATIO {
		return true
	}
	least := int64(10_000)
	if w.rule != nil && w.rule.MinReporting != nil {
		least = int64(w.rule.GetMinReporting())
	}
	return atLeast(int64(total.GetReporting()), 10_000, least, int64(total.GetExpected()))
}

// judge notes the crossings that must follow from a total that moved.
func (f *Fold) judge(n node, before, after *typev1.Tally) {
	w := f.targets[n.target]
	levels := w.rule.GetLevels()
	if !w.watches(n.period) || proto.Equal(before, after) || len(levels) > 0 && !slices.Contains(levels, f.level[n.unit]) {
		return
	}
	judgeable := f.judgeable(w, n, after)
	for i, t := range w.thresholds() {
		if !judgeable && t.GetCompleteness() == 0 {
			continue
		}
		m := mark{n, i}
		s := f.marks[m]
		reached := w.met(t, n.unit, after)
		if reached == s.reached {
			continue
		}
		if s.reached = reached; reached {
			s.ordinal++
		}
		f.marks[m] = s
		f.due = append(f.due, &eventv1.MilestoneCrossed{Target: n.target, Path: f.path[n.unit], Period: n.period, GoalRevision: w.revision,
			ThresholdIndex: uint32(i), Ordinal: s.ordinal, Before: before, After: after})
		f.dueReached = append(f.dueReached, reached)
	}
}

// cross holds a crossing of the log against those that are due.
func (f *Fold) cross(e *eventv1.Event, got *eventv1.MilestoneCrossed, reached bool) {
	f.milestones.Looked++
	k := crossing{mark{node{sheet{got.GetTarget(), got.GetPeriod()}, lastOf(got.GetPath())}, int(got.GetThresholdIndex())},
		got.GetGoalRevision(), got.GetOrdinal(), reached}
	if was, twice := f.crossed[k]; twice {
		f.milestones.breach("event %d is the milestone of event %d again: %s", e.GetSequence(), was, words(got, reached))
	}
	f.crossed[k] = e.GetSequence()
	if len(f.due) == 0 || e.GetCausation() != f.cause {
		f.milestones.breach("event %d follows from nothing: %s", e.GetSequence(), words(got, reached))
		return
	}
	want, wantReached := f.due[0], f.dueReached[0]
	f.due, f.dueReached = f.due[1:], f.dueReached[1:]
	part := &eventv1.MilestoneCrossed{Target: got.GetTarget(), Path: got.GetPath(), Period: got.GetPeriod(), GoalRevision: got.GetGoalRevision(),
		ThresholdIndex: got.GetThresholdIndex(), Ordinal: got.GetOrdinal(), Before: got.GetBefore(), After: got.GetAfter()}
	if reached != wantReached || !proto.Equal(part, want) {
		f.milestones.breach("event %d is %s, and should be %s", e.GetSequence(), words(got, reached), words(want, wantReached))
	}
}

// settled notes crossings that did not come.
func (f *Fold) settled() {
	for i, d := range f.due {
		f.milestones.breach("event %d makes a milestone that is not there: %s", f.cause, words(d, f.dueReached[i]))
	}
	f.due, f.dueReached = nil, nil
}

// carried takes over marks that were set in silence.
func (f *Fold) carried(c *eventv1.MilestonesCarried) {
	if c.GetReset_() {
		for m := range f.marks {
			if m.target == c.GetTarget() {
				delete(f.marks, m)
			}
		}
	}
	for _, u := range c.GetUnits() {
		for i, v := range u.GetMarks() {
			f.marks[mark{node{sheet{c.GetTarget(), u.GetPeriod()}, u.GetUnit()}, i}] = state{v / 2, v%2 == 1}
		}
	}
}

// Milestones says whether the log's milestones are those that follow from it, each once.
func (f *Fold) Milestones() *Report {
	f.settled()
	return &f.milestones
}

func words(c *eventv1.MilestoneCrossed, reached bool) string {
	word := "revoked"
	if reached {
		word = "reached"
	}
	return fmt.Sprintf("%s threshold %d of %s at %s, period %q, time %d, from {%v} to {%v}", word, c.GetThresholdIndex(), c.GetTarget(), c.GetPath(),
		c.GetPeriod(), c.GetOrdinal(), c.GetBefore(), c.GetAfter())
}
