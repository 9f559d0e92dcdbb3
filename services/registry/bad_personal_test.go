package registry_test

import (
	"context"
	"testing"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// badPersonal are writes that would publish what gives a citizen away.
func badPersonal() []bad {
	const personal, count = errorv1.Reason_REASON_PERSONAL_DATA, typev1.ValueKind_VALUE_KIND_COUNT
	const phone, mail, person = "gọi 0912 345 678", "van.thu (at) example.vn", "CCCD 079 123 456 789"
	designated := newUnit("79", "vn", province, "province")
	designated.Designation = phone
	calendar := &registryv1.Calendar{Name: "calendars/x", DisplayName: "Lịch", Holidays: []*registryv1.Holiday{{Date: "2022-01-01", DisplayName: mail}}}
	regime := newRegime("x")
	regime.Calendar, regime.Frequency, regime.DisplayName = "administrative", quarterly, person
	return []bad{
		{"personal id of a unit", addUnit("079123456789", nil), invalid, personal, "unit_id"},
		{"personal name of a unit", addUnit("x", func(u *registryv1.Unit) { u.DisplayName = phone }), invalid, personal, "unit.display_name"},
		{"personal new name of a unit", setUnit("79", func(u *registryv1.Unit) { u.DisplayName = mail }), invalid, personal, "unit.display_name"},
		{"personal designation of a unit by a mask", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: designated, UpdateMask: mask("designation")})
			return err
		}, invalid, personal, "unit.designation"},
		{"personal name of a programme", addProgramme("x", func(p *registryv1.Programme) { p.DisplayName = person }), invalid, personal, "programme.display_name"},
		{"personal signer", setProgramme(func(p *registryv1.Programme) { p.Instruments[0].Signer = mail }), invalid, personal, "programme.instruments[0].signer"},
		{"personal number of a document", setProgramme(func(p *registryv1.Programme) { p.Instruments[0].Number = "079123456789" }), invalid, personal, "programme.instruments[0].number"},
		{"personal name of a pillar", setProgramme(func(p *registryv1.Programme) { p.Pillars[0].DisplayName = phone }), invalid, personal, "programme.pillars[0].display_name"},
		{"personal head of a task", addTask("x", func(t *registryv1.Task) { t.Assignments[0].AccountableHead = phone }), invalid, personal, "task.assignments[0].accountable_head"},
		{"personal acceptance of a task", setTask("n1", func(t *registryv1.Task) { t.Acceptance = mail }), invalid, personal, "task.acceptance"},
		{"personal name of a target", addTarget("x", count, func(t *registryv1.Target) { t.DisplayName = phone }), invalid, personal, "target.display_name"},
		{"personal unit of a target", setTarget("cards", count, func(t *registryv1.Target) { t.MeasureUnit = mail }), invalid, personal, "target.measure_unit"},
		{"personal holiday", func(ctx context.Context, r *rig) error {
			_, err := r.admin.CreateCalendar(ctx, &registryv1.CreateCalendarRequest{CalendarId: "x", Calendar: calendar})
			return err
		}, invalid, personal, "calendar.holidays[0].display_name"},
		{"personal unit in a batch", writes(newUnit("x", "vn", province, "province"), designated), invalid, personal, "writes[1].unit.designation"},
		{"personal regime in a batch", writes(regime), invalid, personal, "writes[0].regime.display_name"},
		{"personal reason of a level", func(ctx context.Context, r *rig) error {
			_, err := r.admin.RaiseLevel(ctx, &registryv1.RaiseLevelRequest{Level: 2, Reason: phone})
			return err
		}, invalid, personal, "reason"},
	}
}

// TestWhatIsKeptStays: the check stands at the door. What an earlier release took in is
// read and replayed as it is, and may be left alone or mended.
func TestWhatIsKeptStays(t *testing.T) {
	r := newRig(t)
	r.seed()
	kept := newUnit("02", "vn", province, "province")
	kept.DisplayName = "Ông A, 0912 345 678"
	if _, err := r.engine.Do(t.Context(), func(b *book.Book) error {
		_, _, err := b.PutUnit("02", kept, book.How{Mode: book.Put})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	r.restart()
	got, err := r.read.GetUnit(t.Context(), &registryv1.GetUnitRequest{Name: "units/02"})
	if err != nil || got.GetUnit().GetDisplayName() != kept.DisplayName {
		t.Fatalf("after a restart: %v, %v", got, err)
	}
	if _, err := r.admin.UpdateUnit(t.Context(), &registryv1.UpdateUnitRequest{UpdateMask: mask("designation"),
		Unit: &registryv1.Unit{Name: "units/02", Designation: "Tỉnh"}}); err != nil {
		t.Errorf("another field of it: %v", err)
	}
	if _, err := r.admin.UpdateUnit(t.Context(), &registryv1.UpdateUnitRequest{UpdateMask: mask("display_name"),
		Unit: &registryv1.Unit{Name: "units/02", DisplayName: "Hà Giang"}}); err != nil {
		t.Errorf("a better name: %v", err)
	}
}
