package event_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func sleepShort() { time.Sleep(10 * time.Millisecond) }

func registryChange(c *registryv1.Change) *eventv1.Event {
	return &eventv1.Event{Programme: "p", Payload: &eventv1.Event_RegistryChanged{RegistryChanged: &eventv1.RegistryChanged{Change: c, Path: "vn"}}}
}

func TestSubjectOfEveryKind(t *testing.T) {
	sub := &eventv1.SubmissionRecorded{Target: "chip-cards", Path: "vn.79.760.26734"}
	mile := &eventv1.MilestoneCrossed{Target: "chip-cards", Path: "vn.79.760.26734"}
	task := &eventv1.TaskChanged{Task: "t1", Path: "vn"}
	for want, e := range map[string]*eventv1.Event{
		"cotmoc.p.submission.accepted.chip-cards.vn.79.760.26734":      {Programme: "p", Payload: &eventv1.Event_SubmissionAccepted{SubmissionAccepted: sub}},
		"cotmoc.p.submission.withdrawn.chip-cards.vn.79.760.26734":     {Programme: "p", Payload: &eventv1.Event_SubmissionWithdrawn{SubmissionWithdrawn: sub}},
		"cotmoc.de-an-06.milestone.reached.chip-cards.vn.79.760.26734": {Programme: "de-an-06", Payload: &eventv1.Event_MilestoneReached{MilestoneReached: mile}},
		"cotmoc.p.milestone.revoked.chip-cards.vn.79.760.26734":        {Programme: "p", Payload: &eventv1.Event_MilestoneRevoked{MilestoneRevoked: mile}},
		"cotmoc.p.milestone.carried.x.vn":                              {Programme: "p", Payload: &eventv1.Event_MilestoneCarried{MilestoneCarried: &eventv1.MilestonesCarried{Target: "x", Path: "vn"}}},
		"cotmoc.p.task.completed.t1.vn":                                {Programme: "p", Payload: &eventv1.Event_TaskCompleted{TaskCompleted: task}},
		"cotmoc.p.task.reopened.t1.vn":                                 {Programme: "p", Payload: &eventv1.Event_TaskReopened{TaskReopened: task}},
		"cotmoc.p.scope.changed.x.vn":                                  {Programme: "p", Payload: &eventv1.Event_ScopeChanged{ScopeChanged: &eventv1.ScopeChanged{Target: "x", Path: "vn"}}},
		"cotmoc.all.unit.moved.unit.vn.79":                             {Payload: &eventv1.Event_UnitMoved{UnitMoved: &eventv1.UnitMoved{Unit: "79", Path: "vn.79"}}},
		"cotmoc.all.clock.set.clock":                                   {Payload: &eventv1.Event_ClockSet{ClockSet: &eventv1.ClockSet{}}},
		"cotmoc.all.log.declared.log":                                  {Payload: &eventv1.Event_LogDeclared{LogDeclared: &eventv1.LogDeclared{}}},
		"cotmoc.all.registry.changed.level.vn":                         {Payload: &eventv1.Event_RegistryChanged{RegistryChanged: &eventv1.RegistryChanged{Path: "vn", Change: &registryv1.Change{Resource: &registryv1.Change_LevelRaised{LevelRaised: &registryv1.LevelRaised{}}}}}},
		"cotmoc.all.clock.turned.clock":                                {Payload: &eventv1.Event_ClockTurned{ClockTurned: &eventv1.ClockTurned{}}},
		"cotmoc.p.registry.changed.programme.vn":                       registryChange(&registryv1.Change{Resource: &registryv1.Change_Programme{Programme: &registryv1.Programme{Name: "programmes/p"}}}),
		"cotmoc.p.registry.changed.unit.vn":                            registryChange(&registryv1.Change{Resource: &registryv1.Change_Unit{Unit: &registryv1.Unit{Name: "units/vn"}}}),
		"cotmoc.p.registry.changed.t1.vn":                              registryChange(&registryv1.Change{Resource: &registryv1.Change_Task{Task: &registryv1.Task{Name: "programmes/p/tasks/t1"}}}),
		"cotmoc.p.registry.changed.x.vn":                               registryChange(&registryv1.Change{Resource: &registryv1.Change_Target{Target: &registryv1.Target{Name: "programmes/p/targets/x"}}}),
		"cotmoc.p.registry.changed.y.vn":                               registryChange(&registryv1.Change{Resource: &registryv1.Change_Allocation{Allocation: &registryv1.Allocation{Name: "programmes/p/targets/y/allocations/79"}}}),
	} {
		if got, err := event.Subject(e); err != nil || got != want {
			t.Errorf("Subject = %q, %v; want %q", got, err, want)
		}
	}
	p := &eventv1.ProgressChanged{Programme: "p", Target: "x", Path: "vn.79"}
	if got, err := event.ProgressSubject(p); err != nil || got != "cotmoc.p.progress.changed.x.vn.79" {
		t.Errorf("ProgressSubject = %q, %v", got, err)
	}
}

