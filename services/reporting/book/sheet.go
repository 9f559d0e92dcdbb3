package book

import (
	"sync"

	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/layer"
)

// Current stands in the place of a period for the current figures.
const Current calendar.Period = -1

// State is what a cell holds; the numbers are the contract's.
type State uint8

// The states of a cell.
const (
	Missing State = iota
	Reported
	Bare
	NotApplicable
	Withdrawn
	Awaiting // a completion that was not accepted yet
	Returned
)

// held reports whether a cell in this state holds something.
func (s State) held() bool {
	return s == Reported || s == Bare || s == NotApplicable || s == Awaiting
}

// node is what is kept for one unit of a sheet: what the unit itself reported,
// and the total of it and everything below. It fills one line of a cache, and is
// one: most of the time of a submission goes into waiting for nodes.
type node struct {
	sum      Tally
	num, den int64  // the unit's own value; for Bare, the percentage and its decimals
	marker   uint64 // last and newest, see there
	rev      uint32
	state    State
	qual     Qualifier
	scoped   bool // the unit is expected to report
	excluded bool // a sum holds a bare percentage that was not added
}

// newestBits is how many bits of a node's marker hold newest; the others hold last.
const newestBits = 18

func (n *node) last() uint64 { return n.marker >> newestBits }

func (n *node) setLast(sequence uint64) {
	n.marker = sequence<<newestBits | n.marker&(1<<newestBits-1)
}

// newest is, in a current sheet, the period of the newest cell in it; 0 when there is none.
func (n *node) newest() calendar.Period { return calendar.Period(n.marker & (1<<newestBits - 1)) }

func (n *node) setNewest(p calendar.Period) {
	n.marker = n.marker&^(1<<newestBits-1) | uint64(p)
}

// In a period's sheet, last is the number of the cell's newest event and rev the
// cell's revision. In a current sheet, last is the number of the newest accepted
// submission of the unit for the measure, in any period, and rev the version of
// the unit's place then: together they give an event the previous number on its
// subject.

// part is what the unit itself adds to the totals.
func (n *node) part(kind typev1.ValueKind) Tally {
	if !n.scoped {
		return Tally{}
	}
	switch n.state {
	case Reported:
		t := Tally{Num: n.num, Den: n.den, Reporting: 1, Expected: 1}
		if n.excluded {
			t.Excluded = 1
		}
		return t
	case Bare:
		return Tally{Reporting: 1, Expected: 1, Excluded: 1}
	case NotApplicable:
		return Tally{}
	case Awaiting:
		return Tally{Den: 1, Reporting: 1, Expected: 1}
	}
	t := Tally{Expected: 1}
	if kind == typev1.ValueKind_VALUE_KIND_YES_NO {
		t.Den = 1
	}
	return t
}

// counts reports whether the unit's value is added and so weakens a sum.
func (n *node) counts() bool { return n.scoped && n.state == Reported }

// quality is what is known of a cell's value beside it.
type quality struct {
	late   bool  // it came after its report's due date
	run    uint8 // checks that looked at it
	failed uint8 // of those: how many found something
	open   uint8 // findings about it that are not settled
}

// maxThresholds is the contract's limit.
const maxThresholds = 16

// marks is the state of a unit's thresholds: each is twice the ordinal, plus 1
// while it counts as reached.
type marks [maxThresholds]uint32

func (m marks) reached(i int) bool   { return m[i]&1 == 1 }
func (m marks) ordinal(i int) uint32 { return m[i] >> 1 }
func mark(ordinal uint32, reached bool) uint32 {
	if reached {
		return ordinal<<1 | 1
	}
	return ordinal << 1
}

// sheetKey names a sheet: a measure in a period, or Current.
type sheetKey struct {
	measure measureIx
	period  calendar.Period
}

