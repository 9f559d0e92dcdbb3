package reporting

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// parse reads a submission that keeps the contract's rules, for the book to judge.
// Fields of errors begin with `submission`. caller is the identity by which it was sent.
func parse(out *book.Submission, programme, requestID, caller string, s *reportingv1.Submission) error {
	period, err := calendar.EndOfMonth.Parse(s.GetPeriod())
	if err != nil {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "submission.period", "%v", err)
	}
	if s.GetSecret() {
		return refuse(errorv1.Reason_REASON_SECRET, "submission.secret", "nothing classified is held here")
	}
	value, err := valueOf(s)
	if err != nil {
		return err
	}
	if blank(s.GetReason()) && (s.GetExpectedRevision() > 0 || value.State == book.Withdrawn) {
		return refuse(errorv1.Reason_REASON_REASON_REQUIRED, "submission.reason", "say why it is corrected or withdrawn")
	}
	*out = book.Submission{
		Programme: programme, Target: s.GetTarget(), Unit: s.GetUnit(), Period: period, Value: value,
		Qualifier: book.QualifierOf(s.GetQualifier()), ExpectedRevision: s.GetExpectedRevision(),
		RequestID: requestID, Itemised: s.GetItems() != nil,
	}
	out.Hash() // here, and not where all others wait for it
	out.Annex, err = annexOf(s, caller)
	return err
}

// valueOf reads what a submission says.
func valueOf(s *reportingv1.Submission) (book.Value, error) {
	const count, ratio, yesNo = typev1.ValueKind_VALUE_KIND_COUNT, typev1.ValueKind_VALUE_KIND_RATIO, typev1.ValueKind_VALUE_KIND_YES_NO
	switch v := s.GetValue().(type) {
	case *reportingv1.Submission_Count:
		return book.Value{State: book.Reported, Kind: count, Num: v.Count, Field: "count"}, nil
	case *reportingv1.Submission_Ratio:
		return book.Value{State: book.Reported, Kind: ratio, Num: v.Ratio.GetNumerator(), Den: v.Ratio.GetDenominator(), Field: "ratio"}, nil
	case *reportingv1.Submission_YesNo:
		out := book.Value{State: book.Reported, Kind: yesNo, Den: 1, Field: "yes_no"}
		if v.YesNo {
			out.Num = 1
		}
		return out, nil
	case *reportingv1.Submission_BarePercentage:
		return book.Value{State: book.Bare, Num: v.BarePercentage.GetValue(), Scale: uint8(v.BarePercentage.GetDecimals()), Field: "bare_percentage"}, nil
	case *reportingv1.Submission_Items:
		return countItems(v.Items)
	case *reportingv1.Submission_Text:
		return readText(v.Text.GetText(), v.Text.GetLocale())
	case *reportingv1.Submission_NotApplicable:
		if blank(v.NotApplicable.GetReason()) {
			return book.Value{}, refuse(errorv1.Reason_REASON_INVALID_FIELD, "submission.not_applicable.reason", "the reason is blank")
		}
		return book.Value{State: book.NotApplicable, Field: "not_applicable"}, nil
	case *reportingv1.Submission_Withdrawal:
		return book.Value{State: book.Withdrawn, Field: "withdrawal"}, nil
	}
	return book.Value{}, refuse(errorv1.Reason_REASON_INVALID_FIELD, "submission.value", "no value is given")
}

// countItems makes a ratio of a list of items.
func countItems(list *reportingv1.ItemList) (book.Value, error) {
	out := book.Value{State: book.Reported, Kind: typev1.ValueKind_VALUE_KIND_RATIO, Listed: true, Field: "items"}
	seen := make(map[string]bool, len(list.GetItems()))
	for i, item := range list.GetItems() {
		field := fmt.Sprintf("submission.items.items[%d].name", i)
		switch {
		case blank(item.GetName()):
			return out, refuse(errorv1.Reason_REASON_INVALID_FIELD, field, "the name is blank")
		case seen[item.GetName()]:
			return out, refuse(errorv1.Reason_REASON_DUPLICATE_ITEM, field, "%q is named twice", item.GetName())
		}
		seen[item.GetName()] = true
		out.Den++
		if item.GetDone() {
			out.Num++
		}
	}
	return out, nil
}

// annexOf is what is kept beside the event; nil when there is nothing.
func annexOf(s *reportingv1.Submission, caller string) ([]byte, error) {
	if caller == "" && s.GetNote() == "" && s.GetReason() == "" && s.GetItems() == nil && s.GetEvidence() == nil && s.GetNotApplicable() == nil && s.GetText() == nil {
		return nil, nil
	}
	a := &reportingv1.SubmissionAnnex{Note: s.GetNote(), Reason: s.GetReason(), Items: s.GetItems().GetItems(),
		Evidence: s.GetEvidence(), NotApplicableReason: s.GetNotApplicable().GetReason(), Text: s.GetText(), Caller: caller}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode annex: %w", err)
	}
	if len(data) == 0 {
		return nil, nil
	}
	return data, nil
}
