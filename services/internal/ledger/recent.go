package ledger

import (
	"slices"
	"sort"
	"sync"
)

const (
	tailBytes = 8 << 20 // of the newest blocks
	keptBytes = 8 << 20 // of older ones that were asked for
)

// recent holds the newest blocks without a gap, and some older ones that were
// looked up. The zero value is ready.
type recent struct {
	mu   sync.Mutex
	tail shelf // the newest, in order
	kept shelf // others, the last used at the end
}

// shelf is a list of blocks of bounded size that loses its first ones.
type shelf struct {
	blocks []*Block
	bytes  int
}

func (s *shelf) push(b *Block, most int) {
	s.blocks = append(s.blocks, b)
	s.bytes += bytesOf(b.Entries)
	drop := 0
	for s.bytes > most && drop < len(s.blocks)-1 {
		s.bytes -= bytesOf(s.blocks[drop].Entries)
		s.blocks[drop] = nil
		drop++
	}
	s.blocks = s.blocks[drop:]
}

// add makes b the newest block.
func (r *recent) add(b *Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tail.push(b, tailBytes)
}

// keep remembers a block that was looked up.
func (r *recent) keep(b *Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.kept.blocks, func(k *Block) bool { return k.First == b.First }) {
		r.kept.push(b, keptBytes)
	}
}

// from returns the blocks from the one that holds the entry to the newest, nil
// when it is not among them.
func (r *recent) from(sequence uint64) []*Block {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.tail.find(sequence)
	if i < 0 {
		return nil
	}
	return slices.Clone(r.tail.blocks[i:])
}

// holding returns the block that holds the entry, nil when it is not here.
func (r *recent) holding(sequence uint64) *Block {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.tail.find(sequence); i >= 0 {
		return r.tail.blocks[i]
	}
	for i, b := range r.kept.blocks {
		if b.First <= sequence && sequence <= b.End() {
			r.kept.blocks = append(slices.Delete(r.kept.blocks, i, i+1), b)
			return b
		}
	}
	return nil
}

// find returns the place of the block that holds the entry, in an ordered shelf.
func (s *shelf) find(sequence uint64) int {
	i := sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].End() >= sequence })
	if i == len(s.blocks) || s.blocks[i].First > sequence {
		return -1
	}
	return i
}
