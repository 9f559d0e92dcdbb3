package calendar

import (
	"testing"
	"time"
)

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

func TestEveryDayReadsBackAndHoldsItsInstants(t *testing.T) {
	last, _ := ParseDate("2101-01-01")
	for d := Date(-800); d <= last; d++ {
		if got, err := ParseDate(d.String()); err != nil || got != d {
			t.Fatalf("ParseDate(%s) = %d, %v; want %d", d, got, err, d)
		}
		if DateOf(d.Start()) != d || DateOf(d.End().Add(-1)) != d || DateOf(d.End()) != d+1 {
			t.Fatalf("instants of %s", d)
		}
	}
}

func TestDueUntilMidnightAtPlusSeven(t *testing.T) {
	due, _ := ParseDate("2022-10-31")
	if got := due.End().In(time.FixedZone("", 7*60*60)).Format(time.RFC3339); got != "2022-11-01T00:00:00+07:00" {
		t.Errorf("due until %s", got)
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("2022-02-30")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDate(s); err == nil && d.String() != s {
			t.Errorf("ParseDate(%q) = %s", s, d)
		}
	})
}
