package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// pair is a running instance with a manual clock, and a console to look at.
type pair struct {
	t       *testing.T
	process *embedded.Process
	dir     string
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, dir: t.TempDir()}
	var err error
	p.process, err = embedded.Up(context.Background(), embedded.Config{Dir: filepath.Join(p.dir, "state"), Listen: "127.0.0.1:0",
		NATSListen: "127.0.0.1:0", ManualClock: true, Start: time.Date(2022, 7, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if err := p.process.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// run runs a command line against the pair.
func (p *pair) run(ctx context.Context, out *bytes.Buffer, args ...string) error {
	p.t.Helper()
	p.t.Setenv("COTMOC_REGISTRY", p.process.Addr)
	p.t.Setenv("COTMOC_REPORTING", p.process.Addr)
	return runArgs(ctx, &console{Out: out, Err: out}, args...)
}

// must runs a command line that has to succeed and returns what it printed.
func (p *pair) must(args ...string) string {
	p.t.Helper()
	var out bytes.Buffer
	if err := p.run(context.Background(), &out, args...); err != nil {
		p.t.Fatalf("cotmoc %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// refused runs a command line that has to fail and returns the error's words.
func (p *pair) refused(args ...string) string {
	p.t.Helper()
	var out bytes.Buffer
	err := p.run(context.Background(), &out, args...)
	if err == nil {
		p.t.Fatalf("cotmoc %s succeeded:\n%s", strings.Join(args, " "), out.String())
	}
	return err.Error()
}

// file writes a file for a command to read.
func (p *pair) file(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// runArgs parses and runs a command line as the program does.
func runArgs(ctx context.Context, c *console, args ...string) error {
	parser, err := kong.New(&cli{}, kong.Name("cotmoc"), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c),
		kong.Writers(c.Out, c.Err), kong.Exit(func(int) { panic(errHelped) }))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return command.Run()
}

// errHelped stands for the end of the process after help was printed.
var errHelped = errors.New("help was printed")

// help returns what a command prints for --help.
func help(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(errHelped) {
				panic(r)
			}
		}()
		_ = runArgs(context.Background(), &console{Out: &out, Err: &out}, append(args, "--help")...)
		t.Errorf("%v went on after its help", args)
	}()
	return out.String()
}

func TestHelpOfEachCommandShowsAnExampleAndDefaults(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("cotmoc"))
	if err != nil {
		t.Fatal(err)
	}
	leaves := parser.Model.Leaves(true)
	if len(leaves) < 10 {
		t.Fatalf("only %d commands", len(leaves))
	}
	for _, leaf := range leaves {
		words := strings.Fields(strings.SplitN(leaf.FullPath(), " <", 2)[0])[1:]
		text := help(t, words...)
		if !strings.Contains(text, "Example") || !strings.Contains(text, "cotmoc "+strings.Join(words, " ")) {
			t.Errorf("%v shows no example:\n%s", words, text)
		}
		for _, group := range leaf.AllFlags(true) {
			for _, flag := range group {
				if flag.HasDefault && !strings.Contains(text, flag.Default) {
					t.Errorf("%v does not show that --%s is %q when not given", words, flag.Name, flag.Default)
				}
			}
		}
	}
}

const unitsCSV = `code,level,parent_code,name,kind
760,DISTRICT,79,Quận 1,Quận
79,PROVINCE,,Thành phố Hồ Chí Minh,Thành phố
769,DISTRICT,79,Thành phố Thủ Đức,Thành phố
VN,COUNTRY,,Việt Nam,Quốc gia
`

const programmeYAML = `resources:
- programme:
    name: programmes/p
    display_name: "Thử"
    root_unit: vn
    start_date: "2022-01-01"
    end_date: "2022-12-31"
    instruments: [{id: qd, kind: INSTRUMENT_KIND_DECISION, number: "1", date: "2022-01-06"}]
- target:
    name: programmes/p/targets/connected
    display_name: "Kết nối"
    value_kind: VALUE_KIND_YES_NO
    accumulation: ACCUMULATION_LAST
    applicability: {kinds: [UNIT_KIND_DISTRICT]}
    goal: {kind: GOAL_KIND_ALL_APPLICABLE}
    acceptance: "Đã kết nối"
    owner: vn
    instrument: qd
    due: {latest_date: "2022-12-31"}
- target:
    name: programmes/p/targets/amount
    display_name: "Số tiền"
    value_kind: VALUE_KIND_COUNT
    accumulation: ACCUMULATION_SUM
    decimals: 2
    applicability: {kinds: [UNIT_KIND_DISTRICT]}
    goal: {kind: GOAL_KIND_AT_LEAST, value: 100000}
    acceptance: "Đã thu"
    owner: vn
    instrument: qd
    due: {latest_date: "2022-12-31"}
`

// contains fails unless each part stands in the text.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func TestCommandsOnARunningPair(t *testing.T) {
	p := newPair(t)
	csv, programme := p.file("units.csv", unitsCSV), p.file("programme.yaml", programmeYAML)

	t.Run("import_is_tried_done_and_repeated", func(t *testing.T) {
		contains(t, p.must("import", "units", csv, "--dry-run"), "4 units would be: 4 created, 0 updated, 0 unchanged")
		contains(t, p.must("import", "units", csv), "4 units: 4 created, 0 updated, 0 unchanged; revision 4")
		contains(t, p.must("import", "units", csv), "4 units: 0 created, 0 updated, 4 unchanged; revision 4")
		orphan := p.file("orphan.csv", "code,level,parent_code,name,kind\n1,COMMUNE,9,X,\n")
		contains(t, p.refused("import", "units", orphan), "orphan.csv: line 2: units/1: BAD_REFERENCE: ")
		contains(t, p.refused("import", "units", csv, "--from", "2022-1-1"), `--from "2022-1-1" is not a day`)
	})
	t.Run("apply_is_tried_done_and_repeated", func(t *testing.T) {
		contains(t, p.must("apply", "-f", programme, "--dry-run"), "create programmes/p\n", "3 resources would be: 3 created")
		contains(t, p.must("apply", "-f", programme), "programme   1 created", "target      2 created", "revision 7")
		contains(t, p.must("apply", "-f", programme), "3 resources: 0 created, 0 updated, 3 unchanged; revision 7")
		changed := p.file("changed.yaml", strings.Replace(programmeYAML, `"Đã thu"`, `"Đã thu đủ"`, 1))
		contains(t, p.must("apply", "-f", changed, "--dry-run"), "update programmes/p/targets/amount\n    ~ acceptance: \"Đã thu\" → \"Đã thu đủ\"\n",
			"0 created, 1 updated, 2 unchanged")
		contains(t, p.must("apply", "-f", programme), "revision 7") // the dry run changed nothing
		contains(t, p.refused("apply", "-f", p.file("bad.yaml", "resources:\n- target: {names: x}\n")), "bad.yaml: read resources: entry 1: ", `unknown field "names"`)
	})
	t.Run("submit_prints_the_receipt", func(t *testing.T) {
		base := []string{"submit", "--programme", "p", "--unit", "760", "--period", "2022-M07"}
		with := func(more ...string) []string { return slices.Concat(base, more) }
		contains(t, p.must(with("--target", "amount", "--count", "2.36", "--dry-run")...), "would be accepted: amount 760 2022-M07, revision 1")
		contains(t, p.must(with("--target", "amount", "--count", "2.36", "--figures")...),
			"accepted: amount 760 2022-M07, revision 1, event ", "current   Thành phố Hồ Chí Minh (79): 2.36, 1 of 2 reporting")
		contains(t, p.refused(with("--target", "amount", "--count", "3")...), "REVISION_MISMATCH")
		contains(t, p.refused(with("--target", "amount", "--count", "2.361")...), `--count: "2.361" can be read in two ways: write 2361 or 2.3610, or give --locale vi-VN or en-US`)
		contains(t, p.refused(with("--target", "amount", "--count", "2.3615")...), `--count: "2.3615" has 4 decimals, the target has 2`)
		contains(t, p.refused(with("--target", "amount", "--yes", "--locale", "vi-VN")...), "--locale goes with --count or --percent")
		again := with("--target", "amount", "--revision", "1", "--reason", "Nhầm", "--locale")
		contains(t, p.must(append(again, "vi-VN", "--count", "1.146", "--dry-run")...), "would be accepted: amount 760 2022-M07, revision 2")
		contains(t, p.refused(append(again, "en-US", "--count", "1.146", "--dry-run")...), "target amount takes at most 2 decimals")
		contains(t, p.must(append(again, "vi-VN", "--count", "2,37", "--figures")...), "Quận 1 (760): 2.37\n")
		contains(t, p.refused(with("--target", "amount", "--yes", "--no")...), "--yes and --no can't be used together")
		contains(t, p.refused(with("--target", "amount")...), "one of --count, --ratio")
		contains(t, p.must(with("--target", "amount", "--withdraw", "--revision", "2", "--reason", "x")...), "revision 3")
		var receipt struct{ Receipt struct{ Revision int } }
		if err := json.Unmarshal([]byte(p.must(with("--target", "connected", "--yes", "--json")...)), &receipt); err != nil || receipt.Receipt.Revision != 1 {
			t.Errorf("receipt %v, %v", receipt, err)
		}
	})
	t.Run("watch_replays_milestones", func(t *testing.T) {
		contains(t, p.watch(5, "--milestones-only", "--from-sequence", "0"), "reached", "100 %", "connected  Quận 1 (760): 1/1 = 100.00 %")
		line := p.watch(1, "--json", "--subject", "cotmoc.p.milestone.reached.connected.vn.79.760", "--from-sequence", "0")
		var got struct {
			Subject, ID, Source string
			Sequence            int
			Event               struct{ Sequence string }
		}
		if err := json.Unmarshal([]byte(strings.SplitN(line, "\n", 2)[0]), &got); err != nil || got.Subject != "cotmoc.p.milestone.reached.connected.vn.79.760" || got.Sequence == 0 ||
			!strings.HasPrefix(got.ID, strconv.Itoa(got.Sequence)+"-") || !strings.HasPrefix(got.Source, "cotmoc://") {
			t.Errorf("line %s: %v, %v", line, got, err)
		}
		contains(t, p.refused("watch", "--from-sequence", "1000000"), "beyond the newest event")
	})
	t.Run("doctor_finds_nothing", func(t *testing.T) {
		contains(t, p.must("doctor"), "OK      chain", "OK      book", "OK      totals", "OK      stream")
	})
	t.Run("clock_goes_forward_only", func(t *testing.T) {
		contains(t, p.must("clock", "set", "2022-07-31T12:00:00+07:00"), "clock set to 2022-07-31T12:00:00+07:00")
		contains(t, p.must("clock", "show"), "2022-07-31T12:00:00+07:00 (manual clock)")
		contains(t, p.refused("clock", "set", "2022-07-30T12:00:00+07:00"), "CLOCK: ")
		contains(t, p.refused("clock", "set", "tomorrow"), `time "tomorrow" is not of the form`)
	})
	t.Run("load_adds_up", func(t *testing.T) {
		for _, mode := range []string{"batch", "unary"} {
			out := p.must("load", "--programme", "load-"+mode, "--mode", mode, "--targets", "5", "--batch", "4", "--in-flight", "2")
			contains(t, out, "3 units × 5 targets = 15 reports for 2022-M07", "accepted   15 reports", "errors     none", "totals     5 of 5 equal what was sent")
		}
		contains(t, p.refused("load", "--programme", "load-batch"), "holds reports for 2022-M07 already")
	})
}

// watch runs the command until it has printed some lines, and stops it as a signal would.
func (p *pair) watch(lines int, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p.t.Setenv("COTMOC_REGISTRY", p.process.Addr)
	p.t.Setenv("COTMOC_REPORTING", p.process.Addr)
	out := &counting{lines: lines, enough: cancel}
	var errs bytes.Buffer
	if err := runArgs(ctx, &console{Out: out, Err: &errs}, slices.Concat([]string{"watch"}, args)...); err != nil {
		p.t.Fatalf("watch %v: %v\n%s", args, err, errs.String())
	}
	return out.String()
}

// counting calls enough after so many lines.
type counting struct {
	bytes.Buffer
	lines  int
	enough func()
}

// Write takes in whole lines.
func (c *counting) Write(b []byte) (int, error) {
	n, err := c.Buffer.Write(b)
	if bytes.Count(c.Bytes(), []byte("\n")) >= c.lines {
		c.enough()
	}
	return n, err
}

func TestNobodyAnswers(t *testing.T) {
	t.Setenv("COTMOC_REGISTRY", "127.0.0.1:1")
	err := runArgs(context.Background(), &console{Out: new(bytes.Buffer), Err: new(bytes.Buffer)}, "doctor")
	if err == nil || !strings.Contains(err.Error(), "nobody answers at 127.0.0.1:1") {
		t.Errorf("error %v", err)
	}
}

func TestDemoEndsWithTheFiguresAsPublished(t *testing.T) {
	var out, errs bytes.Buffer
	if err := runArgs(context.Background(), &console{Out: &out, Err: &errs}, "demo", "--dir", filepath.Join(t.TempDir(), "demo")); err != nil {
		t.Fatalf("%v\n%s\n%s", err, errs.String(), out.String())
	}
	contains(t, out.String(), "figures    43 of 43 as published", "OK      chain", "OK      stream", "wave of plan-adopted: 11390 in ")
	if n := strings.Count(out.String(), "\n"); n > 220 {
		t.Errorf("%d lines are too many to read", n)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)); n > 145 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Contains(out.String(), "DIFFERS") {
		t.Error("a figure differs, and the demo ended well")
	}
}

func TestDemoWantsANewFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := runArgs(context.Background(), &console{Out: new(bytes.Buffer), Err: new(bytes.Buffer)}, "demo", "--dir", dir)
	if err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("error %v", err)
	}
}
