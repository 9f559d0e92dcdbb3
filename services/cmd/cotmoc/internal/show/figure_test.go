package show

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

func TestEnumsInWords(t *testing.T) {
	for _, c := range []struct {
		e    protoreflect.Enum
		want string
	}{
		{reportingv1.Status_STATUS_ON_TRACK, "on track"}, {reportingv1.Status_STATUS_UNSPECIFIED, ""},
		{reportingv1.ObligationState_OBLIGATION_STATE_MISSING, "missing"},
		{registryv1.CheckKind_CHECK_KIND_AVERAGE_TIMES_DAYS, "average times days"},
		{reportingv1.Status(99), ""},
	} {
		if got := Word(c.e); got != c.want {
			t.Errorf("%v: %q, want %q", c.e, got, c.want)
		}
	}
}

func TestFigureInWords(t *testing.T) {
	count, ratio, yes := typev1.ValueKind_VALUE_KIND_COUNT, typev1.ValueKind_VALUE_KIND_RATIO, typev1.ValueKind_VALUE_KIND_YES_NO
	for _, c := range []struct {
		name                       string
		f                          *reportingv1.Figure
		value, reporting, standing string
	}{
		{"amount", &reportingv1.Figure{ValueKind: count, Decimals: 2, Status: reportingv1.Status_STATUS_AT_RISK,
			Tally: &typev1.Tally{Numerator: 123456, Reporting: 2, Expected: 1200}}, "1,234.56", "2/1,200", "at risk"},
		{"nothing reported", &reportingv1.Figure{ValueKind: count, Status: reportingv1.Status_STATUS_NO_DATA,
			Tally: &typev1.Tally{Expected: 3}}, "", "0/3", "no data"},
		{"zero reported", &reportingv1.Figure{ValueKind: count, Tally: &typev1.Tally{Reporting: 1, Expected: 1}}, "0", "1/1", "no goal"},
		{"yes of nobody", &reportingv1.Figure{ValueKind: yes, Tally: &typev1.Tally{Denominator: 90, Expected: 90}}, "0/90", "0/90", "no goal"},
		{"percentage not added", &reportingv1.Figure{ValueKind: ratio, Status: reportingv1.Status_STATUS_UNDEFINED,
			UndefinedReason: reportingv1.UndefinedReason_UNDEFINED_REASON_ZERO_DENOMINATOR,
			Tally:           &typev1.Tally{Reporting: 1, Expected: 1, Excluded: 1}}, "", "1/1, 1 not added", "not added"},
		{"percentage not added, past its day", &reportingv1.Figure{ValueKind: ratio, Status: reportingv1.Status_STATUS_OVERDUE,
			Tally: &typev1.Tally{Reporting: 1, Expected: 1, Excluded: 1}}, "", "1/1, 1 not added", "not added"},
		{"at least", &reportingv1.Figure{ValueKind: count, Qualifier: typev1.Qualifier_QUALIFIER_AT_LEAST,
			Tally: &typev1.Tally{Numerator: 76000000, Reporting: 1, Expected: 1}}, "at least 76,000,000", "1/1", "no goal"},
		{"exact", &reportingv1.Figure{ValueKind: ratio, Qualifier: typev1.Qualifier_QUALIFIER_EXACT,
			Tally: &typev1.Tally{Numerator: 1, Denominator: 2, Reporting: 1, Expected: 1}}, "1/2", "1/1", "no goal"},
		{"above", &reportingv1.Figure{ValueKind: count, Status: reportingv1.Status_STATUS_ACHIEVED, AboveRange: true,
			Tally: &typev1.Tally{Numerator: 7, Reporting: 1, Expected: 1}}, "7", "1/1", "achieved, above the range"},
	} {
		if got := Value(c.f); got != c.value {
			t.Errorf("%s: value %q, want %q", c.name, got, c.value)
		}
		if got := Reporting(c.f); got != c.reporting {
			t.Errorf("%s: reporting %q, want %q", c.name, got, c.reporting)
		}
		if got := Standing(c.f); got != c.standing {
			t.Errorf("%s: standing %q, want %q", c.name, got, c.standing)
		}
	}
}

func TestGoalInWords(t *testing.T) {
	ratio := &reportingv1.Figure{ValueKind: typev1.ValueKind_VALUE_KIND_RATIO}
	count := &reportingv1.Figure{ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Decimals: 1}
	for _, c := range []struct {
		f    *reportingv1.Figure
		goal *int64
		want string
	}{
		{ratio, proto.Int64(800000), "80 %"}, {ratio, proto.Int64(985050), "98.505 %"}, {ratio, proto.Int64(0), "0 %"},
		{ratio, proto.Int64(1000000), "100 %"}, {count, proto.Int64(10000), "1,000.0"}, {count, nil, ""},
	} {
		if got := Goal(c.f, c.goal); got != c.want {
			t.Errorf("%v: %q, want %q", c.goal, got, c.want)
		}
	}
}

func TestPlaceNamesAllAboveButTheRoot(t *testing.T) {
	names := NewNames(nil)
	for path, want := range map[string]string{"vn": "X", "vn.79": "X", "vn.79.760.26734": "X, 760, 79"} {
		if got := names.Place(context.Background(), "X", path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
