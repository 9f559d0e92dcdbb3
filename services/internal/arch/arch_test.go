package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root returns the folder of go.work.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.work above the test")
		}
		dir = up
	}
}

func TestTree(t *testing.T) {
	top := root(t)
	t.Run("imports_keep_to_the_rooms", func(t *testing.T) {
		packages, err := Packages(top)
		if err != nil {
			t.Fatal(err)
		}
		if len(packages) < 10 {
			t.Fatalf("only %d packages found: the list is wrong", len(packages))
		}
		for _, v := range CheckImports(packages) {
			t.Error(v)
		}
		t.Logf("%d packages looked at", len(packages))
	})
	t.Run("files_and_functions_stay_short_and_tests_run", func(t *testing.T) {
		paths, err := Sources(top)
		if err != nil {
			t.Fatal(err)
		}
		var sources []Source
		for _, p := range paths {
			text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(p)))
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, Source{Path: p, Text: text})
		}
		if len(sources) < 5 {
			t.Fatalf("only %d files found: the walk is wrong", len(sources))
		}
		found, err := CheckSources(sources)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range found {
			t.Error(v)
		}
		t.Logf("%d files looked at", len(sources))
	})
}

func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Package
		want string // part of the only violation; empty for none
	}{
		{"generated code imports pkg", Package{Path: "proto/gen/cotmoc/type/v1", Imports: []string{"pkg/name"}}, "imports pkg/name"},
		{"generated code imports generated code", Package{Path: "proto/gen/cotmoc/event/v1", Imports: []string{"proto/gen/cotmoc/type/v1"}}, ""},
		{"pkg imports services", Package{Path: "pkg/client", Imports: []string{"services/internal/calendar"}}, "imports services/internal/calendar"},
		{"pkg logs", Package{Path: "pkg/client", Imports: []string{"go.uber.org/zap"}, Deps: []string{"go.uber.org/zap"}}, "imports go.uber.org/zap"},
		{"pkg reaches a database", Package{Path: "pkg/event", Imports: []string{"example.org/x"}, Deps: []string{"database/sql"}}, "imports database/sql"},
		{"pkg imports pkg and a stranger", Package{Path: "pkg/client", Imports: []string{"pkg/name", "proto/gen/cotmoc/type/v1", "example.org/x"}}, ""},
		{"pkg tests against a server", Package{Path: "pkg/client", TestImports: []string{"services/e2e"}}, ""},
		{"book imports gRPC", Package{Path: "services/reporting/book", Imports: []string{"google.golang.org/grpc/status"}}, "imports google.golang.org/grpc/status"},
		{"book imports zap", Package{Path: "services/registry/book", Imports: []string{"go.uber.org/zap"}}, "imports go.uber.org/zap"},
		{"book opens files", Package{Path: "services/registry/book", Imports: []string{"os"}}, "imports os"},
		{"book uses the network", Package{Path: "services/registry/book", Imports: []string{"net/http"}}, "imports net/http"},
		{"book reaches SQLite through the ledger", Package{Path: "services/registry/book", Deps: []string{"modernc.org/sqlite"}}, "imports modernc.org/sqlite"},
		{"book imports a store", Package{Path: "services/registry/book", Imports: []string{"services/internal/ledger/sqlite"}}, "imports services/internal/ledger/sqlite"},
		{"book imports what it may", Package{Path: "services/reporting/book", Imports: []string{
			"fmt", "math/bits", "pkg/name", "google.golang.org/protobuf/proto", "proto/gen/cotmoc/event/v1",
			"services/internal/calendar", "services/internal/layer", "services/internal/ledger",
		}}, ""},
		{"registry imports reporting", Package{Path: "services/registry", Imports: []string{"services/reporting/book"}}, "imports services/reporting/book"},
		{"registry reaches reporting", Package{Path: "services/registry/book", Deps: []string{"services/reporting"}}, "imports services/reporting"},
		{"reporting imports registry", Package{Path: "services/reporting", Imports: []string{"services/registry"}}, "imports services/registry"},
		{"reporting tests import registry", Package{Path: "services/reporting", TestImports: []string{"services/registry"}}, "imports services/registry"},
		{"a library imports a command", Package{Path: "services/internal/run", Imports: []string{"services/cmd/cotmoc"}}, "imports services/cmd/cotmoc"},
		{"a test imports a command", Package{Path: "services/e2e", TestImports: []string{"services/cmd/cotmoc/demo"}}, "imports services/cmd/cotmoc/demo"},
		{"a command imports another", Package{Path: "services/cmd/cotmoc-registry", Imports: []string{"services/cmd/cotmoc/demo"}}, "imports services/cmd/cotmoc/demo"},
		{"a command imports its own folder", Package{Path: "services/cmd/cotmoc", Imports: []string{"services/cmd/cotmoc/demo"}}, ""},
		{"reporting links SQLite", Package{Path: "services/reporting", Deps: []string{"modernc.org/sqlite"}}, "imports modernc.org/sqlite"},
		{"the ledger links SQLite", Package{Path: "services/internal/ledger", Deps: []string{"modernc.org/sqlite/lib"}}, "imports modernc.org/sqlite/lib"},
		{"a production binary links nats-server", Package{Path: "services/cmd/cotmoc-reporting", Deps: []string{"github.com/nats-io/nats-server/v2/server"}}, "imports github.com/nats-io/nats-server/v2/server"},
		{"a production binary links SQLite", Package{Path: "services/cmd/cotmoc-registry", Deps: []string{"modernc.org/sqlite"}}, "imports modernc.org/sqlite"},
		{"a production binary links pgx", Package{Path: "services/cmd/cotmoc-registry", Deps: []string{"github.com/jackc/pgx/v5"}}, ""},
		{"a service speaks SQL", Package{Path: "services/reporting", Imports: []string{"github.com/jackc/pgx/v5"}}, "imports github.com/jackc/pgx/v5"},
		{"a test speaks SQL", Package{Path: "services/reporting", TestImports: []string{"github.com/jackc/pgx/v5"}}, ""},
		{"the ledger in PostgreSQL speaks SQL", Package{Path: "services/internal/ledger/postgres", Imports: []string{"github.com/jackc/pgx/v5/stdlib"}}, ""},
		{"cotmoc links both", Package{Path: "services/cmd/cotmoc", Deps: []string{"modernc.org/sqlite", "github.com/nats-io/nats-server/v2/server"}}, ""},
		{"a test file left out of the build", Package{Path: "services/e2e", IgnoredFiles: []string{"a_windows_test.go"}}, "a_windows_test.go is left out"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			expectOne(t, CheckImports([]Package{c.p}), c.want)
		})
	}
}

