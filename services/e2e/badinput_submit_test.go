package e2e_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// badSubmission is a submission that must be refused in whatever call it comes.
type badSubmission struct {
	name          string
	programme, id string
	sub           *reportingv1.Submission
	refusal
}

// bad is a bad submission to the programme that there is, with a good request id.
func bad(name string, sub *reportingv1.Submission, code codes.Code, reason errorv1.Reason, fields string, more ...string) badSubmission {
	return badSubmission{name, "p", "bad", sub, refusal{code, reason, fields, strings.Join(more, " ")}}
}

// ask sends it under another request id.
func (b badSubmission) ask(id string) badSubmission {
	b.id = id
	return b
}

// to sends it to another programme.
func (b badSubmission) to(programme string) badSubmission {
	b.programme = programme
	return b
}

// way is a call that a submission can come in; differs says how the answer is not
// as wanted.
type way struct {
	name    string
	differs func(ctx context.Context, r *rig, c badSubmission) string
}

// submissionWays are all of them.
func submissionWays() []way {
	single := func(only bool) func(context.Context, *rig, badSubmission) string {
		return func(ctx context.Context, r *rig, c badSubmission) string {
			_, err := r.reporting.Submit(ctx, &reportingv1.SubmitRequest{
				Programme: c.programme, RequestId: c.id, Submission: c.sub, ValidateOnly: only, IncludeFigures: true})
			return c.differs(err)
		}
	}
	return []way{
		{"alone", single(false)},
		{"to be checked only", single(true)},
		{"after a good one, all or nothing", func(ctx context.Context, r *rig, c badSubmission) string {
			_, err := r.reporting.SubmitBatch(ctx, c.batch(reportingv1.BatchMode_BATCH_MODE_ALL_OR_NOTHING, goodItem()))
			return c.at(1).differs(err)
		}},
		{"after a good one, each for itself, to be checked only", func(ctx context.Context, r *rig, c badSubmission) string {
			req := c.batch(reportingv1.BatchMode_BATCH_MODE_PER_ITEM, goodItem())
			req.ValidateOnly = true
			resp, err := r.reporting.SubmitBatch(ctx, req)
			return c.differsInBatch(resp, err, 1)
		}},
		{"in a batch, each for itself", func(ctx context.Context, r *rig, c badSubmission) string {
			resp, err := r.reporting.SubmitBatch(ctx, c.batch(reportingv1.BatchMode_BATCH_MODE_PER_ITEM))
			return c.differsInBatch(resp, err, 0)
		}},
	}
}

// goodItem is an item that would be taken.
func goodItem() *reportingv1.BatchItem {
	return &reportingv1.BatchItem{RequestId: "good", Submission: sentFor("listed", countOf(1), inPeriod("2022-M11"))}
}

// batch is a batch that ends with the bad one.
func (b badSubmission) batch(mode reportingv1.BatchMode, before ...*reportingv1.BatchItem) *reportingv1.SubmitBatchRequest {
	return &reportingv1.SubmitBatchRequest{Programme: b.programme, Mode: mode,
		Items: append(before, &reportingv1.BatchItem{RequestId: b.id, Submission: b.sub})}
}

// at is how a whole batch is refused because of its item i.
func (b badSubmission) at(i int) refusal {
	w := b.refusal
	fields := strings.Fields(w.fields)
	for n, f := range fields {
		if f == "programme" { // it is the request's, and judged first for a good item
			w.fields = f
			return w
		}
		fields[n] = fmt.Sprintf("items[%d].%s", i, f)
	}
	w.fields = strings.Join(fields, " ")
	return w
}

// differsInBatch compares with the result of item i.
func (b badSubmission) differsInBatch(resp *reportingv1.SubmitBatchResponse, err error, i int) string {
	want := b.at(i)
	if b.fields == "programme" && b.reason == badField {
		return want.differs(err)
	}
	if err != nil || len(resp.GetResults()) != i+1 {
		return fmt.Sprintf(" got %d results and the error %v", len(resp.GetResults()), err)
	}
	for n, r := range resp.GetResults()[:i] {
		if b.reason != noProg && (r.GetReceipt().GetRevision() != 1 || r.GetError() != nil) {
			return fmt.Sprintf(" the good item %d got %v", n, r)
		}
	}
	e := resp.GetResults()[i].GetError()
	if e.GetMessage() == "" {
		return " the item's refusal has no words"
	}
	want.fields, _, _ = strings.Cut(want.fields, " ")
	return want.differs(apierr.OfItem(e))
}

