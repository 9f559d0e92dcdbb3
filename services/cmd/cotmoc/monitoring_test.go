package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// monitoredYAML owes a report of two values each month, and a task that is accepted
// by another unit.
const monitoredYAML = `resources:
- programme: &p
    name: programmes/p
    display_name: "Thử"
    root_unit: vn
    start_date: "2022-01-01"
    end_date: "2022-12-31"
    instruments: [{id: qd, kind: INSTRUMENT_KIND_DECISION, number: "1", date: "2022-01-06"}]
- regime: {name: programmes/p/regimes/thang, display_name: "Báo cáo tháng", due_working_days: 5, instrument: qd}
- target:
    name: programmes/p/targets/cards
    display_name: "Thẻ đã cấp"
    value_kind: VALUE_KIND_COUNT
    accumulation: ACCUMULATION_LAST
    regime: thang
    applicability: {kinds: [UNIT_KIND_COMMUNE]}
    goal: {kind: GOAL_KIND_AT_LEAST, value: 60000}
    checks: [{kind: CHECK_KIND_COPY}]
    acceptance: "Đã cấp"
    owner: vn
    instrument: qd
    due: {latest_date: "2022-12-31"}
- target:
    name: programmes/p/targets/online
    display_name: "Hồ sơ trực tuyến"
    value_kind: VALUE_KIND_RATIO
    accumulation: ACCUMULATION_LAST
    frequency: FREQUENCY_QUARTERLY
    applicability: {kinds: [UNIT_KIND_PROVINCE]}
    goal: {kind: GOAL_KIND_AT_LEAST, value: 800000}
    acceptance: "Đã nhận"
    owner: vn
    instrument: qd
    due: {latest_date: "2022-12-31"}
- task:
    name: programmes/p/tasks/viec
    display_name: "Ban hành kế hoạch"
    form: TASK_FORM_TASK
    audience: AUDIENCE_LOCAL
    acceptance: "Đã ban hành"
    needs_acceptance: true
    instrument: qd
    due: {latest_date: "2022-08-31"}
    completion_rule: {kind: COMPLETION_RULE_KIND_ALL}
    assignments:
    - {unit: "760", role: ASSIGNMENT_ROLE_LEAD, accountable_head: "Chủ tịch"}
    - {unit: "769", role: ASSIGNMENT_ROLE_MONITORING}
- programme:
    <<: *p
    scorecards:
    - id: phuong
      display_name: "Xếp hạng phường"
      level: commune
      min_completeness: 5000
      commend: 1
      slow: 1
      parts: [{kind: SCORECARD_PART_KIND_ON_TIME, target: thang, weight: 60}, {kind: SCORECARD_PART_KIND_PROGRESS, target: cards, weight: 40}]
`

// monitored is a pair with 60 communes that owe a report each month; for July three
// have sent it, and it is 10 August.
func monitored(t *testing.T) *pair {
	p := newPair(t)
	units := unitsCSV
	for i := range 60 {
		units += fmt.Sprintf("26%03d,COMMUNE,%d,Phường %d,Phường\n", i, 760+9*(i%2), i)
	}
	p.must("import", "units", p.file("units.csv", units))
	p.must("apply", "-f", p.file("programme.yaml", monitoredYAML))
	p.must("clock", "set", "2022-08-03T12:00:00+07:00")
	p.submit("26000", "2022-M07", "1000")
	p.submit("26001", "2022-M07", "500")
	p.must("clock", "set", "2022-08-10T12:00:00+07:00")
	p.submit("26002", "2022-M07", "1000")
	return p
}

// submit sends a count of cards.
func (p *pair) submit(unit, period, count string) {
	p.t.Helper()
	p.must("submit", "--programme", "p", "--target", "cards", "--unit", unit, "--period", period, "--count", count)
}

// row returns the cells of the first line that begins with a cell.
func row(t *testing.T, text, first string) []string {
	t.Helper()
	for line := range strings.Lines(text) {
		if cells := strings.Fields(line); len(cells) > 0 && cells[0] == first {
			return cells
		}
	}
	t.Fatalf("no line begins with %q in\n%s", first, text)
	return nil
}

// cells fails unless the first line that begins with the first cell has these cells.
func cells(t *testing.T, text string, want ...string) {
	t.Helper()
	if got := row(t, text, want[0]); !slices.Equal(got[:min(len(got), len(want))], want) {
		t.Errorf("line %q, want it to begin with %q\n%s", got, want, text)
	}
}

