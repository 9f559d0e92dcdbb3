package score

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// rat reads a fraction; "" is none.
func rat(t testing.TB, s string) *big.Rat {
	t.Helper()
	if s == "" {
		return nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no fraction", s)
	}
	return r
}

func TestExpectedOfALinearPath(t *testing.T) {
	for _, c := range []struct {
		name             string
		from, until, day int32
		want             string
	}{
		{"before", 100, 200, 50, "0"},
		{"on the first day", 100, 200, 100, "0"},
		{"a third", 100, 400, 200, "1/3"},
		{"the day before due", 100, 200, 199, "99/100"},
		{"due", 100, 200, 200, "1"},
		{"after", 100, 200, 900, "1"},
		{"begins on its due day, before", 200, 200, 199, "0"},
		{"begins on its due day, due", 200, 200, 200, "1"},
		{"begins after it is due, before", 300, 200, 150, "0"},
		{"begins after it is due, between", 300, 200, 250, "1"},
		{"days far apart", math.MinInt32, math.MaxInt32, 0, "2147483648/4294967295"},
	} {
		p := Path{Linear: true, From: c.from, Until: c.until, Steps: []Step{{0, 7_777}}}
		if got := p.Expected(c.day); got.Cmp(rat(t, c.want)) != 0 {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestExpectedOfAStepPath(t *testing.T) {
	steps := []Step{{300, 9_000}, {-10, 500}, {100, 2_500}, {200, 5_000}, {200, 6_000}, {400, 12_000}, {500, -1}}
	for _, c := range []struct {
		day  int32
		want string
	}{
		{-11, "0"}, {-10, "1/20"}, {99, "1/20"}, {100, "1/4"}, {199, "1/4"}, {200, "3/5"}, {299, "3/5"},
		{300, "9/10"}, {400, "1"}, {500, "0"}, {math.MaxInt32, "0"},
	} {
		if got := (Path{Steps: steps, From: 1, Until: 2}).Expected(c.day); got.Cmp(rat(t, c.want)) != 0 {
			t.Errorf("day %d: %s, want %s", c.day, got, c.want)
		}
	}
	if got := (Path{}).Expected(5); got.Sign() != 0 {
		t.Errorf("no steps: %s, want 0", got)
	}
}

func TestJudge(t *testing.T) {
	const met, above, strict, past, stale = 1, 2, 4, 8, 16
	for _, c := range []struct {
		name string
		is   int
		p, e string
		want Status
	}{
		{"met", met, "1", "1/2", Status{State: Achieved}},
		{"met, whatever else", met | past | stale, "-1", "1", Status{State: Achieved}},
		{"met without p", met, "", "", Status{State: Achieved}},
		{"above a range", met | above, "2", "1/2", Status{Achieved, true}},
		{"in a strict range", met | strict, "1", "1/2", Status{State: Achieved}},
		{"above a strict range", met | above | strict, "2", "1/2", Status{OffTrack, true}},
		{"above a strict range, not called met", above | strict, "2", "1/2", Status{OffTrack, true}},
		{"above a strict range, no p", above | strict, "", "", Status{OffTrack, true}},
		{"above a strict range when due", met | above | strict | past, "2", "1", Status{State: Overdue}},
		{"above a strict range on an old value", met | above | strict | stale, "2", "1", Status{State: NoData}},
		{"past due", past, "99/100", "1", Status{State: Overdue}},
		{"past due on an old value", past | stale, "99/100", "1", Status{State: Overdue}},
		{"past due without p", past, "", "1", Status{State: Overdue}},
		{"past due, moving away", past, "-1", "1", Status{State: Overdue}},
		{"old value", stale, "1/2", "1/2", Status{State: NoData}},
		{"no value and none due", 0, "", "0", Status{State: Undefined}},
		{"no value though due", stale, "", "1/2", Status{State: NoData}},
		{"moving away", 0, "-1/1000000", "1/2", Status{State: MovingAway}},
		{"moving away at the beginning", 0, "-1/1000000", "0", Status{State: MovingAway}},
		{"moving away without a path", 0, "-1", "", Status{State: MovingAway}},
		{"no path", 0, "1/2", "", Status{State: Undefined}},
		{"no path, nothing done", 0, "0", "", Status{State: Undefined}},
		{"not started at the beginning", 0, "0", "0", Status{State: NotStarted}},
		{"not started below 5 %", 0, "0", "499/10000", Status{State: NotStarted}},
		{"nothing at 5 %", 0, "0", "500/10000", Status{State: OffTrack}},
		{"begun early", 0, "1/1000000", "0", Status{State: OnTrack}},
		{"begun a little below 5 %", 0, "1/1000000", "4/100", Status{State: OffTrack}},
		{"on track at 95 % exactly", 0, "95/300", "1/3", Status{State: OnTrack}},
		{"just below 95 %", 0, "94999999/300000000", "1/3", Status{State: AtRisk}},
		{"at risk at 60 % exactly", 0, "60/300", "1/3", Status{State: AtRisk}},
		{"just below 60 %", 0, "59999999/300000000", "1/3", Status{State: OffTrack}},
		{"ahead", 0, "9/10", "1/3", Status{State: OnTrack}},
		{"full but not met", 0, "1", "1", Status{State: OnTrack}}, // such as not every unit has reported
	} {
		t.Run(c.name, func(t *testing.T) {
			in := Input{
				Met: c.is&met != 0, AboveRange: c.is&above != 0, Strict: c.is&strict != 0,
				PastDue: c.is&past != 0, Stale: c.is&stale != 0,
				Progress: rat(t, c.p), Expected: rat(t, c.e),
			}
			if got := Judge(in, DefaultSettings()); got != c.want {
				t.Errorf("%s %t, want %s %t", got.State, got.AboveRange, c.want.State, c.want.AboveRange)
			}
		})
	}
}

func TestJudgeBySettings(t *testing.T) {
	s := Settings{OnTrack: 8_000, AtRisk: 3_333, NotStarted: 1_000}
	for _, c := range []struct {
		p, e string
		want State
	}{
		{"8/20", "1/2", OnTrack}, {"7999/20000", "1/2", AtRisk}, {"3333/20000", "1/2", AtRisk},
		{"3332/20000", "1/2", OffTrack}, {"0", "999/10000", NotStarted}, {"0", "1/10", OffTrack},
	} {
		if got := Judge(Input{Progress: rat(t, c.p), Expected: rat(t, c.e)}, s); got.State != c.want {
			t.Errorf("p %s e %s: %s, want %s", c.p, c.e, got.State, c.want)
		}
	}
}

func TestJudgeBySettingsOfZero(t *testing.T) {
	for _, c := range []struct {
		p, e string
		s    Settings
		want State
	}{
		{"0", "1/2", Settings{}, OnTrack}, // nothing is asked for
		{"0", "0", Settings{}, NotStarted},
		{"0", "1/1000", Settings{OnTrack: 9_500, AtRisk: 6_000}, OffTrack}, // begun or not: it should have
		{"1/1000", "1/2", Settings{OnTrack: 9_500}, AtRisk},                // never off track
	} {
		if got := Judge(Input{Progress: rat(t, c.p), Expected: rat(t, c.e)}, c.s); got.State != c.want {
			t.Errorf("p %s e %s by %+v: %s, want %s", c.p, c.e, c.s, got.State, c.want)
		}
	}
}

// TestJudgeAgainstIntegers holds Judge against the rule in whole numbers: p and e in
// thousandths, where nothing can round.
func TestJudgeAgainstIntegers(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 3))
	seen := map[State]int{}
	for range 20_000 {
		p, e := rng.Int64N(1_300)-100, rng.Int64N(1_001)
		switch rng.IntN(5) {
		case 0:
			p = 0
			e = rng.Int64N(100)
		case 1:
			e = 0
		}
		var want State
		switch {
		case p < 0:
			want = MovingAway
		case p == 0 && e < 50:
			want = NotStarted
		case e == 0 || 100*p >= 95*e:
			want = OnTrack
		case 100*p >= 60*e:
			want = AtRisk
		default:
			want = OffTrack
		}
		seen[want]++
		got := Judge(Input{Progress: big.NewRat(p, 1_000), Expected: big.NewRat(e, 1_000)}, DefaultSettings())
		if got != (Status{State: want}) {
			t.Fatalf("p %d e %d: %s, want %s", p, e, got.State, want)
		}
	}
	for _, s := range []State{MovingAway, NotStarted, OnTrack, AtRisk, OffTrack} {
		if seen[s] < 100 {
			t.Errorf("%s came up %d times", s, seen[s])
		}
	}
}

func TestStatesAreNamedAsInTheContract(t *testing.T) {
	for s, want := range map[State]string{
		0: "UNSPECIFIED", Undefined: "UNDEFINED", Achieved: "ACHIEVED", Overdue: "OVERDUE", NoData: "NO_DATA",
		NotStarted: "NOT_STARTED", OnTrack: "ON_TRACK", AtRisk: "AT_RISK", OffTrack: "OFF_TRACK", MovingAway: "MOVING_AWAY",
	} {
		if s.String() != want {
			t.Errorf("%d is %s, want %s", s, s, want)
		}
	}
}
