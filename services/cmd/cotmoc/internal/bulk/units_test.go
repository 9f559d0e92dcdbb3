package bulk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

const head = "code,level,parent_code,name,kind\n"

func options() UnitOptions { return UnitOptions{Parent: "vn", From: "2000-01-01"} }

func read(t *testing.T, text string) []UnitRow {
	t.Helper()
	rows, err := ReadUnits(strings.NewReader(text), options())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func ids(rows []UnitRow) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return strings.Join(all, " ")
}

func TestReadUnits(t *testing.T) {
	t.Run("a_row_becomes_a_unit", func(t *testing.T) {
		rows := read(t, head+"VN,COUNTRY,,Việt Nam,Quốc gia\r\n79,PROVINCE,,\"Thành phố, Hồ Chí Minh\",Thành phố\r\n")
		want := []*registryv1.Unit{
			{Name: "units/vn", DisplayName: "Việt Nam", Designation: "Quốc gia", Placements: []*registryv1.Placement{
				{FromDate: "2000-01-01", Kind: typev1.UnitKind_UNIT_KIND_COUNTRY, Level: "country"}}},
			{Name: "units/79", DisplayName: "Thành phố, Hồ Chí Minh", Designation: "Thành phố", Placements: []*registryv1.Placement{
				{FromDate: "2000-01-01", Parent: "vn", Kind: typev1.UnitKind_UNIT_KIND_PROVINCE, Level: "province"}}},
		}
		got := []*registryv1.Unit{rows[0].Unit, rows[1].Unit}
		if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
			t.Error(d)
		}
		if rows[1].Line != 3 {
			t.Errorf("line %d", rows[1].Line)
		}
	})
	t.Run("every_level_has_its_kind", func(t *testing.T) {
		for word, want := range map[string]string{
			"COUNTRY": "UNIT_KIND_COUNTRY country", "MINISTRY": "UNIT_KIND_MINISTRY central", "AGENCY": "UNIT_KIND_AGENCY central",
			"STATE_ENTERPRISE": "UNIT_KIND_STATE_ENTERPRISE central", "TELECOM": "UNIT_KIND_TELECOM central",
			"PROVINCE": "UNIT_KIND_PROVINCE province", "DISTRICT": "UNIT_KIND_DISTRICT district",
			"COMMUNE": "UNIT_KIND_COMMUNE commune", "DEPARTMENT": "UNIT_KIND_DEPARTMENT department",
		} {
			p := read(t, head+"x,"+word+",,X,\n")[0].Unit.GetPlacements()[0]
			if got := p.GetKind().String() + " " + p.GetLevel(); got != want {
				t.Errorf("%s: %s, want %s", word, got, want)
			}
		}
	})
	t.Run("parents_come_first_whatever_the_order_of_rows", func(t *testing.T) {
		rows := read(t, head+"00001,COMMUNE,001,Phúc Xá,\n79,PROVINCE,,HCM,\n001,DISTRICT,01,Ba Đình,\n01,PROVINCE,,Hà Nội,\nvn,COUNTRY,,Việt Nam,\n")
		if got, want := ids(rows), "vn 79 01 001 00001"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
	t.Run("columns_may_come_in_any_order_after_a_byte_order_mark", func(t *testing.T) {
		rows := read(t, "\xef\xbb\xbfname,code,kind,parent_code,level\nBa Đình,001,Quận,01,DISTRICT\n")
		if u := rows[0].Unit; u.GetDisplayName() != "Ba Đình" || u.GetDesignation() != "Quận" || u.GetPlacements()[0].GetParent() != "01" {
			t.Errorf("unit %v", u)
		}
	})
	t.Run("nothing_but_columns_is_no_units", func(t *testing.T) {
		if rows := read(t, head); len(rows) != 0 {
			t.Errorf("%d rows", len(rows))
		}
	})
}

func TestReadUnitsNamesTheBadLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty file", "", "line 1: the list is empty: its first line names the columns code,level,parent_code,name,kind"},
		{"missing column", "code,level,name,kind\n", `line 1: column parent_code is missing among ["code" "level" "name" "kind"]`},
		{"strange column", "code,level,parent_code,name,kind,area\n", `line 1: columns are code,level,parent_code,name,kind and no others, not ["code" "level" "parent_code" "name" "kind" "area"]`},
		{"too few fields", head + "vn,COUNTRY,,Việt Nam,\n79,PROVINCE\n", "line 3: wrong number of fields"},
		{"open quote", head + "vn,COUNTRY,,\"Việt Nam,\n", "line 2: extraneous or missing \" in quoted-field"},
		{"unknown level", head + "vn,NATION,,Việt Nam,\n", `line 2: level "NATION" is none of AGENCY, COMMUNE, COUNTRY, DEPARTMENT, DISTRICT, MINISTRY, PROVINCE, STATE_ENTERPRISE, TELECOM`},
		{"level in lower case", head + "vn,country,,Việt Nam,\n", `line 2: level "country" is none of AGENCY, COMMUNE, COUNTRY, DEPARTMENT, DISTRICT, MINISTRY, PROVINCE, STATE_ENTERPRISE, TELECOM`},
		{"no code", head + ",PROVINCE,,X,\n", "line 2: code: an id is empty"},
		{"bad code", head + "7_9,PROVINCE,,X,\n", `line 2: code: id "7_9" must be lower-case letters, digits and single hyphens between them`},
		{"long code", head + strings.Repeat("7", 41) + ",PROVINCE,,X,\n", `line 2: code: id "` + strings.Repeat("7", 41) + `" is longer than 40`},
		{"bad parent", head + "79,PROVINCE,v n,X,\n", `line 2: parent_code: id "v n" must be lower-case letters, digits and single hyphens between them`},
		{"country below something", head + "vn,COUNTRY,asean,Việt Nam,\n", `line 2: a COUNTRY is a root and has no parent_code, not "asean"`},
		{"no name", head + "79,PROVINCE,, ,\n", "line 2: name is empty"},
		{"not UTF-8", head + "79,PROVINCE,,H\xe0 N\xf4i,\n", "line 2: column name is not UTF-8"},
		{"code twice", head + "79,PROVINCE,,X,\n79,PROVINCE,,Y,\n", "line 3: code 79 stands on line 2 already"},
		{"same code in capitals", head + "vn,COUNTRY,,X,\nVN,COUNTRY,,Y,\n", "line 3: code vn stands on line 2 already"},
		{"its own parent", head + "79,PROVINCE,79,X,\n", "line 2: unit 79 stands above itself, by way of 79"},
		{"circle", head + "vn,COUNTRY,,V,\na,PROVINCE,b,A,\nb,DISTRICT,a,B,\n", "line 3: unit a stands above itself, by way of b"},
		{"two bad rows", head + "79,PLANET,,X,\nvn,COUNTRY,,,\n", "line 2: level \"PLANET\" is none of AGENCY, COMMUNE, COUNTRY, DEPARTMENT, DISTRICT, MINISTRY, PROVINCE, STATE_ENTERPRISE, TELECOM\nline 3: name is empty"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			rows, err := ReadUnits(strings.NewReader(c.text), options())
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if len(rows) != 0 {
				t.Errorf("%d rows came with the error", len(rows))
			}
		})
	}
}

