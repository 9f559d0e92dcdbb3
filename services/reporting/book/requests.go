package book

import (
	"crypto/sha256"
	"encoding/binary"
)

// requestMemory is how many accepted submissions are remembered by request id
// across cells, as the contract states.
const requestMemory = 1 << 20

// requests remembers the request ids of the newest accepted submissions, by hash.
// Whoever finds a hash compares the request itself in the log.
type requests struct {
	parent *requests
	seen   map[uint64]uint64 // hash of submitter and request id to the event's number
	order  []request         // oldest first; of a book that is not a layer, a ring
	next   int               // of the ring: where the next one goes
}

type request struct{ hash, sequence uint64 }

func newRequests() *requests { return &requests{seen: make(map[uint64]uint64)} }

func (r *requests) fork() *requests { return &requests{parent: r} }

// Hash is a digest of the submitter and the request id. It is computed when it is
// asked for first, which may be before the submission goes to a book.
func (s *Submission) Hash() uint64 {
	if s.hash == 0 {
		s.hash = requestHash(s.Submitter(), s.RequestID)
	}
	return s.hash
}

// Submitter is the id of the unit whose request it is.
func (s *Submission) Submitter() string {
	if s.Review != nil {
		return s.Review.Reviewer
	}
	return s.Unit
}

// requestHash is a digest of a submitter's request id.
func requestHash(submitter, id string) uint64 {
	var room [128]byte // without this there would be garbage for each
	text := append(append(append(room[:0], submitter...), 0), id...)
	sum := sha256.Sum256(text)
	return binary.LittleEndian.Uint64(sum[:])
}

// find returns the number of the event with this hash, 0 when there is none.
func (r *requests) find(hash uint64) uint64 {
	for ; r != nil; r = r.parent {
		if n, ok := r.seen[hash]; ok {
			return n
		}
	}
	return 0
}

// RequestOf returns the number of the newest event that accepted a request of a
// submitter, 0 when none is remembered: whoever finds one compares the request itself in
// the log. all tells that none was forgotten yet, so that what is not remembered was
// never accepted.
func (b *Book) RequestOf(submitter, id string) (sequence uint64, all bool) {
	root := b.requests
	for root.parent != nil {
		root = root.parent
	}
	return b.requests.find(requestHash(submitter, id)), len(root.order) < requestMemory
}

// Assigned lists the units that have a part in a task, by id; none of another measure.
func (m *Measure) Assigned() []string {
	var units []string
	for _, a := range m.task.GetAssignments() {
		units = append(units, a.GetUnit())
	}
	return units
}

func (r *requests) add(q request) {
	if r.seen == nil {
		r.seen = make(map[uint64]uint64)
	}
	r.seen[q.hash] = q.sequence
	if r.parent != nil || len(r.order) < requestMemory {
		r.order = append(r.order, q)
		return
	}
	old := r.order[r.next]
	if r.seen[old.hash] == old.sequence {
		delete(r.seen, old.hash)
	}
	r.order[r.next] = q
	r.next = (r.next + 1) % requestMemory
}

func (r *requests) merge() {
	for _, q := range r.order {
		r.parent.add(q)
	}
	r.seen, r.order = nil, nil
}

// freeze copies what an image needs: the order, not the index.
func (r *requests) freeze() *requests {
	return &requests{order: append(append([]request(nil), r.order[r.next:]...), r.order[:r.next]...)}
}
