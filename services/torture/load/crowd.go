package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/client"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/torture/check"
)

// Crowd is everybody who reports, with what they were told. It outlives clients and
// rounds: each operation of each cell is kept, from the first.
type Crowd struct {
	Nation Nation
	Seed   uint64

	began   time.Time
	number  atomic.Int64  // of the next request
	highest atomic.Uint64 // newest event that anybody was told of
	calls   atomic.Uint64
	slowest atomic.Int64

	mu       sync.Mutex
	sent     map[string]bool
	acks     []check.Ack
	ops      map[check.Cell][]check.Op
	known    map[check.Cell]version
	failures []string
	unknown  int
	journal  *bufio.Writer
	file     *os.File
}

// version is what is known of a cell.
type version struct {
	revision uint32
	set      bool // it surely holds a value at that revision
}

// reads is the part of the operations that only looks, in percent.
const reads = 20

// mostPerCell keeps cells decidable: a cell with so many operations gets no more.
const mostPerCell = check.MostOps - 200

// NewCrowd returns a crowd that writes each request down in dir before it sends it.
func NewCrowd(n Nation, seed uint64, dir string) (*Crowd, error) {
	f, err := os.Create(filepath.Join(dir, "requests.log"))
	if err != nil {
		return nil, fmt.Errorf("journal of requests: %w", err)
	}
	return &Crowd{Nation: n, Seed: seed, began: time.Now(), sent: make(map[string]bool), ops: make(map[check.Cell][]check.Op),
		known: make(map[check.Cell]version), file: f, journal: bufio.NewWriter(f)}, nil
}

// Close ends the journal.
func (c *Crowd) Close() error { return errors.Join(c.journal.Flush(), c.file.Close()) }

// Plan is one run of the crowd.
type Plan struct {
	Round   uint64 // makes the run differ from others of the same seed
	Workers int
	Shared  int           // how many cells all fight over,
	Fights  int           // with which part of the operations, in percent
	Pause   time.Duration // between a worker's operations
	Answer  time.Duration // how long a worker waits for one answer, all attempts included
	Clients []*client.Client
	// Calls ends the calls that are under way when it ends; nil: they go on to their answer.
	Calls context.Context
}

// Run lets workers operate until ctx ends; the operations that are under way then
// are brought to their end.
func (c *Crowd) Run(ctx context.Context, p Plan) {
	random := rand.New(rand.NewPCG(c.Seed, p.Round))
	shared := make([]check.Cell, p.Shared)
	for i := range shared {
		shared[i] = c.Nation.Cell(random.IntN(c.Nation.Cells()))
	}
	var work sync.WaitGroup
	for i := range p.Workers {
		w := &worker{Crowd: c, id: i, plan: p, client: p.Clients[i%len(p.Clients)], shared: shared,
			random: rand.New(rand.NewPCG(c.Seed, p.Round<<16+uint64(i)+1))}
		work.Go(func() {
			for ctx.Err() == nil {
				w.operate()
				if p.Pause > 0 {
					time.Sleep(p.Pause)
				}
			}
		})
	}
	work.Wait()
}

// worker is one client of the crowd, for one run.
type worker struct {
	*Crowd
	id     int
	plan   Plan
	client *client.Client
	shared []check.Cell
	random *rand.Rand
}

// operate does one thing to one cell.
func (w *worker) operate() {
	cell := w.Nation.Cell(w.random.IntN(w.Nation.Cells()))
	if len(w.shared) > 0 && w.random.IntN(100) < w.plan.Fights {
		cell = w.shared[w.random.IntN(len(w.shared))]
	}
	if !w.room(cell) {
		return
	}
	calls := w.plan.Calls
	if calls == nil {
		calls = context.Background()
	}
	ctx, cancel := context.WithTimeout(calls, w.plan.Answer)
	defer cancel()
	if w.random.IntN(100) < reads {
		w.read(ctx, cell)
		return
	}
	w.write(ctx, cell)
}

// room reports whether the cell can take one more operation and stay decidable.
func (c *Crowd) room(cell check.Cell) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ops[cell]) < mostPerCell
}

