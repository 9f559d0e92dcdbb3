package main

import (
	"strings"
	"testing"
)

// A calendar that is there from the start, a regime, a target under it, and a
// scorecard about both.
const timeYAML = `resources:
- calendar:
    name: calendars/administrative
    display_name: "Kỳ hành chính"
    cut_off_day: 14
    holidays: [{date: "2022-09-01", display_name: "Quốc khánh"}, {date: "2022-09-02"}]
    working_dates: ["2022-09-10"]
- regime:
    name: programmes/p/regimes/monthly
    display_name: "Báo cáo tháng"
    calendar: administrative
    due_working_days: 5
- target:
    name: programmes/p/targets/cards
    display_name: "Thẻ"
    value_kind: VALUE_KIND_COUNT
    accumulation: ACCUMULATION_LAST
    calendar: administrative
    regime: monthly
    applicability: {kinds: [UNIT_KIND_DISTRICT]}
    acceptance: "Đã cấp"
    owner: vn
    instrument: qd
    due: {latest_date: "2022-12-31"}
- programme:
    name: programmes/p
    display_name: "Thử"
    root_unit: vn
    start_date: "2022-01-01"
    end_date: "2022-12-31"
    instruments: [{id: qd, kind: INSTRUMENT_KIND_DECISION, number: "1", date: "2022-01-06"}]
    scorecards:
    - id: districts
      display_name: "Xếp hạng"
      level: district
      parts: [{kind: SCORECARD_PART_KIND_ON_TIME, target: monthly, weight: 60}, {kind: SCORECARD_PART_KIND_COMPLETENESS, target: cards, weight: 40}]
`

func TestApplyingAProgrammeThatStandsTwiceInAFileAgainChangesNothing(t *testing.T) {
	p := newPair(t)
	p.must("import", "units", p.file("units.csv", unitsCSV))
	whole := programmeYAML + strings.TrimPrefix(timeYAML, "resources:\n")
	file := p.file("whole.yaml", whole)
	first := p.must("apply", "-f", file, "--dry-run")
	contains(t, first, "create programmes/p\n", "update programmes/p\n    + scorecards[0]: ", "7 resources would be: 5 created, 2 updated")
	contains(t, p.must("apply", "-f", file), "7 resources: 5 created, 2 updated, 0 unchanged")
	contains(t, p.must("apply", "-f", file), "6 resources: 0 created, 0 updated, 6 unchanged")
	if out := p.must("apply", "-f", file, "--dry-run"); out != "6 resources would be: 0 created, 0 updated, 6 unchanged (dry run)\n" {
		t.Errorf("a dry run of what is there already prints\n%s", out)
	}
	// Both entries name a new instrument, which a target in between already stands on.
	more := strings.ReplaceAll(whole, `instruments: [{`, `instruments: [{id: nq, kind: INSTRUMENT_KIND_DECISION, number: "2", date: "2022-01-07"}, {`)
	more = strings.Replace(more, "instrument: qd", "instrument: nq", 1)
	contains(t, p.must("apply", "-f", p.file("more.yaml", more)), "7 resources: 0 created, 3 updated, 4 unchanged")
}

func TestApplyTakesCalendarsRegimesAndScorecards(t *testing.T) {
	p := newPair(t)
	p.must("import", "units", p.file("units.csv", unitsCSV))
	p.must("apply", "-f", p.file("programme.yaml", programmeYAML))
	file := p.file("time.yaml", timeYAML)
	contains(t, p.must("apply", "-f", file, "--dry-run"),
		"update calendars/administrative\n    ~ display_name: ", `    + holidays[1]: {"date":"2022-09-02"}`, `    + working_dates[0]: "2022-09-10"`,
		"create programmes/p/regimes/monthly\n", "update programmes/p\n    + scorecards[0]: ", "4 resources would be: 2 created, 2 updated, 0 unchanged")
	contains(t, p.must("apply", "-f", file), "calendar    0 created, 1 updated", "regime      1 created, 0 updated", "revision 11")
	contains(t, p.must("apply", "-f", file), "4 resources: 0 created, 0 updated, 4 unchanged; revision 11")
	monday := p.file("monday.yaml", strings.Replace(timeYAML, "2022-09-10", "2022-09-12", 1))
	contains(t, p.refused("apply", "-f", monday), "calendars/administrative: INVALID_FIELD: ", "2022-09-12 is neither a Saturday nor a Sunday")
	heavy := p.file("heavy.yaml", strings.Replace(timeYAML, "weight: 60", "weight: 61", 1))
	contains(t, p.refused("apply", "-f", heavy), "programmes/p: INVALID_FIELD: ", "the weights sum to 101, not to 100")
}
