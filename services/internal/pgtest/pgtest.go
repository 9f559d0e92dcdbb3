// Package pgtest gives tests a real PostgreSQL: one server a test binary, started
// when the first test asks, and a migrated database for each that asks.
//
// The binary's TestMain must be, or call, Main.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// shared is the server of this test binary.
var shared struct {
	sync.Mutex
	main   bool
	server *pgd.Server
	n      int
}

// Main runs the tests, stops the server, and returns the binary's exit code:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
func Main(m interface{ Run() int }) int {
	shared.main = true
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// Server returns the server of this test binary. Tests that stop or kill one start
// their own with pgd.
func Server(t testing.TB) *pgd.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		t.Fatal("pgtest: TestMain does not call pgtest.Main")
	}
	if shared.server == nil {
		s, err := pgd.Start(context.Background(), pgd.Config{})
		if err != nil {
			t.Fatal(err)
		}
		shared.server = s
	}
	return shared.server
}

// Fresh makes an empty, migrated database that is dropped after the test.
func Fresh(t testing.TB) pgd.Database {
	t.Helper()
	return made(t, (*pgd.Server).NewDatabase)
}

// Empty makes a database without tables that is dropped after the test.
func Empty(t testing.TB) pgd.Database {
	t.Helper()
	return made(t, (*pgd.Server).Empty)
}

func made(t testing.TB, make func(*pgd.Server, context.Context, string) (pgd.Database, error)) pgd.Database {
	t.Helper()
	s := Server(t)
	shared.Lock()
	shared.n++
	name := fmt.Sprintf("sổ %d", shared.n) // names that need quoting work everywhere
	shared.Unlock()
	d, err := make(s, t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Drop(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return d
}
