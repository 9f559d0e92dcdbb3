package failpoint

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestPlan_acts_at_the_hits_it_names(t *testing.T) {
	for _, c := range []struct {
		plan string
		want string // one letter a hit: e error, x exit, p panic, s slept, . nothing
	}{
		{"", "......"},
		{"ledger.after-append=error", "eeeeee"},
		{"ledger.after-append=error@3", "..e..."},
		{"ledger.after-append=error%2", ".e.e.e"},
		{"ledger.after-append=exit@6", ".....x"},
		{"ledger.after-append=panic@1", "p....."},
		{"stream.sent=error,ledger.after-append=sleep:15ms@2", ".s...."},
		{"stream.sent=error", "......"},
	} {
		p, err := Parse(c.plan)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		var exited bool
		var slept time.Duration
		p.exit = func() { exited = true }
		p.sleep = func(d time.Duration) { slept = d }
		for range len(c.want) {
			exited, slept = false, 0
			err, panicked := try(func() error { return p.Hit(LedgerAfterAppend) })
			switch {
			case panicked:
				got.WriteByte('p')
			case exited:
				got.WriteByte('x')
			case errors.Is(err, ErrPlanned):
				got.WriteByte('e')
			case slept == 15*time.Millisecond:
				got.WriteByte('s')
			default:
				got.WriteByte('.')
			}
		}
		if got.String() != c.want {
			t.Errorf("%s acts %s, want %s", c.plan, got.String(), c.want)
		}
	}
}

func try(f func() error) (err error, panicked bool) {
	defer func() { panicked = recover() != nil }()
	return f(), false
}

func TestParse_refuses_what_would_silently_do_nothing(t *testing.T) {
	for _, bad := range []string{"ledger.after-append", "nowhere=exit", "stream.sent=stop", "stream.sent=exit@0", "stream.sent=exit@x",
		"stream.sent=sleep", "stream.sent=sleep:5", "stream.sent=exit:5s"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// The other build compiles; what it does at a hit is the plan's.
func TestBuild_with_the_tag(t *testing.T) {
	if out, err := exec.Command("go", "vet", "-tags", "failpoint", ".").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if Enabled || Hit(StreamSent) != nil {
		t.Error("the plain build can fail on purpose")
	}
}
