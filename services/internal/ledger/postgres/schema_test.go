package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

// connected connects to a database as it is, for the test's time.
func connected(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// executed runs a statement and returns how PostgreSQL refused it, "" when it did not.
func executed(t *testing.T, c *pgx.Conn, statement string) string {
	t.Helper()
	_, err := c.Exec(t.Context(), statement)
	var e *pgconn.PgError
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e == nil {
		return ""
	}
	return e.Code
}

// super returns the superuser's URL of the database that a URL is of.
func super(t *testing.T, s *pgd.Server, url string) string {
	t.Helper()
	c, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return s.Superuser(c.Database)
}

func TestMigrate_gives_each_role_what_it_may_do(t *testing.T) {
	d := pgtest.Fresh(t)
	other := pgtest.Fresh(t)
	s := opened(t, d.App)
	ledgertest.Fill(t, s, 3, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	app, reader := connected(t, d.App), connected(t, d.Reader)
	const denied = "42501"
	for statement, want := range map[string][2]string{ // of the application, of the reader
		"SELECT count(*) FROM block":                                       {"", ""},
		"SELECT max(version_id) FROM goose_db_version":                     {"", ""},
		"INSERT INTO block VALUES (100, 100, 0, 1, 1, '', '')":             {"", denied},
		"UPDATE block SET body = ''":                                       {denied, denied},
		"UPDATE block SET first = first WHERE false":                       {denied, denied},
		"DELETE FROM block":                                                {denied, denied},
		"TRUNCATE block":                                                   {denied, denied},
		"DROP TABLE block":                                                 {denied, denied},
		"ALTER TABLE block ADD COLUMN x int":                               {denied, denied},
		"CREATE TABLE other (x int)":                                       {denied, denied},
		"CREATE TEMPORARY TABLE block (first int)":                         {denied, denied},
		"CREATE SCHEMA other":                                              {denied, denied},
		"CREATE TRIGGER x BEFORE INSERT ON block EXECUTE FUNCTION f()":     {denied, denied},
		"INSERT INTO goose_db_version (version_id,is_applied) VALUES(9,t)": {denied, denied},
		"SELECT * FROM block FOR UPDATE":                                   {denied, denied},
	} {
		for i, c := range []*pgx.Conn{app, reader} {
			got := executed(t, c, statement)
			if strings.Contains(statement, "VALUES(9,t)") && got == "42703" {
				got = denied // the column's name is looked at first
			}
			if got != want[i] {
				t.Errorf("%s as %s: %q, want %q", statement, c.Config().User, got, want[i])
			}
		}
	}
	// A role of one ledger cannot so much as come to another's database.
	cfg := other.App
	foreign, err := pgx.ParseConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	foreign.User = app.Config().User
	if c, err := pgx.ConnectConfig(t.Context(), foreign); err == nil {
		_ = c.Close(t.Context())
		t.Error("the application of one ledger came to another's database")
	}
}

func TestOpen_refuses_a_role_that_may_change_the_log(t *testing.T) {
	d := pgtest.Fresh(t)
	for _, url := range []string{d.Owner, super(t, pgtest.Server(t), d.App)} {
		refused(t, postgres.Config{URL: url}, postgres.ErrRefused, "may change the log")
	}
	s := opened(t, d.Reader)
	defer s.Close()
	if err := s.Append(t.Context(), ledgertest.Next(ledger.Head{}, 1)); err == nil || errors.Is(err, ledger.ErrConflict) {
		t.Errorf("append by the reader: %v", err)
	}
}

// refused checks that a ledger is not opened, and why.
func refused(t *testing.T, c postgres.Config, want error, text string) {
	t.Helper()
	s, err := postgres.Open(t.Context(), c)
	if err == nil {
		_ = s.Close()
		t.Errorf("opened, want %q", text)
	} else if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want %v: %q", err, want, text)
	}
}

func TestOpen_runs_on_its_own_tables_and_the_next_ones(t *testing.T) {
	empty := pgtest.Empty(t)
	refused(t, postgres.Config{URL: empty.App}, postgres.ErrRefused, "run migrate")
	d := pgtest.Fresh(t)
	owner := connected(t, d.Owner)
	newer := func(version int) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", version); err != nil {
			t.Fatal(err)
		}
	}
	newer(2) // what the next release's migration does: it adds
	if code := executed(t, owner, "ALTER TABLE block ADD COLUMN signature bytea"); code != "" {
		t.Fatal(code)
	}
	s := opened(t, d.App)
	defer s.Close()
	ledgertest.Fill(t, s, 1)
	newer(3)
	refused(t, postgres.Config{URL: d.App}, ledger.ErrLevel, "version 3")
	if err := postgres.Migrate(t.Context(), postgres.Config{URL: d.Owner}); !errors.Is(err, ledger.ErrLevel) {
		t.Errorf("migrating newer tables: %v", err)
	}
}

func TestMigrate_by_several_at_once(t *testing.T) {
	for range 3 {
		d := pgtest.Empty(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 3 { // at first there are tables to make, then only rights to set
					if err := postgres.Migrate(t.Context(), postgres.Config{URL: d.Owner}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		s := opened(t, d.App)
		ledgertest.Fill(t, s, 1)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// barred lets a migrator begin, stops it in the middle by another's uncommitted
// table of the same name, and kills it there.
func barred(t *testing.T, d pgd.Database) {
	t.Helper()
	owner := connected(t, d.Owner)
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "CREATE TABLE block (x int)"); err != nil {
		t.Fatal(err)
	}
	c := again(t, migrator, d.Owner)
	watch := connected(t, super(t, pgtest.Server(t), d.Owner))
	for waits := 0; waits == 0; time.Sleep(5 * time.Millisecond) {
		err := watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'CREATE TABLE block%'`).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMigrate_goes_on_where_another_was_killed(t *testing.T) {
	d := pgtest.Empty(t)
	barred(t, d)
	for range 10 { // and at any other step
		c := again(t, migrator, d.Owner)
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	if err := postgres.Migrate(t.Context(), postgres.Config{URL: d.Owner}); err != nil {
		t.Fatal(err)
	}
	s := opened(t, d.App)
	ledgertest.Fill(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMigrate_asks_for_the_roles(t *testing.T) {
	s := pgtest.Server(t)
	d := pgtest.Empty(t)
	admin := connected(t, super(t, s, d.Owner))
	name := admin.Config().Database
	if code := executed(t, admin, fmt.Sprintf(`ALTER ROLE "%s_app" RENAME TO "%s_gone"`, name, name)); code != "" {
		t.Fatal(code)
	}
	err := postgres.Migrate(t.Context(), postgres.Config{URL: d.Owner})
	if !errors.Is(err, postgres.ErrRefused) || !strings.Contains(err.Error(), "_app") {
		t.Errorf("%v, want it to name the role", err)
	}
	if code := executed(t, admin, fmt.Sprintf(`ALTER ROLE "%s_gone" RENAME TO "%s_app"`, name, name)); code != "" {
		t.Fatal(code)
	}
	if err := postgres.Migrate(t.Context(), postgres.Config{URL: d.Owner}); err != nil {
		t.Error(err)
	}
}
