package calendar

import (
	"testing"
	"time"
)

// letters of the lengths in the tables below.
func lengthOf(t *testing.T, letter byte) Length {
	t.Helper()
	switch letter {
	case 'M':
		return Monthly
	case 'Q':
		return Quarterly
	case 'H':
		return HalfYearly
	case 'Y':
		return Yearly
	}
	t.Fatalf("no length %c", letter)
	return 0
}

func date(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func period(t testing.TB, c Cut, name string) Period {
	t.Helper()
	p, err := c.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPeriodHoldsTheInstant(t *testing.T) {
	for _, c := range []struct {
		name   string
		cut    Cut
		at     string
		length byte
		want   string
	}{
		{"leap day", EndOfMonth, "2024-02-29T12:00:00+07:00", 'M', "2024-M02"},
		{"last instant of the leap day", EndOfMonth, "2024-02-29T23:59:59.999+07:00", 'M', "2024-M02"},
		{"after the leap day", EndOfMonth, "2024-03-01T00:00:00+07:00", 'M', "2024-M03"},
		{"leap day in a March that began on the 15th", MidMonth, "2024-02-29T12:00:00+07:00", 'M', "2024-M03"},
		{"last of February without a leap day", EndOfMonth, "2023-02-28T23:59:59.999999999+07:00", 'M', "2023-M02"},
		{"after a February without a leap day", EndOfMonth, "2023-03-01T00:00:00+07:00", 'M', "2023-M03"},
		{"leap day with the cut on the 28th", 28, "2024-02-29T00:00:00+07:00", 'M', "2024-M03"},
		{"28 February with the cut on the 28th", 28, "2024-02-28T23:59:59.999+07:00", 'M', "2024-M02"},
		{"31st with the cut on the 28th", 28, "2025-12-31T00:00:00+07:00", 'Y', "2026"},
		{"cut on the 1st, on it", 1, "2025-07-01T23:59:59.999+07:00", 'M', "2025-M07"},
		{"cut on the 1st, the day after", 1, "2025-07-02T00:00:00+07:00", 'M', "2025-M08"},
		{"14th, a millisecond before midnight", MidMonth, "2025-07-14T23:59:59.999+07:00", 'M', "2025-M07"},
		{"14th, the millisecond after", MidMonth, "2025-07-15T00:00:00+07:00", 'M', "2025-M08"},
		{"the same in UTC, before", MidMonth, "2025-07-14T16:59:59.999Z", 'M', "2025-M07"},
		{"the same in UTC, after", MidMonth, "2025-07-14T17:00:00Z", 'M', "2025-M08"},
		{"15th of June begins July", MidMonth, "2025-06-15T00:00:00+07:00", 'M', "2025-M07"},
		{"midnight of 1 July in UTC is past midnight here", EndOfMonth, "2025-06-30T17:00:00Z", 'M', "2025-M07"},
		{"evening of 30 June in UTC", EndOfMonth, "2025-06-30T16:59:59.999999999Z", 'M', "2025-M06"},
		{"quarter end", EndOfMonth, "2025-09-30T23:59:59.999+07:00", 'Q', "2025-Q3"},
		{"after the quarter", EndOfMonth, "2025-10-01T00:00:00+07:00", 'Q', "2025-Q4"},
		{"administrative quarter end", MidMonth, "2025-09-14T23:59:59.999+07:00", 'Q', "2025-Q3"},
		{"after the administrative quarter", MidMonth, "2025-09-15T00:00:00+07:00", 'Q', "2025-Q4"},
		{"half end", EndOfMonth, "2025-06-30T23:59:59.999+07:00", 'H', "2025-H1"},
		{"after the half", EndOfMonth, "2025-07-01T00:00:00+07:00", 'H', "2025-H2"},
		{"administrative half end", MidMonth, "2025-06-14T23:59:59.999+07:00", 'H', "2025-H1"},
		{"after the administrative half", MidMonth, "2025-06-15T00:00:00+07:00", 'H', "2025-H2"},
		{"year end", EndOfMonth, "2024-12-31T23:59:59.999+07:00", 'Y', "2024"},
		{"after the year", EndOfMonth, "2025-01-01T00:00:00+07:00", 'Y', "2025"},
		{"administrative year end", MidMonth, "2024-12-14T23:59:59.999+07:00", 'Y', "2024"},
		{"after the administrative year", MidMonth, "2024-12-15T00:00:00+07:00", 'Y', "2025"},
		{"month at the administrative year turn", MidMonth, "2024-12-15T00:00:00+07:00", 'M', "2025-M01"},
		{"quarter at the administrative year turn", MidMonth, "2024-12-15T00:00:00+07:00", 'Q', "2025-Q1"},
		{"half at the administrative year turn", MidMonth, "2024-12-14T23:59:59.999+07:00", 'H', "2024-H2"},
		{"calendar new year inside administrative January", MidMonth, "2025-01-01T00:00:00+07:00", 'M', "2025-M01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, c.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.cut.At(at, lengthOf(t, c.length)); got.String() != c.want || !got.Valid() || got.Cut() != c.cut {
				t.Errorf("%s lies in %s of cut %d, want %s", c.at, got, got.Cut(), c.want)
			}
		})
	}
}

