package book

import (
	"math/big"

	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// TaskFilter says which tasks to count.
type TaskFilter struct {
	Basis         typev1.CountingBasis
	Form          typev1.TaskForm
	Audience      typev1.Audience // not set: both
	Pillar, Group string          // empty: all
}

// TaskFilters are the counts of tasks that every programme has: one for each form,
// audience and basis.
func TaskFilters() []TaskFilter {
	var out []TaskFilter
	for _, d := range derivations() {
		out = append(out, TaskFilter{Basis: d.basis, Form: d.form, Audience: d.audience})
	}
	return out
}

// CountTasks counts the tasks of a programme that are complete, of all, by the
// stated basis, as they stood on a day. For today, without a pillar or group, it
// reads the derived counts, which are kept; else it adds up the tasks.
func (b *Book) CountTasks(programme string, f TaskFilter, day calendar.Date) (Tally, error) {
	var total Tally
	for _, d := range derivations() {
		if d.form != f.Form || d.basis != f.Basis || f.Audience != 0 && d.audience != f.Audience {
			continue
		}
		part := b.derivedTotal(programme, d)
		if f.Pillar != "" || f.Group != "" || day < b.today {
			part = b.addTasks(programme, d, f, day)
		}
		var err error
		if total, err = total.Add(part); err != nil {
			return Tally{}, err
		}
	}
	return total, nil
}

func (b *Book) derivedTotal(programme string, d derivation) Tally {
	m := b.MeasureByID(programme, d.id())
	if m == nil {
		return Tally{}
	}
	return b.sum(sheetKey{m.ix, Current}, b.unitIDs.Get(m.root))
}

// addTasks adds up the tasks of one derived count that the filter keeps.
func (b *Book) addTasks(programme string, d derivation, f TaskFilter, day calendar.Date) Tally {
	var total Tally
	for _, m := range b.measuresOf(programme) {
		if m.task == nil || m.task.GetForm() != d.form || m.task.GetAudience() != d.audience ||
			f.Pillar != "" && m.task.GetPillar() != f.Pillar || f.Group != "" && m.task.GetGroup() != f.Group {
			continue
		}
		s := b.ViewAsOf(m, day).s
		if !b.Spend(1 + len(m.task.GetAssignments())) {
			break
		}
		sum := s.sum(b.unitIDs.Get(m.root))
		if d.basis == typev1.CountingBasis_COUNTING_BASIS_TASK {
			sum = asOne(sum, b.isCompleteIn(m, s))
		}
		total, _ = total.Add(sum) // numbers of units: far below the range
	}
	return total
}

// asOne counts a task once, whatever the number of its units.
func asOne(sum Tally, complete bool) Tally {
	exists := sign(sum.Expected)
	return Tally{Num: int64(intOf(complete)), Den: int64(exists), Reporting: sign(sum.Reporting), Expected: exists}
}

// TaskPercent is a count of tasks in percent, for display, with two decimals; empty
// when there are none.
func TaskPercent(t Tally) string {
	if t.Den == 0 {
		return ""
	}
	return Percent(big.NewInt(t.Num), big.NewInt(t.Den), 2)
}
