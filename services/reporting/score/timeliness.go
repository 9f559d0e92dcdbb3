package score

import "math/big"

// Class is the government's class of a task by its deadline.
type Class int

// The four classes. A task that is due today is in time all day.
const (
	CompletedOnTime Class = iota + 1
	CompletedLate
	PendingInTime
	PendingOverdue
)

// String returns the official name, such as COMPLETED_ON_TIME.
func (c Class) String() string {
	switch c {
	case CompletedOnTime:
		return "COMPLETED_ON_TIME"
	case CompletedLate:
		return "COMPLETED_LATE"
	case PendingInTime:
		return "PENDING_IN_TIME"
	case PendingOverdue:
		return "PENDING_OVERDUE"
	}
	return "UNSPECIFIED"
}

// Classify returns the class of a task. A completed one is judged by the day on which
// the finished product was submitted, whenever it was accepted, and today does not
// matter; a pending one by today, and completedOn does not matter.
func Classify(completed bool, completedOn, due, today int32) Class {
	switch {
	case completed && completedOn <= due:
		return CompletedOnTime
	case completed:
		return CompletedLate
	case today <= due:
		return PendingInTime
	}
	return PendingOverdue
}

// Timeliness counts tasks, or assignments, by class. The zero value counts none.
type Timeliness struct {
	CompletedOnTime, CompletedLate, PendingInTime, PendingOverdue int64
}

// Count returns the counts with one more of a class.
func (t Timeliness) Count(c Class) Timeliness {
	switch c {
	case CompletedOnTime:
		t.CompletedOnTime++
	case CompletedLate:
		t.CompletedLate++
	case PendingInTime:
		t.PendingInTime++
	case PendingOverdue:
		t.PendingOverdue++
	}
	return t
}

// Add returns the counts of two disjoint sets of tasks together.
func (t Timeliness) Add(u Timeliness) Timeliness {
	return Timeliness{
		CompletedOnTime: t.CompletedOnTime + u.CompletedOnTime,
		CompletedLate:   t.CompletedLate + u.CompletedLate,
		PendingInTime:   t.PendingInTime + u.PendingInTime,
		PendingOverdue:  t.PendingOverdue + u.PendingOverdue,
	}
}

// Completed is how many are completed, on time or late.
func (t Timeliness) Completed() int64 { return t.CompletedOnTime + t.CompletedLate }

// All is how many there are.
func (t Timeliness) All() int64 { return t.Completed() + t.PendingInTime + t.PendingOverdue }

// CompletionRateDue is completed / (completed + overdue): what is pending and still
// in time counts neither for nor against. It is nil when that is 0/0.
func (t Timeliness) CompletionRateDue() *big.Rat {
	return ratio(t.Completed(), t.Completed()+t.PendingOverdue)
}

// CompletionRateAll is completed / all, nil when there are none.
func (t Timeliness) CompletionRateAll() *big.Rat { return ratio(t.Completed(), t.All()) }