func TestPeriodSpan(t *testing.T) {
	for _, c := range []struct {
		cut         Cut
		name        string
		first, last string
		days        int
		start, end  string
	}{
		{EndOfMonth, "2024-M02", "2024-02-01", "2024-02-29", 29, "2024-01-31T17:00:00Z", "2024-02-29T17:00:00Z"},
		{EndOfMonth, "2023-M02", "2023-02-01", "2023-02-28", 28, "2023-01-31T17:00:00Z", "2023-02-28T17:00:00Z"},
		{EndOfMonth, "2000-M02", "2000-02-01", "2000-02-29", 29, "2000-01-31T17:00:00Z", "2000-02-29T17:00:00Z"},
		{EndOfMonth, "2025-M07", "2025-07-01", "2025-07-31", 31, "2025-06-30T17:00:00Z", "2025-07-31T17:00:00Z"},
		{EndOfMonth, "2025-Q3", "2025-07-01", "2025-09-30", 92, "2025-06-30T17:00:00Z", "2025-09-30T17:00:00Z"},
		{EndOfMonth, "2025-H1", "2025-01-01", "2025-06-30", 181, "2024-12-31T17:00:00Z", "2025-06-30T17:00:00Z"},
		{EndOfMonth, "2025-H2", "2025-07-01", "2025-12-31", 184, "2025-06-30T17:00:00Z", "2025-12-31T17:00:00Z"},
		{EndOfMonth, "2024", "2024-01-01", "2024-12-31", 366, "2023-12-31T17:00:00Z", "2024-12-31T17:00:00Z"},
		{EndOfMonth, "2000-M01", "2000-01-01", "2000-01-31", 31, "1999-12-31T17:00:00Z", "2000-01-31T17:00:00Z"},
		{EndOfMonth, "2099", "2099-01-01", "2099-12-31", 365, "2098-12-31T17:00:00Z", "2099-12-31T17:00:00Z"},
		{MidMonth, "2025-M07", "2025-06-15", "2025-07-14", 30, "2025-06-14T17:00:00Z", "2025-07-14T17:00:00Z"},
		{MidMonth, "2025-M01", "2024-12-15", "2025-01-14", 31, "2024-12-14T17:00:00Z", "2025-01-14T17:00:00Z"},
		{MidMonth, "2024-M03", "2024-02-15", "2024-03-14", 29, "2024-02-14T17:00:00Z", "2024-03-14T17:00:00Z"},
		{MidMonth, "2023-M03", "2023-02-15", "2023-03-14", 28, "2023-02-14T17:00:00Z", "2023-03-14T17:00:00Z"},
		{MidMonth, "2025-Q1", "2024-12-15", "2025-03-14", 90, "2024-12-14T17:00:00Z", "2025-03-14T17:00:00Z"},
		{MidMonth, "2025-Q3", "2025-06-15", "2025-09-14", 92, "2025-06-14T17:00:00Z", "2025-09-14T17:00:00Z"},
		{MidMonth, "2025-H1", "2024-12-15", "2025-06-14", 182, "2024-12-14T17:00:00Z", "2025-06-14T17:00:00Z"},
		{MidMonth, "2025-H2", "2025-06-15", "2025-12-14", 183, "2025-06-14T17:00:00Z", "2025-12-14T17:00:00Z"},
		{MidMonth, "2025", "2024-12-15", "2025-12-14", 365, "2024-12-14T17:00:00Z", "2025-12-14T17:00:00Z"},
		{MidMonth, "2000", "1999-12-15", "2000-12-14", 366, "1999-12-14T17:00:00Z", "2000-12-14T17:00:00Z"},
		{28, "2024-M03", "2024-02-29", "2024-03-28", 29, "2024-02-28T17:00:00Z", "2024-03-28T17:00:00Z"},
		{28, "2023-M03", "2023-03-01", "2023-03-28", 28, "2023-02-28T17:00:00Z", "2023-03-28T17:00:00Z"},
		{1, "2025-M03", "2025-02-02", "2025-03-01", 28, "2025-02-01T17:00:00Z", "2025-03-01T17:00:00Z"},
	} {
		t.Run(c.name+" from "+c.first, func(t *testing.T) {
			p := period(t, c.cut, c.name)
			if got := p.FirstDay().String() + " " + p.LastDay().String(); got != c.first+" "+c.last {
				t.Errorf("days %s, want %s %s", got, c.first, c.last)
			}
			if p.Days() != c.days {
				t.Errorf("%d days, want %d", p.Days(), c.days)
			}
			if got := p.Start().Format(time.RFC3339Nano) + " " + p.End().Format(time.RFC3339Nano); got != c.start+" "+c.end {
				t.Errorf("instants %s, want %s %s", got, c.start, c.end)
			}
		})
	}
}