func TestMonitoringCommandsOnARunningPair(t *testing.T) {
	p := monitored(t)
	for _, c := range []struct {
		name string
		run  func(*pair, *testing.T)
	}{
		{"due_counts_and_names_those_who_have_not_reported", (*pair).due},
		{"grant_moves_the_due_date_or_excuses", (*pair).grant},
		{"status_tells_all_targets_tasks_and_quality", (*pair).status},
		{"rank_tells_scores_and_reasons", (*pair).rank},
		{"review_accepts_and_returns", (*pair).review},
		{"findings_are_listed_and_confirmed", (*pair).findings},
		{"closings_are_published_listed_and_exported", (*pair).closings},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(&pair{t: t, process: p.process, dir: p.dir}, t) })
	}
}

func (p *pair) due(t *testing.T) {
	out := p.must("due", "p", "thang")
	contains(t, out, "thang, period 2022-M07, at Việt Nam (vn)", "the first 50 of 57; --all lists them all")
	cells(t, out, "unit", "accepted", "late", "missing", "all", "name")
	cells(t, out, "vn", "2", "1", "57", "60", "Việt", "Nam")
	cells(t, out, "26003", "missing", "2022-08-05", "5", "days", "0/1", "Phường", "3,", "Thành", "phố", "Thủ", "Đức,", "Thành")
	if n := strings.Count(out, "\n26"); n != 50 {
		t.Errorf("%d units listed, want 50", n)
	}
	out = p.must("due", "p", "thang", "--all", "--unit", "769")
	cells(t, out, "769", "1", "29", "30")
	if n := strings.Count(out, "\n26"); n != 29+30 { // named, and counted as a child
		t.Errorf("%d lines of communes, want 59\n%s", n, out)
	}
	cells(t, p.must("due", "p", "thang", "--state", "late"), "26002", "late", "2022-08-05", "2022-08-10", "1/1", "Phường")
	contains(t, p.must("due", "p", "thang", "--state", "skipped,excused"), "nobody is skipped or excused")
	contains(t, p.must("due", "p", "thang", "--known-at", "2022-08-03"), "unit  due  accepted  all")
	contains(t, p.must("due", "p", "thang", "--period", "2021-M12"), "nobody at or below it owes anything")
	cells(t, p.must("due", "p", "viec"), "760", "due", "2022-08-31", "Quận")
	var answer struct {
		Count struct{ Total struct{ Unit string } }
		List  struct{ Obligations []struct{ State string } }
	}
	if err := json.Unmarshal([]byte(p.must("due", "p", "thang", "--json")), &answer); err != nil ||
		answer.Count.Total.Unit != "vn" || len(answer.List.Obligations) != 57 || answer.List.Obligations[0].State != "OBLIGATION_STATE_MISSING" {
		t.Errorf("JSON %+v, %v", answer, err)
	}
	contains(t, p.refused("due", "p", "cards"), "TARGET_NOT_FOUND: programme p has no regime or task cards")
	contains(t, p.refused("due", "p", "thang", "--state", "lates"), `--state must be one of "due"`)
	contains(t, p.refused("due", "p", "thang", "--known-at", "8/2022"), "--known-at: ", "neither a time such as 2022-07-31T12:00:00+07:00 nor a day such as 2022-07-31")
}

func (p *pair) grant(t *testing.T) {
	base := []string{"grant", "p", "thang", "26003", "--period", "2022-M07", "--by", "vn", "--reason", "Bão"}
	contains(t, p.refused(base...), "missing flags: --until=DATE or --excuse")
	contains(t, p.refused(append(base, "--until", "31/8")...), "--until: ", "want the form 2022-07-31")
	contains(t, p.must(append(base, "--until", "2022-08-31")...), "26003 has until 2022-08-31: thang of 2022-M07, event ")
	cells(t, p.must("due", "p", "thang"), "26003", "due", "2022-08-31", "(was", "2022-08-05)", "0/1")
	base[3] = "26004"
	contains(t, p.must(append(base, "--excuse")...), "26004 is excused: thang of 2022-M07")
	cells(t, p.must("due", "p", "thang", "--state", "excused"), "26004", "excused", "0/1")
	base[7] = "26004"
	contains(t, p.refused(append(base, "--excuse")...), "NOT_COMPETENT: unit 26004 ", "(granted_by)")
}

