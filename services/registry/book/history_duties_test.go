package book_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"pgregory.net/rapid"
)

// duties is a naive model of calendars and regimes.
type duties struct {
	calendars map[string]*registryv1.Calendar // those that were written
	regimes   map[string]*registryv1.Regime
}

// cutOff is where the months of a calendar end; ok is false when there is none.
func (d *duties) cutOff(id string) (day uint32, ok bool) {
	if c := d.calendars[id]; c != nil {
		return c.CutOffDay, true
	}
	if id == "administrative" {
		return 14, true
	}
	return 0, id == "statistical" || id == ""
}

// owedBefore reports whether a regime begins before a day.
func (d *duties) owedBefore(day string) bool {
	for _, r := range d.regimes {
		if r.FromDate != "" && r.FromDate < day {
			return true
		}
	}
	return false
}

// periods are what may not change, with what is not set read as it is.
func periods(m interface {
	GetCalendar() string
	GetFrequency() typev1.Frequency
}) [2]string {
	return [2]string{cmp.Or(m.GetCalendar(), "statistical"), cmp.Or(m.GetFrequency(), 1).String()}
}

// refusesTarget is why a target is refused because of its id, calendar or regime; 0
// when it is not.
func (h *history) refusesTarget(id string, m, present *registryv1.Target) errorv1.Reason {
	_, known := h.cutOff(m.Calendar)
	regime := h.regimes[m.Regime]
	switch {
	case h.regimes[id] != nil:
		return errorv1.Reason_REASON_RESOURCE_EXISTS
	case present != nil && (periods(present) != periods(m) || present.GetRegime() != m.GetRegime()):
		return errorv1.Reason_REASON_CHANGE_NOT_ALLOWED
	case !known || m.Regime != "" && regime == nil:
		return errorv1.Reason_REASON_BAD_REFERENCE
	case regime != nil && periods(regime) != periods(m):
		return errorv1.Reason_REASON_CHANGE_NOT_ALLOWED
	}
	return 0
}

// foreign reports whether a refusal is about what this model does not hold.
func foreign(e *book.Error) bool {
	return e.Reason == errorv1.Reason_REASON_BAD_REFERENCE &&
		!slices.ContainsFunc(e.Violations, func(v book.Violation) bool {
			return strings.HasSuffix(v.Field, ".calendar") || strings.HasSuffix(v.Field, ".regime")
		})
}

func drawPeriods(t *rapid.T) (string, typev1.Frequency) {
	return rapid.SampledFrom([]string{"", "statistical", "administrative", "c"}).Draw(t, "calendar"),
		typev1.Frequency(rapid.IntRange(0, 2).Draw(t, "frequency"))
}

// writeCalendar writes a calendar to the book and the model, and compares what they say.
func (h *history) writeCalendar(t *rapid.T) {
	id := rapid.SampledFrom([]string{"statistical", "administrative", "c"}).Draw(t, "which")
	m := &registryv1.Calendar{DisplayName: "c", CutOffDay: rapid.SampledFrom([]uint32{0, 14, 25}).Draw(t, "cutOff")}
	off := rapid.SliceOfNDistinct(rapid.SampledFrom(days), 0, 3, rapid.ID).Draw(t, "off")
	for _, d := range off {
		m.Holidays = append(m.Holidays, &registryv1.Holiday{Date: d})
	}
	// Of the days, 2005-01-01 is a Saturday and 2006-01-01 a Sunday.
	m.WorkingDates = rapid.SliceOfN(rapid.SampledFrom([]string{"2005-01-01", "2006-01-01", "2004-01-01"}), 0, 2).Draw(t, "worked")
	err := h.do(rapid.Bool().Draw(t, "deep"), func(b *book.Book) error {
		_, _, err := b.PutCalendar(name.Calendar(id), m, book.How{Mode: book.Put})
		return err
	})
	rising := func(all []string) bool {
		return slices.IsSorted(all) && len(slices.Compact(slices.Clone(all))) == len(all)
	}
	want := rising(off) && rising(m.WorkingDates) && !slices.Contains(m.WorkingDates, "2004-01-01") &&
		!slices.ContainsFunc(m.WorkingDates, func(d string) bool { return slices.Contains(off, d) })
	if cut, ok := h.cutOff(id); ok && cut != m.CutOffDay {
		want = false
	}
	var e *book.Error
	if err != nil && !errors.As(err, &e) || want != (err == nil) {
		t.Fatalf("calendar %s %v: the model says %v, the book %v", id, m, want, err)
	}
	if err != nil {
		return
	}
	if h.calendars == nil {
		h.calendars = map[string]*registryv1.Calendar{}
	}
	h.calendars[id] = m
}

// writeRegime does so with a regime.
func (h *history) writeRegime(t *rapid.T) {
	id := name.Regime{Programme: "p", ID: rapid.SampledFrom([]string{"r0", "r0", "r1", "t1"}).Draw(t, "regime")}
	m := &registryv1.Regime{DisplayName: "r", DueWorkingDays: uint32(rapid.IntRange(1, 3).Draw(t, "due"))}
	m.Calendar, m.Frequency = drawPeriods(t)
	if rapid.IntRange(0, 3).Draw(t, "dated") == 0 {
		m.FromDate = day(t, "from")
	}
	p := h.live.Programme("p")
	err := h.do(rapid.Bool().Draw(t, "deep"), func(b *book.Book) error {
		_, _, err := b.PutRegime(id, m, book.How{Mode: book.Put})
		return err
	})
	_, want := h.cutOff(m.Calendar)
	present := h.regimes[id.ID]
	switch {
	case p == nil, h.targets[id.ID] != nil, h.live.Task(name.Task(id)) != nil,
		present != nil && periods(present) != periods(m),
		m.FromDate != "" && (m.FromDate < p.StartDate || m.FromDate > p.EndDate):
		want = false
	}
	var e *book.Error
	if err != nil && !errors.As(err, &e) || want != (err == nil) {
		t.Fatalf("regime %s %v: the model says %v, the book %v", id.ID, m, want, err)
	}
	if err != nil {
		return
	}
	if h.regimes == nil {
		h.regimes = map[string]*registryv1.Regime{}
	}
	h.regimes[id.ID] = m
}