func TestPeriodRelations(t *testing.T) {
	p := func(name string) Period { return period(t, MidMonth, name) }
	for _, c := range []struct {
		name string
		got  Period
		want string
	}{
		{"after December", p("2024-M12").Next(), "2025-M01"},
		{"before January", p("2025-M01").Prev(), "2024-M12"},
		{"before a first quarter", p("2025-Q1").Prev(), "2024-Q4"},
		{"after a second half", p("2025-H2").Next(), "2026-H1"},
		{"a year before a year", p("2025").YearBefore(), "2024"},
		{"a year before a month", p("2025-M02").YearBefore(), "2024-M02"},
		{"a year before a quarter", p("2025-Q4").YearBefore(), "2024-Q4"},
		{"five quarters back", p("2025-Q1").Back(5), "2023-Q4"},
		{"three months on", p("2025-M11").Back(-3), "2026-M02"},
		{"the quarter of a month", p("2025-M07").In(Quarterly), "2025-Q3"},
		{"the half of a quarter", p("2025-Q2").In(HalfYearly), "2025-H1"},
		{"the year of a half", p("2025-H1").In(Yearly), "2025"},
		{"the year of itself", p("2025").In(Yearly), "2025"},
		{"the last month of a half", p("2025-H1").In(Monthly), "2025-M06"},
		{"the first month of a year", p("2025").FirstMonth(), "2025-M01"},
		{"the first month of a month", p("2025-M08").FirstMonth(), "2025-M08"},
		{"before what can be written", p("2000-M01").Prev(), "1999-M12"},
		{"a quarter before what can be written", p("2000-Q1").Prev(), "1999-Q4"},
		{"a half before what can be written", p("2000-H1").Prev(), "1999-H2"},
		{"after what can be written", p("2099").Next(), "2100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got.String() != c.want || c.got.Cut() != MidMonth {
				t.Errorf("got %s of cut %d, want %s", c.got, c.got.Cut(), c.want)
			}
			if want := c.want >= "2000" && c.want < "2100"; c.got.Valid() != want {
				t.Errorf("%s: Valid is not %t", c.got, want)
			}
		})
	}
	if got := p("2026-Q1").Since(p("2024-Q3")); got != 6 {
		t.Errorf("2026-Q1 is %d quarters after 2024-Q3, want 6", got)
	}
	if got := p("2024-M12").Since(p("2025-M02")); got != -2 {
		t.Errorf("2024-M12 is %d months after 2025-M02, want -2", got)
	}
}

