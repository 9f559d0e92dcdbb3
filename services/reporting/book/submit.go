package book

import (
	"fmt"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// Submission is one submission, correction or withdrawal, read and checked for
// form, to be judged against the book.
type Submission struct {
	Programme, Target, Unit string
	Period                  calendar.Period // by its name: of whatever cut
	Value                   Value
	Qualifier               Qualifier
	ExpectedRevision        uint32
	RequestID               string
	Itemised                bool
	Annex                   []byte  // kept beside the event; nil when there is nothing
	Review                  *Review // of a decision about a completion
	// NotReused names an event whose request was compared and found to be another
	// one, though its hash is the same.
	NotReused uint64

	found prepared
	hash  uint64 // see Hash; 0 until it is asked for
}

// Review is a decision about a completion that waits for it.
type Review struct {
	Reviewer string             // id of the unit that decides
	Code     eventv1.ReturnCode // why it is returned; 0 when it is accepted
}

// Value is what a submission says.
type Value struct {
	State    State            // Reported, Bare, NotApplicable or Withdrawn
	Kind     typev1.ValueKind // kind of a reported value
	Num, Den int64            // a yes is 1 of 1
	Scale    uint8            // decimals of a bare percentage, or of a number in text
	Text     bool             // a number in text: a count, or the percentage of a ratio
	Listed   bool             // numbers of items, to be scaled to the measure's decimals
	Field    string           // name of the field that it came in, for errors
}

// Receipt is what is answered to an accepted submission.
type Receipt struct {
	Sequence         uint64
	Revision         uint32
	RegistryRevision int64
	TimeUnixMicros   int64
}

// Submit judges a submission and decides what follows from it: the cell's new
// revision, the milestones that its totals cross, the task that it completes. It
// refuses with a *Refusal, a *Stale or a *Reused, and then has decided nothing.
func (b *Book) Submit(s *Submission) (Receipt, error) {
	at, err := b.find(s)
	if err != nil {
		return Receipt{}, err
	}
	m := at.m
	cell := at.cells.at(0)
	if cell.rev != s.ExpectedRevision {
		return Receipt{}, &Stale{Expected: s.ExpectedRevision, Actual: cell.rev, Last: cell.last()}
	}
	if n := b.requests.find(at.hash); n != 0 && n != s.NotReused {
		return Receipt{}, &Reused{Sequence: n}
	}
	if err := b.judge(s, at, &cell); err != nil {
		return Receipt{}, err
	}
	next, err := s.next(m)
	if err != nil {
		return Receipt{}, err
	}
	cur := b.currentAfter(at, &cell, &next)
	if err := b.fits(at, &next, cur); err != nil {
		return Receipt{}, err
	}
	b.before(at)
	counted := b.countsBefore(m)
	at.verdicts = b.inspect(at, &next)
	sequence := b.stamp.Next
	b.recordAt(s, at, &cell, &next, cur)
	b.settleFindings(at.verdicts, sequence)
	if m.watched(at.period) {
		b.announce(m, &at.cells, at.periodWas, sequence)
		b.announceLater(m, at.unit, at.period, sequence)
	}
	if m.watched(Current) {
		b.announce(m, &at.now, at.currentWas, sequence)
	}
	if at.regime != nil && at.regime.watched(at.period) {
		b.announce(at.regime, &at.report, at.reportWas, sequence)
	}
	b.settleTask(m, counted, sequence)
	return Receipt{sequence, cell.rev + 1, b.registryRevision, b.stamp.Time.UnixMicro()}, nil
}

// find resolves what a submission is about.
func (b *Book) find(s *Submission) (*spot, error) {
	found := s.foundBy(b)
	m, unit := found.m, found.unit
	switch {
	case m == nil && b.programmes.Get(s.Programme) == nil:
		return nil, refuse(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "programme",
			"there is no programme %s", s.Programme)
	case unit == 0:
		return nil, refuse(errorv1.Reason_REASON_UNIT_NOT_FOUND, "submission.unit",
			"there is no unit %s", s.Unit)
	case m == nil:
		return nil, refuse(errorv1.Reason_REASON_TARGET_NOT_FOUND, "submission.target",
			"programme %s has no target or task %s", s.Programme, s.Target)
	case m.Derived() || m.regime != nil:
		return nil, refuse(errorv1.Reason_REASON_DERIVED_TARGET, "submission.target",
			"%s is derived by the system from reports; nobody submits it", s.Target)
	case s.Period.Length() != m.length:
		return nil, refuse(errorv1.Reason_REASON_WRONG_PERIOD, "submission.period",
			"%s is reported for periods such as %s, not %s", s.Target, m.periodOn(b.today), s.Period)
	}
	at := b.spotAt(m, unit, s.Period.With(m.cut), s.Hash())
	if at.regime = b.regimeOf(m); at.regime != nil {
		at.late = b.isLate(at)
	}
	return at, nil
}

// isLate reports whether a value comes after its report's due date. A correction is
// as late as the value that it corrects.
func (b *Book) isLate(at *spot) bool {
	if at.cells.at(0).state.held() {
		return b.qualityOf(cellAt{at.m.ix, at.unit, at.period}).late
	}
	d := b.duty(sheetKey{at.regime.ix, at.period}, at.unit)
	_, last := b.deadline(at.regime, at.today.at[0], at.period, d, &at.known)
	return b.today > last && !d.excused // what need not come cannot be late
}

// cell returns what is kept for a cell; the zero node when nothing was reported.
func (b *Book) cell(k sheetKey, unit unitIx) node {
	if s := b.sheet(k); s != nil {
		return s.nodes.At(unit)
	}
	return node{}
}

// judge applies the rules about who may report what and when.
func (b *Book) judge(s *Submission, at *spot, cell *node) error {
	if at.period > at.m.periodOn(b.today) {
		return refuse(errorv1.Reason_REASON_PERIOD_NOT_BEGUN, "submission.period",
			"period %s has not begun; today is %s", s.Period, b.today)
	}
	if !cell.scoped { // or else it exists and is expected: the sheet of the period says so
		if err := b.judgeScope(s, at); err != nil {
			return err
		}
	}
	if s.Review != nil {
		return s.judgeReview(at, cell)
	}
	if s.Value.State == Withdrawn && !cell.state.held() {
		return refuse(errorv1.Reason_REASON_NOTHING_TO_WITHDRAW, "submission.withdrawal",
			"nothing is reported for target %s, unit %s, %s", s.Target, s.Unit, s.Period)
	}
	return nil
}

// judgeScope refuses a unit that does not exist in the period, or to which the
// target does not apply then.
func (b *Book) judgeScope(s *Submission, at *spot) error {
	if _, exists := at.today.at[0].on(at.period.LastDay()); !exists {
		return refuse(errorv1.Reason_REASON_UNIT_NOT_ACTIVE, "submission.unit",
			"unit %s does not exist on the last day of %s", s.Unit, s.Period)
	}
	switch {
	case scopedIn(b.sheet(at.now.key).scope.At(at.unit), at.period):
	case at.m.controlled() && b.givesControl(at.m, at.today.at[0], at.period.LastDay()):
		at.control = true
	default:
		return refuse(errorv1.Reason_REASON_NOT_APPLICABLE, "submission.target",
			"target %s does not apply to unit %s in %s", s.Target, s.Unit, s.Period)
	}
	return nil
}

// next returns the cell as the submission makes it.
func (s *Submission) next(m *Measure) (node, error) {
	if s.Review != nil {
		return s.Review.node(), nil
	}
	v, err := s.Value.of(m)
	if err != nil {
		return node{}, err
	}
	return s.node(m, v), nil
}

// node returns the cell as the submission makes it, expected as the judge found.
func (s *Submission) node(m *Measure, v Value) node {
	n := node{state: v.State, qual: s.Qualifier, scoped: true}
	switch {
	case n.state == Reported && v.Num == 1 && m.task.GetNeedsAcceptance():
		n.state, n.den = Awaiting, 1
	case n.state == Reported && m.kind == typev1.ValueKind_VALUE_KIND_YES_NO:
		n.num, n.den = v.Num, 1
	case n.state == Reported:
		n.num, n.den = v.Num, v.Den
	case n.state == Bare:
		n.num, n.den = v.Num, int64(v.Scale)
	default:
		n.qual = Exact
	}
	return n
}

// fits refuses a value whose totals would leave the range of 64 bits.
func (b *Book) fits(at *spot, next *node, cur currentCell) error {
	if at.control { // nothing is added
		if cur.over {
			return b.overflows(at.unit)
		}
		return nil
	}
	if err := b.fitsIn(&at.cells, at.m, next); err != nil || cur.change == eventv1.CurrentChange_CURRENT_CHANGE_UNSPECIFIED {
		return err
	}
	if cur.over {
		return b.overflows(at.unit)
	}
	n := cur.node
	return b.fitsIn(&at.now, at.m, &n)
}

// fitsIn is fits for one sheet: n is what the unit would have there.
func (b *Book) fitsIn(d *ladder, m *Measure, n *node) error {
	old := d.at(0)
	n.scoped = d.key.period != Current || old.scoped
	diff, err := n.part(m.kind).Sub(old.part(m.kind))
	if err != nil {
		return b.overflows(d.line.at[0].ix)
	}
	// No part is below 0, so no total below the topmost is above its total.
	if _, err := d.sum(d.line.n - 1).Add(diff); err == nil {
		return nil
	}
	for i, u := range d.line.units() {
		if _, err := d.sum(i).Add(diff); err != nil {
			return b.overflows(u.ix)
		}
	}
	return nil
}

func (b *Book) overflows(unit unitIx) error {
	id := b.unit(unit).id
	return refuse(errorv1.Reason_REASON_OVERFLOW, "submission",
		"the total of unit %s would leave the range of 64 bits", id).with("unit", id)
}

// before notes the totals that milestones will be judged against, where any are
// watched. It opens the period as the event will, so that what was missing is in them.
func (b *Book) before(at *spot) {
	if b.open(at.m, at.period) {
		b.read(&at.cells, at.cells.key, at.own)
	}
	if at.regime != nil {
		b.open(at.regime, at.period)
		b.read(&at.report, sheetKey{at.regime.ix, at.period}, at.own)
		at.reportWas = at.report.sums(at.reportWas[:0])
	}
	if at.m.watched(at.period) {
		at.periodWas = at.cells.sums(at.periodWas[:0])
	}
	if at.m.watched(Current) {
		at.currentWas = at.now.sums(at.currentWas[:0])
	}
}

// recordAt emits the event of an accepted submission.
func (b *Book) recordAt(s *Submission, at *spot, cell, next *node, cur currentCell) {
	m, e, r := at.m, &at.event.event, &at.event.recorded
	e.Reset()
	r.Reset()
	r.Target, r.Path, r.Period, r.Revision = s.Target, at.today.path(), s.Period.String(), cell.rev+1
	r.State, r.Tally, r.Current = eventv1.CellState(next.state), next.part(m.kind).Proto(), cur.change
	r.Supersedes, r.RequestId, r.Itemised, r.Control = cell.last(), s.RequestID, s.Itemised, at.control
	b.recordChecks(r, at.verdicts)
	if at.own != &at.today {
		r.PeriodPath = at.own.path()
	}
	if next.qual != Exact {
		r.Qualifier = next.qual.Proto()
	}
	if next.state == Reported || next.state == Awaiting {
		r.ValueKind = m.kind
	}
	if at.regime != nil {
		r.Regime, r.Late = at.regime.key.id, at.late
	}
	if next.state == Bare {
		r.BarePercentage, r.BareDecimals = next.num, uint32(next.den)
	}
	if cur.change == eventv1.CurrentChange_CURRENT_CHANGE_TALLY {
		recordCurrent(r, m, cur.node)
	}
	e.Programme = s.Programme
	if s.Review != nil {
		r.Reviewer, r.ReturnCode = s.Review.Reviewer, s.Review.Code
	}
	b.emitAt(at, e, r, at.event.dress(s), s.Annex)
}

// recordCurrent writes the unit's new current value into the event.
func recordCurrent(r *eventv1.SubmissionRecorded, m *Measure, n node) {
	n.scoped = true
	r.CurrentTally, r.CurrentState = n.part(m.kind).Proto(), eventv1.CellState(n.state)
	if n.qual != Exact {
		r.CurrentQualifier = n.qual.Proto()
	}
	if n.newest() != 0 {
		r.CurrentPeriod = n.newest().String()
	}
}

// Refusal is why a command was refused: a reason of the contract, the field that
// is at fault and what to do about it.
type Refusal struct {
	Reason   errorv1.Reason
	Field    string
	Message  string
	Metadata []string // keys and values in turn
}

func refuse(reason errorv1.Reason, field, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
}

func (r *Refusal) with(key, value string) *Refusal {
	r.Metadata = append(r.Metadata, key, value)
	return r
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Stale says that the cell is not at the expected revision: perhaps because the
// same request was accepted before, which the cell's events in the log tell.
type Stale struct {
	Expected, Actual uint32
	Last             uint64 // number of the cell's newest event; 0 when it has none
}

// Error says which revisions differ.
func (s *Stale) Error() string {
	return fmt.Sprintf("the cell is at revision %d, not %d", s.Actual, s.Expected)
}

// Reused says that the submitter's request id is, by its hash, that of an earlier event.
type Reused struct{ Sequence uint64 }

// Error names the event.
func (r *Reused) Error() string {
	return fmt.Sprintf("the request id was used for event %d", r.Sequence)
}
