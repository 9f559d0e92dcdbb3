package book

// PrepareMost is how many submissions Prepare takes at most.
const PrepareMost = 16

// prepared is what Prepare found out about a submission.
type prepared struct {
	by   *Book // the layer in which it holds
	m    *Measure
	unit unitIx
}

// Prepare looks up what the next submissions of a batch are about, in steps for all
// of them at once. Cells lie far apart, and what deciding one after the other takes
// is mostly waiting for the memory; so the waits fall together. It decides nothing.
// What it finds holds until the layer changes otherwise than by these submissions.
func (b *Book) Prepare(subs []*Submission) {
	var units, parents [PrepareMost]*Unit
	var nodes [PrepareMost][4]*node
	for _, s := range subs {
		s.found = prepared{by: b, m: b.MeasureByID(s.Programme, s.Target), unit: b.unitIDs.Get(s.Unit)}
	}
	for i, s := range subs {
		units[i] = b.unit(s.found.unit)
	}
	for i, u := range units[:len(subs)] {
		if u != nil {
			parents[i] = b.unit(u.parent)
		}
	}
	for i, s := range subs {
		if s.found.m == nil || units[i] == nil || parents[i] == nil {
			continue
		}
		for k, sheet := range [2]*sheet{b.sheet(sheetKey{s.found.m.ix, s.Period.With(s.found.m.cut)}), b.sheet(sheetKey{s.found.m.ix, Current})} {
			if sheet != nil {
				nodes[i][2*k], nodes[i][2*k+1] = sheet.nodes.Peek(units[i].ix), sheet.nodes.Peek(parents[i].ix)
			}
		}
	}
	for i, s := range subs {
		for _, n := range nodes[i] {
			if n != nil {
				b.fetched |= n.marker
			}
		}
		b.fetched |= b.requests.find(s.Hash())
	}
}

// foundBy returns what Prepare found, or finds it now.
func (s *Submission) foundBy(b *Book) prepared {
	if s.found.by == b {
		return s.found
	}
	return prepared{by: b, m: b.MeasureByID(s.Programme, s.Target), unit: b.unitIDs.Get(s.Unit)}
}