func TestPeriodIsNotValid(t *testing.T) {
	for name, p := range map[string]Period{
		"zero":                       0,
		"cut 0":                      pack(0, 0, Monthly),
		"cut 29":                     pack(0, 29, Monthly),
		"cut 30":                     pack(0, 30, Monthly),
		"quarter that ends in May":   pack(4, MidMonth, Quarterly),
		"year that ends in June":     pack(5, MidMonth, Yearly),
		"before 2000":                pack(-1, MidMonth, Yearly),
		"after 2099":                 pack(1200, MidMonth, Monthly),
		"endlessly far back":         pack(300, MidMonth, Monthly).Back(1 << 40),
		"endlessly far on":           pack(300, MidMonth, Monthly).Back(-1 << 40),
		"the bound of 30 March 2024": From(date(t, "2024-03-30")),
	} {
		if p.Valid() {
			t.Errorf("%s: %s of cut %d is valid", name, p, p.Cut())
		}
	}
	if got := period(t, EndOfMonth, "2099"); got != 153599 {
		t.Errorf("the last period of all is %d, want 153599", got)
	}
	if got := period(t, 1, "2000-M01"); got != 4 {
		t.Errorf("the first period of all is %d, want 4", got)
	}
}

func TestParsePeriodRefuses(t *testing.T) {
	const form = ": want the form 2025-M07, 2025-Q3, 2025-H2 or 2025"
	const years = ": the year must be from 2000 to 2099"
	for _, c := range []struct{ in, want string }{
		{"", form}, {"202", form}, {"20255", form}, {"2025-", form}, {"2025-M", form}, {"2025-M7", form},
		{"2025-m07", form}, {"2025-M007", form}, {"2025-Q", form}, {"2025-Q03", form}, {"2025-q3", form},
		{"2025-H02", form}, {"2025Q3", form}, {"2025-07", form}, {"2025-W07", form}, {"2025/M07", form},
		{" 2025", form}, {"2025 ", form}, {"+025", form}, {"-025-M01", form}, {"2025-M-1", form}, {"2025-Q+", form},
		{"２025", form}, {"2025-M0٧", form}, {"2025-Q³", form}, {"2025-M07 ", form}, {"2025-M07\n", form}, {"2025-Y1", form},
		{"1999", years}, {"2100", years}, {"0000-M01", years}, {"1999-Q4", years}, {"2100-H1", years},
		{"2025-M00", ": want M01 to M12 after the year"}, {"2025-M13", ": want M01 to M12 after the year"},
		{"2025-Q0", ": want Q1 to Q4 after the year"}, {"2025-Q5", ": want Q1 to Q4 after the year"},
		{"2025-H0", ": want H1 to H2 after the year"}, {"2025-H3", ": want H1 to H2 after the year"},
	} {
		p, err := MidMonth.Parse(c.in)
		if err == nil {
			t.Errorf("Parse(%q) = %s, want an error", c.in, p)
			continue
		}
		if got := err.Error(); len(got) < len(c.want) || got[len(got)-len(c.want):] != c.want {
			t.Errorf("Parse(%q): %q, want it to end in %q", c.in, got, c.want)
		}
	}
	for _, cut := range []Cut{0, 29, 30, 32, 255} {
		if p, err := cut.Parse("2025-M07"); err == nil || cut.Valid() {
			t.Errorf("cut %d read %s", cut, p)
		}
	}
}
