package calendar

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"
)

func allCuts() []Cut {
	cuts := []Cut{EndOfMonth}
	for c := Cut(1); c <= latestCut; c++ {
		cuts = append(cuts, c)
	}
	return cuts
}

func allLengths() []Length { return []Length{Monthly, Quarterly, HalfYearly, Yearly} }

// allPeriods are the valid periods of every cut and length, not in order.
func allPeriods() []Period {
	var all []Period
	for _, cut := range allCuts() {
		for _, l := range allLengths() {
			for p := range periods(cut, l, 2000, 2099) {
				all = append(all, p)
			}
		}
	}
	return all
}

// periods yields the periods of the years from first to last.
func periods(cut Cut, l Length, first, last int) func(func(Period) bool) {
	return func(yield func(Period) bool) {
		at := (first-firstYear)*12 + l.months() - 1
		for ; at < (last+1-firstYear)*12; at += l.months() {
			if !yield(pack(at, cut, l)) {
				return
			}
		}
	}
}

// days yields the days 1999-01-01 to 2101-12-31 with the standard library's
// idea of them.
func days(yield func(Date, time.Time) bool) {
	at := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	for d := Date(-365); at.Year() < 2102; d++ {
		if !yield(d, at) {
			return
		}
		at = at.AddDate(0, 0, 1)
	}
}

func TestDaysAreThoseOfTheStandardLibrary(t *testing.T) {
	at := time.Date(-1000, 1, 1, 0, 0, 0, 0, time.UTC)
	first := Date((at.Unix() - time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()) / secondsPerDay)
	n := 0
	for d := first; at.Year() < 3500; d++ {
		year, month, day := d.civil()
		if year != at.Year() || month != int(at.Month()) || day != at.Day() {
			t.Fatalf("day %d is %d-%d-%d, want %s", d, year, month, day, at)
		}
		if back := dateOf(year, month, day); back != d {
			t.Fatalf("%s is day %d, want %d", at, back, d)
		}
		if off := at.Weekday() == time.Saturday || at.Weekday() == time.Sunday; d.weekend() != off {
			t.Fatalf("%s is a %s", d, at.Weekday())
		}
		at = at.AddDate(0, 0, 1)
		n++
	}
	t.Logf("%d days", n)
}

// lastOfMonth is the last day of the calendar's month that holds a day.
func lastOfMonth(at time.Time, cut Cut) time.Time {
	switch {
	case cut == EndOfMonth:
		return time.Date(at.Year(), at.Month()+1, 0, 0, 0, 0, 0, time.UTC)
	case at.Day() <= int(cut):
		return time.Date(at.Year(), at.Month(), int(cut), 0, 0, 0, 0, time.UTC)
	}
	return time.Date(at.Year(), at.Month()+1, int(cut), 0, 0, 0, 0, time.UTC)
}

func TestEveryDayLiesInThePeriodOfItsName(t *testing.T) {
	n := 0
	for _, cut := range allCuts() {
		for d, at := range days {
			last := lastOfMonth(at, cut)
			month := int(last.Month())
			for l, number := range map[Length]int{Monthly: month, Quarterly: (month + 2) / 3, HalfYearly: (month + 5) / 6, Yearly: 1} {
				p := cut.Of(d, l)
				if p.Cut() != cut || p.Length() != l || p.Year() != last.Year() || p.number() != number {
					t.Fatalf("%s lies in %s of cut %d, want %d, %d of length %d", d, p, p.Cut(), last.Year(), number, l)
				}
				if d < p.FirstDay() || d > p.LastDay() {
					t.Fatalf("%s is not in %s of cut %d", d, p, cut)
				}
				if valid := last.Year() >= 2000 && last.Year() <= 2099; p.Valid() != valid {
					t.Fatalf("%s: Valid is not %t", p, valid)
				}
				n++
			}
			if p := cut.Of(d, Monthly); p.LastDay() != d+Date(last.Sub(at)/(24*time.Hour)) {
				t.Fatalf("%s of cut %d ends on %s, want %s", p, cut, p.LastDay(), last)
			}
		}
	}
	t.Logf("%d days of periods", n)
}

