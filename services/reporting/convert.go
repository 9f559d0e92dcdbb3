package reporting

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// fail makes what callers get of a refusal of the book; other errors pass as they are.
func fail(err error) error {
	var r *book.Refusal
	if errors.As(err, &r) {
		return apierr.New(codeOf(r.Reason), r.Reason, r.Field, r.Message, r.Metadata...)
	}
	return err
}

// failAt is fail for a command: its refusal names where the log was when it was decided,
// so that whoever is told of a revision can ask for a state that holds it.
func failAt(sequence uint64, err error) error { return apierr.WithSequence(fail(err), sequence) }

// refuse makes a refusal of this package.
func refuse(reason errorv1.Reason, field, format string, args ...any) error {
	return apierr.New(codeOf(reason), reason, field, fmt.Sprintf(format, args...))
}

// isUnknown reports whether an error says that the registry's copy lacks an id, or may
// lack that somebody owes something or watches over it.
func isUnknown(err error) bool {
	var r *book.Refusal
	if !errors.As(err, &r) {
		return false
	}
	switch r.Reason {
	case errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, errorv1.Reason_REASON_UNIT_NOT_FOUND,
		errorv1.Reason_REASON_TARGET_NOT_FOUND, errorv1.Reason_REASON_NOT_APPLICABLE,
		errorv1.Reason_REASON_OBLIGATION_NOT_FOUND, errorv1.Reason_REASON_NOT_COMPETENT:
		return true
	}
	return false
}

// codeOf is the code that the contract gives to a reason.
func codeOf(r errorv1.Reason) codes.Code {
	switch r {
	case errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, errorv1.Reason_REASON_UNIT_NOT_FOUND,
		errorv1.Reason_REASON_TARGET_NOT_FOUND, errorv1.Reason_REASON_SUBMISSION_NOT_FOUND,
		errorv1.Reason_REASON_SUBSCRIPTION_NOT_FOUND, errorv1.Reason_REASON_REGIME_NOT_FOUND,
		errorv1.Reason_REASON_OBLIGATION_NOT_FOUND, errorv1.Reason_REASON_FINDING_NOT_FOUND,
		errorv1.Reason_REASON_CLOSING_NOT_FOUND, errorv1.Reason_REASON_SCORECARD_NOT_FOUND:
		return codes.NotFound
	case errorv1.Reason_REASON_NOT_APPLICABLE, errorv1.Reason_REASON_DERIVED_TARGET,
		errorv1.Reason_REASON_UNIT_NOT_ACTIVE, errorv1.Reason_REASON_PERIOD_NOT_BEGUN,
		errorv1.Reason_REASON_NOTHING_TO_WITHDRAW, errorv1.Reason_REASON_BASIS_NOT_SERVED,
		errorv1.Reason_REASON_CLOCK, errorv1.Reason_REASON_NOTHING_TO_REVIEW, errorv1.Reason_REASON_NOT_COMPETENT,
		errorv1.Reason_REASON_FINDING_RESOLVED, errorv1.Reason_REASON_DATE_IN_FUTURE, errorv1.Reason_REASON_NOT_LATER,
		errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, errorv1.Reason_REASON_EPOCH_MISMATCH, errorv1.Reason_REASON_NOT_DECLARABLE,
		errorv1.Reason_REASON_TOO_MANY:
		return codes.FailedPrecondition
	case errorv1.Reason_REASON_OVERFLOW:
		return codes.OutOfRange
	case errorv1.Reason_REASON_REVISION_MISMATCH:
		return codes.Aborted
	case errorv1.Reason_REASON_REQUEST_ID_REUSED, errorv1.Reason_REASON_RESOURCE_EXISTS:
		return codes.AlreadyExists
	case errorv1.Reason_REASON_UNAVAILABLE:
		return codes.Unavailable
	}
	return codes.InvalidArgument
}

// periodOf reads a period of a request; empty means the current figure.
func periodOf(m *book.Measure, field, s string) (calendar.Period, error) {
	if s == "" {
		return book.Current, nil
	}
	p, err := m.Period(s)
	if err != nil {
		return 0, refuse(errorv1.Reason_REASON_WRONG_PERIOD, field, "%v", err)
	}
	return p, nil
}

func periodName(p calendar.Period) string {
	if p == book.Current {
		return ""
	}
	return p.String()
}

func receiptOf(r book.Receipt) *reportingv1.Receipt {
	return &reportingv1.Receipt{Sequence: r.Sequence, Revision: r.Revision, RegistryRevision: r.RegistryRevision,
		AcceptTime: timestamppb.New(time.UnixMicro(r.TimeUnixMicros))}
}

// figureOf is a figure as callers see it, taken into account up to sequence.
func figureOf(f *book.Figure, sequence uint64) *reportingv1.Figure {
	m := f.Measure
	out := &reportingv1.Figure{
		Programme: m.Programme(), Target: m.ID(), Unit: f.Unit.ID(), UnitDisplayName: f.Unit.Name(),
		UnitKind: f.Kind, UnitLevel: f.Level, Period: periodName(f.Period), Basis: typev1.Basis_BASIS_REPORTED,
		Tally: f.Total.Proto(), Qualifier: f.Qualifier.Proto(), ValueKind: m.Kind(), Decimals: uint32(m.Decimals()),
		GoalMet: f.GoalMet(), Own: ownOf(&f.Own, f.Period), Sequence: sequence, AsOfDate: f.Day.String(),
	}
	percent, why := f.Percent()
	progress, whyNot := f.Fraction()
	if why == book.Defined {
		why = whyNot
	}
	out.Percent, out.ProgressPercent, out.UndefinedReason = percent, f.Display(progress), reportingv1.UndefinedReason(why)
	setStatus(out, f, progress)
	if f.HasGoal {
		value := f.Goal.Value()
		out.Goal = &value
		if baseline, ok := f.Goal.Baseline(); ok {
			out.Baseline = &baseline
		}
	}
	if n := f.Total.Excluded; n > 0 {
		out.ExclusionNote = fmt.Sprintf("%d of %d reporting gave a percentage without its denominator, which cannot be added", n, f.Total.Reporting)
	}
	return out
}

func ownOf(o *book.Own, p calendar.Period) *reportingv1.OwnCell {
	out := &reportingv1.OwnCell{State: eventv1.CellState(o.State), Expected: o.Expected, Tally: o.Tally.Proto(),
		Qualifier: o.Qualifier.Proto(), Sequence: o.Sequence, BarePercentage: bareOf(o)}
	if p != book.Current {
		out.Revision = o.Revision
	}
	return out
}

func bareOf(o *book.Own) string {
	if !o.HasPercent {
		return ""
	}
	return book.Fixed(o.BareValue, o.BareScale)
}
