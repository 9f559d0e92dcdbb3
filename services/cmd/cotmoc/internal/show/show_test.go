package show

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

func TestPercentPrintsNothingAndAllOnlyWhenExact(t *testing.T) {
	for _, c := range []struct {
		num, den int64
		decimals uint32
		want     string
	}{
		{11390, 11390, 1, "100.0"}, {11389, 11390, 1, "99.9"}, {11389, 11390, 0, "99"}, {11389, 11390, 2, "99.99"},
		{1, 11390, 1, "0.1"}, {1, 11390, 0, "1"}, {0, 11390, 1, "0.0"}, {0, 5, 0, "0"},
		{388, 1146, 2, "33.86"}, {388, 1146, 0, "34"}, {1, 8, 2, "12.50"}, {1, 8, 0, "13"}, {21, 89, 2, "23.60"},
		{100001, 100000, 2, "100.01"}, {3, 2, 0, "150"}, {1, 3, 6, "33.333333"}, {1, 200, 0, "1"},
		{1_000_000_000_000_000_000, 3_000_000_000_000_000_000, 6, "33.333333"},
		{0, 0, 2, ""}, {1, 0, 2, ""}, {-1, 2, 2, ""},
	} {
		if got := Percent(c.num, c.den, c.decimals); got != c.want {
			t.Errorf("%d/%d at %d decimals: %q, want %q", c.num, c.den, c.decimals, got, c.want)
		}
	}
}

func TestAmount(t *testing.T) {
	for _, c := range []struct {
		n        int64
		decimals uint32
		want     string
	}{
		{0, 0, "0"}, {999, 0, "999"}, {1000, 0, "1,000"}, {67000000, 0, "67,000,000"}, {236, 2, "2.36"}, {5, 2, "0.05"},
		{0, 2, "0.00"}, {-1234567, 1, "-123,456.7"}, {123456, 3, "123.456"}, {1234560, 3, "1,234.560"},
	} {
		if got := Amount(c.n, c.decimals); got != c.want {
			t.Errorf("%d with %d decimals: %q, want %q", c.n, c.decimals, got, c.want)
		}
	}
}

func TestTimesAreThoseOfThePeriods(t *testing.T) {
	at := time.Date(2022, 7, 31, 17, 0, 0, 0, time.UTC)
	if got, want := Time(at), "2022-08-01T00:00:00+07:00"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Month(at), "2022-M08"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRefusalTellsAllThatIsWrong(t *testing.T) {
	one := apierr.New(codes.NotFound, errorv1.Reason_REASON_UNIT_NOT_FOUND, "submission.unit", "there is no unit x")
	many := apierr.NewViolations(codes.InvalidArgument, errorv1.Reason_REASON_NOT_ISSUABLE, "the task cannot be issued",
		[]apierr.Violation{{Field: "task.acceptance", Description: "is missing"}, {Field: "task.due", Description: "is missing"}})
	for _, c := range []struct {
		err  error
		want string
	}{
		{one, "UNIT_NOT_FOUND: there is no unit x (submission.unit)"},
		{many, "NOT_ISSUABLE: the task cannot be issued\n  task.acceptance: is missing\n  task.due: is missing"},
		{errors.New("else"), "else"},
	} {
		if got := Refusal(c.err).Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if Refusal(nil) != nil {
		t.Error("no error became one")
	}
}

func TestMilestoneInWords(t *testing.T) {
	e := &eventv1.Event{
		Sequence: 812, TimeUnixMicros: time.Date(2022, 12, 25, 10, 0, 0, 0, time.UTC).UnixMicro(), Programme: "de-an-06",
		Payload: &eventv1.Event_MilestoneReached{MilestoneReached: &eventv1.MilestoneCrossed{
			Target: "plan-adopted", Path: "vn.79", ProgressThreshold: 10000, Ordinal: 2,
			Before: &typev1.Tally{Numerator: 334, Denominator: 335, Reporting: 334, Expected: 335},
			After:  &typev1.Tally{Numerator: 335, Denominator: 335, Reporting: 335, Expected: 335},
		}},
	}
	got := NewNames(nil).Event(context.Background(), e)
	for _, part := range []string{"2022-12-25T17:00:00+07:00", "812", "reached", "100 %", "plan-adopted", "79: 335/335 = 100.00 %", "before 334/335 = 99.70 %", "for the 2nd time"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q lacks %q", got, part)
		}
	}
}

func TestThresholdsInWords(t *testing.T) {
	for _, c := range []struct {
		m    *eventv1.MilestoneCrossed
		want string
	}{
		{&eventv1.MilestoneCrossed{ProgressThreshold: 9000}, "90 %"}, {&eventv1.MilestoneCrossed{ProgressThreshold: 3350}, "33.5 %"},
		{&eventv1.MilestoneCrossed{ProgressThreshold: 3305}, "33.05 %"}, {&eventv1.MilestoneCrossed{CompletenessThreshold: 9000}, "90 % came"},
		{&eventv1.MilestoneCrossed{StreakThreshold: 3}, "3 in a row"}, {&eventv1.MilestoneCrossed{ValueThreshold: 5000}, "5,000"},
	} {
		if got := NewNames(nil).threshold(context.Background(), "p", c.m); got != c.want {
			t.Errorf("%v: %q, want %q", c.m, got, c.want)
		}
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[uint32]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 112: "112th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
