package e2e_test

import (
	"fmt"
	"testing"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

const (
	kindCount = typev1.ValueKind_VALUE_KIND_COUNT
	kindRatio = typev1.ValueKind_VALUE_KIND_RATIO
	kindYesNo = typev1.ValueKind_VALUE_KIND_YES_NO

	kindCommune  = typev1.UnitKind_UNIT_KIND_COMMUNE
	kindProvince = typev1.UnitKind_UNIT_KIND_PROVINCE

	mostValue = int64(1_000_000_000_000_000_000) // the contract's limit of a value
)

// badTreeTargets are the targets of the tree that bad inputs are tried on: each
// kind and accumulation, with and without decimals.
func badTreeTargets() []string {
	return []string{"cards", "fees", "yearly", "share", "rate", "over", "joined", "own", "listed", "dated", "huge", "hugeden", "flood"}
}

// badTree makes a tree with a province more, a closed and a future commune,
// targets of each kind, tasks, and what was reported before; it is 10 November 2022.
// It returns the number of the event by each request id.
func (r *rig) badTree(t *testing.T) map[string]uint64 {
	t.Helper()
	units := append(tree(),
		unit("01", "vn", kindProvince, "province"),
		unit("bca", "vn", typev1.UnitKind_UNIT_KIND_MINISTRY, "central"),
		unit("ended", "79", kindCommune, "commune"), unit("coming", "79", kindCommune, "commune"))
	n := len(units)
	units[n-2].GetUnit().ClosedDate = "2022-06-15"
	units[n-1].GetUnit().Placements[0].FromDate = "2023-01-01"
	for i := range 10 {
		units = append(units, unit(fmt.Sprintf("c%d", i), []string{"79", "01"}[i%2], kindCommune, "commune"))
	}
	r.owe(t, units...)
	r.owe(t, badTreeOwed()...)
	for _, month := range []time.Month{5, 6, 11} {
		r.at(t, time.Date(2022, month, 10, 9, 0, 0, 0, start.Location()))
	}
	r.settled(t)
	return r.badTreeReports(t)
}

// badTreeOwed are the targets and tasks.
func badTreeOwed() []*registryv1.Write {
	type tgt = registryv1.Target
	const sum, sumYear = typev1.Accumulation_ACCUMULATION_SUM, typev1.Accumulation_ACCUMULATION_SUM_YEAR
	return []*registryv1.Write{
		target("cards", kindCount, nil),
		target("fees", kindCount, func(g *tgt) { g.Decimals, g.Accumulation = 2, sum }),
		target("yearly", kindCount, func(g *tgt) { g.Decimals, g.Accumulation = 6, sumYear }),
		target("share", kindRatio, nil),
		target("rate", kindRatio, func(g *tgt) { g.Decimals, g.Accumulation = 3, sum }),
		target("over", kindRatio, func(g *tgt) { g.MayExceed = true }),
		target("joined", kindYesNo, nil),
		target("own", kindCount, func(g *tgt) {
			g.Applicability.Kinds = append(g.Applicability.Kinds, kindProvince)
			g.SubtotalPolicy = registryv1.SubtotalPolicy_SUBTOTAL_POLICY_OWN
		}),
		target("listed", kindCount, func(g *tgt) { g.Applicability = &registryv1.Applicability{Units: []string{"26734"}} }),
		target("dated", kindCount, func(g *tgt) { g.Applicability.FromDate, g.Applicability.UntilDate = "2022-03-01", "2022-08-01" }),
		target("huge", kindCount, nil),
		target("hugeden", kindRatio, nil),
		target("flood", kindCount, func(g *tgt) { g.Accumulation = sum }),
		badTask("plan", nil),
		badTask("drive", func(k *registryv1.Task) {
			k.Form, k.Audience = typev1.TaskForm_TASK_FORM_GROUP, typev1.Audience_AUDIENCE_CENTRAL
			k.Assignments = []*registryv1.Assignment{{Unit: "bca", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD}}
		}),
	}
}

// badTask is a write of a task that a province leads, another coordinates and a
// commune watches over, changed as wanted.
func badTask(id string, change func(*registryv1.Task)) *registryv1.Write {
	k := &registryv1.Task{Name: "programmes/p/tasks/" + id, DisplayName: "Nhiệm vụ " + id, Form: typev1.TaskForm_TASK_FORM_TASK,
		Audience: typev1.Audience_AUDIENCE_LOCAL, Acceptance: "đã ký", Instrument: "qd-06",
		Due: &registryv1.DueWindow{LatestDate: "2022-12-31"},
		Assignments: []*registryv1.Assignment{
			{Unit: "79", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_LEAD},
			{Unit: "01", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_COORDINATING},
			{Unit: "26734", Role: registryv1.AssignmentRole_ASSIGNMENT_ROLE_MONITORING},
		}}
	if change != nil {
		change(k)
	}
	return &registryv1.Write{Resource: &registryv1.Write_Task{Task: k}}
}

// badTreeReports are the reports that are there: single ones with a history, and
// totals close to the end of what 64 bits hold.
func (r *rig) badTreeReports(t *testing.T) map[string]uint64 {
	t.Helper()
	seq := map[string]uint64{}
	report := func(id string, s *reportingv1.Submission) { seq[id] = r.submit(t, id, s).GetSequence() }
	report("cards-1", sentFor("cards", countOf(30)))
	report("cards-2", sentFor("cards", countOf(31), corrects(1)))
	report("share-1", sentFor("share", ratioOf(388, 1146)))
	report("items-1", sentFor("share", itemsOf("a", "b", "c"), inPeriod("2022-M06")))
	report("joined-1", sentFor("joined", yesOrNo(true)))
	report("gone-1", sentFor("cards", countOf(7), byUnit("26737")))
	report("gone-2", sentFor("cards", withdrawn, byUnit("26737"), corrects(1)))
	report("none-1", sentFor("share", notApplicableFor("không có thủ tục"), byUnit("26737")))
	report("own-1", sentFor("own", countOf(5), byUnit("79")))
	report("plan-1", sentFor("plan", yesOrNo(true), byUnit("79")))
	for i := range 9 { // together 9 × 10^18 of at most 9.22 × 10^18
		report(fmt.Sprintf("huge-%d", i), sentFor("huge", countOf(mostValue), byUnit(fmt.Sprintf("c%d", i))))
		report(fmt.Sprintf("hugeden-%d", i), sentFor("hugeden", ratioOf(0, mostValue), byUnit(fmt.Sprintf("c%d", i))))
		// Only May has no more room: the current denominators are those of June.
		report(fmt.Sprintf("hugeden-june-%d", i), sentFor("hugeden", ratioOf(0, 0), byUnit(fmt.Sprintf("c%d", i)), inPeriod("2022-M06")))
		report(fmt.Sprintf("flood-%d", i), sentFor("flood", countOf(mostValue), inPeriod(fmt.Sprintf("2022-M%02d", i+1))))
	}
	report("huge-9", sentFor("huge", countOf(1), byUnit("c9")))
	return seq
}

// edit changes a submission.
type edit func(*reportingv1.Submission)

// sentFor is a submission of a commune for May 2022.
func sentFor(target string, changes ...edit) *reportingv1.Submission {
	s := &reportingv1.Submission{Unit: "26734", Target: target, Period: "2022-M05"}
	for _, c := range changes {
		c(s)
	}
	return s
}

func byUnit(unit string) edit                     { return func(s *reportingv1.Submission) { s.Unit = unit } }
func inPeriod(period string) edit                 { return func(s *reportingv1.Submission) { s.Period = period } }
func edited(f func(*reportingv1.Submission)) edit { return f }

// corrects says which revision the submission follows, and why.
func corrects(revision uint32) edit {
	return func(s *reportingv1.Submission) { s.ExpectedRevision, s.Reason = revision, "đếm lại" }
}

func countOf(n int64) edit {
	return func(s *reportingv1.Submission) { s.Value = &reportingv1.Submission_Count{Count: n} }
}

func ratioOf(num, den int64) edit {
	return func(s *reportingv1.Submission) {
		s.Value = &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: num, Denominator: den}}
	}
}

