package registry_test

import (
	"context"
	"fmt"
	"strings"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"google.golang.org/protobuf/proto"
)

const (
	quarterly = typev1.Frequency_FREQUENCY_QUARTERLY
	byPeriod  = registryv1.MilestoneScope_MILESTONE_SCOPE_PERIOD
)

func newCalendar(id string) *registryv1.Calendar {
	return &registryv1.Calendar{
		Name: "calendars/" + id, DisplayName: "Lịch " + id, CutOffDay: 25,
		Holidays:     []*registryv1.Holiday{{Date: "2024-04-29", DisplayName: "Hoán đổi"}, {Date: "2024-04-30"}},
		WorkingDates: []string{"2024-05-04"},
	}
}

func newRegime(id string) *registryv1.Regime {
	return &registryv1.Regime{
		Name: "programmes/p/regimes/" + id, DisplayName: "Báo cáo " + id, DueWorkingDays: 5, Instrument: "qd-06",
		LevelOffsets: []*registryv1.LevelOffset{{Level: "commune", DueWorkingDays: 2}},
	}
}

// seedTime adds to the small tree a calendar, regimes and targets of two lengths
// of periods.
func (r *rig) seedTime() {
	r.t.Helper()
	quarter := newRegime("quarter")
	quarter.Calendar, quarter.Frequency = "administrative", quarterly
	stock := newTarget("stock", typev1.ValueKind_VALUE_KIND_COUNT)
	stock.Calendar, stock.Frequency, stock.Regime = "administrative", quarterly, "quarter"
	fees := newTarget("fees", typev1.ValueKind_VALUE_KIND_COUNT)
	fees.Regime = "month"
	r.write(newCalendar("fiscal"), newRegime("month"), quarter, stock, fees)
}

func addCalendar(id string, f func(*registryv1.Calendar)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.CreateCalendar(ctx, &registryv1.CreateCalendarRequest{CalendarId: id, Calendar: change(newCalendar(""), f)})
		return err
	}
}

func setCalendar(id string, f func(*registryv1.Calendar)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.UpdateCalendar(ctx, &registryv1.UpdateCalendarRequest{Calendar: change(newCalendar(id), f)})
		return err
	}
}

func addRegime(id string, f func(*registryv1.Regime)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.CreateRegime(ctx, &registryv1.CreateRegimeRequest{
			Parent: "programmes/p", RegimeId: id, Regime: change(newRegime(""), f),
		})
		return err
	}
}

func setRegime(id string, f func(*registryv1.Regime)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.UpdateRegime(ctx, &registryv1.UpdateRegimeRequest{Regime: change(newRegime(id), f)})
		return err
	}
}

