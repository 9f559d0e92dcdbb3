package bulk

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// BatchSize is how many resources go in one call, the most that the contract allows.
const BatchSize = 1000

// Batch is the writes of one call.
type Batch struct {
	Writes []*registryv1.Write
	Own    int   // writes before this one are only there for the others to stand on
	Lines  []int // line of each write in its file; nil when lines mean nothing
}

// Batches cuts writes into batches, in their order.
func Batches(writes []*registryv1.Write) []Batch {
	var batches []Batch
	for len(writes) > 0 {
		n := min(BatchSize, len(writes))
		batches = append(batches, Batch{Writes: writes[:n]})
		writes = writes[n:]
	}
	return batches
}

// Counts is what became of writes.
type Counts struct{ Created, Updated, Unchanged int }

// Total is how many there were.
func (c Counts) Total() int { return c.Created + c.Updated + c.Unchanged }

// String tells it in words.
func (c Counts) String() string {
	return fmt.Sprintf("%d created, %d updated, %d unchanged", c.Created, c.Updated, c.Unchanged)
}

// Outcome is what became of everything, in all and by kind of resource.
type Outcome struct {
	Counts
	Kinds    map[string]*Counts
	Revision int64 // the registry's, after the last batch
}

// Options is how to write.
type Options struct {
	CheckOnly bool
	Moved     func(n int) // told how many more are done; may be nil
}

// Write writes batches one after the other. Each is whole or not at all; writing
// what is there already changes nothing, so after an error the same can be written
// again. The error names the line or the resource.
func Write(ctx context.Context, registry registryv1.RegistryAdminServiceClient, batches []Batch, o Options) (Outcome, error) {
	all := Outcome{Kinds: make(map[string]*Counts)}
	for _, b := range batches {
		resp, err := write(ctx, registry, &registryv1.BatchWriteRequest{Writes: b.Writes, ValidateOnly: o.CheckOnly})
		if err != nil {
			return all, b.explain(err)
		}
		all.Revision = resp.GetRevision()
		for i, r := range resp.GetResults()[b.Own:] {
			all.count(Kind(b.Writes[b.Own+i]), r.GetOutcome())
		}
		if o.Moved != nil {
			o.Moved(len(b.Writes) - b.Own)
		}
	}
	return all, nil
}

// tries is how often a batch is sent when the registry is away or busy.
const tries = 5

// write sends a batch, again when its fate is unknown: a batch that was written
// comes back as unchanged.
func write(ctx context.Context, registry registryv1.RegistryAdminServiceClient, req *registryv1.BatchWriteRequest) (*registryv1.BatchWriteResponse, error) {
	pause := 100 * time.Millisecond
	for try := 1; ; try++ {
		resp, err := registry.BatchWrite(ctx, req)
		if err == nil || try == tries || !passing(err) {
			return resp, err
		}
		if asked, ok := apierr.RetryDelay(err); ok {
			pause = max(pause, asked)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// passing reports whether the same call may succeed later.
func passing(err error) bool {
	e, _ := apierr.Parse(err)
	return e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted
}

func (o *Outcome) count(kind string, outcome registryv1.WriteOutcome) {
	one, ok := o.Kinds[kind]
	if !ok {
		one = new(Counts)
		o.Kinds[kind] = one
	}
	for _, c := range []*Counts{one, &o.Counts} {
		switch outcome {
		case registryv1.WriteOutcome_WRITE_OUTCOME_CREATED:
			c.Created++
		case registryv1.WriteOutcome_WRITE_OUTCOME_UPDATED:
			c.Updated++
		default:
			c.Unchanged++
		}
	}
}

// explain puts the line or the name of the refused resource before an error. Field
// paths begin with its place in the batch.
func (b *Batch) explain(err error) error {
	refused, ok := apierr.Parse(err)
	words := show.Refusal(err)
	if !ok {
		return words
	}
	found := regexp.MustCompile(`^writes\[([0-9]+)\]`).FindStringSubmatch(refused.Field)
	if found == nil {
		return words
	}
	i, parseErr := strconv.Atoi(found[1])
	if parseErr != nil || i >= len(b.Writes) {
		return words
	}
	where := Name(b.Writes[i])
	if b.Lines != nil {
		where = fmt.Sprintf("line %d: %s", b.Lines[i], where)
	}
	return errors.New(where + ": " + words.Error())
}
