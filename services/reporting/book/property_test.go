package book

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// How many histories are played, and from which seed: the seed of a failure plays
// it again alone with -histories=1.
var (
	histories   = flag.Int("histories", 10_000, "random histories to play")
	historySeed = flag.Uint64("history-seed", 0, "seed of the first random history; 0 takes the clock")
)

// TestHistories plays random histories on random trees and holds the book against
// the naive model after every block: each total, task, threshold and milestone; and
// in the end the replayed log and the image with its tail against the live book.
func TestHistories(t *testing.T) {
	seed := *historySeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d histories from -history-seed=%d", *histories, seed)
	var (
		sum    tallyOfPlay
		mu     sync.Mutex
		next   atomic.Uint64
		failed atomic.Bool
		work   sync.WaitGroup
	)
	begun, played := time.Now(), 0
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for i := next.Add(1) - 1; i < uint64(*histories) && !failed.Load(); i = next.Add(1) - 1 {
				h := newHistory(seed + i)
				if err := h.play(); err != nil {
					failed.Store(true)
					t.Errorf("play again with -run=TestHistories -histories=1 -history-seed=%d: %v", seed+i, err)
				}
				mu.Lock()
				sum.add(h.played)
				played++
				mu.Unlock()
			}
		})
	}
	work.Wait()
	t.Logf("%d histories played in %s: %+v", played, time.Since(begun).Round(time.Millisecond), sum)
	if none := sum.tame(); played > 500 && len(none) > 0 {
		t.Errorf("the histories are too tame: they have no %s", none)
	}
}

// tallyOfPlay counts what histories were made of, to see that they are wild enough.
type tallyOfPlay struct {
	Events, Accepted, Refused, Stale, Reused, Dropped, Batches, Registry, Reached, Revoked, Carried, Tasks, Moved     int
	Reports, LateValues, Due, Overdue, ToldLate, Extended, Excused, NoGrant, Awaited, Approved, Returned, Spans, AsOf int
	Rows, OverTime, Shares                                                                                            int // milestones of streaks, of goals over time, of completeness
}

func (s *tallyOfPlay) add(o tallyOfPlay) {
	to, from := reflect.ValueOf(s).Elem(), reflect.ValueOf(o)
	for i := range to.NumField() {
		to.Field(i).SetInt(to.Field(i).Int() + from.Field(i).Int())
	}
}

// tame names what the histories have none of.
func (s tallyOfPlay) tame() (none []string) {
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if v.Field(i).Int() == 0 {
			none = append(none, v.Type().Field(i).Name)
		}
	}
	return none
}

// history is one random play of the book beside the model.
type history struct {
	r      *rand.Rand
	w      *world
	b      *Book
	log    []ledger.Entry
	now    time.Time
	layer  *Book           // of the block that is being decided
	seen   int             // its drafts that were looked at
	script []func(l *Book) // what was done in the block, to be decided again
	sent   []*Submission
	keys   map[string]bool // of milestones
	last   map[string]uint64
	board  map[FigureKey]shown // current totals, as whoever publishes what moved has them
	still  bool                // huge values: the registry and the clock stand still
	deep   bool                // few units and targets, reported again and again
	played tallyOfPlay
}

// shown is a total as it is published.
type shown struct {
	total Tally
	qual  Qualifier
}

func newHistory(seed uint64) *history {
	return &history{r: rand.New(rand.NewPCG(seed, 6)), w: newWorld(), b: New(),
		keys: map[string]bool{}, last: map[string]uint64{}, board: map[FigureKey]shown{}}
}

func (h *history) one(n int) bool { return h.r.IntN(n) == 0 }

func pick[T any](h *history, all []T) T { return all[h.r.IntN(len(all))] }

// play plays the history to its end.
func (h *history) play() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	h.deep = h.one(2)
	h.now = calendar.Date(8036 + h.r.IntN(500)).Start().Add(5 * time.Hour) // from 2022-01-01
	if err := h.block(h.setUp); err != nil {
		return err
	}
	h.still = h.one(30) && !h.deep
	var cut *Book
	follower := New()
	for n, blocks, cutAt := 0, 2+h.r.IntN(6), h.r.IntN(6); n < blocks; n++ {
		if n == cutAt {
			cut = h.b.Freeze()
		}
		if !h.still {
			h.now = h.now.Add(h.pause())
		}
		if err := h.block(h.commands); err != nil {
			return err
		}
		if err := h.sameAsModel(); err != nil {
			return fmt.Errorf("after event %d: %w", len(h.log), err)
		}
		f := follower.Fork(ledger.Stamp{}) // as an engine takes in another's block
		for f.Head() < uint64(len(h.log)) {
			if err := f.Apply(f.Head()+1, h.log[f.Head()]); err != nil {
				return err
			}
		}
		f.Merge()
	}
	return h.sameAsLog(cut, follower)
}

