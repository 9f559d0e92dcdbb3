// Package stream shows a ledger as a JetStream stream, number by number and byte by
// byte: event n of the log is message n of the stream. The log is the truth; the
// stream is a projection that can be lost and is then made again, with the same
// numbers.
//
// Each epoch of the log has streams of its own, which hold the whole log as it is in
// that epoch. Those of earlier epochs are kept, and take nothing more.
package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// The server's answers when a stream asks for more than it may have: alone, and in a
// cluster, where it is one of several reasons.
const (
	errCodeStorage jetstream.ErrorCode = 10047
	errCodeNoPeers jetstream.ErrorCode = 10005
)

// family is the streams of one kind, one an epoch.
type family struct {
	prefix string // of their names
	token  string // in the subject of one whose epoch is over
	config func(epoch uint32) jetstream.StreamConfig
}

func factsFamily() family    { return family{"COTMOC-FACTS-", "facts", Facts} }
func progressFamily() family { return family{"COTMOC-PROGRESS-", "progress", Progress} }

// epochOf is the epoch of a stream of the family, 0 for another name.
func (f family) epochOf(name string) uint32 {
	digits, ok := strings.CutPrefix(name, f.prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || digits != strconv.FormatUint(n, 10) {
		return 0
	}
	return uint32(n)
}

// over are the subjects of a stream whose epoch is over: a name of its own on which
// nobody publishes.
func (f family) over(epoch uint32) []string {
	return []string{fmt.Sprintf("cotmoc-epoch-%d.%s.>", epoch, f.token)}
}

// FactsName names the stream of facts of an epoch.
func FactsName(epoch uint32) string {
	return factsFamily().prefix + strconv.FormatUint(uint64(epoch), 10)
}

// ProgressName names the stream of last values of an epoch.
func ProgressName(epoch uint32) string {
	return progressFamily().prefix + strconv.FormatUint(uint64(epoch), 10)
}

// BoardSubject is where the publisher of last values shows that it is at work, on
// the stream of last values. No filter of a subscriber covers it.
func BoardSubject(epoch uint32) string { return fmt.Sprintf("cotmoc-board.%d", epoch) }

// Facts is the stream of facts: the log, message by message. Nobody can delete a
// message or purge it.
func Facts(epoch uint32) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: FactsName(epoch), Description: "Facts, numbered as in the log",
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxBytes: factsBytes, DenyDelete: true, DenyPurge: true, Replicas: 1,
		// Numbers keep doubles out; the window only costs memory.
		Duplicates: 100 * time.Millisecond,
	}
	for _, entity := range []string{"submission", "milestone", "task", "registry", "scope", "unit", "clock", "deadline", "finding", "closing", "log"} {
		c.Subjects = append(c.Subjects, "cotmoc.*."+entity+".>")
	}
	return c
}

// Progress is the stream that keeps the last value of each total.
func Progress(epoch uint32) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: ProgressName(epoch), Description: "The last value of each total",
		Subjects: []string{"cotmoc.*.progress.>", BoardSubject(epoch)},
		Storage:  jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: 1, MaxBytes: progressBytes, Duplicates: 100 * time.Millisecond, Replicas: 1,
	}
}

// EnsureStreams makes the two streams of an epoch where they are missing, and
// brings what the product relies on in order where they are there. Each is kept on
// so many servers of the cluster. A server that grants less room than asked for gets
// streams of half the size, and so on. Streams of earlier epochs give up their
// subjects; where there are such of a later one, it fails.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, epoch uint32, replicas int) error {
	for _, f := range []family{factsFamily(), progressFamily()} {
		if err := ensure(ctx, js, f, epoch, replicas); err != nil {
			return fmt.Errorf("stream %s: %w", f.config(epoch).Name, err)
		}
	}
	return nil
}

// errLater says that there is a stream of a later epoch.
var errLater = errors.New("there is a stream of a later epoch")

func ensure(ctx context.Context, js jetstream.JetStream, f family, epoch uint32, replicas int) error {
	if err := retire(ctx, js, f, epoch); err != nil {
		return err
	}
	want := f.config(epoch)
	want.Replicas = max(replicas, 1)
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return create(ctx, js, want)
	}
	if err != nil {
		return err
	}
	have := s.CachedInfo().Config
	if slices.Equal(have.Subjects, want.Subjects) && have.DenyDelete == want.DenyDelete && have.DenyPurge == want.DenyPurge &&
		have.MaxMsgsPerSubject == want.MaxMsgsPerSubject && have.MaxBytes > 0 && have.Replicas >= want.Replicas {
		return nil // sizes are the operator's
	}
	have.Subjects, have.DenyDelete, have.DenyPurge = want.Subjects, want.DenyDelete, want.DenyPurge
	have.MaxMsgsPerSubject, have.Replicas = want.MaxMsgsPerSubject, max(have.Replicas, want.Replicas)
	if have.MaxBytes <= 0 {
		have.MaxBytes = want.MaxBytes
	}
	_, err = js.UpdateStream(ctx, have)
	return err
}

// epochs lists of which epochs the family has streams.
func (f family) epochs(ctx context.Context, js jetstream.JetStream) ([]uint32, error) {
	var out []uint32
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if n := f.epochOf(name); n > 0 {
			out = append(out, n)
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	slices.Sort(out)
	return out, nil
}

// retire makes the streams of earlier epochs give up their subjects, which those of
// this one need. A message that is still sent to them is then refused.
func retire(ctx context.Context, js jetstream.JetStream, f family, epoch uint32) error {
	all, err := f.epochs(ctx, js)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n > epoch {
			return fmt.Errorf("%w: %s%d", errLater, f.prefix, n)
		}
		if n == epoch {
			continue
		}
		s, err := js.Stream(ctx, f.config(n).Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		c := s.CachedInfo().Config
		if slices.Equal(c.Subjects, f.over(n)) {
			continue
		}
		c.Subjects = f.over(n)
		if _, err := js.UpdateStream(ctx, c); err != nil {
			return fmt.Errorf("take its subjects from stream %s: %w", c.Name, err)
		}
	}
	return nil
}

func create(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) error {
	for {
		_, err := js.CreateStream(ctx, c)
		if noRoom(err) && c.MaxBytes/2 >= leastBytes {
			c.MaxBytes /= 2
			continue
		}
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil // another replica was faster
		}
		return err
	}
}

// noRoom reports whether a server or a cluster refused a stream for its size.
func noRoom(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == errCodeStorage ||
		api.ErrorCode == errCodeNoPeers && strings.Contains(api.Description, "insufficient storage"))
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
