package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// badCall is a call that must be refused, and how.
type badCall struct {
	name string
	call func(ctx context.Context, r *rig) error
	refusal
}

// refusal is how a call is refused.
type refusal struct {
	code   codes.Code
	reason errorv1.Reason
	fields string // all bad fields, separated by blanks; the first is the error's own
	more   string // other metadata, such as `unit=vn`, separated by blanks and in any order
}

const (
	invalid = codes.InvalidArgument
	absent  = codes.NotFound
	failed  = codes.FailedPrecondition
	aborted = codes.Aborted
	taken   = codes.AlreadyExists

	badField  = errorv1.Reason_REASON_INVALID_FIELD
	badToken  = errorv1.Reason_REASON_INVALID_PAGE_TOKEN
	wrongKind = errorv1.Reason_REASON_WRONG_VALUE_KIND
	above     = errorv1.Reason_REASON_NUMERATOR_ABOVE_DENOMINATOR
	zeroDen   = errorv1.Reason_REASON_ZERO_DENOMINATOR
	ambiguous = errorv1.Reason_REASON_AMBIGUOUS_NUMBER
	overflow  = errorv1.Reason_REASON_OVERFLOW
	personal  = errorv1.Reason_REASON_PERSONAL_DATA
	noProg    = errorv1.Reason_REASON_PROGRAMME_NOT_FOUND
	noUnit    = errorv1.Reason_REASON_UNIT_NOT_FOUND
	noTarget  = errorv1.Reason_REASON_TARGET_NOT_FOUND
	noReport  = errorv1.Reason_REASON_SUBMISSION_NOT_FOUND
	notOwed   = errorv1.Reason_REASON_NOT_APPLICABLE
	derived   = errorv1.Reason_REASON_DERIVED_TARGET
	notActive = errorv1.Reason_REASON_UNIT_NOT_ACTIVE
	stale     = errorv1.Reason_REASON_REVISION_MISMATCH
	reused    = errorv1.Reason_REASON_REQUEST_ID_REUSED
)

// refusalOf reads how a call was refused.
func refusalOf(err error) refusal {
	e, _ := apierr.Parse(err)
	fields := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		fields[i] = v.Field
	}
	if e.Metadata["field"] != e.Field || len(fields) > 0 && e.Field != fields[0] {
		fields = append(fields, "but the error's own is "+e.Metadata["field"])
	}
	return refusal{code: e.Code, reason: e.Reason, fields: strings.Join(fields, " ")}
}

// differs says how a refusal is not as wanted; empty when it is.
func (want refusal) differs(err error) string {
	got := refusalOf(err)
	e, _ := apierr.Parse(err)
	for _, pair := range strings.Fields(want.more) {
		k, v, _ := strings.Cut(pair, "=")
		if e.Metadata[k] == v {
			got.more = want.more
			continue
		}
		got.more = fmt.Sprintf("%s=%s", k, e.Metadata[k])
		break
	}
	if e.Code == codes.Aborted && e.Sequence() == 0 {
		got.more += " and no sequence"
	}
	if got == want {
		return ""
	}
	return fmt.Sprintf("\n got  %v %v %q %q\n want %v %v %q %q\n      %v",
		got.code, got.reason, got.fields, got.more, want.code, want.reason, want.fields, want.more, err)
}

// mark is what may not change: where both logs end, and what the root has now.
type mark struct {
	Status   *reportingv1.GetStatusResponse
	Registry int64
	Figures  []*reportingv1.Figure // the current ones
}

// markNow reads what may not change.
func (r *rig) markNow(t *testing.T) mark {
	t.Helper()
	status, err := r.admin.GetStatus(t.Context(), &reportingv1.GetStatusRequest{})
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	status.StreamSequence, status.StreamProblem = 0, "" // the relay follows behind
	m := mark{Status: status, Registry: r.registryHead(t)}
	for _, id := range badTreeTargets() {
		m.Figures = append(m.Figures, r.figure(t, id, "vn", ""))
	}
	for _, id := range []string{"plan", "tasks-task-local-by-assignment", "tasks-group-central-by-task"} {
		m.Figures = append(m.Figures, r.figure(t, id, "vn", ""))
	}
	return m
}

// registryHead asks the registry's watch for its newest revision.
func (r *rig) registryHead(t *testing.T) int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := r.owed.BatchWrite(ctx, &registryv1.BatchWriteRequest{Writes: []*registryv1.Write{programme()}, ValidateOnly: true})
	if err != nil {
		t.Fatalf("ask the registry for its revision: %v", err)
	}
	return resp.GetRevision()
}