// read asks for the cell as it is after everything that anybody was told of.
func (w *worker) read(ctx context.Context, cell check.Cell) {
	op := check.Op{Client: w.id, Read: true, Call: time.Since(w.began)}
	op.Asked = w.highest.Load() // after Call: what was told before it is in it
	req := &reportingv1.GetFigureRequest{Key: key(cell.Target, cell.Unit, cell.Period), MinSequence: op.Asked}
	resp, err := w.client.Progress().GetFigure(ctx, req)
	w.calls.Add(1)
	if err != nil {
		if e, _ := apierr.Parse(err); passing(e.Code) || ctx.Err() != nil {
			return // a read without an answer says nothing
		}
		w.fail("read %v: %v", cell, err)
		return
	}
	own := resp.GetFigure().GetOwn()
	op.Sequence = resp.GetFigure().GetSequence()
	w.raise(op.Sequence)
	op.Return, op.Revision = time.Since(w.began), own.GetRevision()
	if op.Set = own.GetState() == eventv1.CellState_CELL_STATE_REPORTED; op.Set {
		op.Value = own.GetTally().GetNumerator()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops[cell] = append(w.ops[cell], op)
	w.learn(cell, version{own.GetRevision(), op.Set})
}

// write submits, corrects or withdraws, and returns the receipt; nil for another end.
func (w *worker) write(ctx context.Context, cell check.Cell) *reportingv1.Receipt {
	number := w.number.Add(1)
	s, num, den := submission(cell, w.random, number)
	id := fmt.Sprintf("r%d", number)
	w.mu.Lock()
	s.ExpectedRevision = w.known[cell].revision
	withdraw := w.known[cell].set && w.random.IntN(12) == 0
	w.sent[id] = true
	fmt.Fprintf(w.journal, "%s %v %d/%d withdraw=%t after %d\n", id, cell, num, den, withdraw, s.ExpectedRevision)
	w.mu.Unlock()
	if s.ExpectedRevision > 0 {
		s.Reason = "rà soát"
	}
	if withdraw {
		s.Value, num, den = &reportingv1.Submission_Withdrawal{Withdrawal: &reportingv1.Withdrawal{}}, 0, 0
	}
	op := check.Op{Client: w.id, Set: !withdraw, Value: num, Expected: s.ExpectedRevision, Call: time.Since(w.began)}
	receipt, err := w.client.Submit(ctx, Programme, s, client.WithRequestID(id))
	// Told to all before it has returned: who begins after that asks for it. The other
	// way round a read in between asks for less, and a replica that is behind is blamed.
	op.Sequence = toldBy(receipt, err)
	w.raise(op.Sequence)
	op.Return = time.Since(w.began)
	w.calls.Add(1)
	w.slow(op.Return - op.Call)
	w.settle(cell, op, check.Ack{Cell: cell, RequestID: id, Withdrawn: withdraw, Num: num, Den: den,
		Sequence: receipt.GetSequence(), Revision: receipt.GetRevision()}, err)
	if err != nil {
		return nil
	}
	return receipt
}

// settle keeps how a write ended.
func (w *worker) settle(cell check.Cell, op check.Op, ack check.Ack, err error) {
	e, ours := apierr.Parse(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		op.Revision = ack.Revision
		w.acks = append(w.acks, ack)
		fmt.Fprintf(w.journal, "%s = %d, revision %d\n", ack.RequestID, ack.Sequence, ack.Revision)
	case ours && e.Reason == errorv1.Reason_REASON_REVISION_MISMATCH:
		op.Outcome, op.Revision = check.Stale, actual(e)
	case ours && !passing(e.Code):
		w.failures = append(w.failures, fmt.Sprintf("request %s of %v was refused: %v", ack.RequestID, cell, err))
		return
	default:
		op.Outcome = check.Unknown
		w.unknown++
		fmt.Fprintf(w.journal, "%s = unknown: %v\n", ack.RequestID, err)
	}
	w.learn(cell, version{op.Revision, op.Outcome == check.Done && op.Set})
	w.ops[cell] = append(w.ops[cell], op)
}

// passing reports whether the same call may be answered otherwise later.
func passing(c codes.Code) bool {
	switch c {
	case codes.Internal, codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return false
}

// learn keeps the newest that is known of a cell; under mu.
func (c *Crowd) learn(cell check.Cell, v version) {
	if v.revision > c.known[cell].revision {
		c.known[cell] = v
	}
}

// actual is the revision that a refusal names.
func actual(e apierr.Error) uint32 {
	var n uint32
	_, _ = fmt.Sscan(e.Metadata["actual"], &n)
	return n
}

// toldBy is the event that an answer to a submission names: its own, or the newest that
// its refusal takes into account.
func toldBy(receipt *reportingv1.Receipt, err error) uint64 {
	if err == nil {
		return receipt.GetSequence()
	}
	e, _ := apierr.Parse(err)
	return e.Sequence()
}

// raise keeps the newest event that anybody was told of.
func (c *Crowd) raise(n uint64) {
	for {
		was := c.highest.Load()
		if n <= was || c.highest.CompareAndSwap(was, n) {
			return
		}
	}
}

func (c *Crowd) slow(d time.Duration) {
	for {
		was := c.slowest.Load()
		if int64(d) <= was || c.slowest.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

func (c *Crowd) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

func key(target, unit, period string) *reportingv1.FigureKey {
	return &reportingv1.FigureKey{Programme: Programme, Target: target, Unit: unit, Period: period, Basis: typev1.Basis_BASIS_REPORTED}
}