func badSubmissions(seq map[string]uint64) []badSubmission {
	return slices.Concat(badCells(), badScopes(), badKinds(), badNumbers(), badTotals(), badItems(), badTexts(),
		badProse(), badPersonalData(), badRevisions(), badRequestIDs(seq), badEvidence())
}

// badCells are submissions of no cell.
func badCells() []badSubmission {
	one := countOf(1)
	all := []badSubmission{
		bad("no submission", nil, invalid, badField, "submission"),
		bad("no value", sentFor("cards"), invalid, badField, "submission.value"),
		bad("nothing at all", &reportingv1.Submission{}, invalid, badField,
			"submission.value submission.unit submission.target submission.period"),
		bad("programme missing", sentFor("cards", one), invalid, badField, "programme").to(""),
		bad("programme with capitals", sentFor("cards", one), invalid, badField, "programme").to("P"),
		bad("programme by its name", sentFor("cards", one), invalid, badField, "programme").to("programmes/p"),
		bad("programme too long", sentFor("cards", one), invalid, badField, "programme").to(strings.Repeat("p", 61)),
		bad("programme unknown", sentFor("cards", one), absent, noProg, "programme").to("q"),
		bad("unit missing", sentFor("cards", one, byUnit("")), invalid, badField, "submission.unit"),
		bad("unit by its path", sentFor("cards", one, byUnit("vn.79.26734")), invalid, badField, "submission.unit"),
		bad("unit by its name", sentFor("cards", one, byUnit("units/26734")), invalid, badField, "submission.unit"),
		bad("unit that is a wildcard", sentFor("cards", one, byUnit("*")), invalid, badField, "submission.unit"),
		bad("unit with a line break", sentFor("cards", one, byUnit("26734\n")), invalid, badField, "submission.unit"),
		bad("unit too long", sentFor("cards", one, byUnit(strings.Repeat("1", 41))), invalid, badField, "submission.unit"),
		bad("unit unknown", sentFor("cards", one, byUnit("99999")), absent, noUnit, "submission.unit"),
		bad("target missing", sentFor("", one), invalid, badField, "submission.target"),
		bad("target with two hyphens", sentFor("a--b", one), invalid, badField, "submission.target"),
		bad("target with an accent", sentFor("thẻ", one), invalid, badField, "submission.target"),
		bad("target too long", sentFor(strings.Repeat("t", 61), one), invalid, badField, "submission.target"),
		bad("target unknown", sentFor("pies", one), absent, noTarget, "submission.target"),
		bad("unit and target unknown", sentFor("pies", one, byUnit("99999")), absent, noUnit, "submission.unit"),
	}
	for _, p := range []string{"2022", "2022-Q2", "2022-H2"} {
		all = append(all, bad("period "+p+" of a monthly target", sentFor("cards", one, inPeriod(p)), invalid,
			errorv1.Reason_REASON_WRONG_PERIOD, "submission.period"))
	}
	for _, p := range []string{"", "2022-Q5", "2022-H0", "2022-05", "2022-M5", "2022-M00", "2022-M13", "1999-M12", "2100-M01",
		"2022-M05 ", "2022-Q22", "٢٠٢٢-M05"} {
		all = append(all, bad(fmt.Sprintf("period %q", p), sentFor("cards", one, inPeriod(p)), invalid, badField, "submission.period"))
	}
	return all
}

