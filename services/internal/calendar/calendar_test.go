package calendar

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestParseMonth(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Month
	}{
		{"2000-M01", 0}, {"2000-M12", 11}, {"2022-M07", 270}, {"2099-M12", 1199},
	} {
		got, err := ParseMonth(c.in)
		if err != nil || got != c.want || got.String() != c.in {
			t.Errorf("ParseMonth(%q) = %d (%s), %v; want %d", c.in, got, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "2022", "2022-07", "2022-M7", "2022-M00", "2022-M13", "2022-m07", "1999-M12",
		"2100-M01", "2022-M07 ", " 2022-M07", "2022-M-1", "+022-M07", "２022-M07", "2022-M0٧",
	} {
		if m, err := ParseMonth(bad); err == nil {
			t.Errorf("ParseMonth(%q) = %s, want an error", bad, m)
		}
	}
}

func TestParseDate(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Date
	}{
		{"2000-01-01", 0}, {"1999-12-31", -1}, {"2000-03-01", 60}, {"2022-07-31", 8247}, {"0001-01-01", -730119},
	} {
		got, err := ParseDate(c.in)
		if err != nil || got != c.want || got.String() != c.in {
			t.Errorf("ParseDate(%q) = %d (%s), %v; want %d", c.in, got, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "2022-02-30", "2022-13-01", "2022-00-10", "2022-01-00", "2023-02-29", "1900-02-29",
		"0000-01-01", "2022-1-01", "2022/01/01", "2022-01-01T", "2022-01-0x", "2022-04-31",
	} {
		if d, err := ParseDate(bad); err == nil {
			t.Errorf("ParseDate(%q) = %s, want an error", bad, d)
		}
	}
}

func TestMonth(t *testing.T) {
	m, err := ParseMonth("2022-M07")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Start().Format(time.RFC3339); got != "2022-06-30T17:00:00Z" {
		t.Errorf("Start = %s", got)
	}
	if got := m.End().Format(time.RFC3339); got != "2022-07-31T17:00:00Z" {
		t.Errorf("End = %s", got)
	}
	if got := m.FirstDay().String() + " " + m.LastDay().String(); got != "2022-07-01 2022-07-31" {
		t.Errorf("days = %s", got)
	}
	if got := m.FirstOfYear().String(); got != "2022-M01" {
		t.Errorf("FirstOfYear = %s", got)
	}
	if (m - 271).Valid() || Month(1200).Valid() || !m.Valid() {
		t.Error("Valid is wrong at a bound")
	}
}

func TestCutOffIsMidnightAtPlusSeven(t *testing.T) {
	before := time.Date(2022, 7, 31, 16, 59, 59, 999_999_999, time.UTC)
	if MonthOf(before).String() != "2022-M07" || DateOf(before).String() != "2022-07-31" {
		t.Errorf("the last instant of July lies in %s, %s", MonthOf(before), DateOf(before))
	}
	after := before.Add(1)
	if MonthOf(after).String() != "2022-M08" || DateOf(after).String() != "2022-08-01" {
		t.Errorf("the first instant of August lies in %s, %s", MonthOf(after), DateOf(after))
	}
	due, _ := ParseDate("2022-10-31")
	if got := due.End().In(time.FixedZone("", 7*60*60)).Format(time.RFC3339); got != "2022-11-01T00:00:00+07:00" {
		t.Errorf("due until %s", got)
	}
}

func TestMonthsTile(t *testing.T) {
	for m := Month(-30); m < 1230; m++ {
		if !m.End().Equal((m + 1).Start()) || m.LastDay()+1 != (m+1).FirstDay() {
			t.Fatalf("a gap or overlap after %s", m)
		}
		if !m.FirstDay().Start().Equal(m.Start()) || !m.LastDay().End().Equal(m.End()) {
			t.Fatalf("days and instants of %s differ", m)
		}
		if days := m.LastDay() - m.FirstDay() + 1; days < 28 || days > 31 {
			t.Fatalf("%s has %d days", m, days)
		}
		if got, err := ParseMonth(m.String()); (err == nil) != m.Valid() || (err == nil && got != m) {
			t.Fatalf("ParseMonth(%s) = %d, %v; Valid says %t", m, got, err, m.Valid())
		}
	}
}

func TestEveryDayLiesInItsMonth(t *testing.T) {
	last, _ := ParseDate("2101-01-01")
	for d := Date(-800); d <= last; d++ {
		m := d.MonthOf()
		if d < m.FirstDay() || d > m.LastDay() {
			t.Fatalf("%s is not in %s", d, m)
		}
		if got, err := ParseDate(d.String()); err != nil || got != d {
			t.Fatalf("ParseDate(%s) = %d, %v; want %d", d, got, err, d)
		}
		if DateOf(d.Start()) != d || DateOf(d.End().Add(-1)) != d {
			t.Fatalf("instants of %s", d)
		}
	}
}

func TestEveryInstantLiesInExactlyOneMonth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		at := time.Unix(r.Int64N(5_000_000_000)-100_000_000, r.Int64N(1_000_000_000))
		checkInstant(t, at)
	}
}

func FuzzInstant(f *testing.F) {
	f.Add(int64(1659286799), int64(999_999_999))
	f.Add(int64(1659286800), int64(0))
	f.Fuzz(func(t *testing.T, sec, nsec int64) {
		if sec < -60_000_000_000 || sec > 200_000_000_000 {
			return
		}
		checkInstant(t, time.Unix(sec, nsec%1_000_000_000))
	})
}

func FuzzParse(f *testing.F) {
	f.Add("2022-M07")
	f.Add("2022-02-30")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := ParseMonth(s); err == nil && (m.String() != s || !m.Valid()) {
			t.Errorf("ParseMonth(%q) = %s", s, m)
		}
		if d, err := ParseDate(s); err == nil && d.String() != s {
			t.Errorf("ParseDate(%q) = %s", s, d)
		}
	})
}

func checkInstant(t *testing.T, at time.Time) {
	t.Helper()
	in := 0
	m := MonthOf(at)
	for n := m - 1; n <= m+1; n++ {
		if !at.Before(n.Start()) && at.Before(n.End()) {
			in++
		}
	}
	if in != 1 || at.Before(m.Start()) || !at.Before(m.End()) {
		t.Fatalf("%s lies in %d months; MonthOf says %s", at.UTC(), in, m)
	}
	if d := DateOf(at); d.MonthOf() != m || at.Before(d.Start()) || !at.Before(d.End()) {
		t.Fatalf("%s: DateOf says %s, MonthOf %s", at.UTC(), d, m)
	}
}