func badCalendars() []bad {
	type cal = registryv1.Calendar
	const noCalendar = errorv1.Reason_REASON_CALENDAR_NOT_FOUND
	off := func(days ...string) func(*cal) {
		return func(c *cal) {
			c.Holidays, c.WorkingDates = nil, nil
			for _, d := range days {
				c.Holidays = append(c.Holidays, &registryv1.Holiday{Date: d})
			}
		}
	}
	worked := func(days ...string) func(*cal) { return func(c *cal) { c.WorkingDates = days } }
	return []bad{
		{"calendar id missing", addCalendar("", nil), invalid, field, "calendar_id"},
		{"calendar id with capitals", addCalendar("Fiscal", nil), invalid, field, "calendar_id"},
		{"calendar id too long", addCalendar(strings.Repeat("a", 61), nil), invalid, field, "calendar_id"},
		{"calendar exists", addCalendar("fiscal", nil), taken, exists, "calendar_id"},
		{"calendar exists from the start", addCalendar("statistical", nil), taken, exists, "calendar_id"},
		{"calendar without a name", addCalendar("x", func(c *cal) { c.DisplayName = "" }), invalid, field, "calendar.display_name"},
		{"calendar with a blank name", addCalendar("x", func(c *cal) { c.DisplayName = " " }), invalid, field, "calendar.display_name"},
		{"calendar with a control character", addCalendar("x", func(c *cal) { c.DisplayName = "a\nb" }), invalid, field, "calendar.display_name"},
		{"calendar cut off on the 29th", addCalendar("x", func(c *cal) { c.CutOffDay = 29 }), invalid, field, "calendar.cut_off_day"},
		{"holiday on no real day", addCalendar("x", off("2023-02-29")), invalid, field, "calendar.holidays[0].date"},
		{"holiday in another form", addCalendar("x", off("30/04/2024")), invalid, field, "calendar.holidays[0].date"},
		{"holiday in a far year", addCalendar("x", off("2200-01-01")), invalid, field, "calendar.holidays[0].date"},
		{"holidays descending", addCalendar("x", off("2024-05-01", "2024-04-30")), invalid, field, "calendar.holidays[1].date"},
		{"holiday twice", addCalendar("x", off("2024-05-01", "2024-05-01")), invalid, field, "calendar.holidays[1].date"},
		{"holiday with a direction character", addCalendar("x", func(c *cal) { c.Holidays[1].DisplayName = "a\u202Eb" }), invalid, field, "calendar.holidays[1].display_name"},
		{"1,001 holidays", addCalendar("x", func(c *cal) {
			for len(c.Holidays) < 1001 {
				c.Holidays = append(c.Holidays, c.Holidays[0])
			}
		}), invalid, field, "calendar.holidays"},
		{"working date on no real day", addCalendar("x", worked("2024-02-30")), invalid, field, "calendar.working_dates[0]"},
		{"working date on a Friday", addCalendar("x", worked("2024-05-03")), invalid, field, "calendar.working_dates[0]"},
		{"working date on a Monday", addCalendar("x", worked("2024-05-04", "2024-05-06")), invalid, field, "calendar.working_dates[1]"},
		{"working dates descending", addCalendar("x", worked("2024-05-05", "2024-05-04")), invalid, field, "calendar.working_dates[1]"},
		{"working date twice", addCalendar("x", worked("2024-05-04", "2024-05-04")), invalid, field, "calendar.working_dates[1]"},
		{"working date that is a holiday", addCalendar("x", func(c *cal) {
			c.Holidays = append(c.Holidays, &registryv1.Holiday{Date: "2024-05-04"})
		}), invalid, field, "calendar.working_dates[0]"},
		{"201 working dates", addCalendar("x", func(c *cal) {
			for len(c.WorkingDates) < 201 {
				c.WorkingDates = append(c.WorkingDates, "2024-05-04")
			}
		}), invalid, field, "calendar.working_dates"},
		{"cut-off changed", setCalendar("fiscal", func(c *cal) { c.CutOffDay = 20 }), failed, fixed, "calendar.cut_off_day"},
		{"cut-off changed of one that is always there", setCalendar("administrative", func(c *cal) { c.CutOffDay = 15 }), failed, fixed, "calendar.cut_off_day"},
		{"calendar update of none", setCalendar("none", nil), absent, noCalendar, "calendar.name"},
		{"calendar update by its id", setCalendar("", func(c *cal) { c.Name = "fiscal" }), invalid, field, "calendar.name"},
		{"calendar changed at another revision", setCalendar("fiscal", func(c *cal) { c.Revision, c.DisplayName = 2, "x" }), aborted, stale, "calendar.revision"},
		{"calendar never changed at another revision", setCalendar("statistical", func(c *cal) { c.Revision, c.CutOffDay = 1, 0 }), aborted, stale, "calendar.revision"},
		{"calendar update within a list", func(ctx context.Context, r *rig) error {
			_, err := r.admin.UpdateCalendar(ctx, &registryv1.UpdateCalendarRequest{Calendar: newCalendar("fiscal"), UpdateMask: mask("holidays.date")})
			return err
		}, invalid, field, "update_mask"},
		{"batch with a calendar of a bad name", writes(newCalendar("A")), invalid, field, "writes[0].calendar.name"},
		{"batch with a calendar of a bad day", writes(newUnit("a1", "vn", province, "province"), change(newCalendar("x"), off("2023-02-29"))), invalid, field, "writes[1].calendar.holidays[0].date"},
		{"get no calendar", func(ctx context.Context, r *rig) error {
			_, err := r.read.GetCalendar(ctx, &registryv1.GetCalendarRequest{Name: "calendars/none"})
			return err
		}, absent, noCalendar, "name"},
		{"get a calendar by its id", func(ctx context.Context, r *rig) error {
			_, err := r.read.GetCalendar(ctx, &registryv1.GetCalendarRequest{Name: "fiscal"})
			return err
		}, invalid, field, "name"},
		{"list 1,001 calendars", func(ctx context.Context, r *rig) error {
			_, err := r.read.ListCalendars(ctx, &registryv1.ListCalendarsRequest{PageSize: 1001})
			return err
		}, invalid, field, "page_size"},
		{"revisions of no calendar", revisionsOf("calendars/none"), absent, noCalendar, "name"},
	}
}