func TestReadUnitsStopsAfterTwentyBadRows(t *testing.T) {
	_, err := ReadUnits(strings.NewReader(head+strings.Repeat("x,PLANET,,X,\n", 100)), options())
	if err == nil || strings.Count(err.Error(), "\n") != maxComplaints-1 {
		t.Errorf("error %v", err)
	}
}

func TestReadUnitsRefusesATreeTooDeep(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + "u0,COUNTRY,,X,\n")
	for i := range name.MaxDepth {
		fmt.Fprintf(&b, "u%d,DEPARTMENT,u%d,X,\n", i+1, i)
	}
	_, err := ReadUnits(strings.NewReader(b.String()), options())
	if want := "line 18: unit u16 stands below 16 others, at most 16 levels are possible"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestUnitBatches(t *testing.T) {
	f, err := files.Files().Open("units-2022.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := ReadUnits(f, options())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 63+705+10599 {
		t.Fatalf("%d rows", len(rows))
	}
	listed := make(map[string]bool)
	for _, r := range rows {
		listed[r.ID] = true
	}
	for _, alone := range []bool{false, true} {
		seen := make(map[string]bool) // in earlier batches and this one
		own := 0
		for i, b := range UnitBatches(rows, alone) {
			if len(b.Writes) > BatchSize || len(b.Lines) != len(b.Writes) {
				t.Fatalf("batch %d holds %d writes and %d lines", i, len(b.Writes), len(b.Lines))
			}
			if alone {
				clear(seen) // nothing of the batches before was written
			}
			for _, w := range b.Writes {
				p := w.GetUnit().GetPlacements()[0].GetParent()
				if listed[p] && !seen[p] {
					t.Fatalf("alone %v, batch %d: %s comes before %s", alone, i, w.GetUnit().GetName(), p)
				}
				seen[strings.TrimPrefix(w.GetUnit().GetName(), "units/")] = true
			}
			own += len(b.Writes) - b.Own
		}
		if own != len(rows) {
			t.Errorf("alone %v: %d units of %d", alone, own, len(rows))
		}
	}
}

func TestBatchesKeepTheOrder(t *testing.T) {
	var writes []*registryv1.Write
	for i := range 2500 {
		writes = append(writes, &registryv1.Write{Resource: &registryv1.Write_Unit{Unit: &registryv1.Unit{Name: fmt.Sprint(i)}}})
	}
	var sizes []int
	var again []*registryv1.Write
	for _, b := range Batches(writes) {
		sizes, again = append(sizes, len(b.Writes)), append(again, b.Writes...)
	}
	if !slices.Equal(sizes, []int{1000, 1000, 500}) || !slices.Equal(again, writes) {
		t.Errorf("batches of %v", sizes)
	}
}
