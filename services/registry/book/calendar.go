package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// firstCalendars are those that are there without an entry in the log, at
// revision 0, until they are changed.
func firstCalendars() []*registryv1.Calendar {
	return []*registryv1.Calendar{
		{Name: name.Calendar(calendar.Statistical).Name(), DisplayName: "Kỳ thống kê: tháng dương lịch"},
		{Name: name.Calendar(calendar.Administrative).Name(), DisplayName: "Kỳ báo cáo hành chính: từ ngày 15 đến ngày 14",
			CutOffDay: uint32(calendar.MidMonth)},
	}
}

// calendarID is the id of the calendar that a field names, which may be empty.
func calendarID(id string) name.Calendar {
	if id == "" {
		return calendar.Statistical
	}
	return name.Calendar(id)
}

// checkCalendar blames a field that names a calendar that does not exist.
func (b *Book) checkCalendar(f *faults, field, id string) {
	if b.Calendar(calendarID(id)) == nil {
		f.add(field, "there is no calendar %s", id)
	}
}

// PutCalendar writes a calendar and returns its version from now on.
func (b *Book) PutCalendar(id name.Calendar, given *registryv1.Calendar, how How) (*registryv1.Calendar, Outcome, error) {
	s := slot[*registryv1.Calendar]{kind: "calendar", name: id.Name(), missing: errorv1.Reason_REASON_CALENDAR_NOT_FOUND}
	s.present, s.exists = b.calendars.get(s.name)
	m, same, err := s.version(given, how)
	if err != nil {
		return nil, 0, err
	}
	if same {
		return s.present, Unchanged, nil
	}
	if s.exists && s.present.GetCutOffDay() != m.GetCutOffDay() {
		return nil, 0, refuse(errorv1.Reason_REASON_CHANGE_NOT_ALLOWED, "calendar.cut_off_day",
			fmt.Sprintf("cut_off_day is %d and cannot be changed; make a new calendar", s.present.GetCutOffDay()))
	}
	if err := checkDaysOff(m); err != nil {
		return nil, 0, err
	}
	c := &registryv1.Change{Resource: &registryv1.Change_Calendar{Calendar: m}}
	if err := b.write(c, s.revision()); err != nil {
		return nil, 0, err
	}
	return m, s.outcome(), nil
}

// checkDaysOff checks what a calendar says of single days. A holiday may fall on a
// Saturday or Sunday, as it does in lists that are published whole.
func checkDaysOff(c *registryv1.Calendar) error {
	var f faults
	f.text("calendar.display_name", c.GetDisplayName())
	off := make(map[calendar.Date]bool, len(c.GetHolidays()))
	var last ascending[calendar.Date]
	for i, h := range c.GetHolidays() {
		field := fmt.Sprintf("calendar.holidays[%d].date", i)
		if d, ok := f.date(field, h.GetDate()); ok {
			last.next(&f, field, d)
			off[d] = true
		}
	}
	week := calendar.New(calendar.EndOfMonth, nil, nil) // with no days but its weekends off
	last = ascending[calendar.Date]{}
	for i, s := range c.GetWorkingDates() {
		field := fmt.Sprintf("calendar.working_dates[%d]", i)
		d, ok := f.date(field, s)
		if !ok {
			continue
		}
		last.next(&f, field, d)
		switch {
		case week.Working(d):
			f.add(field, "%s is neither a Saturday nor a Sunday", d)
		case off[d]:
			f.add(field, "%s is a holiday", d)
		}
	}
	return f.err(errorv1.Reason_REASON_INVALID_FIELD)
}
