package book

import (
	"bytes"
	"errors"
	"testing"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
)

// findingsOf lists all findings, newest first.
func (r *rig) findingsOf() []Finding {
	r.t.Helper()
	all, more := r.b.Findings(FindingFilter{Programme: prog, Settled: true}, 0, 1000)
	if more {
		r.t.Fatal("more than a thousand findings")
	}
	return all
}

// confirm settles a finding.
func (r *rig) confirm(id uint64, by string) (sequence uint64, events []*eventv1.Event, err error) {
	r.t.Helper()
	events = r.block(func(l *Book) {
		sequence, err = l.Confirm(&Confirmation{Programme: prog, Finding: id, By: by, Annex: []byte("why")})
	})
	return sequence, events, err
}

// imaged checks that an image leads to the same book, and goes on with that.
func (r *rig) imaged() {
	r.t.Helper()
	var image bytes.Buffer
	if err := r.b.Freeze().WriteImage(&image); err != nil {
		r.t.Fatal(err)
	}
	b := New()
	if err := b.ReadImage(&image); err != nil {
		r.t.Fatal(err)
	}
	if err := Compare(b, r.b); err != nil {
		r.t.Errorf("the image differs: %v", err)
	}
	if _, err := b.Recompute(); err != nil {
		r.t.Error(err)
	}
	r.b = b
}

func (r *rig) wantQuality(unit, target, period string, want quality) {
	r.t.Helper()
	c := cellAt{r.b.MeasureByID(prog, target).ix, r.b.UnitByID(unit).ix, month(r.t, period)}
	if got := r.b.qualityOf(c); got != want {
		r.t.Errorf("quality of %s of %s in %s is %+v, want %+v", target, unit, period, got, want)
	}
}

// TestFinding_states follows a finding: it stays while corrections fail, is settled
// by one that passes or by what takes the value back, and opens again.
func TestFinding_states(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.target("x", count, sumAll, kinds(commune), checked(looksFor(magnitude), looksFor(sameAsLast)))
	r.report("26734", "x", "2022-M01", number(7))
	opened := r.report("26734", "x", "2022-M02", number(70))
	wantLooked(t, opened, "1 of 2 failed", "opened 26734 2022-M02 MAGNITUDE: 70 against 7")
	if cause := opened[1].GetCausation(); cause != opened[0].GetSequence() {
		t.Errorf("the finding was caused by %d", cause)
	}
	if f := opened[1].GetFindingOpened(); f.GetOwner() != "26734" || f.GetRevision() != 1 || f.GetPath() != "vn.79.760.26734" {
		t.Errorf("the finding is %v", f)
	}
	r.wantQuality("26734", "x", "2022-M02", quality{run: 2, failed: 1, open: 1})
	wantLooked(t, r.report("26734", "x", "2022-M02", number(71)), "1 of 2 failed") // stays
	wantLooked(t, r.report("26734", "x", "2022-M02", number(7)), "1 of 2 failed",
		"resolved 26734 2022-M02 MAGNITUDE: CORRECTED", "opened 26734 2022-M02 COPY: 7 against 7")
	wantLooked(t, r.report("26734", "x", "2022-M02", withdraw()), "0 of 0 failed", "resolved 26734 2022-M02 COPY: CORRECTED")
	r.wantQuality("26734", "x", "2022-M02", quality{})
	wantLooked(t, r.report("26734", "x", "2022-M02", number(700)), "1 of 2 failed", "opened 26734 2022-M02 MAGNITUDE: 700 against 7")
	wantLooked(t, r.report("26734", "x", "2022-M02", notHere()), "0 of 0 failed", "resolved 26734 2022-M02 MAGNITUDE: CORRECTED")
	if all := r.findingsOf(); len(all) != 3 || all[0].Value != 700 || all[2].Value != 70 {
		t.Errorf("findings: %+v", all)
	}
	r.sound()
	r.imaged()
}

