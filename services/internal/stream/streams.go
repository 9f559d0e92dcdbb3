// Package stream shows a ledger as a JetStream stream, number by number and byte by
// byte: event n of the log is message n of the stream. The log is the truth; the
// stream is a projection that can be lost and is then made again, with the same
// numbers.
package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What the streams may take on disk. Beyond it the oldest messages go; who needs
// them reads the log.
const (
	factsBytes    = 64 << 30
	progressBytes = 4 << 30
	leastBytes    = 64 << 20
)

// errCodeStorage is the server's answer when a stream asks for more than it may have.
const errCodeStorage jetstream.ErrorCode = 10047

// FactsName names the stream of facts of an epoch.
func FactsName(epoch uint32) string { return fmt.Sprintf("COTMOC-FACTS-%d", epoch) }

// ProgressName names the stream of last values of an epoch.
func ProgressName(epoch uint32) string { return fmt.Sprintf("COTMOC-PROGRESS-%d", epoch) }

// Facts is the stream of facts: the log, message by message. Nobody can delete a
// message or purge it.
func Facts(epoch uint32) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: FactsName(epoch), Description: "Facts, numbered as in the log",
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxBytes: factsBytes, DenyDelete: true, DenyPurge: true,
		// Numbers keep doubles out; the window only costs memory.
		Duplicates: 100 * time.Millisecond,
	}
	for _, entity := range []string{"submission", "milestone", "task", "registry", "scope", "unit", "clock", "deadline", "finding", "closing"} {
		c.Subjects = append(c.Subjects, "cotmoc.*."+entity+".>")
	}
	return c
}

// Progress is the stream that keeps the last value of each total.
func Progress(epoch uint32) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: ProgressName(epoch), Description: "The last value of each total",
		Subjects: []string{"cotmoc.*.progress.>"},
		Storage:  jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: 1, MaxBytes: progressBytes, Duplicates: 100 * time.Millisecond,
	}
}

// EnsureStreams makes the two streams of an epoch where they are missing, and
// brings what the product relies on in order where they are there. A server that
// grants less room than asked for gets streams of half the size, and so on.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, epoch uint32) error {
	for _, c := range []jetstream.StreamConfig{Facts(epoch), Progress(epoch)} {
		if err := ensure(ctx, js, c); err != nil {
			return fmt.Errorf("stream %s: %w", c.Name, err)
		}
	}
	return nil
}

func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return create(ctx, js, want)
	}
	if err != nil {
		return err
	}
	have := s.CachedInfo().Config
	if slices.Equal(have.Subjects, want.Subjects) && have.DenyDelete == want.DenyDelete && have.DenyPurge == want.DenyPurge &&
		have.MaxMsgsPerSubject == want.MaxMsgsPerSubject && have.MaxBytes > 0 {
		return nil // sizes are the operator's
	}
	have.Subjects, have.DenyDelete, have.DenyPurge = want.Subjects, want.DenyDelete, want.DenyPurge
	have.MaxMsgsPerSubject = want.MaxMsgsPerSubject
	if have.MaxBytes <= 0 {
		have.MaxBytes = want.MaxBytes
	}
	_, err = js.UpdateStream(ctx, have)
	return err
}

func create(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) error {
	for {
		_, err := js.CreateStream(ctx, c)
		var api *jetstream.APIError
		if errors.As(err, &api) && api.ErrorCode == errCodeStorage && c.MaxBytes/2 >= leastBytes {
			c.MaxBytes /= 2
			continue
		}
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil // another replica was faster
		}
		return err
	}
}

// Subjects returns the subjects on which a stream has messages, and how many.
func Subjects(ctx context.Context, js jetstream.JetStream, name string) (map[string]uint64, error) {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return nil, fmt.Errorf("subjects of stream %s: %w", name, err)
	}
	return info.State.Subjects, nil
}