func (p *pair) status(t *testing.T) {
	out := p.must("status", "p")
	contains(t, out, "Thử\nViệt Nam (vn), as of 2022-08-10\n")
	cells(t, out, "target", "figure", "%", "progress", "expected", "status", "reporting", "name")
	cells(t, out, "cards", "2,500", "4.17", "60.71", "off", "track", "3/60", "Thẻ", "đã", "cấp")
	cells(t, out, "online", "60.71", "no", "data", "0/1", "Hồ", "sơ")
	cells(t, out, "task", "local", "task", "0", "0", "1", "0", "0.00")
	cells(t, out, "thang", "2022-M07")
	contains(t, out, "complete (đủ) %")
	out = p.must("status", "p", "--period", "2022-M07")
	contains(t, out, "period 2022-M07, as of 2022-07-31", "no figure", "shorter than those of online: Hồ sơ trực tuyến")
	if strings.Contains(out, "counted by") {
		t.Errorf("tasks of now stand beside figures of a period:\n%s", out)
	}
	out = p.must("status", "p", "--target", "cards", "--unit", "79", "--children", "--as-of", "2022-08-03", "--known-at", "2022-08-03")
	contains(t, out, "unit        Thành phố Hồ Chí Minh (79)\n", "figure      1,500\n", "reporting   2 of 60\n", "undefined   no goal\n")
	cells(t, out, "760", "1,000", "no", "goal", "1/30", "Quận", "1")
	contains(t, p.must("status", "p", "--target", "thang"), "period      2022-M07\n", "figure      2/59\n")
	var answer struct {
		Targets []struct{ Figure struct{ Target string } }
		Tasks   []struct{ Form string }
		Quality []struct{ Quality struct{ Unit string } }
	}
	if err := json.Unmarshal([]byte(p.must("status", "p", "--json")), &answer); err != nil || len(answer.Targets) != 2 ||
		answer.Targets[0].Figure.Target != "cards" || len(answer.Tasks) != 2 || answer.Quality[0].Quality.Unit != "vn" {
		t.Errorf("JSON %+v, %v", answer, err)
	}
	contains(t, p.refused("status", "p", "--children"), "--children goes with --target")
	contains(t, p.refused("status", "p", "--period", "2022-M07", "--as-of", "2022-08-01"), "--period and --as-of cannot be used together")
	contains(t, p.refused("status", "p", "--as-of", "1/8"), `--as-of: date "1/8": want the form 2022-07-31`)
	contains(t, p.refused("status", "q"), "PROGRAMME_NOT_FOUND")
}

func (p *pair) rank(t *testing.T) {
	out := p.must("rank", "p", "phuong", "--period", "2022-M07", "--compare", "2022-M06")
	contains(t, out, "Xếp hạng phường, period 2022-M07, improvement since 2022-M06\n")
	cells(t, out, "rank", "unit", "score", "rise", "by", "rise", "part", "1", "part", "2", "name")
	contains(t, out, "part 1: on time thang", "part 2: progress cards", "commended: 2 tie for the last places, for which there is no room: left out", "slow   rank  name", "not ranked  rank  name")
	cells(t, out, "26005", "Phường", "5")
	var answer struct{ Units []struct{ Unit string } }
	if err := json.Unmarshal([]byte(p.must("rank", "p", "phuong", "--json")), &answer); err != nil || len(answer.Units) != 60 {
		t.Errorf("%d units in JSON, %v", len(answer.Units), err)
	}
	contains(t, p.refused("rank", "p", "x"), "SCORECARD_NOT_FOUND")
}