func (h *history) pause() time.Duration {
	days := 0
	switch n := h.r.IntN(100); {
	case n < 45:
	case n < 94 || h.deep && n < 98:
		days = 1 + h.r.IntN(40)
	default:
		days = 200 + h.r.IntN(300)
	}
	return time.Duration(days*24)*time.Hour + time.Duration(h.r.IntN(600))*time.Second
}

// block decides one block and commits it; sometimes it is dropped and decided again.
func (h *history) block(do func() error) error {
	stamp := ledger.Stamp{Next: uint64(len(h.log)) + 1, Time: h.now, Epoch: 1}
	h.layer, h.seen, h.script = h.b.Fork(stamp), 0, nil
	if h.layer.Due(h.now) {
		today := calendar.DateOf(h.now)
		if h.w.today == 0 {
			h.w.toldTo = today - 1
		}
		want := h.w.changed(nil, func() { h.w.today = today })
		h.w.tellAll(want.rungs)
		if err := h.layer.Tick(); err != nil {
			return err
		}
		if h.layer.Due(h.now) {
			return fmt.Errorf("not all was told at once")
		}
		if err := h.announced(want); err != nil {
			return fmt.Errorf("turn to %s: %w", today, err)
		}
	}
	if err := do(); err != nil {
		return fmt.Errorf("in the block after event %d: %w", len(h.log), err)
	}
	if h.one(4) {
		again := h.b.Fork(stamp)
		if again.Due(h.now) {
			if err := again.Tick(); err != nil {
				return err
			}
		}
		for _, do := range h.script {
			do(again)
		}
		if !slices.EqualFunc(again.Drafts(), h.layer.Drafts(), sameEntry) {
			return fmt.Errorf("a block dropped and decided again differs, after event %d", len(h.log))
		}
		h.layer = again
		h.played.Dropped++
	}
	entries := h.layer.Drafts()
	h.layer.Merge()
	h.log = append(h.log, entries...)
	for k := range h.b.TakeTouched() {
		_, _, total, qual := h.b.Moved(k)
		h.board[k] = shown{total, qual}
	}
	return h.follows(entries)
}

func sameEntry(a, b ledger.Entry) bool {
	return bytes.Equal(a.Event, b.Event) && bytes.Equal(a.Annex, b.Annex)
}

// take decodes the drafts that are new since it was last called.
func (h *history) take() ([]*eventv1.Event, error) {
	drafts := h.layer.Drafts()[h.seen:]
	h.seen += len(drafts)
	return decoded(drafts)
}