// deepMark is every figure of every unit and the newest version of all that is owed.
func (r *rig) deepMark(t *testing.T) []proto.Message {
	t.Helper()
	var out []proto.Message
	for _, id := range badTreeTargets() {
		for _, period := range []string{"", "2022-M05", "2022-M06", "2022-M11"} {
			resp, err := r.progress.ListFigures(t.Context(), &reportingv1.ListFiguresRequest{
				Key: figureKey(func(k *reportingv1.FigureKey) { k.Target, k.Period = id, period }), PageSize: 1000,
				Selection: reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS})
			if err != nil {
				t.Fatalf("figures of %s: %v", id, err)
			}
			out = append(out, resp)
		}
	}
	owed, err := r.registry.WatchRegistry(t.Context(), &registryv1.WatchRegistryRequest{})
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	for head := r.registryHead(t); ; {
		resp, err := owed.Recv()
		if err != nil {
			t.Fatalf("watch: %v", err)
		}
		out = append(out, resp)
		if c := resp.GetChanges(); len(c) > 0 && c[len(c)-1].GetRevision() == head {
			return out
		}
	}
}

// TestBadInput sends what must be refused, and looks after each whether anything
// moved, on both databases.
func TestBadInput(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { refuseBadInput(t, inProcess(t)) })
	t.Run("postgres", func(t *testing.T) { refuseBadInput(t, inProcessPostgres(t)) })
}

func refuseBadInput(t *testing.T, r *rig) {
	seq := r.badTree(t)
	slow := r.readTooFarAhead(t)
	before, deep := r.markNow(t), r.deepMark(t)
	names := map[string]bool{}
	calls := 0
	check := func(name string, answers ...string) {
		t.Helper()
		if names[name] {
			t.Errorf("two cases are called %q", name)
		}
		names[name] = true
		calls += len(answers)
		for _, differs := range answers {
			if differs != "" {
				t.Errorf("%s%s", name, differs)
			}
		}
		if diff := cmp.Diff(before, r.markNow(t), protocmp.Transform()); diff != "" {
			t.Fatalf("%s: it changed something (-before +after):\n%s", name, diff)
		}
	}
	for _, c := range badCalls() {
		check(c.name, c.differs(c.call(t.Context(), r)))
	}
	for _, c := range badSubmissions(seq) {
		answers := make([]string, 0, 5)
		for _, way := range submissionWays() {
			answer := way.differs(t.Context(), r, c)
			if answer != "" {
				answer = ", " + way.name + answer
			}
			answers = append(answers, answer)
		}
		check(c.name, answers...)
	}
	check("read of an event that never comes", refusal{code: codes.Unavailable,
		reason: errorv1.Reason_REASON_SEQUENCE_NOT_REACHED, fields: "min_sequence"}.differs(<-slow))
	cases := len(names)
	if diff := cmp.Diff(deep, r.deepMark(t), protocmp.Transform()); diff != "" {
		t.Errorf("some figure or version is not as it was (-before +after):\n%s", diff)
	}
	r.noConsumers(t)
	if _, err := r.reporting.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p", RequestId: "last", ValidateOnly: true,
		Submission: sentFor("huge", countOf(rootRoom), byUnit("26737"))}); err != nil {
		t.Errorf("what the root has just room for: %v", err)
	}
	if diff := cmp.Diff(before, r.markNow(t), protocmp.Transform()); diff != "" {
		t.Errorf("a check of what is good changed something (-before +after):\n%s", diff)
	}
	if cases < 500 {
		t.Errorf("only %d bad inputs", cases)
	}
	t.Logf("%d bad inputs, %d calls, all refused as said, nothing changed", cases, calls)
}

func badCalls() (all []badCall) {
	for _, part := range [][]badCall{badReads(), badPages(), badEvents(), badSubscriptions(), badAdmin(), badBatches(),
		badUnitWrites(), badProgrammeWrites(), badTargetWrites(), badTaskWrites(), badOtherWrites(), badRegistryReads()} {
		all = append(all, part...)
	}
	return all
}

// readTooFarAhead asks for an event that never comes, without a deadline of the
// caller's, and hands over the answer when it is there.
func (r *rig) readTooFarAhead(t *testing.T) <-chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := r.progress.GetFigure(t.Context(), &reportingv1.GetFigureRequest{Key: figureKey(nil), MinSequence: 1 << 40})
		answer <- err
	}()
	return answer
}

// settled waits until reporting holds the registry's present revision.
func (r *rig) settled(t *testing.T) {
	t.Helper()
	head := r.registryHead(t)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		status, err := r.admin.GetStatus(t.Context(), &reportingv1.GetStatusRequest{})
		if err == nil && status.GetRegistryRevision() == head {
			return
		}
	}
	t.Fatalf("reporting does not arrive at registry revision %d", head)
}

// figureKey names a figure that is there, changed as wanted.
func figureKey(change func(*reportingv1.FigureKey)) *reportingv1.FigureKey {
	k := &reportingv1.FigureKey{Programme: "p", Target: "cards", Unit: "vn", Basis: typev1.Basis_BASIS_REPORTED}
	if change != nil {
		change(k)
	}
	return k
}