func (p *pair) review(t *testing.T) {
	done := []string{"submit", "--programme", "p", "--target", "viec", "--unit", "760", "--period", "2022-M08", "--yes"}
	decide := func(revision string, more ...string) []string {
		return append([]string{"review", "p", "viec", "760", "--period", "2022-M08", "--by", "769", "--revision", revision}, more...)
	}
	contains(t, p.must(done...), "received, waits to be accepted: viec 760 2022-M08, revision 1, event ")
	cells(t, p.must("due", "p", "viec", "--state", "submitted"), "760", "submitted", "2022-08-31", "2022-08-10", "2022-M08,", "revision", "1")
	contains(t, p.refused(decide("1")...), "missing flags: --accept or --return=CODE")
	contains(t, p.refused(decide("1", "--accept", "--return", "duplicate")...), "--accept and --return can't be used together")
	contains(t, p.refused(decide("1", "--return", "other")...), "--return other wants --comment")
	contains(t, p.must(decide("1", "--return", "missing-evidence", "--comment", "Thiếu")...), "returned (missing-evidence): viec 760 2022-M08, revision 2, event ")
	cells(t, p.must("due", "p", "viec"), "760", "due", "2022-08-31") // it is owed again
	p.must(append(done, "--revision", "2", "--reason", "Bổ sung")...)
	contains(t, p.must(decide("3", "--accept")...), "accepted: viec 760 2022-M08, revision 4, event ")
	cells(t, p.must("status", "p"), "task", "local", "task", "1", "0", "0", "0", "100.00", "100.00")
	contains(t, p.refused(decide("3", "--accept")...), "REVISION_MISMATCH: no completion of viec by unit 760 in 2022-M08 waits at revision 3: it is at revision 4 now; read it again")
}

func (p *pair) findings(t *testing.T) {
	contains(t, p.must("finding", "list", "p"), "nothing looks wrong")
	p.submit("26000", "2022-M08", "1000") // as in July
	out := p.must("finding", "list", "p", "--unit", "760")
	contains(t, out, "cards", "2022-M08", "copy", "1,000", "Phường 0 (26000)")
	id := strings.Fields(strings.Split(out, "\n")[1])[0]
	contains(t, p.must("finding", "confirm", "p", id, "--by", "26000", "--comment", "Đã đối chiếu"), "finding "+id+" is settled: confirmed by 26000, event ")
	contains(t, p.must("finding", "list", "p"), "nothing looks wrong")
	contains(t, p.must("finding", "list", "p", "--settled"), "confirmed by 26000")
	contains(t, p.refused("finding", "confirm", "p", id, "--by", "26001", "--comment", "x"), "FINDING_RESOLVED")
}

func (p *pair) closings(t *testing.T) {
	contains(t, p.must("close", "list", "p"), "p has no closings")
	out := p.must("close", "p", "so-ket", "--as-of", "2022-08-10", "--name", "Sơ kết")
	contains(t, out, "so-ket: Sơ kết, as of 2022-08-10\n")
	hash := row(t, out, "SHA-256")[1]
	if again := p.must("close", "publish", "p", "so-ket", "--as-of", "2022-08-10", "--name", "Sơ kết"); again != out {
		t.Errorf("published again:\n%s\nat first:\n%s", again, out)
	}
	contains(t, p.refused("close", "p", "so-ket", "--as-of", "2022-08-09", "--name", "Sơ kết"), "RESOURCE_EXISTS")
	cells(t, p.must("close", "list", "p"), "so-ket", "2022-08-10")
	contains(t, p.must("close", "list", "p"), hash, "Sơ kết")
	file := filepath.Join(p.dir, "closing.json")
	contains(t, p.must("close", "export", "p", "so-ket", "--out", file), file+": ", "SHA-256 "+hash+" as published")
	contains(t, p.refused("close", "export", "p", "so-ket", "--out", file), file+" is there already; --force writes over it")
	contains(t, p.must("close", "export", "p", "so-ket", "--out", file, "--force"), "SHA-256 "+hash+" as published")
	nowhere := filepath.Join(p.dir, "nowhere")
	if said := p.refused("close", "export", "p", "so-ket", "--out", filepath.Join(nowhere, "x.json")); said != "--out: there is no folder "+nowhere {
		t.Errorf("a missing folder is told as %s", said)
	}
	text, err := os.ReadFile(file)
	if err != nil || !json.Valid(text) {
		t.Errorf("the file is no JSON: %v", err)
	}
	contains(t, p.must("close", "export", "p", "so-ket"), string(text), "SHA-256 "+hash+" as published")
	contains(t, p.must("close", "export", "p", "so-ket", "--format", "csv"), "target,unit,", "a table made from the document with SHA-256 "+hash)
	contains(t, p.refused("close", "p", "so-ket"), "missing flags: --as-of=DATE, --name=TEXT")
	p.anotherHash(t)
}

