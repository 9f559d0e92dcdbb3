// Package event reads Cotmoc's facts: the subjects and headers under which they
// stand on NATS JetStream, and a Subscriber that sees each of them once, in
// order, through lost messages, rebuilt streams and times without NATS.
package event

import (
	"errors"
	"fmt"
	"strings"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// AllProgrammes is the subject token of events that belong to no programme.
const AllProgrammes = "all"

// root is the first token of every subject.
const root = "cotmoc"

// Entity is what an event is about, such as `milestone`; empty for a kind that
// this release does not know.
func Entity(e *eventv1.Event) string { entity, _ := kind(e); return entity }

// Name is what happened to the entity, such as `reached`; empty for a kind that
// this release does not know.
func Name(e *eventv1.Event) string { _, name := kind(e); return name }

// TargetToken is the id of the target or task that an event is about, or the word
// that stands in its place: `unit`, `programme`, `clock`.
func TargetToken(e *eventv1.Event) string { token, _ := place(e); return token }

// Path is the ids from the root to the unit that an event is about, joined by
// dots; empty where there is none, as for the clock.
func Path(e *eventv1.Event) string { _, path := place(e); return path }

// Subject is the subject of an event:
// `cotmoc.<programme>.<entity>.<event>.<target or task>.<unit path>`. It fails for
// a kind that this release does not know, and when an id could not be a token.
func Subject(e *eventv1.Event) (string, error) {
	entity, name := kind(e)
	if entity == "" {
		return "", errors.New("subject of an event of an unknown kind")
	}
	token, path := place(e)
	return join(e.GetProgramme(), entity, name, token, path)
}

// ProgressSubject is the subject of a total on the stream of last values.
func ProgressSubject(p *eventv1.ProgressChanged) (string, error) {
	return join(p.GetProgramme(), "progress", "changed", p.GetTarget(), p.GetPath())
}

// join makes a subject of its parts; an empty programme is all, an empty path none.
func join(programme, entity, name, token, path string) (string, error) {
	if programme == "" {
		programme = AllProgrammes
	}
	for _, part := range []string{programme, token} {
		if !isToken(part) {
			return "", fmt.Errorf("%q cannot be a subject token", part)
		}
	}
	s := root + "." + programme + "." + entity + "." + name + "." + token
	if path == "" {
		return s, nil
	}
	for rest, more := path, true; more; {
		var id string
		id, rest, more = strings.Cut(rest, ".")
		if !isToken(id) {
			return "", fmt.Errorf("unit path %q: %q cannot be a subject token", path, id)
		}
	}
	return s + "." + path, nil
}

// isToken reports whether s is made of lower-case letters, digits and hyphens.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// kind is an event's entity and name.
func kind(e *eventv1.Event) (entity, name string) {
	switch e.GetPayload().(type) {
	case *eventv1.Event_SubmissionAccepted:
		return "submission", "accepted"
	case *eventv1.Event_SubmissionWithdrawn:
		return "submission", "withdrawn"
	case *eventv1.Event_SubmissionApproved:
		return "submission", "approved"
	case *eventv1.Event_SubmissionReturned:
		return "submission", "returned"
	case *eventv1.Event_MilestoneReached:
		return "milestone", "reached"
	case *eventv1.Event_MilestoneRevoked:
		return "milestone", "revoked"
	case *eventv1.Event_MilestoneCarried:
		return "milestone", "carried"
	case *eventv1.Event_TaskCompleted:
		return "task", "completed"
	case *eventv1.Event_TaskReopened:
		return "task", "reopened"
	case *eventv1.Event_RegistryChanged:
		return "registry", "changed"
	case *eventv1.Event_ScopeChanged:
		return "scope", "changed"
	case *eventv1.Event_UnitMoved:
		return "unit", "moved"
	case *eventv1.Event_ClockSet:
		return "clock", "set"
	case *eventv1.Event_ClockTurned:
		return "clock", "turned"
	default:
		return kindOfReview(e)
	}
}

// kindOfReview is kind for what leaders are told and decide.
func kindOfReview(e *eventv1.Event) (entity, name string) {
	switch e.GetPayload().(type) {
	case *eventv1.Event_DeadlineDue:
		return "deadline", "due"
	case *eventv1.Event_DeadlineOverdue:
		return "deadline", "overdue"
	case *eventv1.Event_DeadlineExtended:
		return "deadline", "extended"
	case *eventv1.Event_FindingOpened:
		return "finding", "opened"
	case *eventv1.Event_FindingResolved:
		return "finding", "resolved"
	case *eventv1.Event_ClosingPublished:
		return "closing", "published"
	case *eventv1.Event_LogDeclared:
		return "log", "declared"
	default:
		return "", ""
	}
}

// place is an event's target token and unit path.
func place(e *eventv1.Event) (token, path string) {
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_SubmissionAccepted:
		return p.SubmissionAccepted.GetTarget(), p.SubmissionAccepted.GetPath()
	case *eventv1.Event_SubmissionWithdrawn:
		return p.SubmissionWithdrawn.GetTarget(), p.SubmissionWithdrawn.GetPath()
	case *eventv1.Event_SubmissionApproved:
		return p.SubmissionApproved.GetTarget(), p.SubmissionApproved.GetPath()
	case *eventv1.Event_SubmissionReturned:
		return p.SubmissionReturned.GetTarget(), p.SubmissionReturned.GetPath()
	case *eventv1.Event_MilestoneReached:
		return p.MilestoneReached.GetTarget(), p.MilestoneReached.GetPath()
	case *eventv1.Event_MilestoneRevoked:
		return p.MilestoneRevoked.GetTarget(), p.MilestoneRevoked.GetPath()
	case *eventv1.Event_MilestoneCarried:
		return p.MilestoneCarried.GetTarget(), p.MilestoneCarried.GetPath()
	case *eventv1.Event_TaskCompleted:
		return p.TaskCompleted.GetTask(), p.TaskCompleted.GetPath()
	case *eventv1.Event_TaskReopened:
		return p.TaskReopened.GetTask(), p.TaskReopened.GetPath()
	case *eventv1.Event_RegistryChanged:
		return changeToken(p.RegistryChanged.GetChange()), p.RegistryChanged.GetPath()
	case *eventv1.Event_ScopeChanged:
		return p.ScopeChanged.GetTarget(), p.ScopeChanged.GetPath()
	case *eventv1.Event_UnitMoved:
		return "unit", p.UnitMoved.GetPath()
	case *eventv1.Event_ClockSet, *eventv1.Event_ClockTurned:
		return "clock", ""
	default:
		return placeOfReview(e)
	}
}