// badScopes are submissions of cells that nobody owes.
func badScopes() []badSubmission {
	one, yes := countOf(1), yesOrNo(true)
	all := []badSubmission{
		bad("period of next month", sentFor("cards", one, inPeriod("2022-M12")), failed, errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "submission.period"),
		bad("period far ahead", sentFor("cards", one, inPeriod("2099-M12")), failed, errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "submission.period"),
		bad("period before the programme", sentFor("cards", one, inPeriod("2021-M12")), failed, notOwed, "submission.target"),
		bad("period before the unit", sentFor("cards", one, inPeriod("2019-M12")), failed, notActive, "submission.unit"),
		bad("period in which the unit closed", sentFor("cards", one, byUnit("ended"), inPeriod("2022-M06")), failed, notActive, "submission.unit"),
		bad("period after the unit closed", sentFor("cards", one, byUnit("ended"), inPeriod("2022-M11")), failed, notActive, "submission.unit"),
		bad("unit not yet born", sentFor("cards", one, byUnit("coming"), inPeriod("2022-M11")), failed, notActive, "submission.unit"),
		bad("not of this kind", sentFor("cards", one, byUnit("79")), failed, notOwed, "submission.target"),
		bad("not of the root", sentFor("cards", one, byUnit("vn")), failed, notOwed, "submission.target"),
		bad("not of a ministry", sentFor("share", ratioOf(1, 2), byUnit("bca")), failed, notOwed, "submission.target"),
		bad("not on the list", sentFor("listed", one, byUnit("26737")), failed, notOwed, "submission.target"),
		bad("neither child nor parent", sentFor("own", one, byUnit("vn")), failed, notOwed, "submission.target"),
		bad("before it applies", sentFor("dated", one, inPeriod("2022-M02")), failed, notOwed, "submission.target"),
		bad("when it applies no more", sentFor("dated", one, inPeriod("2022-M08")), failed, notOwed, "submission.target"),
		bad("not applicable where it does not apply", sentFor("cards", notApplicableFor("không có"), byUnit("79")), failed, notOwed, "submission.target"),
		bad("task only watched over", sentFor("plan", yes), failed, notOwed, "submission.target"),
		bad("task of others", sentFor("drive", yes, byUnit("79")), failed, notOwed, "submission.target"),
	}
	for _, form := range []string{"task", "group"} {
		for _, audience := range []string{"central", "local"} {
			for _, basis := range []string{"task", "assignment"} {
				id := fmt.Sprintf("tasks-%s-%s-by-%s", form, audience, basis)
				all = append(all, bad("derived "+id, sentFor(id, countOf(1), byUnit("vn")), failed,
					errorv1.Reason_REASON_DERIVED_TARGET, "submission.target"))
			}
		}
	}
	return all
}

// badKinds are values of another kind than the target's, in each combination.
func badKinds() (all []badSubmission) {
	values := []struct {
		field string
		value edit
		kinds string // of targets that take it
	}{
		{"count", countOf(1), "COUNT"},
		{"ratio", ratioOf(1, 2), "RATIO"},
		{"yes_no", yesOrNo(true), "YES_NO"},
		{"bare_percentage", bareOf(931, 1), "RATIO"},
		{"items", itemsOf("a", "b"), "RATIO"},
		{"text", textOf("5", "vi-VN"), "COUNT RATIO"},
	}
	for _, target := range []struct{ id, kind, unit string }{
		{"cards", "COUNT", "c1"}, {"fees", "COUNT", "c1"}, {"yearly", "COUNT", "c1"}, {"own", "COUNT", "01"},
		{"share", "RATIO", "c1"}, {"rate", "RATIO", "c1"}, {"over", "RATIO", "c1"}, {"joined", "YES_NO", "c1"}, {"plan", "YES_NO", "01"},
	} {
		for _, v := range values {
			if !slices.Contains(strings.Fields(v.kinds), target.kind) {
				all = append(all, bad(fmt.Sprintf("%s for %s", v.field, target.id), sentFor(target.id, v.value, byUnit(target.unit)),
					invalid, wrongKind, "submission."+v.field, "want="+target.kind))
			}
		}
	}
	return all
}