func TestEveryInstantLiesInExactlyOnePeriod(t *testing.T) {
	for _, cut := range allCuts() {
		for d := range days {
			start := d.Start()
			for _, at := range []time.Time{start, start.Add(12 * time.Hour), d.End().Add(-time.Millisecond), d.End().Add(-1)} {
				checkOnePeriod(t, cut, Monthly, at)
			}
		}
	}
}

// checkOnePeriod looks at the period found and both its neighbours.
func checkOnePeriod(t *testing.T, cut Cut, l Length, at time.Time) {
	t.Helper()
	p := cut.At(at, l)
	in := 0
	for q := p.Prev(); q <= p.Next(); q = q.Next() {
		if !at.Before(q.Start()) && at.Before(q.End()) {
			in++
		}
	}
	if in != 1 || at.Before(p.Start()) || !at.Before(p.End()) {
		t.Fatalf("%s lies in %d periods of cut %d and length %d; At says %s", at.UTC(), in, cut, l, p)
	}
}

func TestPeriodsTile(t *testing.T) {
	for _, cut := range allCuts() {
		for _, l := range allLengths() {
			for p := range periods(cut, l, 1999, 2101) {
				next := p.Next()
				if p.LastDay()+1 != next.FirstDay() || !p.End().Equal(next.Start()) || next <= p || next.Prev() != p {
					t.Fatalf("a gap or overlap after %s of cut %d", p, cut)
				}
				if p.Days() != int(next.FirstDay()-p.FirstDay()) || !p.FirstDay().Start().Equal(p.Start()) {
					t.Fatalf("days of %s of cut %d", p, cut)
				}
				if next.Since(p) != 1 || p.Back(7).Since(p) != -7 || p.Back(7).Back(-7) != p || p.Back(0) != p {
					t.Fatalf("steps from %s of cut %d", p, cut)
				}
				if b := p.YearBefore(); b.Year() != p.Year()-1 || b.number() != p.number() || b.Length() != l || b.Cut() != cut {
					t.Fatalf("a year before %s of cut %d is %s", p, cut, b)
				}
			}
		}
	}
}

func TestPeriodsAreUnionsOfShorterOnes(t *testing.T) {
	for _, cut := range allCuts() {
		for _, l := range allLengths() {
			for p := range periods(cut, l, 1999, 2101) {
				for _, shorter := range allLengths() {
					checkUnion(t, p, shorter)
				}
				if months := slices.Collect(p.Months()); !slices.Equal(months, p.Split(Monthly)) || months[0] != p.FirstMonth() {
					t.Fatalf("months of %s of cut %d: %s", p, cut, months)
				}
				for range p.Months() {
					break // leaving early must do no harm
				}
			}
		}
	}
}

func checkUnion(t *testing.T, p Period, l Length) {
	t.Helper()
	parts := p.Split(l)
	if l > p.Length() {
		if parts != nil || !p.In(l).Contains(p) || p.Contains(p.In(l)) {
			t.Fatalf("%s of cut %d and length %d", p, p.Cut(), l)
		}
		return
	}
	if len(parts) != p.Length().months()/l.months() {
		t.Fatalf("%s has %d parts of length %d", p, len(parts), l)
	}
	next := p.FirstDay()
	for _, q := range parts {
		if q.FirstDay() != next || q.Length() != l || q.Cut() != p.Cut() || !p.Contains(q) || q.In(p.Length()) != p {
			t.Fatalf("%s of %s of cut %d", q, p, p.Cut())
		}
		next = q.LastDay() + 1
	}
	if next != p.LastDay()+1 || p.In(l) != parts[len(parts)-1] || p.Contains(p.Next().In(l)) || p.Contains(p.FirstMonth().Prev()) {
		t.Fatalf("the parts of %s of cut %d end on %s", p, p.Cut(), next-1)
	}
}

func TestPeriodNamesAreReadBack(t *testing.T) {
	for _, cut := range allCuts() {
		for _, l := range allLengths() {
			for p := range periods(cut, l, 1990, 2110) {
				got, err := cut.Parse(p.String())
				if (err == nil) != p.Valid() || (err == nil && got != p) {
					t.Fatalf("Parse(%s) = %d, %v; want %d; Valid says %t", p, got, err, p, p.Valid())
				}
				if p.String() != p.slowString() {
					t.Fatalf("%s and %s", p, p.slowString())
				}
			}
		}
	}
}

