// Package check holds what must be true of a pair after anything that was done to
// it: pure checkers, each fed with what clients were told, what the log lists and what
// subscribers were given. None of them uses the services' own rules.
package check

import "fmt"

// most is how many breaches a report spells out.
const most = 20

// Report is the outcome of one checker.
type Report struct {
	Name     string
	Looked   int      // things that were looked at
	Breaches []string // what does not hold, the first of them
	More     int      // breaches that are not spelt out
}

// Held reports whether everything holds and anything was looked at: a checker that
// saw nothing has shown nothing.
func (r *Report) Held() bool { return len(r.Breaches) == 0 && r.Looked > 0 }

func (r *Report) breach(format string, args ...any) {
	if len(r.Breaches) == most {
		r.More++
		return
	}
	r.Breaches = append(r.Breaches, fmt.Sprintf(format, args...))
}

// Fail adds a breach that somebody else found.
func (r *Report) Fail(err error) { r.breach("%v", err) }

// String is one line, and one more for each breach.
func (r *Report) String() string {
	s := fmt.Sprintf("%-12s %8d looked at, ", r.Name, r.Looked)
	if r.Held() {
		return s + "holds"
	}
	if len(r.Breaches) == 0 {
		return s + "nothing to hold"
	}
	s += fmt.Sprintf("%d DO NOT HOLD", len(r.Breaches)+r.More)
	for _, b := range r.Breaches {
		s += "\n    " + b
	}
	return s
}
