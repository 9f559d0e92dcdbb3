package book

import (
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// Declare records that an operator began the block's epoch, or raised the log to this
// level. It moves no figure.
func (b *Book) Declare(level uint32, reason string) {
	b.emit(&eventv1.Event{Payload: &eventv1.Event_LogDeclared{
		LogDeclared: &eventv1.LogDeclared{Epoch: b.stamp.Epoch, Level: level, Reason: reason}}}, nil)
}

// levelRaised notes a raise of the registry's level, which is a change of no resource.
func (b *Book) levelRaised(c *registryv1.Change) { b.record(c, "", 0) }
