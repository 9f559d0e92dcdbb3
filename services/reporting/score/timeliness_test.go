package score

import (
	"math/rand/v2"
	"testing"
)

func TestClassify(t *testing.T) {
	const due = 100
	for _, c := range []struct {
		name      string
		completed bool
		on, today int32
		want      Class
	}{
		{"completed before", true, 99, 99, CompletedOnTime},
		{"completed on the due day", true, 100, 100, CompletedOnTime},
		{"completed in time, accepted later", true, 100, 130, CompletedOnTime},
		{"completed the day after", true, 101, 101, CompletedLate},
		{"late, seen long after", true, 101, 900, CompletedLate},
		{"pending before", false, 0, 99, PendingInTime},
		{"pending on the due day", false, 0, 100, PendingInTime},
		{"pending the day after", false, 0, 101, PendingOverdue},
		{"submitted in time but not accepted", false, 90, 101, PendingOverdue},
	} {
		if got := Classify(c.completed, c.on, due, c.today); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := Classify(false, 0, -5, -4); got != PendingOverdue {
		t.Errorf("days before the first are compared wrongly: %s", got)
	}
}

func TestCompletionRates(t *testing.T) {
	for _, c := range []struct {
		name           string
		in             Timeliness
		all, completed int64
		rateDue, rate  string
	}{
		{"published", Timeliness{14_068, 1_983, 5_640, 223}, 21_914, 16_051, "98.63", "73.25"},
		{"none", Timeliness{}, 0, 0, "-", "-"},
		{"nothing due yet", Timeliness{PendingInTime: 7}, 7, 0, "-", "0.00"},
		{"all overdue", Timeliness{PendingOverdue: 7}, 7, 0, "0.00", "0.00"},
		{"all late", Timeliness{CompletedLate: 7}, 7, 7, "100.00", "100.00"},
	} {
		if c.in.All() != c.all || c.in.Completed() != c.completed {
			t.Errorf("%s: %d of %d, want %d of %d", c.name, c.in.Completed(), c.in.All(), c.completed, c.all)
		}
		if due, rate := percent(c.in.CompletionRateDue()), percent(c.in.CompletionRateAll()); due != c.rateDue || rate != c.rate {
			t.Errorf("%s: due %s, all %s, want %s, %s", c.name, due, rate, c.rateDue, c.rate)
		}
	}
}

func TestTimelinessCountsEachTaskOnceInAnyGrouping(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	var left, right, all Timeliness
	byClass := map[Class]int64{}
	for range 1_000 {
		c := Classify(rng.IntN(2) == 0, rng.Int32N(20), 10, rng.Int32N(20))
		byClass[c]++
		all = all.Count(c)
		if rng.IntN(2) == 0 {
			left = left.Count(c)
		} else {
			right = right.Count(c)
		}
	}
	want := Timeliness{byClass[CompletedOnTime], byClass[CompletedLate], byClass[PendingInTime], byClass[PendingOverdue]}
	if all != want || left.Add(right) != want || all.All() != 1_000 {
		t.Errorf("all %v, parts %v, want %v", all, left.Add(right), want)
	}
	if all.Count(0) != all {
		t.Error("no class was counted")
	}
}

func TestClassesAreNamedAsTheGovernmentDoes(t *testing.T) {
	for c, want := range map[Class]string{
		0: "UNSPECIFIED", CompletedOnTime: "COMPLETED_ON_TIME", CompletedLate: "COMPLETED_LATE",
		PendingInTime: "PENDING_IN_TIME", PendingOverdue: "PENDING_OVERDUE",
	} {
		if c.String() != want {
			t.Errorf("%d is %s, want %s", c, c, want)
		}
	}
}