func TestPeriodsCompareByLastDayThenLength(t *testing.T) {
	all := allPeriods()
	slices.Sort(all)
	for i, p := range all[1:] {
		before := all[i]
		order := cmp.Or(cmp.Compare(before.LastDay(), p.LastDay()), cmp.Compare(before.Length(), p.Length()), cmp.Compare(before.Cut(), p.Cut()))
		if order >= 0 {
			t.Fatalf("%s of cut %d comes before %s of cut %d", before, before.Cut(), p, p.Cut())
		}
	}
	if first := all[0]; first < 0 || !first.Valid() {
		t.Errorf("the first is %d", first)
	}
	t.Logf("%d periods", len(all))
}

func TestFromBoundsByLastDay(t *testing.T) {
	all := allPeriods()
	slices.Sort(all) // by last day, as the test above says
	for d := range days {
		i := sort.Search(len(all), func(i int) bool { return all[i] >= From(d) })
		if i > 0 && all[i-1].LastDay() >= d {
			t.Fatalf("%s of cut %d ends on %s, but is before From(%s)", all[i-1], all[i-1].Cut(), all[i-1].LastDay(), d)
		}
		if i < len(all) && all[i].LastDay() < d {
			t.Fatalf("%s of cut %d ends on %s, but is not before From(%s)", all[i], all[i].Cut(), all[i].LastDay(), d)
		}
		if From(d) < 0 {
			t.Fatalf("From(%s) is %d", d, From(d))
		}
	}
	const far = 1<<31 - 1
	if From(far) <= all[len(all)-1] || From(-far) != 0 {
		t.Errorf("From the ends of time: %d, %d", From(far), From(-far))
	}
}

func FuzzPeriodParse(f *testing.F) {
	for _, name := range []string{"2025-M07", "2025-Q3", "2025-H2", "2025", "1999-M12", "2100", "2025-M13", "2025-Q"} {
		f.Add(uint8(MidMonth), name)
		f.Add(uint8(EndOfMonth), name)
	}
	f.Fuzz(func(t *testing.T, cut uint8, name string) {
		p, err := Cut(cut).Parse(name)
		if err == nil && (p.String() != name || !p.Valid() || p.Cut() != Cut(cut) || !Cut(cut).Valid()) {
			t.Errorf("cut %d: Parse(%q) = %s of cut %d", cut, name, p, p.Cut())
		}
		if err == nil && Cut(cut).Of(p.LastDay(), p.Length()) != p {
			t.Errorf("cut %d: %q does not hold its last day %s", cut, name, p.LastDay())
		}
		if year, e := strconv.Atoi(name); err != nil && e == nil && len(name) == 4 && name[0] == '2' && year <= lastYear && Cut(cut).Valid() {
			t.Errorf("cut %d: Parse(%q): %v", cut, name, err)
		}
	})
}

func FuzzInstantPeriod(f *testing.F) {
	f.Add(int64(1752512399), int64(999_000_000), uint8(MidMonth), uint8(Monthly))
	f.Add(int64(1752512400), int64(0), uint8(MidMonth), uint8(Yearly))
	f.Add(int64(1709225999), int64(0), uint8(EndOfMonth), uint8(Quarterly))
	f.Fuzz(func(t *testing.T, sec, nsec int64, cut, length uint8) {
		c, l := Cut(cut%32), Length(length%4)
		if sec < -60_000_000_000 || sec > 200_000_000_000 || !c.Valid() {
			return
		}
		checkOnePeriod(t, c, l, time.Unix(sec, nsec%1_000_000_000))
	})
}

func BenchmarkPeriodString(b *testing.B) {
	p := MidMonth.Of(9000, Monthly)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n += len(p.String())
	}
}

func BenchmarkPeriodOf(b *testing.B) {
	b.ReportAllocs()
	d, sink := Date(9000), Period(0)
	for b.Loop() {
		sink += MidMonth.Of(d, Quarterly)
		d++
	}
}

func BenchmarkPeriodLastDay(b *testing.B) {
	b.ReportAllocs()
	p, sink := EndOfMonth.Of(9000, Monthly), Date(0)
	for b.Loop() {
		sink += p.LastDay()
	}
}

func BenchmarkPeriodFirstDay(b *testing.B) {
	b.ReportAllocs()
	p, sink := EndOfMonth.Of(9000, Yearly), Date(0)
	for b.Loop() {
		sink += p.FirstDay()
	}
}
