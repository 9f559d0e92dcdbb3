package book

import (
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/layer"
)

// Flags of a node in an image.
const (
	nodeScoped = 1 << iota
	nodeExcluded
	nodeOwn // the unit itself reported
)

func writeSheet(w *imageWriter, k sheetKey, s *sheet) {
	w.int(int64(k.measure))
	w.int(int64(k.period))
	writeColumn(w, s.nodes, writeNode)
	writeColumn(w, s.quals, func(w *imageWriter, q *qualifiers) {
		for _, n := range q {
			w.int(int64(n))
		}
	})
	writeColumn(w, s.marks, func(w *imageWriter, m *marks) {
		for _, v := range m {
			w.uint(uint64(v))
		}
	})
	writeColumn(w, s.duties, writeDuty)
	writeColumn(w, s.quality, func(w *imageWriter, q *quality) {
		w.bool(q.late)
		w.uint(uint64(q.run))
		w.uint(uint64(q.failed))
		w.uint(uint64(q.open))
	})
	next := int32(0)
	s.scope.All(func(i int32, turns *[]calendar.Period) bool {
		if len(*turns) > 0 {
			next = writeSkip(w, i, next)
			w.uint(uint64(len(*turns)))
			for _, p := range *turns {
				w.int(int64(p))
			}
		}
		return w.err == nil
	})
	w.uint(0)
}

// writeColumn writes the values of a column that are not zero, each after how many
// indexes were left out before it.
func writeColumn[T comparable](w *imageWriter, c *layer.Column[T], write func(*imageWriter, *T)) {
	var none T
	next := int32(0)
	c.All(func(i int32, v *T) bool {
		if *v != none {
			next = writeSkip(w, i, next)
			write(w, v)
		}
		return w.err == nil
	})
	w.uint(0)
}

// writeSkip writes how far an index is from the one expected next, and returns the
// one after it.
func writeSkip(w *imageWriter, i, next int32) int32 {
	w.uint(uint64(i-next) + 1)
	return i + 1
}

func readSheet(r *imageReader) *sheet {
	s := newSheet()
	readColumn(r, func(i int32) { readNode(r, s.nodes.Edit(i)) })
	readColumn(r, func(i int32) {
		for k, q := 0, s.quals.Edit(i); k < len(q); k++ {
			q[k] = int32(r.int())
		}
	})
	readColumn(r, func(i int32) {
		for k, m := 0, s.marks.Edit(i); k < maxThresholds; k++ {
			m[k] = uint32(r.uint())
		}
	})
	readColumn(r, func(i int32) { readDuty(r, s.duties.Edit(i)) })
	readColumn(r, func(i int32) {
		*s.quality.Edit(i) = quality{r.bool(), uint8(r.uint()), uint8(r.uint()), uint8(r.uint())}
	})
	var last []calendar.Period // neighbours mostly have the same turns: share them
	readColumn(r, func(i int32) {
		turns := make([]calendar.Period, min(r.count(), 1000))
		same := len(turns) == len(last)
		for k := range turns {
			turns[k] = calendar.Period(r.int())
			same = same && turns[k] == last[k]
		}
		if !same {
			last = turns
		}
		*s.scope.Edit(i) = last
	})
	return s
}

// readColumn calls read for each index that was written.
func readColumn(r *imageReader, read func(i int32)) {
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
		n.setNewest(calendar.Period(r.int()))
		n.state, n.qual = State(r.uint()), Qualifier(r.uint())
	}
}

func writeDuty(w *imageWriter, d *duty) {
	w.uint(uint64(d.values))
	w.uint(uint64(d.nothing))
	w.uint(uint64(d.told))
	w.bool(d.excused)
	w.int(int64(d.on))
	w.int(int64(d.until))
	w.int(int64(d.came))
	w.uint(d.granted)
}

func readDuty(r *imageReader, d *duty) {
	*d = duty{uint16(r.uint()), uint16(r.uint()), uint8(r.uint()), r.bool(),
		calendar.Date(r.int()), calendar.Date(r.int()), calendar.Date(r.int()), r.uint()}
}
