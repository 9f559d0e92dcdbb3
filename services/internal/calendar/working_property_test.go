package calendar

import (
	"math/rand/v2"
	"testing"
	"time"
)

// randomCalendar has long and short breaks and some worked weekend days.
func randomCalendar(r *rand.Rand, first, last Date) *Calendar {
	var off, worked []Date
	for d := first; d <= last; d++ {
		switch {
		case r.IntN(300) == 0:
			for range r.IntN(12) {
				off = append(off, d)
				d++
			}
		case r.IntN(20) == 0:
			off = append(off, d)
		case r.IntN(10) == 0:
			worked = append(worked, d)
		}
	}
	return New(MidMonth, off, worked)
}

// worked counts, from the lists themselves, the days worked after from up to to.
func worked(c *Calendar, from, to Date) int {
	n := 0
	for d := from + 1; d <= to; d++ {
		day := d.Start().In(time.FixedZone("", 7*60*60)).Weekday()
		_, off := c.holidays[d]
		_, swapped := c.worked[d]
		if !off && (swapped || day != time.Saturday && day != time.Sunday) {
			n++
		}
	}
	return n
}

func TestAddWorkingDaysIsTheInverseOfCounting(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	first, last := date(t, "1999-01-01"), date(t, "2101-12-31")
	for range 5 {
		cal := randomCalendar(r, first, last+100)
		before := [12]Date{}
		for d := first; d <= last; d++ {
			for n := range before {
				got := cal.AddWorkingDays(d, n)
				if cal.WorkingDaysBetween(d, got) != n || worked(cal, d, got) != n {
					t.Fatalf("%d working days after %s is %s, which is %d", n, d, got, worked(cal, d, got))
				}
				if n > 0 && !cal.Working(got) || n == 0 && got != d {
					t.Fatalf("%d working days after %s is %s", n, d, got)
				}
				if n > 0 && got <= cal.AddWorkingDays(d, n-1) || d > first && got < before[n] {
					t.Fatalf("%d working days after %s is %s, no later than before", n, d, got)
				}
				before[n] = got
			}
		}
	}
}

func TestWorkingDaysAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	first, last := date(t, "2020-01-01"), date(t, "2030-12-31")
	cal := randomCalendar(r, first, last)
	for range 2_000 {
		a := first + Date(r.IntN(1000))
		b := a + Date(r.IntN(1000))
		c := b + Date(r.IntN(1000))
		if cal.WorkingDaysBetween(a, b)+cal.WorkingDaysBetween(b, c) != cal.WorkingDaysBetween(a, c) {
			t.Fatalf("from %s by %s to %s", a, b, c)
		}
		if n := r.IntN(40); cal.AddWorkingDays(cal.AddWorkingDays(a, n), 5) != cal.AddWorkingDays(a, n+5) {
			t.Fatalf("%d and 5 working days after %s", n, a)
		}
	}
}

// FuzzWorkingDays gives each byte of the days to one day from 2025 on: 1 is a
// holiday, 2 a worked day, 3 both.
func FuzzWorkingDays(f *testing.F) {
	f.Add(uint16(0), uint8(3), []byte{1, 0, 0, 2, 3, 0, 0, 1, 1, 1})
	f.Add(uint16(20), uint8(10), []byte("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, after uint16, count uint8, days []byte) {
		if len(days) > longestBreak-10 {
			return // so that no search ends for want of working days
		}
		newYear := date(t, "2025-01-01")
		var off, swapped []Date
		for i, b := range days {
			if b&1 != 0 {
				off = append(off, newYear+Date(i))
			}
			if b&2 != 0 {
				swapped = append(swapped, newYear+Date(i))
			}
		}
		cal := New(EndOfMonth, off, swapped)
		from, n := newYear+Date(after%500)-50, int(count%30)
		got := cal.AddWorkingDays(from, n)
		if worked(cal, from, got) != n || cal.WorkingDaysBetween(from, got) != n {
			t.Errorf("%d working days after %s is %s, which is %d", n, from, got, worked(cal, from, got))
		}
		if n > 0 && worked(cal, from, got-1) != n-1 {
			t.Errorf("%d working days after %s is %s, itself not worked", n, from, got)
		}
		if next := cal.AddWorkingDays(from+1, n); next < got {
			t.Errorf("%d working days after %s is %s, a day on %s", n, from, got, next)
		}
	})
}

func BenchmarkDue(b *testing.B) {
	b.ReportAllocs()
	cal := vietnam(b, MidMonth)
	p, sink := period(b, MidMonth, "2025-M01"), Date(0)
	for b.Loop() {
		sink += cal.Due(p, 10)
	}
}
