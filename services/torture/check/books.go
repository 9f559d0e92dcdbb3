package check

import (
	"bytes"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// Replica is what one replica says of itself when nothing moves.
type Replica struct {
	Name   string
	Status *reportingv1.GetStatusResponse
	Verify *reportingv1.VerifyResponse
}

// Books sees that all replicas hold the log, as Equal does.
func Books(l *Log, replicas []Replica) *Report { return Equal(l.Head(), replicas) }

// Equal sees that all replicas hold the same log up to an event, and that each finds
// its own book equal to a replay, its totals to their cells and the stream to the log.
func Equal(head uint64, replicas []Replica) *Report {
	r := &Report{Name: "books", Looked: len(replicas)}
	for _, p := range replicas {
		s, first := p.Status, replicas[0].Status
		if s.GetHeadSequence() != head {
			r.breach("%s is at event %d, the log was read up to %d", p.Name, s.GetHeadSequence(), head)
		}
		if !bytes.Equal(s.GetHeadHash(), first.GetHeadHash()) || s.GetCells() != first.GetCells() || s.GetUnits() != first.GetUnits() ||
			s.GetRegistryRevision() != first.GetRegistryRevision() || s.GetEpoch() != first.GetEpoch() {
			r.breach("%s is at %x with %d cells, %s at %x with %d", p.Name, s.GetHeadHash(), s.GetCells(), replicas[0].Name, first.GetHeadHash(), first.GetCells())
		}
		if s.GetStreamProblem() != "" {
			r.breach("%s does not publish: %s", p.Name, s.GetStreamProblem())
		}
		if len(p.Verify.GetChecks()) < 4 {
			r.breach("%s made %d checks of itself, not 4", p.Name, len(p.Verify.GetChecks()))
		}
		for _, c := range p.Verify.GetChecks() {
			if !c.GetOk() {
				r.breach("%s finds that %s does not hold: %s", p.Name, c.GetName(), c.GetDetail())
			}
		}
	}
	return r
}
