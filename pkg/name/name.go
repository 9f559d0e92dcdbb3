// Package name reads and writes the names of Cotmoc's resources and the paths
// of units. It promises that whatever Parse accepts, Name gives back byte for
// byte, and that no name that breaks the contract's limits is accepted.
package name

import (
	"fmt"
	"strings"
)

// Lengths of ids, in bytes, as in the contract.
const (
	MaxUnit  = 40 // units and levels
	MaxLevel = 40
	MaxID    = 60 // programmes, tasks, targets, regimes, calendars, pillars, groups, instruments
)

// Programme is a programme's id.
type Programme string

// Unit is a unit's id.
type Unit string

// Task names a task.
type Task struct {
	Programme Programme
	ID        string
}

// Target names a target.
type Target struct {
	Programme Programme
	ID        string
}

// Regime names a duty to report.
type Regime struct {
	Programme Programme
	ID        string
}

// Calendar is a calendar's id.
type Calendar string

// Allocation names a target's goal for one unit.
type Allocation struct {
	Target Target
	Unit   Unit
}

// Name returns `programmes/{programme}`.
func (p Programme) Name() string { return "programmes/" + string(p) }

// Name returns `units/{unit}`.
func (u Unit) Name() string { return "units/" + string(u) }

// Name returns `programmes/{programme}/tasks/{task}`.
func (t Task) Name() string { return t.Programme.Name() + "/tasks/" + t.ID }

// Name returns `programmes/{programme}/targets/{target}`.
func (t Target) Name() string { return t.Programme.Name() + "/targets/" + t.ID }

// Name returns `programmes/{programme}/regimes/{regime}`.
func (r Regime) Name() string { return r.Programme.Name() + "/regimes/" + r.ID }

// Name returns `calendars/{calendar}`.
func (c Calendar) Name() string { return "calendars/" + string(c) }

// Name returns `programmes/{programme}/targets/{target}/allocations/{unit}`.
func (a Allocation) Name() string { return a.Target.Name() + "/allocations/" + string(a.Unit) }

// ParseProgramme reads `programmes/{programme}`.
func ParseProgramme(s string) (Programme, error) {
	ids, err := split(s, "programmes")
	if err != nil {
		return "", err
	}
	return Programme(ids[0]), nil
}

// ParseUnit reads `units/{unit}`.
func ParseUnit(s string) (Unit, error) {
	ids, err := split(s, "units")
	if err != nil {
		return "", err
	}
	return Unit(ids[0]), nil
}

// ParseTask reads `programmes/{programme}/tasks/{task}`.
func ParseTask(s string) (Task, error) {
	ids, err := split(s, "programmes", "tasks")
	if err != nil {
		return Task{}, err
	}
	return Task{Programme: Programme(ids[0]), ID: ids[1]}, nil
}

// ParseTarget reads `programmes/{programme}/targets/{target}`.
func ParseTarget(s string) (Target, error) {
	ids, err := split(s, "programmes", "targets")
	if err != nil {
		return Target{}, err
	}
	return Target{Programme: Programme(ids[0]), ID: ids[1]}, nil
}

// ParseRegime reads `programmes/{programme}/regimes/{regime}`.
func ParseRegime(s string) (Regime, error) {
	ids, err := split(s, "programmes", "regimes")
	if err != nil {
		return Regime{}, err
	}
	return Regime{Programme: Programme(ids[0]), ID: ids[1]}, nil
}

// ParseCalendar reads `calendars/{calendar}`.
func ParseCalendar(s string) (Calendar, error) {
	ids, err := split(s, "calendars")
	if err != nil {
		return "", err
	}
	return Calendar(ids[0]), nil
}

// ParseAllocation reads `programmes/{programme}/targets/{target}/allocations/{unit}`.
func ParseAllocation(s string) (Allocation, error) {
	ids, err := split(s, "programmes", "targets", "allocations")
	if err != nil {
		return Allocation{}, err
	}
	return Allocation{Target{Programme(ids[0]), ids[1]}, Unit(ids[2])}, nil
}

// split reads `c1/{id1}/c2/{id2}…` for the given collections and checks each id.
func split(s string, collections ...string) ([]string, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2*len(collections) {
		return nil, fmt.Errorf("%.80q is not of the form %s", s, form(collections))
	}
	ids := make([]string, len(collections))
	for i, c := range collections {
		if parts[2*i] != c {
			return nil, fmt.Errorf("%.80q is not of the form %s", s, form(collections))
		}
		limit := MaxID
		if c == "units" || c == "allocations" {
			limit = MaxUnit
		}
		ids[i] = parts[2*i+1]
		if err := CheckID(ids[i], limit); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// form shows how a name of these collections looks.
func form(collections []string) string {
	var b strings.Builder
	for i, c := range collections {
		if i > 0 {
			b.WriteByte('/')
		}
		one := strings.TrimSuffix(c, "s")
		if c == "allocations" {
			one = "unit"
		}
		fmt.Fprintf(&b, "%s/{%s}", c, one)
	}
	return b.String()
}
