package demo

import (
	"encoding/csv"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// levels reads the CSV files: the level of each unit by its code.
func levels(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range []string{"agencies.csv", "units-2022.csv"} {
		f, err := Files().Open(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(rows[0], ","); got != "code,level,parent_code,name,kind" {
			t.Fatalf("%s has columns %s", name, got)
		}
		for _, r := range rows[1:] {
			if r[2] != "" && all[r[2]] == "" {
				t.Errorf("%s: unit %s stands before its parent %s", name, r[0], r[2])
			}
			if all[r[0]] != "" {
				t.Errorf("%s: unit %s twice", name, r[0])
			}
			all[r[0]] = r[1]
		}
	}
	return all
}

func resources(t *testing.T, name string) []*registryv1.Write {
	t.Helper()
	text, err := fs.ReadFile(Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := Resources(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(writes) == 0 || len(writes) > 1000 {
		t.Fatalf("%s holds %d resources, a batch takes 1 to 1,000", name, len(writes))
	}
	return writes
}

func TestUnitsAreThoseOf2022(t *testing.T) {
	count := make(map[string]int)
	for _, level := range levels(t) {
		count[level]++
	}
	want := map[string]int{"COUNTRY": 1, "MINISTRY": 23, "STATE_ENTERPRISE": 4, "PROVINCE": 63, "DISTRICT": 705, "COMMUNE": 10599}
	for level, n := range want {
		if count[level] != n {
			t.Errorf("%d rows of level %s, want %d", count[level], level, n)
		}
	}
	if len(count) != len(want) {
		t.Errorf("levels %v", count)
	}
}

func TestResourcesKeepToTheContract(t *testing.T) {
	units := levels(t)
	for _, name := range []string{"programme.yaml", "assignments-2023.yaml"} {
		seen := make(map[string]bool)
		for _, w := range resources(t, name) {
			if err := protovalidate.Validate(w); err != nil {
				t.Errorf("%s: %v in %v", name, err, w)
			}
			var id string
			switch r := w.GetResource().(type) {
			case *registryv1.Write_Task:
				id = r.Task.GetName()
				for _, a := range r.Task.GetAssignments() {
					if units[a.GetUnit()] == "" {
						t.Errorf("%s: no unit %s", id, a.GetUnit())
					}
				}
				if r.Task.GetAcceptance() == "" || r.Task.GetInstrument() == "" || r.Task.GetDue().GetLatestDate() == "" || len(r.Task.GetAssignments()) == 0 {
					t.Errorf("%s cannot be issued", id)
				}
			case *registryv1.Write_Target:
				id = r.Target.GetName()
				if r.Target.GetAcceptance() == "" || r.Target.GetInstrument() == "" || r.Target.GetDue().GetLatestDate() == "" || units[r.Target.GetOwner()] == "" {
					t.Errorf("%s cannot be issued", id)
				}
			default:
				continue
			}
			if seen[id] {
				t.Errorf("%s: %s twice", name, id)
			}
			seen[id] = true
		}
	}
}

func TestReportsKeepToTheContract(t *testing.T) {
	play, err := ReadPlay()
	if err != nil {
		t.Fatal(err)
	}
	units := levels(t)
	owes := owing(t)
	at := play.Setup.Time
	for _, s := range play.Steps {
		if !s.Time.After(at) {
			t.Errorf("step %s is not after the one before", s.Name)
		}
		at = s.Time
		for _, r := range s.Reports {
			for _, sub := range expand(r, units) {
				if err := protovalidate.Validate(sub); err != nil {
					t.Errorf("step %s: %v in %v", s.Name, err, sub)
				}
				if units[sub.GetUnit()] == "" {
					t.Errorf("step %s: no unit %s", s.Name, sub.GetUnit())
				}
				lead, known := owes[r.Programme+"/"+sub.GetTarget()]
				if !known || len(lead) > 0 && !slices.Contains(lead, sub.GetUnit()) {
					t.Errorf("step %s: unit %s does not owe %s", s.Name, sub.GetUnit(), sub.GetTarget())
				}
				if want := s.Time.Format("2006-M01"); sub.GetPeriod() > want {
					t.Errorf("step %s: period %s has not begun", s.Name, sub.GetPeriod())
				}
			}
		}
	}
}

// owing returns, by programme and id, the units of each task, and none for each target.
func owing(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, name := range []string{"programme.yaml", "assignments-2023.yaml"} {
		for _, w := range resources(t, name) {
			if task := w.GetTask(); task != nil {
				for _, a := range task.GetAssignments() {
					id := short(task.GetName())
					all[id] = append(all[id], a.GetUnit())
				}
			}
			if target := w.GetTarget(); target != nil {
				all[short(target.GetName())] = nil
			}
		}
	}
	return all
}

// short turns programmes/p/tasks/t into p/t.
func short(name string) string {
	parts := strings.Split(name, "/")
	return parts[1] + "/" + parts[3]
}

// expand lists a report's submissions, kinds by the level in the CSV files: good
// enough where those do not change.
func expand(r Report, levels map[string]string) []*reportingv1.Submission {
	if r.Crowd == nil {
		return r.Submissions
	}
	ids := slices.Clone(r.Crowd.Units)
	for id, level := range levels {
		if slices.Contains(r.Crowd.Kinds, typev1.UnitKind(typev1.UnitKind_value["UNIT_KIND_"+level])) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = ids[r.Crowd.Skip:]
	if r.Crowd.First > 0 {
		ids = ids[:r.Crowd.First]
	}
	var all []*reportingv1.Submission
	for _, id := range ids {
		sub := proto.CloneOf(r.Crowd.Value)
		sub.Unit = id
		all = append(all, sub)
	}
	return all
}

func TestExpectedAsksForWhatThereIs(t *testing.T) {
	play, err := ReadPlay()
	if err != nil {
		t.Fatal(err)
	}
	expected, err := ReadExpected()
	if err != nil {
		t.Fatal(err)
	}
	figures := make(map[string]bool)
	for _, e := range expected {
		figures[e.Figure] = true
		if !slices.ContainsFunc(play.Steps, func(s Step) bool { return s.Name == e.After }) {
			t.Errorf("%s: no step %s", e.What, e.After)
		}
		if (e.Want == nil) == (e.Refused == nil) {
			t.Errorf("%s: want or refused, one of them", e.What)
		}
		requests := map[string]proto.Message{
			"figure": new(reportingv1.GetFigureRequest), "percent": new(reportingv1.GetFigureRequest),
			"count_tasks": new(reportingv1.CountTasksRequest), "by_kind": new(reportingv1.CountByKindRequest),
			"items": new(reportingv1.ListItemsRequest), "changes": new(reportingv1.CompareDatesRequest),
			"findings": new(reportingv1.ListFindingsRequest), "owing": new(reportingv1.CountObligationsRequest),
		}
		if e.Read.Kind == "milestones" {
			if e.Read.Programme == "" || e.Read.Target == "" || e.Read.Path == "" {
				t.Errorf("%s: milestones of what?", e.What)
			}
			continue
		}
		req, ok := requests[e.Read.Kind]
		if !ok {
			t.Errorf("%s: unknown kind %s", e.What, e.Read.Kind)
			continue
		}
		if err := protojson.Unmarshal(e.Read.Request, req); err != nil {
			t.Errorf("%s: %v", e.What, err)
		}
		if err := protovalidate.Validate(req); (err != nil) != (e.Refused != nil) {
			t.Errorf("%s: validation says %v", e.What, err)
		}
	}
	for _, f := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"} {
		if !figures[f] {
			t.Errorf("figure %s is not asked for", f)
		}
	}
}