// A kind that is added to the contract must get a subject here.
func TestEveryPayloadHasASubjectThatItsFieldNames(t *testing.T) {
	d := (&eventv1.Event{}).ProtoReflect().Descriptor()
	payload := d.Oneofs().ByName("payload").Fields()
	for i := range payload.Len() {
		f := payload.Get(i)
		e := &eventv1.Event{}
		e.ProtoReflect().Set(f, protoreflect.ValueOfMessage(e.ProtoReflect().NewField(f).Message()))
		if got, want := event.Entity(e)+"_"+event.Name(e), string(f.Name()); got != want {
			t.Errorf("field %s: kind %s", want, got)
		}
	}
}

func TestSubjectRefusesWhatCouldNotBeAToken(t *testing.T) {
	for _, c := range [][3]string{
		{"P", "x", "vn"}, {"p", "", "vn"}, {"p", "x.y", "vn"}, {"p", "*", "vn"}, {"p", "x", "vn..79"},
		{"p", "x", "vn."}, {"p", "x", ".vn"}, {"p", "x", "vn.>"}, {"p q", "x", "vn"}, {"p", "x", "vn.Đ"},
	} {
		e := &eventv1.Event{Programme: c[0], Payload: &eventv1.Event_SubmissionAccepted{
			SubmissionAccepted: &eventv1.SubmissionRecorded{Target: c[1], Path: c[2]},
		}}
		if s, err := event.Subject(e); err == nil {
			t.Errorf("%q has the subject %q", c, s)
		}
	}
	if s, err := event.Subject(&eventv1.Event{}); err == nil {
		t.Errorf("an event of no kind has the subject %q", s)
	}
}

func TestDecode(t *testing.T) {
	e := &eventv1.Event{Sequence: 5, Previous: 4, Payload: &eventv1.Event_ClockSet{ClockSet: &eventv1.ClockSet{TimeUnixMicros: 1}}}
	b, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := event.Decode(b); err != nil || !proto.Equal(got, e) {
		t.Errorf("Decode = %v, %v", got, err)
	}
	for name, bad := range map[string]*eventv1.Event{"no number": {}, "previous is itself": {Sequence: 5, Previous: 5}} {
		b, _ := proto.Marshal(bad)
		if got, err := event.Decode(b); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, err := event.Decode([]byte("\xff")); err == nil {
		t.Errorf("rubbish: %v", got)
	}
}

func TestMatch(t *testing.T) {
	const s = "cotmoc.de-an-06.milestone.reached.chip-cards.vn.79.760"
	for filter, want := range map[string]bool{
		s: true, ">": true, "cotmoc.>": true, "cotmoc.*.milestone.>": true, "cotmoc.de-an-06.*.*.*.vn.79.>": true,
		"cotmoc.*.*.*.*.*.*.*": true, "cotmoc.*.*.*.*.*.*": false, "cotmoc.*.*.*.*.*.*.*.*": false, s + ".>": false,
		"cotmoc.*.submission.>": false, "cotmoc.>.x": false, "": false, "cotmoc..milestone.>": false, "cotmoc": false,
	} {
		if got := event.Match(filter, s); got != want {
			t.Errorf("Match(%q) = %t", filter, got)
		}
	}
	if !event.MatchAny(nil, s) || event.MatchAny([]string{"a", "b.>"}, s) || !event.MatchAny([]string{"a", "cotmoc.>"}, s) {
		t.Error("MatchAny")
	}
	for _, bad := range []string{"", ".", "a..b", "a.>.b", "a b", "A", "a.b*", "a.>>", "a."} {
		if event.CheckFilter(bad) == nil {
			t.Errorf("CheckFilter(%q) accepts it", bad)
		}
	}
}

// The oracle is a regular expression made of the filter.
func FuzzMatch(f *testing.F) {
	f.Add("cotmoc.*.milestone.>", "cotmoc.p.milestone.reached.x.vn")
	f.Add("a.>", "a")
	f.Add("a.*", "a..")
	f.Fuzz(func(t *testing.T, filter, subject string) {
		got := event.Match(filter, subject)
		if event.CheckFilter(filter) != nil {
			return
		}
		re := regexp.QuoteMeta(filter)
		re = strings.ReplaceAll(re, `\*`, `[^.]+`)
		re = strings.TrimSuffix(re, ">")
		if re != regexp.QuoteMeta(filter) && strings.HasSuffix(filter, ">") {
			re += `[^.]+(\.[^.]+)*`
		}
		if want := regexp.MustCompile(`(?s)\A` + re + `\z`).MatchString(subject); got != want {
			t.Errorf("Match(%q, %q) = %t", filter, subject, got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{8, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := event.Decode(b)
		if err != nil {
			return
		}
		s, err := event.Subject(e)
		_ = event.Header(e, event.Identity{})
		if err == nil && (event.CheckFilter(s) != nil || !event.Match(s, s) || strings.ContainsAny(s, "*>")) {
			t.Errorf("the subject %q is none", s)
		}
	})
}
