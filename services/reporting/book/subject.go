package book

import (
	"strings"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// subjectKey stands for a subject of the stream: a kind of event about a measure
// and a unit at its present place in the tree.
type subjectKey struct {
	kind    subjectKind
	measure measureIx
	unit    unitIx
	place   uint32
	path    string // of unit.moved, which may name a path of another time, and of calendars
}

type subjectKind uint8

const (
	onNothing subjectKind = iota
	onAccepted
	onWithdrawn
	onReached
	onRevoked
	onCarried
	onCompleted
	onReopened
	onRegistry
	onScope
	onMoved
	onClockSet
	onClockTurned
	onDue
	onOverdue
	onExtended
	onFinding
	onSettled
	onClosing
	onApproved
	onReturned
	onDeclared
)

// subjectOf returns the subject of an event, by what the book knows now.
func (b *Book) subjectOf(e *eventv1.Event) subjectKey {
	about := func(kind subjectKind, target, path string) subjectKey {
		unit := b.unitIDs.Get(lastOf(path))
		return subjectKey{kind: kind, measure: b.measureIDs.Get(measureKey{e.GetProgramme(), target}), unit: unit, place: b.placeVersion(unit)}
	}
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_SubmissionAccepted:
		return about(onAccepted, p.SubmissionAccepted.GetTarget(), p.SubmissionAccepted.GetPath())
	case *eventv1.Event_SubmissionWithdrawn:
		return about(onWithdrawn, p.SubmissionWithdrawn.GetTarget(), p.SubmissionWithdrawn.GetPath())
	case *eventv1.Event_MilestoneReached:
		return about(onReached, p.MilestoneReached.GetTarget(), p.MilestoneReached.GetPath())
	case *eventv1.Event_MilestoneRevoked:
		return about(onRevoked, p.MilestoneRevoked.GetTarget(), p.MilestoneRevoked.GetPath())
	case *eventv1.Event_MilestoneCarried:
		return about(onCarried, p.MilestoneCarried.GetTarget(), p.MilestoneCarried.GetPath())
	case *eventv1.Event_SubmissionApproved:
		return about(onApproved, p.SubmissionApproved.GetTarget(), p.SubmissionApproved.GetPath())
	case *eventv1.Event_SubmissionReturned:
		return about(onReturned, p.SubmissionReturned.GetTarget(), p.SubmissionReturned.GetPath())
	case *eventv1.Event_DeadlineDue:
		return about(onDue, p.DeadlineDue.GetTarget(), p.DeadlineDue.GetPath())
	case *eventv1.Event_DeadlineOverdue:
		return about(onOverdue, p.DeadlineOverdue.GetTarget(), p.DeadlineOverdue.GetPath())
	case *eventv1.Event_DeadlineExtended:
		return about(onExtended, p.DeadlineExtended.GetTarget(), p.DeadlineExtended.GetPath())
	case *eventv1.Event_FindingOpened:
		return about(onFinding, p.FindingOpened.GetTarget(), p.FindingOpened.GetPath())
	case *eventv1.Event_FindingResolved:
		return about(onSettled, p.FindingResolved.GetTarget(), p.FindingResolved.GetPath())
	case *eventv1.Event_ClosingPublished:
		return about(onClosing, "", p.ClosingPublished.GetPath())
	case *eventv1.Event_TaskCompleted:
		return about(onCompleted, p.TaskCompleted.GetTask(), p.TaskCompleted.GetPath())
	case *eventv1.Event_TaskReopened:
		return about(onReopened, p.TaskReopened.GetTask(), p.TaskReopened.GetPath())
	case *eventv1.Event_RegistryChanged:
		if p.RegistryChanged.GetChange().GetCalendar() != nil { // of no programme and no unit, as the first unit is
			return subjectKey{kind: onRegistry, path: "calendar"}
		}
		if p.RegistryChanged.GetChange().GetLevelRaised() != nil {
			return subjectKey{kind: onRegistry, path: "level"}
		}
		return about(onRegistry, b.registrySubject(e.GetProgramme(), p.RegistryChanged.GetChange()), p.RegistryChanged.GetPath())
	case *eventv1.Event_ScopeChanged:
		return about(onScope, p.ScopeChanged.GetTarget(), p.ScopeChanged.GetPath())
	case *eventv1.Event_UnitMoved:
		return subjectKey{kind: onMoved, path: p.UnitMoved.GetPath()}
	case *eventv1.Event_ClockSet:
		return subjectKey{kind: onClockSet}
	case *eventv1.Event_ClockTurned:
		return subjectKey{kind: onClockTurned}
	case *eventv1.Event_LogDeclared:
		return subjectKey{kind: onDeclared}
	}
	return subjectKey{}
}

// registrySubject is the id of a measure that stands for the subject of a
// registry change: its own, or for a programme the first of its derived counts,
// on which there is no registry change of its own.
func (b *Book) registrySubject(programme string, c *registryv1.Change) string {
	switch r := c.GetResource().(type) {
	case *registryv1.Change_Target:
		return idOf(r.Target.GetName())
	case *registryv1.Change_Task:
		return idOf(r.Task.GetName())
	case *registryv1.Change_Regime:
		return idOf(r.Regime.GetName())
	case *registryv1.Change_Allocation:
		_, target, _ := allocationIDs(r.Allocation.GetName())
		return target
	case *registryv1.Change_Programme:
		return derivations()[0].id()
	}
	return ""
}

// previousOn returns the number of the last event on the subject k of an event
// that was not applied yet.
func (b *Book) previousOn(k subjectKey, e *eventv1.Event) uint64 {
	if k.kind == onRegistry && k.measure == 0 && e.GetProgramme() != "" {
		return 0 // the first about a programme, target or task
	}
	if k.kind != onAccepted {
		return b.subjects.Get(k)
	}
	s := b.sheet(sheetKey{k.measure, Current})
	if s == nil {
		return 0
	}
	if n := s.nodes.Peek(k.unit); n != nil && n.rev == k.place {
		return n.last()
	}
	return 0
}

// remember makes an event the last on its subject, after it was applied. For
// accepted submissions see applyAt.
func (b *Book) remember(e *eventv1.Event) { b.subjects.Set(b.subjectOf(e), e.GetSequence()) }

// idOf returns the last part of a resource name.
func idOf(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// programmeOf returns the programme's id in a resource name under one.
func programmeOf(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) < 2 || parts[0] != "programmes" {
		return ""
	}
	return parts[1]
}

// allocationIDs reads the name of an allocation.
func allocationIDs(name string) (programme, target, unit string) {
	parts := strings.Split(name, "/")
	if len(parts) != 6 {
		return "", "", ""
	}
	return parts[1], parts[3], parts[5]
}