func TestSourceRules(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\t_ = 0\n", n) }
	comments := func(n int) string { return strings.Repeat("// c\n", n) }
	const doc = "// Package tree says so.\npackage tree\n"
	for _, c := range []struct {
		name, path, text string
		want             string // part of the only violation; empty for none
	}{
		{"function of 60 lines", "pkg/tree/a.go", doc + "func f() {\n" + lines(58) + "}\n", ""},
		{"function of 61 lines", "pkg/tree/a.go", doc + "func f() {\n" + lines(59) + "}\n", "f has 61"},
		{"method of 61 lines", "pkg/tree/a.go", doc + "type t int\nfunc (t) m() {\n" + lines(59) + "}\n", "m has 61"},
		{"long function of a test", "pkg/tree/a_test.go", doc + "func f() {\n" + lines(100) + "}\n", ""},
		{"file of 400 lines", "pkg/tree/a.go", doc + comments(398), ""},
		{"file of 401 lines", "pkg/tree/a.go", doc + comments(399), "401 lines"},
		{"test of 800 lines", "pkg/tree/a_test.go", doc + comments(798), ""},
		{"test of 801 lines", "pkg/tree/a_test.go", doc + comments(799), "801 lines"},
		{"generated file", "pkg/tree/a.go", "// Code generated by x. DO NOT EDIT.\n\npackage tree\nfunc init() {\n" + lines(500) + "}\n", ""},
		{"package named after nothing", "pkg/util/a.go", "// Package util is that.\npackage util\n", "package util"},
		{"package without doc", "pkg/tree/a.go", "package tree\n", "pkg/tree: none"},
		{"doc of something else", "pkg/tree/a.go", "// This is it.\npackage tree\n", "pkg/tree: none"},
		{"command without doc", "services/cmd/x/main.go", "package main\n", "services/cmd/x: none"},
		{"command with doc", "services/cmd/x/main.go", "// Command x does it.\npackage main\n", ""},
		{"init", "pkg/tree/a.go", doc + "func init() {}\n", "func init"},
		{"method called init", "pkg/tree/a.go", doc + "type t int\nfunc (t) init() {}\n", ""},
		{"build tag on a test", "pkg/tree/a_test.go", "//go:build slow\n\n" + doc, "//go:build slow"},
		{"build tag on code", "pkg/tree/a.go", "//go:build linux\n\n" + doc, ""},
		{"skip", "pkg/tree/a_test.go", doc + "func f(t *T) { t.Skip() }\n", "Skip"},
		{"skip with a reason", "pkg/tree/a_test.go", doc + "func f(t *T) { t.Skipf(\"%d\", 1) }\n", "Skipf"},
		{"field called Skip", "pkg/tree/a_test.go", doc + "func f(c *crowd) int { return c.Skip }\n", ""},
		{"shorter on request", "pkg/tree/a_test.go", doc + "func f() { if testing.Short() { return } }\n", "Short"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			found, err := CheckSources([]Source{{Path: c.path, Text: []byte(c.text)}})
			if err != nil {
				t.Fatal(err)
			}
			expectOne(t, found, c.want)
		})
	}
}

func TestBrokenSourceIsAnError(t *testing.T) {
	if _, err := CheckSources([]Source{{Path: "a.go", Text: []byte("package")}}); err == nil {
		t.Fatal("a file that does not parse passed")
	}
}

func expectOne(t *testing.T, found []Violation, want string) {
	t.Helper()
	switch {
	case want == "" && len(found) > 0:
		t.Errorf("unexpected: %v", found)
	case want != "" && (len(found) == 0 || !strings.Contains(found[0].String(), want)):
		t.Errorf("got %v, want one with %q", found, want)
	}
	for i := range found {
		if want != "" && i > 0 && found[i].What != found[0].What {
			t.Errorf("more than one violation: %v", found)
		}
	}
}
