package calendar

import (
	"fmt"
	"testing"
	"time"
)

// vietnam has the public holidays of 2022 and 2025 as they were taken. Friday 2
// May 2025 was off for Saturday 26 April.
func vietnam(t testing.TB, cut Cut) *Calendar {
	t.Helper()
	var off []Date
	for _, s := range []string{
		"2022-01-03", "2022-01-31", "2022-02-01", "2022-02-02", "2022-02-03", "2022-02-04", "2022-04-11",
		"2022-05-02", "2022-05-03", "2022-09-01", "2022-09-02",
		"2025-01-01", "2025-01-27", "2025-01-28", "2025-01-29", "2025-01-30", "2025-01-31", "2025-04-07",
		"2025-04-30", "2025-05-01", "2025-05-02", "2025-09-01", "2025-09-02", "2026-01-01",
	} {
		off = append(off, date(t, s))
	}
	return New(cut, off, []Date{date(t, "2025-04-26")})
}

func TestDue(t *testing.T) {
	for _, c := range []struct {
		why    string
		cut    Cut
		period string
		n      int
		want   string
	}{
		{"New Year passed over", EndOfMonth, "2024-M12", 1, "2025-01-02"},
		{"two after New Year's Eve", EndOfMonth, "2024-Q4", 2, "2025-01-03"},
		{"five after New Year's Eve", EndOfMonth, "2024-H2", 5, "2025-01-08"},
		{"ten after New Year's Eve", EndOfMonth, "2024", 10, "2025-01-15"},
		{"a period that ends in Tet", EndOfMonth, "2025-M01", 1, "2025-02-03"},
		{"two after Tet", EndOfMonth, "2025-M01", 2, "2025-02-04"},
		{"five after Tet", EndOfMonth, "2025-M01", 5, "2025-02-07"},
		{"ten after Tet", EndOfMonth, "2025-M01", 10, "2025-02-14"},
		{"the day after", MidMonth, "2025-M01", 1, "2025-01-15"},
		{"two days after", MidMonth, "2025-M01", 2, "2025-01-16"},
		{"over one weekend", MidMonth, "2025-M01", 5, "2025-01-21"},
		{"the last before Tet", MidMonth, "2025-M01", 8, "2025-01-24"},
		{"the first over Tet", MidMonth, "2025-M01", 9, "2025-02-03"},
		{"ten over Tet", MidMonth, "2025-M01", 10, "2025-02-04"},
		{"before the Hung Kings' day", EndOfMonth, "2025-Q1", 4, "2025-04-04"},
		{"would be the Hung Kings' day", EndOfMonth, "2025-Q1", 5, "2025-04-08"},
		{"ten over the Hung Kings' day", EndOfMonth, "2025-M03", 10, "2025-04-15"},
		{"the Friday before a worked Saturday", MidMonth, "2025-M04", 9, "2025-04-25"},
		{"a worked Saturday", MidMonth, "2025-M04", 10, "2025-04-26"},
		{"the Monday after a worked Saturday", MidMonth, "2025-M04", 11, "2025-04-28"},
		{"over the day swapped for it", MidMonth, "2025-M04", 13, "2025-05-05"},
		{"a period that ends on a holiday", EndOfMonth, "2025-M04", 1, "2025-05-05"},
		{"five after a holiday", EndOfMonth, "2025-M04", 5, "2025-05-09"},
		{"a period that ends on a Saturday", EndOfMonth, "2025-M05", 1, "2025-06-02"},
		{"a period that ends on a Sunday before holidays", EndOfMonth, "2025-M08", 1, "2025-09-03"},
		{"five over National Day", EndOfMonth, "2025-M08", 5, "2025-09-09"},
		{"a half's end", EndOfMonth, "2025-H1", 1, "2025-07-01"},
		{"an administrative half's end on a Saturday", MidMonth, "2025-H1", 1, "2025-06-16"},
		{"a period that ends on a Friday", EndOfMonth, "2025-M10", 1, "2025-11-03"},
		{"over the year's turn", EndOfMonth, "2025", 1, "2026-01-02"},
		{"administrative year end on a Wednesday", MidMonth, "2022", 1, "2022-12-15"},
		{"administrative year end on a Sunday", MidMonth, "2025", 1, "2025-12-15"},
		{"after the leap day", EndOfMonth, "2024-M02", 1, "2024-03-01"},
		{"after 28 February", EndOfMonth, "2023-M02", 1, "2023-03-01"},
		{"Tet from a Monday on", EndOfMonth, "2022-M01", 1, "2022-02-07"},
		{"holidays moved to Monday and Tuesday", EndOfMonth, "2022-M04", 1, "2022-05-04"},
		{"National Day before a weekend", EndOfMonth, "2022-M08", 1, "2022-09-05"},
		{"31 October, from the 14th", MidMonth, "2022-M10", 11, "2022-10-31"},
		{"31 October, from September's end", EndOfMonth, "2022-Q3", 21, "2022-10-31"},
	} {
		t.Run(fmt.Sprintf("%s/%s+%d", c.why, c.period, c.n), func(t *testing.T) {
			cal := vietnam(t, c.cut)
			p := period(t, cal.Cut(), c.period)
			got := cal.Due(p, c.n)
			if got.String() != c.want {
				t.Errorf("%d working days after %s: %s, want %s", c.n, p.LastDay(), got, c.want)
			}
			if n := cal.WorkingDaysBetween(p.LastDay(), date(t, c.want)); n != c.n {
				t.Errorf("%d working days from %s to %s, want %d", n, p.LastDay(), c.want, c.n)
			}
		})
	}
}

