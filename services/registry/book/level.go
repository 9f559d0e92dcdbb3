package book

import (
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// RaiseLevel records that an operator raised the log's level. What is owed stays as
// it is.
func (b *Book) RaiseLevel(level uint32, reason string) error {
	return b.write(&registryv1.Change{Resource: &registryv1.Change_LevelRaised{
		LevelRaised: &registryv1.LevelRaised{Level: level, Reason: reason}}}, 0)
}
