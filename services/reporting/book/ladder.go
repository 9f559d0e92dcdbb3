package book

// ladder is what a sheet holds for the units of a line, found once for all that is
// judged and added there.
type ladder struct {
	key   sheetKey
	line  *line
	nodes [maxDepth]*node // nil for a unit for which the sheet holds nothing
}

// read finds the nodes of a line in a sheet, to be read only.
func (b *Book) read(to *ladder, k sheetKey, l *line) {
	to.key, to.line = k, l
	s := b.sheet(k)
	for i, u := range l.units() {
		to.nodes[i] = nil
		if s != nil {
			to.nodes[i] = s.nodes.Peek(u.ix)
		}
	}
}

// take makes the nodes that were read ones that the layer may change.
func (b *Book) take(d *ladder) {
	nodes := b.editSheet(d.key).nodes
	for i, u := range d.line.units() {
		d.nodes[i] = nodes.EditFrom(u.ix, d.nodes[i])
	}
}

// fetch asks the memory for all nodes at once: those of other units than the last
// ones are mostly far away, and to wait for one after the other takes longer than
// all the rest.
func (d *ladder) fetch() (seen uint32) {
	for _, n := range d.nodes[:d.line.n] {
		if n != nil {
			seen |= n.rev
		}
	}
	return seen
}

// at returns the node of the line's i-th unit, the zero node where there is none.
func (d *ladder) at(i int) node {
	if n := d.nodes[i]; n != nil {
		return *n
	}
	return node{}
}

// sum returns the total of the line's i-th unit.
func (d *ladder) sum(i int) Tally {
	if n := d.nodes[i]; n != nil {
		return n.sum
	}
	return Tally{}
}

// sums appends the totals, from the unit to the root.
func (d *ladder) sums(to []Tally) []Tally {
	for i := range d.line.n {
		to = append(to, d.sum(i))
	}
	return to
}