// sheet holds all units of a measure in a period, or their current figures.
type sheet struct {
	nodes *layer.Column[node]
	quals *layer.Column[qualifiers] // of totals in which something is not exact
	marks *layer.Column[marks]
	// scope, in current sheets only: the periods at which the unit begins and ceases
	// to be expected, in turn, ascending. The slices are shared and never changed.
	scope   *layer.Column[[]calendar.Period]
	duties  *layer.Column[duty]    // of regimes, by period, and of tasks, in current sheets
	quality *layer.Column[quality] // of targets, by period: what is known of each cell's value
	whole   *layerSheet            // of a layer
}

func newSheet() *sheet {
	return &sheet{nodes: &layer.Column[node]{}, quals: &layer.Column[qualifiers]{}, marks: &layer.Column[marks]{}, scope: &layer.Column[[]calendar.Period]{},
		duties: &layer.Column[duty]{}, quality: &layer.Column[quality]{}}
}

// layerSheet is all that a layer needs for a sheet, in one piece.
type layerSheet struct {
	sheet
	nodes   layer.Column[node]
	quals   layer.Column[qualifiers]
	marks   layer.Column[marks]
	scope   layer.Column[[]calendar.Period]
	duties  layer.Column[duty]
	quality layer.Column[quality]
}

// sheetPool keeps what layers needed for the next ones.
type sheetPool struct{ free sync.Pool }

// fork returns a layer of s.
func (p *sheetPool) fork(s *sheet) *sheet {
	f, _ := p.free.Get().(*layerSheet)
	if f == nil {
		f = new(layerSheet)
		f.sheet = sheet{nodes: &f.nodes, quals: &f.quals, marks: &f.marks, scope: &f.scope, duties: &f.duties, quality: &f.quality, whole: f}
	}
	f.nodes.Over(s.nodes)
	f.quals.Over(s.quals)
	f.marks.Over(s.marks)
	f.scope.Over(s.scope)
	f.duties.Over(s.duties)
	f.quality.Over(s.quality)
	return &f.sheet
}

// done takes back a layer that was merged: nobody may hold it, nor a part of it.
func (p *sheetPool) done(s *sheet) {
	if f := s.whole; f != nil {
		p.free.Put(f)
	}
}

func (s *sheet) forked() bool { return s.nodes.Forked() }

// merge puts what the fork s changed into its parent. Where touched is not nil, it
// collects the totals that this changes.
func (s *sheet) merge(m measureIx, touched *touched) {
	if touched == nil {
		s.nodes.Merge(nil)
		s.quals.Merge(nil)
	} else {
		s.nodes.Merge(func(unit int32, was, n *node) { touched.differ(m, unit, was, n) })
		s.quals.Merge(func(unit int32, _, _ *qualifiers) { touched.add(FigureKey{m, unit}) })
	}
	s.marks.Merge(nil)
	s.scope.Merge(nil)
	s.duties.Merge(nil)
	s.quality.Merge(nil)
}

func (s *sheet) freeze() *sheet {
	return &sheet{nodes: s.nodes.Freeze(), quals: s.quals.Freeze(), marks: s.marks.Freeze(), scope: s.scope.Freeze(),
		duties: s.duties.Freeze(), quality: s.quality.Freeze()}
}

// sheet returns a sheet to be read; nil when it was never opened.
func (b *Book) sheet(k sheetKey) *sheet {
	for ; b != nil; b = b.parent {
		if s, ok := b.sheets[k]; ok {
			return s
		}
	}
	return nil
}

// editSheet returns a sheet to be changed; nil when it was never opened.
func (b *Book) editSheet(k sheetKey) *sheet {
	if s, ok := b.sheets[k]; ok {
		return s
	}
	if b.parent == nil {
		return nil
	}
	s := b.parent.sheet(k)
	if s == nil {
		return nil
	}
	f := b.pool.fork(s)
	b.sheets[k] = f
	return f
}

// periods lists the periods of a measure that have a sheet, ascending.
func (b *Book) periods(m measureIx) []calendar.Period { return b.opened.Get(m) }
