package arch

import (
	"path"
	"slices"
	"strings"
)

// importRule forbids imports to some packages.
type importRule struct {
	name string
	// of selects the packages that the rule is about.
	of func(path string) bool
	// direct reports whether a package at from may not itself import to; nil forbids nothing.
	direct func(from, to string) bool
	// linked reports whether a package at from may not have to linked with it,
	// however far away; nil forbids nothing.
	linked func(from, to string) bool
	// tests applies direct to the imports of tests, too.
	tests bool
}

// importRules are those of the rooms in ARCHITECTURE.md.
func importRules() []importRule {
	return []importRule{
		{
			name:   "proto/gen imports nothing of ours but itself",
			of:     under("proto/gen"),
			direct: func(_, to string) bool { return ours(to) && !under("proto/gen")(to) },
			tests:  true,
		},
		{
			name:   "pkg imports proto/gen and pkg only",
			of:     under("pkg"),
			direct: func(_, to string) bool { return ours(to) && !under("proto/gen", "pkg")(to) },
			linked: func(_, to string) bool { return loggers(to) || databases(to) },
		},
		{
			name:   "a book imports the standard library, calendar, layer, ledger's types, names, the score's arithmetic and protobuf only",
			of:     isBook,
			direct: func(from, to string) bool { return !bookMayImport(from, to) },
			linked: func(_, to string) bool { return databases(to) || embedded(to) },
		},
		{
			name:   "registry does not know reporting",
			of:     under("services/registry"),
			direct: func(_, to string) bool { return under("services/reporting")(to) },
			linked: func(_, to string) bool { return under("services/reporting")(to) },
			tests:  true,
		},
		{
			name:   "reporting does not know registry",
			of:     under("services/reporting"),
			direct: func(_, to string) bool { return under("services/registry")(to) },
			linked: func(_, to string) bool { return under("services/registry")(to) },
			tests:  true,
		},
		{
			name:   "nobody imports cmd",
			of:     func(string) bool { return true },
			direct: importsCommand,
			tests:  true,
		},
		{
			name:   "SQLite and nats-server are linked by cmd/cotmoc, bench and test support only",
			of:     func(p string) bool { return !mayEmbed(p) },
			linked: func(_, to string) bool { return embedded(to) },
		},
		{
			name:   "PostgreSQL is spoken to by its ledger and by what runs servers for tests only",
			of:     func(p string) bool { return !maySpeakSQL(p) },
			direct: func(_, to string) bool { return under("github.com/jackc/pgx", "github.com/lib/pq")(to) },
		},
	}
}

// CheckImports returns every breach of the import rules.
func CheckImports(packages []Package) []Violation {
	var found []Violation
	for _, p := range packages {
		for _, r := range importRules() {
			if !r.of(p.Path) {
				continue
			}
			for _, to := range r.breaches(p) {
				found = append(found, Violation{Rule: r.name, Where: p.Path, What: "imports " + to})
			}
		}
		for _, f := range p.IgnoredFiles {
			if strings.HasSuffix(f, "_test.go") {
				found = append(found, Violation{Rule: "every test runs", Where: p.Path, What: f + " is left out of the build"})
			}
		}
	}
	return found
}

func (r importRule) breaches(p Package) []string {
	var found []string
	add := func(paths []string, forbidden func(from, to string) bool) {
		if forbidden == nil {
			return
		}
		for _, to := range paths {
			// The tests of a package import the package itself.
			if to != p.Path && forbidden(p.Path, to) && !slices.Contains(found, to) {
				found = append(found, to)
			}
		}
	}
	add(p.Imports, r.direct)
	add(p.Deps, r.linked)
	if r.tests {
		add(p.TestImports, r.direct)
	}
	return found
}

// under returns a test for a folder of ours or anything in it.
func under(folders ...string) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
	}
}

var (
	ours      = under("pkg", "services", "proto", "deploy")
	loggers   = under("go.uber.org/zap")
	embedded  = under("modernc.org/sqlite", "github.com/nats-io/nats-server")
	databases = func(p string) bool {
		// database/sql/driver alone is interfaces, which value types such as UUIDs implement.
		return p != "database/sql/driver" && under("database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/pressly/goose")(p)
	}
	mayEmbed = under(
		"services/cmd/cotmoc", "services/bench", "services/e2e", "services/internal/natstest",
		"services/internal/ledger/sqlite", "services/internal/stream/natsd", "services/internal/run/embedded",
	)
)

var maySpeakSQL = under("services/internal/ledger/postgres", "services/internal/pgd", "services/internal/pgtest")

func isBook(p string) bool { return strings.HasPrefix(p, "services/") && path.Base(p) == "book" }

func bookMayImport(from, to string) bool {
	if standard(to) {
		return !under("database", "net", "os", "log", "plugin")(to)
	}
	return under("proto/gen", "pkg/name", "google.golang.org/protobuf", from)(to) ||
		to == "services/internal/calendar" || to == "services/internal/layer" || to == "services/internal/ledger" ||
		to == "services/reporting/score" // pure, of the standard library alone
}

// standard reports whether a path is of the standard library: those have no dot
// in their first element. Ours have none either, being relative.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".") && !ours(p)
}

// importsCommand lets a command import its own folders.
func importsCommand(from, to string) bool {
	rest, ok := strings.CutPrefix(to, "services/cmd/")
	if !ok {
		return false
	}
	name, _, _ := strings.Cut(rest, "/")
	return !under("services/cmd/" + name)(from)
}
