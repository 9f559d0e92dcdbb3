// Package stream keeps a projection of a reporting ledger on NATS JetStream: the
// facts, number by number and byte by byte as they stand in the log, and the last
// value of each total. Nothing depends on NATS having kept them: what is lost is
// published again from the log, under the same numbers.
package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of the streams.
const (
	factsMaxBytes    = 64 << 30
	progressMaxBytes = 4 << 30
	// duplicates is short because nothing relies on it: the expected last sequence
	// is what keeps a number from being taken twice.
	duplicates = time.Second
)

// FactsName is the name of the stream of facts of an epoch.
func FactsName(epoch uint32) string { return fmt.Sprintf("COTMOC-FACTS-%d", epoch) }

// ProgressName is the name of the stream of last values of an epoch.
func ProgressName(epoch uint32) string { return fmt.Sprintf("COTMOC-PROGRESS-%d", epoch) }

// entities are the kinds of facts; progress is no fact.
var entities = []string{"submission", "milestone", "task", "registry", "scope", "unit", "clock"}

func factsConfig(epoch uint32) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: FactsName(epoch), Description: "Cotmoc's facts, with the numbers of the log",
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxBytes: factsMaxBytes, Duplicates: duplicates, DenyDelete: true, DenyPurge: true,
	}
	for _, e := range entities {
		c.Subjects = append(c.Subjects, "cotmoc.*."+e+".>")
	}
	return c
}

func progressConfig(epoch uint32) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: ProgressName(epoch), Description: "Last value of each of Cotmoc's totals",
		Subjects: []string{"cotmoc.*.progress.>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1,
		MaxBytes: progressMaxBytes, Duplicates: duplicates, AllowDirect: true,
	}
}

// EnsureStreams makes the streams of an epoch where there are none.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, epoch uint32) error {
	for _, c := range []jetstream.StreamConfig{factsConfig(epoch), progressConfig(epoch)} {
		if _, err := js.CreateOrUpdateStream(ctx, c); err != nil {
			return fmt.Errorf("make stream %s: %w", c.Name, err)
		}
	}
	return nil
}