func yesOrNo(yes bool) edit {
	return func(s *reportingv1.Submission) { s.Value = &reportingv1.Submission_YesNo{YesNo: yes} }
}

func bareOf(value int64, decimals uint32) edit {
	return func(s *reportingv1.Submission) {
		s.Value = &reportingv1.Submission_BarePercentage{BarePercentage: &reportingv1.BarePercentage{Value: value, Decimals: decimals}}
	}
}

func itemsOf(names ...string) edit {
	list := &reportingv1.ItemList{}
	for i, name := range names {
		list.Items = append(list.Items, &reportingv1.Item{Name: name, Done: i%2 == 0})
	}
	return func(s *reportingv1.Submission) { s.Value = &reportingv1.Submission_Items{Items: list} }
}

func textOf(text, locale string) edit {
	return func(s *reportingv1.Submission) {
		s.Value = &reportingv1.Submission_Text{Text: &reportingv1.LocalizedText{Text: text, Locale: locale}}
	}
}

func notApplicableFor(reason string) edit {
	return func(s *reportingv1.Submission) {
		s.Value = &reportingv1.Submission_NotApplicable{NotApplicable: &reportingv1.NotApplicable{Reason: reason}}
	}
}

func withdrawn(s *reportingv1.Submission) {
	s.Value = &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}
}