// TestFinding_confirmed shows who may say that a value is right, and what holds
// after it.
func TestFinding_confirmed(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.target("x", count, sumAll, kinds(commune), checked(looksFor(magnitude)))
	r.report("26734", "x", "2022-M01", number(7))
	id := r.report("26734", "x", "2022-M02", number(70))[1].GetSequence()
	wantRefused := func(id uint64, by string, reason errorv1.Reason, field string) {
		t.Helper()
		var no *Refusal
		_, events, err := r.confirm(id, by)
		if !errors.As(err, &no) || no.Reason != reason || no.Field != field || len(events) > 0 {
			t.Errorf("confirmed by %s: %v, %d events", by, err, len(events))
		}
	}
	wantRefused(id, "26737", errorv1.Reason_REASON_NOT_COMPETENT, "resolved_by") // beside it
	wantRefused(id, "01", errorv1.Reason_REASON_NOT_COMPETENT, "resolved_by")    // above another
	wantRefused(id, "nobody", errorv1.Reason_REASON_UNIT_NOT_FOUND, "resolved_by")
	wantRefused(id-1, "79", errorv1.Reason_REASON_FINDING_NOT_FOUND, "finding") // a submission
	wantRefused(1<<40, "79", errorv1.Reason_REASON_FINDING_NOT_FOUND, "finding")

	wantLooked(t, r.report("26734", "x", "2022-M02", number(72)), "1 of 1 failed") // what is confirmed then
	first, events, err := r.confirm(id, "79")
	if err != nil || first != events[0].GetSequence() || events[0].GetFindingResolved().GetResolvedBy() != "79" {
		t.Fatalf("confirmed by event %d, %v: %v", first, events, err)
	}
	if again, events, err := r.confirm(id, "79"); again != first || len(events) > 0 || err != nil {
		t.Errorf("confirmed again by event %d, %d events: %v", again, len(events), err)
	}
	wantRefused(id, "26734", errorv1.Reason_REASON_FINDING_RESOLVED, "finding")
	r.wantQuality("26734", "x", "2022-M02", quality{run: 1, failed: 1})

	wantLooked(t, r.report("26734", "x", "2022-M02", number(72)), "1 of 1 failed") // the same value
	wantLooked(t, r.report("26734", "x", "2022-M02", number(8)), "0 of 1 failed")
	wantLooked(t, r.report("26734", "x", "2022-M02", number(72)), "1 of 1 failed") // as was confirmed
	next := r.report("26734", "x", "2022-M02", number(70))
	wantLooked(t, next, "1 of 1 failed", "opened 26734 2022-M02 MAGNITUDE: 70 against 7")
	r.report("26734", "x", "2022-M02", number(8))
	wantRefused(next[1].GetSequence(), "79", errorv1.Reason_REASON_FINDING_RESOLVED, "finding") // by a correction
	r.sound()
	r.imaged()
}

// TestFinding_ownerMoved shows that today's tree says who stands above.
func TestFinding_ownerMoved(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.target("x", count, sumAll, kinds(commune), checked(looksFor(magnitude)))
	r.report("26734", "x", "2022-M01", number(7))
	id := r.report("26734", "x", "2022-M02", number(70))[1].GetSequence()
	r.unit("26734", "", commune, placed(from("2010-01-01", "760", commune), from("2022-06-01", "001", commune)))
	if _, _, err := r.confirm(id, "79"); err == nil {
		t.Error("confirmed by the province that it left")
	}
	if _, _, err := r.confirm(id, "01"); err != nil {
		t.Error(err)
	}
	r.sound()
}

// TestFinding_olderPeriod shows that what is said of an older period is held
// against the next value again, whatever becomes of it.
func TestFinding_olderPeriod(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.target("x", count, sumAll, kinds(commune), checked(looksFor(magnitude), looksFor(sameAsLast)))
	wantLooked(t, r.report("26734", "x", "2022-M05", number(70)), "0 of 0 failed")
	r.report("26734", "x", "2022-M06", number(80))
	wantLooked(t, r.report("26734", "x", "2022-M03", number(7)), "0 of 0 failed",
		"again x 26734 2022-M05: 1 of 1 failed", "opened 26734 2022-M05 MAGNITUDE: 70 against 7")
	r.wantQuality("26734", "x", "2022-M05", quality{run: 1, failed: 1, open: 1})
	wantLooked(t, r.report("26734", "x", "2022-M04", number(70)), "1 of 2 failed", // a late first report
		"again x 26734 2022-M05: 1 of 2 failed", "opened 26734 2022-M04 MAGNITUDE: 70 against 7",
		"resolved 26734 2022-M05 MAGNITUDE: CORRECTED", "opened 26734 2022-M05 COPY: 70 against 70")
	wantLooked(t, r.report("26734", "x", "2022-M03", number(8)), "0 of 0 failed",
		"again x 26734 2022-M04: 0 of 2 failed", "resolved 26734 2022-M04 MAGNITUDE: CORRECTED")
	wantLooked(t, r.report("26734", "x", "2022-M04", withdraw()), "0 of 0 failed",
		"again x 26734 2022-M05: 0 of 1 failed", "resolved 26734 2022-M05 COPY: CORRECTED")
	wantLooked(t, r.report("26734", "x", "2022-M03", withdraw()), "0 of 0 failed", "again x 26734 2022-M05: 0 of 0 failed")
	r.sound()
	r.imaged()
}

