package reporting

import (
	"testing"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

func (l *leader) wantStanding(unit, target, period, want string) {
	l.t.Helper()
	if got := standing(l.figure(unit, target, period)); got != want {
		l.t.Errorf("%s at %s in %q\ngot  %s\nwant %s", target, unit, period, got, want)
	}
}

func TestGoalRaisedAfterItWasReached(t *testing.T) {
	l := newLeader(t, "2022-06-30", 1)
	l.target("cards", asCount, goalOf(goalAtLeast, 100))
	l.report("c1", "cards", "2022-M06", counted(100))
	l.wantStanding("vn", "cards", "", "ACHIEVED p=100.00 e=24.69")
	l.target("cards", asCount, goalOf(goalAtLeast, 500))
	l.wantStanding("vn", "cards", "", "AT_RISK p=20.00 e=24.69")
}

func TestGoalLoweredSoThatItIsMet(t *testing.T) {
	l := newLeader(t, "2024-01-01", 1)
	l.target("cards", asCount, goalOf(goalAtLeast, 500))
	l.report("c1", "cards", "2023-M12", counted(100))
	l.wantStanding("vn", "cards", "", "OVERDUE p=20.00 e=100.00")
	l.target("cards", asCount, goalOf(goalAtLeast, 100))
	l.wantStanding("vn", "cards", "", "ACHIEVED p=100.00 e=100.00")
}

func TestStatusOfEachUnitByItsOwnGoal(t *testing.T) {
	l := newLeader(t, "2022-06-30", 3)
	l.target("cards", asCount, goalOf(goalAtLeast, 1_000))
	l.allocate("cards", "p1", 100)
	l.allocate("cards", "c2", 100)
	l.report("c1", "cards", "2022-M06", counted(10))
	l.report("c2", "cards", "2022-M06", counted(100))
	l.wantStanding("vn", "cards", "", "OFF_TRACK p=11.00 e=24.69")
	l.wantStanding("p1", "cards", "", "OFF_TRACK p=10.00 e=24.69")
	l.wantStanding("p2", "cards", "", "ACHIEVED p=100.00 e=24.69") // the sum of those below it
	l.wantStanding("p3", "cards", "", "UNSPECIFIED NO_GOAL p= e=")
}

func TestStatusByTheProgrammesOwnLines(t *testing.T) {
	rule := &registryv1.StatusRule{OnTrack: proto.Uint32(5_000), AtRisk: proto.Uint32(0), NotStarted: proto.Uint32(2_500)}
	l := newLeader(t, "2022-06-30", 1, func(p *registryv1.Programme) { p.StatusRule = rule })
	l.target("cards", asCount, goalOf(goalAtLeast, 100))
	for _, c := range []struct {
		value int64
		want  string
	}{{13, "ON_TRACK p=13.00 e=24.69"}, {12, "AT_RISK p=12.00 e=24.69"}, {0, "NOT_STARTED p=0.00 e=24.69"}} {
		l.report("c1", "cards", "2022-M06", counted(c.value))
		l.wantStanding("vn", "cards", "", c.want)
	}
	l.day("2022-07-31") // 28.94 % are expected, above the third line; never less than at risk
	l.wantStanding("vn", "cards", "", "AT_RISK p=0.00 e=28.94")
}

func TestFiguresAsOfADay(t *testing.T) {
	l := newLeader(t, "2022-06-30", 1)
	l.target("cards", asCount, goalOf(goalAtLeast, 100), stale(40))
	l.report("c1", "cards", "2022-M06", counted(24))
	l.day("2023-06-30")
	l.wantStanding("vn", "cards", "", "NO_DATA p=24.00 e=74.76")
	key := figureKey("vn", "cards", "")
	key.AsOfDate = "2022-07-10"
	resp, err := l.s.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := standing(resp.GetFigure()), "AT_RISK p=24.00 e=26.06"; got != want || resp.GetFigure().GetAsOfDate() != "2022-07-10" {
		t.Errorf("as of %s: %s, want %s", resp.GetFigure().GetAsOfDate(), got, want)
	}
	for period, want := range map[string]string{"": "2023-06-30", "2022-M06": "2022-06-30", "2022-Q3": "2022-09-30"} {
		if got := l.figure("vn", "cards", period).GetAsOfDate(); got != want {
			t.Errorf("%q stands for %s, want %s", period, got, want)
		}
	}
}

func (l *leader) task(id, due string, units ...string) {
	l.t.Helper()
	task := &registryv1.Task{Name: "programmes/" + project + "/tasks/" + id, DisplayName: id, Form: typev1.TaskForm_TASK_FORM_TASK,
		Audience: typev1.Audience_AUDIENCE_LOCAL, Due: &registryv1.DueWindow{LatestDate: due}}
	for _, u := range units {
		task.Assignments = append(task.Assignments, &registryv1.Assignment{Unit: u, Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD})
	}
	l.change(&registryv1.Change{Resource: &registryv1.Change_Task{Task: task}})
}

// Of the 180 days from the programme's start to 2022-06-30, 90 have passed on 04-01.
func TestStatusOfATask(t *testing.T) {
	l := newLeader(t, "2022-01-02", 4)
	l.task("plan", "2022-06-30", "p1", "p2", "p3", "p4")
	l.wantStanding("vn", "plan", "", "NOT_STARTED p=0.00 e=0.56") // silence about a task is known: it is not done
	l.day("2022-04-01")
	l.wantStanding("vn", "plan", "", "OFF_TRACK p=0.00 e=50.00")
	l.report("p1", "plan", "2022-M03", said(true))
	l.report("p2", "plan", "2022-M03", said(true))
	l.wantStanding("vn", "plan", "", "ON_TRACK p=50.00 e=50.00")
	l.wantStanding("p1", "plan", "", "ACHIEVED p=100.00 e=50.00")
	l.wantStanding("p3", "plan", "", "OFF_TRACK p=0.00 e=50.00")
	l.day("2022-07-01")
	l.wantStanding("vn", "plan", "", "OVERDUE p=50.00 e=100.00")
	l.do(func(b *book.Book) {
		if _, err := b.Grant(&book.Grant{Programme: project, Target: "plan", Unit: "p3", By: "vn", Until: calendar.DateOf(noon(t, "2022-12-31"))}); err != nil {
			t.Error(err)
		}
	})
	l.wantStanding("p3", "plan", "", "OFF_TRACK p=0.00 e=49.73") // 181 of 364 days
	l.wantStanding("p4", "plan", "", "OVERDUE p=0.00 e=100.00")
}

func TestNoStatusWhereNothingIsDue(t *testing.T) {
	l := newLeader(t, "2022-06-30", 1)
	l.regime("monthly", 10)
	l.target("cards", asCount, goalOf(goalAtLeast, 100), under("monthly"))
	l.task("plan", "2022-06-30", "p1")
	l.report("c1", "cards", "2022-M06", counted(24))
	l.wantStanding("vn", "monthly", "2022-M06", "UNSPECIFIED p=100.00 e=")
	l.wantStanding("vn", "tasks-task-local-by-task", "", "UNSPECIFIED p=0.00 e=")
}