// badNumbers are numbers that are none here.
func badNumbers() []badSubmission {
	c1 := byUnit("c1")
	return []badSubmission{
		bad("count below nothing", sentFor("cards", countOf(-1), c1), invalid, badField, "submission.count"),
		bad("count far below nothing", sentFor("cards", countOf(math.MinInt64), c1), invalid, badField, "submission.count"),
		bad("count beyond measure", sentFor("cards", countOf(mostValue+1), c1), invalid, badField, "submission.count"),
		bad("count far beyond measure", sentFor("cards", countOf(math.MaxInt64), c1), invalid, badField, "submission.count"),
		bad("numerator below nothing", sentFor("share", ratioOf(-1, 5), c1), invalid, badField, "submission.ratio.numerator"),
		bad("denominator below nothing", sentFor("share", ratioOf(0, -5), c1), invalid, badField, "submission.ratio.denominator"),
		bad("both below nothing", sentFor("share", ratioOf(-1, -5), c1), invalid, badField,
			"submission.ratio.numerator submission.ratio.denominator"),
		bad("numerator beyond measure", sentFor("over", ratioOf(mostValue+1, 5), c1), invalid, badField, "submission.ratio.numerator"),
		bad("denominator beyond measure", sentFor("share", ratioOf(5, mostValue+1), c1), invalid, badField, "submission.ratio.denominator"),
		bad("something of nothing", sentFor("share", ratioOf(5, 0), c1), invalid, zeroDen, "submission.ratio.denominator"),
		bad("something of nothing with decimals", sentFor("rate", ratioOf(1, 0), c1), invalid, zeroDen, "submission.ratio.denominator"),
		bad("something of nothing where more is allowed", sentFor("over", ratioOf(1, 0), c1), invalid, zeroDen, "submission.ratio.denominator"),
		bad("more than all", sentFor("share", ratioOf(6, 5), c1), invalid, above, "submission.ratio.numerator"),
		bad("more than all by the last digit", sentFor("rate", ratioOf(mostValue, mostValue-1), c1), invalid, above, "submission.ratio.numerator"),
		bad("correction to more than all", sentFor("share", ratioOf(1147, 1146), corrects(1)), invalid, above, "submission.ratio.numerator"),
		bad("percentage below nothing", sentFor("share", bareOf(-1, 0), c1), invalid, badField, "submission.bare_percentage.value"),
		bad("percentage beyond measure", sentFor("share", bareOf(1_000_000_000_001, 0), c1), invalid, badField, "submission.bare_percentage.value"),
		bad("percentage above the whole", sentFor("share", bareOf(10_001, 2), c1), invalid, above, "submission.bare_percentage"),
		bad("percentage of seven decimals", sentFor("share", bareOf(1, 7), c1), invalid, badField, "submission.bare_percentage.decimals"),
		bad("unknown qualifier", sentFor("cards", countOf(1), c1, edited(func(s *reportingv1.Submission) { s.Qualifier = 9 })),
			invalid, badField, "submission.qualifier"),
		bad("secret", sentFor("cards", countOf(1), c1, edited(func(s *reportingv1.Submission) { s.Secret = true })),
			invalid, errorv1.Reason_REASON_SECRET, "submission.secret"),
		bad("secret correction", sentFor("cards", countOf(1), corrects(2), edited(func(s *reportingv1.Submission) { s.Secret = true })),
			invalid, errorv1.Reason_REASON_SECRET, "submission.secret"),
		bad("secret withdrawal", sentFor("cards", withdrawn, corrects(2), edited(func(s *reportingv1.Submission) { s.Secret = true })),
			invalid, errorv1.Reason_REASON_SECRET, "submission.secret"),
	}
}

// rootRoom is what the total of target huge has room for at the root.
const rootRoom = math.MaxInt64 - 9*mostValue - 1

// badTotals are values that no total has room for.
func badTotals() []badSubmission {
	return []badSubmission{
		bad("count that the root has no room for", sentFor("huge", countOf(rootRoom+1), byUnit("26737")),
			codes.OutOfRange, overflow, "submission.count", "unit=vn"),
		bad("count of which the root has room for half", sentFor("huge", countOf(mostValue), byUnit("26737")),
			codes.OutOfRange, overflow, "submission.count", "unit=vn"),
		bad("count in text that the root has no room for", sentFor("huge", textOf("1.000.000.000.000.000.000", "vi-VN"), byUnit("26737")),
			codes.OutOfRange, overflow, "submission.text", "unit=vn"),
		bad("correction that the root has no room for", sentFor("huge", countOf(mostValue), byUnit("c9"), corrects(1)),
			codes.OutOfRange, overflow, "submission.count", "unit=vn"),
		bad("denominator that the root has no room for in the month", sentFor("hugeden", ratioOf(0, mostValue), byUnit("c9")),
			codes.OutOfRange, overflow, "submission.ratio", "unit=vn"),
		bad("month that the year has no room for", sentFor("flood", countOf(mostValue), inPeriod("2022-M10")),
			codes.OutOfRange, overflow, "submission.count", "unit=26734"),
	}
}