// revisionsOf lists the revisions of a resource.
func revisionsOf(name string) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.read.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: name})
		return err
	}
}

func badRegimes() []bad {
	type reg = registryv1.Regime
	const noRegime = errorv1.Reason_REASON_REGIME_NOT_FOUND
	lines := func(ts ...*registryv1.Threshold) func(*reg) {
		return func(m *reg) { m.Milestones = &registryv1.MilestoneRule{Thresholds: ts, Scope: byPeriod} }
	}
	rule := func(m *registryv1.MilestoneRule) func(*reg) { return func(r *reg) { r.Milestones = m } }
	return []bad{
		{"regime id missing", addRegime("", nil), invalid, field, "regime_id"},
		{"regime id reserved", addRegime("unit", nil), invalid, field, "regime_id"},
		{"regime id of a derived count", addRegime("tasks-x", nil), invalid, field, "regime_id"},
		{"regime exists", addRegime("month", nil), taken, exists, "regime_id"},
		{"regime id is a target's", addRegime("cards", nil), taken, exists, "regime_id"},
		{"regime id is a task's", addRegime("n1", nil), taken, exists, "regime_id"},
		{"target id is a regime's", addTarget("month", countKind, nil), taken, exists, "target_id"},
		{"task id is a regime's", addTask("month", nil), taken, exists, "task_id"},
		{"regime update of a target", setRegime("cards", nil), taken, exists, "regime.name"},
		{"target update of a regime", setTarget("month", countKind, nil), taken, exists, "target.name"},
		{"regime of no programme", func(ctx context.Context, r *rig) error {
			_, err := r.admin.CreateRegime(ctx, &registryv1.CreateRegimeRequest{Parent: "programmes/none", RegimeId: "x", Regime: newRegime("")})
			return err
		}, absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent"},
		{"regime under a bad parent", func(ctx context.Context, r *rig) error {
			_, err := r.admin.CreateRegime(ctx, &registryv1.CreateRegimeRequest{Parent: "p", RegimeId: "x", Regime: newRegime("")})
			return err
		}, invalid, field, "parent"},
		{"regime without a name", addRegime("x", func(m *reg) { m.DisplayName = "" }), invalid, field, "regime.display_name"},
		{"regime with a blank name", addRegime("x", func(m *reg) { m.DisplayName = " " }), invalid, field, "regime.display_name"},
		{"regime of an unknown calendar", addRegime("x", func(m *reg) { m.Calendar = "lunar" }), invalid, reff, "regime.calendar"},
		{"regime of an unknown frequency", addRegime("x", func(m *reg) { m.Frequency = 9 }), invalid, field, "regime.frequency"},
		{"regime due at once", addRegime("x", func(m *reg) { m.DueWorkingDays = 0 }), invalid, field, "regime.due_working_days"},
		{"regime due after 61 days", addRegime("x", func(m *reg) { m.DueWorkingDays = 61 }), invalid, field, "regime.due_working_days"},
		{"regime with 31 days of grace", addRegime("x", func(m *reg) { m.GraceWorkingDays = 31 }), invalid, field, "regime.grace_working_days"},
		{"level due at once", addRegime("x", func(m *reg) { m.LevelOffsets[0].DueWorkingDays = 0 }), invalid, field, "regime.level_offsets[0].due_working_days"},
		{"level twice", addRegime("x", func(m *reg) { m.LevelOffsets = append(m.LevelOffsets, m.LevelOffsets[0]) }), invalid, field, "regime.level_offsets[1].level"},
		{"21 levels", addRegime("x", func(m *reg) {
			for i := range 20 {
				m.LevelOffsets = append(m.LevelOffsets, &registryv1.LevelOffset{Level: fmt.Sprintf("l%d", i), DueWorkingDays: 1})
			}
		}), invalid, field, "regime.level_offsets"},
		{"regime of an unknown instrument", addRegime("x", func(m *reg) { m.Instrument = "none" }), invalid, reff, "regime.instrument"},
		{"regime of two unknowns", addRegime("x", func(m *reg) { m.Calendar, m.Instrument = "lunar", "none" }), invalid, reff, "regime.calendar regime.instrument"},
		{"regime from no real day", addRegime("x", func(m *reg) { m.FromDate = "2022-02-30" }), invalid, field, "regime.from_date"},
		{"regime from before the programme", addRegime("x", func(m *reg) { m.FromDate = "2022-01-05" }), invalid, field, "regime.from_date"},
		{"regime from after the programme", addRegime("x", func(m *reg) { m.FromDate = "2026-01-01" }), invalid, field, "regime.from_date"},
		{"regime with a threshold of nothing", addRegime("x", lines(&registryv1.Threshold{})), invalid, field, "regime.milestones.thresholds[0]"},
		{"regime with a threshold of a value", addRegime("x", lines(valueLine(5))), invalid, field, "regime.milestones.thresholds[0].value"},
		{"regime with a threshold of a streak", addRegime("x", lines(progressLine(5000), streakLine(3))), invalid, field, "regime.milestones.thresholds[1].streak"},
		{"regime with a threshold above the whole", addRegime("x", lines(progressLine(10_001))), invalid, field, "regime.milestones.thresholds[0].progress"},
		{"regime with falling thresholds", addRegime("x", lines(progressLine(9000), completeLine(9000), progressLine(8000))), invalid, field, "regime.milestones.thresholds[2].progress"},
		{"regime with a completeness twice", addRegime("x", lines(completeLine(9000), completeLine(9000))), invalid, field, "regime.milestones.thresholds[1].completeness"},
		{"regime with milestones of what is current", addRegime("x", rule(&registryv1.MilestoneRule{Scope: 1})), invalid, field, "regime.milestones.scope"},
		{"regime with milestones of both", addRegime("x", rule(&registryv1.MilestoneRule{Scope: 3})), invalid, field, "regime.milestones.scope"},
		{"regime with a share of units", addRegime("x", rule(&registryv1.MilestoneRule{MinReporting: proto.Uint32(1)})), invalid, field, "regime.milestones.min_reporting"},
		{"calendar of a regime changed", setRegime("month", func(m *reg) { m.Calendar = "fiscal" }), failed, fixed, "regime.calendar"},
		{"frequency of a regime changed", setRegime("month", func(m *reg) { m.Frequency = quarterly }), failed, fixed, "regime.frequency"},
		{"regime update of none", setRegime("none", nil), absent, noRegime, "regime.name"},
		{"regime changed at another revision", setRegime("month", func(m *reg) { m.Revision, m.Silent = 1, true }), aborted, stale, "regime.revision"},
		{"batch with a reserved regime", writes(newRegime("clock")), invalid, field, "writes[0].regime.name"},
		{"batch with a bad regime", writes(newRegime("x"), change(newRegime("y"), func(m *reg) { m.Calendar = "lunar" })), invalid, reff, "writes[1].regime.calendar"},
		{"get no regime", func(ctx context.Context, r *rig) error {
			_, err := r.read.GetRegime(ctx, &registryv1.GetRegimeRequest{Name: "programmes/p/regimes/none"})
			return err
		}, absent, noRegime, "name"},
		{"get a regime that is a target", func(ctx context.Context, r *rig) error {
			_, err := r.read.GetRegime(ctx, &registryv1.GetRegimeRequest{Name: "programmes/p/regimes/cards"})
			return err
		}, absent, noRegime, "name"},
		{"list the regimes of no programme", func(ctx context.Context, r *rig) error {
			_, err := r.read.ListRegimes(ctx, &registryv1.ListRegimesRequest{Parent: "programmes/none"})
			return err
		}, absent, errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent"},
		{"revisions of no regime", revisionsOf("programmes/p/regimes/none"), absent, noRegime, "name"},
	}
}
