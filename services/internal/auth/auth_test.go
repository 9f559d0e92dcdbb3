package auth_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "google.golang.org/grpc/health/grpc_health_v1"              // so that its methods are known
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"      // the same
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1alpha" // the same

	"github.com/cotmoc/cotmoc/services/internal/auth"
)

func TestIdentitiesAreReadInTheExactForm(t *testing.T) {
	for text, want := range map[string]auth.Identity{
		"spiffe://d.vn/unit/79":            {Role: auth.Unit, Unit: "79"},
		"spiffe://d.vn/unit/79/desk-1":     {Role: auth.Unit, Unit: "79", Name: "desk-1"},
		"spiffe://d.vn/monitor/bo-cong-an": {Role: auth.Monitor, Unit: "bo-cong-an"},
		"spiffe://d.vn/reader/vn":          {Role: auth.Reader, Unit: "vn"},
		"spiffe://d.vn/subscriber/01":      {Role: auth.Subscriber, Unit: "01"},
		"spiffe://d.vn/admin/alice":        {Role: auth.Admin, Name: "alice"},
		"spiffe://d.vn/service/reporting":  {Role: auth.Service, Name: "reporting"},
	} {
		want.URI = text
		if got, err := auth.ParseURI(text, "d.vn"); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "spiffe://d.vn", "spiffe://d.vn/", "spiffe://d.vn/unit", "spiffe://d.vn/unit/", "spiffe://d.vn//79",
		"spiffe://d.vn/unit/79/", "spiffe://d.vn/unit/79/a/b", "spiffe://d.vn/admin/a/b", "spiffe://d.vn/root/79", "spiffe://D.vn/unit/79",
		"spiffe://e.vn/unit/79", "spiffe://d.vn.evil/unit/79", "spiffe://d.vn:1/unit/79", "spiffe://u@d.vn/unit/79", "https://d.vn/unit/79",
		"SPIFFE://d.vn/unit/79", "spiffe://d.vn/Unit/79", "spiffe://d.vn/unit/7%39", "spiffe://d.vn/unit/79?x", "spiffe://d.vn/unit/79#x",
		"spiffe://d.vn/unit/..", "spiffe://d.vn/unit/7 9", "spiffe://d.vn/unit/79\n", "spiffe://d.vn/unit/Đ", "spiffe://d.vn/unit/-79",
		"spiffe://d.vn/unit/" + strings.Repeat("9", 41), "spiffe://d.vn/admin/" + strings.Repeat("a", 61)} {
		if got, err := auth.ParseURI(text, "d.vn"); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

// TestEveryMethodHasARowAndEveryRowAMethod: and each field that a row names is there.
func TestEveryMethodHasARowAndEveryRowAMethod(t *testing.T) {
	table := auth.Table()
	found := 0
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				full := fmt.Sprintf("/%s/%s", f.Services().Get(i).FullName(), m.Name())
				row, ok := table[full]
				if !ok && strings.HasPrefix(full, "/cotmoc.") {
					t.Errorf("%s has no row: nobody may call it", full)
				}
				if ok {
					found++
					checkRow(t, full, m, row)
				}
			}
		}
		return true
	})
	if found != len(table) {
		t.Errorf("%d rows, %d of them of a method that there is", len(table), found)
	}
	t.Logf("%d rows", found)
}

// checkRow demands of a row that its fields are there.
func checkRow(t *testing.T, method string, m protoreflect.MethodDescriptor, row auth.Row) {
	t.Helper()
	if len(row.Roles) == 0 {
		t.Errorf("%s: no role may call it", method)
	}
	check := func(at protoreflect.MessageDescriptor, a auth.Ask) {
		inner := at
		if a.Each != "" {
			f := fieldAt(at, a.Each)
			if f == nil || !f.IsList() {
				t.Errorf("%s: %s is no repeated field", method, a.Each)
				return
			}
			if f.Message() != nil {
				inner = f.Message()
			}
		}
		for _, path := range []string{a.Target, a.Unit, a.Period, a.Until, a.Date, a.Submission, a.Event, a.Finding, a.Subscription, a.Allocation} {
			if path != "" && fieldAt(inner, path) == nil {
				t.Errorf("%s: there is no field %s", method, path)
			}
		}
		for _, path := range []string{a.Programme, a.EachAlone, a.Where, a.Subjects} {
			if path != "" && fieldAt(m.Input(), path) == nil {
				t.Errorf("%s: there is no field %s in the request", method, path)
			}
		}
	}
	for _, a := range row.Asks {
		check(m.Input(), a)
	}
	if row.Shown != nil {
		check(m.Output(), *row.Shown)
	}
}

func fieldAt(d protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	head, rest, more := strings.Cut(path, ".")
	f := d.Fields().ByName(protoreflect.Name(head))
	if f == nil || !more {
		return f
	}
	if f.Message() == nil {
		return nil
	}
	return fieldAt(f.Message(), rest)
}

// TestUnitsInRequestsAreAskedAbout: a request that names a unit has a row that asks about
// it, or is for those who reach everything.
func TestUnitsInRequestsAreAskedAbout(t *testing.T) {
	table := auth.Table()
	protoregistry.GlobalFiles.RangeFilesByPackage("cotmoc.reporting.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				m := f.Services().Get(i).Methods().Get(j)
				full := fmt.Sprintf("/%s/%s", f.Services().Get(i).FullName(), m.Name())
				for _, path := range unitFields(m.Input(), "") {
					asked := false
					for _, a := range table[full].Asks {
						at := a.Unit
						if a.Each != "" && fieldAt(m.Input(), a.Each).Message() != nil {
							at = a.Each + "." + at
						}
						asked = asked || at == path
					}
					if !asked {
						t.Errorf("%s: nothing is asked about %s", full, path)
					}
				}
			}
		}
		return true
	})
}

// unitFields are the paths of the fields that hold the id of a unit.
func unitFields(d protoreflect.MessageDescriptor, at string) (paths []string) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		switch name := string(f.Name()); {
		case name == "unit" || name == "reviewer" || name == "granted_by" || name == "resolved_by":
			paths = append(paths, at+name)
		case f.Message() != nil && strings.HasPrefix(string(f.Message().FullName()), "cotmoc."):
			paths = append(paths, unitFields(f.Message(), at+name+".")...)
		}
	}
	return paths
}

func TestOnlyLoopbackGoesWithoutTLS(t *testing.T) {
	for address, ok := range map[string]bool{"127.0.0.1:0": true, "[::1]:80": true, "localhost:1": true, "127.9.9.9:1": true,
		"0.0.0.0:80": false, ":80": false, "[::]:80": false, "10.0.0.1:80": false, "example.org:80": false, "127.0.0.1": false} {
		if err := auth.Require(address, false); (err == nil) != ok {
			t.Errorf("without TLS on %q: %v", address, err)
		}
	}
	if err := auth.Require("0.0.0.0:80", true); err != nil {
		t.Error(err)
	}
}

func TestSubscriptionsHaveOneOwner(t *testing.T) {
	units := map[string]bool{"79": true, "79-a": true, "bo": true}
	for name, want := range map[string]string{"79-screen": "79", "79-a-screen": "79-a", "79-ab-screen": "79", "79": "", "79-a": "79",
		"screen": "", "bo-cong-an": "bo", "x-79-a": "", "790-a": ""} {
		if got := auth.OwnerOf(name, func(u string) bool { return units[u] }); got != want {
			t.Errorf("%s belongs to %q, want %q", name, got, want)
		}
	}
}