// TestFinding_average shows that either of the two can be corrected, and that
// nothing can be told once one is gone.
func TestFinding_average(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	r.target("mean", count, last, kinds(commune))
	r.target("total", count, sumAll, kinds(commune), checked(looksFor(magnitude), made("mean", 100)))
	r.report("26734", "mean", "2022-M06", number(10))
	wantLooked(t, r.report("26734", "total", "2022-M06", number(30)), "1 of 1 failed",
		"opened 26734 2022-M06 AVERAGE_TIMES_DAYS: 30 against 300")
	wantLooked(t, r.report("26734", "mean", "2022-M06", number(1)), "0 of 0 failed",
		"again total 26734 2022-M06: 0 of 1 failed", "resolved 26734 2022-M06 AVERAGE_TIMES_DAYS: CORRECTED")
	wantLooked(t, r.report("26734", "mean", "2022-M06", number(2)), "0 of 0 failed",
		"again total 26734 2022-M06: 1 of 1 failed", "opened 26734 2022-M06 AVERAGE_TIMES_DAYS: 30 against 60")
	wantLooked(t, r.report("26734", "mean", "2022-M06", withdraw()), "0 of 0 failed",
		"again total 26734 2022-M06: 0 of 0 failed", "resolved 26734 2022-M06 AVERAGE_TIMES_DAYS: CORRECTED")
	r.imaged()
	// The check is dropped: what is open about it goes with the next value.
	r.report("26734", "mean", "2022-M06", number(2))
	r.target("total", count, sumAll, kinds(commune))
	wantLooked(t, r.report("26734", "mean", "2022-M06", number(3)), "0 of 0 failed",
		"again total 26734 2022-M06: 0 of 0 failed", "resolved 26734 2022-M06 AVERAGE_TIMES_DAYS: CORRECTED")
	r.sound()
}

// TestFindings_listed shows the filters and the order of a list, page by page.
func TestFindings_listed(t *testing.T) {
	r := newRig(t, "2022-12-31")
	r.tree()
	for _, id := range []string{"x", "y"} {
		r.target(id, count, sumAll, kinds(commune), checked(looksFor(magnitude)))
		for _, u := range []string{"26734", "00001"} {
			r.report(u, id, "2022-M01", number(7))
			r.report(u, id, "2022-M02", number(70))
		}
	}
	r.report("00001", "y", "2022-M02", number(8)) // corrected
	list := func(sel FindingFilter, before uint64, limit int) (out []string, last uint64, more bool) {
		sel.Programme = prog
		var all []Finding
		all, more = r.b.Findings(sel, before, limit)
		for _, f := range all {
			out, last = append(out, f.Measure.ID()+" "+f.Unit.ID()), f.ID
			if f.TimeUnixMicros != r.now.UnixMicro() {
				t.Errorf("finding %d was opened at %d", f.ID, f.TimeUnixMicros)
			}
		}
		return out, last, more
	}
	want := func(sel FindingFilter, ids ...string) {
		t.Helper()
		got, _, _ := list(sel, 0, 10)
		if len(got) != len(ids) {
			t.Fatalf("%v, want %v", got, ids)
		}
		for i := range ids {
			if got[i] != ids[i] {
				t.Errorf("%v, want %v", got, ids)
			}
		}
	}
	want(FindingFilter{}, "y 26734", "x 00001", "x 26734")
	want(FindingFilter{Settled: true}, "y 00001", "y 26734", "x 00001", "x 26734")
	want(FindingFilter{Measure: r.b.MeasureByID(prog, "x")}, "x 00001", "x 26734")
	want(FindingFilter{Top: r.b.UnitByID("79")}, "y 26734", "x 26734")
	want(FindingFilter{Top: r.b.UnitByID("00001")}, "x 00001")
	page, last, more := list(FindingFilter{}, 0, 2)
	if len(page) != 2 || !more {
		t.Errorf("first page %v, more %t", page, more)
	}
	if page, _, more = list(FindingFilter{}, last, 2); len(page) != 1 || page[0] != "x 26734" || more {
		t.Errorf("second page %v, more %t", page, more)
	}
}