// placeOfReview is place for what leaders are told and decide.
func placeOfReview(e *eventv1.Event) (token, path string) {
	switch p := e.GetPayload().(type) {
	case *eventv1.Event_DeadlineDue:
		return p.DeadlineDue.GetTarget(), p.DeadlineDue.GetPath()
	case *eventv1.Event_DeadlineOverdue:
		return p.DeadlineOverdue.GetTarget(), p.DeadlineOverdue.GetPath()
	case *eventv1.Event_DeadlineExtended:
		return p.DeadlineExtended.GetTarget(), p.DeadlineExtended.GetPath()
	case *eventv1.Event_FindingOpened:
		return p.FindingOpened.GetTarget(), p.FindingOpened.GetPath()
	case *eventv1.Event_FindingResolved:
		return p.FindingResolved.GetTarget(), p.FindingResolved.GetPath()
	case *eventv1.Event_ClosingPublished:
		return "closing", p.ClosingPublished.GetPath()
	case *eventv1.Event_LogDeclared:
		return "log", ""
	default:
		return "", ""
	}
}

// changeToken is the target token of a change of the registry. The id of a target
// or task is the fourth part of its name, and of an allocation's too.
func changeToken(c *registryv1.Change) string {
	name := ""
	switch r := c.GetResource().(type) {
	case *registryv1.Change_Programme:
		return "programme"
	case *registryv1.Change_Unit:
		return "unit"
	case *registryv1.Change_Calendar:
		return "calendar"
	case *registryv1.Change_LevelRaised:
		return "level"
	case *registryv1.Change_Regime:
		name = r.Regime.GetName()
	case *registryv1.Change_Task:
		name = r.Task.GetName()
	case *registryv1.Change_Target:
		name = r.Target.GetName()
	case *registryv1.Change_Allocation:
		name = r.Allocation.GetName()
	}
	parts := strings.SplitN(name, "/", 5)
	if len(parts) < 4 || parts[0] != "programmes" {
		return ""
	}
	return parts[3]
}
