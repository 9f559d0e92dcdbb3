package show

import (
	"context"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cotmoc/cotmoc/pkg/name"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// Word is an enum's value as people say it: `on track` for STATUS_ON_TRACK, and
// nothing for a value that is not set.
func Word(e protoreflect.Enum) string {
	values := e.Descriptor().Values()
	v := values.ByNumber(e.Number())
	if e.Number() == 0 || v == nil {
		return ""
	}
	prefix := strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(string(v.Name()), prefix), "_", " "))
}

// Value is a figure's total without its percentage: `388/1,146`, or an amount for
// a count, and how exact it is when it is not: `at least 76,000,000`. Nothing while there
// is neither a report nor a whole, or nothing of what came could be added.
func Value(f *reportingv1.Figure) string {
	t := f.GetTally()
	count := f.GetValueKind() == typev1.ValueKind_VALUE_KIND_COUNT
	about := ""
	if q := f.GetQualifier(); q > typev1.Qualifier_QUALIFIER_EXACT {
		about = Word(q) + " "
	}
	switch {
	case t.GetReporting() == 0 && (count || t.GetDenominator() == 0), notAdded(f):
		return ""
	case count:
		return about + Amount(t.GetNumerator(), f.GetDecimals())
	}
	return about + Fraction(t.GetNumerator(), t.GetDenominator(), f.GetDecimals())
}

// notAdded reports whether nothing of what came could be added, such as a percentage
// without its denominator.
func notAdded(f *reportingv1.Figure) bool {
	t := f.GetTally()
	return f.GetValueKind() != typev1.ValueKind_VALUE_KIND_COUNT && t.GetExcluded() > 0 && t.GetDenominator() == 0
}

// Reporting is how many have reported of those expected, and how many of them could
// not be added: `63/63`, `1/1, 1 not added`.
func Reporting(f *reportingv1.Figure) string {
	t := f.GetTally()
	text := Fraction(int64(t.GetReporting()), int64(t.GetExpected()), 0)
	if n := t.GetExcluded(); n > 0 {
		text += ", " + Amount(int64(n), 0) + " not added"
	}
	return text
}

// Fraction is part of a whole, both of a fixed point: `388/1,146`.
func Fraction(part, whole int64, decimals uint32) string {
	return Amount(part, decimals) + "/" + Amount(whole, decimals)
}

// Standing is where a figure stands on the way to its goal, and why that is not
// known when it is not.
func Standing(f *reportingv1.Figure) string {
	word := Word(f.GetStatus())
	switch {
	case notAdded(f):
		return "not added" // there is nothing that could be late or in time
	case f.GetStatus() == reportingv1.Status_STATUS_UNSPECIFIED:
		word = "no goal"
	case f.GetStatus() == reportingv1.Status_STATUS_UNDEFINED && f.GetUndefinedReason() != 0:
		word += ": " + Word(f.GetUndefinedReason())
	}
	if f.GetAboveRange() {
		word += ", above the range"
	}
	return word
}

// Place is where a unit lies: its own name and those above it but the root, such as
// `Phường Bến Nghé, Quận 1, Thành phố Hồ Chí Minh`.
func (n *Names) Place(ctx context.Context, own, path string) string {
	parts := []string{own}
	for p := name.Path(path).Parent(); strings.Contains(string(p), "."); p = p.Parent() {
		id := string(p.Unit())
		parts = append(parts, strings.TrimSuffix(n.Unit(ctx, string(p)), " ("+id+")"))
	}
	return strings.Join(parts, ", ")
}

// Goal is a goal or baseline of a figure, in its fixed point or in percent; nothing
// where there is none.
func Goal(f *reportingv1.Figure, n *int64) string {
	switch {
	case n == nil:
		return ""
	case f.GetValueKind() == typev1.ValueKind_VALUE_KIND_COUNT:
		return Amount(*n, f.GetDecimals())
	}
	return trimZeros(Amount(*n, 4)) + " %" // millionths of the whole
}

// trimZeros leaves out the zeros that end a fraction.
func trimZeros(text string) string {
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Amount is a number of a target's fixed point.
func (n *Names) Amount(ctx context.Context, programme, target string, amount int64) string {
	return Amount(amount, n.measure(ctx, programme, target).decimals)
}
