package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

// appender names a ledger to which the test binary, started again, appends.
const appender = "POSTGRES_TEST_APPENDER"

// migrator names a database that the test binary, started again, migrates.
const migrator = "POSTGRES_TEST_MIGRATOR"

type runner func() int

func (r runner) Run() int { return r() }

func TestMain(m *testing.M) {
	var err error
	switch url := os.Getenv(appender); {
	case url != "":
		err = appendBlocks(url, 40)
	case os.Getenv(migrator) != "":
		err = postgres.Migrate(context.Background(), postgres.Config{URL: os.Getenv(migrator)})
	default:
		goleak.VerifyTestMain(runner(func() int { return pgtest.Main(m) }))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// appendBlocks appends n blocks in a race with other processes.
func appendBlocks(url string, n int) error {
	ctx := context.Background()
	s, err := postgres.Open(ctx, postgres.Config{URL: url})
	if err != nil {
		return err
	}
	for n > 0 {
		h, err := s.Head(ctx)
		if err != nil {
			return err
		}
		switch err := s.Append(ctx, ledgertest.Next(h, 1)); {
		case err == nil:
			n--
		case !errors.Is(err, ledger.ErrConflict):
			return err
		}
	}
	return s.Close()
}

// again starts the test binary for another part.
func again(t *testing.T, part, url string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), part+"="+url)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func opened(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Opener {
		d := pgtest.Fresh(t)
		return func(t *testing.T) ledger.Store { return opened(t, d.App) }
	})
}

func TestAppend_by_three_processes(t *testing.T) {
	d := pgtest.Fresh(t)
	var running []*exec.Cmd
	for range 3 {
		running = append(running, again(t, appender, d.App))
	}
	for _, c := range running {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	s := opened(t, d.App)
	defer s.Close()
	var h ledger.Head
	for b, err := range s.Blocks(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Follows(h); err != nil {
			t.Fatal(err)
		}
		h = b.Head()
	}
	if h.Sequence != 120 {
		t.Errorf("%d blocks, want 120", h.Sequence)
	}
}