// anotherHash exports a document whose hash is not that of its closing.
func (p *pair) anotherHash(t *testing.T) {
	conn, err := client.Dial(t.Context(), p.process.Addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.Monitoring().ExportClosing(t.Context(), &reportingv1.ExportClosingRequest{Programme: "p", Closing: "so-ket"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	export := &closeExportCmd{ID: "so-ket", Format: "json", Out: filepath.Join(dir, "x.json")}
	if _, err := export.write(&console{Out: new(bytes.Buffer), Err: new(bytes.Buffer)}, stream, make([]byte, 32)); !errors.Is(err, errHash) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

func TestListsGoOnBeyondOnePage(t *testing.T) {
	p := newPair(t)
	units := unitsCSV
	for i := range pageSize + 1 {
		units += fmt.Sprintf("%05d,COMMUNE,79,Phường %d,Phường\n", 20000+i, i)
	}
	p.must("import", "units", p.file("units.csv", units))
	p.must("apply", "-f", p.file("programme.yaml", monitoredYAML))
	p.must("clock", "set", "2022-08-10T12:00:00+07:00")
	lines := func(text string) int { return strings.Count(text, "Phường") }
	if n := lines(p.must("due", "p", "thang", "--all")); n != pageSize+1 {
		t.Errorf("due lists %d units", n)
	}
	if n := lines(p.must("due", "p", "thang", "--json")); n != pageSize+1 {
		t.Errorf("due lists %d units in JSON", n)
	}
	if n := lines(p.must("status", "p", "--target", "cards", "--unit", "79", "--children")); n != pageSize+1 {
		t.Errorf("status lists %d units", n)
	}
}

func TestEndedPeriodIsTheLastOneThatIsOver(t *testing.T) {
	for _, c := range []struct {
		at        string
		cut       uint32
		frequency typev1.Frequency
		want      string
	}{
		{"2022-07-31T23:59:59+07:00", 0, typev1.Frequency_FREQUENCY_UNSPECIFIED, "2022-M06"},
		{"2022-08-01T00:00:00+07:00", 0, typev1.Frequency_FREQUENCY_MONTHLY, "2022-M07"},
		{"2022-07-14T23:59:59+07:00", 14, typev1.Frequency_FREQUENCY_MONTHLY, "2022-M06"},
		{"2022-07-15T00:00:00+07:00", 14, typev1.Frequency_FREQUENCY_MONTHLY, "2022-M07"},
		{"2022-12-15T00:00:00+07:00", 14, typev1.Frequency_FREQUENCY_QUARTERLY, "2022-Q4"},
		{"2022-12-31T12:00:00+07:00", 0, typev1.Frequency_FREQUENCY_HALF_YEARLY, "2022-H1"},
		{"2023-01-01T00:00:00+07:00", 0, typev1.Frequency_FREQUENCY_YEARLY, "2022"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := endedPeriod(&registryv1.Calendar{CutOffDay: c.cut}, c.frequency, at).String(); got != c.want {
			t.Errorf("at %s, cut %d, %s: %s, want %s", c.at, c.cut, c.frequency, got, c.want)
		}
	}
}

func TestADayOfWhatWasKnownIsItsLastMoment(t *testing.T) {
	var at instant
	if err := at.UnmarshalText([]byte("2022-07-31")); err != nil || !at.Equal(time.Date(2022, 7, 31, 16, 59, 59, 999999000, time.UTC)) {
		t.Errorf("%s, %v", at, err)
	}
	if err := at.UnmarshalText([]byte("2022-07-31T12:00:00+07:00")); err != nil || !at.Equal(time.Date(2022, 7, 31, 5, 0, 0, 0, time.UTC)) {
		t.Errorf("%s, %v", at, err)
	}
	if (instant{}).proto() != nil {
		t.Error("no time became one")
	}
}

func TestASignalEndsACommandInSilence(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{ended, context.Canceled, errStopped},
		{ended, fmt.Errorf("ask: %w", status.Error(codes.Canceled, "context canceled")), errStopped},
		{ended, errUnsound, errUnsound},
		{ended, nil, nil},
		{context.Background(), context.Canceled, context.Canceled},
	} {
		if got := stopped(c.ctx, c.err); !errors.Is(got, c.want) {
			t.Errorf("%v became %v", c.err, got)
		}
	}
}
