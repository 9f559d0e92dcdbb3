package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// fold is what a subscriber needs to arrive at the current figures that the API
// shows: it adds up what events say and knows no rule.
type fold struct {
	path    map[string]string // of each unit
	missing map[string]int64  // denominator of a silent unit, by target
	scoped  map[[2]string]bool
	value   map[[2]string]*typev1.Tally // own current tally, by target and unit; nil is missing
}

func newFold() *fold {
	return &fold{make(map[string]string), make(map[string]int64), make(map[[2]string]bool), make(map[[2]string]*typev1.Tally)}
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func (f *fold) take(e *eventv1.Event) {
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_RegistryChanged:
		u := p.RegistryChanged.GetChange().GetUnit()
		id := strings.TrimPrefix(u.GetName(), "units/")
		if u == nil || f.path[id] != "" {
			return
		}
		f.path[id] = id
		if above := p.RegistryChanged.GetPath(); above != "" { // a new unit is announced under the one above it
			f.path[id] = above + "." + id
		}
	case *eventv1.Event_UnitMoved:
		if p.UnitMoved.GetCurrent() {
			f.move(p.UnitMoved.GetUnit(), p.UnitMoved.GetPath())
		}
	case *eventv1.Event_ScopeChanged:
		s := p.ScopeChanged
		f.missing[s.GetTarget()] = s.GetMissingDenominator()
		if !s.GetCurrent() {
			return
		}
		for _, u := range s.GetBegins() {
			f.scoped[[2]string{s.GetTarget(), u}] = true
		}
		for _, u := range s.GetCeases() {
			delete(f.scoped, [2]string{s.GetTarget(), u})
		}
	case *eventv1.Event_SubmissionAccepted:
		f.record(p.SubmissionAccepted)
	case *eventv1.Event_SubmissionWithdrawn:
		f.record(p.SubmissionWithdrawn)
	}
}

func (f *fold) move(unit, path string) {
	old := f.path[unit]
	for id, at := range f.path {
		if at == old || strings.HasPrefix(at, old+".") {
			f.path[id] = path + strings.TrimPrefix(at, old)
		}
	}
}

func (f *fold) record(s *eventv1.SubmissionRecorded) {
	k := [2]string{s.GetTarget(), lastOf(s.GetPath())}
	switch s.GetCurrent() {
	case eventv1.CurrentChange_CURRENT_CHANGE_AS_CELL:
		f.value[k] = s.GetTally()
	case eventv1.CurrentChange_CURRENT_CHANGE_TALLY:
		f.value[k] = s.GetCurrentTally()
		if s.GetCurrentState() == eventv1.CellState_CELL_STATE_UNSPECIFIED {
			delete(f.value, k)
		}
	}
}

// total adds up a target at a unit and everything below it.
func (f *fold) total(target, unit string) *typev1.Tally {
	sum := &typev1.Tally{}
	for k := range f.scoped {
		if at := f.path[k[1]]; k[0] != target || at != f.path[unit] && !strings.HasPrefix(at, f.path[unit]+".") {
			continue
		}
		t := f.value[k]
		if t == nil {
			t = &typev1.Tally{Denominator: f.missing[target], Expected: 1}
		}
		sum.Numerator += t.GetNumerator()
		sum.Denominator += t.GetDenominator()
		sum.Reporting += t.GetReporting()
		sum.Expected += t.GetExpected()
		sum.Excluded += t.GetExcluded()
	}
	return sum
}

// foldTo reads the stream from zero to a number.
func foldTo(t *testing.T, r *rig, name string, until uint64) *fold {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sub, err := event.New(event.Config{Conn: r.nats(t), Events: r.events, Subscription: name, Positions: new(event.MemoryPositions)})
	if err != nil {
		t.Fatal(err)
	}
	f, next := newFold(), uint64(1)
	err = sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		if e.GetSequence() != next {
			t.Errorf("event %d came where %d was due", e.GetSequence(), next)
		}
		next++
		f.take(e)
		if e.GetSequence() >= until {
			cancel()
		}
		return nil
	})
	if next <= until {
		t.Fatalf("the stream gave %d events of %d: %v", next-1, until, err)
	}
	return f
}

// aSubscriberArrivesAtTheFigures is a case: folding the stream gives what the API shows.
func aSubscriberArrivesAtTheFigures(t *testing.T, r *rig) {
	history(t, r)
	head := status(t, r).GetHeadSequence()
	f := foldTo(t, r, "fold", head)
	compared := 0
	for _, target := range []string{"cards", "procedures", "adopted", "issued", "t-1"} {
		for unit := range f.path {
			want := r.figure(t, target, unit, "").GetTally()
			if diff := cmp.Diff(want, f.total(target, unit), protocmp.Transform()); diff != "" {
				t.Errorf("%s at %s (-API +fold):\n%s", target, unit, diff)
			}
			compared++
		}
	}
	t.Logf("%d figures equal after %d events", compared, head)
}

// task is a write of a task that both communes lead.
func task(id string, units ...string) *registryv1.Write {
	w := &registryv1.Task{Name: "programmes/p/tasks/" + id, DisplayName: "Nhiệm vụ " + id, Acceptance: "nghiệm thu", Instrument: "qd-06",
		Form: typev1.TaskForm_TASK_FORM_TASK, Audience: typev1.Audience_AUDIENCE_LOCAL, Due: &registryv1.DueWindow{LatestDate: "2022-06-30"}}
	for _, u := range units {
		w.Assignments = append(w.Assignments, &registryv1.Assignment{Unit: u, Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD})
	}
	return &registryv1.Write{Resource: &registryv1.Write_Task{Task: w}}
}
