package name_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/name"
	"github.com/google/go-cmp/cmp"
)

func TestNamesReadBackAsWritten(t *testing.T) {
	target := name.Target{Programme: "de-an-06", ID: "chip-cards"}
	for _, c := range []struct {
		want string
		got  string
		back func(string) (string, error)
	}{
		{"programmes/de-an-06", name.Programme("de-an-06").Name(), back(name.ParseProgramme)},
		{"units/26734", name.Unit("26734").Name(), back(name.ParseUnit)},
		{"programmes/de-an-06/tasks/n1", name.Task{Programme: "de-an-06", ID: "n1"}.Name(), back(name.ParseTask)},
		{"programmes/de-an-06/targets/chip-cards", target.Name(), back(name.ParseTarget)},
		{"programmes/de-an-06/regimes/monthly", name.Regime{Programme: "de-an-06", ID: "monthly"}.Name(), back(name.ParseRegime)},
		{"calendars/statistical", name.Calendar("statistical").Name(), back(name.ParseCalendar)},
		{
			"programmes/de-an-06/targets/chip-cards/allocations/79",
			name.Allocation{Target: target, Unit: "79"}.Name(), back(name.ParseAllocation),
		},
	} {
		if c.got != c.want {
			t.Errorf("Name() = %q, want %q", c.got, c.want)
		}
		if again, err := c.back(c.want); err != nil || again != c.want {
			t.Errorf("parse %q and write: %q, %v", c.want, again, err)
		}
	}
}

func back[N interface{ Name() string }](parse func(string) (N, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		n, err := parse(s)
		if err != nil {
			return "", err
		}
		return n.Name(), nil
	}
}

func TestBrokenNamesAreRefusedSayingWhy(t *testing.T) {
	long := strings.Repeat("a", 61)
	for _, c := range []struct {
		s     string
		parse func(string) (string, error)
		why   string
	}{
		{"", back(name.ParseUnit), "not of the form units/{unit}"},
		{"79", back(name.ParseUnit), "not of the form"},
		{"units/", back(name.ParseUnit), "empty"},
		{"units/79/", back(name.ParseUnit), "not of the form"},
		{"unit/79", back(name.ParseUnit), "not of the form"},
		{"units/" + long[:41], back(name.ParseUnit), "longer than 40"},
		{"units/-79", back(name.ParseUnit), "single hyphens"},
		{"units/79-", back(name.ParseUnit), "single hyphens"},
		{"units/7--9", back(name.ParseUnit), "single hyphens"},
		{"units/vn.79", back(name.ParseUnit), "lower-case"},
		{"units/Hà-Nội", back(name.ParseUnit), "lower-case"},
		{"programmes/" + long, back(name.ParseProgramme), "longer than 60"},
		{"programmes/a/targets/t", back(name.ParseTask), "programmes/{programme}/tasks/{task}"},
		{"programmes/a/tasks/t", back(name.ParseTarget), "programmes/{programme}/targets/{target}"},
		{"programmes/a/targets/t", back(name.ParseRegime), "programmes/{programme}/regimes/{regime}"},
		{"programmes/a/regimes/" + long, back(name.ParseRegime), "longer than 60"},
		{"programmes/a/calendars/c", back(name.ParseCalendar), "not of the form calendars/{calendar}"},
		{"calendars/" + long, back(name.ParseCalendar), "longer than 60"},
		{"calendars/Âm-lịch", back(name.ParseCalendar), "lower-case"},
		{"programmes/a/targets/*", back(name.ParseTarget), "lower-case"},
		{"programmes/a/targets/t/allocations/" + long[:41], back(name.ParseAllocation), "longer than 40"},
		{"programmes/a/targets/t", back(name.ParseAllocation), "allocations/{unit}"},
	} {
		_, err := c.parse(c.s)
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: error %v, want one with %q", c.s, err, c.why)
		}
	}
}

func TestReservedWords(t *testing.T) {
	for id, want := range map[string]bool{"all": true, "alle": false, "unit": false} {
		if got := name.Programme(id).Reserved(); got != want {
			t.Errorf("programme %s: %v", id, got)
		}
	}
	for id, want := range map[string]bool{
		"unit": true, "programme": true, "clock": true, "tasks-task-central-by-task": true, "tasks-": true,
		"all": false, "tasks": false, "units": false, "task-s": false,
	} {
		if got := name.ReservedTarget(id); got != want {
			t.Errorf("target %s: %v", id, got)
		}
	}
}

func TestPath(t *testing.T) {
	p, err := name.ParsePath("vn.79.760")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]name.Unit{"vn", "79", "760"}, p.Units()); diff != "" {
		t.Error(diff)
	}
	if p.Unit() != "760" || p.Parent() != "vn.79" || p.Parent().Parent().Parent() != "" {
		t.Errorf("unit %s, parent %s", p.Unit(), p.Parent())
	}
	if got := name.Path("").Join("vn").Join("79").Join("760"); got != p {
		t.Errorf("joined: %s", got)
	}
	if !p.Within("vn.79") || !p.Within(p) || p.Within("vn.7") || name.Path("vn").Within(p) {
		t.Error("Within is wrong")
	}
	deep := strings.TrimSuffix(strings.Repeat("u.", name.MaxDepth), ".")
	for _, bad := range []string{"", ".", "vn.", ".vn", "vn..79", "vn.79.vn", "vn.*", "vn.>", deep + ".x"} {
		if got, err := name.ParsePath(bad); err == nil {
			t.Errorf("path %q accepted as %q", bad, got)
		}
	}
}

var pattern = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`)

func FuzzIDAgreesWithTheContract(f *testing.F) {
	for _, s := range []string{"", "a", "-", "a-b", "a--b", "a-", "-a", "đề-án", "a\n", "0", "A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := pattern.MatchString(s) && len(s) <= name.MaxUnit && !strings.HasSuffix(s, "\n")
		if got := name.CheckID(s, name.MaxUnit) == nil; got != want {
			t.Fatalf("%q accepted: %v, the contract says %v", s, got, want)
		}
	})
}

func FuzzNamesReadBackAsWritten(f *testing.F) {
	for _, s := range []string{
		"units/79", "programmes/p", "programmes/p/tasks/t", "programmes/p/targets/t",
		"programmes/p/targets/t/allocations/79", "programmes/p/regimes/r", "calendars/c", "vn.79.760", "programmes//tasks/", "units/vn.79",
	} {
		f.Add(s)
	}
	parsers := []func(string) (string, error){
		back(name.ParseUnit), back(name.ParseProgramme), back(name.ParseTask),
		back(name.ParseTarget), back(name.ParseAllocation),
		back(name.ParseRegime), back(name.ParseCalendar),
	}
	f.Fuzz(func(t *testing.T, s string) {
		accepted := 0
		for _, parse := range parsers {
			again, err := parse(s)
			if err != nil {
				continue
			}
			accepted++
			if again != s {
				t.Fatalf("%q reads back as %q", s, again)
			}
		}
		if accepted > 1 {
			t.Fatalf("%q is accepted as %d kinds of name", s, accepted)
		}
		p, err := name.ParsePath(s)
		if err != nil {
			return
		}
		var joined name.Path
		for _, u := range p.Units() {
			joined = joined.Join(u)
		}
		if string(joined) != s || p.Parent().Join(p.Unit()) != p || !p.Within(p.Parent()) && p.Parent() != "" {
			t.Fatalf("path %q does not hold together", s)
		}
	})
}
