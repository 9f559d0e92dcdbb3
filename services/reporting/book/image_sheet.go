package book

import "github.com/cotmoc/cotmoc/services/internal/calendar"

// Flags of a node in an image.
const (
	nodeScoped = 1 << iota
	nodeExcluded
	nodeOwn // the unit itself reported
)

func writeSheet(w *imageWriter, k sheetKey, s *sheet) {
	w.int(int64(k.measure))
	w.int(int64(k.period))
	next := int32(0)
	skip := func(i int32) {
		w.uint(uint64(i-next) + 1)
		next = i + 1
	}
	s.nodes.all(func(i int32, n *node) bool {
		if *n != (node{}) {
			skip(i)
			writeNode(w, n)
		}
		return w.err == nil
	})
	w.uint(0)
	next = 0
	s.quals.all(func(i int32, q *qualifiers) bool {
		if *q != (qualifiers{}) {
			skip(i)
			for _, n := range q {
				w.int(int64(n))
			}
		}
		return w.err == nil
	})
	w.uint(0)
	next = 0
	s.marks.all(func(i int32, m *marks) bool {
		if *m != (marks{}) {
			skip(i)
			for _, v := range m {
				w.uint(uint64(v))
			}
		}
		return w.err == nil
	})
	w.uint(0)
	next = 0
	s.scope.all(func(i int32, turns *[]calendar.Month) bool {
		if len(*turns) > 0 {
			skip(i)
			w.uint(uint64(len(*turns)))
			for _, p := range *turns {
				w.int(int64(p))
			}
		}
		return w.err == nil
	})
	w.uint(0)
}

func readSheet(r *imageReader) *sheet {
	s := newSheet()
	each := func(read func(i int32)) {
		next := int32(0)
		for skip := r.uint(); skip != 0 && r.err == nil; skip = r.uint() {
			if skip > 1<<24 {
				r.err = errImage
				return
			}
			next += int32(skip)
			read(next - 1)
		}
	}
	each(func(i int32) { readNode(r, s.nodes.edit(i)) })
	each(func(i int32) {
		for k, q := 0, s.quals.edit(i); k < len(q); k++ {
			q[k] = int32(r.int())
		}
	})
	each(func(i int32) {
		for k, m := 0, s.marks.edit(i); k < maxThresholds; k++ {
			m[k] = uint32(r.uint())
		}
	})
	var last []calendar.Month // neighbours mostly have the same turns: share them
	each(func(i int32) {
		turns := make([]calendar.Month, min(r.count(), 1000))
		same := len(turns) == len(last)
		for k := range turns {
			turns[k] = calendar.Month(r.int())
			same = same && turns[k] == last[k]
		}
		if !same {
			last = turns
		}
		*s.scope.edit(i) = last
	})
	return s
}

func writeNode(w *imageWriter, n *node) {
	var flags uint64
	if n.scoped {
		flags |= nodeScoped
	}
	if n.excluded {
		flags |= nodeExcluded
	}
	own := *n
	own.sum, own.scoped, own.excluded = Tally{}, false, false
	if own != (node{}) {
		flags |= nodeOwn
	}
	w.uint(flags)
	w.int(n.sum.Num)
	w.int(n.sum.Den)
	w.int(int64(n.sum.Reporting))
	w.int(int64(n.sum.Expected))
	w.int(int64(n.sum.Excluded))
	if flags&nodeOwn != 0 {
		w.int(n.num)
		w.int(n.den)
		w.uint(n.last())
		w.uint(uint64(n.rev))
		w.int(int64(n.newest()))
		w.uint(uint64(n.state))
		w.uint(uint64(n.qual))
	}
}

func readNode(r *imageReader, n *node) {
	flags := r.uint()
	n.scoped, n.excluded = flags&nodeScoped != 0, flags&nodeExcluded != 0
	n.sum = Tally{r.int(), r.int(), int32(r.int()), int32(r.int()), int32(r.int())}
	if flags&nodeOwn != 0 {
		n.num, n.den = r.int(), r.int()
		n.setLast(r.uint())
		n.rev = uint32(r.uint())
		n.setNewest(calendar.Month(r.int()))
		n.state, n.qual = State(r.uint()), Qualifier(r.uint())
	}
}