func decoded(entries []ledger.Entry) ([]*eventv1.Event, error) {
	out := make([]*eventv1.Event, len(entries))
	for i, en := range entries {
		out[i] = new(eventv1.Event)
		if err := unmarshal(en.Event, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// commands decides what units send and the registry changes.
func (h *history) commands() error {
	most := 6
	if h.deep {
		most = 20
	}
	for range 1 + h.r.IntN(most) {
		var err error
		switch n := h.r.IntN(100); {
		case n < 20 && !h.still && (!h.deep || h.one(2)):
			err = h.registry()
		case n < 32:
			err = h.batch()
		case n < 40:
			err = h.grant()
		case n < 46:
			err = h.review()
		default:
			s := h.submission()
			h.script = append(h.script, func(l *Book) { _, _ = l.Submit(s) })
			err = h.submit(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// submit sends one submission to book and model.
func (h *history) submit(s *Submission) error {
	want := h.w.verdict(s)
	got, err := h.layer.Submit(s)
	var no *Refusal
	var stale *Stale
	var reused *Reused
	answer := ""
	switch {
	case errors.As(err, &stale):
		answer = "stale"
		h.played.Stale++
	case errors.As(err, &reused):
		answer = "reused"
		h.played.Reused++
	case errors.As(err, &no):
		answer = "refused"
		h.played.Refused++
	case err != nil:
		return err
	}
	if answer != want {
		return fmt.Errorf("%+v is answered %q (%v), want %q", s, answer, err, want)
	}
	events, err := h.take()
	if err != nil {
		return err
	}
	if answer != "" {
		if len(events) > 0 {
			return fmt.Errorf("%s, and %d events", answer, len(events))
		}
		return nil
	}
	h.played.Accepted++
	h.sent = append(h.sent, s)
	if err := h.recorded(s, events[0]); err != nil {
		return err
	}
	expected := h.w.submitted(s)
	if got.Sequence != events[0].GetSequence() || got.Revision != s.ExpectedRevision+1 || got.RegistryRevision != h.w.revision {
		return fmt.Errorf("receipt %+v of %v", got, events[0])
	}
	return h.w.compareStory(events, expected)
}

// batch sends submissions that are accepted together or not at all, or only tried.
func (h *history) batch() error {
	outer, seen, accepted, before := h.layer, h.seen, len(h.sent), h.w.copy()
	h.layer, h.seen = outer.Sub(), 0
	h.played.Batches++
	refused, tried := false, h.one(4)
	var all []*Submission
	for range 1 + h.r.IntN(4) {
		s := h.submission()
		all = append(all, s)
		n := len(h.sent)
		if err := h.submit(s); err != nil {
			return fmt.Errorf("in a batch: %w", err)
		}
		refused = refused || len(h.sent) == n
	}
	drop := refused || tried
	h.script = append(h.script, func(l *Book) {
		sub := l.Sub()
		for _, s := range all {
			_, _ = sub.Submit(s)
		}
		if !drop {
			sub.Merge()
		}
	})
	if drop {
		h.layer, h.seen, h.sent, h.w = outer, seen, h.sent[:accepted], before
		return nil
	}
	h.layer.Merge()
	h.layer, h.seen = outer, len(outer.Drafts())
	return nil
}

// copy is for a batch that may be dropped: submissions change no resource.
func (w *world) copy() *world {
	c := *w
	c.facts = slices.Clone(w.facts)
	c.moved()
	c.requests, c.complete, c.marks = clone(w.requests), clone(w.complete), clone(w.marks)
	return &c
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// submission makes up something that a unit may send, mostly sensible.
func (h *history) submission() *Submission {
	if len(h.sent) > 0 && h.one(20) {
		s := *pick(h, h.sent) // an earlier one again, or its id with something else
		if h.one(2) {
			m := h.w.measure(s.Target)
			s.Period = h.period(m)
			s.ExpectedRevision = h.w.revisionOf(s.Target, s.Unit, s.Period)
		}
		return &s
	}
	m := pick(h, h.w.measures)
	s := &Submission{Programme: prog, Target: m.id, Unit: pick(h, h.w.units).id, Period: h.period(m),
		RequestID: fmt.Sprint(len(h.sent), "-", h.r.Uint64())}
	for range 30 { // mostly a unit that it applies to
		if u := h.w.byID[s.Unit]; h.w.applies(m, u, s.Period.LastDay()) {
			break
		}
		if h.one(4) {
			m = pick(h, h.w.measures)
		}
		s.Target, s.Unit, s.Period = m.id, pick(h, h.w.units).id, h.period(m)
	}
	s.ExpectedRevision = h.w.revisionOf(m.id, s.Unit, s.Period)
	switch {
	case h.one(10):
		s.Period = s.Period.With(calendar.Cut(1 + h.r.IntN(28))) // periods are known by their names
	case h.one(60):
		s.Period = s.Period.In(pick(h, []calendar.Length{calendar.Monthly, calendar.Quarterly, calendar.Yearly}))
	case h.one(100) && len(h.w.regimes) > 0:
		s.Target = pick(h, h.w.regimes).id
	}
	if h.one(25) {
		s.ExpectedRevision = uint32(h.r.IntN(3))
	}
	if s.Value = h.value(m.kind()); h.deep && s.Value.State == Reported && s.Value.Kind == count && h.one(2) {
		s.Value = number(int64(8*s.Period.Since(m.on(h.w.start).Back(6)) + h.r.IntN(16))) // it grows
	}
	if h.one(3) {
		s.Qualifier = Qualifier(h.r.IntN(4))
	}
	if s.Value.State == NotApplicable || s.Value.State == Withdrawn {
		s.Qualifier = Exact
	}
	return s
}

// period is one of a measure's last ones, sometimes the next.
func (h *history) period(m *mMeasure) calendar.Period {
	back := []int{4, 3, 2, 2}[m.length] + intOf(h.deep)
	if m.target.GetGoal().GetBeat() == registryv1.BeatAgainst_BEAT_AGAINST_SAME_PERIOD_LAST_YEAR && h.one(2) {
		back = 14 // periods of the year before, too
	}
	return m.on(h.w.today).Back(h.r.IntN(back) - intOf(h.one(30)))
}

func (h *history) value(kind typev1.ValueKind) Value {
	switch n := h.r.IntN(100); {
	case n < 12 && len(h.sent) > 0:
		return withdraw()
	case n < 18:
		return notHere()
	case n < 24:
		return bare(int64(h.r.IntN(1000)), 1)
	case n < 26:
		kind = pick(h, []typev1.ValueKind{count, ratio, yesNo})
	}
	switch kind {
	case count:
		if h.still && h.one(2) {
			return number(1<<61 + int64(h.r.IntN(3)) - 1)
		}
		return number(int64(h.r.IntN(120)))
	case ratio:
		den := int64(h.r.IntN(30))
		return part(int64(h.r.IntN(int(den)+2)), den)
	}
	if h.one(3) {
		return no()
	}
	return yes()
}

// sameAsModel compares every figure, threshold and task with the model.
func (h *history) sameAsModel() error {
	for _, m := range slices.Concat(h.w.measures, h.w.regimes, allCounts()) {
		own := h.b.MeasureByID(prog, m.id)
		periods := h.w.periods(m)
		if got := h.b.periods(own.ix); !slices.Equal(got, periods) {
			return fmt.Errorf("%s has the periods %v, want %v", m.id, got, periods)
		}
		if m.task != nil && h.b.complete.Get(own.ix) != h.w.complete[m.id] {
			return fmt.Errorf("task %s is complete: %t", m.id, !h.w.complete[m.id])
		}
		for _, p := range append(periods, Current) {
			if err := h.samePeriod(m, own, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *history) samePeriod(m *mMeasure, own *Measure, p calendar.Period) error {
	totals := h.w.totals(m, p)
	thresholds := h.w.thresholds(m)
	s := h.b.sheet(sheetKey{own.ix, p})
	if err := h.sameDuties(m, p, s); err != nil {
		return err
	}
	for _, u := range h.w.units {
		n, q := s.nodes.At(h.b.UnitByID(u.id).ix), s.quals.At(h.b.UnitByID(u.id).ix).weakest()
		if want := totals[u.ix]; (own.derived == nil || u.id == mRoot) && (n.sum != want.Tally || q != want.qual) {
			return fmt.Errorf("%s at %s in %q is %+v %d, want %+v", m.id, u.id, periodName(p), n.sum, q, want)
		}
		if got := h.board[FigureKey{own.ix, h.b.UnitByID(u.id).ix}]; p == Current && m.regime == nil && got != (shown{n.sum, q}) {
			return fmt.Errorf("%s at %s is published as %+v, and is %+v", m.id, u.id, got, n.sum)
		}
		at := s.marks.At(h.b.UnitByID(u.id).ix)
		for i := range at {
			want := h.w.marks[markAt{m.id, u.id, p, i}]
			if i < len(thresholds) && (at.reached(i) != want.reached || at.ordinal(i) != want.ordinal) {
				return fmt.Errorf("threshold %d of %s at %s in %q is %d %t, want %+v", i, m.id, u.id, periodName(p), at.ordinal(i), at.reached(i), want)
			}
		}
	}
	return nil
}

// sameAsLog compares the live book with its log, with another that followed it,
// with an earlier cut and the tail, and with itself added up afresh.
func (h *history) sameAsLog(cut, follower *Book) error {
	whole := New()
	if err := applyAll(whole, h.log); err != nil {
		return err
	}
	if err := Compare(whole, h.b); err != nil {
		return fmt.Errorf("the log leads elsewhere: %w", err)
	}
	if err := Compare(follower, h.b); err != nil {
		return fmt.Errorf("a follower comes elsewhere: %w", err)
	}
	if cut != nil {
		var image bytes.Buffer
		if err := cut.WriteImage(&image); err != nil {
			return err
		}
		started := New()
		if err := started.ReadImage(&image); err != nil {
			return err
		}
		if err := applyAll(started, h.log); err != nil {
			return err
		}
		if err := Compare(started, h.b); err != nil {
			return fmt.Errorf("an image and the tail lead elsewhere: %w", err)
		}
		for _, u := range h.w.units { // what an image leaves out is made again
			if a, b := h.b.UnitByID(u.id), started.UnitByID(u.id); a != nil && countKin(h.b, a.ix) != countKin(started, b.ix) {
				return fmt.Errorf("the units below %s differ", u.id)
			}
		}
	}
	if _, err := h.b.Recompute(); err != nil {
		return err
	}
	return h.reads()
}

func countKin(b *Book, unit unitIx) int {
	n := 0
	for range b.childrenIn(unit, Current) {
		n++
	}
	return n
}

func applyAll(b *Book, log []ledger.Entry) error {
	for b.Head() < uint64(len(log)) {
		if err := b.Apply(b.Head()+1, log[b.Head()]); err != nil {
			return err
		}
	}
	return nil
}

// reads holds what is read of some figures against the model and against each other.
func (h *history) reads() error {
	m := pick(h, h.w.measures)
	own, u := h.b.MeasureByID(prog, m.id), pick(h, h.w.units)
	p := pick(h, append(h.w.periods(m), Current, m.on(h.w.today).Back(7)))
	unit := h.b.UnitByID(u.id)
	f := h.b.View(own, p).Figure(unit)
	totals := h.w.totals(m, p)
	if f.Total != totals[u.ix].Tally {
		return fmt.Errorf("the figure of %s at %s in %q is %+v, want %+v", m.id, u.id, periodName(p), f.Total, totals[u.ix])
	}
	if err := h.sameGoals(m, p, totals); err != nil {
		return err
	}
	var parts, kinds Tally
	list, _ := h.b.View(own, p).Contributions(unit, "", 1000)
	for _, c := range list {
		parts, _ = parts.Add(c.Own.Tally)
	}
	_, tallies := h.b.View(own, p).ByKind(unit)
	for _, k := range tallies {
		kinds, _ = kinds.Add(k)
	}
	children := f.Own.Tally
	below, more := h.b.View(own, p).Figures(unit, Selection{}, "", 1000)
	for _, c := range below {
		children, _ = children.Add(c.Total)
	}
	if parts != f.Total || kinds != f.Total || children != f.Total || more {
		return fmt.Errorf("%s at %s in %q is %+v: contributions %+v, kinds %+v, children %+v", m.id, u.id, periodName(p), f.Total, parts, kinds, children)
	}
	if err := h.readTime(); err != nil {
		return err
	}
	return h.counts()
}

// sameGoals compares the goals of all units that have a place in a period: before its
// birth a unit has none, and so no goal to speak of.
func (h *history) sameGoals(m *mMeasure, p calendar.Period, totals []mTotal) error {
	v, scale := h.b.View(h.b.MeasureByID(prog, m.id), p), int64(1)
	if m.kind() != count {
		scale = whole
	}
	for _, u := range h.w.units {
		if m.target == nil || !u.exists(h.w.day(p)) {
			continue
		}
		want, f := h.w.goal(m, u, p, totals), v.Figure(h.b.UnitByID(u.id))
		if has := f.HasGoal && f.Goal.why == Defined; has != (want != nil) || has && !want.is(f.Goal, scale) {
			return fmt.Errorf("the goal of %s at %s in %q is %+v %t, want %+v", m.id, u.id, periodName(p), f.Goal, has, want)
		}
	}
	return nil
}

// is reports whether the book's goal is the model's.
func (g *mGoal) is(got Goal, scale int64) bool {
	if g.beat != nil {
		return *g.beat == got.beat
	}
	if g.value.Cmp(big.NewRat(got.value, scale)) != 0 || (g.base != nil) != got.hasBaseline {
		return false
	}
	return g.base == nil || g.base.Cmp(big.NewRat(got.baseline, scale)) == 0
}

// counts holds the counts of tasks against the model.
func (h *history) counts() error {
	f := TaskFilter{Basis: pick(h, []typev1.CountingBasis{byTask, byAssignment}), Group: pick(h, []string{"", "g1"}),
		Form: pick(h, []typev1.TaskForm{typev1.TaskForm_TASK_FORM_TASK, typev1.TaskForm_TASK_FORM_GROUP})}
	then := h.asOf(h.w.today - calendar.Date(h.r.IntN(2)*h.r.IntN(100)))
	var want Tally
	for _, m := range h.w.measures {
		if m.task == nil || m.task.GetForm() != f.Form || f.Group != "" && m.task.GetGroup() != f.Group {
			continue
		}
		only := &world{}
		*only = *then
		only.measures = []*mMeasure{m}
		only.moved()
		id := countIDs(m.task)[intOf(f.Basis == byAssignment)]
		want, _ = want.Add(only.derivedTotal(id))
	}
	if got, err := h.b.CountTasks(prog, f, then.today); err != nil || got != want {
		return fmt.Errorf("tasks by %+v are %+v (%v), want %+v", f, got, err, want)
	}
	return nil
}

// change sends a change of the registry to the book.
func (h *history) change(c *registryv1.Change) {
	h.w.revision++
	h.played.Registry++
	c.Revision = h.w.revision
	h.layer.Registry(c)
	h.script = append(h.script, func(l *Book) { l.Registry(c) })
}
