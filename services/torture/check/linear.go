package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Outcome is how an operation ended for its caller.
type Outcome int

// Outcomes.
const (
	Done    Outcome = iota // it was acknowledged, or read
	Stale                  // it was refused because the cell is at Actual
	Unknown                // nobody knows: it may have happened, or happen yet
)

// Op is one operation of a client on a cell. Times are of one clock that never goes back.
type Op struct {
	Client       int
	Call, Return time.Duration
	Read         bool
	Set          bool   // written or read: the cell holds a value
	Value        int64  // written or read; unique for each write
	Expected     uint32 // of a write: the revision that it follows
	Outcome      Outcome
	Revision     uint32 // Done: of the cell afterwards; Stale: of the cell
	// Asked is the event that a read wanted to be seen, and Sequence the newest that an
	// answer named: of no account to the order, but by them a reader of a report sees who
	// is to blame for a stale read, who asked for too little or who answered with less.
	Asked, Sequence uint64
}

// cellState is a cell as the model has it.
type cellState struct {
	revision uint32
	set      bool
	value    int64
}

// MostOps is how many operations on a cell are decided; with more it may take for ever.
const MostOps = 2000

// linearWithin bounds the search for one cell.
const linearWithin = time.Minute

// cellModel is a cell that is written with the revision that the writer saw. An
// operation of unknown outcome may take effect at any later time: where its revision
// is not the cell's, it has none, as in the service.
func cellModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return cellState{} },
		Step: func(s, in, _ any) (bool, any) {
			ok, next := step(s.(cellState), in.(Op))
			return ok, next
		},
		DescribeOperation: func(in, _ any) string { return in.(Op).String() },
	}
}

func step(s cellState, o Op) (bool, cellState) {
	next := cellState{s.revision + 1, o.Set, o.Value}
	switch {
	case o.Read:
		return o.Outcome != Done || o.Revision == s.revision && o.Set == s.set && (!o.Set || o.Value == s.value), s
	case o.Outcome == Stale:
		return o.Revision == s.revision && o.Expected != s.revision, s
	case o.Outcome == Done:
		return o.Expected == s.revision && o.Revision == next.revision, next
	case o.Expected == s.revision:
		return true, next
	}
	return true, s
}

// String tells an operation in words.
func (o Op) String() string {
	what := fmt.Sprintf("write %d after revision %d", o.Value, o.Expected)
	if o.Read {
		what = fmt.Sprintf("read as of event %d at least", o.Asked)
	} else if !o.Set {
		what = fmt.Sprintf("withdraw after revision %d", o.Expected)
	}
	return fmt.Sprintf("client %d, %v to %v: %s: event %d, %s", o.Client, o.Call, o.Return, what, o.Sequence,
		[]string{fmt.Sprintf("revision %d, value %d %t", o.Revision, o.Value, o.Set), fmt.Sprintf("stale, is at %d", o.Revision), "unknown"}[o.Outcome])
}

// Linear sees that the operations on each cell can be put into one order in which
// each takes effect between its call and its return.
func Linear(cells map[Cell][]Op) *Report {
	r := &Report{Name: "linear"}
	for c, ops := range cells {
		r.Looked += len(ops)
		if len(ops) > MostOps {
			r.breach("%v has %d operations, which is too many to be decided", c, len(ops))
			continue
		}
		if err := linear(ops); err != nil {
			r.breach("%v: %v", c, err)
		}
	}
	return r
}

// Asked sees that each read was answered by what had seen the event that it asked for.
func Asked(cells map[Cell][]Op) *Report {
	r := &Report{Name: "asked"}
	for c, ops := range cells {
		for _, o := range ops {
			if !o.Read || o.Outcome != Done {
				continue
			}
			if r.Looked++; o.Sequence < o.Asked {
				r.breach("%v: a read that asked for event %d was answered as of %d", c, o.Asked, o.Sequence)
			}
		}
	}
	return r
}

func linear(ops []Op) error {
	end := time.Duration(0)
	for _, o := range ops {
		end = max(end, o.Return)
	}
	history := make([]porcupine.Operation, 0, len(ops))
	for _, o := range ops {
		if o.Outcome == Unknown {
			if o.Read {
				continue
			}
			o.Return = end + 1
		}
		history = append(history, porcupine.Operation{ClientId: o.Client, Input: o, Call: int64(o.Call), Output: o, Return: int64(o.Return)})
	}
	result, info := porcupine.CheckOperationsVerbose(cellModel(), history, linearWithin)
	switch result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("%d operations were not decided in %v", len(ops), linearWithin)
	}
	return fmt.Errorf("%d operations have no order in which they make sense; the first that has no place: %v", len(ops), stuck(history, info))
}

// stuck names the first operation that the longest order found does not take in.
func stuck(history []porcupine.Operation, info porcupine.LinearizationInfo) Op {
	var longest []int
	for _, partition := range info.PartialLinearizations() {
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	var first *porcupine.Operation
	for i := range history {
		if o := &history[i]; !slices.Contains(longest, i) && (first == nil || o.Return < first.Return) {
			first = o
		}
	}
	if first == nil {
		return Op{}
	}
	return first.Input.(Op)
}