func TestDueUntilMidnight(t *testing.T) {
	due := vietnam(t, MidMonth).Due(period(t, MidMonth, "2022-M10"), 11)
	if got := due.End().In(time.FixedZone("", 7*60*60)).Format(time.RFC3339); got != "2022-11-01T00:00:00+07:00" {
		t.Errorf("due 2022-10-31 until %s", got)
	}
	if got := due.End().Format(time.RFC3339); got != "2022-10-31T17:00:00Z" {
		t.Errorf("due 2022-10-31 until %s", got)
	}
}

func TestWorking(t *testing.T) {
	cal := vietnam(t, EndOfMonth)
	for _, c := range []struct {
		day  string
		want bool
	}{
		{"2025-04-25", true},  // Friday
		{"2025-04-26", true},  // Saturday, swapped
		{"2025-04-27", false}, // Sunday
		{"2025-05-02", false}, // Friday, swapped
		{"2025-05-03", false}, // Saturday
		{"2025-05-05", true},  // Monday
		{"2025-09-02", false}, // Tuesday, holiday
		{"2000-01-01", false}, // Saturday
		{"2000-01-02", false}, // Sunday
		{"2000-01-03", true},  // Monday
		{"1999-12-31", true},  // Friday
		{"1999-12-26", false}, // Sunday
		{"1999-12-25", false}, // Saturday
	} {
		if got := cal.Working(date(t, c.day)); got != c.want {
			t.Errorf("%s worked: %t, want %t", c.day, got, c.want)
		}
	}
	saturday := date(t, "2025-04-26")
	if New(EndOfMonth, []Date{saturday}, []Date{saturday}).Working(saturday) {
		t.Error("a holiday is worked as it is also a worked Saturday")
	}
	if New(EndOfMonth, nil, nil).Working(saturday) {
		t.Error("a Saturday is worked without being swapped")
	}
}

func TestAddNoWorkingDays(t *testing.T) {
	cal := vietnam(t, EndOfMonth)
	for _, s := range []string{"2025-05-01", "2025-05-03", "2025-05-05"} {
		if got := cal.AddWorkingDays(date(t, s), 0); got.String() != s {
			t.Errorf("no days after %s: %s", s, got)
		}
		if got := cal.AddWorkingDays(date(t, s), -3); got.String() != s {
			t.Errorf("less than no days after %s: %s", s, got)
		}
		if got := cal.WorkingDaysBetween(date(t, s), date(t, "2025-05-01")); got != 0 {
			t.Errorf("%d working days backwards", got)
		}
	}
}

func TestSearchEndsWhereAllDaysAreOff(t *testing.T) {
	var all []Date
	for d := date(t, "2025-01-01"); d <= date(t, "2030-12-31"); d++ {
		all = append(all, d)
	}
	cal := New(EndOfMonth, all, all)
	p := period(t, EndOfMonth, "2024")
	if got := cal.Due(p, 1) - p.LastDay(); got != 400 {
		t.Errorf("the search went on for %d days, want 400", got)
	}
	if got := cal.Due(p, 2) - p.LastDay(); got != 800 {
		t.Errorf("the search went on for %d days, want 800", got)
	}
}
